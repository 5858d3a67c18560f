-- An entry whose details do not sum up to it is one movement; by its parts, pairs of UETR and minor units, it is laid beside
-- the legs that it names. NULL for all others.
ALTER TABLE office.entries ADD COLUMN parts JSONB;
ALTER TABLE office.movements ADD COLUMN parts JSONB;

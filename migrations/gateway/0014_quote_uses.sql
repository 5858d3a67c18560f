-- A quote is for one transfer: on the ledger, answers to many questions share one standing quote.
ALTER TABLE quote ADD COLUMN used_by uuid;

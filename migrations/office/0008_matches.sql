-- What a match holds is what its movements say; beside them is kept only what a dissolved one held. Rows of matches
-- that still hold were written before, and stay.
COMMENT ON TABLE office.match_movements IS 'what a dissolved match held';

-- Matches are never taken away, so those of a statement's rows are looked for together, and locked by nobody; each by its
-- key, however few of them Postgres has counted (OFFSET 0 keeps the subquery from being joined another way).
ALTER TABLE office.movements DROP CONSTRAINT movements_match_fkey;
CREATE TRIGGER matches_stay BEFORE DELETE ON office.matches
    FOR EACH ROW EXECUTE FUNCTION office.only_grows();
CREATE TRIGGER matches_never_emptied BEFORE TRUNCATE ON office.matches
    FOR EACH STATEMENT EXECUTE FUNCTION office.only_grows();

CREATE FUNCTION office.movements_of_matches() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    IF EXISTS (SELECT FROM written w
            LEFT JOIN LATERAL (SELECT match FROM office.matches WHERE match = w.match OFFSET 0) m ON TRUE
            WHERE w.match IS NOT NULL AND m.match IS NULL) THEN
        RAISE foreign_key_violation USING MESSAGE = 'a movement names a match that is not there';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER movements_of_matches AFTER INSERT ON office.movements
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION office.movements_of_matches();
CREATE TRIGGER movements_of_later_matches AFTER UPDATE ON office.movements
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION office.movements_of_matches();

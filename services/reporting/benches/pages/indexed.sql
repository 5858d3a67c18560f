-- Behind so many rows: indexes and rules as the migrations made them.

DO $$
DECLARE
    one RECORD;
BEGIN
    FOR one IN SELECT * FROM bench.indexes LOOP
        IF one.key IS NULL THEN
            EXECUTE one.text;
        ELSE
            EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I %s', one.of_table, one.key, one.key_text);
        END IF;
    END LOOP;
END
$$;
ALTER TABLE ledger.transfers ENABLE TRIGGER USER;
ALTER TABLE ledger.postings ENABLE TRIGGER USER;

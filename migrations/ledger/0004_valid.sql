-- The constraints of 0003 hold for the rows that were there before it, too: reads and writes go on meanwhile.
DO $$
DECLARE
    own RECORD;
BEGIN
    FOR own IN SELECT conrelid::regclass AS of_table, conname FROM pg_constraint
        WHERE NOT convalidated AND connamespace = 'ledger'::regnamespace
    LOOP
        EXECUTE format('ALTER TABLE %s VALIDATE CONSTRAINT %I', own.of_table, own.conname);
    END LOOP;
END
$$;

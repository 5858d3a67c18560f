-- Accounts of postings are looked up once each, not once for every pair; balances are moved in place.

-- Every batch moves most balances there are: room in the page keeps the row where it is, and its index as it is.
ALTER TABLE ledger.balances SET (fillfactor = 50);

-- Both accounts of every leg are there, and of its currency. A plan for the few rows of a quiet second is none for the
-- thousands of one that catches up, so each is planned for what was written; the writer's own settings do not bind it.
CREATE OR REPLACE FUNCTION ledger.postings_of_records() RETURNS trigger LANGUAGE plpgsql
    SET plan_cache_mode = force_custom_plan SET enable_hashjoin = on SET enable_seqscan = on SET jit = off AS $$
BEGIN
    PERFORM ledger.of_records((SELECT max(greatest(sequence, decided_sequence)) FROM written));
    IF EXISTS (SELECT FROM (SELECT debit_account AS account, currency FROM written
                UNION SELECT credit_account, currency FROM written) used
            LEFT JOIN ledger.accounts a ON a.account = used.account AND a.currency = used.currency
            WHERE a.account IS NULL) THEN
        RAISE foreign_key_violation USING MESSAGE =
            'a posting moves money of an account that is not there, or is of another currency';
    END IF;
    RETURN NULL;
END
$$;

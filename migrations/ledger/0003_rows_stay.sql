-- Rows that no record makes are refused here, whoever writes them: what is booked stays, and moves only forward.
-- New constraints are NOT VALID, so that no table is read under a lock; 0004 looks at the rows that are there.

-- Digests and sealed bytes do not compress: trying costs time, and finds nothing.
ALTER TABLE ledger.records
    ALTER COLUMN shared SET STORAGE EXTERNAL,
    ALTER COLUMN debtor SET STORAGE EXTERNAL,
    ALTER COLUMN creditor SET STORAGE EXTERNAL,
    ALTER COLUMN liquidity_1 SET STORAGE EXTERNAL,
    ALTER COLUMN liquidity_2 SET STORAGE EXTERNAL,
    ALTER COLUMN operator SET STORAGE EXTERNAL,
    ALTER COLUMN salts SET STORAGE EXTERNAL,
    ALTER COLUMN item SET STORAGE EXTERNAL;
ALTER TABLE ledger.records
    ADD CONSTRAINT records_sequence CHECK (sequence >= 0) NOT VALID,
    ADD CONSTRAINT records_kind CHECK (kind BETWEEN 1 AND 131) NOT VALID,
    ADD CONSTRAINT records_at CHECK (at_micros >= 0) NOT VALID;

ALTER TABLE ledger.entries
    ADD CONSTRAINT entries_sequences CHECK (first_sequence BETWEEN 0 AND last_sequence) NOT VALID,
    ADD CONSTRAINT entries_digest CHECK (length(accounts_digest) = 32) NOT VALID;

ALTER TABLE ledger.currencies
    ADD CONSTRAINT currencies_word CHECK (currency ~ '^[A-Z]{3}$') NOT VALID,
    ADD CONSTRAINT currencies_exponent CHECK (exponent BETWEEN 0 AND 8) NOT VALID;

ALTER TABLE ledger.participants
    ADD CONSTRAINT participants_id CHECK (participant BETWEEN 0 AND 4294967295) NOT VALID,
    ADD CONSTRAINT participants_country CHECK (country ~ '^[A-Z]{2}$') NOT VALID;

-- Few rows, written seldom: a foreign key costs nothing here. Owner 0 is the operator, who is no participant.
ALTER TABLE ledger.accounts
    ADD CONSTRAINT accounts_currency FOREIGN KEY (currency) REFERENCES ledger.currencies
        DEFERRABLE INITIALLY DEFERRED NOT VALID,
    ADD CONSTRAINT accounts_cap CHECK (net_debit_cap >= 0) NOT VALID;

ALTER TABLE ledger.transfers
    ADD CONSTRAINT transfers_currency CHECK (currency ~ '^[A-Z]{3}$') NOT VALID,
    -- A refused submit may name no amount, and a burned identity has none.
    ADD CONSTRAINT transfers_amount CHECK (amount > 0 OR (amount = 0 AND state IN (4, 7))) NOT VALID,
    ADD CONSTRAINT transfers_returned CHECK (returned BETWEEN 0 AND amount) NOT VALID,
    ADD CONSTRAINT transfers_rejection CHECK (rejection BETWEEN 0 AND 65535) NOT VALID,
    ADD CONSTRAINT transfers_submitted CHECK (submit_sequence >= 0 AND submitted_micros >= 0) NOT VALID,
    ADD CONSTRAINT transfers_decided CHECK (
        (state = 1) = (decided_sequence = 0) AND (decided_sequence = 0) = (decided_micros = 0)
        AND (decided_sequence = 0 OR decided_sequence >= submit_sequence)) NOT VALID,
    ADD CONSTRAINT transfers_confirmed CHECK (
        (confirmed_sequence = 0) = (confirmed_micros = 0) AND (confirmed_sequence = 0) = (confirmation = '')
        AND (confirmed_sequence = 0 OR (state IN (2, 3) AND confirmed_sequence > decided_sequence))
        AND (state <> 3 OR confirmed_sequence > 0)) NOT VALID,
    ADD CONSTRAINT transfers_held CHECK (held_until_micros = 0 OR state = 1) NOT VALID;

ALTER TABLE ledger.postings
    ADD CONSTRAINT postings_leg CHECK (leg BETWEEN 0 AND 7) NOT VALID,
    ADD CONSTRAINT postings_subject CHECK (
        subject_kind BETWEEN 1 AND 3 AND (subject_kind = 3 OR length(subject) = 16)) NOT VALID,
    ADD CONSTRAINT postings_kind CHECK (
        (subject_kind = 1 AND kind BETWEEN 1 AND 3) OR (subject_kind = 2 AND kind = 5)
        OR (subject_kind = 3 AND kind = 4)) NOT VALID,
    ADD CONSTRAINT postings_accounts CHECK (debit_account <> credit_account) NOT VALID,
    ADD CONSTRAINT postings_decided CHECK (
        CASE state WHEN 'pending' THEN decided_sequence = 0 ELSE decided_sequence >= sequence END) NOT VALID;

ALTER TABLE ledger.recalls
    ADD CONSTRAINT recalls_amount CHECK (amount > 0) NOT VALID,
    ADD CONSTRAINT recalls_answered CHECK (
        (answer = 0) = (answer_sequence = 0) AND (answer = 0) = (answered_micros = 0)
        AND (answer_sequence = 0 OR answer_sequence > sequence)) NOT VALID,
    ADD CONSTRAINT recalls_return CHECK (length(return_uetr) IN (0, 16)
        AND (return_uetr = ''::bytea) = (answer <> 1)) NOT VALID;

-- Every row names records that are there. Records have no gaps and never go, so the greatest number says it
-- for all rows of a statement: a foreign key would ask, and lock, once a row.
ALTER TABLE ledger.postings DROP CONSTRAINT postings_sequence_fkey;

CREATE FUNCTION ledger.of_records(named BIGINT) RETURNS void LANGUAGE plpgsql STABLE AS $$
DECLARE
    held BIGINT := (SELECT max(sequence) FROM ledger.records);
BEGIN
    IF named > coalesce(held, -1) THEN
        RAISE foreign_key_violation USING MESSAGE =
            format('a row names record %s, the last one here is %s', named, coalesce(held, -1));
    END IF;
END
$$;

CREATE FUNCTION ledger.transfers_of_records() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM ledger.of_records(
        (SELECT max(greatest(submit_sequence, decided_sequence, confirmed_sequence)) FROM written));
    RETURN NULL;
END
$$;

CREATE TRIGGER transfers_of_records AFTER INSERT ON ledger.transfers
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION ledger.transfers_of_records();
CREATE TRIGGER transfers_of_later_records AFTER UPDATE ON ledger.transfers
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION ledger.transfers_of_records();

CREATE FUNCTION ledger.postings_of_records() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last BIGINT;
    strange BOOLEAN;
BEGIN
    -- Both accounts of every leg are of its currency: accounts are few, so legs are looked at by their sort.
    SELECT max(sort.last), bool_or(d.account IS NULL OR c.account IS NULL) INTO last, strange
    FROM (SELECT debit_account, credit_account, currency, max(greatest(sequence, decided_sequence)) AS last
            FROM written GROUP BY 1, 2, 3) sort
        LEFT JOIN ledger.accounts d ON d.account = sort.debit_account AND d.currency = sort.currency
        LEFT JOIN ledger.accounts c ON c.account = sort.credit_account AND c.currency = sort.currency;
    PERFORM ledger.of_records(last);
    IF strange THEN
        RAISE foreign_key_violation USING MESSAGE =
            'a posting moves money of an account that is not there, or is of another currency';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER postings_of_records AFTER INSERT ON ledger.postings
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION ledger.postings_of_records();
CREATE TRIGGER postings_of_later_records AFTER UPDATE ON ledger.postings
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION ledger.postings_of_records();

-- What is written stays.
CREATE FUNCTION ledger.rows_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger.% follows from the records: % refused', TG_TABLE_NAME, TG_OP
        USING HINT = 'causeway reconciliation rebuild makes the tables anew';
END
$$;

CREATE TRIGGER entries_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.entries
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.rows_stay();
CREATE TRIGGER currencies_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.currencies
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.rows_stay();
CREATE TRIGGER transfers_stay BEFORE DELETE OR TRUNCATE ON ledger.transfers
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.rows_stay();
CREATE TRIGGER postings_stay BEFORE DELETE OR TRUNCATE ON ledger.postings
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.rows_stay();
CREATE TRIGGER recalls_stay BEFORE DELETE OR TRUNCATE ON ledger.recalls
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.rows_stay();
CREATE TRIGGER accounts_stay BEFORE DELETE OR TRUNCATE ON ledger.accounts
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.rows_stay();
CREATE TRIGGER balances_stay BEFORE DELETE OR TRUNCATE ON ledger.balances
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.rows_stay();
CREATE TRIGGER participants_stay BEFORE DELETE OR TRUNCATE ON ledger.participants
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.rows_stay();

-- What an UPDATE may not touch: everything that a first record fixed, and a decision once taken.
CREATE TRIGGER transfers_only_move BEFORE UPDATE ON ledger.transfers FOR EACH ROW
    WHEN (OLD.debtor_agent <> NEW.debtor_agent OR OLD.uetr <> NEW.uetr
        OR OLD.creditor_agent <> NEW.creditor_agent OR OLD.corridor <> NEW.corridor
        OR OLD.rejection <> NEW.rejection OR OLD.amount <> NEW.amount OR OLD.currency <> NEW.currency
        OR OLD.deadline_micros <> NEW.deadline_micros OR OLD.submit_sequence <> NEW.submit_sequence
        OR OLD.submitted_micros <> NEW.submitted_micros OR OLD.returned > NEW.returned
        OR OLD.confirmed_sequence > NEW.confirmed_sequence
        OR (OLD.decided_sequence <> 0 AND (OLD.decided_sequence <> NEW.decided_sequence
            OR OLD.decided_micros <> NEW.decided_micros OR OLD.reason <> NEW.reason))
        OR (OLD.state IN (4, 5, 6, 7) AND OLD.state <> NEW.state))
    EXECUTE FUNCTION ledger.rows_stay();
CREATE TRIGGER postings_only_move BEFORE UPDATE ON ledger.postings FOR EACH ROW
    WHEN (OLD.sequence <> NEW.sequence OR OLD.leg <> NEW.leg OR OLD.subject_kind <> NEW.subject_kind
        OR OLD.subject_owner <> NEW.subject_owner OR OLD.subject <> NEW.subject OR OLD.kind <> NEW.kind
        OR OLD.debit_account <> NEW.debit_account OR OLD.credit_account <> NEW.credit_account
        OR OLD.currency <> NEW.currency OR OLD.amount <> NEW.amount OR OLD.state <> 'pending')
    EXECUTE FUNCTION ledger.rows_stay();
CREATE TRIGGER accounts_only_move BEFORE UPDATE ON ledger.accounts FOR EACH ROW
    WHEN (OLD.account <> NEW.account OR OLD.owner <> NEW.owner OR OLD.currency <> NEW.currency
        OR OLD.custody <> NEW.custody OR OLD.standing_acceptance <> NEW.standing_acceptance)
    EXECUTE FUNCTION ledger.rows_stay();

-- Keys and indexes: docs/database.md has the plans that need each. One index by UETR serves the key too.
CREATE UNIQUE INDEX transfers_by_identity ON ledger.transfers (uetr, debtor_agent);
ALTER TABLE ledger.transfers DROP CONSTRAINT transfers_pkey;
ALTER TABLE ledger.transfers ADD CONSTRAINT transfers_pkey PRIMARY KEY USING INDEX transfers_by_identity;
DROP INDEX ledger.transfers_by_uetr;
DROP INDEX ledger.transfers_by_state;
CREATE UNIQUE INDEX transfers_by_submit ON ledger.transfers (submit_sequence);
CREATE INDEX transfers_by_debtor ON ledger.transfers (debtor_agent, submit_sequence);
CREATE INDEX transfers_by_creditor ON ledger.transfers (creditor_agent, submit_sequence);
CREATE INDEX transfers_by_state ON ledger.transfers (state, submit_sequence);
CREATE INDEX transfers_by_amount ON ledger.transfers (currency, amount, submit_sequence);
CREATE INDEX postings_by_decision ON ledger.postings (decided_sequence);
-- A transfer's legs bear the number of its submit, and are found by it; what is no transfer is rare.
DROP INDEX ledger.postings_by_subject;
CREATE INDEX postings_by_subject ON ledger.postings (subject_kind, subject) WHERE subject_kind <> 1;
CREATE INDEX entries_by_time ON ledger.entries (at_micros);
CREATE INDEX records_of_keys ON ledger.records (sequence) WHERE kind IN (34, 35);

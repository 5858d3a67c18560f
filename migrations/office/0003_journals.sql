-- A participant's own journal of its account is the third leg. It is compared by digests of its rows: what each digest
-- promised is kept, and of its rows only those that may differ from the ledger's.

ALTER TABLE office.accounts DROP CONSTRAINT accounts_leg_check;
ALTER TABLE office.accounts ADD CONSTRAINT accounts_leg_check
    CHECK (leg IN ('custodian', 'participant', 'journal'));
ALTER TABLE office.acts DROP CONSTRAINT acts_subject_check;
ALTER TABLE office.acts ADD CONSTRAINT acts_subject_check
    CHECK (subject IN ('account', 'map', 'file', 'break', 'correction', 'day', 'session', 'transfer', 'journal'))
    NOT VALID;

CREATE TABLE office.journals (
    journal     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account     BIGINT NOT NULL REFERENCES office.accounts,
    day         DATE NOT NULL,
    -- A corrected journal of the same day is a further one.
    revision    INTEGER NOT NULL CHECK (revision > 0),
    -- SHA-256 of all that the digest promised.
    digest      BYTEA NOT NULL CHECK (length(digest) = 32),
    rows        BIGINT NOT NULL CHECK (rows >= 0),
    credits     NUMERIC(39,0) NOT NULL CHECK (credits >= 0),
    debits      NUMERIC(39,0) NOT NULL CHECK (debits >= 0),
    -- 2^bits buckets, sixteen bytes of SHA-256 each.
    bits        SMALLINT NOT NULL CHECK (bits BETWEEN 0 AND 16),
    buckets     BYTEA NOT NULL CHECK (length(buckets) = 16 << bits),
    -- Those that are not the ledger's, whose rows are asked for.
    differing   INTEGER[] NOT NULL,
    compared_at TIMESTAMPTZ NOT NULL,
    compared_by TEXT NOT NULL,
    UNIQUE (account, day, revision)
);

-- The rows that were asked for came.
CREATE TABLE office.journal_answers (
    journal  BIGINT PRIMARY KEY REFERENCES office.journals,
    rows     BIGINT NOT NULL CHECK (rows >= 0),
    taken_at TIMESTAMPTZ NOT NULL,
    taken_by TEXT NOT NULL
);

ALTER TABLE office.movements ADD COLUMN journal BIGINT REFERENCES office.journals;
ALTER TABLE office.movements DROP CONSTRAINT movements_book_check;
ALTER TABLE office.movements ADD CONSTRAINT movements_book_check
    CHECK (book IN ('ledger', 'statement', 'journal')) NOT VALID;
ALTER TABLE office.movements DROP CONSTRAINT movements_check;
ALTER TABLE office.movements ADD CONSTRAINT movements_origin CHECK (CASE book
    WHEN 'ledger' THEN num_nonnulls(sequence, leg, decided_sequence) = 3 AND num_nonnulls(entry, journal) = 0
    WHEN 'statement' THEN num_nonnulls(sequence, leg, decided_sequence, journal) = 0 AND entry IS NOT NULL
    ELSE num_nonnulls(sequence, leg, decided_sequence, entry) = 0 AND journal IS NOT NULL END) NOT VALID;
ALTER TABLE office.movements DROP CONSTRAINT movements_state_check;
-- agreed: the ledger's, in a bucket whose digest is equal; withdrawn: a journal's, which a later journal does not have.
ALTER TABLE office.movements ADD CONSTRAINT movements_state_check
    CHECK (CASE state WHEN 'agreed' THEN book = 'ledger' WHEN 'withdrawn' THEN book = 'journal'
        ELSE state IN ('open', 'awaited', 'matched', 'broken', 'closed') END) NOT VALID;
-- There is no such row yet: it is made by one look at the table.
CREATE INDEX movements_of_journals ON office.movements (account, value_date) WHERE book = 'journal';

DO $$
DECLARE
    own TEXT;
BEGIN
    FOREACH own IN ARRAY ARRAY['journals', 'journal_answers']
    LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON office.%I
            FOR EACH ROW EXECUTE FUNCTION office.only_grows()', own || '_only_grows', own);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON office.%I
            FOR EACH STATEMENT EXECUTE FUNCTION office.only_grows()', own || '_never_emptied', own);
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'causeway_office') THEN
            EXECUTE format('GRANT SELECT, INSERT ON office.%I TO causeway_office', own);
        END IF;
    END LOOP;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'causeway_office') THEN
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA office TO causeway_office;
    END IF;
END
$$;

-- The ledger as tables: one row per record, and what follows from the records. Everything here can
-- be dropped and rebuilt from record 0; nothing here is anyone's only copy.
-- Amounts are minor units; NUMERIC(39,0) holds what 128 bits hold, NUMERIC(20,0) what 64 bits hold.

CREATE TABLE ledger.records (
    sequence    BIGINT PRIMARY KEY,
    kind        SMALLINT NOT NULL,
    at_micros   BIGINT NOT NULL,
    shared      BYTEA,
    debtor      BYTEA,
    creditor    BYTEA,
    liquidity_1 BYTEA,
    liquidity_2 BYTEA,
    operator    BYTEA,
    -- Six salts of 32 bytes in the order of the parts; empty for an unsalted record.
    salts       BYTEA NOT NULL CHECK (length(salts) IN (0, 192)),
    item        BYTEA
);

CREATE FUNCTION ledger.records_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger.records is append-only: % refused', TG_OP;
END
$$;

CREATE TRIGGER records_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.records
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.records_are_append_only();

CREATE TABLE ledger.entries (
    entry           BIGINT PRIMARY KEY,
    first_sequence  BIGINT NOT NULL,
    last_sequence   BIGINT NOT NULL UNIQUE,
    at_micros       BIGINT NOT NULL,
    accounts_digest BYTEA NOT NULL
);

CREATE TABLE ledger.currencies (
    currency        TEXT PRIMARY KEY,
    exponent        SMALLINT NOT NULL,
    custodian       BIGINT NOT NULL,
    custody_account NUMERIC(20,0) NOT NULL
);

CREATE TABLE ledger.participants (
    participant     BIGINT PRIMARY KEY,
    country         TEXT NOT NULL,
    bic             TEXT NOT NULL,
    lei             TEXT NOT NULL,
    clearing_member TEXT NOT NULL,
    name            TEXT NOT NULL,
    suspended       BOOLEAN NOT NULL DEFAULT FALSE
);

CREATE TABLE ledger.accounts (
    account             NUMERIC(20,0) PRIMARY KEY,
    owner               BIGINT NOT NULL,
    currency            TEXT NOT NULL,
    custody             BOOLEAN NOT NULL,
    standing_acceptance BOOLEAN NOT NULL,
    net_debit_cap       NUMERIC(20,0) NOT NULL DEFAULT 0
);

CREATE TABLE ledger.balances (
    account         NUMERIC(20,0) PRIMARY KEY REFERENCES ledger.accounts,
    debits_pending  NUMERIC(39,0) NOT NULL DEFAULT 0 CHECK (debits_pending >= 0),
    debits_posted   NUMERIC(39,0) NOT NULL DEFAULT 0 CHECK (debits_posted >= 0),
    credits_pending NUMERIC(39,0) NOT NULL DEFAULT 0 CHECK (credits_pending >= 0),
    credits_posted  NUMERIC(39,0) NOT NULL DEFAULT 0 CHECK (credits_posted >= 0)
);

CREATE TABLE ledger.transfers (
    debtor_agent       BIGINT NOT NULL,
    uetr               BYTEA NOT NULL CHECK (length(uetr) = 16),
    creditor_agent     BIGINT NOT NULL,
    corridor           BIGINT NOT NULL,
    -- 1 pending, 2 settled, 3 credited, 4 rejected, 5 expired, 6 cancelled, 7 burned.
    state              SMALLINT NOT NULL CHECK (state BETWEEN 1 AND 7),
    rejection          INTEGER NOT NULL,
    reason             TEXT NOT NULL,
    amount             NUMERIC(20,0) NOT NULL,
    currency           TEXT NOT NULL,
    returned           NUMERIC(20,0) NOT NULL,
    deadline_micros    NUMERIC(20,0) NOT NULL,
    held_until_micros  NUMERIC(20,0) NOT NULL,
    submit_sequence    BIGINT NOT NULL,
    submitted_micros   BIGINT NOT NULL,
    -- 0 while pending, as with the two confirmation columns before a confirmation.
    decided_sequence   BIGINT NOT NULL,
    decided_micros     BIGINT NOT NULL,
    confirmed_sequence BIGINT NOT NULL,
    confirmed_micros   BIGINT NOT NULL,
    confirmation       TEXT NOT NULL,
    PRIMARY KEY (debtor_agent, uetr)
);
CREATE INDEX transfers_by_state ON ledger.transfers (state);
CREATE INDEX transfers_by_uetr ON ledger.transfers (uetr);

CREATE TABLE ledger.postings (
    -- The record that reserved or posted it, and its place among that record's legs.
    sequence         BIGINT NOT NULL REFERENCES ledger.records,
    leg              SMALLINT NOT NULL,
    -- What it belongs to: 1 transfer (UETR), 2 withdrawal, 3 funding.
    subject_kind     SMALLINT NOT NULL,
    subject_owner    BIGINT NOT NULL,
    subject          BYTEA NOT NULL,
    -- 1 principal, 2 fee, 3 payout fee, 4 funding, 5 withdrawal.
    kind             SMALLINT NOT NULL,
    debit_account    NUMERIC(20,0) NOT NULL,
    credit_account   NUMERIC(20,0) NOT NULL,
    currency         TEXT NOT NULL,
    amount           NUMERIC(20,0) NOT NULL CHECK (amount > 0),
    state            TEXT NOT NULL CHECK (state IN ('pending', 'posted', 'released')),
    -- The record that posted or released it; 0 while pending.
    decided_sequence BIGINT NOT NULL,
    PRIMARY KEY (sequence, leg)
);
CREATE INDEX postings_by_subject ON ledger.postings (subject_kind, subject_owner, subject);
CREATE INDEX postings_by_debit ON ledger.postings (debit_account, sequence);
CREATE INDEX postings_by_credit ON ledger.postings (credit_account, sequence);

-- One row: what has been written, and who may write next.
CREATE TABLE ledger.cursor (
    only_row      BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    next_sequence BIGINT NOT NULL,
    -- The RFC 6962 frontier over the records before next_sequence.
    frontier      BYTEA NOT NULL,
    -- Empty until record 0 is written.
    network       BYTEA NOT NULL,
    -- Raised by each reconciler that takes over; one that holds an older epoch must stop.
    epoch         BIGINT NOT NULL
);
-- An empty frontier: size 0 and no roots.
INSERT INTO ledger.cursor (next_sequence, frontier, network, epoch)
    VALUES (0, '\x000000000000000000'::bytea, ''::bytea, 0);

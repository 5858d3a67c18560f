-- The back office's own books: statements as they came, movements laid side by side, breaks and what people did about
-- them, closed days. Primary data: nothing here can be rebuilt from the ledger, and schema ledger never points here.
-- Amounts are minor units; a record of the ledger is named by its sequence, which a rebuilt schema ledger has again.

CREATE FUNCTION office.only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'office.% only grows: % refused', TG_TABLE_NAME, TG_OP;
END
$$;

-- Whoever updates a row says which version it saw, and makes the next.
CREATE FUNCTION office.next_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.version <> OLD.version + 1 THEN
        RAISE EXCEPTION 'office.%: version % follows %, not %', TG_TABLE_NAME, OLD.version + 1, OLD.version, NEW.version;
    END IF;
    RETURN NEW;
END
$$;

-- Every act on anything here, in order.
CREATE TABLE office.acts (
    act         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          TIMESTAMPTZ NOT NULL,
    actor       TEXT NOT NULL CHECK (actor <> ''),
    role        TEXT NOT NULL CHECK (role IN ('back_office', 'compliance', 'operator', 'service')),
    verb        TEXT NOT NULL,
    subject     TEXT NOT NULL CHECK (subject IN ('account', 'map', 'file', 'break', 'correction', 'day')),
    subject_id  TEXT NOT NULL,
    detail      JSONB NOT NULL DEFAULT '{}'
);
CREATE INDEX acts_by_subject ON office.acts (subject, subject_id, act);

-- Which account of a statement is which account of the ledger.
CREATE TABLE office.accounts (
    account         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- As statements name it: an IBAN or the servicer's own number.
    identification  TEXT NOT NULL CHECK (identification <> ''),
    currency        TEXT NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    -- custodian: the cash behind a currency; participant: one participant's own account.
    leg             TEXT NOT NULL CHECK (leg IN ('custodian', 'participant')),
    participant     BIGINT NOT NULL,
    ledger_account  NUMERIC(20,0) NOT NULL,
    -- Which of the servicer's messages are compared: those that state every movement once.
    compared        TEXT NOT NULL CHECK (compared IN ('statement', 'report', 'notification')),
    value_date_days SMALLINT NOT NULL CHECK (value_date_days BETWEEN 0 AND 30),
    search_days     SMALLINT NOT NULL CHECK (search_days BETWEEN 0 AND 30),
    charges_max     NUMERIC(20,0) NOT NULL CHECK (charges_max >= 0),
    UNIQUE (identification, currency),
    UNIQUE (leg, ledger_account)
);
CREATE INDEX accounts_by_book ON office.accounts (leg, participant);

CREATE TABLE office.column_maps (
    name     TEXT NOT NULL CHECK (name <> ''),
    revision INTEGER NOT NULL CHECK (revision > 0),
    map      JSONB NOT NULL,
    saved_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (name, revision)
);

-- Files that were taken, byte for byte.
CREATE TABLE office.files (
    file           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           TEXT NOT NULL,
    digest         BYTEA NOT NULL UNIQUE CHECK (length(digest) = 32),
    bytes          BYTEA NOT NULL,
    format         TEXT NOT NULL,
    verdict        TEXT NOT NULL CHECK (verdict IN ('ok', 'findings')),
    findings       JSONB NOT NULL,
    findings_count BIGINT NOT NULL,
    imported_at    TIMESTAMPTZ NOT NULL,
    imported_by    TEXT NOT NULL
);

-- Files that were kept out: why, and nothing of what they say.
CREATE TABLE office.refused_files (
    refused        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           TEXT NOT NULL,
    digest         BYTEA NOT NULL CHECK (length(digest) = 32),
    size           BIGINT NOT NULL,
    findings       JSONB NOT NULL,
    findings_count BIGINT NOT NULL,
    refused_at     TIMESTAMPTZ NOT NULL,
    refused_by     TEXT NOT NULL
);

CREATE TABLE office.statements (
    statement    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file         BIGINT NOT NULL REFERENCES office.files,
    -- Its place in the file, from 1.
    place        INTEGER NOT NULL,
    account      BIGINT NOT NULL REFERENCES office.accounts,
    kind         TEXT NOT NULL CHECK (kind IN ('statement', 'report', 'notification')),
    id           TEXT NOT NULL,
    sequence     BIGINT,
    page         BIGINT,
    last_page    BOOLEAN,
    -- What it covers: its period, else the days of its balances.
    from_day     DATE,
    to_day       DATE,
    -- Booked balances, credits positive; NULL where none is stated or it has too many decimals.
    opening      NUMERIC(39,0),
    closing      NUMERIC(39,0),
    arithmetic   TEXT NOT NULL CHECK (arithmetic IN ('holds', 'fails', 'not_stated')),
    entries      BIGINT NOT NULL,
    -- Account, kind, id, number and page: none is taken twice. NULL without an id.
    identity     TEXT UNIQUE,
    -- SHA-256 of account, period, balances and entries; NULL where two may be alike.
    content      TEXT UNIQUE,
    UNIQUE (file, place)
);
CREATE INDEX statements_by_account ON office.statements (account, kind, to_day DESC, statement DESC);

CREATE TABLE office.entries (
    entry                 BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    statement             BIGINT NOT NULL REFERENCES office.statements,
    number                BIGINT NOT NULL,
    -- 0 the entry as a whole, else one of its details.
    detail                INTEGER NOT NULL,
    -- NULL with more decimals than the currency has: it can't be booked.
    amount                NUMERIC(20,0),
    amount_text           TEXT NOT NULL,
    currency              TEXT NOT NULL,
    credit_debit          TEXT NOT NULL CHECK (credit_debit IN ('CRDT', 'DBIT')),
    reversal              BOOLEAN NOT NULL,
    status                TEXT NOT NULL,
    booking_date          DATE,
    value_date            DATE,
    uetr                  UUID,
    end_to_end_id         TEXT,
    servicer_reference    TEXT,
    batch                 TEXT,
    party                 TEXT,
    charges               NUMERIC(20,0) NOT NULL DEFAULT 0,
    information           TEXT,
    UNIQUE (statement, number, detail)
);

-- What is compared: each posted leg of the ledger and each booked entry of a statement, once.
CREATE TABLE office.movements (
    movement           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account            BIGINT NOT NULL REFERENCES office.accounts,
    book               TEXT NOT NULL CHECK (book IN ('ledger', 'statement')),
    -- Of the ledger: the record that reserved or posted it, its leg, and the record that decided it.
    sequence           BIGINT,
    leg                SMALLINT,
    decided_sequence   BIGINT,
    -- Of a statement.
    entry              BIGINT UNIQUE REFERENCES office.entries,
    amount             NUMERIC(20,0) NOT NULL CHECK (amount > 0),
    currency           TEXT NOT NULL,
    credit_debit       TEXT NOT NULL CHECK (credit_debit IN ('CRDT', 'DBIT')),
    value_date         DATE NOT NULL,
    uetr               UUID,
    end_to_end_id      TEXT,
    servicer_reference TEXT,
    party              TEXT,
    batch              TEXT,
    reversal           BOOLEAN NOT NULL,
    returns            UUID,
    charges            NUMERIC(20,0) NOT NULL DEFAULT 0,
    state              TEXT NOT NULL DEFAULT 'open'
        CHECK (state IN ('open', 'awaited', 'matched', 'broken', 'closed')),
    match              BIGINT,
    UNIQUE (account, sequence, leg),
    CHECK (CASE book WHEN 'ledger'
        THEN num_nonnulls(sequence, leg, decided_sequence) = 3 AND entry IS NULL
        ELSE num_nonnulls(sequence, leg, decided_sequence) = 0 AND entry IS NOT NULL END),
    CHECK ((state = 'matched') = (match IS NOT NULL))
);
CREATE INDEX movements_open ON office.movements (account, movement) WHERE state IN ('open', 'awaited', 'broken');
CREATE INDEX movements_new ON office.movements (account) WHERE state = 'open';
-- Told by a statement before the ledger's day is over.
CREATE INDEX movements_early ON office.movements (account, value_date)
    WHERE book = 'statement' AND state IN ('open', 'awaited', 'broken');
CREATE INDEX movements_awaited ON office.movements (decided_sequence) WHERE book = 'ledger' AND state = 'awaited';
CREATE INDEX movements_by_uetr ON office.movements (uetr) WHERE uetr IS NOT NULL;
CREATE INDEX movements_by_end_to_end_id ON office.movements (end_to_end_id) WHERE end_to_end_id IS NOT NULL;
CREATE INDEX movements_by_servicer_reference ON office.movements (servicer_reference)
    WHERE servicer_reference IS NOT NULL;
CREATE INDEX movements_by_match ON office.movements (match) WHERE match IS NOT NULL;

-- How far the ledger's rows were read, and legs read while they were only reserved.
CREATE TABLE office.progress (
    only_row      BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    next_sequence BIGINT NOT NULL
);
INSERT INTO office.progress (next_sequence) VALUES (0);
CREATE TABLE office.reserved (
    sequence BIGINT NOT NULL,
    leg      SMALLINT NOT NULL,
    PRIMARY KEY (sequence, leg)
);

-- Under what each book was compared last: days covered, days open, rules. Without news it is not compared again.
CREATE TABLE office.books (
    leg         TEXT NOT NULL,
    participant BIGINT NOT NULL,
    compared    TEXT NOT NULL,
    PRIMARY KEY (leg, participant)
);

CREATE TABLE office.matches (
    match        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account      BIGINT NOT NULL REFERENCES office.accounts,
    score        SMALLINT NOT NULL CHECK (score BETWEEN 0 AND 100),
    -- Each reason with its points.
    evidence     JSONB NOT NULL,
    made_at      TIMESTAMPTZ NOT NULL,
    -- A later statement told otherwise.
    dissolved_at TIMESTAMPTZ
);
CREATE TABLE office.match_movements (
    match    BIGINT NOT NULL REFERENCES office.matches,
    movement BIGINT NOT NULL REFERENCES office.movements,
    PRIMARY KEY (match, movement)
);
ALTER TABLE office.movements ADD FOREIGN KEY (match) REFERENCES office.matches;

CREATE TABLE office.breaks (
    break       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Cause and movements: the same break is never opened twice.
    identity    TEXT NOT NULL UNIQUE,
    account     BIGINT NOT NULL REFERENCES office.accounts,
    currency    TEXT NOT NULL,
    cause       TEXT NOT NULL CHECK (cause IN ('MISSING_IN_STATEMENT', 'MISSING_IN_LEDGER', 'AMOUNT_DIFFERS',
        'CURRENCY_DIFFERS', 'DUPLICATED', 'WRONG_ACCOUNT', 'VALUE_DATE_DIFFERS', 'REVERSED', 'CHARGES_DEDUCTED',
        'BATCH_SUM_DIFFERS')),
    at_risk     NUMERIC(20,0) NOT NULL CHECK (at_risk > 0),
    value_date  DATE NOT NULL,
    evidence    JSONB NOT NULL,
    opened_at   TIMESTAMPTZ NOT NULL,
    due_at      TIMESTAMPTZ NOT NULL,
    owner       TEXT CHECK (owner <> ''),
    state       TEXT NOT NULL CHECK (state IN ('open', 'proposed', 'approved', 'closed')),
    -- What is proposed until somebody proposes otherwise.
    suggestion  TEXT NOT NULL,
    -- Why it was closed: cause_gone by the office itself, else the word of a person.
    resolution  TEXT CHECK (resolution IN ('cause_gone', 'corrected', 'written_off', 'accepted', 'no_break')),
    closed_at   TIMESTAMPTZ,
    -- Corrections up to this one belong to a life before it was opened again.
    settled_corrections BIGINT NOT NULL DEFAULT 0,
    -- The break whose movements it took over.
    follows     BIGINT REFERENCES office.breaks,
    version     INTEGER NOT NULL DEFAULT 1,
    CHECK ((state = 'closed') = (closed_at IS NOT NULL AND resolution IS NOT NULL)),
    CHECK ((closed_at IS NULL) = (resolution IS NULL))
);
CREATE INDEX breaks_open ON office.breaks (due_at, break) WHERE state <> 'closed';
CREATE INDEX breaks_by_account ON office.breaks (account, break);
CREATE TABLE office.break_movements (
    break    BIGINT NOT NULL REFERENCES office.breaks,
    movement BIGINT NOT NULL REFERENCES office.movements,
    PRIMARY KEY (break, movement)
);
CREATE INDEX break_movements_by_movement ON office.break_movements (movement);

CREATE TABLE office.comments (
    comment BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    break   BIGINT NOT NULL REFERENCES office.breaks,
    at      TIMESTAMPTZ NOT NULL,
    author  TEXT NOT NULL,
    text    TEXT NOT NULL CHECK (length(text) BETWEEN 1 AND 4000)
);
CREATE INDEX comments_by_break ON office.comments (break, comment);

CREATE TABLE office.attachments (
    attachment BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    break      BIGINT NOT NULL REFERENCES office.breaks,
    name       TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    digest     BYTEA NOT NULL CHECK (length(digest) = 32),
    bytes      BYTEA NOT NULL CHECK (length(bytes) BETWEEN 1 AND 10485760),
    at         TIMESTAMPTZ NOT NULL,
    author     TEXT NOT NULL,
    UNIQUE (break, digest)
);

-- What a person proposes. One that moves money carries the item to be signed by whoever may; it is done when the
-- ledger has a record of that very item.
CREATE TABLE office.corrections (
    correction  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    break       BIGINT NOT NULL REFERENCES office.breaks,
    kind        TEXT NOT NULL CHECK (kind IN ('fund', 'withdraw_paid', 'withdraw_failed', 'return', 'ask_servicer',
        'write_off', 'accept')),
    note        TEXT NOT NULL CHECK (length(note) BETWEEN 1 AND 4000),
    draft       JSONB NOT NULL,
    -- The item's exact bytes where the office can make them.
    item        BYTEA,
    proposed_at TIMESTAMPTZ NOT NULL,
    proposed_by TEXT NOT NULL,
    UNIQUE (correction, proposed_by)
);
CREATE INDEX corrections_by_break ON office.corrections (break, correction);

-- Four eyes: only its proposer withdraws a correction, and anybody else approves or refuses it, once.
CREATE TABLE office.decisions (
    correction  BIGINT PRIMARY KEY,
    proposed_by TEXT NOT NULL,
    decision    TEXT NOT NULL CHECK (decision IN ('approved', 'refused', 'withdrawn')),
    decided_at  TIMESTAMPTZ NOT NULL,
    decided_by  TEXT NOT NULL,
    FOREIGN KEY (correction, proposed_by) REFERENCES office.corrections (correction, proposed_by),
    CHECK ((decision = 'withdrawn') = (decided_by = proposed_by))
);

-- The ledger's record of an approved correction's item.
CREATE TABLE office.results (
    correction  BIGINT PRIMARY KEY REFERENCES office.decisions,
    sequence    BIGINT NOT NULL UNIQUE,
    recorded_at TIMESTAMPTZ NOT NULL
);

-- Closed days, each from the record after the one before.
CREATE TABLE office.days (
    currency   TEXT NOT NULL,
    day        DATE NOT NULL,
    after      BIGINT NOT NULL,
    up_to      BIGINT NOT NULL,
    -- Σ balances of the ledger, and the custodian's closing balance: equal, or the day stays open.
    balances   NUMERIC(39,0) NOT NULL,
    statement  BIGINT NOT NULL REFERENCES office.statements,
    -- JSON as it was written: its bytes are covered by the digest.
    report     TEXT NOT NULL,
    digest     BYTEA NOT NULL CHECK (length(digest) = 32),
    closed_at  TIMESTAMPTZ NOT NULL,
    closed_by  TEXT NOT NULL,
    PRIMARY KEY (currency, day),
    UNIQUE (currency, after),
    CHECK (up_to > after)
);
CREATE TABLE office.documents (
    document    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    currency    TEXT NOT NULL,
    day         DATE NOT NULL,
    participant BIGINT,
    name        TEXT NOT NULL,
    bytes       BYTEA NOT NULL,
    digest      BYTEA NOT NULL CHECK (length(digest) = 32),
    UNIQUE (currency, day, name),
    FOREIGN KEY (currency, day) REFERENCES office.days (currency, day)
);

-- No person closes a break alone: another one has approved a correction of it.
CREATE FUNCTION office.four_eyes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.state = 'approved' OR NEW.state = 'closed' AND OLD.state <> 'closed' AND NEW.resolution <> 'cause_gone')
        AND NOT EXISTS (
            SELECT FROM office.corrections c JOIN office.decisions d USING (correction)
            WHERE c.break = NEW.break AND d.decision = 'approved' AND c.correction > NEW.settled_corrections)
    THEN
        RAISE EXCEPTION 'office.breaks: break % has no correction that another person approved', NEW.break;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER breaks_four_eyes BEFORE UPDATE ON office.breaks
    FOR EACH ROW EXECUTE FUNCTION office.four_eyes();
CREATE TRIGGER breaks_next_version BEFORE UPDATE ON office.breaks
    FOR EACH ROW EXECUTE FUNCTION office.next_version();
CREATE TRIGGER breaks_stay BEFORE DELETE ON office.breaks
    FOR EACH ROW EXECUTE FUNCTION office.only_grows();

-- A person who reads history must not meet an edited one; whoever runs the office may not edit it either.
DO $$
DECLARE
    own TEXT;
BEGIN
    BEGIN
        CREATE ROLE causeway_office NOLOGIN;
    EXCEPTION
        WHEN duplicate_object OR unique_violation THEN NULL;
        WHEN insufficient_privilege THEN RAISE NOTICE 'role causeway_office is not made: create it as a superuser';
    END;
    FOREACH own IN ARRAY ARRAY['acts', 'column_maps', 'files', 'refused_files', 'statements', 'entries',
        'match_movements', 'break_movements', 'comments', 'attachments', 'corrections', 'decisions', 'results', 'days',
        'documents']
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
        GRANT USAGE ON SCHEMA office TO causeway_office;
        GRANT SELECT, INSERT, UPDATE ON office.accounts, office.breaks, office.movements, office.matches,
            office.progress, office.books TO causeway_office;
        GRANT SELECT, INSERT, DELETE ON office.reserved TO causeway_office;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA office TO causeway_office;
    END IF;
END
$$;

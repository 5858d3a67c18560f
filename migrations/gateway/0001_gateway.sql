-- The gateway's own schema: its party store (the only home of personal data beside sealed blobs),
-- its outbox of signed bytes, its keys and what it has seen of its event stream. One schema per
-- participant; amounts are minor units. The ledger is the truth: transfer rows follow its records.

CREATE TABLE api_key (
    id uuid PRIMARY KEY,
    secret_sha256 bytea NOT NULL UNIQUE,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);

CREATE TABLE idempotency (
    api_key uuid NOT NULL REFERENCES api_key (id),
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    -- The transfer it created; its answer is rendered anew from the transfer.
    uetr uuid,
    -- The finished answer of any other kind.
    status smallint,
    body jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (api_key, key)
);

CREATE TABLE quote (
    id uuid PRIMARY KEY,
    corridor bigint NOT NULL,
    source_currency text NOT NULL,
    source_amount bigint NOT NULL,
    destination_currency text NOT NULL,
    destination_amount bigint NOT NULL,
    hops jsonb NOT NULL,
    submit_by timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE transfer (
    id bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    debtor_agent bigint NOT NULL,
    uetr uuid NOT NULL,
    creditor_agent bigint NOT NULL,
    outgoing boolean NOT NULL,
    return_of uuid,
    corridor bigint NOT NULL,
    -- QUEUED until the ledger answered, then the ledger's state.
    status text NOT NULL,
    reason text,
    -- Name of the refusal, a page of docs/errors.
    refusal text,
    record bigint,
    instructed_amount bigint,
    instructed_currency text,
    amount bigint NOT NULL,
    currency text NOT NULL,
    reserved_amount bigint NOT NULL DEFAULT 0,
    payout_method text NOT NULL,
    purpose text NOT NULL,
    end_to_end_id text,
    quotes uuid[] NOT NULL DEFAULT '{}',
    deadline timestamptz,
    held_until timestamptz,
    hold_reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    submitted_at timestamptz,
    -- Ledger-final.
    settled_at timestamptz,
    ended_at timestamptz,
    confirmation text,
    confirmed_at timestamptz,
    -- Beneficiary-credited.
    credited_at timestamptz,
    -- The creditor agent's own decision, written with the outbox row that carries it.
    decision text,
    -- Core banking has captured, released or credited.
    booked boolean NOT NULL DEFAULT false,
    tracking_sha256 bytea UNIQUE,
    PRIMARY KEY (debtor_agent, uetr)
);
CREATE INDEX transfer_by_uetr ON transfer (uetr);
CREATE INDEX transfer_unbooked ON transfer (id) WHERE NOT booked;

CREATE TABLE party (
    debtor_agent bigint NOT NULL,
    uetr uuid NOT NULL,
    personal jsonb,
    -- Why the sealed data could not be opened.
    sealed_error text,
    PRIMARY KEY (debtor_agent, uetr)
);

CREATE TABLE screening (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    debtor_agent bigint NOT NULL,
    uetr uuid NOT NULL,
    outcome text NOT NULL,
    detail jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE timeline (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    debtor_agent bigint NOT NULL,
    uetr uuid NOT NULL,
    at timestamptz NOT NULL,
    event text NOT NULL,
    iso_status text NOT NULL,
    reason text,
    record bigint
);
CREATE INDEX timeline_by_transfer ON timeline (debtor_agent, uetr, id);

CREATE TABLE event (
    number bigint PRIMARY KEY,
    sequence bigint NOT NULL,
    at timestamptz NOT NULL,
    data jsonb NOT NULL
);

CREATE TABLE event_cursor (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    number bigint NOT NULL
);
INSERT INTO event_cursor (number) VALUES (0);

CREATE TABLE envelope (
    request uuid PRIMARY KEY,
    bytes bytea NOT NULL,
    valid_until timestamptz NOT NULL,
    done boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX envelope_open ON envelope (created_at) WHERE NOT done;

CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind smallint NOT NULL,
    debtor_agent bigint NOT NULL,
    uetr uuid NOT NULL,
    -- What the caller asked, so that asking the same again sends the same bytes.
    fingerprint bytea NOT NULL,
    item bytea NOT NULL,
    blob bytea,
    request uuid REFERENCES envelope (request),
    place smallint,
    done boolean NOT NULL DEFAULT false,
    refusal text,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (kind, debtor_agent, uetr, fingerprint)
);
CREATE INDEX outbox_open ON outbox (id) WHERE NOT done;
CREATE INDEX outbox_by_request ON outbox (request, place);

CREATE TABLE book_account (
    account text PRIMARY KEY,
    currency text NOT NULL,
    status text NOT NULL DEFAULT 'open',
    balance bigint NOT NULL,
    reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0)
);

CREATE TABLE book_entry (
    -- One movement of each kind per transfer, so that repeating it changes nothing.
    debtor_agent bigint NOT NULL,
    uetr uuid NOT NULL,
    kind text NOT NULL,
    account text NOT NULL REFERENCES book_account (account),
    amount bigint NOT NULL,
    state text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (debtor_agent, uetr, kind)
);

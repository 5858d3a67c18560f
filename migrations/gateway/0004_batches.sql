-- Batches: each row as it came, its own UETR and its own outcome. A row is claimed before its
-- transfer is made, so that a process that takes over knows which may have been made already.

CREATE TABLE batch (
    id uuid PRIMARY KEY,
    -- For lists.
    number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    api_key uuid NOT NULL REFERENCES api_key (id),
    idempotency_key text NOT NULL,
    -- csv, json_lines or pain.001.
    form text NOT NULL,
    -- best_effort or all_or_nothing.
    mode text NOT NULL,
    -- receiving, processing, sent, refused, cancelled.
    state text NOT NULL DEFAULT 'receiving',
    -- Why it was refused.
    code text,
    reason text,
    detail text,
    -- What a pain.001 says of itself, for its pain.002.
    original jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    received_at timestamptz,
    started_at timestamptz,
    ended_at timestamptz,
    UNIQUE (api_key, idempotency_key)
);
CREATE INDEX batch_open ON batch (number) WHERE state = 'processing';

CREATE TABLE batch_row (
    batch uuid NOT NULL REFERENCES batch (id),
    -- From 1.
    number integer NOT NULL CHECK (number > 0),
    -- SHA-256 of the row as it came: the same file sent again is known by it.
    digest bytea NOT NULL,
    uetr uuid NOT NULL,
    -- The order as JSON; gone when the row came to an end: personal data has one home.
    body bytea,
    reference text,
    instruction_id text,
    payment_id text,
    -- waiting, sending (claimed), sent (the transfer says the rest), rejected, cancelled.
    status text NOT NULL,
    code text,
    reason text,
    field text,
    detail text,
    PRIMARY KEY (batch, number)
);
CREATE INDEX batch_row_waiting ON batch_row (batch, number) WHERE status = 'waiting';
CREATE INDEX batch_row_sending ON batch_row (batch, number) WHERE status = 'sending';

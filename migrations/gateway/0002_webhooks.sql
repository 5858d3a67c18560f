-- Webhooks: the endpoints, their sealed secrets, and one row per event and endpoint. An endpoint's
-- cursor moves in the SQL transaction that plans what lies between, so that no event is skipped.

CREATE TABLE webhook (
    id uuid PRIMARY KEY,
    url text NOT NULL,
    -- Types wanted; none listed: all.
    events text[] NOT NULL,
    -- enabled, or disabled by an answer of 410.
    state text NOT NULL DEFAULT 'enabled',
    -- Events up to this number are planned, or were not asked for.
    cursor bigint NOT NULL CHECK (cursor >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    last_success_at timestamptz,
    last_failure_at timestamptz,
    consecutive_failures integer NOT NULL DEFAULT 0
);

CREATE TABLE webhook_secret (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook uuid NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
    -- v1 (HMAC-SHA256) or v1a (ed25519).
    kind text NOT NULL,
    nonce bytea NOT NULL,
    -- ChaCha20-Poly1305 under a key of the gateway's sealing key.
    sealed bytea NOT NULL,
    -- None for the newest; a former one signs until then.
    expires_at timestamptz
);
CREATE INDEX webhook_secret_by_webhook ON webhook_secret (webhook, id);

CREATE TABLE webhook_delivery (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook uuid NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
    number bigint NOT NULL REFERENCES event (number),
    type text NOT NULL,
    -- The transfer, or the event itself: within a lane the order is kept.
    lane text NOT NULL,
    -- waiting, parked or delivered.
    status text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL DEFAULT now(),
    attempted_at timestamptz,
    -- Of the last attempt.
    http_status smallint,
    failure text
);
CREATE INDEX webhook_delivery_open ON webhook_delivery (webhook, lane, number)
    WHERE status <> 'delivered';
CREATE INDEX webhook_delivery_log ON webhook_delivery (webhook, id);

-- Security: who holds a key and its rotating secrets, transfers that wait for a second pair of eyes,
-- what is told of them by webhook, and the audit log, whose rows are chained and never change.

-- A key keeps its id when its secret is rotated, and with it the Idempotency-Keys used under it.
ALTER TABLE api_key
    ADD COLUMN owner text NOT NULL DEFAULT 'unnamed',
    ADD COLUMN expires_at timestamptz,
    -- To the minute.
    ADD COLUMN last_used_at timestamptz;

CREATE TABLE api_key_secret (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    api_key uuid NOT NULL REFERENCES api_key (id),
    secret_sha256 bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- None for the newest; a former one opens until then.
    expires_at timestamptz
);
CREATE INDEX api_key_secret_by_key ON api_key_secret (api_key, id);
INSERT INTO api_key_secret (api_key, secret_sha256, created_at)
    SELECT id, secret_sha256, created_at FROM api_key;
ALTER TABLE api_key DROP COLUMN secret_sha256;

-- Who held the key that sent a batch, when it was sent.
ALTER TABLE batch ADD COLUMN owner text NOT NULL DEFAULT 'unnamed';
ALTER TABLE batch ALTER COLUMN owner DROP DEFAULT;

-- Its transfer stands in `transfer` as AWAITING_APPROVAL, its personal data in `party`.
CREATE TABLE approval (
    id uuid PRIMARY KEY,
    place bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    debtor_agent bigint NOT NULL,
    uetr uuid NOT NULL,
    maker_key uuid,
    maker_owner text NOT NULL,
    -- What the order fixed, minor units: it is priced anew by these when it is approved.
    instructed_amount bigint,
    instructed_currency text,
    settlement_amount bigint,
    settlement_currency text,
    -- What the debtor would have been debited when it was parked, fees included.
    debit_amount bigint NOT NULL,
    debit_currency text NOT NULL,
    -- open, then one of approved, rejected, expired, refused.
    state text NOT NULL DEFAULT 'open',
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    decided_at timestamptz,
    decided_key uuid,
    decided_owner text,
    -- ISO reason of an end without approval, and the page of docs/errors.
    reason text,
    refusal text,
    UNIQUE (debtor_agent, uetr),
    FOREIGN KEY (debtor_agent, uetr) REFERENCES transfer (debtor_agent, uetr)
);
CREATE INDEX approval_open ON approval (expires_at) WHERE state = 'open';

-- What this gateway tells of itself, beside the ledger's own numbered events.
CREATE TABLE local_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    type text NOT NULL,
    data jsonb NOT NULL
);
ALTER TABLE webhook_delivery
    ALTER COLUMN number DROP NOT NULL,
    ADD COLUMN local bigint REFERENCES local_event (id),
    ADD CONSTRAINT webhook_delivery_tells_one CHECK ((number IS NULL) <> (local IS NULL));

CREATE TABLE audit (
    -- Without gaps from 1.
    number bigint PRIMARY KEY CHECK (number > 0),
    at timestamptz NOT NULL,
    -- The owner of the key, or the part of this program that acted.
    actor text NOT NULL,
    api_key uuid,
    act text NOT NULL,
    subject text NOT NULL,
    -- JSON as it was written: its bytes are covered by the digest.
    detail text NOT NULL,
    -- SHA-256 over this row and the digest of the one before.
    digest bytea NOT NULL
);

CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log only grows';
END
$$;
CREATE TRIGGER audit_only_grows BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_only_grows();
CREATE TRIGGER audit_is_never_emptied BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows();

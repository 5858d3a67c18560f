-- Payee checks: whose accounts the built-in book keeps and what leads to them, references that stand for
-- an account for a while, and how much each asker was told. Then public keys that requests of an API
-- key must be signed with (RFC 9421), and the nonces that were used.

ALTER TABLE book_account ADD COLUMN name text;

CREATE TABLE book_alias (
    -- A phone number without separators, or an e-mail address in lower case.
    alias text PRIMARY KEY,
    account text NOT NULL REFERENCES book_account (account)
);
CREATE INDEX book_alias_by_account ON book_alias (account);

CREATE TABLE payee_reference (
    reference_sha256 bytea PRIMARY KEY,
    -- The account, under a key that the gateway's sealing key and the reference give together.
    sealed bytea NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX payee_reference_by_expiry ON payee_reference (expires_at);

CREATE TABLE payee_day (
    -- `key ID` of an own API key, or `participant ID` of another gateway.
    asker text NOT NULL,
    -- UTC.
    day date NOT NULL,
    -- Answers that told something.
    answers bigint NOT NULL,
    -- Whether the audit log has it that the day's limit was met.
    limited boolean NOT NULL DEFAULT false,
    PRIMARY KEY (asker, day)
);

-- 32 bytes of an ed25519 public key; while there is one, requests without its signature are refused.
ALTER TABLE api_key ADD COLUMN signature_key bytea;

CREATE TABLE signature_nonce (
    api_key uuid NOT NULL REFERENCES api_key (id),
    nonce_sha256 bytea NOT NULL,
    -- When no signature that carries it would be taken any more.
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (api_key, nonce_sha256)
);
CREATE INDEX signature_nonce_by_expiry ON signature_nonce (expires_at);

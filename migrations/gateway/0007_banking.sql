-- What core banking was asked over HTTP: each operation is kept before it is sent, so that one whose
-- answer is lost is asked after. Amounts stand in the bodies, in minor units.

CREATE TABLE bank_operation (
    debtor_agent bigint NOT NULL,
    uetr uuid NOT NULL,
    -- reserve, capture, release or credit.
    operation text NOT NULL,
    -- A transfer whose reservation was refused or released may reserve again, under another key.
    round smallint NOT NULL,
    -- The exact bytes, which name an account; forgotten when the answer is known.
    body bytea,
    -- open, done or refused.
    state text NOT NULL DEFAULT 'open',
    -- ISO reason of a refusal.
    reason text,
    -- Of a reservation: captured or released.
    ended boolean NOT NULL DEFAULT false,
    attempts integer NOT NULL DEFAULT 0,
    -- When the sweep asks after it.
    next_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    answered_at timestamptz,
    PRIMARY KEY (debtor_agent, uetr, operation, round),
    CHECK ((state = 'open') = (body IS NOT NULL))
);
CREATE INDEX bank_operation_open ON bank_operation (next_at) WHERE state = 'open';
CREATE INDEX bank_operation_reserved ON bank_operation (created_at)
    WHERE operation = 'reserve' AND state = 'done' AND NOT ended;

-- Cash that waits at the creditor agent's till: how often a wrong code was shown, and who paid out.
CREATE TABLE pickup (
    debtor_agent bigint NOT NULL,
    uetr uuid NOT NULL,
    wrong integer NOT NULL DEFAULT 0,
    locked_until timestamptz,
    paid_at timestamptz,
    -- The API key and the Idempotency-Key of the till's request, which alone may be answered again.
    paid_by uuid REFERENCES api_key (id),
    paid_key text,
    PRIMARY KEY (debtor_agent, uetr)
);

-- Who was shown a pickup's code at the debtor agent. The code itself is kept nowhere.
CREATE TABLE pickup_code_shown (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    debtor_agent bigint NOT NULL,
    uetr uuid NOT NULL,
    api_key uuid NOT NULL REFERENCES api_key (id),
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX pickup_code_shown_by_transfer ON pickup_code_shown (debtor_agent, uetr);

-- Recalls of transfers that this gateway is an agent of, and their answers, as the ledger's records
-- tell them. Amounts are minor units of the transfer's settlement currency.

CREATE TABLE recall (
    debtor_agent bigint NOT NULL,
    recall_case uuid NOT NULL,
    uetr uuid NOT NULL,
    creditor_agent bigint NOT NULL,
    -- Whether this gateway asked.
    outgoing boolean NOT NULL,
    -- ISO cancellation reason.
    reason text NOT NULL,
    amount bigint NOT NULL,
    currency text NOT NULL,
    recalled_at timestamptz NOT NULL,
    -- By when an answer is due; a pending one moves it.
    answer_by timestamptz NOT NULL,
    -- The record of the recall; none until it is heard.
    record bigint,
    -- open, pending, accepted, rejected.
    status text NOT NULL DEFAULT 'open',
    answer_reason text,
    answered_at timestamptz,
    answer_record bigint,
    -- The return by which an accept brings the money back.
    return_uetr uuid,
    PRIMARY KEY (debtor_agent, recall_case)
);
CREATE INDEX recall_by_transfer ON recall (debtor_agent, uetr);
CREATE INDEX recall_open ON recall (answer_by) WHERE status IN ('open', 'pending');

-- Recalls and what was last answered to each: rebuilt from record 0 like every table here.

CREATE TABLE ledger.recalls (
    debtor_agent     BIGINT NOT NULL,
    recall_case      BYTEA NOT NULL CHECK (length(recall_case) = 16),
    uetr             BYTEA NOT NULL CHECK (length(uetr) = 16),
    creditor_agent   BIGINT NOT NULL,
    reason           TEXT NOT NULL,
    amount           NUMERIC(20,0) NOT NULL,
    currency         TEXT NOT NULL,
    sequence         BIGINT NOT NULL,
    recalled_micros  BIGINT NOT NULL,
    -- By when an answer is due; a pending one moves it.
    answer_by_micros NUMERIC(20,0) NOT NULL,
    -- 0 none yet, 1 accepted, 2 rejected, 3 pending; the columns below are 0 or empty before.
    answer           SMALLINT NOT NULL DEFAULT 0 CHECK (answer BETWEEN 0 AND 3),
    answer_reason    TEXT NOT NULL DEFAULT '',
    answer_sequence  BIGINT NOT NULL DEFAULT 0,
    answered_micros  BIGINT NOT NULL DEFAULT 0,
    return_uetr      BYTEA NOT NULL DEFAULT ''::bytea,
    PRIMARY KEY (debtor_agent, recall_case)
);
CREATE INDEX recalls_by_transfer ON ledger.recalls (debtor_agent, uetr);
CREATE INDEX recalls_by_due ON ledger.recalls (answer_by_micros) WHERE answer IN (0, 3);

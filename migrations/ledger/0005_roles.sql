-- Who may do what in schema ledger, and the views of schema report for those who only read. Roles are groups without
-- a login: grant them to login roles. A role that cannot be made is said and skipped; docs/database.md has what to do.

-- Which participant a login role belongs to. A role of causeway_participant without a row here sees nothing.
CREATE TABLE ledger.database_users (
    role_name   NAME PRIMARY KEY,
    participant BIGINT NOT NULL CHECK (participant BETWEEN 1 AND 4294967295)
);

-- The participant of whoever is logged in. SET ROLE does not change the session's user, and only a superuser may.
CREATE FUNCTION ledger.database_participant() RETURNS BIGINT
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'SELECT participant FROM ledger.database_users WHERE role_name = session_user';

CREATE SCHEMA IF NOT EXISTS report;

CREATE OR REPLACE VIEW report.transfers WITH (security_invoker = true) AS
SELECT encode(t.uetr, 'hex')::uuid AS uetr, t.debtor_agent, d.name AS debtor_agent_name, t.creditor_agent,
    c.name AS creditor_agent_name, t.corridor,
    (ARRAY['pending', 'settled', 'credited', 'rejected', 'expired', 'cancelled', 'burned'])[t.state] AS state,
    t.reason, t.rejection, round(t.amount / 10::numeric ^ coalesce(y.exponent, 0), coalesce(y.exponent, 0)) AS amount,
    t.currency, round(t.returned / 10::numeric ^ coalesce(y.exponent, 0), coalesce(y.exponent, 0)) AS returned,
    'epoch'::timestamptz + t.submitted_micros * interval '1 microsecond' AS submitted_at,
    CASE WHEN t.decided_sequence > 0
        THEN 'epoch'::timestamptz + t.decided_micros * interval '1 microsecond' END AS decided_at,
    CASE WHEN t.confirmed_sequence > 0
        THEN 'epoch'::timestamptz + t.confirmed_micros * interval '1 microsecond' END AS confirmed_at,
    nullif(t.confirmation, '') AS confirmation,
    CASE WHEN t.decided_sequence > 0 THEN t.decided_micros - t.submitted_micros END AS decision_micros,
    t.submit_sequence, nullif(t.decided_sequence, 0) AS decided_sequence
FROM ledger.transfers t
    LEFT JOIN ledger.participants d ON d.participant = t.debtor_agent
    LEFT JOIN ledger.participants c ON c.participant = t.creditor_agent
    LEFT JOIN ledger.currencies y ON y.currency = t.currency;

CREATE OR REPLACE VIEW report.corridor_days WITH (security_invoker = true) AS
SELECT (submitted_at AT TIME ZONE 'UTC')::date AS day, corridor, currency, count(*) AS submitted,
    count(*) FILTER (WHERE state IN ('settled', 'credited')) AS settled,
    count(*) FILTER (WHERE state = 'credited') AS credited,
    count(*) FILTER (WHERE state = 'rejected') AS rejected,
    count(*) FILTER (WHERE state IN ('expired', 'cancelled', 'burned')) AS ended,
    count(*) FILTER (WHERE state = 'pending') AS pending,
    sum(amount) FILTER (WHERE state IN ('settled', 'credited')) AS settled_amount,
    sum(returned) AS returned_amount,
    (avg(decision_micros) FILTER (WHERE state IN ('settled', 'credited')))::bigint AS settled_micros_mean,
    max(decision_micros) FILTER (WHERE state IN ('settled', 'credited')) AS settled_micros_max
FROM report.transfers GROUP BY 1, 2, 3;

CREATE OR REPLACE VIEW report.balances WITH (security_invoker = true) AS
SELECT b.account, a.owner, p.name AS owner_name, a.currency, a.custody,
    round((b.credits_posted - b.debits_posted) / 10::numeric ^ y.exponent, y.exponent) AS posted,
    round(b.debits_pending / 10::numeric ^ y.exponent, y.exponent) AS pending_debits,
    round(b.credits_pending / 10::numeric ^ y.exponent, y.exponent) AS pending_credits,
    round((b.credits_posted - b.debits_posted - b.debits_pending + a.net_debit_cap) / 10::numeric ^ y.exponent,
        y.exponent) AS available,
    round(a.net_debit_cap / 10::numeric ^ y.exponent, y.exponent) AS net_debit_cap
FROM ledger.balances b JOIN ledger.accounts a USING (account) JOIN ledger.currencies y USING (currency)
    LEFT JOIN ledger.participants p ON p.participant = a.owner;

CREATE OR REPLACE VIEW report.fees WITH (security_invoker = true) AS
SELECT (('epoch'::timestamptz + t.decided_micros * interval '1 microsecond') AT TIME ZONE 'UTC')::date AS day,
    t.corridor, CASE f.kind WHEN 2 THEN 'fee' ELSE 'payout fee' END AS kind, f.currency, t.debtor_agent,
    t.creditor_agent, f.credit_account, count(*) AS postings,
    round(sum(f.amount) / 10::numeric ^ y.exponent, y.exponent) AS amount
FROM ledger.postings f
    JOIN ledger.transfers t ON t.submit_sequence = f.sequence
    JOIN ledger.currencies y ON y.currency = f.currency
WHERE f.kind IN (2, 3) AND f.state = 'posted'
GROUP BY 1, 2, 3, 4, 5, 6, 7, y.exponent;

-- The owner, who migrates and writes, is not bound by policies; everybody else is.
ALTER TABLE ledger.transfers ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger.postings ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger.balances ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger.accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger.recalls ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger.records ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger.entries ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger.database_users ENABLE ROW LEVEL SECURITY;
REVOKE ALL ON FUNCTION ledger.database_participant() FROM PUBLIC;

DO $$
DECLARE
    own TEXT;
    whole TEXT[] := ARRAY['transfers', 'postings', 'balances', 'accounts', 'recalls', 'records', 'entries'];
BEGIN
    FOREACH own IN ARRAY ARRAY['causeway_ledger_writer', 'causeway_reader', 'causeway_participant',
        'causeway_office']
    LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', own);
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL;
            WHEN insufficient_privilege THEN RAISE NOTICE 'role % is not made: create it as a superuser', own;
        END;
    END LOOP;

    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'causeway_ledger_writer') THEN
        -- No policy: COPY writes through none. Its login role has BYPASSRLS, and may do no more by it.
        GRANT USAGE ON SCHEMA ledger TO causeway_ledger_writer;
        GRANT SELECT, INSERT ON ledger.records, ledger.entries, ledger.currencies, ledger.participants,
            ledger.accounts, ledger.balances, ledger.transfers, ledger.postings, ledger.recalls
            TO causeway_ledger_writer;
        GRANT SELECT ON ledger.cursor, ledger._migrations TO causeway_ledger_writer;
        GRANT UPDATE ON ledger.cursor TO causeway_ledger_writer;
        GRANT UPDATE (country, bic, lei, clearing_member, name, suspended) ON ledger.participants
            TO causeway_ledger_writer;
        GRANT UPDATE (net_debit_cap) ON ledger.accounts TO causeway_ledger_writer;
        GRANT UPDATE (debits_pending, debits_posted, credits_pending, credits_posted) ON ledger.balances
            TO causeway_ledger_writer;
        GRANT UPDATE (state, reason, returned, held_until_micros, decided_sequence, decided_micros,
            confirmed_sequence, confirmed_micros, confirmation) ON ledger.transfers TO causeway_ledger_writer;
        GRANT UPDATE (state, decided_sequence) ON ledger.postings TO causeway_ledger_writer;
        GRANT UPDATE (answer, answer_reason, answer_sequence, answered_micros, return_uetr, answer_by_micros)
            ON ledger.recalls TO causeway_ledger_writer;
    END IF;

    -- Raw records are not for reading tools: they hold every party's part.
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'causeway_reader') THEN
        GRANT USAGE ON SCHEMA ledger, report TO causeway_reader;
        GRANT SELECT ON ledger.entries, ledger.currencies, ledger.participants, ledger.accounts, ledger.balances,
            ledger.transfers, ledger.postings, ledger.recalls, ledger.cursor TO causeway_reader;
        GRANT SELECT ON ALL TABLES IN SCHEMA report TO causeway_reader;
        FOREACH own IN ARRAY whole LOOP
            EXECUTE format('CREATE POLICY read ON ledger.%I FOR SELECT TO causeway_reader USING (TRUE)', own);
        END LOOP;
    END IF;

    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'causeway_office') THEN
        GRANT USAGE ON SCHEMA ledger TO causeway_office;
        GRANT SELECT ON ledger.records, ledger.entries, ledger.currencies, ledger.participants, ledger.accounts,
            ledger.balances, ledger.transfers, ledger.postings, ledger.recalls, ledger.cursor TO causeway_office;
        FOREACH own IN ARRAY whole LOOP
            EXECUTE format('CREATE POLICY office ON ledger.%I FOR SELECT TO causeway_office USING (TRUE)', own);
        END LOOP;
    END IF;

    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'causeway_participant') THEN
        GRANT USAGE ON SCHEMA ledger, report TO causeway_participant;
        GRANT SELECT ON ledger.currencies, ledger.participants, ledger.accounts, ledger.balances, ledger.transfers,
            ledger.postings, ledger.recalls TO causeway_participant;
        GRANT SELECT ON report.transfers, report.corridor_days, report.balances, report.fees
            TO causeway_participant;
        GRANT EXECUTE ON FUNCTION ledger.database_participant() TO causeway_participant;
        CREATE POLICY party ON ledger.transfers FOR SELECT TO causeway_participant
            USING (debtor_agent = (SELECT ledger.database_participant())
                OR creditor_agent = (SELECT ledger.database_participant()));
        CREATE POLICY party ON ledger.recalls FOR SELECT TO causeway_participant
            USING (debtor_agent = (SELECT ledger.database_participant())
                OR creditor_agent = (SELECT ledger.database_participant()));
        CREATE POLICY party ON ledger.accounts FOR SELECT TO causeway_participant
            USING (owner = (SELECT ledger.database_participant()));
        -- Accounts are seen through their own policy: what is not there is another's.
        CREATE POLICY party ON ledger.balances FOR SELECT TO causeway_participant
            USING (account IN (SELECT account FROM ledger.accounts));
        CREATE POLICY party ON ledger.postings FOR SELECT TO causeway_participant
            USING (debit_account IN (SELECT account FROM ledger.accounts)
                OR credit_account IN (SELECT account FROM ledger.accounts));
    END IF;
END
$$;

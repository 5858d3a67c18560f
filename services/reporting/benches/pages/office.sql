-- A back office's 200 days beside the ledger's: accounts, statements, what was compared, breaks with what people did about
-- them, history, closed days with their documents. The last day is not closed yet.

-- Figures of the last closed day, for its report is what the next day opens with.
CREATE TABLE bench.closing AS
WITH day AS (
    SELECT 2000 + ((199 * entries + 199) / 200 - 1) * 301 + 300 AS up_to, entries
    FROM (SELECT (current_setting('bench.transfers')::bigint + 99) / 100 AS entries) all_of),
side AS (
    SELECT debit_account AS account, sum(amount) FILTER (WHERE state = 'posted') AS debits, 0::numeric AS credits,
        sum(amount) FILTER (WHERE state = 'pending') AS reserved
    FROM ledger.postings, day WHERE sequence <= up_to GROUP BY 1
    UNION ALL SELECT credit_account, 0, sum(amount) FILTER (WHERE state = 'posted'), 0
    FROM ledger.postings, day WHERE sequence <= up_to GROUP BY 1)
SELECT a.account, a.owner, a.currency, a.custody, coalesce(sum(s.credits), 0) - coalesce(sum(s.debits), 0) AS closing,
    coalesce(sum(s.reserved), 0) AS reserved
FROM ledger.accounts a LEFT JOIN side s USING (account) GROUP BY a.account;

CREATE TABLE bench.pending AS
SELECT postings.currency, count(DISTINCT sequence) AS transfers
FROM ledger.postings JOIN ledger.transfers ON submit_sequence = sequence
WHERE transfers.state = 1 AND submit_sequence <= 2000 + ((199 * ((current_setting('bench.transfers')::bigint + 99) / 100) + 199) / 200 - 1) * 301 + 300
GROUP BY postings.currency;

INSERT INTO office.accounts (account, identification, currency, leg, participant, ledger_account, compared, value_date_days,
    search_days, charges_max) OVERRIDING SYSTEM VALUE
SELECT row_number() OVER (ORDER BY account), CASE WHEN custody THEN 'CUSTODY-' ELSE 'MEMBER-' || owner || '-' END || currency,
    currency, CASE WHEN custody THEN 'custodian' ELSE 'participant' END, owner, account, 'statement', 0, 2, 0
FROM ledger.accounts;

-- A statement a day of each of the 176 accounts: numbers of files and statements are day * 176 + account.
CREATE TABLE bench.days AS
SELECT d, to_timestamp(current_setting('bench.end')::bigint / 1000000) - (199 - d) * interval '1 day' AS ends,
    (to_timestamp(current_setting('bench.end')::bigint / 1000000) AT TIME ZONE 'UTC')::date - (199 - d) AS day
FROM generate_series(0, 199) d;
INSERT INTO office.files (file, name, digest, bytes, format, verdict, findings, findings_count, imported_at, imported_by)
    OVERRIDING SYSTEM VALUE
SELECT d * 176 + account, identification || '-' || day || '.xml', sha256(int8send(d * 176 + account)),
    convert_to(repeat(md5(account || ' ' || d), 64), 'UTF8'), 'camt.053.001.08',
    CASE WHEN account % 7 = 0 THEN 'findings' ELSE 'ok' END,
    CASE WHEN account % 7 = 0 THEN '[{"code": "CHAIN_BROKEN", "severity": "warn", "at": "Stmt[1]",
        "text": "the opening balance is not the closing balance of the statement before"}]' ELSE '[]' END::jsonb,
    (account % 7 = 0)::int, ends, 'service'
FROM bench.days, office.accounts;
INSERT INTO office.statements (statement, file, place, account, kind, id, sequence, page, last_page, from_day, to_day,
    opening, closing, arithmetic, entries, identity, content) OVERRIDING SYSTEM VALUE
SELECT d * 176 + account, d * 176 + account, 1, account, 'statement', 'STMT-' || d, d, NULL, NULL, day, day,
    CASE leg WHEN 'custodian' THEN 43000000000000000 ELSE 1000000000000000 END,
    CASE leg WHEN 'custodian' THEN 43000000000000000 ELSE 1000000000000000 END, 'holds', 20, account || ' ' || d, NULL
FROM bench.days, office.accounts;

-- What was compared: of every tenth transfer at most a leg and its entry; the first 100,000 are those of breaks.
CREATE TABLE bench.told AS
SELECT n, n * (current_setting('bench.transfers')::bigint / told) AS number, told,
    5 + bench.random(n, 20, 172) AS account, bench.random(n, 21, 200) AS d
FROM (SELECT least(600000, current_setting('bench.transfers')::bigint / 10) AS told) of_all, generate_series(0, told - 1) n;
INSERT INTO office.entries (entry, statement, number, detail, amount, amount_text, currency, credit_debit, reversal, status,
    booking_date, value_date, uetr, end_to_end_id, servicer_reference, party) OVERRIDING SYSTEM VALUE
SELECT n + 1, d * 176 + account, n, 0, 10000 + n, (10000 + n)::text, a.currency, 'CRDT', FALSE, 'BOOK', day, day,
    encode(substr(sha256(int8send(number)), 1, 16), 'hex')::uuid, 'E2E-' || n, 'SVC-' || n, 'BENCHMEMBER' || n % 40
FROM bench.told JOIN bench.days USING (d) JOIN office.accounts a USING (account);
INSERT INTO office.matches (match, account, score, evidence, made_at) OVERRIDING SYSTEM VALUE
SELECT n + 1, account, 95, '[{"reason": "uetr", "points": 50}, {"reason": "amount", "points": 20}]', ends
FROM bench.told JOIN bench.days USING (d) WHERE n >= told / 6;
INSERT INTO office.movements (movement, account, book, sequence, leg, decided_sequence, entry, amount, currency,
    credit_debit, value_date, uetr, end_to_end_id, servicer_reference, party, reversal, state, match)
    OVERRIDING SYSTEM VALUE
SELECT n * 2 + book, account, CASE book WHEN 1 THEN 'ledger' ELSE 'statement' END,
    CASE book WHEN 1 THEN bench.submit(number) END, CASE book WHEN 1 THEN 0 END,
    CASE book WHEN 1 THEN bench.submit(number) + 100 END, CASE book WHEN 2 THEN n + 1 END, 10000 + n, a.currency, 'CRDT',
    day, encode(substr(sha256(int8send(number)), 1, 16), 'hex')::uuid, CASE book WHEN 2 THEN 'E2E-' || n END,
    CASE book WHEN 2 THEN 'SVC-' || n END, 'BENCHMEMBER' || n % 40, FALSE,
    CASE WHEN n >= told / 6 THEN 'matched' WHEN n % 10 < 3 THEN 'broken' ELSE 'closed' END,
    CASE WHEN n >= told / 6 THEN n + 1 END
FROM bench.told JOIN bench.days USING (d) JOIN office.accounts a USING (account), generate_series(1, 2) book;

-- Three of ten breaks lie open, from the last 40 days.
INSERT INTO office.breaks (break, identity, account, currency, cause, at_risk, value_date, evidence, opened_at, due_at,
    owner, state, suggestion, resolution, closed_at) OVERRIDING SYSTEM VALUE
SELECT n + 1, 'bench ' || n, account, a.currency, (ARRAY['MISSING_IN_STATEMENT', 'MISSING_IN_LEDGER', 'AMOUNT_DIFFERS',
        'CURRENCY_DIFFERS', 'DUPLICATED', 'WRONG_ACCOUNT', 'VALUE_DATE_DIFFERS', 'REVERSED', 'CHARGES_DEDUCTED',
        'BATCH_SUM_DIFFERS'])[1 + n / 10 % 10], 10000 + n, opened::date,
    '[{"reason": "uetr", "points": 50}, {"reason": "party", "points": 15}]', opened, opened + interval '48 hours',
    CASE WHEN n % 5 > 1 THEN 'clerk ' || n % 30 END,
    CASE WHEN n % 10 > 2 THEN 'closed' WHEN n % 10 = 2 THEN (ARRAY['proposed', 'approved'])[1 + n / 10 % 2] ELSE 'open' END,
    'ask_servicer', CASE WHEN n % 10 > 2 THEN (ARRAY['cause_gone', 'accepted'])[1 + n % 2] END,
    CASE WHEN n % 10 > 2 THEN opened + interval '30 hours' END
FROM (SELECT *, to_timestamp(current_setting('bench.end')::bigint / 1000000)
        - bench.random(n, 22, CASE WHEN n % 10 > 2 THEN 17000000 ELSE 3400000 END) * interval '1 second' AS opened
    FROM bench.told WHERE n < told / 6) own JOIN office.accounts a USING (account);
INSERT INTO office.break_movements SELECT n + 1, n * 2 + book FROM bench.told, generate_series(1, 2) book WHERE n < told / 6;
INSERT INTO office.comments (break, at, author, text)
SELECT break, opened_at + interval '1 hour', 'clerk ' || break % 30, 'The servicer was asked; it answers by tomorrow.'
FROM office.breaks, generate_series(1, 3) WHERE break % 4 = 0;
INSERT INTO office.attachments (break, name, digest, bytes, at, author)
SELECT break, 'advice.pdf', sha256(int8send(break)), convert_to(repeat(md5(break::text), 3000), 'UTF8'), opened_at, 'clerk 1'
FROM office.breaks WHERE break % 1000 = 3;
INSERT INTO office.corrections (correction, break, kind, note, draft, proposed_at, proposed_by) OVERRIDING SYSTEM VALUE
SELECT break, break, 'ask_servicer', 'the servicer corrects its book', '{}', opened_at + interval '2 hours', 'clerk 1'
FROM office.breaks WHERE state <> 'open';
INSERT INTO office.decisions
SELECT break, 'clerk 1', 'approved', opened_at + interval '3 hours', 'clerk 2' FROM office.breaks
WHERE state IN ('approved', 'closed');

INSERT INTO office.acts (at, actor, role, verb, subject, subject_id, detail)
SELECT opened_at, 'service', 'service', 'open', 'break', break::text, jsonb_build_object('cause', cause)
FROM office.breaks ORDER BY break;
INSERT INTO office.acts (at, actor, role, verb, subject, subject_id, detail, participant)
SELECT to_timestamp(current_setting('bench.end')::bigint / 1000000) - (acts - n) * interval '17 seconds',
    'clerk ' || n % 200, 'back_office', (ARRAY['sign_in', 'assign', 'comment', 'download', 'sign_out'])[1 + n % 5],
    (ARRAY['session', 'break', 'break', 'file', 'session'])[1 + n % 5], (n % 100000 + 1)::text,
    jsonb_build_object('number', n), CASE WHEN n % 200 < 160 THEN 101 + n % 40 END
FROM (SELECT least(1000000, current_setting('bench.transfers')::bigint / 10) AS acts) of_all, generate_series(1, acts) n;

CREATE TABLE bench.reports AS
SELECT c.currency, jsonb_build_object('currency', c.currency,
    'balances', (SELECT jsonb_agg(jsonb_build_object('account', b.account::text, 'participant', b.owner, 'custody', b.custody,
        'opening', round(b.closing / 100, 2)::text, 'credits', '0.00', 'debits', '0.00',
        'closing', round(b.closing / 100, 2)::text, 'reserved', round(b.reserved / 100, 2)::text) ORDER BY b.account)
        FROM bench.closing b WHERE b.currency = c.currency),
    'sum_of_balances', '430000000000000.00',
    'fees', (SELECT jsonb_agg(jsonb_build_object('payer', p, 'payee', 50, 'kind', 'fee', 'count', 250, 'amount', '375.00'))
        FROM generate_series(101, 142) p),
    'net', (SELECT jsonb_agg(jsonb_build_object('first', 50, 'second', p, 'first_to_second', '1000.00',
        'second_to_first', '900.00', 'net_to_second', '100.00')) FROM generate_series(101, 142) p),
    'revenue', (SELECT jsonb_agg(jsonb_build_object('participant', p, 'fees_brought', '375.00', 'share_bps', 0,
        'share', '0.00', 'kept_by_operator', '375.00', 'payout_fees', '1250.00')) FROM generate_series(101, 142) p),
    'pending_transfers', coalesce(n.transfers, 0), 'rebalancing', '[]'::jsonb) AS report
FROM ledger.currencies c LEFT JOIN bench.pending n USING (currency);
INSERT INTO office.days (currency, day, after, up_to, balances, statement, report, digest, closed_at, closed_by)
SELECT currency, day, lag(up_to, 1, -1) OVER (PARTITION BY currency ORDER BY d), up_to, 43000000000000000,
    d * 176 + custody_account::bigint, report::text, sha256(convert_to(report::text, 'UTF8')), ends, 'operator'
FROM (SELECT d, day, ends, c.currency, c.custody_account,
        2000 + (((d + 1) * entries + 199) / 200 - 1) * 301 + 300 AS up_to,
        r.report || jsonb_build_object('day', day::text) AS report
    FROM bench.days, ledger.currencies c JOIN bench.reports r USING (currency),
        (SELECT (current_setting('bench.transfers')::bigint + 99) / 100 AS entries) of_all
    WHERE d < 199) own;
INSERT INTO office.documents (currency, day, participant, name, bytes, digest)
SELECT y.currency, y.day, owner, kind || '-' || owner || '-1.xml', text, sha256(text)
FROM office.days y JOIN ledger.accounts a ON a.currency = y.currency AND a.owner > 100,
    LATERAL (SELECT kind, convert_to(repeat(md5(y.day || kind || owner), 256), 'UTF8') AS text
        FROM unnest(ARRAY['camt.053', 'camt.054']) kind) own
ORDER BY y.day, y.currency, owner;

DO $$
DECLARE
    own RECORD;
BEGIN
    FOR own IN SELECT table_name, column_name FROM information_schema.columns
        WHERE table_schema = 'office' AND is_identity = 'YES'
    LOOP
        EXECUTE format('SELECT setval(pg_get_serial_sequence(%L, %L), (SELECT coalesce(max(%I), 0) + 1 FROM office.%I))',
            'office.' || own.table_name, own.column_name, own.column_name, own.table_name);
    END LOOP;
END
$$;

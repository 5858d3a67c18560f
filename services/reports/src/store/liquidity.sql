-- $1 records, $2 time zone, $3 first and $4 last day, $5 participant, $6 currency.
WITH sides AS (
    SELECT p.debit_account AS account, p.decided_sequence, p.amount AS debit, 0::numeric AS credit
    FROM ledger.postings p WHERE p.state = 'posted' AND p.decided_sequence < $1
    UNION ALL
    SELECT p.credit_account, p.decided_sequence, 0, p.amount
    FROM ledger.postings p WHERE p.state = 'posted' AND p.decided_sequence < $1),
days AS (
    SELECT s.account, (to_timestamp(r.at_micros / 1000000) AT TIME ZONE $2)::date AS day,
        sum(s.debit) AS debits, sum(s.credit) AS credits, count(*) AS movements
    FROM sides s
    JOIN ledger.accounts a ON a.account = s.account
    JOIN ledger.records r ON r.sequence = s.decided_sequence
    WHERE ($5::bigint IS NULL OR a.owner = $5) AND ($6::text IS NULL OR a.currency = $6)
    GROUP BY 1, 2),
held AS (
    SELECT *, sum(credits - debits) OVER (PARTITION BY account ORDER BY day) AS closing FROM days)
SELECT h.day::text AS day, h.account::text AS account, a.owner AS participant, p.name, a.currency,
    (h.closing - h.credits + h.debits)::text AS opening, h.debits::text AS debits,
    h.credits::text AS credits, h.closing::text AS closing, h.movements, c.exponent
FROM held h
JOIN ledger.accounts a ON a.account = h.account
JOIN ledger.currencies c ON c.currency = a.currency
LEFT JOIN ledger.participants p ON p.participant = a.owner
WHERE h.day BETWEEN $3 AND $4
ORDER BY h.day, h.account

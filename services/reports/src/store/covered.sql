-- $1 records, $2 time zone, $3 first and $4 last day, $5 participant, $6 currency, $7 minor units that are exceeded.
WITH told AS (
    SELECT t.*, (to_timestamp(t.decided_micros / 1000000) AT TIME ZONE $2)::date AS day
    FROM ledger.transfers t
    WHERE t.state IN (2, 3) AND t.decided_sequence < $1 AND t.currency = $6 AND t.amount > $7::numeric
        AND ($5::bigint IS NULL OR $5 IN (t.debtor_agent, t.creditor_agent)))
SELECT t.decided_micros AS settled_at, t.day::text AS day, encode(t.uetr, 'hex')::uuid::text AS uetr,
    t.debtor_agent, t.creditor_agent, t.corridor, t.currency, t.amount::text AS amount,
    t.decided_sequence AS record, c.exponent
FROM told t
JOIN ledger.currencies c ON c.currency = t.currency
WHERE t.day BETWEEN $3 AND $4
ORDER BY t.decided_sequence, t.debtor_agent, t.uetr

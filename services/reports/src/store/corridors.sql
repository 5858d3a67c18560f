-- $1 records, $2 time zone, $3 first and $4 last day, $5 participant, $6 currency.
WITH told AS (
    SELECT t.*, a.country AS from_country, b.country AS to_country,
        (to_timestamp(t.submitted_micros / 1000000) AT TIME ZONE $2)::date AS day,
        CASE WHEN t.decided_sequence = 0 OR t.decided_sequence >= $1 THEN 1
            WHEN t.state IN (2, 3) THEN 2 ELSE t.state END AS stood,
        t.state = 3 AND t.confirmed_sequence < $1 AS paid
    FROM ledger.transfers t
    LEFT JOIN ledger.participants a ON a.participant = t.debtor_agent
    LEFT JOIN ledger.participants b ON b.participant = t.creditor_agent
    WHERE t.submit_sequence < $1 AND ($5::bigint IS NULL OR $5 IN (t.debtor_agent, t.creditor_agent))
        AND ($6::text IS NULL OR t.currency = $6)),
days AS (SELECT * FROM told WHERE day BETWEEN $3 AND $4),
-- What the debtor agent was debited: the principal, and fees in the same currency.
debited AS (
    SELECT d.debtor_agent, d.uetr, source.currency,
        sum(p.amount) FILTER (WHERE p.kind = 1) AS principal,
        sum(p.amount) FILTER (WHERE p.kind = 2) AS fees
    FROM days d
    JOIN ledger.postings p ON p.sequence = d.submit_sequence AND p.subject_kind = 1
    JOIN ledger.accounts source ON source.account = p.debit_account AND source.owner = d.debtor_agent
    WHERE d.stood = 2
    GROUP BY 1, 2, 3)
SELECT d.day::text AS day, d.corridor, d.from_country, d.to_country, d.currency,
    count(*) AS submitted,
    count(*) FILTER (WHERE stood = 2) AS settled,
    count(*) FILTER (WHERE stood = 2 AND paid) AS credited,
    count(*) FILTER (WHERE stood = 4) AS rejected,
    count(*) FILTER (WHERE stood = 5) AS expired,
    count(*) FILTER (WHERE stood = 6) AS cancelled,
    count(*) FILTER (WHERE stood = 7) AS burned,
    count(*) FILTER (WHERE stood = 1) AS pending,
    coalesce(sum(d.amount) FILTER (WHERE stood = 2), 0)::text AS settled_amount,
    min(c.exponent) AS exponent,
    -- A corridor has one.
    min(s.currency) AS source_currency,
    sum(s.principal)::text AS source_amount,
    (sum(coalesce(s.fees, 0)) FILTER (WHERE s.currency IS NOT NULL))::text AS fees_amount,
    (sum(coalesce(s.fees, 0)) * 1000000 / nullif(sum(s.principal), 0))::numeric(20, 0)::bigint AS fees_share,
    min(e.exponent) AS source_exponent,
    percentile_disc(0.50) WITHIN GROUP (ORDER BY (decided_micros - submitted_micros) / 1000)
        FILTER (WHERE stood = 2) AS final_ms_p50,
    percentile_disc(0.95) WITHIN GROUP (ORDER BY (decided_micros - submitted_micros) / 1000)
        FILTER (WHERE stood = 2) AS final_ms_p95,
    percentile_disc(0.50) WITHIN GROUP (ORDER BY (confirmed_micros - submitted_micros) / 1000)
        FILTER (WHERE stood = 2 AND paid) AS credited_ms_p50,
    percentile_disc(0.95) WITHIN GROUP (ORDER BY (confirmed_micros - submitted_micros) / 1000)
        FILTER (WHERE stood = 2 AND paid) AS credited_ms_p95,
    (count(*) FILTER (WHERE stood = 2 AND paid AND confirmed_micros - submitted_micros <= 3600000000) * 1000000
        / nullif(count(*) FILTER (WHERE stood = 2), 0))::bigint AS credited_within_1h_share
FROM days d
LEFT JOIN debited s ON s.debtor_agent = d.debtor_agent AND s.uetr = d.uetr
LEFT JOIN ledger.currencies c ON c.currency = d.currency
LEFT JOIN ledger.currencies e ON e.currency = s.currency
GROUP BY d.day, d.corridor, d.from_country, d.to_country, d.currency
ORDER BY d.day, d.corridor, d.from_country, d.to_country, d.currency

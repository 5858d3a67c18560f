-- $1 records, $2 time zone, $3 first and $4 last day, $5 participant, $6 currency, $7 currencies and $8 what 200 USD are
-- in each, minor units.
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
-- What the debtor agent was debited: the principal, and fees in the same currency. Another participant is not told.
debited AS (
    SELECT d.debtor_agent, d.uetr, source.currency,
        sum(p.amount) FILTER (WHERE p.kind = 1) AS principal,
        sum(p.amount) FILTER (WHERE p.kind = 2) AS fees
    FROM days d
    JOIN ledger.postings p ON p.sequence = d.submit_sequence AND p.subject_kind = 1
    JOIN ledger.accounts source ON source.account = p.debit_account AND source.owner = d.debtor_agent
    WHERE d.stood = 2 AND ($5::bigint IS NULL OR $5 = d.debtor_agent)
    GROUP BY 1, 2, 3),
-- The mid rate that each quote names: docs/format.md, RegisterQuote as the bank's part of its record has it, behind the
-- 15 bytes of a PartyPart without legs. A refused one's part is empty.
quotes AS MATERIALIZED (
    SELECT substring(r.liquidity_1 FROM 1 FOR 4) AS bank, substring(r.liquidity_1 FROM 48 FOR 16) AS quote,
        (('x' || encode(substring(r.liquidity_1 FROM 129 FOR 4), 'hex'))::bit(32)::bigint::numeric * 4294967296
            + ('x' || encode(substring(r.liquidity_1 FROM 133 FOR 4), 'hex'))::bit(32)::bigint)
            / 10::numeric ^ get_byte(r.liquidity_1, 136) AS mid
    FROM ledger.records r
    WHERE r.kind = 11 AND r.sequence < $1 AND length(r.liquidity_1) > 137),
-- Of a submit: each bank's part ends with the quote that was used.
used AS (
    SELECT s.*, d.amount, c.exponent AS exponent, e.exponent AS source_exponent,
        r.liquidity_1, r.liquidity_2, s.currency = d.currency AS alike,
        substring(r.liquidity_1 FROM 1 FOR 4) AS bank_1,
        substring(r.liquidity_1 FROM length(r.liquidity_1) - 15) AS quote_1,
        substring(r.liquidity_2 FROM 1 FOR 4) AS bank_2,
        substring(r.liquidity_2 FROM length(r.liquidity_2) - 15) AS quote_2
    FROM debited s
    JOIN days d ON d.debtor_agent = s.debtor_agent AND d.uetr = s.uetr
    JOIN ledger.records r ON r.sequence = d.submit_sequence AND r.kind = 1
    JOIN ledger.currencies c ON c.currency = d.currency
    JOIN ledger.currencies e ON e.currency = s.currency
    WHERE s.principal > 0),
rated AS (
    SELECT u.*, CASE WHEN u.liquidity_1 IS NULL AND u.alike THEN 1
        WHEN u.liquidity_2 IS NULL THEN a.mid ELSE a.mid * b.mid END AS mid
    FROM used u
    LEFT JOIN quotes a ON a.bank = u.bank_1 AND a.quote = u.quote_1
    LEFT JOIN quotes b ON b.bank = u.bank_2 AND b.quote = u.quote_2),
-- What a transfer cost: all that was debited, less what arrived at the mid rate. In the currency that was debited.
costed AS (
    SELECT r.debtor_agent, r.uetr, r.principal, r.principal - arrived.worth AS spread,
        coalesce(r.fees, 0) + r.principal - arrived.worth AS cost,
        coalesce(abs(r.principal - sample.amount) * 4 <= sample.amount, FALSE) AS sampled
    FROM rated r
    CROSS JOIN LATERAL (SELECT round(r.amount * 10::numeric ^ (r.source_exponent - r.exponent) / nullif(r.mid, 0), 12) AS worth) arrived
    LEFT JOIN unnest($7::text[], $8::bigint[]) AS sample (currency, amount) ON sample.currency = r.currency
    WHERE r.mid > 0)
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
    count(k.uetr) AS costed,
    round(sum(k.cost))::text AS cost_amount,
    (sum(k.spread) * 1000000 / nullif(sum(k.principal), 0))::numeric(20, 0)::bigint AS spread_share,
    (sum(k.cost) * 1000000 / nullif(sum(k.principal), 0))::numeric(20, 0)::bigint AS cost_share,
    count(*) FILTER (WHERE k.sampled) AS usd200_transfers,
    (sum(k.cost) FILTER (WHERE k.sampled) * 1000000 / nullif(sum(k.principal) FILTER (WHERE k.sampled), 0))
        ::numeric(20, 0)::bigint AS usd200_cost_share,
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
LEFT JOIN costed k ON k.debtor_agent = d.debtor_agent AND k.uetr = d.uetr
LEFT JOIN ledger.currencies c ON c.currency = d.currency
LEFT JOIN ledger.currencies e ON e.currency = s.currency
GROUP BY d.day, d.corridor, d.from_country, d.to_country, d.currency
ORDER BY d.day, d.corridor, d.from_country, d.to_country, d.currency

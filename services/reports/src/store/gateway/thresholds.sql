-- $1 records, $2 time zone, $3 first and $4 last day, $5 currency. Settled transfers of the participant's own customers,
-- each on the side that is his: what the debtor gave, or what the creditor got.
WITH told AS (
    SELECT t.debtor_agent, t.uetr, t.outgoing, t.payout_method, f.record, (f.at AT TIME ZONE $2)::date AS day,
        CASE WHEN t.outgoing AND t.instructed_amount IS NOT NULL THEN t.instructed_amount ELSE t.amount END AS own_amount,
        CASE WHEN t.outgoing AND t.instructed_amount IS NOT NULL THEN t.instructed_currency ELSE t.currency END AS own_currency,
        p.personal -> CASE WHEN t.outgoing THEN 'originator' ELSE 'beneficiary' END AS customer
    FROM transfer t
    JOIN timeline f ON f.debtor_agent = t.debtor_agent AND f.uetr = t.uetr AND f.event = 'ledger_final'
    LEFT JOIN party p ON p.debtor_agent = t.debtor_agent AND p.uetr = t.uetr
    WHERE f.record < $1 AND t.return_of IS NULL)
SELECT day, uetr::text AS uetr, outgoing, payout_method, own_amount, customer ->> 'name' AS name,
    customer ->> 'account' AS account, customer ->> 'date_of_birth' AS date_of_birth,
    customer ->> 'national_identifier' AS national_identifier,
    customer ->> 'customer_identification' AS customer_identification
FROM told
WHERE day BETWEEN $3 AND $4 AND own_currency = $5
ORDER BY record, debtor_agent, uetr

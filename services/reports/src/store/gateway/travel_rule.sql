-- $1 records, $2 time zone, $3 first and $4 last day, $5 currency. What travelled with each settled transfer.
WITH told AS (
    SELECT t.*, f.at AS final_at, f.record AS final_record, (f.at AT TIME ZONE $2)::date AS day,
        CASE WHEN t.outgoing AND t.instructed_amount IS NOT NULL THEN t.instructed_amount ELSE t.amount END AS own_amount,
        CASE WHEN t.outgoing AND t.instructed_amount IS NOT NULL THEN t.instructed_currency ELSE t.currency END AS own_currency,
        p.personal, p.sealed_error, p.personal -> 'originator' AS debtor, p.personal -> 'beneficiary' AS creditor
    FROM transfer t
    JOIN timeline f ON f.debtor_agent = t.debtor_agent AND f.uetr = t.uetr AND f.event = 'ledger_final'
    LEFT JOIN party p ON p.debtor_agent = t.debtor_agent AND p.uetr = t.uetr
    WHERE f.record < $1 AND t.return_of IS NULL)
SELECT (extract(epoch FROM final_at) * 1000000)::bigint AS settled_at, day::text AS day, uetr::text AS uetr,
    CASE WHEN outgoing THEN 'sent' ELSE 'received' END AS side, debtor_agent, creditor_agent, corridor,
    own_currency AS currency, own_amount::text AS amount, final_record AS record,
    CASE WHEN coalesce(debtor ->> 'name', '') <> '' THEN 'yes' ELSE 'no' END AS debtor_name,
    CASE WHEN coalesce(debtor ->> 'account', '') <> '' THEN 'yes' ELSE 'no' END AS debtor_account,
    CASE WHEN coalesce(jsonb_array_length(debtor -> 'address'), 0) > 0 THEN 'yes' ELSE 'no' END AS debtor_address,
    CASE WHEN coalesce(debtor ->> 'date_of_birth', '') <> '' AND coalesce(debtor ->> 'place_of_birth', '') <> '' THEN 'yes' ELSE 'no' END AS debtor_birth,
    CASE WHEN coalesce(debtor ->> 'national_identifier', '') <> '' OR coalesce(debtor ->> 'customer_identification', '') <> '' THEN 'yes' ELSE 'no' END AS debtor_identification,
    CASE WHEN coalesce(creditor ->> 'name', '') <> '' THEN 'yes' ELSE 'no' END AS creditor_name,
    CASE WHEN coalesce(creditor ->> 'account', '') <> '' THEN 'yes' ELSE 'no' END AS creditor_account,
    CASE WHEN coalesce(jsonb_array_length(creditor -> 'address'), 0) > 0 THEN 'yes' ELSE 'no' END AS creditor_address,
    CASE WHEN coalesce(personal ->> 'relationship', '') <> '' THEN 'yes' ELSE 'no' END AS relationship,
    CASE WHEN coalesce(personal ->> 'source_of_funds', '') <> '' THEN 'yes' ELSE 'no' END AS source_of_funds,
    CASE WHEN personal IS NULL THEN coalesce(sealed_error, 'no personal data came with it') END AS unopened
FROM told
WHERE day BETWEEN $3 AND $4 AND ($5::text IS NULL OR own_currency = $5)
ORDER BY final_record, debtor_agent, uetr

-- $1 acts, $2 participant, $3 currency. A break is open or not, and whose, by the acts on it.
WITH life AS (
    SELECT DISTINCT ON (subject_id) subject_id::bigint AS break, verb FROM office.acts
    WHERE subject = 'break' AND act <= $1 AND verb IN ('open', 'close', 'reopen')
    ORDER BY subject_id, act DESC),
assigned AS (
    SELECT DISTINCT ON (subject_id) subject_id::bigint AS break, detail ->> 'to' AS owner FROM office.acts
    WHERE subject = 'break' AND act <= $1 AND verb = 'assign'
    ORDER BY subject_id, act DESC),
moment AS (SELECT max(at) AS at FROM office.acts WHERE act <= $1)
SELECT b.break, (extract(epoch FROM b.opened_at) * 1000000)::bigint AS opened_at,
    (extract(epoch FROM b.due_at) * 1000000)::bigint AS due_at,
    floor(extract(epoch FROM m.at - b.opened_at) / 86400)::bigint AS age_days,
    CASE WHEN m.at > b.due_at THEN 'yes' ELSE 'no' END AS overdue,
    b.cause, a.identification AS account, a.participant, b.currency, b.at_risk::text AS at_risk, o.owner,
    coalesce(c.exponent, 0::smallint) AS exponent
FROM life l
JOIN office.breaks b ON b.break = l.break
JOIN office.accounts a ON a.account = b.account
CROSS JOIN moment m
LEFT JOIN assigned o ON o.break = b.break
LEFT JOIN ledger.currencies c ON c.currency = b.currency
WHERE l.verb <> 'close' AND ($2::bigint IS NULL OR a.participant = $2) AND ($3::text IS NULL OR b.currency = $3)
ORDER BY b.break

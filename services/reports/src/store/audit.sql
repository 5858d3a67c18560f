-- $1 acts.
SELECT act, (extract(epoch FROM at) * 1000000)::bigint AS at, actor, role, verb, subject, subject_id,
    detail::text AS detail
FROM office.acts
WHERE act <= $1
ORDER BY act

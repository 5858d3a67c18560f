-- $1 number of the last screening, $2 time zone, $3 first and $4 last day. Screenings that found a name, or failed.
SELECT s.id AS screening, (extract(epoch FROM s.at) * 1000000)::bigint AS at, (s.at AT TIME ZONE $2)::date::text AS day,
    s.uetr::text AS uetr, s.debtor_agent, CASE WHEN s.debtor_agent = $5 THEN 'sent' ELSE 'received' END AS side,
    s.outcome,
    CASE WHEN jsonb_typeof(s.detail) = 'array' THEN jsonb_array_length(s.detail) ELSE 0 END::bigint AS hits,
    (SELECT string_agg(hit ->> 'entry', ' ' ORDER BY place) FROM jsonb_array_elements(
        CASE WHEN jsonb_typeof(s.detail) = 'array' THEN s.detail ELSE '[]' END) WITH ORDINALITY AS one (hit, place)) AS entries,
    (SELECT string_agg(DISTINCT hit ->> 'list_version', ' ') FROM jsonb_array_elements(
        CASE WHEN jsonb_typeof(s.detail) = 'array' THEN s.detail ELSE '[]' END) AS one (hit)) AS list_version,
    CASE WHEN jsonb_typeof(s.detail) = 'object' THEN s.detail ->> 'failure' END AS failure
FROM screening s
WHERE s.id <= $1 AND (s.at AT TIME ZONE $2)::date BETWEEN $3 AND $4
ORDER BY s.id

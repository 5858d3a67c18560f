-- Transfers from number bench.from on, before number bench.to, as reconciliation would have written them: of the records
-- number, kind and time alone, for pages read no more of them.

DROP TABLE IF EXISTS own;
CREATE TEMP TABLE own AS
WITH number AS (
    SELECT n, bench.random(n, 1, 1000) AS fate, current_setting('bench.transfers')::bigint AS transfers,
        bench.random(n, 2, 5000) AS chance
    FROM generate_series(current_setting('bench.from')::bigint, current_setting('bench.to')::bigint - 1) n),
parties AS (
    -- Member 141 sends one in 5,000, and 142 had its only transfers long ago.
    SELECT n, fate, transfers,
        CASE WHEN chance = 0 THEN 40 WHEN n BETWEEN 1000 AND 1099 THEN 41 ELSE bench.random(n, 3, 40) END AS debtor
    FROM number),
shape AS (
    SELECT n, transfers, 101 + debtor AS debtor, 101 + (debtor % 40 + 1 + bench.random(n, 4, 39)) % 40 AS creditor,
        1 + bench.random(n, 5, 4) AS source, bench.random(n, 6, 3) AS step,
        CASE WHEN n >= transfers - 2000 AND n % 2 = 0 OR bench.random(n, 7, 100000) = 0 THEN 1
            WHEN fate < 960 THEN 3 WHEN fate < 975 THEN 2 WHEN fate < 985 THEN 4 WHEN fate < 993 THEN 5 ELSE 6 END AS state,
        10000 + bench.random(n, 8, 5000000) AS amount,
        bench.at(n / 100, (transfers + 99) / 100, current_setting('bench.end')::bigint) AS at
    FROM parties)
SELECT n, debtor, creditor, source, (source + step) % 4 + 1 AS destination, state, amount, at,
    bench.submit(n) AS submit,
    at + 50000 + bench.random(n, 9, 3000000) AS decided_at,
    at + 4000000 + bench.random(n, 10, 60000000) AS confirmed_at,
    substr(sha256(int8send(n)), 1, 16) AS uetr
FROM shape;
ANALYZE own;

INSERT INTO ledger.records (sequence, kind, at_micros, salts)
SELECT submit, 1, at, ''::bytea FROM own
UNION ALL SELECT submit + 100, 2, decided_at, '' FROM own
UNION ALL SELECT submit + 200, 5, confirmed_at, '' FROM own
UNION ALL SELECT submit + 300, 129, at, '' FROM own WHERE n % 100 = 0 ORDER BY 1;

INSERT INTO ledger.entries
SELECT n / 100 + 2, submit, submit + 300, at, sha256(int8send(n)) FROM own WHERE n % 100 = 0 ORDER BY 1;

INSERT INTO ledger.transfers
SELECT debtor, uetr, creditor, source * 10 + destination, state, 0, CASE state WHEN 4 THEN 'AC04' WHEN 5 THEN 'AB05' ELSE 'NARR' END,
    amount, (ARRAY['HKD', 'PHP', 'MYR', 'USD'])[destination], 0, at + 60000000,
    CASE WHEN state = 1 AND n % 10 = 0 THEN at + 600000000 ELSE 0 END, submit, at,
    CASE state WHEN 1 THEN 0 ELSE submit + 100 END, CASE state WHEN 1 THEN 0 ELSE decided_at END,
    CASE state WHEN 3 THEN submit + 200 ELSE 0 END, CASE state WHEN 3 THEN confirmed_at ELSE 0 END,
    CASE state WHEN 3 THEN 'ACCC' ELSE '' END
FROM own;

INSERT INTO ledger.postings
SELECT submit, leg, 1, debtor, uetr, (ARRAY[1, 1, 2, 3])[leg + 1],
    bench.account(CASE WHEN leg % 2 = 0 THEN debtor ELSE 50 END, CASE WHEN leg % 2 = 0 THEN source ELSE destination END),
    bench.account(CASE WHEN leg % 2 = 0 THEN 50 ELSE creditor END, CASE WHEN leg % 2 = 0 THEN source ELSE destination END),
    (ARRAY['HKD', 'PHP', 'MYR', 'USD'])[CASE WHEN leg % 2 = 0 THEN source ELSE destination END],
    CASE leg WHEN 0 THEN amount / 7 + 1 WHEN 1 THEN amount WHEN 2 THEN 150 ELSE 500 END,
    CASE WHEN state = 1 THEN 'pending' WHEN state IN (2, 3) THEN 'posted' ELSE 'released' END,
    CASE state WHEN 1 THEN 0 ELSE submit + 100 END
FROM own, generate_series(0, 3) leg;

-- The founding of a made-up network: four currencies, 42 members with an account in each, a liquidity provider, keys; and
-- what a transfer of a number is, by arithmetic alone. bench.transfers and bench.end (microseconds) are set before.

CREATE SCHEMA bench;

-- As random as a digest, and the same each time.
CREATE FUNCTION bench.random(number BIGINT, salt BIGINT, below BIGINT) RETURNS BIGINT LANGUAGE sql IMMUTABLE
    RETURN (hashint8extended(number, salt) & 4611686018427387903) % below;

CREATE FUNCTION bench.account(owner BIGINT, currency BIGINT) RETURNS NUMERIC LANGUAGE sql IMMUTABLE
    RETURN (owner * 10 + currency)::numeric;

-- Entries of 100 transfers: 100 submits, 100 decisions, 100 confirmations, the entry itself.
CREATE FUNCTION bench.submit(number BIGINT) RETURNS BIGINT LANGUAGE sql IMMUTABLE
    RETURN 2000 + number / 100 * 301 + number % 100;

-- 200 days of equally many entries, each day's over the ten hours before the time of day at which all ends.
CREATE FUNCTION bench.at(entry BIGINT, entries BIGINT, ends BIGINT) RETURNS BIGINT LANGUAGE sql IMMUTABLE
    RETURN ends - 1000000 - (199 - entry * 200 / entries) * 86400000000
        - 36000000000 / greatest(entries / 200, 1)
            * (greatest(entries / 200, 1) - 1 - least(entry - (entry * 200 / entries) * entries / 200, greatest(entries / 200, 1) - 1));

INSERT INTO ledger.currencies VALUES ('HKD', 2, 1, 1), ('PHP', 2, 2, 2), ('MYR', 2, 3, 3), ('USD', 2, 4, 4);

INSERT INTO ledger.participants
SELECT p, 'HK', 'CWBNHK' || to_char(p % 100, 'FM00'), '', '', name, FALSE
FROM (SELECT p, 'Bench Custodian ' || p AS name FROM generate_series(1, 4) p
    UNION ALL SELECT 50, 'Bench Liquidity'
    UNION ALL SELECT p, 'Bench Member ' || p FROM generate_series(101, 142) p) own;

INSERT INTO ledger.accounts
SELECT c, c, (ARRAY['HKD', 'PHP', 'MYR', 'USD'])[c], TRUE, FALSE, 0 FROM generate_series(1, 4) c;
INSERT INTO ledger.accounts
SELECT bench.account(p, c), p, (ARRAY['HKD', 'PHP', 'MYR', 'USD'])[c], FALSE, FALSE, 0
FROM (SELECT 50 AS p UNION ALL SELECT generate_series(101, 142)) own, generate_series(1, 4) c;

-- The founding's records: what members are and hold; the 172 fundings are the last of them.
INSERT INTO ledger.records (sequence, kind, at_micros, salts)
SELECT n, CASE WHEN n = 0 THEN 130 WHEN n = 1999 THEN 129 WHEN n >= 1827 THEN 12 ELSE 36 END,
    current_setting('bench.end')::bigint - 201 * 86400000000, ''
FROM generate_series(0, 1999) n;
INSERT INTO ledger.postings
SELECT 1826 + row_number() OVER (ORDER BY account), 0, 3, custodian,
    convert_to('20260101CASH ' || account, 'UTF8'), 4, custodian, account, currency, 1000000000000000,
    'posted', 1826 + row_number() OVER (ORDER BY account)
FROM (SELECT a.account, a.currency, y.custody_account AS custodian FROM ledger.accounts a
    JOIN ledger.currencies y USING (currency) WHERE NOT a.custody) own;
INSERT INTO ledger.entries VALUES
    (1, 1, 1999, current_setting('bench.end')::bigint - 201 * 86400000000, sha256('1'));

-- What follows from all postings: balances, and how far the tables are.

INSERT INTO ledger.balances (account, debits_pending, debits_posted, credits_pending, credits_posted)
SELECT account, coalesce(sum(amount) FILTER (WHERE debit AND state = 'pending'), 0),
    coalesce(sum(amount) FILTER (WHERE debit AND state = 'posted'), 0),
    coalesce(sum(amount) FILTER (WHERE NOT debit AND state = 'pending'), 0),
    coalesce(sum(amount) FILTER (WHERE NOT debit AND state = 'posted'), 0)
FROM (SELECT debit_account AS account, TRUE AS debit, state, sum(amount) AS amount FROM ledger.postings GROUP BY 1, 2, 3
    UNION ALL SELECT credit_account, FALSE, state, sum(amount) FROM ledger.postings GROUP BY 1, 2, 3) side
GROUP BY account;
UPDATE ledger.cursor SET next_sequence = (SELECT max(sequence) + 1 FROM ledger.records), network = sha256('bench');

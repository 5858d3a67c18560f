-- What is sent is written once: which items an envelope carries stands with the envelope, and which
-- items have no answer yet stands by itself, so that neither is a new version of an item under four indexes.

CREATE TABLE open_item (
    item bigint PRIMARY KEY
);
INSERT INTO open_item (item) SELECT id FROM outbox WHERE NOT done;
-- What is asked again is not refused while it is open.
UPDATE outbox SET refusal = NULL WHERE NOT done AND refusal IS NOT NULL;

ALTER TABLE envelope ADD COLUMN items bigint[] NOT NULL DEFAULT '{}';
UPDATE envelope e SET items = ARRAY(SELECT id FROM outbox WHERE request = e.request ORDER BY place)
WHERE NOT done;
ALTER TABLE envelope ALTER COLUMN items DROP DEFAULT;

ALTER TABLE outbox DROP COLUMN request, DROP COLUMN place, DROP COLUMN done;
ALTER TABLE outbox RESET (fillfactor);

-- A UETR alone finds its transfers by the same index as with its debtor agent.
ALTER TABLE approval DROP CONSTRAINT approval_debtor_agent_uetr_fkey;
ALTER TABLE transfer DROP CONSTRAINT transfer_pkey, ADD PRIMARY KEY (uetr, debtor_agent);
ALTER TABLE approval ADD FOREIGN KEY (debtor_agent, uetr) REFERENCES transfer (debtor_agent, uetr);
DROP INDEX transfer_by_uetr;

-- Money is set aside in the SQL transaction that keeps what it is for: nothing that was left by a process
-- which stopped between the two is looked for any more.
CREATE TEMPORARY TABLE orphan ON COMMIT DROP AS
SELECT e.debtor_agent, e.uetr, e.account, e.amount FROM book_entry e
LEFT JOIN transfer t ON t.debtor_agent = e.debtor_agent AND t.uetr = e.uetr
WHERE e.kind = 'debit' AND e.state = 'reserved'
    AND (t.uetr IS NULL OR t.status = 'AWAITING_APPROVAL');
UPDATE book_account a SET reserved = a.reserved - o.amount
FROM (SELECT account, sum(amount)::bigint AS amount FROM orphan GROUP BY account) o
WHERE a.account = o.account;
UPDATE book_entry e SET state = 'released'
FROM orphan o WHERE e.debtor_agent = o.debtor_agent AND e.uetr = o.uetr AND e.kind = 'debit';

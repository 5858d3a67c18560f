-- A transfer and what is sent of it are changed several times in their first second: with room left in its page
-- a new version of a row stays there, and no index is touched for a column that it does not hold.

ALTER TABLE transfer SET (fillfactor = 50);
ALTER TABLE outbox SET (fillfactor = 50);
ALTER TABLE envelope SET (fillfactor = 70);
ALTER TABLE idempotency SET (fillfactor = 50);
ALTER TABLE book_account SET (fillfactor = 50);
ALTER TABLE book_entry SET (fillfactor = 70);

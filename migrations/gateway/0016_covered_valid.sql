-- Accounts that stood before 0015.
ALTER TABLE book_account VALIDATE CONSTRAINT book_account_covered;

-- No account gives what it does not have, whatever moves it: what is set aside is always there.
ALTER TABLE book_account ADD CONSTRAINT book_account_covered CHECK (reserved <= balance) NOT VALID;

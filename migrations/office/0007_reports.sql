-- Reports are taken away at the console: an act like any other.

ALTER TABLE office.acts DROP CONSTRAINT acts_subject_check;
ALTER TABLE office.acts ADD CONSTRAINT acts_subject_check
    CHECK (subject IN ('account', 'map', 'file', 'break', 'correction', 'day', 'session', 'transfer', 'journal', 'report')) NOT VALID;
ALTER TABLE office.acts VALIDATE CONSTRAINT acts_subject_check;

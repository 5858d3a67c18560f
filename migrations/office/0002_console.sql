-- People sign in to the console, open personal data for a reason and take files away: each is an act. An act also says
-- for which participant its actor works, so that a participant's people can read their own acts and no other's.

ALTER TABLE office.acts ADD COLUMN participant BIGINT;
ALTER TABLE office.acts DROP CONSTRAINT acts_role_check;
ALTER TABLE office.acts ADD CONSTRAINT acts_role_check
    CHECK (role IN ('back_office', 'compliance', 'operator', 'auditor', 'service'));
ALTER TABLE office.acts DROP CONSTRAINT acts_subject_check;
ALTER TABLE office.acts ADD CONSTRAINT acts_subject_check
    CHECK (subject IN ('account', 'map', 'file', 'break', 'correction', 'day', 'session', 'transfer'));
-- An auditor changes nothing: what he does is sign in and out, and take files away.
ALTER TABLE office.acts ADD CONSTRAINT acts_auditor_reads
    CHECK (role <> 'auditor' OR verb IN ('sign_in', 'sign_out', 'download'));
-- Personal data is opened for a reason that is told.
ALTER TABLE office.acts ADD CONSTRAINT acts_unseal_says_why
    CHECK (verb <> 'unseal' OR length(trim(detail ->> 'reason')) >= 10);

CREATE INDEX acts_by_participant ON office.acts (participant, act) WHERE participant IS NOT NULL;
CREATE INDEX acts_by_actor ON office.acts (actor, act);

-- A participant's own documents, newest day first.
CREATE INDEX documents_by_participant ON office.documents (participant, day DESC, document DESC);

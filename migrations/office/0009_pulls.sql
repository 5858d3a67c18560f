-- Files that lie on servicers' SFTP servers, as they were seen: one that is written to again is another. One that was
-- fetched is not fetched again, whatever became of it here.

CREATE TABLE office.pulls (
    server TEXT NOT NULL,
    name TEXT NOT NULL,
    bytes BIGINT NOT NULL CHECK (bytes >= 0),
    modified TIMESTAMPTZ NOT NULL,
    seen_at TIMESTAMPTZ NOT NULL,
    fetched_at TIMESTAMPTZ,
    PRIMARY KEY (server, name, bytes, modified),
    CHECK (fetched_at >= seen_at)
);

CREATE FUNCTION office.fetched_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.fetched_at IS NOT NULL
        OR (NEW.server, NEW.name, NEW.bytes, NEW.modified, NEW.seen_at)
            IS DISTINCT FROM (OLD.server, OLD.name, OLD.bytes, OLD.modified, OLD.seen_at)
    THEN
        RAISE EXCEPTION 'office.pulls: only fetched_at is written, and once';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER pulls_fetched_once BEFORE UPDATE ON office.pulls
    FOR EACH ROW EXECUTE FUNCTION office.fetched_once();
CREATE TRIGGER pulls_stay BEFORE DELETE ON office.pulls
    FOR EACH ROW EXECUTE FUNCTION office.only_grows();
CREATE TRIGGER pulls_never_emptied BEFORE TRUNCATE ON office.pulls
    FOR EACH STATEMENT EXECUTE FUNCTION office.only_grows();

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'causeway_office') THEN
        GRANT SELECT, INSERT, UPDATE ON office.pulls TO causeway_office;
    END IF;
END
$$;

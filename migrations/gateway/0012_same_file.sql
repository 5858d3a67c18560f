-- A file that was sent before is known by the digests of its rows, under whatever Idempotency-Key it comes.

ALTER TABLE batch ADD COLUMN rows_sha256 bytea CHECK (octet_length(rows_sha256) = 32);
CREATE INDEX batch_same_file ON batch (rows_sha256, number) WHERE rows_sha256 IS NOT NULL;

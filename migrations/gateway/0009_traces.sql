-- Which caller's span (W3C traceparent) asked for a transfer, and for each item on its way to the
-- ledger: what goes on later, in another process, links to it. Only spans that are sent are kept.

ALTER TABLE transfer ADD COLUMN traceparent text;
ALTER TABLE outbox ADD COLUMN traceparent text;

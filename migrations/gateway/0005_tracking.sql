-- Tracking: how long the latest transfers of a corridor took, and which transfers return a given one.
-- Both are asked whenever a sender opens a link.

CREATE INDEX transfer_history ON transfer (corridor, payout_method, id)
    WHERE outgoing AND return_of IS NULL AND settled_at IS NOT NULL;
CREATE INDEX transfer_by_return_of ON transfer (return_of) WHERE return_of IS NOT NULL;

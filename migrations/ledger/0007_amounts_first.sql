-- An index by currency and amount compares the currency, which most transfers share, before the amount, which few do.
CREATE INDEX transfers_by_amount_first ON ledger.transfers (amount, currency, submit_sequence);

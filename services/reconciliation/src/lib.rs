//! Writes the ledger's event stream to Postgres and ties the balances out.

//! The ledger's state and what each command does to it: pure and deterministic.

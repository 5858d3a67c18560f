//! The core's tests: text tables of commands and answers, the state table, and random workloads against invariants.

mod conservation;
mod envelopes;
mod operator;
mod quotes;
mod recalls;
mod refound;
mod states;
mod submits;
mod world;

//! One replica: openraft, RocksDB and tonic around the ledger's core; every rule about money is the core's.
#![recursion_limit = "256"]

mod api;
mod apply;
mod backup;
mod clock;
mod config;
mod error;
mod events;
pub mod folder;
mod history;
mod log_store;
mod machine;
mod members;
mod network;
mod peer;
mod propose;
mod raft;
pub mod replay;
pub mod restore;
mod run;
mod seal;
mod snapshot;
mod state_store;
#[cfg(test)]
mod testing;
mod verify;

pub use config::{Limits, Node, Settings};
pub use error::Error;
pub use history::Unreadable;
pub use run::run;

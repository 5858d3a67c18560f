//! One replica: openraft, RocksDB and tonic around the ledger's core; every rule about money is the core's.
#![recursion_limit = "256"]

mod api;
mod apply;
mod backup;
mod clock;
mod config;
mod divergence;
mod error;
mod events;
mod fair;
pub mod folder;
mod guard;
mod hello;
mod history;
mod host;
mod identity;
mod log_store;
mod machine;
pub mod measure;
mod members;
mod network;
mod peer;
mod propose;
mod raft;
pub mod replay;
pub mod restore;
mod room;
mod rows;
mod run;
mod seal;
#[cfg(feature = "simulation")]
pub mod simulation;
mod snapshot;
mod state_store;
mod storage;
#[cfg(test)]
mod testing;
mod verify;

pub use config::{Limits, Node, Settings};
pub use error::Error;
pub use history::Unreadable;
pub use run::{CONDITIONS, run};

//! The ledger's state and what each command does to it: pure, deterministic, infallible; it reads no clock, no randomness, no disk.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod account;
mod admin;
mod cash;
mod command;
mod decide;
mod entry;
mod envelope;
mod fees;
mod ledger;
mod output;
mod participant;
mod quote;
mod recall;
mod record;
mod refound;
mod returns;
mod rows;
mod settle;
mod submit;
mod table;
mod transfer;
mod view;

pub use account::Account;
#[cfg(feature = "simulation")]
pub use account::FLOATING;
pub use command::Command;
pub use ledger::Ledger;
pub use output::{Answer, Outcome, Output};
pub use participant::{Key, Participant};
pub use quote::Quote;
pub use recall::{ANSWER_MICROS_MAX, Recall};
pub use transfer::Transfer;

#[cfg(test)]
mod tests;

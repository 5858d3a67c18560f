//! Reports for managers and regulators: figures up to one record of the ledger and one act of the office, the same bytes
//! whenever they are made again, and signed. It must never write a row.

mod columns;
pub mod error;
pub mod kind;
pub mod made;
pub mod manifest;
pub mod persons;
pub mod store;
pub mod table;
pub mod write;

pub use error::Error;
pub use kind::{Asked, Kind};
pub use made::{Made, Signer};
pub use manifest::{Manifest, Signed};
pub use store::{Reports, gateway::Gateway};
pub use table::{Cell, Column, Holds, Table};

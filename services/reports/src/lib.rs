//! Reports for managers and regulators: figures up to one record of the ledger and one act of the office, the same bytes
//! whenever they are made again, and signed. It must never write a row.

pub mod error;
pub mod kind;
pub mod manifest;
pub mod store;
pub mod table;
pub mod write;

pub use error::Error;
pub use kind::{Asked, Kind};
pub use manifest::{Manifest, Signed};
pub use store::Reports;
pub use table::{Cell, Table};

//! The wire: protobuf messages, the only conversion between them and the field's words, and a client that follows the leader; it decides nothing.

pub mod client;
pub mod convert;
pub mod trace;

pub use client::LedgerClient;

/// Generated from `causeway/ledger/v1/ledger.proto`.
#[allow(warnings, clippy::all, clippy::restriction, clippy::nursery, reason = "generated code")]
pub mod ledger {
    tonic::include_proto!("causeway.ledger.v1");
}

/// Generated from `causeway/fx/v1/fx.proto`.
#[allow(warnings, clippy::all, clippy::restriction, clippy::nursery, reason = "generated code")]
pub mod fx {
    tonic::include_proto!("causeway.fx.v1");
}

/// Generated from `causeway/payee/v1/payee.proto`.
#[allow(warnings, clippy::all, clippy::restriction, clippy::nursery, reason = "generated code")]
pub mod payee {
    tonic::include_proto!("causeway.payee.v1");
}

/// Generated from `causeway/peer/v1/peer.proto`.
#[allow(warnings, clippy::all, clippy::restriction, clippy::nursery, reason = "generated code")]
pub mod peer {
    tonic::include_proto!("causeway.peer.v1");
}

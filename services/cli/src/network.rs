//! Making a network: who gets which certificates and where they lie. It must never use a network
//! that runs.

pub mod new;
pub mod pki;

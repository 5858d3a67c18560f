//! Transfers from a validated order to signed bytes, the actions on them, and how REST shows them.

pub mod act;
pub mod approve;
pub mod create;
pub mod known;
pub mod order;
pub mod pickup;
pub mod recalls;
pub mod refuse;
pub mod reserve;
pub mod returns;
pub mod view;

#[cfg(test)]
mod tests;

/// What became of a request that created a transfer.
#[derive(Clone, Debug)]
pub enum Created {
    /// The ledger answered: PENDING, or SETTLED if single-phase.
    Recorded(Box<crate::store::transfers::Row>),
    /// Durable here, not yet answered.
    Durable(Box<crate::store::transfers::Row>),
}

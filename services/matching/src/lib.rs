//! Lays two books side by side and says which movements are the same, by what evidence, and what is
//! wrong with the rest, by cause. It must never do I/O, read a clock, round money, or depend on the
//! order in which a map happens to be walked: equal input gives equal output.
//!
//! One leg is the ledger; the other is a custodian's statement or a participant's own journal.
//! [`three_way`] compares both with the ledger and says which of the three stands alone.

mod breaks;
mod engine;
mod movement;

pub use breaks::{Break, Cause};
pub use engine::{Match, Outcome, compare};
pub use movement::{Evidence, Movement, Reason, Rules, Side};

/// One of the three books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leg {
    Ledger,
    Statement,
    Journal,
}

/// The ledger beside both others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Three {
    pub statement: Outcome,
    pub journal: Outcome,
}

/// Compares statement and journal with the ledger.
#[must_use]
pub fn three_way(
    ledger: &[Movement],
    statement: &[Movement],
    journal: &[Movement],
    rules: &Rules,
) -> Three {
    Three { statement: compare(ledger, statement, rules), journal: compare(ledger, journal, rules) }
}

impl Three {
    /// Which book stands alone about a movement of the ledger: the one that the two others, which agree,
    /// do not. Nothing if all agree or all differ.
    #[must_use]
    pub fn alone(&self, ledger: usize) -> Option<Leg> {
        let broken =
            |outcome: &Outcome| outcome.breaks.iter().any(|one| one.left.contains(&ledger));
        match (broken(&self.statement), broken(&self.journal)) {
            (true, false) => Some(Leg::Statement),
            (false, true) => Some(Leg::Journal),
            (true, true) => {
                // The two others agree against the ledger if they are broken by the same cause.
                let cause = |outcome: &Outcome| {
                    let own = outcome.breaks.iter().find(|one| one.left.contains(&ledger));
                    own.map(|one| (one.cause, one.at_risk))
                };
                (cause(&self.statement) == cause(&self.journal)).then_some(Leg::Ledger)
            }
            (false, false) => None,
        }
    }
}

#[cfg(test)]
mod tests;

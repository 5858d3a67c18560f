//! What the tests share: movements that are made up; it must never hold a test itself.

mod cases;
mod documents;
mod planted;

use crate::{Movement, Side};

/// A credit of a day with all its references.
fn movement(number: u64) -> Movement {
    Movement {
        account: 1,
        currency: "PHP".parse().expect("it is listed"),
        amount: 1_000 + number,
        side: Side::Credit,
        value_date: 20_000,
        uetr: Some(u128::from(number)),
        end_to_end_id: Some(format!("E-{number}")),
        servicer_reference: Some(format!("S-{number}")),
        party: Some(format!("PARTY{number}")),
        batch: None,
        reversal: false,
        returns: None,
        charges: 0,
    }
}

//! docs/matching.md names every cause and every reason's points, as the code does.

use crate::{Cause, Reason};

const DOCUMENT: &str = include_str!("../../../../docs/matching.md");

#[test]
fn causes_and_points_are_those_of_the_page() {
    for cause in Cause::ALL {
        let row = format!("| {} | {} |", cause.as_str(), cause.meaning());
        assert!(DOCUMENT.contains(&row), "{row}");
    }
    let points = [
        (Reason::Uetr, "UETR 50"),
        (Reason::EndToEndId, "end-to-end id 30"),
        (Reason::ServicerReference, "servicer's reference 30"),
        (Reason::Batch, "batch 25"),
        (Reason::Amount, "amount and currency 20"),
        (Reason::Party, "party 15"),
        (Reason::ValueDate, "value date 10"),
        (Reason::Account, "account 10"),
    ];
    let page = DOCUMENT.replace('\n', " ");
    for (reason, words) in points {
        assert!(page.contains(words) && words.ends_with(&reason.points().to_string()), "{words}");
    }
}

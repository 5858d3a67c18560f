//! What the columns of each report are called and hold. It must never know from where a value comes.

use crate::kind::Kind;
use crate::table::{Column, Holds};

const fn text(name: &'static str) -> Column {
    Column { name, holds: Holds::Text }
}

const fn day(name: &'static str) -> Column {
    Column { name, holds: Holds::Day }
}

const fn count(name: &'static str) -> Column {
    Column { name, holds: Holds::Count }
}

const fn amount(name: &'static str) -> Column {
    Column { name, holds: Holds::Amount }
}

const fn share(name: &'static str) -> Column {
    Column { name, holds: Holds::Share }
}

const fn time(name: &'static str) -> Column {
    Column { name, holds: Holds::Time }
}

const CORRIDORS: &[Column] = &[
    day("day"),
    count("corridor"),
    text("from_country"),
    text("to_country"),
    text("currency"),
    count("submitted"),
    count("settled"),
    count("credited"),
    count("rejected"),
    count("expired"),
    count("cancelled"),
    count("burned"),
    count("pending"),
    amount("settled_amount"),
    text("source_currency"),
    amount("source_amount"),
    amount("fees_amount"),
    share("fees_share"),
    count("costed"),
    amount("cost_amount"),
    share("spread_share"),
    share("cost_share"),
    count("usd200_transfers"),
    share("usd200_cost_share"),
    count("final_ms_p50"),
    count("final_ms_p95"),
    count("credited_ms_p50"),
    count("credited_ms_p95"),
    share("credited_within_1h_share"),
];

const LIQUIDITY: &[Column] = &[
    day("day"),
    text("account"),
    count("participant"),
    text("name"),
    text("currency"),
    amount("opening"),
    amount("debits"),
    amount("credits"),
    amount("closing"),
    count("movements"),
];

const COVERED: &[Column] = &[
    time("settled_at"),
    day("day"),
    text("uetr"),
    count("debtor_agent"),
    count("creditor_agent"),
    count("corridor"),
    text("currency"),
    amount("amount"),
    count("record"),
];

const BREAKS: &[Column] = &[
    count("break"),
    time("opened_at"),
    time("due_at"),
    count("age_days"),
    text("overdue"),
    text("cause"),
    text("account"),
    count("participant"),
    text("currency"),
    amount("at_risk"),
    text("owner"),
];

const AUDIT: &[Column] = &[
    count("act"),
    time("at"),
    text("actor"),
    text("role"),
    text("verb"),
    text("subject"),
    text("subject_id"),
    text("detail"),
];

const THRESHOLDS: &[Column] = &[
    day("day"),
    text("person"),
    text("currency"),
    amount("amount"),
    amount("sent"),
    amount("received"),
    amount("cash"),
    count("transfers"),
    text("uetrs"),
];

const TRAVEL_RULE: &[Column] = &[
    time("settled_at"),
    day("day"),
    text("uetr"),
    text("side"),
    count("debtor_agent"),
    count("creditor_agent"),
    count("corridor"),
    text("currency"),
    amount("amount"),
    count("record"),
    text("debtor_name"),
    text("debtor_account"),
    text("debtor_address"),
    text("debtor_birth"),
    text("debtor_identification"),
    text("creditor_name"),
    text("creditor_account"),
    text("creditor_address"),
    text("relationship"),
    text("source_of_funds"),
    text("missing"),
    text("unopened"),
];

const SCREENING: &[Column] = &[
    count("screening"),
    time("at"),
    day("day"),
    text("uetr"),
    count("debtor_agent"),
    text("side"),
    text("outcome"),
    count("hits"),
    text("entries"),
    text("list_version"),
    text("failure"),
];

/// The columns of a report, in their order.
pub(crate) const fn of(kind: Kind) -> &'static [Column] {
    match kind {
        Kind::Corridors => CORRIDORS,
        Kind::Liquidity => LIQUIDITY,
        Kind::Covered => COVERED,
        Kind::Breaks => BREAKS,
        Kind::Audit => AUDIT,
        Kind::Thresholds => THRESHOLDS,
        Kind::TravelRule => TRAVEL_RULE,
        Kind::Screening => SCREENING,
    }
}

//! How pages say amounts, times, states and codes: the same everywhere. It must never know a row's meaning beyond its
//! words.

use services_office::day::decimal;
use time::{Duration, OffsetDateTime, macros::format_description};

/// Minor units with the currency's decimals, thousands apart.
#[must_use]
pub fn money(units: i128, exponent: u8) -> String {
    let text = decimal(units, exponent);
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("−", rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if fraction.is_empty() {
        format!("{sign}{grouped}")
    } else {
        format!("{sign}{grouped}.{fraction}")
    }
}

/// The same of a decimal as text.
#[must_use]
pub fn grouped(text: &str) -> String {
    let exponent = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let units = text.replace('.', "").parse::<i128>();
    match (units, u8::try_from(exponent)) {
        (Ok(units), Ok(exponent)) => money(units, exponent),
        _ => text.to_owned(),
    }
}

/// A time, UTC, to the second.
#[must_use]
pub fn when(at: OffsetDateTime) -> String {
    let form = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    at.to_offset(time::UtcOffset::UTC).format(form).unwrap_or_default()
}

/// A time, UTC, to the millisecond; a dash where there is none.
#[must_use]
pub fn precisely(at: Option<OffsetDateTime>) -> String {
    let form =
        format_description!("[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:3]");
    let text = at.and_then(|at| at.to_offset(time::UtcOffset::UTC).format(form).ok());
    text.unwrap_or_else(|| "–".to_owned())
}

/// A time of today or of these days: `hh:mm`, with the day if it is another.
#[must_use]
pub fn soon(at: OffsetDateTime, now: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    let (clock, day) = (
        format_description!("[hour]:[minute]"),
        format_description!("[day] [month repr:short] [hour]:[minute]"),
    );
    let text = if at.date() == now.date() { at.format(clock) } else { at.format(day) };
    text.unwrap_or_default()
}

/// A time for machines.
#[must_use]
pub fn machine(at: OffsetDateTime) -> String {
    at.format(&time::format_description::well_known::Rfc3339).unwrap_or_default()
}

/// How long something is or was: its two greatest units.
#[must_use]
pub fn long(duration: Duration) -> String {
    let seconds = duration.whole_seconds().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// A latency of microseconds.
#[must_use]
pub fn latency(micros: Option<i64>) -> String {
    let Some(micros) = micros else { return "–".to_owned() };
    match micros {
        ..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{} ms", micros / 1_000),
        1_000_000..120_000_000 => format!("{}.{} s", micros / 1_000_000, micros / 100_000 % 10),
        _ => long(Duration::microseconds(micros)),
    }
}

/// A code as people read it: `MISSING_IN_LEDGER`, `sign_in`.
#[must_use]
pub fn words(code: &str) -> String {
    let text = code.replace('_', " ").to_lowercase();
    if text == "uetr" {
        return text.to_uppercase();
    }
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().collect::<String>());
    first.unwrap_or_default() + letters.as_str()
}

/// The states of a transfer, as schema `ledger` numbers them: word, ISO 20022 status, tone.
pub const STATES: [(u8, &str, &str, &str); 7] = [
    (1, "Pending", "ACSP", "going"),
    (2, "Settled", "ACSC", "good"),
    (3, "Credited", "ACCC", "good"),
    (4, "Rejected", "RJCT", "over"),
    (5, "Expired", "RJCT", "over"),
    (6, "Cancelled", "CANC", "over"),
    (7, "Burned", "RJCT", "over"),
];

/// A state's word.
#[must_use]
pub fn state(code: u8) -> &'static str {
    STATES.iter().find(|row| row.0 == code).map_or("Unknown", |row| row.1)
}

/// A state's tone: `good`, `going`, `care` or `over`.
#[must_use]
pub fn tone(code: u8) -> &'static str {
    STATES.iter().find(|row| row.0 == code).map_or("over", |row| row.3)
}

/// What a leg is.
#[must_use]
pub const fn leg(kind: u8) -> &'static str {
    match kind {
        1 => "Principal",
        2 => "Fee",
        3 => "Payout fee",
        4 => "Funding",
        5 => "Withdrawal",
        _ => "Other",
    }
}

/// The tone of a break's state.
#[must_use]
pub fn break_tone(state: &str, overdue: bool) -> &'static str {
    match state {
        "closed" => "over",
        "approved" => "good",
        _ if overdue => "care",
        _ => "going",
    }
}

/// Bytes for people.
#[must_use]
pub fn size(bytes: i64) -> String {
    match bytes {
        ..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{} KiB", bytes / 1_024),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}

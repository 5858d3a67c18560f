//! The one place that reads the wall clock, and conversions between the ledger's microseconds and calendar time.
use ledger_types::Timestamp;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// This machine's time.
#[must_use]
pub fn now() -> Timestamp {
    from_calendar(OffsetDateTime::now_utc())
}

/// Calendar time of a timestamp; `None` for zero, which means none.
#[must_use]
pub fn calendar(at: Timestamp) -> Option<OffsetDateTime> {
    if at == Timestamp::ZERO {
        return None;
    }
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.micros()) * 1_000).ok()
}

/// Calendar time, the epoch for none.
#[must_use]
pub fn calendar_or_epoch(at: Timestamp) -> OffsetDateTime {
    calendar(at).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// The timestamp of a calendar time, zero before 1970.
#[must_use]
pub fn from_calendar(at: OffsetDateTime) -> Timestamp {
    Timestamp::from_micros(u64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(0))
}

/// RFC 3339 text.
#[must_use]
pub fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}

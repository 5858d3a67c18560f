//! Calendar time where the money arrives, by the IANA time zone database; a country that is not listed here is shown UTC.
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use time::OffsetDateTime;

/// Countries with one time zone: code, zone and the message that names its place.
const ZONES: [(&str, &str, &str); 4] = [
    ("HK", "Asia/Hong_Kong", "place-HK"),
    ("MY", "Asia/Kuala_Lumpur", "place-MY"),
    ("PH", "Asia/Manila", "place-PH"),
    ("PK", "Asia/Karachi", "place-PK"),
];

/// Where times are told for.
#[derive(Clone, Debug)]
pub struct Place {
    zone: TimeZone,
    /// Names it among the messages.
    pub key: &'static str,
}

impl Place {
    /// Of a country.
    #[must_use]
    pub fn of(country: &str) -> Self {
        let listed = ZONES.iter().find(|(code, _, _)| *code == country);
        let known = listed
            .and_then(|(_, name, key)| TimeZone::get(name).ok().map(|zone| Self { zone, key }));
        known.unwrap_or_else(|| Self { zone: TimeZone::UTC, key: "place-UTC" })
    }

    /// That time here.
    #[must_use]
    pub fn time(&self, at: OffsetDateTime) -> DateTime {
        let micros = i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or_default();
        let at = Timestamp::from_microsecond(micros).unwrap_or_default();
        self.zone.to_datetime(at)
    }
}

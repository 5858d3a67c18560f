//! Business days of a currency where its money lives: time zone, cut-off, weekend and dated holidays, from files that
//! anybody can edit. It must never guess: outside the days that a file covers there is no business day.

use std::{collections::BTreeMap, path::Path};

use jiff::{Timestamp, civil, tz::TimeZone};
use time::{Date, OffsetDateTime, Weekday};

use crate::{
    error::{DayRefusal, Error},
    take::date,
};

const BUILT_IN: [&str; 6] = [
    include_str!("../calendars/HKD.toml"),
    include_str!("../calendars/MYR.toml"),
    include_str!("../calendars/PHP.toml"),
    include_str!("../calendars/PKR.toml"),
    include_str!("../calendars/SGD.toml"),
    include_str!("../calendars/USD.toml"),
];

/// A calendar as its file says it.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    currency: String,
    time_zone: String,
    /// HH:MM or HH:MM:SS, local.
    cut_off: String,
    weekend: Vec<String>,
    /// Where the holidays are published.
    source: String,
    from: String,
    to: String,
    holidays: BTreeMap<String, String>,
}

/// The business days of one currency.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: TimeZone,
    cut_off: civil::Time,
    weekend: Vec<Weekday>,
    /// Where the holidays are published.
    pub source: String,
    from: Date,
    to: Date,
    holidays: BTreeMap<Date, String>,
}

/// Every calendar, by currency.
#[derive(Clone, Debug, Default)]
pub struct Calendars(BTreeMap<String, Calendar>);

impl Calendars {
    /// The built-in ones, and before them those of a folder of `*.toml`.
    ///
    /// # Errors
    /// [`Error::File`] naming the file and what is wrong in it.
    pub fn load(folder: Option<&Path>) -> Result<Self, Error> {
        let mut all = BTreeMap::new();
        for text in BUILT_IN {
            let (currency, calendar) = read(text, "built-in calendar")?;
            all.insert(currency, calendar);
        }
        let Some(folder) = folder else { return Ok(Self(all)) };
        let wrong = |path: &Path, error: &dyn std::fmt::Display| Error::File {
            path: path.display().to_string(),
            reason: error.to_string(),
        };
        let listed = std::fs::read_dir(folder).map_err(|error| wrong(folder, &error))?;
        for entry in listed.flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|ending| ending == "toml") {
                let text = std::fs::read_to_string(&path).map_err(|error| wrong(&path, &error))?;
                let (currency, calendar) = read(&text, &path.display().to_string())?;
                all.insert(currency, calendar);
            }
        }
        Ok(Self(all))
    }

    #[must_use]
    pub fn get(&self, currency: &str) -> Option<&Calendar> {
        self.0.get(currency)
    }

    /// The local day of a time; UTC's where no calendar says otherwise.
    #[must_use]
    pub fn day_of(&self, currency: &str, at: OffsetDateTime) -> Date {
        let local = local(self.get(currency).map_or(&TimeZone::UTC, |own| &own.zone), at);
        date(&local.date().to_string()).unwrap_or_else(|| at.date())
    }

    /// Whether the cut-off of a day has passed; without a calendar a day ends with it, UTC.
    #[must_use]
    pub fn cut_off_passed(&self, currency: &str, day: Date, now: OffsetDateTime) -> bool {
        match self.get(currency).and_then(|calendar| calendar.cut_off(day)) {
            Some(cut_off) => now >= cut_off,
            None => now.date() > day,
        }
    }
}

impl Calendar {
    /// Whether business is done on a day.
    ///
    /// # Errors
    /// Why not.
    pub fn business(&self, day: Date) -> Result<(), DayRefusal> {
        if day < self.from || day > self.to {
            return Err(DayRefusal::CalendarMissing);
        }
        if let Some(name) = self.holidays.get(&day) {
            return Err(DayRefusal::Holiday(name.clone()));
        }
        if self.weekend.contains(&day.weekday()) {
            return Err(DayRefusal::Holiday(day.weekday().to_string()));
        }
        Ok(())
    }

    /// The business day before; nothing where the file does not say.
    #[must_use]
    pub fn former(&self, day: Date) -> Option<Date> {
        let mut former = day.previous_day()?;
        while former >= self.from {
            if self.business(former).is_ok() {
                return Some(former);
            }
            former = former.previous_day()?;
        }
        None
    }

    /// The name of its time zone in the IANA database.
    #[must_use]
    pub fn time_zone(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// What a clock on the wall shows at a time, to the second.
    #[must_use]
    pub fn clock(&self, at: OffsetDateTime) -> String {
        let time = local(&self.zone, at).time();
        format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second())
    }

    /// When a day's business ends.
    #[must_use]
    pub fn cut_off(&self, day: Date) -> Option<OffsetDateTime> {
        let local: civil::Date = day.to_string().parse().ok()?;
        let at = self.zone.to_timestamp(local.to_datetime(self.cut_off)).ok()?;
        OffsetDateTime::from_unix_timestamp(at.as_second()).ok()
    }
}

fn local(zone: &TimeZone, at: OffsetDateTime) -> civil::DateTime {
    let micros = i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or_default();
    zone.to_datetime(Timestamp::from_microsecond(micros).unwrap_or_default())
}

fn read(text: &str, name: &str) -> Result<(String, Calendar), Error> {
    let wrong = |reason: String| Error::File { path: name.to_owned(), reason };
    let file: File = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let day = |text: &str| {
        date(text).ok_or_else(|| wrong(format!("{text} is no date: write YYYY-MM-DD")))
    };
    let zone = TimeZone::get(&file.time_zone).map_err(|_| {
        wrong(format!("time_zone: {} is none of the IANA database", file.time_zone))
    })?;
    let cut_off = file
        .cut_off
        .parse()
        .map_err(|_| wrong(format!("cut_off: {} is no time: write HH:MM", file.cut_off)))?;
    let weekend = file.weekend.iter().map(|name| {
        name.parse().map_err(|_| wrong(format!("weekend: {name} is no day: write Saturday")))
    });
    let mut holidays = BTreeMap::new();
    for (at, name) in &file.holidays {
        holidays.insert(day(at)?, name.clone());
    }
    let calendar = Calendar {
        zone,
        cut_off,
        weekend: weekend.collect::<Result<_, _>>()?,
        source: file.source,
        from: day(&file.from)?,
        to: day(&file.to)?,
        holidays,
    };
    Ok((file.currency, calendar))
}

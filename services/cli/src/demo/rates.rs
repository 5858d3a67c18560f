//! Demonstration rates, dated today, in the files that a liquidity bank reads. They are labelled as
//! what they are and never stand for a market's.

use std::path::Path;

use anyhow::Context as _;
use time::{OffsetDateTime, macros::format_description};

/// Units for one euro, of the order of late 2026.
const UNITS_PER_EURO: [(&str, &str); 4] =
    [("USD", "1.1600"), ("HKD", "9.0300"), ("PHP", "68.100"), ("MYR", "4.8000")];
const PKR_PER_EURO: &str = "321.26";

/// Writes `eurofxref.csv` and `pkr.csv` into a folder.
pub(super) fn write(folder: &Path) -> anyhow::Result<()> {
    let today = OffsetDateTime::now_utc()
        .date()
        .format(format_description!("[year]-[month]-[day]"))
        .context("today has no date")?;
    let codes: Vec<&str> = UNITS_PER_EURO.iter().map(|(code, _)| *code).collect();
    let units: Vec<&str> = UNITS_PER_EURO.iter().map(|(_, units)| *units).collect();
    let daily = format!("Date,{}\n{today},{}\n", codes.join(","), units.join(","));
    let rupee = format!("currency,units_per_eur,date\nPKR,{PKR_PER_EURO},{today}\n");
    for (name, text) in [("eurofxref.csv", daily), ("pkr.csv", rupee)] {
        let file = folder.join(name);
        let shown = file.display();
        std::fs::create_dir_all(folder).with_context(|| format!("{shown}: cannot be made"))?;
        std::fs::write(&file, text).with_context(|| format!("{shown}: cannot be written"))?;
    }
    Ok(())
}

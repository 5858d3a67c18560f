//! Breaks as a table to be edited elsewhere and taken back: what was changed, and what is refused. It must never
//! change a break.

use std::collections::BTreeMap;

use crate::{breaks::Resolution, error::Error, store::BreakRow};

/// The columns, in order. Those behind `state` may be edited; the others must stay.
pub const COLUMNS: [&str; 12] = [
    "break",
    "version",
    "account",
    "currency",
    "cause",
    "at_risk",
    "value_date",
    "due_at",
    "state",
    "owner",
    "comment",
    "resolution",
];
/// The most rows of one upload.
const ROWS_MAX: usize = 100_000;

/// One change of one break.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    #[serde(rename = "break")]
    pub id: i64,
    pub version: i32,
    /// The owner from now on; an empty one takes it away.
    pub owner: Option<String>,
    pub comment: Option<String>,
    pub resolution: Option<String>,
}

/// A row that is not taken, and why.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Refusal {
    /// The line of the file, from 1.
    pub line: u64,
    pub code: &'static str,
    pub text: String,
}

/// What an upload would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Preview {
    pub changes: Vec<Change>,
    pub refusals: Vec<Refusal>,
    pub unchanged: usize,
}

/// Breaks as CSV. A text that a spreadsheet would take for a formula is led by an apostrophe.
///
/// # Errors
/// [`Error::Invalid`] when a row cannot be written.
pub fn export(rows: &[BreakRow]) -> Result<Vec<u8>, Error> {
    let wrong =
        |_| Error::Invalid { field: "export", reason: "a row cannot be written".to_owned() };
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record(COLUMNS).map_err(wrong)?;
    for row in rows {
        out.write_record(fixed(row)).map_err(wrong)?;
    }
    out.into_inner()
        .map_err(|_| Error::Invalid { field: "export", reason: "cannot be written".to_owned() })
}

fn fixed(row: &BreakRow) -> [String; 12] {
    [
        row.id.to_string(),
        row.version.to_string(),
        safe(&row.identification),
        row.currency.clone(),
        row.cause.clone(),
        row.at_risk_text(),
        row.value_date.to_string(),
        row.due_at.date().to_string(),
        row.state.clone(),
        safe(row.owner.as_deref().unwrap_or_default()),
        String::new(),
        String::new(),
    ]
}

fn safe(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

fn plain(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('\'').filter(|rest| rest.starts_with(['=', '+', '-', '@'])).unwrap_or(text)
}

/// The numbers of the breaks that a table names; what is no number is refused by [`preview`].
#[must_use]
pub fn numbers(bytes: &[u8]) -> Vec<i64> {
    let mut reader = csv::Reader::from_reader(bytes);
    let records = reader.records().take(ROWS_MAX + 1).filter_map(Result::ok);
    records.filter_map(|record| plain(record.get(0)?).parse().ok()).collect()
}

/// What an edited table would do to the breaks as they are.
///
/// # Errors
/// [`Error::Invalid`] when it is no such table at all.
pub fn preview(bytes: &[u8], breaks: &BTreeMap<i64, BreakRow>) -> Result<Preview, Error> {
    let wrong = |reason: String| Error::Invalid { field: "file", reason };
    let mut reader = csv::Reader::from_reader(bytes);
    let headings = reader.headers().map_err(|error| wrong(error.to_string()))?;
    if !headings.iter().map(str::trim).eq(COLUMNS) {
        return Err(wrong(format!("its columns must be {}", COLUMNS.join(","))));
    }
    let mut preview = Preview::default();
    let mut seen: BTreeMap<i64, u64> = BTreeMap::new();
    for (line, record) in (2_u64..).zip(reader.records()) {
        let record = record.map_err(|error| wrong(error.to_string()))?;
        if preview.changes.len() + preview.refusals.len() + preview.unchanged >= ROWS_MAX {
            return Err(wrong(format!("it has more than {ROWS_MAX} rows")));
        }
        let refuse = |code, text| Refusal { line, code, text };
        match row(&record, breaks) {
            Err((code, text)) => preview.refusals.push(refuse(code, text)),
            Ok(None) => preview.unchanged += 1,
            Ok(Some(change)) => match seen.insert(change.id, line) {
                Some(first) => {
                    let text = format!("break {} stands in line {first} too", change.id);
                    preview.refusals.push(refuse("INVALID", text));
                }
                None => preview.changes.push(change),
            },
        }
    }
    Ok(preview)
}

type Wrong = (&'static str, String);

fn row(
    record: &csv::StringRecord,
    breaks: &BTreeMap<i64, BreakRow>,
) -> Result<Option<Change>, Wrong> {
    let cell = |at: usize| plain(record.get(at).unwrap_or_default());
    let number = |at: usize, name: &str| {
        let text = cell(at);
        text.parse::<i64>().map_err(|_| ("INVALID", format!("{name}: {text} is no number")))
    };
    let (id, version) = (number(0, "break")?, number(1, "version")?);
    let own = breaks.get(&id).ok_or_else(|| ("NOT_FOUND", format!("there is no break {id}")))?;
    if version != i64::from(own.version) {
        let text =
            format!("break {id} is at version {}, not {version}: download it again", own.version);
        return Err(("STALE", text));
    }
    let kept = fixed(own);
    for at in 2..9 {
        let (column, stays) = (COLUMNS[at], plain(&kept[at]));
        if cell(at) != stays {
            let text = format!("{column} of break {id} is {stays} and can't be edited");
            return Err(("INVALID", text));
        }
    }
    let owner = cell(9).to_lowercase();
    let owner = (owner != own.owner.as_deref().unwrap_or_default()).then_some(owner);
    let comment = Some(cell(10)).filter(|text| !text.is_empty()).map(str::to_owned);
    if comment.as_ref().is_some_and(|text| text.chars().count() > 4_000) {
        return Err(("INVALID", format!("the comment on break {id} has over 4,000 letters")));
    }
    let resolution = match cell(11) {
        "" => None,
        word => {
            let all = Resolution::ALL.map(Resolution::as_str).join(", ");
            let text = || format!("resolution: {word} is none of {all}");
            let found = Resolution::of(word).ok_or_else(|| ("INVALID", text()))?;
            if own.state != "approved" {
                let text = format!(
                    "break {id} is {}: it is closed once a correction is approved",
                    own.state
                );
                return Err(("STATE", text));
            }
            Some(found.as_str().to_owned())
        }
    };
    let changed = owner.is_some() || comment.is_some() || resolution.is_some();
    let version = own.version;
    Ok(changed.then_some(Change { id, version, owner, comment, resolution }))
}

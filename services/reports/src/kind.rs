//! Which reports there are, what each is asked with, and what its columns are. It must never read a row.

use time::{Date, Month};

use crate::error::Error;

/// A report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What went through each corridor on each day: number, money, fees, speed.
    Corridors,
    /// What each account held at the beginning and end of each day, and what moved.
    Liquidity,
    /// Transfers above an amount that must be reported.
    Covered,
    /// Breaks that are open, by age.
    Breaks,
    /// What people did in the office.
    Audit,
}

impl Kind {
    pub const ALL: [Self; 5] =
        [Self::Corridors, Self::Liquidity, Self::Covered, Self::Breaks, Self::Audit];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Corridors => "corridors",
            Self::Liquidity => "liquidity",
            Self::Covered => "covered",
            Self::Breaks => "breaks",
            Self::Audit => "audit",
        }
    }

    /// What it says, in a line.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Corridors => {
                "transfers of each corridor and day: number, money, fees, time to final and to credit"
            }
            Self::Liquidity => "each account on each day: opening, debits, credits, closing",
            Self::Covered => "settled transfers above --above of a currency",
            Self::Breaks => "open breaks by age, with the money at risk",
            Self::Audit => "what people did in the office, in order",
        }
    }

    /// Raised when its columns or their meaning change.
    #[must_use]
    pub const fn edition(self) -> u32 {
        1
    }

    /// Whether it is of days.
    #[must_use]
    pub const fn of_days(self) -> bool {
        match self {
            Self::Corridors | Self::Liquidity | Self::Covered => true,
            Self::Breaks | Self::Audit => false,
        }
    }

    #[must_use]
    pub const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Corridors => &[
                "day",
                "corridor",
                "from_country",
                "to_country",
                "currency",
                "submitted",
                "settled",
                "credited",
                "rejected",
                "expired",
                "cancelled",
                "burned",
                "pending",
                "settled_amount",
                "source_currency",
                "source_amount",
                "fees_amount",
                "fees_share",
                "final_ms_p50",
                "final_ms_p95",
                "credited_ms_p50",
                "credited_ms_p95",
                "credited_within_1h_share",
            ],
            Self::Liquidity => &[
                "day",
                "account",
                "participant",
                "name",
                "currency",
                "opening",
                "debits",
                "credits",
                "closing",
                "movements",
            ],
            Self::Covered => &[
                "settled_at",
                "day",
                "uetr",
                "debtor_agent",
                "creditor_agent",
                "corridor",
                "currency",
                "amount",
                "record",
            ],
            Self::Breaks => &[
                "break",
                "opened_at",
                "due_at",
                "age_days",
                "overdue",
                "cause",
                "account",
                "participant",
                "currency",
                "at_risk",
                "owner",
            ],
            Self::Audit => {
                &["act", "at", "actor", "role", "verb", "subject", "subject_id", "detail"]
            }
        }
    }
}

impl std::str::FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::Invalid { field: "report", reason: format!("{text} is none of {names}") }
        })
    }
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub kind: Kind,
    /// The first day; where a report is of days.
    pub from: Option<Date>,
    /// The last day.
    pub to: Option<Date>,
    /// Whose days: an IANA time zone.
    pub zone: String,
    /// Only what this participant is party to, or its accounts.
    pub participant: Option<u32>,
    /// Only this currency.
    pub currency: Option<String>,
    /// Minor units that a covered transfer exceeds.
    pub above: Option<u64>,
    /// Records from 0 that count; absent: all that the tables hold.
    pub records: Option<u64>,
    /// Acts of the office that count; absent: all.
    pub acts: Option<i64>,
}

impl Asked {
    /// A report without any limit, on UTC days.
    #[must_use]
    pub fn all(kind: Kind) -> Self {
        Self {
            kind,
            from: None,
            to: None,
            zone: "UTC".to_owned(),
            participant: None,
            currency: None,
            above: None,
            records: None,
            acts: None,
        }
    }

    /// Checks what can be checked without a database.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the field.
    pub fn check(&self) -> Result<(), Error> {
        let invalid =
            |field, reason: &str| Err(Error::Invalid { field, reason: reason.to_owned() });
        if !self.kind.of_days() && (self.from.is_some() || self.to.is_some()) {
            return invalid("from", "this report is of a moment, and takes no days");
        }
        if self.from.zip(self.to).is_some_and(|(from, to)| from > to) {
            return invalid("to", "must not be before --from");
        }
        if self.kind == Kind::Audit && (self.participant.is_some() || self.currency.is_some()) {
            return invalid(
                "participant",
                "acts are of the whole office; take the report without it",
            );
        }
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte);
        if self.zone.is_empty() || self.zone.len() > 64 || !self.zone.bytes().all(letter) {
            return invalid("zone", "must be an IANA time zone, such as Asia/Manila");
        }
        let word =
            |code: &String| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        if self.currency.as_ref().is_some_and(|code| !word(code)) {
            return invalid("currency", "must be three capitals, such as PHP");
        }
        match (self.kind, self.above, &self.currency) {
            (Kind::Covered, Some(_), Some(_)) => Ok(()),
            (Kind::Covered, _, _) => {
                invalid("above", "give --above, in minor units, and --currency")
            }
            (_, Some(_), _) => invalid("above", "only the report of covered transfers takes it"),
            (_, None, _) => Ok(()),
        }
    }

    /// The first and last day as a query takes them.
    pub(crate) fn days(&self) -> (Date, Date) {
        let day = |year| Date::from_calendar_date(year, Month::January, 1).unwrap_or(Date::MIN);
        (self.from.unwrap_or_else(|| day(1970)), self.to.unwrap_or_else(|| day(9999)))
    }

    /// What was asked, a line each, in one order; `records` and `acts` stand apart.
    #[must_use]
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut lines = Vec::new();
        let days = self.kind.of_days();
        lines.extend(self.from.map(|day| ("from", day.to_string())));
        lines.extend(self.to.map(|day| ("to", day.to_string())));
        lines.extend(days.then(|| ("zone", self.zone.clone())));
        lines.extend(self.participant.map(|number| ("participant", number.to_string())));
        lines.extend(self.currency.clone().map(|code| ("currency", code)));
        lines.extend(self.above.map(|units| ("above", units.to_string())));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_wrongly_is_named() {
        let field = |asked: Asked| match asked.check() {
            Err(Error::Invalid { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        let day = |day| Date::from_calendar_date(2026, Month::March, day).ok();
        let corridors = Asked::all(Kind::Corridors);
        assert!(corridors.check().is_ok());
        assert_eq!(field(Asked { from: day(2), to: day(1), ..corridors.clone() }), "to");
        assert_eq!(field(Asked { zone: "Asia/Manila'; --".into(), ..corridors.clone() }), "zone");
        assert_eq!(field(Asked { currency: Some("php".into()), ..corridors.clone() }), "currency");
        assert_eq!(field(Asked { above: Some(1), ..corridors }), "above");
        assert_eq!(field(Asked::all(Kind::Covered)), "above");
        assert_eq!(field(Asked { from: day(1), ..Asked::all(Kind::Breaks) }), "from");
        assert_eq!(field(Asked { participant: Some(1), ..Asked::all(Kind::Audit) }), "participant");
        assert!("corridor".parse::<Kind>().is_err());
    }
}

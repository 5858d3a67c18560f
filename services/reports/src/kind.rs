//! Which reports there are, what each is asked with, and what its columns are. It must never read a row.

use ledger_types::{Currency, Money};
use time::{Date, Month};

use crate::columns;
use crate::error::Error;
use crate::table::Column;

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
    /// What a participant's own customers moved in a day, where it reaches an amount.
    Thresholds,
    /// Which data of the people travelled with each transfer.
    TravelRule,
    /// Screenings that found a name, or failed.
    Screening,
}

impl Kind {
    pub const ALL: [Self; 8] = [
        Self::Corridors,
        Self::Liquidity,
        Self::Covered,
        Self::Breaks,
        Self::Audit,
        Self::Thresholds,
        Self::TravelRule,
        Self::Screening,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Corridors => "corridors",
            Self::Liquidity => "liquidity",
            Self::Covered => "covered",
            Self::Breaks => "breaks",
            Self::Audit => "audit",
            Self::Thresholds => "thresholds",
            Self::TravelRule => "travel-rule",
            Self::Screening => "screening",
        }
    }

    /// What it says, in a line.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Corridors => {
                "transfers of each corridor and day: number, money, fees, cost over the mid rate, time to final and to credit"
            }
            Self::Liquidity => "each account on each day: opening, debits, credits, closing",
            Self::Covered => "settled transfers above an amount of a currency",
            Self::Breaks => "open breaks by age, with the money at risk",
            Self::Audit => "what people did in the office, in order",
            Self::Thresholds => {
                "of a gateway: persons, as digests, whose transfers of a day reach an amount"
            }
            Self::TravelRule => {
                "of a gateway: which data of the people travelled with each transfer"
            }
            Self::Screening => "of a gateway: screenings that found a name or failed",
        }
    }

    /// Raised when its columns or their meaning change.
    #[must_use]
    pub const fn edition(self) -> u32 {
        match self {
            Self::Corridors => 2,
            Self::Liquidity
            | Self::Covered
            | Self::Breaks
            | Self::Audit
            | Self::Thresholds
            | Self::TravelRule
            | Self::Screening => 1,
        }
    }

    /// Whether it is of days.
    #[must_use]
    pub const fn of_days(self) -> bool {
        match self {
            Self::Corridors
            | Self::Liquidity
            | Self::Covered
            | Self::Thresholds
            | Self::TravelRule
            | Self::Screening => true,
            Self::Breaks | Self::Audit => false,
        }
    }

    /// Whether it is made of a participant's own gateway, which alone holds what it tells.
    #[must_use]
    pub const fn of_gateway(self) -> bool {
        match self {
            Self::Thresholds | Self::TravelRule | Self::Screening => true,
            Self::Corridors | Self::Liquidity | Self::Covered | Self::Breaks | Self::Audit => false,
        }
    }

    #[must_use]
    pub const fn columns(self) -> &'static [Column] {
        columns::of(self)
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
    /// Minor units that a covered transfer, or a person's day, exceeds.
    pub above: Option<u64>,
    /// Minor units that a person's day reaches.
    pub least: Option<u64>,
    /// Whether only what was paid out in cash counts towards it.
    pub cash: bool,
    /// Data that should have travelled: words of corridors' travel rules.
    pub required: Vec<&'static str>,
    /// What 200 USD are in money that is sent, by currency; where a report tells of cost.
    pub usd200: Vec<Money>,
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
            least: None,
            cash: false,
            required: Vec::new(),
            usd200: Vec::new(),
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
            return invalid("to", "must not be before the first day");
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
        self.check_usd200()?;
        self.check_gateway()?;
        match (self.kind, self.above, &self.currency) {
            (Kind::Covered, Some(_), Some(_)) | (Kind::Thresholds, _, Some(_)) => Ok(()),
            (Kind::Covered, _, _) => {
                invalid("above", "give the amount that is exceeded, and its currency")
            }
            (Kind::Thresholds, _, None) => invalid("currency", "give the amount's"),
            (_, Some(_), _) => invalid("above", "covered transfers and thresholds alone take it"),
            (_, None, _) => Ok(()),
        }
    }

    fn check_gateway(&self) -> Result<(), Error> {
        let invalid =
            |field, reason: &str| Err(Error::Invalid { field, reason: reason.to_owned() });
        if self.kind.of_gateway() && self.participant.is_none() {
            return invalid("participant", "say whose gateway it is");
        }
        if self.kind != Kind::TravelRule && !self.required.is_empty() {
            return invalid("required", "only the report of the travel rule takes it");
        }
        match (self.kind, self.above, self.least) {
            (Kind::Thresholds, Some(_), Some(_)) | (Kind::Thresholds, None, None) => invalid(
                "least",
                "give the amount that is reached, or --above the one that is exceeded",
            ),
            (Kind::Thresholds, _, _) => Ok(()),
            (_, _, Some(_)) => invalid("least", "only the report of thresholds takes it"),
            (_, _, None) if self.cash => invalid("cash", "only the report of thresholds takes it"),
            (_, _, None) => Ok(()),
        }
    }

    fn check_usd200(&self) -> Result<(), Error> {
        let invalid = |reason: String| Err(Error::Invalid { field: "usd200", reason });
        if self.kind != Kind::Corridors && !self.usd200.is_empty() {
            return invalid("only the report of corridors takes it".to_owned());
        }
        for (at, own) in self.usd200.iter().enumerate() {
            if own.minor_units == 0 || i64::try_from(own.minor_units).is_err() {
                return invalid(format!("{} is out of range", own.currency));
            }
            if self.usd200.iter().skip(at + 1).any(|other| other.currency == own.currency) {
                return invalid(format!("{} stands there twice", own.currency));
            }
        }
        Ok(())
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
        lines.extend(self.least.map(|units| ("least", units.to_string())));
        lines.extend(self.cash.then(|| ("cash", "yes".to_owned())));
        let mut required = self.required.clone();
        required.sort_unstable();
        required.dedup();
        lines.extend((!required.is_empty()).then(|| ("required", required.join(","))));
        let mut usd200: Vec<String> = self.usd200.iter().map(local_text).collect();
        usd200.sort();
        lines.extend((!usd200.is_empty()).then(|| ("usd200", usd200.join(","))));
        lines
    }
}

fn local_text(money: &Money) -> String {
    let exponent = money.currency.exponent().unwrap_or_default();
    format!("{}={}", money.currency, money.decimal(exponent))
}

/// What an amount of another currency is in a local one, as people write it: `HKD=1560.00`.
///
/// # Errors
/// Why it is none.
pub fn local(text: &str) -> Result<Money, String> {
    let form = || format!("{text} is not written as HKD=1560.00");
    let (code, amount) = text.split_once('=').ok_or_else(form)?;
    let currency = code.trim().parse::<Currency>().map_err(|error| format!("{code}: {error}"))?;
    let exponent = currency.exponent().ok_or_else(|| format!("{code} has no amounts"))?;
    Money::parse(amount.trim(), currency, exponent).map_err(|error| format!("{text}: {error}"))
}

/// A word of a corridor's travel rule.
///
/// # Errors
/// Which words there are.
pub fn travel_field(text: &str) -> Result<&'static str, String> {
    let fields = ledger_proof::operator::travel_field::ALL.map(|(word, _)| word);
    let known = fields.into_iter().find(|word| *word == text);
    known.ok_or_else(|| format!("{text} is none of {}", fields.join(", ")))
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
        let usd200 = |texts: &[&str]| -> Vec<Money> {
            texts.iter().map(|text| local(text).unwrap()).collect()
        };
        let twice = usd200(&["HKD=1560.00", "HKD=1"]);
        assert_eq!(field(Asked { usd200: twice, ..corridors.clone() }), "usd200");
        assert_eq!(field(Asked { usd200: usd200(&["HKD=0"]), ..corridors.clone() }), "usd200");
        let breaks = Asked { usd200: usd200(&["HKD=1"]), ..Asked::all(Kind::Breaks) };
        assert_eq!(field(breaks), "usd200");
        let two = usd200(&["MYR=890.5", "HKD=1560.00"]);
        let told = Asked { usd200: two, ..corridors.clone() }.parameters();
        assert!(told.contains(&("usd200", "HKD=1560.00,MYR=890.50".to_owned())), "{told:?}");
        for wrong in ["1560", "HKD", "hkd=1", "HKD=1.234", "XXX=1", "HKD=-1"] {
            assert!(local(wrong).is_err(), "{wrong}");
        }
        assert_eq!(field(Asked { above: Some(1), ..corridors }), "above");
        assert_eq!(field(Asked::all(Kind::Covered)), "above");
        assert_eq!(field(Asked { from: day(1), ..Asked::all(Kind::Breaks) }), "from");
        assert_eq!(field(Asked { participant: Some(1), ..Asked::all(Kind::Audit) }), "participant");
        assert!("corridor".parse::<Kind>().is_err());
        let of = |kind| Asked { participant: Some(101), ..Asked::all(kind) };
        let php = |asked: Asked| Asked { currency: Some("PHP".into()), ..asked };
        assert_eq!(field(Asked::all(Kind::Screening)), "participant");
        assert_eq!(field(of(Kind::Thresholds)), "least");
        assert_eq!(field(Asked { least: Some(5), ..of(Kind::Thresholds) }), "currency");
        let both = Asked { least: Some(5), above: Some(5), ..of(Kind::Thresholds) };
        assert_eq!(field(php(both)), "least");
        assert!(php(Asked { least: Some(5), cash: true, ..of(Kind::Thresholds) }).check().is_ok());
        assert_eq!(field(Asked { cash: true, ..of(Kind::TravelRule) }), "cash");
        assert_eq!(
            field(Asked { required: vec!["debtor_name"], ..of(Kind::Screening) }),
            "required"
        );
        assert!(travel_field("debtor_name").is_ok() && travel_field("debtor").is_err());
    }
}

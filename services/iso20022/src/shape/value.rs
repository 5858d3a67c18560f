//! The facets of simple types: lengths, patterns, code lists, numbers and dates; it must never know
//! which element it checks, nor check digits, which no XSD can express.

/// What a text must be.
#[derive(Debug, PartialEq)]
pub(super) enum Facet {
    /// One to this many characters.
    Text(usize),
    AnyText,
    Codes(Vec<&'static str>),
    Decimal {
        digits: usize,
        decimals: usize,
        signed: bool,
    },
    Boolean,
    Date,
    DateTime,
    Time,
    Currency,
    Country,
    Bic,
    Iban,
    Lei,
    Uetr,
    Phone,
    Alphanumeric4,
    /// This many digits, from and to.
    Numeric(usize, usize),
    /// Up to fifteen digits, a plus sign in front or not.
    PlusNumeric15,
    Isin,
    Language,
    YearMonth,
    /// A word that the table's reader does not know; a test shows that none is left.
    Unknown,
}

impl Facet {
    /// An amount of this many decimals.
    pub(super) const fn amount(decimals: usize) -> Self {
        Self::Decimal { digits: 18, decimals, signed: false }
    }

    /// A facet as the table of types writes it.
    pub(super) fn read(kind: &str, words: Vec<&'static str>) -> Self {
        let number = |at: usize| words.get(at).and_then(|word| word.parse::<usize>().ok());
        match (kind, words.first().copied()) {
            ("text", _) => number(0).map_or(Self::Unknown, Self::Text),
            ("any_text", _) => Self::AnyText,
            ("code", _) => Self::Codes(words),
            ("decimal", _) => match (number(0), number(1)) {
                (Some(digits), Some(decimals)) => {
                    Self::Decimal { digits, decimals, signed: words.get(2).is_none() }
                }
                _ => Self::Unknown,
            },
            ("boolean", _) => Self::Boolean,
            ("date", _) => Self::Date,
            ("date_time", _) => Self::DateTime,
            ("time", _) => Self::Time,
            ("pattern", Some("currency")) => Self::Currency,
            ("pattern", Some("country")) => Self::Country,
            ("pattern", Some("bic")) => Self::Bic,
            ("pattern", Some("iban")) => Self::Iban,
            ("pattern", Some("lei")) => Self::Lei,
            ("pattern", Some("uetr")) => Self::Uetr,
            ("pattern", Some("phone")) => Self::Phone,
            ("pattern", Some("alphanumeric4")) => Self::Alphanumeric4,
            ("pattern", Some("numeric15")) => Self::Numeric(1, 15),
            ("pattern", Some("numeric")) => match (number(1), number(2)) {
                (Some(least), Some(most)) => Self::Numeric(least, most),
                _ => Self::Unknown,
            },
            ("pattern", Some("plus_numeric15")) => Self::PlusNumeric15,
            ("pattern", Some("isin")) => Self::Isin,
            ("pattern", Some("language")) => Self::Language,
            ("year_month", _) => Self::YearMonth,
            _ => Self::Unknown,
        }
    }

    /// Whether a text is one; if not, what it must be.
    pub(super) fn check(&self, text: &str) -> Result<(), String> {
        // Types over xs:string keep their blanks; the others collapse them (XML Schema part 2).
        let collapsed = text.trim_matches([' ', '\t', '\r', '\n']);
        let (valid, wanted) = match self {
            Self::Text(most) => {
                let most = *most;
                let valid = (1..=most).contains(&text.chars().take(most + 1).count());
                return valid
                    .then_some(())
                    .ok_or_else(|| format!("must have 1 to {most} characters"));
            }
            Self::Codes(codes) => {
                let valid = codes.contains(&text);
                return valid
                    .then_some(())
                    .ok_or_else(|| format!("must be one of {}", codes.join(" ")));
            }
            Self::Decimal { digits, decimals, signed } => {
                let valid = decimal(collapsed, *digits, *decimals, *signed);
                return valid.then_some(()).ok_or_else(|| {
                    let sign = if *signed { "a" } else { "an unsigned" };
                    format!(
                        "must be {sign} decimal of at most {digits} digits ({decimals} decimals)"
                    )
                });
            }
            Self::AnyText | Self::Unknown => (true, ""),
            Self::Boolean => (matches!(collapsed, "true" | "false" | "1" | "0"), "true or false"),
            Self::Date => (date(collapsed), "a date like 2026-11-23"),
            Self::DateTime => {
                (date_time(collapsed), "a date and time like 2026-11-23T10:15:30+08:00")
            }
            Self::Time => (time(collapsed), "a time like 10:15:30+08:00"),
            Self::Currency => (pattern(text, "AAA"), "a currency of three capital letters"),
            Self::Country => (pattern(text, "AA"), "a country of two capital letters"),
            Self::Bic => (
                pattern(text, "XXXXAAXX") || pattern(text, "XXXXAAXXXXX"),
                "a BIC of 8 or 11 capital letters and digits",
            ),
            Self::Iban => (iban(text), "an IBAN: country, two digits, 1 to 30 letters and digits"),
            Self::Lei => (pattern(text, "XXXXXXXXXXXXXXXXXX99"), "an LEI of 20 characters"),
            Self::Uetr => (
                pattern(text, "hhhhhhhh-hhhh-4hhh-vhhh-hhhhhhhhhhhh"),
                "a UUID version 4 in lower case",
            ),
            Self::Phone => (phone(text), "a telephone number like +852-12345678"),
            Self::Alphanumeric4 => (pattern(text, "xxxx"), "four letters or digits"),
            Self::Numeric(least, most) => {
                let valid = (*least..=*most).contains(&text.len()) && digits(text);
                return valid
                    .then_some(())
                    .ok_or_else(|| format!("must have {least} to {most} digits"));
            }
            Self::PlusNumeric15 => {
                let number = text.strip_prefix('+').unwrap_or(text);
                ((1..=15).contains(&number.len()) && digits(number), "1 to 15 digits")
            }
            Self::Isin => (pattern(text, "AAXXXXXXXXX9"), "an ISIN of 12 characters"),
            Self::Language => (
                text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_lowercase()),
                "a language of two small letters",
            ),
            Self::YearMonth => (pattern(collapsed, "9999-99"), "a month like 2026-11"),
        };
        valid.then_some(()).ok_or_else(|| format!("must be {wanted}"))
    }
}

/// Whether a text fits a pattern, character by character: `9` digit, `A` capital, `X` capital or
/// digit, `x` letter or digit, `h` lower-case hexadecimal, `v` a UUID variant digit, else itself.
fn pattern(text: &str, pattern: &str) -> bool {
    text.len() == pattern.len()
        && text.bytes().zip(pattern.bytes()).all(|(byte, want)| match want {
            b'9' => byte.is_ascii_digit(),
            b'A' => byte.is_ascii_uppercase(),
            b'X' => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            b'x' => byte.is_ascii_alphanumeric(),
            b'h' => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            b'v' => matches!(byte, b'8' | b'9' | b'a' | b'b'),
            itself => byte == itself,
        })
}

fn digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn iban(text: &str) -> bool {
    let head = text.get(..4).is_some_and(|head| pattern(head, "AA99"));
    let tail = text.get(4..).unwrap_or("");
    head && (1..=30).contains(&tail.len()) && tail.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn phone(text: &str) -> bool {
    let Some((country, number)) = text.strip_prefix('+').and_then(|rest| rest.split_once('-'))
    else {
        return false;
    };
    let numeric = country.bytes().all(|byte| byte.is_ascii_digit());
    let sign = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'(' | b')' | b'+' | b'-');
    (1..=3).contains(&country.len())
        && numeric
        && (1..=30).contains(&number.len())
        && number.bytes().all(sign)
}

fn decimal(text: &str, digits: usize, decimals: usize, signed: bool) -> bool {
    let (negative, number) = match text.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let numeric = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !numeric(whole) || !numeric(fraction) {
        return false;
    }
    // Only digits that change the value count.
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let zero = whole.is_empty() && fraction.is_empty();
    whole.len() + fraction.len() <= digits
        && fraction.len() <= decimals
        && (signed || !negative || zero)
}

/// xs:dateTime of the years 0001 to 9999.
fn date_time(text: &str) -> bool {
    text.split_once('T').is_some_and(|(day, clock)| calendar_day(day) && time(clock))
}

fn date(text: &str) -> bool {
    let Some((day, zone)) = text.split_at_checked(10) else { return false };
    calendar_day(day) && zone_valid(zone)
}

/// Whether a text is a day of the calendar as ISO 8601 writes it, of the years 0001 to 9999.
#[must_use]
pub fn calendar_day(text: &str) -> bool {
    if !pattern(text, "9999-99-99") {
        return false;
    }
    let number = |range| text.get(range).and_then(|part: &str| part.parse::<u32>().ok());
    let (Some(year), Some(month), Some(day)) = (number(0..4), number(5..7), number(8..10)) else {
        return false;
    };
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    year > 0 && (1..=days).contains(&day)
}

fn time(text: &str) -> bool {
    let Some((clock, rest)) = text.split_at_checked(8) else { return false };
    if !pattern(clock, "99:99:99") {
        return false;
    }
    let zone = match rest.strip_prefix('.') {
        None => rest,
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|character: char| character.is_ascii_digit());
            if zone.len() == fraction.len() {
                return false;
            }
            zone
        }
    };
    // Digits compare like the numbers they write.
    zone_valid(zone)
        && (clock == "24:00:00" && rest == zone
            || clock < "24:00:00"
                && clock.get(3..5).is_some_and(|minute| minute < "60")
                && clock.get(6..8).is_some_and(|second| second < "60"))
}

fn zone_valid(zone: &str) -> bool {
    if matches!(zone, "" | "Z") {
        return true;
    }
    let Some(offset) = zone.strip_prefix(['+', '-']) else { return false };
    pattern(offset, "99:99")
        && offset <= "14:00"
        && offset.get(3..5).is_some_and(|minute| minute < "60")
}

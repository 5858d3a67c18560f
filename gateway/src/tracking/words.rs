//! The sentences of the tracking page: one Fluent file per language in gateway/locales, chosen by a query or by Accept-Language; no sentence stands in code.
use std::sync::LazyLock;

use fluent_bundle::{FluentArgs, FluentResource, concurrent::FluentBundle};
use jiff::civil::DateTime;
use unic_langid::LanguageIdentifier;

use super::zone::Place;

/// A language that the page speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Chinese in traditional characters.
    TraditionalChinese,
    /// Filipino.
    Filipino,
    /// Malay.
    Malay,
    /// Urdu, written from right to left.
    Urdu,
}

impl Language {
    /// Every language, in the order of the page's links.
    pub const ALL: [Self; 5] =
        [Self::English, Self::TraditionalChinese, Self::Filipino, Self::Malay, Self::Urdu];

    /// Its BCP 47 tag.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::TraditionalChinese => "zh-Hant",
            Self::Filipino => "fil",
            Self::Malay => "ms",
            Self::Urdu => "ur",
        }
    }

    /// `ltr` or `rtl`.
    #[must_use]
    pub const fn direction(self) -> &'static str {
        match self {
            Self::Urdu => "rtl",
            Self::English | Self::TraditionalChinese | Self::Filipino | Self::Malay => "ltr",
        }
    }

    const fn messages(self) -> &'static str {
        match self {
            Self::English => include_str!("../../locales/en.ftl"),
            Self::TraditionalChinese => include_str!("../../locales/zh-Hant.ftl"),
            Self::Filipino => include_str!("../../locales/fil.ftl"),
            Self::Malay => include_str!("../../locales/ms.ftl"),
            Self::Urdu => include_str!("../../locales/ur.ftl"),
        }
    }

    /// The language of a tag: each is spoken in one form here, so its first part decides. `tl` and
    /// `yue` are what some browsers call Filipino and the Chinese of Hong Kong.
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        match primary.as_str() {
            "en" => Some(Self::English),
            "zh" | "yue" => Some(Self::TraditionalChinese),
            "fil" | "tl" => Some(Self::Filipino),
            "ms" => Some(Self::Malay),
            "ur" => Some(Self::Urdu),
            _ => None,
        }
    }

    /// What was asked for, else what the browser prefers (RFC 9110, 12.5.4), else English.
    #[must_use]
    pub fn choose(asked: Option<&str>, accepted: Option<&str>) -> Self {
        let asked = asked.and_then(Self::of_tag);
        let accepted = || {
            let list = accept_language::parse_with_quality(accepted?);
            let wanted = list.into_iter().filter(|(_, quality)| *quality > 0.0);
            wanted.map(|(tag, _)| tag).find_map(|tag| Self::of_tag(&tag))
        };
        asked.or_else(accepted).unwrap_or(Self::English)
    }
}

type Bundle = FluentBundle<FluentResource>;

static BUNDLES: LazyLock<[(Language, Bundle); 5]> =
    LazyLock::new(|| Language::ALL.map(|language| (language, bundle(language))));

fn bundle(language: Language) -> Bundle {
    // A test reads every file, so there is nothing here to be said about a broken one.
    let resource = match FluentResource::try_new(language.messages().to_owned()) {
        Ok(resource) | Err((resource, _)) => resource,
    };
    let tag: LanguageIdentifier = language.tag().parse().unwrap_or_default();
    let mut bundle = Bundle::new_concurrent(vec![tag]);
    bundle.add_resource_overriding(resource);
    bundle
}

/// Speaks one language about one place.
#[derive(Clone, Debug)]
pub struct Words {
    /// Which.
    pub language: Language,
    place: Place,
    now: DateTime,
}

impl Words {
    /// Of a language, with times of a place.
    #[must_use]
    pub fn new(language: Language, place: Place, now: time::OffsetDateTime) -> Self {
        let now = place.time(now);
        Self { language, place, now }
    }

    /// The same place and time in another language.
    #[must_use]
    pub fn within(&self, language: Language) -> Self {
        Self { language, ..self.clone() }
    }

    /// A message without anything to fill in.
    #[must_use]
    pub fn say(&self, key: &str) -> String {
        self.tell(key, &[])
    }

    /// A message with what is to be filled in; its name if there is none, which a test rules out.
    #[must_use]
    pub fn tell(&self, key: &str, given: &[(&str, &str)]) -> String {
        let mut filled = FluentArgs::new();
        for (name, value) in given {
            filled.set(*name, *value);
        }
        self.format(key, &filled)
    }

    fn format(&self, key: &str, filled: &FluentArgs<'_>) -> String {
        let bundle = BUNDLES.iter().find(|(language, _)| *language == self.language);
        let message = bundle.and_then(|(_, own)| Some((own, own.get_message(key)?.value()?)));
        let Some((bundle, pattern)) = message else { return key.to_owned() };
        let mut errors = Vec::new();
        let said = bundle.format_pattern(pattern, Some(filled), &mut errors).into_owned();
        debug_assert!(errors.is_empty(), "{key}: {errors:?}");
        said
    }

    /// The name of the place whose times are told.
    #[must_use]
    pub fn place(&self) -> String {
        self.say(self.place.key)
    }

    /// A time of day, with its date unless it is today, for within a sentence: "at 14:03 Manila time".
    #[must_use]
    pub fn moment(&self, at: time::OffsetDateTime) -> String {
        self.time("moment", at)
    }

    /// The same without a preposition.
    #[must_use]
    pub fn when(&self, at: time::OffsetDateTime) -> String {
        self.time("when", at)
    }

    fn time(&self, key: &str, at: time::OffsetDateTime) -> String {
        let at = self.place.time(at);
        let mut filled = FluentArgs::new();
        filled.set("time", at.strftime("%H:%M").to_string());
        filled.set("place", self.place());
        if at.date() == self.now.date() {
            return self.format(&format!("{key}-today"), &filled);
        }
        filled.set("day", i64::from(at.day()));
        filled.set("month", i64::from(at.month()));
        filled.set("year", at.year().to_string());
        let mut month = FluentArgs::new();
        month.set("month", i64::from(at.month()));
        filled.set("month-name", self.format("month", &month));
        self.format(&format!("{key}-date"), &filled)
    }

    /// A length of time in its largest sensible unit, rounded up.
    #[must_use]
    pub fn duration(&self, ms: i64) -> String {
        let seconds = u64::try_from(ms).unwrap_or_default().div_ceil(1_000).max(1);
        let (key, count) = match seconds {
            0..100 => ("seconds", seconds),
            100..6_000 => ("minutes", seconds.div_ceil(60)),
            6_000..172_800 => ("hours", seconds.div_ceil(3_600)),
            _ => ("days", seconds.div_ceil(86_400)),
        };
        let mut filled = FluentArgs::new();
        filled.set("count", count);
        self.format(key, &filled)
    }

    /// An amount and its currency. All five languages group by three with a comma and write a point
    /// (Unicode CLDR), so the number is the same for all.
    #[must_use]
    pub fn amount(&self, amount: &str, currency: &str) -> String {
        self.tell("amount", &[("amount", &grouped(amount)), ("currency", currency)])
    }
}

/// Commas between groups of three digits.
#[must_use]
pub fn grouped(amount: &str) -> String {
    let (sign, amount) = match amount.strip_prefix('-') {
        Some(rest) => ("\u{2212}", rest),
        None => ("", amount),
    };
    let (whole, fraction) = match amount.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (amount, None),
    };
    let mut text = sign.to_owned();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if let Some(fraction) = fraction {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

/// The first letter of each word and three dots: enough to know whom one meant, too little to learn it.
#[must_use]
pub fn masked(name: &str) -> String {
    let word = |word: &str| word.chars().next().map(|first| format!("{first}•••"));
    let words: Vec<String> = name.split_whitespace().take(6).filter_map(word).collect();
    words.join(" ")
}

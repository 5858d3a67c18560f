//! What a market adds to the XSD: CBPR+ usage rules as a dated profile; it must never change what a
//! message says, nor be more than a profile that its user chose.
//!
//! A rule, its dates, severities, reason and source are a line of `policy/rules.txt`; how the usage
//! guidelines number it, of `policy/numbers.txt`. Code only finds where a rule is broken.

mod addresses;
mod header;
mod parties;
mod payments;
mod reports;

use std::{collections::HashMap, fmt, str::FromStr, sync::LazyLock};

use ledger_types::StatusReason;

use crate::{inbound::Inbound, shape, verdict::Refusal, xml::Element};

/// Violations kept of one message; a hostile one must not grow them without end.
const VIOLATIONS_MAX: usize = 64;

/// Which usage rules are applied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// In force since the standards release of 2025: unstructured addresses still pass, with a warning.
    #[default]
    Current,
    /// The release of 2026: unstructured addresses are refused. Swift deferred its date on
    /// 2026-08-27 and will name a new one; the requirement stands.
    Sr2026,
}

/// What a broken rule means under a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    Warn,
    Refuse,
}

/// One usage rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    pub id: &'static str,
    /// A date, or why there is none.
    pub applies_from: &'static str,
    current: Option<Severity>,
    sr2026: Option<Severity>,
    pub reason: StatusReason,
    pub source: &'static str,
    /// What is wrong and what to do.
    pub words: &'static str,
}

/// A rule that a message breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub rule: &'static Rule,
    /// As the usage guideline numbers it for this message, e.g. `pacs.008-R41`.
    pub number: Option<String>,
    pub severity: Severity,
    /// Element names from the message down.
    pub path: String,
}

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let lines = include_str!("policy/rules.txt").lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(rule).collect()
});

fn rule(line: &'static str) -> Option<Rule> {
    let mut cells = line.split(" | ");
    let mut cell = || cells.next();
    let severity = |text: &str| match text {
        "refuse" => Some(Severity::Refuse),
        "warn" => Some(Severity::Warn),
        _ => None,
    };
    Some(Rule {
        id: cell()?,
        applies_from: cell()?,
        current: severity(cell()?),
        sr2026: severity(cell()?),
        reason: cell()?.parse().ok()?,
        source: cell()?,
        words: cell()?,
    })
}

/// Numbers by profile, message, rule and, for some, the element at fault.
type Numbers = HashMap<(Profile, &'static str, &'static str, &'static str), &'static str>;

static NUMBERS: LazyLock<Numbers> = LazyLock::new(|| {
    let mut numbers = Numbers::new();
    for line in include_str!("policy/numbers.txt").lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<&'static str> = line.split(' ').collect();
        if let [message, rule, current, sr2026, element @ ..] = cells.as_slice() {
            let element = element.first().copied().unwrap_or_default();
            for (profile, number) in [(Profile::Current, *current), (Profile::Sr2026, *sr2026)] {
                if number != "-" {
                    numbers.insert((profile, *message, *rule, element), number);
                }
            }
        }
    }
    numbers
});

/// Every rule, in the order in which they are judged.
#[must_use]
pub fn rules() -> &'static [Rule] {
    &RULES
}

/// Every rule of a profile that a message breaks: refusals and warnings, in the order of the rules.
/// What is no XML or no ISO 20022 message breaks none.
#[must_use]
pub fn judge(inbound: &Inbound, profile: Profile) -> Vec<Violation> {
    let (Some(root), Some(name)) = (inbound.root(), inbound.message_name.as_deref()) else {
        return Vec::new();
    };
    let context = Context {
        message: name.get(..8).unwrap_or(name),
        name,
        header: inbound.header.as_ref(),
        root,
        nodes: nodes(root),
    };
    let mut found = Found { broken: Vec::new() };
    header::check(&context, &mut found);
    payments::check(&context, &mut found);
    parties::check(&context, &mut found);
    addresses::check(&context, &mut found);
    reports::check(&context, &mut found);
    if let Some(document) = &inbound.document {
        let unknown = shape::check_codes(document, name);
        found.broken.extend(unknown.into_iter().map(|finding| ("external_code", finding.path)));
    }
    found.violations(context.message, profile)
}

/// The first violation that refuses, as a refusal.
#[must_use]
pub fn refusal(violations: &[Violation]) -> Option<Refusal> {
    let first = violations.iter().find(|violation| violation.severity == Severity::Refuse)?;
    Some(Refusal { reason: first.rule.reason, text: first.to_string() })
}

/// A message, taken apart once for all rules.
struct Context<'a> {
    /// `pacs.008`.
    message: &'a str,
    /// `pacs.008.001.08`.
    name: &'a str,
    header: Option<&'a Element>,
    root: &'a Element,
    nodes: Vec<Node<'a>>,
}

/// One element and where it stands.
struct Node<'a> {
    element: &'a Element,
    parent: Option<usize>,
}

fn nodes(root: &Element) -> Vec<Node<'_>> {
    let mut nodes = vec![Node { element: root, parent: None }];
    let mut at = 0;
    while let Some(element) = nodes.get(at).map(|node| node.element) {
        let own = element.name != "SplmtryData";
        let children = element.children.iter().filter(|_| own);
        nodes.extend(children.map(|child| Node { element: child, parent: Some(at) }));
        at += 1;
    }
    nodes
}

impl<'a> Context<'a> {
    /// Every element of one of these names, with its place.
    fn named(&self, names: &[&str]) -> impl Iterator<Item = (usize, &'a Element)> {
        let found = |(_, node): &(usize, &Node<'a>)| names.contains(&node.element.name.as_str());
        self.nodes.iter().enumerate().filter(found).map(|(at, node)| (at, node.element))
    }

    fn parent(&self, at: usize) -> Option<(usize, &'a Element)> {
        let parent = self.nodes.get(at)?.parent?;
        self.nodes.get(parent).map(|node| (parent, node.element))
    }

    /// Element names from the message down to a place.
    fn path(&self, at: usize) -> String {
        let mut names = Vec::new();
        let mut next = self.nodes.get(at);
        while let Some(node) = next {
            names.push(node.element.name.as_str());
            next = node.parent.and_then(|parent| self.nodes.get(parent));
        }
        names.reverse();
        names.join("/")
    }

    /// Whether it tells of an account; the guidelines say little of those.
    fn statement(&self) -> bool {
        matches!(self.message, "camt.052" | "camt.053" | "camt.054")
    }

    /// Every transaction: the elements that carry a payment or speak of one.
    fn transactions(&self) -> Vec<(usize, &'a Element)> {
        self.named(&["CdtTrfTxInf", "TxInf", "TxInfAndSts"]).collect()
    }
}

/// Where which rule is broken.
struct Found {
    broken: Vec<(&'static str, String)>,
}

impl Found {
    fn add(&mut self, rule: &'static str, path: impl Into<String>) {
        if self.broken.len() < VIOLATIONS_MAX {
            self.broken.push((rule, path.into()));
        }
    }

    fn violations(self, message: &str, profile: Profile) -> Vec<Violation> {
        let mut violations = Vec::new();
        for rule in rules() {
            let Some(severity) = rule.severity(profile) else { continue };
            for (_, path) in self.broken.iter().filter(|(broken, _)| *broken == rule.id) {
                let number = number(profile, message, rule.id, path);
                violations.push(Violation { rule, number, severity, path: path.clone() });
            }
        }
        violations
    }
}

fn number(profile: Profile, message: &str, rule: &str, path: &str) -> Option<String> {
    let last = path.split('/').rfind(|name| !name.starts_with('@')).unwrap_or_default();
    let of = |element| NUMBERS.get(&(profile, message, rule, element));
    of(last).or_else(|| of("")).map(|number| format!("{message}-{number}"))
}

impl Rule {
    /// What breaking it means under a profile; nothing if it does not apply.
    #[must_use]
    pub fn severity(&self, profile: Profile) -> Option<Severity> {
        match profile {
            Profile::Current => self.current,
            Profile::Sr2026 => self.sr2026,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.path, self.rule.words)
    }
}

impl Severity {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Refuse => "refuse",
        }
    }
}

impl Profile {
    pub const ALL: [Self; 2] = [Self::Current, Self::Sr2026];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Sr2026 => "sr2026",
        }
    }
}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(text: &str) -> Result<Self, UnknownProfile> {
        Self::ALL.into_iter().find(|one| one.as_str() == text).ok_or(UnknownProfile)
    }
}

/// A profile that is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("profile must be current or sr2026")]
pub struct UnknownProfile;

//! Judges any body by itself, for people who write messages: what it is, where it departs from its
//! XSD, which usage rules it breaks; it must never know a network.

use crate::{
    inbound::{CHECKED, Inbound, read},
    policy::{self, Profile, Severity},
};

/// What comes of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is wrong.
    Ok,
    /// It can be taken; somebody should look.
    Findings,
    /// Nothing of it is taken.
    Refused,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// `xml`, `version`, `xsd` or a usage rule's id.
    pub rule: &'static str,
    /// How the usage guideline numbers it, e.g. `pacs.008-R41`.
    pub number: Option<String>,
    pub severity: Severity,
    /// ISO 20022 status reason, e.g. FF01.
    pub reason: String,
    pub path: String,
    /// What is wrong and what to do; holds no value of the message.
    pub text: String,
    pub source: &'static str,
    pub applies_from: &'static str,
}

/// The judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The message that the document's namespace names.
    pub message: Option<String>,
    pub verdict: Verdict,
    pub findings: Vec<Found>,
}

impl Verdict {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Findings => "findings",
            Self::Refused => "refused",
        }
    }
}

/// Judges a body under a profile.
#[must_use]
pub fn check(body: &[u8], profile: Profile) -> Checked {
    let inbound = read(body);
    let mut findings = format(&inbound);
    // The rules are of these versions; of another they would say little.
    let spoken = CHECKED.iter().any(|own| inbound.message_name.as_deref() == Some(*own));
    let violations = if spoken { policy::judge(&inbound, profile) } else { Vec::new() };
    for violation in violations {
        findings.push(Found {
            rule: violation.rule.id,
            number: violation.number,
            severity: violation.severity,
            reason: violation.rule.reason.to_string(),
            path: violation.path,
            text: violation.rule.words.to_owned(),
            source: violation.rule.source,
            applies_from: violation.rule.applies_from,
        });
    }
    let refused = findings.iter().any(|found| found.severity == Severity::Refuse);
    let verdict = match findings.is_empty() {
        true => Verdict::Ok,
        false if refused => Verdict::Refused,
        false => Verdict::Findings,
    };
    Checked { message: inbound.message_name, verdict, findings }
}

fn format(inbound: &Inbound) -> Vec<Found> {
    let found = |rule, severity, path: &str, text: String| Found {
        rule,
        number: None,
        severity,
        reason: "FF01".to_owned(),
        path: path.to_owned(),
        text,
        source: "ISO",
        applies_from: "-",
    };
    if let Some(error) = &inbound.unreadable {
        return vec![found("xml", Severity::Refuse, "", error.to_string())];
    }
    let Some(message) = inbound.message_name.as_deref() else {
        let text = "no ISO 20022 message found: send Document in a message's namespace".to_owned();
        return vec![found("version", Severity::Refuse, "Document", text)];
    };
    if !CHECKED.contains(&message) {
        let text = format!("message or version not spoken: send one of {}", CHECKED.join(", "));
        return vec![found("version", Severity::Refuse, "Document", text)];
    }
    // Statements are read for what they say; what orders something must be what its XSD says.
    let told = matches!(message.get(..8), Some("camt.052" | "camt.053" | "camt.054"));
    let severity = if told { Severity::Warn } else { Severity::Refuse };
    let departures = inbound.findings.iter();
    departures.map(|finding| found("xsd", severity, &finding.path, finding.text.clone())).collect()
}

//! Checks an element against the published shape of its type: order, number, lengths, patterns and
//! code lists; it must never know what a value means or decide what follows from a finding.

mod table;
mod value;

pub use value::calendar_day;

use std::fmt;

use crate::{codes, xml::Element};
use table::{Particle, Type};

/// Findings kept of one message; a hostile one must not grow them without end.
const FINDINGS_MAX: usize = 64;

/// One departure from the shape: where it is and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Element names from the document down, e.g. `FIToFICstmrCdtTrf/GrpHdr/MsgId`.
    pub path: String,
    /// What is wrong and what to do; holds no value of the message.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.path, self.text)
    }
}

/// Every departure of a document from the shape of a message such as `pacs.008.001.08`.
#[must_use]
pub fn check(document: &Element, message: &str) -> Vec<Finding> {
    checked(document, message, Vec::new()).findings
}

/// Every departure of an application header from head.001.001.02.
#[must_use]
pub fn check_header(header: &Element) -> Vec<Finding> {
    checked(header, "BusinessApplicationHeaderV02", vec!["AppHdr"]).findings
}

/// Every departure of one element from a type of the table; `path` is where the element stands.
pub(crate) fn check_part(
    element: &Element,
    type_name: &str,
    path: &[&'static str],
) -> Vec<Finding> {
    checked(element, type_name, path.to_vec()).findings
}

/// Codes that the external code sets did not hold when they were published ([`codes::AS_OF`]).
#[must_use]
pub fn check_codes(document: &Element, message: &str) -> Vec<Finding> {
    checked(document, message, Vec::new()).unknown_codes
}

fn checked<'a>(element: &'a Element, type_name: &str, path: Vec<&'a str>) -> Check<'a> {
    let mut check =
        Check { document: element, path, findings: Vec::new(), unknown_codes: Vec::new() };
    check.element(element, type_name);
    check
}

/// Whether a text fits ISODateTime.
pub(crate) fn date_time(text: &str) -> bool {
    value::Facet::DateTime.check(text).is_ok()
}

/// Whether a text fits ISODate.
pub(crate) fn date(text: &str) -> bool {
    value::Facet::Date.check(text).is_ok()
}

/// Whether a text fits UUIDv4Identifier.
pub(crate) fn uetr(text: &str) -> bool {
    value::Facet::Uetr.check(text).is_ok()
}

/// Whether a text fits BICFIDec2014Identifier.
pub(crate) fn bic(text: &str) -> bool {
    value::Facet::Bic.check(text).is_ok()
}

struct Check<'a> {
    document: &'a Element,
    path: Vec<&'a str>,
    findings: Vec<Finding>,
    unknown_codes: Vec<Finding>,
}

impl<'a> Check<'a> {
    fn find(&mut self, name: Option<&str>, text: impl Into<String>) {
        if self.findings.len() < FINDINGS_MAX {
            let path = self.path.iter().copied().chain(name).collect::<Vec<_>>().join("/");
            self.findings.push(Finding { path, text: text.into() });
        }
    }

    fn element(&mut self, element: &'a Element, type_name: &str) {
        let shape = table::shape(type_name);
        if element.namespace != self.document.namespace && *shape != Type::Anything {
            self.find(None, "is in another namespace than the document");
        }
        let amount = matches!(shape, Type::Amount(_));
        for (name, _) in &element.attributes {
            if !(name.contains(':') || amount && name == "Ccy") {
                self.find(None, "has an attribute that the message does not define");
            }
        }
        match shape {
            Type::Sequence(particles) => self.sequence(element, particles),
            Type::Choice(particles) => self.choice(element, particles),
            Type::Anything => {
                if element.children.len() != 1 {
                    self.find(None, "must hold exactly one element");
                }
            }
            Type::Amount(facet) => {
                match element.attribute("Ccy").map(|ccy| value::Facet::Currency.check(ccy)) {
                    None => self.find(None, "has no attribute Ccy: name the currency"),
                    Some(Err(text)) => self.find(Some("@Ccy"), text),
                    Some(Ok(())) => {}
                }
                self.value(element, facet);
            }
            Type::Value(facet) => {
                self.code(element, type_name);
                self.value(element, facet);
            }
        }
    }

    fn code(&mut self, element: &Element, type_name: &str) {
        let unknown = codes::known(type_name, &element.text) == Some(false);
        if unknown && self.unknown_codes.len() < FINDINGS_MAX {
            let text = format!("is not in {type_name} of {}: check the code", codes::AS_OF);
            self.unknown_codes.push(Finding { path: self.path.join("/"), text });
        }
    }

    fn value(&mut self, element: &'a Element, facet: &value::Facet) {
        if !element.children.is_empty() {
            self.find(None, "must hold text, not elements");
        } else if let Err(text) = facet.check(&element.text) {
            self.find(None, text);
        }
    }

    fn sequence(&mut self, element: &'a Element, particles: &'static [Particle]) {
        self.no_text(element);
        let mut counts = vec![0_usize; particles.len()];
        let mut reached = 0;
        for child in &element.children {
            let Some(at) = particles.iter().position(|particle| particle.name == child.name) else {
                self.find(Some(&child.name), "is not expected here: leave it out");
                continue;
            };
            let Some((particle, count)) = particles.get(at).zip(counts.get_mut(at)) else {
                continue;
            };
            *count += 1;
            if at < reached {
                self.find(Some(particle.name), "is out of order");
            } else if *count == particle.max.saturating_add(1) {
                self.find(Some(particle.name), "occurs too often");
            }
            reached = reached.max(at);
            self.path.push(particle.name);
            self.element(child, particle.type_name);
            self.path.pop();
        }
        for (particle, count) in particles.iter().zip(counts) {
            if count < particle.min {
                self.find(Some(particle.name), "is missing: it is mandatory");
            }
        }
    }

    fn choice(&mut self, element: &'a Element, particles: &'static [Particle]) {
        self.no_text(element);
        let [child, others @ ..] = element.children.as_slice() else {
            let names = particles.iter().map(|particle| particle.name).collect::<Vec<_>>();
            self.find(None, format!("must hold exactly one of {}", names.join(", ")));
            return;
        };
        match particles.iter().find(|particle| particle.name == child.name) {
            None => self.find(Some(&child.name), "is not expected here: leave it out"),
            Some(particle) if others.iter().any(|other| other.name != child.name) => {
                self.find(Some(particle.name), "excludes what stands beside it: keep one");
            }
            Some(particle) if others.len() >= particle.max => {
                self.find(Some(particle.name), "occurs too often");
            }
            Some(particle) => {
                self.path.push(particle.name);
                for child in &element.children {
                    self.element(child, particle.type_name);
                }
                self.path.pop();
            }
        }
    }

    fn no_text(&mut self, element: &Element) {
        if !element.text.trim().is_empty() {
            self.find(None, "must hold elements, not text");
        }
    }
}

//! The table of types, read once from the text beside it; it must never know an element's content.

use std::{collections::HashMap, sync::LazyLock};

use super::value::Facet;

/// The shape of one type.
#[derive(Debug, PartialEq)]
pub(super) enum Type {
    Sequence(Vec<Particle>),
    Choice(Vec<Particle>),
    /// A decimal with the attribute `Ccy`.
    Amount(Facet),
    Value(Facet),
    /// One element of any kind, not looked into.
    Anything,
}

/// One element of a sequence or choice.
#[derive(Debug, PartialEq)]
pub(super) struct Particle {
    pub(super) name: &'static str,
    pub(super) type_name: &'static str,
    pub(super) min: usize,
    pub(super) max: usize,
}

static TYPES: LazyLock<HashMap<&'static str, Type>> =
    LazyLock::new(|| read(include_str!("types.txt")));

/// The type of this name. Every name that the table or this crate uses is in it, as its test shows.
pub(super) fn shape(name: &str) -> &'static Type {
    TYPES.get(name).unwrap_or(&Type::Anything)
}

/// Type definitions; a line that starts with a space goes on with the one before.
fn read(text: &'static str) -> HashMap<&'static str, Type> {
    let mut types = HashMap::new();
    let mut name = "";
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_ascii_whitespace();
        if !line.starts_with(' ') {
            name = words.next().unwrap_or("");
            let kind = words.nth(1).unwrap_or("");
            types.insert(name, kind_of(kind, words.clone()));
        }
        if let Some(Type::Sequence(particles) | Type::Choice(particles)) = types.get_mut(name) {
            particles.extend(words.filter_map(particle));
        }
    }
    types
}

fn kind_of(kind: &str, words: impl Iterator<Item = &'static str>) -> Type {
    match kind {
        "sequence" => Type::Sequence(Vec::new()),
        "choice" => Type::Choice(Vec::new()),
        "amount" => {
            let decimals = words.into_iter().next().and_then(|word| word.parse().ok());
            Type::Amount(Facet::amount(decimals.unwrap_or(5)))
        }
        "anything" => Type::Anything,
        _ => Type::Value(Facet::read(kind, words.collect())),
    }
}

fn particle(word: &'static str) -> Option<Particle> {
    let (name, rest) = word.split_once(':')?;
    let end = rest.find(['?', '*', '+']).unwrap_or(rest.len());
    let (type_name, occurs) = rest.split_at(end);
    let (min, max) = match occurs {
        "" => (1, 1),
        "?" => (0, 1),
        "*" => (0, usize::MAX),
        "+" => (1, usize::MAX),
        bounded => (0, bounded.get(1..)?.parse().ok()?),
    };
    Some(Particle { name, type_name, min, max })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inbound;

    #[test]
    fn every_name_of_the_table_is_defined_and_every_line_understood() {
        for root in inbound::CHECKED.iter().chain(&["BusinessApplicationHeaderV02"]) {
            assert!(matches!(shape(root), Type::Sequence(_)), "{root}");
        }
        for (name, shape) in &*TYPES {
            match shape {
                Type::Sequence(particles) | Type::Choice(particles) => {
                    assert!(!particles.is_empty(), "{name}");
                    for particle in particles {
                        assert!(TYPES.contains_key(particle.type_name), "{name} {particle:?}");
                    }
                }
                Type::Value(facet) => assert_ne!(*facet, Facet::Unknown, "{name}"),
                Type::Amount(_) | Type::Anything => {}
            }
        }
        let lines = include_str!("types.txt").lines().filter(|line| !line.starts_with('#'));
        let written: usize = lines.map(|line| line.matches(':').count()).sum();
        assert_eq!(TYPES.values().map(particles_of).sum::<usize>(), written);
    }

    fn particles_of(shape: &Type) -> usize {
        match shape {
            Type::Sequence(particles) | Type::Choice(particles) => particles.len(),
            Type::Amount(_) | Type::Value(_) | Type::Anything => 0,
        }
    }
}

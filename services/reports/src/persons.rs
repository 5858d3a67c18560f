//! Which transfers are one person's, and what each person moved in a day. It must never give a name: a person is a digest
//! under the participant's own key.

use std::collections::{BTreeMap, HashMap};

use hmac::{Hmac, KeyInit, Mac as _};
use ledger_proof::codec::Digest;
use sha2::Sha256;
use time::Date;
use unicode_normalization::UnicodeNormalization as _;

/// What a digest begins with, so that it is of nothing else.
const DOMAIN: &[u8] = b"causeway/person/v1";
/// Bytes of a digest that are told.
const TOLD: usize = 16;

/// What a transfer says of the participant's own customer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Customer {
    pub name: Option<String>,
    pub account: Option<String>,
    pub date_of_birth: Option<String>,
    pub national_identifier: Option<String>,
    pub customer_identification: Option<String>,
}

/// One settled transfer of a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    pub day: Date,
    pub uetr: String,
    /// Whether the customer paid; else he was paid.
    pub sent: bool,
    /// Whether he was paid at a counter.
    pub cash: bool,
    pub units: u64,
    /// None where the personal data could not be opened.
    pub customer: Option<Customer>,
}

/// What one person moved on a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonDay {
    pub sent: u128,
    pub received: u128,
    /// Of what was received, at a counter.
    pub cash: u128,
    /// The transfers, in the order of their records.
    pub uetrs: Vec<String>,
}

impl PersonDay {
    /// All that was moved, or what was paid out in cash.
    #[must_use]
    pub const fn total(&self, cash: bool) -> u128 {
        if cash { self.cash } else { self.sent + self.received }
    }

    fn add(&mut self, movement: &Movement) {
        let units = u128::from(movement.units);
        if movement.sent {
            self.sent += units;
        } else {
            self.received += units;
            self.cash += if movement.cash { units } else { 0 };
        }
        self.uetrs.push(movement.uetr.clone());
    }
}

/// One spelling: compatibility forms, case and spaces do not tell people apart.
fn plain(text: &str) -> String {
    let folded = text.nfkc().collect::<String>().to_lowercase();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Customer {
    /// What makes two transfers one person's, if they have one of these in common. A name alone does where nothing else is
    /// known.
    fn marks(&self) -> Vec<String> {
        let some =
            |text: &Option<String>| text.as_deref().map(plain).filter(|text| !text.is_empty());
        let mut marks = Vec::new();
        let mut mark = |kind: &str, text: Option<String>| {
            marks.extend(text.map(|text| format!("{kind}\0{text}")));
        };
        mark("account", some(&self.account));
        mark("national", some(&self.national_identifier));
        mark("customer", some(&self.customer_identification));
        let born = some(&self.name).zip(some(&self.date_of_birth));
        mark("born", born.map(|(name, born)| format!("{name}\0{born}")));
        if marks.is_empty() {
            marks.extend(some(&self.name).map(|name| format!("name\0{name}")));
        }
        marks
    }
}

/// Sets that grow together.
struct Sets(Vec<usize>);

impl Sets {
    fn of(&mut self, mut at: usize) -> usize {
        while let Some(&above) = self.0.get(at).filter(|above| **above != at) {
            let top = self.0.get(above).copied().unwrap_or(above);
            if let Some(own) = self.0.get_mut(at) {
                *own = top;
            }
            at = above;
        }
        at
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.of(one), self.of(other));
        if let Some(own) = self.0.get_mut(one.max(other)) {
            *own = one.min(other);
        }
    }
}

/// What each person moved on each day, by the person's digest; an empty one stands for all whose data could not be opened.
#[must_use]
pub fn days(movements: &[Movement], key: &Digest) -> BTreeMap<(Date, String), PersonDay> {
    let mut sets = Sets((0..movements.len()).collect());
    let (mut seen, mut least) = (HashMap::new(), BTreeMap::<usize, String>::new());
    let marks: Vec<Vec<String>> = movements
        .iter()
        .map(|own| own.customer.as_ref().map(Customer::marks).unwrap_or_default())
        .collect();
    for (at, own) in marks.iter().enumerate() {
        for mark in own {
            match seen.get(mark.as_str()) {
                Some(other) => sets.join(at, *other),
                None => {
                    seen.insert(mark.as_str(), at);
                }
            }
        }
    }
    // A person's digest is of the least of his marks, so that no order changes it.
    for (at, own) in marks.iter().enumerate() {
        let set = sets.of(at);
        for mark in own {
            let kept = least.entry(set).or_insert_with(|| mark.clone());
            if mark < kept {
                kept.clone_from(mark);
            }
        }
    }
    let mut days = BTreeMap::<(Date, String), PersonDay>::new();
    for (at, movement) in movements.iter().enumerate() {
        let person = least.get(&sets.of(at)).map(|mark| digest(mark, key)).unwrap_or_default();
        days.entry((movement.day, person)).or_default().add(movement);
    }
    days
}

fn digest(mark: &str, key: &Digest) -> String {
    hex::encode(mac(key, &[DOMAIN, mark.as_bytes()]).get(..TOLD).unwrap_or_default())
}

/// HMAC-SHA256 (RFC 2104) of some bytes one after the other.
pub(crate) fn mac(key: &Digest, parts: &[&[u8]]) -> Digest {
    // A shorter key is filled with zeros up to the block, as the standard says.
    let mut block = [0; 64];
    if let Some(own) = block.first_chunk_mut() {
        *own = *key;
    }
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use time::Month;

    use super::*;

    fn day(day: u8) -> Date {
        Date::from_calendar_date(2026, Month::March, day).unwrap()
    }

    fn movement(on: u8, units: u64, customer: Option<Customer>) -> Movement {
        let uetr = format!("{on}-{units}");
        Movement { day: day(on), uetr, sent: true, cash: false, units, customer }
    }

    fn named(name: &str) -> Customer {
        Customer { name: Some(name.into()), ..Customer::default() }
    }

    fn with(name: &str, account: Option<&str>, national: Option<&str>) -> Option<Customer> {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Some(Customer { account: own(account), national_identifier: own(national), ..named(name) })
    }

    /// Sums by person on a day, in order.
    fn sums(movements: &[Movement], on: u8) -> Vec<u128> {
        let days = days(movements, &[7; 32]);
        let own = days.iter().filter(|((at, _), _)| *at == day(on));
        let mut sums: Vec<u128> = own.map(|(_, moved)| moved.total(false)).collect();
        sums.sort_unstable();
        sums
    }

    #[test]
    fn transfers_that_share_a_mark_are_one_person_s() {
        let movements = [
            movement(1, 10, with("Ada Testperson", Some("+852 1"), None)),
            // Another account, the same document; then that account without a document.
            movement(1, 20, with("ADA  testperson", Some("+852 1"), Some("X1"))),
            movement(1, 40, with("A. Testperson", Some("+852 2"), Some("x1"))),
            movement(1, 80, with("Ada", Some("+852 2"), None)),
            // The same name alone makes nobody the same where an account says otherwise.
            movement(1, 160, with("Ada Testperson", Some("+852 3"), None)),
            movement(2, 320, with("Ada Testperson", Some("+852 1"), None)),
        ];
        assert_eq!(sums(&movements, 1), [150, 160]);
        assert_eq!(sums(&movements, 2), [320]);
    }

    #[test]
    fn a_name_is_a_mark_where_nothing_else_is_known() {
        let born = |date: &str| {
            Some(Customer { date_of_birth: Some(date.into()), ..named("Bea Testperson") })
        };
        let movements = [
            movement(1, 1, Some(named("Cai  Testperson"))),
            movement(1, 2, Some(named("ｃａｉ testperson"))),
            movement(1, 4, born("1990-01-01")),
            movement(1, 8, born("1990-01-02")),
        ];
        assert_eq!(sums(&movements, 1), [3, 4, 8]);
    }

    #[test]
    fn a_digest_tells_no_name_and_is_of_one_key_in_any_order() {
        let one = movement(1, 10, with("Ada Testperson", Some("1"), Some("X")));
        let two = movement(1, 20, with("Ada Testperson", Some("2"), Some("X")));
        let of = |movements: &[Movement], key| {
            days(movements, &[key; 32]).into_keys().map(|(_, person)| person).collect::<Vec<_>>()
        };
        let there = of(&[one.clone(), two.clone()], 7);
        assert_eq!(there.len(), 1);
        assert_eq!(there[0].len(), 32);
        assert_eq!(of(&[two, one.clone()], 7), there);
        assert_ne!(of(&[one], 8), there);
    }

    #[test]
    fn cash_is_what_was_paid_out_and_what_is_sealed_is_nobody_s() {
        let cash = Movement { sent: false, cash: true, ..movement(1, 5, Some(named("Ada"))) };
        let wallet = Movement { sent: false, ..movement(1, 6, Some(named("Ada"))) };
        let sealed = movement(1, 9, None);
        let days = days(&[cash, wallet, sealed], &[7; 32]);
        let nobody = &days[&(day(1), String::new())];
        assert_eq!(nobody.total(false), 9);
        let ada = days.iter().find(|((_, person), _)| !person.is_empty()).unwrap().1;
        assert_eq!((ada.total(true), ada.total(false), ada.uetrs.len()), (5, 11, 2));
    }
}

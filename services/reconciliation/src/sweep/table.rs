//! Small tables side by side, cell by cell; it knows no column's meaning.
use std::collections::BTreeMap;

use super::Finding;

/// The tables that fit into memory, with the columns behind their keys, in the order of cells.
pub const SMALL: [(&str, &[&str]); 7] = [
    ("entries", &["first_sequence", "last_sequence", "at_micros", "accounts_digest"]),
    ("currencies", &["exponent", "custodian", "custody_account"]),
    ("participants", &["country", "bic", "lei", "clearing_member", "name", "suspended"]),
    ("accounts", &["owner", "currency", "custody", "standing_acceptance", "net_debit_cap"]),
    ("balances", &["debits_pending", "debits_posted", "credits_pending", "credits_posted"]),
    (
        "recalls",
        &[
            "uetr",
            "creditor_agent",
            "reason",
            "amount",
            "currency",
            "sequence",
            "recalled_micros",
            "answer_by_micros",
            "answer",
            "answer_reason",
            "answer_sequence",
            "answered_micros",
            "return_uetr",
        ],
    ),
    ("cursor", &["network"]),
];

/// A table as text: a key, and a cell per column.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name in schema `ledger`.
    pub name: &'static str,
    /// The columns behind the key.
    pub columns: &'static [&'static str],
    /// The rows by key.
    pub rows: BTreeMap<String, Vec<String>>,
}

impl Table {
    /// One of [`SMALL`], without rows.
    ///
    /// # Panics
    /// When it is none of them.
    #[must_use]
    pub fn small(name: &str) -> Self {
        let shape = SMALL.into_iter().find(|(known, _)| *known == name);
        let (name, columns) = shape.expect("one of the small tables");
        Self::new(name, columns)
    }

    /// A table without rows.
    #[must_use]
    pub const fn new(name: &'static str, columns: &'static [&'static str]) -> Self {
        Self { name, columns, rows: BTreeMap::new() }
    }

    /// What differs in `stored` from this one, which follows from the records.
    pub fn differences(&self, stored: &Self, found: &mut Vec<Finding>) {
        let finding = |key: &String, column, what| {
            let key = key.clone();
            Finding { table: self.name, key, column, what }
        };
        for (key, cells) in &self.rows {
            let Some(there) = stored.rows.get(key) else {
                found.push(finding(key, "", "is missing"));
                continue;
            };
            for ((expected, stored), column) in cells.iter().zip(there).zip(self.columns) {
                if expected != stored {
                    found.push(finding(key, column, "differs from what the records make"));
                }
            }
        }
        for key in stored.rows.keys().filter(|key| !self.rows.contains_key(*key)) {
            found.push(finding(key, "", "follows from no record"));
        }
    }
}

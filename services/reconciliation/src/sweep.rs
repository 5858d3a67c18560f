//! What the columns of a stored record say, hashed again as the ledger hashed it, and what a sweep found; it knows no SQL and no ledger.
use ledger_proof::{
    codec::{Digest, Field},
    record::{Part, RecordKind, SharedPart, leaf_of, part_digest},
    tree::{Frontier, leaf_hash},
};
use ledger_types::Timestamp;
use proto::convert::RecordEvent;

use crate::record::Record;

pub mod replay;
pub mod table;

/// Records hashed at one time: a full subtree of the tree.
pub const CHUNK: u64 = 1 << CHUNK_HEIGHT;
const CHUNK_HEIGHT: u32 = 12;
/// Findings are told one by one up to here; a damaged database has millions.
pub const FINDINGS_MAX: usize = 100;
const SALT: usize = 32;

/// One difference between the tables and the ledger's records.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// In which table of schema `ledger`.
    pub table: &'static str,
    /// The row: a record's number, a transfer's debtor agent and UETR, an account's number.
    pub key: String,
    /// In which column; empty when the whole row is too much, is missing, or cannot be narrowed.
    pub column: &'static str,
    /// What is wrong; never an amount, never a person.
    pub what: &'static str,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { table, key, column, what } = self;
        match column.is_empty() {
            true => write!(out, "ledger.{table} {key}: {what}"),
            false => write!(out, "ledger.{table} {key}: column {column} {what}"),
        }
    }
}

/// A row of `ledger.records` as it is stored.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    /// Its number.
    pub sequence: i64,
    /// The code of its kind.
    pub kind: i16,
    /// Of when.
    pub at_micros: i64,
    /// The six parts in the order of the leaf.
    pub parts: [Option<&'a [u8]>; 6],
    /// Their salts.
    pub salts: &'a [u8],
    /// The signed item.
    pub item: Option<&'a [u8]>,
}

/// The columns of the parts, in the order of the leaf.
pub const PART_COLUMNS: [&str; 6] =
    ["shared", "debtor", "creditor", "liquidity_1", "liquidity_2", "operator"];

impl Stored<'_> {
    /// The leaf hash that the columns make. What no leaf covers is checked beside it: the item
    /// against its hash in the shared part, and that nothing stands where a record has nothing.
    ///
    /// # Errors
    /// Names the column that no record has so, and why.
    pub fn leaf(&self) -> Result<Digest, (&'static str, &'static str)> {
        let kind = u8::try_from(self.kind).ok().and_then(RecordKind::from_code);
        let kind = kind.ok_or(("kind", "is none of a record"))?;
        let unsigned =
            |value: i64, column| u64::try_from(value).map_err(|_| (column, "is below 0"));
        let sequence = unsigned(self.sequence, "sequence")?;
        let at = unsigned(self.at_micros, "at_micros")?;
        let salted = match self.salts.len() {
            0 => false,
            length if length == SALT * 6 => true,
            _ => return Err(("salts", "has a length that salts never have")),
        };
        let mut digests = [[0; SALT]; 6];
        let parts = self.parts.iter().zip(PART_COLUMNS).zip(&mut digests).enumerate();
        for (at, ((part, column), digest)) in parts {
            let salt = self.salts.get(at * SALT..(at + 1) * SALT);
            let salt: Option<Digest> = salt.and_then(|salt| salt.try_into().ok());
            match part {
                Some([]) => return Err((column, "is empty where it must be absent")),
                Some(bytes) => *digest = part_digest(salt.as_ref(), bytes),
                // No leaf covers the salt of an absent part; it is stored as zeros.
                None if salted && salt != Some([0; SALT]) => {
                    return Err(("salts", "holds a salt of an absent part"));
                }
                None => {}
            }
        }
        self.check_item(kind)?;
        Ok(leaf_of(kind, sequence, Timestamp::from_micros(at), &digests))
    }

    fn check_item(&self, kind: RecordKind) -> Result<(), (&'static str, &'static str)> {
        match (kind, self.item) {
            (RecordKind::Item(_), Some(item)) => {
                let shared = self.parts[Part::Shared.index()].unwrap_or_default();
                let shared = SharedPart::from_bytes(shared);
                let shared = shared.map_err(|_| ("shared", "does not decode"))?;
                match leaf_hash(item) == shared.item_hash {
                    true => Ok(()),
                    false => Err(("item", "is not the one whose hash the shared part holds")),
                }
            }
            (RecordKind::Item(_), None) => Err(("item", "is missing")),
            (_, Some(_)) => Err(("item", "stands where none was signed")),
            (_, None) => Ok(()),
        }
    }

    /// The columns that differ from the record as the ledger tells it.
    #[must_use]
    pub fn differences(&self, told: &RecordEvent) -> Vec<&'static str> {
        let Ok(record) = Record::read(told.clone()) else { return vec!["shared"] };
        let mut columns = Vec::new();
        let mut differs = |column, differs: bool| columns.extend(differs.then_some(column));
        differs("sequence", u64::try_from(self.sequence) != Ok(record.sequence));
        differs("kind", self.kind != i16::from(record.kind.code()));
        differs("at_micros", u64::try_from(self.at_micros) != Ok(record.at.micros()));
        for ((stored, told), column) in self.parts.iter().zip(&record.parts).zip(PART_COLUMNS) {
            differs(column, *stored != (!told.is_empty()).then_some(told.as_ref()));
        }
        differs("salts", self.salts != record.salts);
        differs("item", self.item != record.item.as_deref());
        columns
    }
}

/// What the rows of one chunk make.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    /// The number of the first record that is due.
    pub first: u64,
    /// A leaf per record; of no use once something was found.
    pub leaves: Vec<Digest>,
    /// What is wrong by itself.
    pub findings: Vec<Finding>,
}

impl Chunk {
    /// An empty chunk that begins at a record.
    #[must_use]
    pub fn at(first: u64) -> Self {
        Self { first, ..Self::default() }
    }

    /// Takes the next row. A gap is found once; numbers go on behind it.
    pub fn push(&mut self, row: &Stored<'_>) {
        let due = self.first + u64::try_from(self.leaves.len()).unwrap_or(u64::MAX);
        let stored = u64::try_from(row.sequence).unwrap_or(u64::MAX);
        for missing in due..stored.min(due.saturating_add(CHUNK)) {
            self.find(missing, "", "is missing");
            self.leaves.push([0; 32]);
        }
        match row.leaf() {
            Ok(leaf) => self.leaves.push(leaf),
            Err((column, what)) => {
                self.find(stored, column, what);
                self.leaves.push([0; 32]);
            }
        }
    }

    /// Ends the chunk before a record.
    pub fn end(&mut self, next: u64) {
        let due = self.first + u64::try_from(self.leaves.len()).unwrap_or(u64::MAX);
        for missing in due..next.min(due.saturating_add(CHUNK)) {
            self.find(missing, "", "is missing");
            self.leaves.push([0; 32]);
        }
    }

    fn find(&mut self, sequence: u64, column: &'static str, what: &'static str) {
        if self.findings.len() < FINDINGS_MAX {
            let key = sequence.to_string();
            self.findings.push(Finding { table: "records", key, column, what });
        }
    }
}

/// The tree over the chunks so far, and enough to know it as it was at each chunk's end.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    frontier: Frontier,
    chunks: Vec<Digest>,
}

impl Tree {
    /// The tree over everything taken.
    #[must_use]
    pub const fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Takes the next chunk, whose root [`root_of`] made if it is full.
    pub fn push(&mut self, leaves: &[Digest], root: Option<Digest>) {
        match root {
            Some(root) => {
                self.frontier.push_subtree(CHUNK_HEIGHT, root, |_, _| {});
                self.chunks.push(root);
            }
            None => leaves.iter().for_each(|leaf| self.frontier.push(*leaf)),
        }
    }

    /// Puts another root in the place of a full chunk's; tells whether there is one.
    pub fn correct(&mut self, chunk: u64, root: Digest) -> bool {
        let place = usize::try_from(chunk).ok().and_then(|at| self.chunks.get_mut(at));
        place.map(|place| *place = root).is_some()
    }

    /// How many full chunks there are.
    #[must_use]
    pub fn chunks(&self) -> u64 {
        u64::try_from(self.chunks.len()).unwrap_or(u64::MAX)
    }

    /// The root over the first so many full chunks.
    #[must_use]
    pub fn root_at(&self, chunks: u64) -> Digest {
        let mut frontier = Frontier::default();
        let count = usize::try_from(chunks).unwrap_or(usize::MAX).min(self.chunks.len());
        for root in &self.chunks[..count] {
            frontier.push_subtree(CHUNK_HEIGHT, *root, |_, _| {});
        }
        frontier.root()
    }
}

/// The root of a full chunk; `None` for the last, which is not full.
#[must_use]
pub fn root_of(leaves: &[Digest]) -> Option<Digest> {
    if u64::try_from(leaves.len()) != Ok(CHUNK) {
        return None;
    }
    let mut frontier = Frontier::default();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    Some(frontier.root())
}

#[cfg(test)]
mod tests;

//! Rows by key on disk, as the log and the state use them: the only room that knows RocksDB; it knows no meaning of a row.
#[cfg(not(feature = "simulation"))]
mod rocks;
#[cfg(not(feature = "simulation"))]
pub(crate) use rocks::Rows;

#[cfg(feature = "simulation")]
pub(crate) mod memory;
#[cfg(feature = "simulation")]
pub(crate) use memory::Rows;

/// How a database is used, which says how it is tuned and what makes it durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Written row by row, each write synced on demand; reads are rare.
    Log,
    /// Written in cuts that a flush makes durable; the log replays what a crash takes.
    State,
}

#[cfg(not(feature = "simulation"))]
impl Kind {
    /// The tables of such a database.
    pub(crate) const fn tables(self) -> &'static [&'static str] {
        match self {
            Self::Log => &["default"],
            Self::State => &["default", "rows", "blobs", "meta"],
        }
    }
}

/// A change of one row, or of the rows of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change<'a> {
    /// The row is this from now on.
    Put { key: &'a [u8], row: &'a [u8] },
    /// There is no such row any more.
    Remove { key: &'a [u8] },
    /// There are no rows from `from` up to but without `end` any more.
    RemoveRange { from: &'a [u8], end: &'a [u8] },
}

#[derive(Clone, Copy, Debug)]
enum Verb {
    Put,
    Remove,
    RemoveRange,
}

/// Changes that are written together or not at all, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    /// (table, what, where the first operand ends, where the second ends).
    changes: Vec<(&'static str, Verb, usize, usize)>,
}

impl Batch {
    pub(crate) fn put(&mut self, table: &'static str, key: &[u8], row: &[u8]) {
        self.push(table, Verb::Put, key, row);
    }

    pub(crate) fn remove(&mut self, table: &'static str, key: &[u8]) {
        self.push(table, Verb::Remove, key, &[]);
    }

    pub(crate) fn remove_range(&mut self, table: &'static str, from: &[u8], end: &[u8]) {
        self.push(table, Verb::RemoveRange, from, end);
    }

    /// Bytes of keys and rows.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// (table, change) in the order given.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (&'static str, Change<'_>)> {
        let mut from = 0;
        self.changes.iter().map(move |(table, verb, middle, end)| {
            let (first, second) = (&self.bytes[from..*middle], &self.bytes[*middle..*end]);
            from = *end;
            let change = match verb {
                Verb::Put => Change::Put { key: first, row: second },
                Verb::Remove => Change::Remove { key: first },
                Verb::RemoveRange => Change::RemoveRange { from: first, end: second },
            };
            (*table, change)
        })
    }

    fn push(&mut self, table: &'static str, verb: Verb, first: &[u8], second: &[u8]) {
        self.bytes.extend_from_slice(first);
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(second);
        self.changes.push((table, verb, middle, self.bytes.len()));
    }
}

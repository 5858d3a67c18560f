//! A table of the state: rows in memory, which of them changed, and an undo journal; it knows no disk.
use alloc::vec::Vec;
use core::{fmt::Debug, hash::Hash};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use ledger_proof::{DecodeError, Field};

/// A table's key and where its rows lie.
pub(crate) trait Key: Copy + Eq + Hash + Debug + Field {
    /// Prefix of rows that must be in memory, below 0x80.
    const HOT: u8;
    /// Prefix of rows read when needed, from 0x80; `None` when every row is in memory.
    const COLD: Option<u8>;

    /// The row's key under a prefix.
    fn row_key(&self, prefix: u8) -> Vec<u8> {
        let mut key = Vec::with_capacity(48);
        key.push(prefix);
        self.put(&mut key);
        key
    }
}

/// A table's row.
pub(crate) trait Row: Clone + Field {
    /// Whether it must be in memory.
    fn hot(&self) -> bool {
        true
    }
}

#[derive(Clone, Debug)]
struct Slot<V> {
    value: Option<V>,
    dirty: bool,
    hot_on_disk: bool,
}

/// Rows by key. Participants choose many keys, so where they lie is another on each start; nothing
/// that is written may follow the order of `iter`.
#[derive(Clone, Debug)]
pub(crate) struct Table<K, V> {
    slots: HashMap<K, Slot<V>, RandomState>,
    dirty: Vec<K>,
    journal: Option<Vec<(K, Option<V>)>>,
}

impl<K: Key, V: Row> Table<K, V> {
    pub(crate) fn new() -> Self {
        Self {
            slots: HashMap::with_hasher(RandomState::default()),
            dirty: Vec::new(),
            journal: None,
        }
    }

    /// The row, if it exists.
    ///
    /// # Panics
    /// When a cold row was not prefetched: answering without it would be a lie.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        match self.slots.get(key) {
            Some(slot) => slot.value.as_ref(),
            None => {
                assert!(K::COLD.is_none(), "row {key:?} was not prefetched");
                None
            }
        }
    }

    /// The row, if it is in memory and exists.
    pub(crate) fn peek(&self, key: &K) -> Option<&V> {
        self.slots.get(key).and_then(|slot| slot.value.as_ref())
    }

    /// Whether it is known if the row exists.
    pub(crate) fn knows(&self, key: &K) -> bool {
        K::COLD.is_none() || self.slots.contains_key(key)
    }

    /// Writes a row, or removes it.
    pub(crate) fn set(&mut self, key: K, value: Option<V>) {
        let slot =
            self.slots.entry(key).or_insert(Slot { value: None, dirty: false, hot_on_disk: false });
        let old = core::mem::replace(&mut slot.value, value);
        if let Some(journal) = &mut self.journal {
            journal.push((key, old));
        }
        if !slot.dirty {
            slot.dirty = true;
            self.dirty.push(key);
        }
    }

    /// Changes a row in place; nothing when there is none.
    pub(crate) fn change(&mut self, key: &K, change: impl FnOnce(&mut V)) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        let Some(value) = &mut slot.value else { return };
        if let Some(journal) = &mut self.journal {
            journal.push((*key, Some(value.clone())));
        }
        change(value);
        if !slot.dirty {
            slot.dirty = true;
            self.dirty.push(*key);
        }
    }

    /// Rows in memory, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.slots.iter().filter_map(|(key, slot)| slot.value.as_ref().map(|value| (key, value)))
    }

    /// Begins to remember what is overwritten.
    pub(crate) fn journal_begin(&mut self) {
        self.journal = Some(Vec::new());
    }

    /// Ends it; what was overwritten, latest first.
    pub(crate) fn journal_end(&mut self) -> Vec<(K, Option<V>)> {
        let mut journal = self.journal.take().unwrap_or_default();
        journal.reverse();
        journal
    }

    /// Takes a row read from disk.
    pub(crate) fn load(&mut self, key: &[u8], row: Option<&[u8]>) -> Result<(), DecodeError> {
        let key = K::from_bytes(key)?;
        let value = row.map(V::from_bytes).transpose()?;
        let hot_on_disk = value.as_ref().is_some_and(Row::hot);
        self.slots.entry(key).or_insert(Slot { value, dirty: false, hot_on_disk });
        Ok(())
    }

    /// Hands every changed row to `sink` as (key, row or removal).
    pub(crate) fn drain(&mut self, sink: &mut impl FnMut(&[u8], Option<&[u8]>)) {
        let mut bytes = Vec::with_capacity(512);
        for key in self.dirty.drain(..) {
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            slot.dirty = false;
            let hot = slot.value.as_ref().is_some_and(Row::hot);
            if let Some(value) = &slot.value {
                bytes.clear();
                value.put(&mut bytes);
                let prefix = if hot { K::HOT } else { K::COLD.unwrap_or(K::HOT) };
                sink(&key.row_key(prefix), Some(&bytes));
            }
            if !hot && slot.hot_on_disk {
                sink(&key.row_key(K::HOT), None);
            }
            slot.hot_on_disk = hot;
        }
    }

    /// Forgets rows that need not be in memory and are not changed.
    pub(crate) fn evict(&mut self) {
        self.slots.retain(|_, slot| slot.dirty || slot.value.as_ref().is_some_and(Row::hot));
    }
}

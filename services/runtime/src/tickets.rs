//! Counts what is under way, in all and by key, so that nothing grows without bound and one key's
//! flood leaves room for another's. It must never wait: what finds no room is refused at once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[cfg(test)]
mod tests;

/// Bounds on what is under way; clones share them.
#[derive(Debug)]
pub struct Tickets<K> {
    max: usize,
    each_max: usize,
    held: Arc<Mutex<Held<K>>>,
}

#[derive(Debug)]
struct Held<K> {
    all: usize,
    each: HashMap<K, usize>,
}

/// One thing under way, until dropped.
#[derive(Debug)]
pub struct Ticket<K: Eq + Hash> {
    key: K,
    held: Arc<Mutex<Held<K>>>,
}

impl<K> Clone for Tickets<K> {
    fn clone(&self) -> Self {
        Self { max: self.max, each_max: self.each_max, held: Arc::clone(&self.held) }
    }
}

impl<K: Clone + Eq + Hash> Tickets<K> {
    /// At most `max` at one time, of one key at most `each_max`.
    #[must_use]
    pub fn new(max: usize, each_max: usize) -> Self {
        let held = Held { all: 0, each: HashMap::new() };
        Self { max, each_max, held: Arc::new(Mutex::new(held)) }
    }

    /// A ticket, unless too much is under way in all or of this key.
    #[must_use]
    pub fn take(&self, key: K) -> Option<Ticket<K>> {
        let held = lock(&self.held);
        let own = held.each.get(&key).copied().unwrap_or_default();
        if held.all >= self.max || own >= self.each_max {
            return None;
        }
        Some(self.grant(held, key))
    }

    /// A ticket of a key of which nothing is under way yet, unless too much is in all.
    #[must_use]
    pub fn take_first(&self, key: K) -> Option<Ticket<K>> {
        let held = lock(&self.held);
        if held.all >= self.max || held.each.contains_key(&key) {
            return None;
        }
        Some(self.grant(held, key))
    }

    /// A ticket for what cannot be refused any more.
    #[must_use]
    pub fn force(&self, key: K) -> Ticket<K> {
        self.grant(lock(&self.held), key)
    }

    /// Whether a new key would be refused.
    #[must_use]
    pub fn full(&self) -> bool {
        lock(&self.held).all >= self.max
    }

    fn grant(&self, mut held: MutexGuard<'_, Held<K>>, key: K) -> Ticket<K> {
        held.all += 1;
        *held.each.entry(key.clone()).or_default() += 1;
        Ticket { key, held: Arc::clone(&self.held) }
    }
}

impl<K: Eq + Hash> Drop for Ticket<K> {
    fn drop(&mut self) {
        let mut held = lock(&self.held);
        held.all = held.all.saturating_sub(1);
        if let Some(own) = held.each.get_mut(&self.key) {
            *own -= 1;
            if *own == 0 {
                held.each.remove(&self.key);
            }
        }
    }
}

fn lock<K>(held: &Mutex<Held<K>>) -> MutexGuard<'_, Held<K>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

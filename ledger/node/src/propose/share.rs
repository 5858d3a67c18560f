//! Who may hold how much of the proposer's queue, so that one caller's flood never keeps out another; it queues nothing.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ledger_types::ParticipantId;

#[cfg(test)]
mod tests;

/// A caller may hold one in so many of the places and bytes.
const SHARES: usize = 4;

/// So many envelopes and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) envelopes: usize,
    pub(crate) bytes: usize,
}

impl Room {
    /// Whether more fits; what holds nothing yet takes one request of any size.
    const fn takes(self, more: Self, of: Self) -> bool {
        let envelopes = self.envelopes.saturating_add(more.envelopes);
        let bytes = self.bytes.saturating_add(more.bytes);
        envelopes <= of.envelopes && (bytes <= of.bytes || self.bytes == 0)
    }

    const fn add(&mut self, more: Self) {
        self.envelopes = self.envelopes.saturating_add(more.envelopes);
        self.bytes = self.bytes.saturating_add(more.bytes);
    }

    const fn take(&mut self, less: Self) {
        self.envelopes = self.envelopes.saturating_sub(less.envelopes);
        self.bytes = self.bytes.saturating_sub(less.bytes);
    }
}

#[derive(Debug, Default)]
struct Held {
    all: Room,
    each: HashMap<ParticipantId, Room>,
}

/// What is held of the whole; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Shares {
    whole: Room,
    held: Arc<Mutex<Held>>,
}

/// A place for one request, held until dropped.
#[derive(Debug)]
pub(crate) struct Place {
    shares: Shares,
    caller: ParticipantId,
    room: Room,
}

impl Shares {
    pub(crate) fn new(whole: Room) -> Self {
        Self { whole, held: Arc::default() }
    }

    /// A place for a caller's request of so many bytes, unless it or all hold too much.
    pub(crate) fn place(&self, caller: ParticipantId, bytes: usize) -> Option<Place> {
        let mut place = Place { shares: self.clone(), caller, room: Room::default() };
        place.hold(Room { envelopes: 1, bytes }).then_some(place)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Whether it could take so many bytes more.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        self.hold(Room { envelopes: 0, bytes })
    }

    fn hold(&mut self, more: Room) -> bool {
        let whole = self.shares.whole;
        let share =
            Room { envelopes: (whole.envelopes / SHARES).max(1), bytes: whole.bytes / SHARES };
        let mut held = self.shares.held();
        let own = held.each.get(&self.caller).copied().unwrap_or_default();
        // What is its caller's only request may go beyond the share, never beyond the whole.
        let alone = own == self.room && more.envelopes == 0;
        if !held.all.takes(more, whole) || !(alone || own.takes(more, share)) {
            return false;
        }
        held.all.add(more);
        held.each.entry(self.caller).or_default().add(more);
        self.room.add(more);
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.shares.held();
        held.all.take(self.room);
        if let Some(own) = held.each.get_mut(&self.caller) {
            own.take(self.room);
            if own.envelopes == 0 {
                held.each.remove(&self.caller);
            }
        }
    }
}

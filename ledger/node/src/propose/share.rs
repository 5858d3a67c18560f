//! Who may hold how much of what waits or is in flight: no more than is served soon, none kept out by another's flood; it queues nothing.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ledger_types::ParticipantId;
use tokio::time::Instant;

use super::pace::Pace;

#[cfg(test)]
mod tests;

/// A caller may hold one in so many of the places and bytes.
const SHARES: usize = 4;
/// What an envelope takes beside its bytes, in bytes that take as long: a signature to check.
const ENVELOPE_WEIGHT: usize = 1_024;
/// Envelopes that may be held whatever the pace is, so that the largest keep all threads busy.
const FEW: usize = 8;
/// Weight that may be held whatever the pace is: a stalled disk is no reason to do one at a time.
const WEIGHT_MIN: u64 = 256 << 10;

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

    const fn and(self, more: Self) -> Self {
        Self {
            envelopes: self.envelopes.saturating_add(more.envelopes),
            bytes: self.bytes.saturating_add(more.bytes),
        }
    }

    const fn add(&mut self, more: Self) {
        *self = self.and(more);
    }

    const fn take(&mut self, less: Self) {
        self.envelopes = self.envelopes.saturating_sub(less.envelopes);
        self.bytes = self.bytes.saturating_sub(less.bytes);
    }

    /// How long it takes, in bytes.
    fn weight(self) -> u64 {
        let weight = self.bytes.saturating_add(self.envelopes.saturating_mul(ENVELOPE_WEIGHT));
        u64::try_from(weight).unwrap_or(u64::MAX)
    }
}

#[derive(Debug)]
struct Held {
    all: Room,
    each: HashMap<ParticipantId, Room>,
    /// Absent where nothing is measured.
    pace: Option<Pace>,
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
    /// Bounded by a whole only.
    pub(crate) fn new(whole: Room) -> Self {
        Self::paced(whole, None)
    }

    /// Bounded by what is served within a time as well.
    pub(crate) fn within(whole: Room, within: Duration) -> Self {
        Self::paced(whole, Some(Pace::new(within)))
    }

    fn paced(whole: Room, pace: Option<Pace>) -> Self {
        let held = Held { all: Room::default(), each: HashMap::new(), pace };
        Self { whole, held: Arc::new(Mutex::new(held)) }
    }

    /// A place for a caller's request of so many bytes, unless it or all hold too much.
    pub(crate) fn place(&self, caller: ParticipantId, bytes: usize) -> Option<Place> {
        let mut place = Place { shares: self.clone(), caller, room: Room::default() };
        place.hold(Room { envelopes: 1, bytes }).then_some(place)
    }

    /// What is held at this moment.
    pub(crate) fn taken(&self) -> Room {
        self.held().all
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Whether what is held with `more` of a caller that holds `own` is served soon. What one leaves
    /// of the pace another may use, but each has its part of it at any time.
    fn soon(&mut self, own: Room, more: Room) -> bool {
        let Some(limit) = self.pace.as_ref().and_then(Pace::limit) else { return true };
        let limit = limit.max(WEIGHT_MIN);
        let callers = self.each.len() + usize::from(own.envelopes == 0);
        let own = own.and(more);
        let part = limit / u64::try_from(callers).unwrap_or(u64::MAX).max(1);
        let soon = own.envelopes <= (FEW / callers.max(1)).max(1)
            || self.all.and(more).weight() <= limit
            || own.weight() <= part;
        if let (false, Some(pace)) = (soon, &mut self.pace) {
            pace.press();
        }
        soon
    }
}

impl Place {
    /// Whose request it is for.
    pub(crate) const fn caller(&self) -> ParticipantId {
        self.caller
    }

    /// Whether it could take so many bytes more.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        self.hold(Room { envelopes: 0, bytes })
    }

    /// Whether it holds so many bytes, or could take what is missing.
    pub(crate) fn reach(&mut self, bytes: usize) -> bool {
        self.room.bytes >= bytes || self.grow(bytes - self.room.bytes)
    }

    /// Gives it back after what it was for has been done.
    pub(crate) fn served(self) {
        let weight = self.room.weight();
        if let Some(pace) = &mut self.shares.held().pace {
            pace.served(weight, Instant::now());
        }
    }

    fn hold(&mut self, more: Room) -> bool {
        let whole = self.shares.whole;
        let share =
            Room { envelopes: (whole.envelopes / SHARES).max(1), bytes: whole.bytes / SHARES };
        let mut held = self.shares.held();
        let own = held.each.get(&self.caller).copied().unwrap_or_default();
        // What is its caller's only request may go beyond the share, never beyond the whole.
        let alone = own == self.room && more.envelopes == 0;
        if !held.all.takes(more, whole)
            || !(alone || own.takes(more, share))
            || !held.soon(own, more)
        {
            return false;
        }
        if held.all.envelopes == 0
            && let Some(pace) = &mut held.pace
        {
            pace.begin(Instant::now());
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

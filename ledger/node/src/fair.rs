//! A queue in which callers take turns by weight (deficit round robin), so that nobody waits behind another's flood; it bounds nothing and waits for nothing.
use std::collections::{BTreeMap, VecDeque};

use ledger_types::ParticipantId;

#[cfg(test)]
mod tests;

/// What a caller may take in one turn; what is heavier waits for several.
const QUANTUM: usize = 4_096;

/// What callers wait for, each in the order in which it came.
#[derive(Debug)]
pub(crate) struct Fair<T> {
    lines: BTreeMap<ParticipantId, Line<T>>,
    /// Those with a line, the next first.
    turns: VecDeque<ParticipantId>,
    length: usize,
}

#[derive(Debug)]
struct Line<T> {
    waiting: VecDeque<(usize, T)>,
    credit: usize,
}

impl<T> Default for Fair<T> {
    fn default() -> Self {
        Self { lines: BTreeMap::new(), turns: VecDeque::new(), length: 0 }
    }
}

impl<T> Fair<T> {
    /// How many wait.
    pub(crate) const fn len(&self) -> usize {
        self.length
    }

    /// Puts one of a weight at the end of its caller's line.
    pub(crate) fn push(&mut self, caller: ParticipantId, weight: usize, one: T) {
        let turns = &mut self.turns;
        let line = self.lines.entry(caller).or_insert_with(|| {
            turns.push_back(caller);
            Line { waiting: VecDeque::new(), credit: 0 }
        });
        line.waiting.push_back((weight, one));
        self.length += 1;
    }

    /// Takes the next.
    pub(crate) fn pop(&mut self) -> Option<T> {
        loop {
            let caller = *self.turns.front()?;
            let line = self.lines.get_mut(&caller)?;
            let weight = line.waiting.front().map_or(0, |(weight, _)| *weight);
            // Alone, nobody has to be waited for.
            if self.turns.len() > 1 && line.credit < weight {
                line.credit += QUANTUM;
                self.turns.rotate_left(1);
                continue;
            }
            line.credit = line.credit.saturating_sub(weight);
            let next = line.waiting.pop_front();
            if line.waiting.is_empty() {
                self.lines.remove(&caller);
                self.turns.pop_front();
            }
            self.length -= usize::from(next.is_some());
            return next.map(|(_, one)| one);
        }
    }
}

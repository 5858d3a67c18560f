//! Finds the tellings of one movement in two books: by UETR, end-to-end id, servicer's reference and
//! batch, then by amount, date and party. Every pass sorts, so that nothing hangs on chance.
//! It must never hold two tellings for one that contradict each other in a reference.

use crate::{
    breaks::{Break, Cause, cause},
    movement::{Evidence, Movement, Reason, Rules, contradict},
};

/// The most movements of one side in a group of equal amounts of which every pair is weighed; in a
/// larger one only those of one day and party are paired.
const GROUP_MAX: usize = 64;
/// The most pairs of one reference; what so many share refers to nothing.
const PAIRS_MAX: usize = 1 << 18;

/// Movements that are the same: one on each side, or many of the ledger's and one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    pub left: Vec<usize>,
    pub right: usize,
    pub evidence: Evidence,
}

/// Everything of both books, once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    pub matches: Vec<Match>,
    pub breaks: Vec<Break>,
    /// Movements of the left book whose day the right one does not cover yet.
    pub awaiting: Vec<usize>,
}

/// Lays `right` beside `left`, the ledger.
#[must_use]
pub fn compare(left: &[Movement], right: &[Movement], rules: &Rules) -> Outcome {
    let mut engine = Engine {
        left,
        right,
        rules,
        left_open: vec![true; left.len()],
        right_open: vec![true; right.len()],
        outcome: Outcome::default(),
    };
    engine.by_reference(|own| own.uetr, |own| own.returns.or(own.uetr));
    engine.by_reference(|own| own.end_to_end_id.as_deref(), |own| own.end_to_end_id.as_deref());
    let servicer = |own: &Movement| own.servicer_reference.clone();
    engine.by_reference(servicer, servicer);
    engine.by_batch();
    engine.by_amount();
    engine.by_sum();
    engine.by_party();
    engine.rest()
}

struct Engine<'a> {
    left: &'a [Movement],
    right: &'a [Movement],
    rules: &'a Rules,
    left_open: Vec<bool>,
    right_open: Vec<bool>,
    outcome: Outcome,
}

impl<'a> Engine<'a> {
    fn movement(&self, left: usize, right: usize) -> Option<(&'a Movement, &'a Movement)> {
        self.left.get(left).zip(self.right.get(right))
    }

    /// The places of movements with a key, sorted by it.
    fn keyed<K: Ord>(
        movements: &'a [Movement],
        open: Option<&[bool]>,
        key: impl Fn(&'a Movement) -> Option<K>,
    ) -> Vec<(K, usize)> {
        let places = movements.iter().enumerate();
        let places = places.filter(|(at, _)| open.is_none_or(|open| open.get(*at) == Some(&true)));
        let mut keyed: Vec<(K, usize)> =
            places.filter_map(|(at, own)| Some((key(own)?, at))).collect();
        keyed.sort_unstable();
        keyed
    }

    /// Pairs what has one reference. Movements that are taken already show what comes twice.
    fn by_reference<K: Ord>(
        &mut self,
        right_key: impl Fn(&'a Movement) -> Option<K>,
        left_key: impl Fn(&'a Movement) -> Option<K>,
    ) {
        let left = Self::keyed(self.left, None, left_key);
        let right = Self::keyed(self.right, Some(&self.right_open), right_key);
        for (lefts, rights) in groups(&left, &right) {
            if lefts.len().saturating_mul(rights.len()) <= PAIRS_MAX {
                self.pair(&lefts, rights);
            }
        }
    }

    /// Of one reference: equal amounts first, then what is left over if it is one on each side.
    fn pair(&mut self, lefts: &[usize], mut rights: Vec<usize>) {
        let mut open: Vec<usize> =
            lefts.iter().copied().filter(|at| self.left_open.get(*at) == Some(&true)).collect();
        open.retain(|left| {
            let own = rights.iter().copied().filter(|right| self.fits(*left, *right));
            let weighed = own.map(|right| (self.distance(*left, right), right));
            let Some((distance, right)) = weighed.min() else { return true };
            let clear = distance.0 == 0 || lefts.len() == 1;
            if clear {
                rights.retain(|one| *one != right);
                self.settle(*left, right);
            }
            !clear
        });
        if let ([left], [right]) = (open.as_slice(), rights.as_slice())
            && self.fits(*left, *right)
        {
            self.settle(*left, *right);
            return;
        }
        // What is left over of a reference whose movement was found came twice, or takes it back.
        for right in rights {
            self.again(lefts, right);
        }
    }

    fn again(&mut self, lefts: &[usize], right: usize) {
        let found = lefts.iter().copied().find(|left| {
            let taken = self.left_open.get(*left) == Some(&false);
            taken
                && self.movement(*left, right).is_some_and(|(own, other)| {
                    let turned = Movement { side: own.side, ..other.clone() };
                    let same = own.amount == other.amount && own.currency == other.currency;
                    !contradict(own, &turned) && (same || other.reversal)
                })
        });
        let Some((left, (own, other))) =
            found.and_then(|left| Some((left, self.movement(left, right)?)))
        else {
            return;
        };
        let cause = match (own.side == other.side, other.reversal) {
            (false, _) | (_, true) => Cause::Reversed,
            (true, false) => Cause::Duplicated,
        };
        self.close_right(right);
        self.broken(cause, vec![left], vec![right], other.amount, Evidence::of(own, other));
    }

    fn fits(&self, left: usize, right: usize) -> bool {
        self.movement(left, right).is_some_and(|(own, other)| !contradict(own, other))
    }

    /// Smaller is closer: amount and currency, account, party, days.
    fn distance(&self, left: usize, right: usize) -> (u8, u8, u8, u32) {
        let Some((own, other)) = self.movement(left, right) else { return (9, 9, 9, 0) };
        let evidence = Evidence::of(own, other);
        let lacks = |reason| u8::from(!evidence.has(reason));
        let days = own.value_date.abs_diff(other.value_date);
        (lacks(Reason::Amount), lacks(Reason::Account), lacks(Reason::Party), days)
    }

    /// Two tellings of one movement: a match, or a break with its cause.
    fn settle(&mut self, left: usize, right: usize) {
        let Some((own, other)) = self.movement(left, right) else { return };
        let evidence = Evidence::of(own, other);
        if let Some(open) = self.left_open.get_mut(left) {
            *open = false;
        }
        self.close_right(right);
        match cause(own, other, self.rules) {
            None => self.outcome.matches.push(Match { left: vec![left], right, evidence }),
            Some((cause, at_risk)) => {
                self.broken(cause, vec![left], vec![right], at_risk, evidence);
            }
        }
    }

    fn close_right(&mut self, right: usize) {
        if let Some(open) = self.right_open.get_mut(right) {
            *open = false;
        }
    }

    fn broken(
        &mut self,
        cause: Cause,
        left: Vec<usize>,
        right: Vec<usize>,
        at_risk: u64,
        evidence: Evidence,
    ) {
        let own = left.first().and_then(|at| self.left.get(*at));
        let own = own.or_else(|| right.first().and_then(|at| self.right.get(*at)));
        if let Some(currency) = own.map(|own| own.currency) {
            self.outcome.breaks.push(Break { cause, left, right, currency, at_risk, evidence });
        }
    }

    /// One entry of the statement for a whole batch of the ledger.
    fn by_batch(&mut self) {
        fn key(own: &Movement) -> Option<(&str, crate::Side)> {
            own.batch.as_deref().map(|batch| (batch, own.side))
        }
        let left = Self::keyed(self.left, Some(&self.left_open), key);
        let right = Self::keyed(self.right, Some(&self.right_open), key);
        for (lefts, rights) in groups(&left, &right) {
            let [right] = rights.as_slice() else { continue };
            let Some(sum) = self.sum(&lefts, *right) else { continue };
            let amount = self.right.get(*right).map_or(0, |own| own.amount);
            self.settle_many(lefts, *right, sum.abs_diff(u128::from(amount)));
        }
    }

    /// One entry that is the sum of all that one party moved on one day.
    fn by_sum(&mut self) {
        let key = |own: &'a Movement| {
            let party = own.party.as_deref()?;
            Some((party, own.account, own.currency, own.side, own.value_date))
        };
        let left = Self::keyed(self.left, Some(&self.left_open), key);
        let right = Self::keyed(self.right, Some(&self.right_open), key);
        for (lefts, rights) in groups(&left, &right) {
            let [right] = rights.as_slice() else { continue };
            let amount = self.right.get(*right).map_or(0, |own| own.amount);
            let fits = lefts.len() > 1 && lefts.iter().all(|left| self.fits(*left, *right));
            if fits && self.sum(&lefts, *right) == Some(u128::from(amount)) {
                self.settle_many(lefts, *right, 0);
            }
        }
    }

    /// The sum of movements on the account and in the currency of an entry.
    fn sum(&self, lefts: &[usize], right: usize) -> Option<u128> {
        let entry = self.right.get(right)?;
        lefts.iter().try_fold(0_u128, |sum, left| {
            let own = self.left.get(*left)?;
            let same = own.currency == entry.currency && own.account == entry.account;
            same.then_some(sum + u128::from(own.amount))
        })
    }

    fn settle_many(&mut self, lefts: Vec<usize>, right: usize, off: u128) {
        let common = lefts.iter().filter_map(|left| self.movement(*left, right));
        let common = common.map(|(own, other)| Evidence::of(own, other));
        let evidence = common.reduce(Evidence::and).unwrap_or_default();
        for left in &lefts {
            if let Some(open) = self.left_open.get_mut(*left) {
                *open = false;
            }
        }
        self.close_right(right);
        if off == 0 {
            let evidence = evidence.with(Reason::Amount);
            self.outcome.matches.push(Match { left: lefts, right, evidence });
        } else {
            let at_risk = u64::try_from(off).unwrap_or(u64::MAX);
            self.broken(Cause::BatchSumDiffers, lefts, vec![right], at_risk, evidence);
        }
    }

    /// Equal amounts on one account within some days, whose parties do not differ: closest first.
    fn by_amount(&mut self) {
        let key = |own: &Movement| Some((own.account, own.currency, own.side, own.amount));
        let left = Self::keyed(self.left, Some(&self.left_open), key);
        let right = Self::keyed(self.right, Some(&self.right_open), key);
        for (lefts, rights) in groups(&left, &right) {
            let mut pairs = Vec::new();
            if lefts.len() <= GROUP_MAX && rights.len() <= GROUP_MAX {
                for left in &lefts {
                    pairs.extend(rights.iter().map(|right| (*left, *right)));
                }
            } else {
                let (left, right) = (daily(self.left, &lefts), daily(self.right, &rights));
                for (lefts, rights) in groups(&left, &right) {
                    pairs.extend(lefts.into_iter().zip(rights));
                }
            }
            pairs.retain(|(left, right)| self.near(*left, *right));
            let pairs = pairs.into_iter();
            let mut pairs: Vec<_> =
                pairs.map(|(left, right)| (self.distance(left, right), left, right)).collect();
            pairs.sort_unstable();
            for (_, left, right) in pairs {
                let open = self.left_open.get(left) == Some(&true);
                if open && self.right_open.get(right) == Some(&true) {
                    self.found(left, right);
                }
            }
        }
    }

    /// What is left over of one party, if it is one on each side and a charge explains the difference.
    fn by_party(&mut self) {
        let key =
            |own: &'a Movement| Some((own.party.as_deref()?, own.account, own.currency, own.side));
        let left = Self::keyed(self.left, Some(&self.left_open), key);
        let right = Self::keyed(self.right, Some(&self.right_open), key);
        for (lefts, rights) in groups(&left, &right) {
            let ([left], [right]) = (lefts.as_slice(), rights.as_slice()) else { continue };
            let charged = self.movement(*left, *right).and_then(|(own, other)| {
                cause(own, other, self.rules).filter(|(cause, _)| *cause == Cause::ChargesDeducted)
            });
            if charged.is_some() && self.near(*left, *right) {
                self.settle(*left, *right);
            }
        }
    }

    fn near(&self, left: usize, right: usize) -> bool {
        self.movement(left, right).is_some_and(|(own, other)| {
            let days = own.value_date.abs_diff(other.value_date);
            let parties = own.party.as_ref().zip(other.party.as_ref());
            days <= u32::from(self.rules.search_days)
                && parties.is_none_or(|(own, other)| alike(own, other))
                && !contradict(own, other)
                && own.reversal == other.reversal
        })
    }

    /// What was found without a reference is a match within the days of the search.
    fn found(&mut self, left: usize, right: usize) {
        let Some((own, other)) = self.movement(left, right) else { return };
        let evidence = Evidence::of(own, other);
        if let Some(open) = self.left_open.get_mut(left) {
            *open = false;
        }
        self.close_right(right);
        self.outcome.matches.push(Match { left: vec![left], right, evidence });
    }

    /// What nothing was found for.
    fn rest(mut self) -> Outcome {
        for (at, own) in self.left.iter().enumerate() {
            if self.left_open.get(at) != Some(&true) {
                continue;
            }
            if self.rules.until.is_some_and(|until| own.value_date > until) {
                self.outcome.awaiting.push(at);
            } else {
                let cause = Cause::MissingInStatement;
                self.broken(cause, vec![at], Vec::new(), own.amount, Evidence::default());
            }
        }
        for (at, own) in self.right.iter().enumerate() {
            if self.right_open.get(at) == Some(&true) {
                let cause = if own.reversal { Cause::Reversed } else { Cause::MissingInLedger };
                self.broken(cause, Vec::new(), vec![at], own.amount, Evidence::default());
            }
        }
        self.outcome.matches.sort_unstable_by_key(|one| one.right);
        self.outcome.breaks.sort_by_key(|one| (one.left.first().copied(), one.right.clone()));
        self.outcome
    }
}

/// Whether two names may be one party's: statements cut names off.
fn alike(left: &str, right: &str) -> bool {
    const LEAST: usize = 6;
    let (short, long) = if left.len() < right.len() { (left, right) } else { (right, left) };
    short == long || short.len() >= LEAST && long.starts_with(short)
}

/// Places by day and party.
fn daily<'a>(movements: &'a [Movement], places: &[usize]) -> Vec<((i32, Option<&'a str>), usize)> {
    let own = places.iter().filter_map(|at| Some((movements.get(*at)?, *at)));
    let mut keyed: Vec<_> =
        own.map(|(own, at)| ((own.value_date, own.party.as_deref()), at)).collect();
    keyed.sort_unstable();
    keyed
}

/// Places in both lists that have one key, in the order of keys.
fn groups<K: Ord>(left: &[(K, usize)], right: &[(K, usize)]) -> Vec<(Vec<usize>, Vec<usize>)> {
    let mut groups = Vec::new();
    let (mut left, mut right) = (left, right);
    while let (Some((own, _)), Some((other, _))) = (left.first(), right.first()) {
        match own.cmp(other) {
            std::cmp::Ordering::Less => left = left.get(1..).unwrap_or_default(),
            std::cmp::Ordering::Greater => right = right.get(1..).unwrap_or_default(),
            std::cmp::Ordering::Equal => {
                let lefts = left.iter().take_while(|(key, _)| key == own).count();
                let rights = right.iter().take_while(|(key, _)| key == own).count();
                let places = |all: &[(K, usize)], count: usize| {
                    all.iter().take(count).map(|(_, at)| *at).collect::<Vec<_>>()
                };
                groups.push((places(left, lefts), places(right, rights)));
                left = left.get(lefts..).unwrap_or_default();
                right = right.get(rights..).unwrap_or_default();
            }
        }
    }
    groups
}

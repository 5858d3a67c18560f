//! Lays the movements of one book beside the ledger's and says what must change in what is stored: matches made and
//! dissolved, breaks opened and closed. It must never know a table; equal input changes nothing a second time.

use std::collections::{BTreeMap, BTreeSet};

use ledger_types::Currency;
use services_matching::{Cause, Evidence, Movement, Rules, Side, compare};
use time::Date;
use uuid::Uuid;

/// A stored movement that takes part.
#[derive(Clone, Debug)]
pub struct Stored {
    pub movement: i64,
    pub account: i64,
    /// Of the ledger, else of a statement or journal.
    pub ledger: bool,
    pub amount: u64,
    pub currency: String,
    pub credit: bool,
    pub value_date: Date,
    pub uetr: Option<Uuid>,
    pub end_to_end_id: Option<String>,
    pub servicer_reference: Option<String>,
    pub party: Option<String>,
    pub batch: Option<String>,
    pub reversal: bool,
    pub returns: Option<Uuid>,
    pub charges: u64,
    /// Of an entry that is not the sum of its details: those of them that have a UETR.
    pub parts: Vec<Part>,
    pub state: State,
    pub matched: Option<i64>,
}

/// A detail of an entry that is kept whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub uetr: Uuid,
    /// Minor units.
    pub amount: u64,
}

/// Where a movement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Open,
    /// Due on a day that the other book does not cover yet.
    Awaited,
    Matched,
    Broken,
    /// Its break was closed by people.
    Closed,
}

impl State {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Awaited => "awaited",
            Self::Matched => "matched",
            Self::Broken => "broken",
            Self::Closed => "closed",
        }
    }

    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        let all = [Self::Open, Self::Awaited, Self::Matched, Self::Broken, Self::Closed];
        all.into_iter().find(|state| state.as_str() == word)
    }
}

/// A stored break whose movements take part.
#[derive(Clone, Debug)]
pub struct StoredBreak {
    pub id: i64,
    pub identity: String,
    pub at_risk: u64,
    pub open: bool,
    /// Closed because its cause was gone, not by people.
    pub gone: bool,
    pub movements: Vec<i64>,
}

/// What else is known.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The last day that each account's statements cover.
    pub covered: BTreeMap<i64, Date>,
    /// The days that journals told of each account; accounts of other legs are missing.
    pub told: BTreeMap<i64, BTreeSet<Date>>,
    /// Whether the ledger may still tell of a day on an account: its cut-off has not passed.
    pub ledger_open: BTreeSet<(i64, Date)>,
    pub rules: Rules,
}

/// A match to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMatch {
    pub account: i64,
    pub movements: Vec<i64>,
    pub score: i16,
    pub evidence: Vec<(&'static str, u16)>,
}

/// A break to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBreak {
    pub identity: String,
    pub account: i64,
    pub currency: String,
    pub cause: Cause,
    pub at_risk: u64,
    pub value_date: Date,
    pub movements: Vec<i64>,
    pub evidence: Vec<(&'static str, u16)>,
    /// Seen from the account, what the statement or else the ledger says.
    pub credit: bool,
    /// The break whose movements it takes over.
    pub follows: Option<i64>,
}

/// What must change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub dissolved: Vec<i64>,
    pub matches: Vec<NewMatch>,
    pub closed: Vec<i64>,
    pub opened: Vec<NewBreak>,
    /// Closed by themselves before, and back.
    pub back: Vec<i64>,
    pub states: Vec<(i64, State)>,
}

impl Changes {
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.dissolved.is_empty()
            && self.matches.is_empty()
            && self.closed.is_empty()
            && self.opened.is_empty()
            && self.back.is_empty()
            && self.states.is_empty()
    }
}

/// Compares, and tells what must change.
#[must_use]
pub fn changes(stored: &[Stored], breaks: &[StoredBreak], context: &Context) -> Changes {
    let (left, right): (Vec<&Stored>, Vec<&Stored>) = stored.iter().partition(|own| own.ledger);
    let accounts: BTreeSet<i64> = stored.iter().map(|own| own.account).collect();
    let numbers: BTreeMap<i64, u32> = accounts.into_iter().zip(0..).collect();
    let batches = batches(&left, &right);
    let movements = |own: &[&Stored]| -> Vec<Movement> {
        own.iter()
            .map(|own| {
                let account = numbers.get(&own.account).copied().unwrap_or(0);
                let batch = batches.get(&own.movement).map(|entry| format!("entry {entry}"));
                Movement { batch: batch.or_else(|| own.batch.clone()), ..movement(own, account) }
            })
            .collect()
    };
    let outcome = compare(&movements(&left), &movements(&right), &context.rules);
    let mut diff = Diff::new(stored, breaks);
    for one in &outcome.matches {
        let rights = right.get(one.right).copied();
        let both = places(&left, &one.left).chain(rights).collect::<Vec<_>>();
        diff.matched(&both, one.evidence);
    }
    for one in &outcome.breaks {
        let own: Vec<&Stored> = places(&left, &one.left).collect();
        let other: Vec<&Stored> = places(&right, &one.right).collect();
        if !awaited(one.cause, &own, &other, context) {
            diff.broken(one.cause, one.at_risk, &own, &other, one.evidence);
        } else if let Some(first) = own.first().or_else(|| other.first()) {
            diff.state(first.movement, State::Awaited);
        }
    }
    diff.end()
}

/// Which movements of the ledger an entry names as its parts, and the entry itself, by the entry's movement. A UETR may
/// have several legs on an account, fees beside what is paid: that of the part's amount is meant, or else the largest.
fn batches(left: &[&Stored], right: &[&Stored]) -> BTreeMap<i64, i64> {
    let mut named: BTreeMap<i64, i64> = BTreeMap::new();
    if right.iter().all(|own| own.parts.is_empty()) {
        return named;
    }
    let mut legs: BTreeMap<(Uuid, i64, bool), Vec<&Stored>> = BTreeMap::new();
    for own in left {
        if let Some(uetr) = own.uetr {
            legs.entry((uetr, own.account, own.credit)).or_default().push(own);
        }
    }
    for entry in right.iter().filter(|own| !own.parts.is_empty()) {
        named.insert(entry.movement, entry.movement);
        for part in &entry.parts {
            let own = legs.get(&(part.uetr, entry.account, entry.credit)).into_iter().flatten();
            let meant = own.max_by_key(|own| (own.amount == part.amount, own.amount));
            named.extend(meant.map(|own| (own.movement, entry.movement)));
        }
    }
    named
}

/// What is due on a day that the other book does not tell yet.
fn awaited(cause: Cause, left: &[&Stored], right: &[&Stored], context: &Context) -> bool {
    match (cause, left, right) {
        (Cause::MissingInStatement, [own], []) => match context.told.get(&own.account) {
            Some(days) => !days.contains(&own.value_date),
            None => context.covered.get(&own.account).is_none_or(|until| own.value_date > *until),
        },
        (Cause::MissingInLedger, [], [other]) => {
            context.ledger_open.contains(&(other.account, other.value_date))
        }
        _ => false,
    }
}

fn places<'a>(all: &'a [&'a Stored], at: &'a [usize]) -> impl Iterator<Item = &'a Stored> {
    at.iter().filter_map(|at| all.get(*at).copied())
}

fn movement(own: &Stored, account: u32) -> Movement {
    // Currencies were checked when the movement was kept.
    let currency = own.currency.parse::<Currency>().unwrap_or(Currency::NONE);
    Movement {
        account,
        currency,
        amount: own.amount,
        side: if own.credit { Side::Credit } else { Side::Debit },
        value_date: own.value_date.to_julian_day(),
        uetr: own.uetr.map(|uetr| uetr.as_u128()),
        end_to_end_id: own.end_to_end_id.clone(),
        servicer_reference: own.servicer_reference.clone(),
        party: own.party.clone(),
        batch: own.batch.clone(),
        reversal: own.reversal,
        returns: own.returns.map(|uetr| uetr.as_u128()),
        charges: own.charges,
    }
}

struct Diff<'a> {
    stored: &'a [Stored],
    breaks: &'a [StoredBreak],
    by_identity: BTreeMap<&'a str, &'a StoredBreak>,
    /// Movements of each match that is stored.
    former: BTreeMap<i64, BTreeSet<i64>>,
    kept: BTreeSet<i64>,
    standing: BTreeSet<i64>,
    states: BTreeMap<i64, State>,
    changes: Changes,
}

impl<'a> Diff<'a> {
    fn new(stored: &'a [Stored], breaks: &'a [StoredBreak]) -> Self {
        let mut former: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
        for own in stored {
            if let Some(id) = own.matched {
                former.entry(id).or_default().insert(own.movement);
            }
        }
        Self {
            stored,
            breaks,
            by_identity: breaks.iter().map(|own| (own.identity.as_str(), own)).collect(),
            former,
            kept: BTreeSet::new(),
            standing: BTreeSet::new(),
            states: BTreeMap::new(),
            changes: Changes::default(),
        }
    }

    /// Matched is matched, whatever else is said of a movement.
    fn state(&mut self, movement: i64, state: State) {
        let known = self.states.entry(movement).or_insert(state);
        if state == State::Matched {
            *known = state;
        }
    }

    fn matched(&mut self, both: &[&Stored], evidence: Evidence) {
        let movements: BTreeSet<i64> = both.iter().map(|own| own.movement).collect();
        movements.iter().for_each(|one| self.state(*one, State::Matched));
        let id = both.iter().find_map(|own| own.matched);
        if let Some(id) = id.filter(|id| self.former.get(id) == Some(&movements)) {
            self.kept.insert(id);
            return;
        }
        let Some(last) = both.last() else { return };
        self.changes.matches.push(NewMatch {
            account: last.account,
            movements: movements.into_iter().collect(),
            score: i16::try_from(evidence.score()).unwrap_or(100),
            evidence: explained(evidence),
        });
    }

    fn broken(
        &mut self,
        cause: Cause,
        at_risk: u64,
        left: &[&Stored],
        right: &[&Stored],
        evidence: Evidence,
    ) {
        let identity = identity(cause, left, right);
        let both: Vec<&Stored> = left.iter().chain(right).copied().collect();
        let known = self.by_identity.get(identity.as_str()).copied();
        let settled = known.is_some_and(|known| !known.open && !known.gone);
        let state = if settled { State::Closed } else { State::Broken };
        both.iter().for_each(|own| self.state(own.movement, state));
        if let Some(known) = known {
            self.standing.insert(known.id);
            if !known.open && known.gone {
                self.changes.back.push(known.id);
            }
            return;
        }
        // The statement's word of where and which way, if it has one.
        let Some(first) = right.first().or_else(|| left.first()) else { return };
        self.changes.opened.push(NewBreak {
            identity,
            account: first.account,
            currency: first.currency.clone(),
            cause,
            at_risk,
            value_date: left.first().unwrap_or(first).value_date,
            movements: both.iter().map(|own| own.movement).collect(),
            evidence: explained(evidence),
            credit: first.credit,
            follows: None,
        });
    }

    fn end(mut self) -> Changes {
        let dissolved = self.former.keys().filter(|id| !self.kept.contains(id));
        self.changes.dissolved = dissolved.copied().collect();
        let gone = self.breaks.iter().filter(|own| own.open && !self.standing.contains(&own.id));
        let gone: Vec<&StoredBreak> = gone.collect();
        for opened in &mut self.changes.opened {
            let shares = |own: &&&StoredBreak| {
                own.movements.iter().any(|one| opened.movements.contains(one))
            };
            opened.follows = gone.iter().find(shares).map(|own| own.id);
        }
        self.changes.closed = gone.iter().map(|own| own.id).collect();
        for own in self.stored {
            // What was told of by neither stays as it was.
            let state = self.states.get(&own.movement).copied().unwrap_or(own.state);
            let moved = own.matched.is_some_and(|id| !self.kept.contains(&id));
            if (moved || state != own.state) && state != State::Matched {
                self.changes.states.push((own.movement, state));
            }
        }
        self.changes
    }
}

fn identity(cause: Cause, left: &[&Stored], right: &[&Stored]) -> String {
    let ids = |own: &[&Stored]| {
        let mut ids: Vec<i64> = own.iter().map(|own| own.movement).collect();
        ids.sort_unstable();
        ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",")
    };
    format!("{}:{}|{}", cause.as_str(), ids(left), ids(right))
}

fn explained(evidence: Evidence) -> Vec<(&'static str, u16)> {
    evidence.explained().into_iter().map(|(reason, points)| (reason.as_str(), points)).collect()
}

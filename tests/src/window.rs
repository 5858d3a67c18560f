//! The first moments of a history in the hands of a published linearizability checker, which sees only what clients asked and heard; it never looks at records.
use std::{collections::BTreeMap, rc::Rc};

use ledger_proof::Item;
use ledger_types::{ParticipantId, Rejection, RequestId, Timestamp};
use proto::convert::{Balance, Submitted};
use todc_utils::{Action, History, Specification, WGLChecker};

use crate::{
    clients::{Asked, Heard, Operation},
    judge::shown,
    model::{Expected, Model},
};

#[cfg(test)]
mod tests;

/// So many requests at most: the search takes time that grows faster than they do.
const REQUESTS_MAX: usize = 1_200;
/// And with so many items at most: every step that the search takes keeps a ledger of its own.
const ITEMS_MAX: u64 = 24_000;

/// One request with its answer; without one, any will do.
#[derive(Clone, Debug)]
enum Request {
    Submit { id: (ParticipantId, RequestId), items: Rc<[Item]>, heard: Option<Rc<[Expected]>> },
    Balances(Rc<[Balance]>),
}

/// What a single, sequential ledger would be in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Standing {
    model: Model,
    /// The first answer to each envelope, which every further one gets again.
    answered: BTreeMap<(ParticipantId, RequestId), Rc<[Expected]>>,
}

/// A ledger that does one thing after the other.
struct OneByOne;

impl Specification for OneByOne {
    type State = Standing;
    type Operation = Request;

    fn init() -> Standing {
        Standing::default()
    }

    fn apply(request: &Request, standing: &Standing) -> (bool, Standing) {
        let mut after = standing.clone();
        match request {
            Request::Balances(read) => (read.iter().all(|row| shows(row, standing)), after),
            Request::Submit { id, items, heard } => {
                let model = &mut after.model;
                let fates = after.answered.entry(*id).or_insert_with(|| {
                    // In a window nothing expires, so time does not matter.
                    items.iter().map(|item| model.apply(id.0, item, Timestamp::ZERO)).collect()
                });
                let fits = heard.as_ref().is_none_or(|heard| heard == fates);
                (fits, after)
            }
        }
    }
}

fn shows(row: &Balance, standing: &Standing) -> bool {
    let (read, expected) = shown(row, &standing.model);
    read == expected
}

fn fates(submitted: &Submitted) -> Rc<[Expected]> {
    let fate = |outcome: &proto::convert::Outcome| match outcome.rejection {
        None => Expected::Done(outcome.state),
        Some(Rejection::InsufficientFunds) => Expected::NoFunds,
        Some(_) => Expected::Refused,
    };
    submitted.outcomes.iter().map(fate).collect()
}

/// How many requests of a history were found to have an order in which one thing came after the
/// other; `None` when there is none. The window ends before anybody could see an expiry, which
/// nobody asks for: `expiry` is the record of the first.
pub(crate) fn linearizable(history: &[Operation], expiry: Option<u64>) -> Option<u64> {
    let actions = actions(history, end(history, expiry));
    let requests = actions.len() / 2;
    let found = actions.is_empty()
        || WGLChecker::<OneByOne>::is_linearizable(History::from_actions(actions));
    found.then(|| u64::try_from(requests).unwrap_or(0))
}

/// When the window ends: just before the first answer that can show the expiry.
fn end(history: &[Operation], expiry: Option<u64>) -> u64 {
    let shown = |operation: &Operation| {
        let (returned, heard) = operation.returned.as_ref()?;
        let last = match heard {
            Heard::Submitted(submitted) => {
                submitted.outcomes.iter().map(|row| row.sequence).max()?
            }
            Heard::Balances(_, records) => records.checked_sub(1)?,
            Heard::Nothing | Heard::Unknown => return None,
        };
        (last >= expiry?).then_some(*returned)
    };
    let expired = history.iter().filter_map(shown).min();
    let mut items = 0;
    let fit = history.iter().take(REQUESTS_MAX).take_while(|operation| {
        items += operation.items();
        items <= ITEMS_MAX
    });
    let fit = fit.count();
    let enough = history.get(fit).map(|operation| operation.invoked);
    expired.into_iter().chain(enough).min().unwrap_or(u64::MAX)
}

/// Calls and answers in order of time; who was not answered by the end may be at any time.
fn actions(history: &[Operation], end: u64) -> Vec<(usize, Action<Request>)> {
    let mut timed = Vec::new();
    // Of equal times a call comes first, which allows more.
    for (number, operation) in history.iter().enumerate() {
        let answer = operation.returned.as_ref().filter(|(returned, _)| *returned < end);
        let (returned, heard) = match answer {
            Some((_, Heard::Nothing)) => continue,
            Some((returned, heard)) => (*returned, Some(heard)),
            None => (u64::MAX, None),
        };
        let (returned, request) = match (&operation.asked, heard) {
            (Asked::Submit(envelope), heard) => {
                let (returned, heard) = match heard {
                    Some(Heard::Submitted(submitted)) => (returned, Some(fates(submitted))),
                    _ => (u64::MAX, None),
                };
                let id = (envelope.author, envelope.request);
                let items = envelope.items.clone().into();
                (returned, Request::Submit { id, items, heard })
            }
            (Asked::Balances, Some(Heard::Balances(read, _))) => {
                (returned, Request::Balances(read.clone().into()))
            }
            (Asked::Balances, _) => continue,
        };
        if operation.invoked < end {
            timed.push((operation.invoked, false, number, request.clone()));
            timed.push((returned, true, number, request));
        }
    }
    timed.sort_by_key(|(at, answer, number, _)| (*at, *answer, *number));
    let action = |answer, request| match answer {
        true => Action::Response(request),
        false => Action::Call(request),
    };
    timed
        .into_iter()
        .map(|(_, answer, number, request)| (number, action(answer, request)))
        .collect()
}

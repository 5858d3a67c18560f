//! What a gateway does for many transfers at a time: keep new ones, write decisions, note bookings, each with the item that carries it; it decides none of them.
use std::collections::{HashMap, HashSet};

use ledger_types::{StatusReason, TransferId};

use super::{
    Connection, Error, Store,
    book::{Movement, set_aside},
    groups::Group,
    keys::{NewKey, key_part},
    leaving::{Leaving, Sent},
    outbox::{NewItem, OutboxRow, outbox_of_first, outbox_with},
    parties::{NewParty, party_part},
    quotes::{QuoteRow, quote_part},
    statement::Statement,
    transfers::{
        Line, New, book_part, decide_part, timeline_part, transfer_forget, transfer_insert,
    },
};

/// A new transfer with everything that belongs to it.
#[derive(Clone, Debug)]
pub struct Keep {
    /// The transfer.
    pub new: New,
    /// The Idempotency-Key that names it, unless it is kept.
    pub key: Option<NewKey>,
    /// The quote that was asked for it; none of one that its order names.
    pub quote: Option<QuoteRow>,
    /// Who and whom.
    pub party: NewParty,
    /// What the book sets aside for it.
    pub set_aside: Option<Movement>,
    /// The first line of its timeline.
    pub line: Line,
    /// The item that submits it.
    pub item: NewItem,
}

/// Keeps transfers, but sets nothing aside for them; gives the items' rows, none for an identity that
/// is known.
///
/// # Errors
/// When a statement fails.
pub async fn keep(
    connection: &mut Connection,
    all: &[Keep],
) -> Result<Vec<Option<OutboxRow>>, Error> {
    let first = first(connection, all).await?;
    let kept: Vec<&Keep> = chosen(all, &first).collect();
    let mut rows = belongings(connection, &kept).await?.into_iter();
    Ok(first.into_iter().map(|first| if first { rows.next() } else { None }).collect())
}

/// Inserts the transfers themselves; tells whose identity was not known.
async fn first(connection: &mut Connection, all: &[Keep]) -> Result<Vec<bool>, Error> {
    let new: Vec<New> = all.iter().map(|one| one.new.clone()).collect();
    let mut fresh = transfer_insert(connection, &new).await?;
    // The second of two that have one identity finds it taken.
    Ok(all.iter().map(|one| fresh.remove(&one.new.transfer)).collect())
}

fn chosen<'a>(all: &'a [Keep], which: &'a [bool]) -> impl Iterator<Item = &'a Keep> {
    all.iter().zip(which).filter(|(_, chosen)| **chosen).map(|(one, _)| one)
}

/// Keeps what belongs to transfers that are inserted, and gives their items' rows.
async fn belongings(connection: &mut Connection, kept: &[&Keep]) -> Result<Vec<OutboxRow>, Error> {
    if kept.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = Statement::default();
    key_part(&mut statement, kept.iter().filter_map(|one| one.key.as_ref()));
    let quotes: Vec<_> = kept.iter().filter_map(|one| one.quote.clone()).collect();
    quote_part(&mut statement, &quotes);
    let parties: Vec<_> = kept.iter().map(|one| one.party.clone()).collect();
    party_part(&mut statement, &parties);
    let lines: Vec<_> = kept.iter().map(|one| one.line.clone()).collect();
    timeline_part(&mut statement, &lines);
    let items: Vec<_> = kept.iter().map(|one| one.item.clone()).collect();
    outbox_with(connection, statement, &items).await
}

#[derive(Debug)]
pub(super) struct Keeping;

impl Group for Keeping {
    type Item = Keep;
    /// The item, none for an identity that is known; or why nothing can be set aside for it.
    type Answer = Result<Option<Sent>, StatusReason>;

    fn durable(_item: &Keep) -> bool {
        true
    }

    fn leaving(answer: &mut Self::Answer) -> Vec<Leaving> {
        Sent::leaving(answer.iter_mut().flatten())
    }

    async fn run(connection: &mut Connection, items: &[Keep]) -> Result<Vec<Self::Answer>, Error> {
        let first = first(connection, items).await?;
        let aside = chosen(items, &first);
        let aside = aside.filter_map(|one| Some((one.new.transfer, one.set_aside.as_ref()?)));
        let aside: Vec<_> = aside.collect();
        let done = set_aside(connection, &aside).await?;
        let refused = aside.iter().zip(done).filter_map(|((id, _), done)| Some((*id, done.err()?)));
        let refused: HashMap<TransferId, StatusReason> = refused.collect();
        transfer_forget(connection, refused.keys().copied()).await?;
        let kept = chosen(items, &first).filter(|one| !refused.contains_key(&one.new.transfer));
        let mut rows = belongings(connection, &kept.collect::<Vec<_>>()).await?.into_iter();
        let answer = |(one, first): (&Keep, bool)| match refused.get(&one.new.transfer) {
            Some(reason) if first => Err(*reason),
            _ => Ok(first.then(|| rows.next()).flatten().map(Sent::new)),
        };
        Ok(items.iter().zip(first).map(answer).collect())
    }
}

/// A decision about an incoming transfer, and the item that tells it.
#[derive(Clone, Debug)]
pub struct Decide {
    /// accept, hold or reject.
    pub word: &'static str,
    /// What is sent.
    pub item: NewItem,
}

#[derive(Debug)]
pub(super) struct Deciding;

impl Group for Deciding {
    type Item = Decide;
    /// The item; none when a decision was written before or it is too late.
    type Answer = Option<Sent>;

    fn durable(_item: &Decide) -> bool {
        true
    }

    fn leaving(answer: &mut Self::Answer) -> Vec<Leaving> {
        Sent::leaving(answer)
    }

    async fn run(
        connection: &mut Connection,
        items: &[Decide],
    ) -> Result<Vec<Option<Sent>>, Error> {
        // Of two decisions about one transfer the first counts.
        let mut seen = HashSet::new();
        let first = items.iter().filter(|one| seen.insert(one.item.transfer)).cloned().collect();
        let mut rows = decide(connection, first).await?;
        Ok(items.iter().map(|one| rows.remove(&one.item.transfer)).collect())
    }
}

/// Writes decisions, one of a transfer, and sends them: not those of transfers about which one was written
/// before or for which it is too late.
///
/// # Errors
/// When a statement fails.
pub async fn decide(
    connection: &mut Connection,
    all: Vec<Decide>,
) -> Result<HashMap<TransferId, Sent>, Error> {
    if all.is_empty() {
        return Ok(HashMap::new());
    }
    let words: Vec<_> = all.iter().map(|one| (one.item.transfer, one.word)).collect();
    let mut statement = Statement::default();
    decide_part(&mut statement, &words);
    sent(connection, statement, all.into_iter().map(|one| one.item).collect()).await
}

/// That core banking is done with a transfer, and the item that tells it, if there is something to
/// tell.
#[derive(Clone, Debug)]
pub struct Booked {
    /// Which transfer.
    pub transfer: TransferId,
    /// What is sent.
    pub item: Option<NewItem>,
}

#[derive(Debug)]
pub(super) struct Booking;

impl Group for Booking {
    type Item = Booked;
    /// The item; none when there is none, or the booking was noted before.
    type Answer = Option<Sent>;

    fn durable(item: &Booked) -> bool {
        item.item.is_some()
    }

    fn leaving(answer: &mut Self::Answer) -> Vec<Leaving> {
        Sent::leaving(answer)
    }

    async fn run(
        connection: &mut Connection,
        items: &[Booked],
    ) -> Result<Vec<Option<Sent>>, Error> {
        let mut rows = booked(connection, items).await?;
        let own = |one: &Booked| one.item.as_ref().and_then(|_| rows.remove(&one.transfer));
        Ok(items.iter().map(own).collect())
    }
}

/// Notes bookings, and sends what tells them: of transfers whose booking was not noted before.
///
/// # Errors
/// When a statement fails.
pub async fn booked(
    connection: &mut Connection,
    all: &[Booked],
) -> Result<HashMap<TransferId, Sent>, Error> {
    if all.is_empty() {
        return Ok(HashMap::new());
    }
    let mut seen = HashSet::new();
    let told = all.iter().filter(|one| one.item.is_some());
    let told = told.filter(|one| seen.insert(one.transfer));
    let items = told.filter_map(|one| one.item.clone()).collect();
    let done: Vec<TransferId> = all.iter().map(|one| one.transfer).collect();
    let mut statement = Statement::default();
    book_part(&mut statement, &done);
    sent(connection, statement, items).await
}

/// Sends items, one of a transfer, of the transfers that the statement gives as first.
async fn sent(
    connection: &mut Connection,
    statement: Statement,
    items: Vec<NewItem>,
) -> Result<HashMap<TransferId, Sent>, Error> {
    let rows = outbox_of_first(connection, statement, &items).await?;
    let made = items.iter().zip(rows);
    Ok(made.filter_map(|(item, row)| Some((item.transfer, Sent::new(row?)))).collect())
}

impl Store {
    /// Keeps a new transfer with the money that is set aside for it, and sends it; none when its identity
    /// is known, the ISO reason when the money can't be set aside, which keeps nothing.
    ///
    /// # Errors
    /// When a statement fails, or when the commit's answer is lost.
    pub async fn transfer_keep(
        &self,
        keep: Keep,
    ) -> Result<Result<Option<Sent>, StatusReason>, Error> {
        self.writes.keeping.ask(keep).await
    }

    /// Writes a decision, and sends it; none when one was written before or it is too late.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn transfer_decided(&self, decide: Decide) -> Result<Option<Sent>, Error> {
        self.writes.deciding.ask(decide).await
    }

    /// Notes a booking, and sends what tells it; none when there is nothing to tell of it or it was
    /// noted before.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn transfer_booked(&self, booked: Booked) -> Result<Option<Sent>, Error> {
        self.writes.booking.ask(booked).await
    }
}

//! What a gateway does for many transfers at a time: keep new ones, write decisions, note bookings, each with the item that carries it; it decides none of them.
use ledger_types::TransferId;

use super::{
    Connection, Error, Store,
    book::reserved_still,
    groups::Group,
    outbox::{NewItem, OutboxRow, outbox_insert},
    parties::{NewParty, party_insert},
    quotes::{QuoteRow, quote_keep},
    transfers::{Line, New, timeline_insert, transfer_book, transfer_decide, transfer_insert},
};

/// A new transfer with everything that belongs to it.
#[derive(Clone, Debug)]
pub struct Keep {
    /// The transfer.
    pub new: New,
    /// The quote that was asked for it; none of one that its order names.
    pub quote: Option<QuoteRow>,
    /// Who and whom.
    pub party: NewParty,
    /// Whether the book has to hold money for it.
    pub set_aside: bool,
    /// The first line of its timeline.
    pub line: Line,
    /// The item that submits it.
    pub item: NewItem,
}

/// Keeps transfers; gives the items' rows, none for an identity that is known.
///
/// # Errors
/// When a statement fails; [`Error::Forgotten`] when the book holds no money for one that needs it.
pub async fn keep(
    connection: &mut Connection,
    all: &[Keep],
) -> Result<Vec<Option<OutboxRow>>, Error> {
    let new: Vec<New> = all.iter().map(|one| one.new.clone()).collect();
    let mut fresh = transfer_insert(connection, &new).await?;
    // The second of two that have one identity finds it taken.
    let first: Vec<bool> = all.iter().map(|one| fresh.remove(&one.new.transfer)).collect();
    let kept = || all.iter().zip(&first).filter(|(_, first)| **first).map(|(one, _)| one);
    let set_aside = kept().filter(|one| one.set_aside).map(|one| one.new.transfer);
    reserved_still(connection, &set_aside.collect::<Vec<_>>()).await?;
    quote_keep(connection, &kept().filter_map(|one| one.quote.clone()).collect::<Vec<_>>()).await?;
    party_insert(connection, &kept().map(|one| one.party.clone()).collect::<Vec<_>>()).await?;
    timeline_insert(connection, &kept().map(|one| one.line.clone()).collect::<Vec<_>>()).await?;
    let items: Vec<NewItem> = kept().map(|one| one.item.clone()).collect();
    let mut rows = outbox_insert(connection, &items).await?.into_iter();
    Ok(first.into_iter().map(|first| if first { rows.next() } else { None }).collect())
}

#[derive(Debug)]
pub(super) struct Keeping;

impl Group for Keeping {
    type Item = Keep;
    type Answer = Option<OutboxRow>;

    async fn run(
        connection: &mut Connection,
        items: &[Keep],
    ) -> Result<Vec<Option<OutboxRow>>, Error> {
        keep(connection, items).await
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
    /// The item's row; none when a decision was written before or it is too late.
    type Answer = Option<OutboxRow>;

    async fn run(
        connection: &mut Connection,
        items: &[Decide],
    ) -> Result<Vec<Option<OutboxRow>>, Error> {
        let words: Vec<_> = items.iter().map(|one| (one.item.transfer, one.word)).collect();
        let mut decided = transfer_decide(connection, &words).await?;
        let sent: Vec<Option<&NewItem>> = items
            .iter()
            .map(|one| decided.remove(&one.item.transfer).then_some(&one.item))
            .collect();
        enqueued(connection, &sent).await
    }
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
    /// The item's row; none when there is none, or the booking was noted before.
    type Answer = Option<OutboxRow>;

    async fn run(
        connection: &mut Connection,
        items: &[Booked],
    ) -> Result<Vec<Option<OutboxRow>>, Error> {
        let done: Vec<TransferId> = items.iter().map(|one| one.transfer).collect();
        let mut noted = transfer_book(connection, &done).await?;
        let sent: Vec<Option<&NewItem>> = items
            .iter()
            .map(|one| one.item.as_ref().filter(|_| noted.remove(&one.transfer)))
            .collect();
        enqueued(connection, &sent).await
    }
}

/// The rows of those that are there, in order.
async fn enqueued(
    connection: &mut Connection,
    sent: &[Option<&NewItem>],
) -> Result<Vec<Option<OutboxRow>>, Error> {
    let items: Vec<NewItem> = sent.iter().flatten().copied().cloned().collect();
    let mut rows = outbox_insert(connection, &items).await?.into_iter();
    Ok(sent.iter().map(|item| item.and_then(|_| rows.next())).collect())
}

impl Store {
    /// Keeps a new transfer; none when its identity is known.
    ///
    /// # Errors
    /// As [`keep`], or when the commit's answer is lost.
    pub async fn transfer_keep(&self, keep: Keep) -> Result<Option<OutboxRow>, Error> {
        self.writes.keeping.ask(keep).await
    }

    /// Writes a decision; none when one was written before or it is too late. It is on disk no later
    /// than the envelope that carries it.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn transfer_decided(&self, decide: Decide) -> Result<Option<OutboxRow>, Error> {
        self.writes.deciding.ask(decide).await
    }

    /// Notes a booking; none when there is nothing to tell of it or it was noted before. It is on
    /// disk no later than the envelope that tells it.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn transfer_booked(&self, booked: Booked) -> Result<Option<OutboxRow>, Error> {
        self.writes.booking.ask(booked).await
    }
}

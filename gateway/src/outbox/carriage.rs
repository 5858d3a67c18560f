//! Puts items into signed envelopes within the SQL transaction that keeps them, so that one commit brings both to the disk; what can't be signed and sent at once gathers as ever.
use std::sync::Arc;

use ledger_proof::{item::ItemKind, signature::Draft};
use ledger_types::{NetworkId, ParticipantId};
use tokio::sync::OwnedSemaphorePermit;

use super::{Queued, asked, by_kind, to_keep};
use crate::{
    app::Outbox,
    signer::Signer,
    store::{
        leaving::{Carrier, Leaving, Loaded},
        outbox::{Carried, EnvelopeRow},
    },
};

#[cfg(test)]
mod tests;

/// An envelope that is durable, with its items and its place among those on their way.
#[derive(Debug)]
pub struct Parcel {
    pub(super) envelope: EnvelopeRow,
    pub(super) batch: Vec<Queued>,
    pub(super) flight: OwnedSemaphorePermit,
}

/// Makes a gateway's envelopes for its store.
#[derive(Debug)]
pub struct Carriage {
    /// Takes what is committed.
    pub outbox: Outbox,
    /// Signs, if it does so without waiting.
    pub signer: Arc<dyn Signer>,
    /// Of which network.
    pub network: NetworkId,
    /// Whose envelopes.
    pub me: ParticipantId,
}

impl Carrier for Carriage {
    fn load(&self, leaving: Vec<Leaving>) -> Box<dyn Loaded> {
        // Without room the row stays for a sweep.
        let queued = leaving.into_iter().filter_map(|one| {
            let ticket = self.outbox.room_for(one.row.id)?;
            Some(Queued { row: one.row, waiter: Some(one.waiter), ticket })
        });
        let outbox = self.outbox.clone();
        let mut train = Train { outbox, parcels: Vec::new(), items: Vec::new() };
        for batch in by_kind(queued) {
            match self.parcel(batch) {
                Ok(parcel) => train.parcels.push(parcel),
                Err(batch) => train.items.extend(batch),
            }
        }
        Box::new(train)
    }
}

impl Carriage {
    /// Items of one kind in an envelope, or as they were: while as much is on its way as may be, what
    /// comes gathers.
    fn parcel(&self, batch: Vec<Queued>) -> Result<Parcel, Vec<Queued>> {
        let Some(flight) = self.outbox.flight() else { return Err(batch) };
        match self.envelope(&batch) {
            Some(envelope) => Ok(Parcel { envelope, batch, flight }),
            None => Err(batch),
        }
    }

    fn envelope(&self, batch: &[Queued]) -> Option<EnvelopeRow> {
        let kind = ItemKind::from_code(u8::try_from(batch.first()?.row.kind).ok()?)?;
        let asked = asked((self.network, self.me), kind, false).ok()?;
        let items: Vec<_> = batch.iter().map(|queued| queued.row.item.clone()).collect();
        let draft = Draft::new(&asked, &items, &self.signer.public_key());
        let signature = self.signer.sign_at_once(&draft.message())?;
        Some(to_keep(&asked, draft.signed(signature)))
    }
}

/// What leaves with one SQL transaction.
struct Train {
    outbox: Outbox,
    parcels: Vec<Parcel>,
    items: Vec<Queued>,
}

impl Loaded for Train {
    fn carried(&self) -> Vec<Carried> {
        let rows = |parcel: &Parcel| {
            let rows = parcel.batch.iter().map(|queued| &queued.row);
            Carried::new(parcel.envelope.clone(), rows)
        };
        self.parcels.iter().map(rows).collect()
    }

    fn leave(self: Box<Self>) {
        let Self { outbox, parcels, items } = *self;
        parcels.into_iter().for_each(|parcel| outbox.depart(parcel));
        items.into_iter().for_each(|item| outbox.gather(item));
    }
}

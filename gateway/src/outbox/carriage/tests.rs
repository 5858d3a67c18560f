//! What leaves with an SQL transaction, and when it does not; no store and no ledger is asked.
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use ledger_proof::{envelope::Envelope, item::ItemKind};
use ledger_types::{NetworkId, ParticipantId};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::Carriage;
use crate::{
    app::Outbox,
    outbox::{FLIGHTS, Incoming},
    signer::{self, FileKey, Signer},
    store::{
        leaving::{Carrier, Leaving},
        outbox::OutboxRow,
    },
};

/// A key that another device has.
#[derive(Debug)]
struct Elsewhere;

impl Signer for Elsewhere {
    fn public_key(&self) -> [u8; 32] {
        [0; 32]
    }

    fn sign(&self, _message: &[u8]) -> Result<[u8; 64], signer::Error> {
        Err(signer::Error::NoToken)
    }
}

fn carriage(signer: impl Signer + 'static, room: usize) -> (Carriage, Incoming) {
    let (outbox, incoming) = Outbox::new(room);
    let (network, me) = (NetworkId([7; 32]), ParticipantId(11));
    (Carriage { outbox, signer: Arc::new(signer), network, me }, incoming)
}

fn file_key() -> FileKey {
    FileKey::new(SigningKey::from_bytes(&[9; 32]))
}

fn leaving(id: i64, kind: ItemKind) -> Leaving {
    let (waiter, _) = oneshot::channel();
    let row = OutboxRow {
        id,
        kind: i16::from(kind.code()),
        debtor_agent: 11,
        uetr: Uuid::nil(),
        item: id.to_be_bytes().to_vec(),
        blob: None,
        traceparent: None,
    };
    Leaving { row, waiter }
}

#[test]
fn each_kind_has_an_envelope_that_leaves_with_the_commit() {
    let (carriage, mut incoming) = carriage(file_key(), 8);
    let kinds = [ItemKind::Accept, ItemKind::Confirm, ItemKind::Accept];
    let items = (1..).zip(kinds).map(|(id, kind)| leaving(id, kind)).collect();
    let loaded = carriage.load(items);
    let carried = loaded.carried();
    let places = |place: usize| carried[place].items.iter().map(|(id, _)| *id).collect::<Vec<_>>();
    assert_eq!((carried.len(), places(0), places(1)), (2, vec![1, 3], vec![2]));
    for one in &carried {
        let envelope = Envelope::decode(&one.envelope.bytes).unwrap();
        assert!(envelope.items_root_matches());
        assert_eq!(envelope.items().count(), one.items.len());
    }
    assert!(incoming.parcels.try_recv().is_err(), "it may not be committed");
    loaded.leave();
    for one in &carried {
        let parcel = incoming.parcels.try_recv().unwrap();
        assert_eq!(parcel.envelope.bytes, one.envelope.bytes);
    }
    assert!(incoming.items.try_recv().is_err());
}

#[test]
fn what_is_not_committed_does_not_leave_and_gives_its_room_back() {
    let (carriage, mut incoming) = carriage(file_key(), 1);
    let loaded = carriage.load(vec![leaving(1, ItemKind::Accept)]);
    assert!(carriage.outbox.full());
    drop(loaded);
    assert!(!carriage.outbox.full());
    assert!(incoming.parcels.try_recv().is_err() && incoming.items.try_recv().is_err());
}

#[test]
fn more_than_may_be_on_its_way_gathers() {
    let (carriage, mut incoming) = carriage(file_key(), 8);
    let loads: Vec<_> =
        (1..).take(FLIGHTS).map(|id| carriage.load(vec![leaving(id, ItemKind::Accept)])).collect();
    let last = carriage.load(vec![leaving(99, ItemKind::Accept)]);
    assert!(last.carried().is_empty());
    last.leave();
    assert_eq!(incoming.items.try_recv().unwrap().row.id, 99);
    drop(loads);
    assert_eq!(carriage.load(vec![leaving(100, ItemKind::Accept)]).carried().len(), 1);
}

#[test]
fn a_key_elsewhere_is_not_waited_for() {
    let (carriage, mut incoming) = carriage(Elsewhere, 8);
    let loaded = carriage.load(vec![leaving(1, ItemKind::Accept)]);
    assert!(loaded.carried().is_empty());
    loaded.leave();
    assert_eq!(incoming.items.try_recv().unwrap().row.id, 1);
}

//! A restored network keeps balances and transfers, forgets requests, and takes nothing signed for the former one.
use alloc::{collections::BTreeMap, format, vec::Vec};

use arrayvec::ArrayVec;
use ledger_proof::{Field, Genesis, RecordKind, genesis::Predecessor};

use super::world::{World, text};
use crate::{Ledger, Output};

fn successor(ledger: &Ledger) -> Genesis {
    let predecessor = Predecessor {
        network: ledger.network(),
        records: ledger.records(),
        root: [1; 32],
        state_digest: [2; 32],
    };
    let mut genesis = ledger.genesis().clone();
    genesis.predecessor = [predecessor].into_iter().collect();
    genesis.log_origin = text("causeway.test/restored");
    genesis.founded_at = ledger.time().plus_micros(3_600_000_000);
    genesis
}

#[test]
fn a_state_goes_on_under_a_new_genesis() {
    let mut world = World::new();
    let remembered = world.ledger.requests.iter().count();
    assert!(remembered > 0);
    let (records, balances) = (world.ledger.records(), world.ledger.sums());
    let own: Vec<u64> = world.ledger.participants().map(|(_, row)| row.records).collect();
    let genesis = successor(&world.ledger);
    let mut out = Output::default();
    world.ledger.refound(&genesis, &mut out).unwrap();
    let [record] = &out.records[..] else { panic!("one record") };
    assert_eq!((record.kind, record.sequence), (RecordKind::Genesis, records));
    assert_eq!(record.parts[0], genesis.to_bytes());
    assert_eq!(record.at, genesis.founded_at);
    assert_eq!(world.ledger.network(), genesis.network());
    assert_eq!(world.ledger.sums(), balances);
    assert_eq!(world.ledger.requests.iter().count(), 0);
    let after: Vec<u64> = world.ledger.participants().map(|(_, row)| row.records).collect();
    assert_eq!(own.iter().sum::<u64>(), after.iter().sum::<u64>());

    let mut rows = BTreeMap::new();
    world.ledger.drain_dirty(|key, row| match row {
        Some(row) => drop(rows.insert(key.to_vec(), row.to_vec())),
        None => drop(rows.remove(key)),
    });
    let hot = rows.iter().filter(|(key, _)| key[0] < 0x80);
    let restored = Ledger::restore(&genesis, hot).unwrap();
    assert_eq!(restored.records(), records + 1);
}

#[test]
fn a_genesis_may_not_change_what_money_rests_on() {
    let world = World::new();
    type Change = fn(&mut Genesis);
    let cases: [(&str, Change); 7] = [
        ("predecessor", |genesis| genesis.predecessor = ArrayVec::new()),
        ("predecessor", |genesis| genesis.predecessor[0].records += 1),
        ("predecessor", |genesis| genesis.predecessor[0].network.0[0] ^= 1),
        ("founded_at", |genesis| genesis.founded_at = ledger_types::Timestamp::ZERO),
        ("log_origin", |genesis| genesis.log_origin = super::world::genesis().log_origin),
        ("custodians", |genesis| genesis.custodians.clear()),
        ("operator_keys", |genesis| genesis.operator_threshold += 1),
    ];
    for (field, change) in cases {
        let mut genesis = successor(&world.ledger);
        change(&mut genesis);
        let (mut ledger, mut out) = (world.ledger.clone(), Output::default());
        let refused = ledger.refound(&genesis, &mut out).unwrap_err();
        assert!(format!("{refused}").contains(field), "{field}: {refused}");
        assert_eq!((ledger.records(), out.records.len()), (world.ledger.records(), 0));
    }
}

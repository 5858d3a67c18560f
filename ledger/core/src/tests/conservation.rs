//! Random workloads: money is conserved, caps hold, replay and restore give the same state and records.
use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

use ledger_proof::{Digest, EntryRecord, Field, Frontier, Part, RecordKind};
use proptest::prelude::*;

use super::world::{World, genesis};
use crate::{Command, Ledger, Output};

const VERBS: [&str; 16] = [
    "quote",
    "submit",
    "accept",
    "hold",
    "reject",
    "cancel",
    "confirm ACCC",
    "confirm ACWP",
    "resolve",
    "withdraw",
    "paid",
    "failed",
    "recall",
    "answer-recall accepted",
    "answer-recall rejected",
    "answer-recall pending",
];

fn line(verb: u8, name: u8, other: bool) -> String {
    let verb = VERBS[usize::from(verb) % VERBS.len()];
    let (verb, argument) = verb.split_once(' ').unwrap_or((verb, ""));
    let argument = if verb == "withdraw" { "90000" } else { argument };
    let salt = if other { "#other" } else { "" };
    let name = name % 6;
    match verb {
        // Few cases for few transfers, so that they meet.
        "recall" => format!("recall C{} N{name} 1000 {salt}", name % 2),
        "answer-recall" => format!("answer-recall C{} N{name} {argument} {salt}", name % 2),
        _ => format!("{verb} N{name} {argument} {salt}"),
    }
}

/// Every row of the state, as a store would hold it.
fn rows(ledger: &mut Ledger, into: &mut BTreeMap<Vec<u8>, Vec<u8>>) {
    ledger.drain_dirty(|key, row| match row {
        Some(row) => drop(into.insert(key.to_vec(), row.to_vec())),
        None => drop(into.remove(key)),
    });
}

fn root(records: &[Vec<Digest>]) -> Digest {
    let mut frontier = Frontier::default();
    records.iter().flatten().for_each(|leaf| frontier.push(*leaf));
    frontier.root()
}

fn leaves(out: &Output) -> Vec<Digest> {
    out.records.iter().map(ledger_proof::Record::leaf_hash).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn money_is_conserved_and_history_repeats(
        steps in prop::collection::vec((any::<u8>(), any::<u8>(), any::<bool>(), 0_u8..8), 1..60),
        cut in 0_usize..60,
    ) {
        let mut world = World::new();
        let mut disk = BTreeMap::new();
        rows(&mut world.ledger, &mut disk);
        world.ledger.evict();
        // A second replica, restored from the first one's rows before the workload.
        let hot = disk.iter().filter(|(key, _)| key[0] < 0x80);
        let mut replica = Ledger::restore(&genesis(), hot).expect("rows of this version");
        let mut replica_disk = disk.clone();
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for (at, (verb, name, other, seconds)) in steps.into_iter().enumerate() {
            world.now = world.now.plus_micros(u64::from(seconds) * super::world::SECOND);
            let envelope = world.script_envelope(&line(verb, name, other));
            let command = Command::decode(&envelope).expect("well-formed");
            apply(&mut world.ledger, &disk, world.now, &command, &mut world.out);
            first.push(leaves(&world.out));
            let mut out = Output::default();
            apply(&mut replica, &replica_disk, world.now, &command, &mut out);
            second.push(leaves(&out));
            if at == cut {
                // The replica crashes after a flush and starts again from its rows.
                rows(&mut replica, &mut replica_disk);
                let hot = replica_disk.iter().filter(|(key, _)| key[0] < 0x80);
                replica = Ledger::restore(&genesis(), hot).expect("rows of this version");
            }
            if at % 7 == 0 {
                rows(&mut world.ledger, &mut disk);
                world.ledger.evict();
            }
            check_invariants(&world.ledger);
        }
        prop_assert_eq!(root(&first), root(&second));
        rows(&mut world.ledger, &mut disk);
        rows(&mut replica, &mut replica_disk);
        prop_assert_eq!(disk, replica_disk);
    }
}

fn apply(
    ledger: &mut Ledger,
    disk: &BTreeMap<Vec<u8>, Vec<u8>>,
    now: ledger_types::Timestamp,
    command: &Command<'_>,
    out: &mut Output,
) {
    let commands = core::slice::from_ref(command);
    let mut missing = Vec::new();
    ledger.missing(commands, &mut missing);
    for key in missing {
        ledger.load(&key, disk.get(&key).map(Vec::as_slice)).expect("a row");
    }
    out.clear();
    ledger.apply(now, commands, out);
}

fn check_invariants(ledger: &Ledger) {
    for (currency, debits, credits) in ledger.sums() {
        assert_eq!(debits, credits, "{currency}: custody = Σ balances");
    }
    for (id, account) in ledger.accounts() {
        let used = account.debits_pending + account.debits_posted;
        let covered = account.credits_posted + u128::from(account.net_debit_cap);
        assert!(account.custody || used <= covered, "account {id} past its cap");
    }
    assert_eq!(
        ledger.due.len(),
        ledger
            .transfers
            .iter()
            .filter(|(_, row)| { row.state == ledger_types::TransferState::Pending })
            .count()
    );
}

#[test]
fn records_are_numbered_without_gaps_and_chained_by_entries() {
    let mut world = World::new();
    let mut previous = None;
    for script in ["quote T | ok", "submit T | PENDING", "accept T | SETTLED"] {
        world.check(script);
        let records = &world.out.records;
        for pair in records.windows(2) {
            assert_eq!(pair[1].sequence, pair[0].sequence + 1);
        }
        let last = records.last().expect("an entry record");
        assert_eq!(last.kind, RecordKind::Entry);
        let bytes = &last.parts[Part::Shared.index()];
        let entry = EntryRecord::from_bytes(bytes).expect("an entry record");
        assert_eq!(
            (entry.first_sequence, entry.last_sequence),
            (records[0].sequence, last.sequence)
        );
        if let Some(previous) = previous {
            assert_eq!(entry.previous_digest, previous);
        }
        previous = Some(ledger_proof::tree::sha256(&[bytes]));
    }
}

#[test]
fn each_party_counts_its_own_records() {
    let mut world = World::new();
    let mut last = BTreeMap::new();
    for script in
        ["quote T | ok", "submit T | PENDING", "accept T | SETTLED", "confirm T ACCC | CREDITED"]
    {
        world.check(script);
        for (participant, number, _) in &world.out.numbers {
            if let Some(before) = last.insert(*participant, *number) {
                assert_eq!(*number, before + 1, "gapless for {participant}");
            }
        }
    }
    assert_eq!(last.len(), 3, "debtor agent, creditor agent, liquidity bank");
}

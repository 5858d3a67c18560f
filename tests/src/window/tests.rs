//! That the checker takes what can be and refuses what cannot: a stale read, money from nowhere.
use ledger_types::{Timestamp, TransferState};
use proto::convert::{Balance, Outcome, Submitted};

use super::linearizable;
use crate::{
    clients::{Asked, Heard, Operation},
    world::{BANKS, Envelope, FUNDED, Pen, account, currency},
};

/// A history that is told request by request, each a hundred microseconds after the former.
struct Told {
    pen: Pen,
    history: Vec<Operation>,
    records: u64,
}

impl Told {
    fn new() -> Self {
        let pen = Pen::new(1, FUNDED, Timestamp::ZERO, Box::new(|_, _, _| Vec::new()));
        let mut this = Self { pen, history: Vec::new(), records: 1 };
        for envelope in this.pen.opening() {
            let fates = vec![None; envelope.items.len()];
            this.submitted(envelope, 50, &fates);
        }
        this
    }

    fn push(&mut self, asked: Asked, took: u64, heard: Heard) {
        let invoked = u64::try_from(self.history.len()).unwrap() * 100;
        let returned = Some((invoked + took, heard));
        self.history.push(Operation { client: 1, asked, invoked, returned });
    }

    fn submitted(&mut self, envelope: Envelope, took: u64, states: &[Option<TransferState>]) {
        let outcomes = states.iter().map(|state| {
            let (sequence, state) = (self.records, *state);
            self.records += 1;
            Outcome { sequence, rejection: None, state, reason: None, first_sequence: None }
        });
        let outcomes = outcomes.collect();
        let (envelope_refused, at, resent) = (false, Timestamp::ZERO, false);
        let submitted = Submitted { outcomes, envelope_refused, at, resent };
        self.push(Asked::Submit(envelope), took, Heard::Submitted(submitted));
    }

    fn transfer(&mut self, amount: u64) -> Envelope {
        let (uetr, [from, to]) = (self.pen.uetr(), BANKS);
        let accounts = (account(from, 0), account(to, 0));
        let item = self.pen.submit(uetr, accounts, to, amount, true);
        self.pen.envelope(from, vec![item])
    }

    /// A read of the sender's account, in which so much has been debited.
    fn read(&mut self, debits_posted: u128) {
        let (owner, account) = (BANKS[0], account(BANKS[0], 0));
        let balance = Balance {
            account,
            owner,
            currency: currency(),
            debits_pending: 0,
            debits_posted,
            credits_pending: 0,
            credits_posted: u128::from(FUNDED),
            custody: false,
            net_debit_cap: 0,
            standing_acceptance: false,
        };
        self.push(Asked::Balances, 50, Heard::Balances(vec![balance], self.records));
    }
}

/// Requests before the first that a test tells.
const OPENING: u64 = 4;
const SETTLED: &[Option<TransferState>] = &[Some(TransferState::Settled)];

#[test]
fn what_was_answered_is_seen_by_the_next_read() {
    let mut told = Told::new();
    let transfer = told.transfer(30);
    told.submitted(transfer.clone(), 50, SETTLED);
    told.read(30);
    told.submitted(transfer, 50, SETTLED);
    told.read(30);
    assert_eq!(linearizable(&told.history, None), Some(OPENING + 4));
    told.read(0);
    assert_eq!(linearizable(&told.history, None), None, "a stale read");
}

#[test]
fn what_is_under_way_may_be_seen_or_not() {
    let mut told = Told::new();
    let transfer = told.transfer(30);
    told.submitted(transfer, 350, SETTLED);
    told.read(0);
    told.read(30);
    assert_eq!(linearizable(&told.history, None), Some(OPENING + 3));
    told.read(0);
    assert_eq!(linearizable(&told.history, None), None, "seen, then not");
}

#[test]
fn what_was_not_answered_happened_once_or_never() {
    let mut told = Told::new();
    let transfer = told.transfer(30);
    told.push(Asked::Submit(transfer), 50, Heard::Unknown);
    told.read(0);
    assert!(linearizable(&told.history, None).is_some());
    told.read(30);
    assert!(linearizable(&told.history, None).is_some());
    told.read(60);
    assert_eq!(linearizable(&told.history, None), None, "twice");
}

#[test]
fn nothing_is_judged_from_the_first_expiry_on() {
    let mut told = Told::new();
    told.read(0);
    let expiry = told.records;
    told.records += 1;
    told.read(7);
    assert_eq!(linearizable(&told.history, Some(expiry)), Some(OPENING + 1));
    assert_eq!(linearizable(&told.history, None), None);
}

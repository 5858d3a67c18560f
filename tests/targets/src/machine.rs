//! The core's state machine beside the simplest ledger that could be right: bytes choose what is done, and both must agree.
use std::collections::BTreeMap;

use ledger_core::{Command, Ledger, Output};
use ledger_proof::{Field, Part, Record, RecordKind, record::SharedPart};
use ledger_types::{ParticipantId, Rejection, Timestamp, Uetr};

use crate::{
    founding,
    model::{Expected, Model},
    world::{ACCOUNTS, BANKS, Envelope, FUNDED, Pen, account},
};

/// Steps of one run; more show nothing new and only take time.
const STEPS_MAX: usize = 64;

struct Run {
    ledger: Ledger,
    model: Model,
    pen: Pen,
    now: u64,
    /// Cold rows as a store would hold them.
    disk: BTreeMap<Vec<u8>, Vec<u8>>,
    uetrs: Vec<(ParticipantId, Uetr)>,
    sent: Vec<Vec<u8>>,
}

/// Each four bytes are a step: what, who, which, how much.
pub(crate) fn machine(bytes: &[u8]) {
    let (ledger, _) = Ledger::found(&founding::genesis());
    let sign = founding::Keys::default().signer();
    let mut run = Run {
        ledger,
        model: Model::default(),
        pen: Pen::new(1, FUNDED, Timestamp::from_micros(founding::FOUNDED_AT), sign),
        now: founding::FOUNDED_AT,
        disk: BTreeMap::new(),
        uetrs: Vec::new(),
        sent: Vec::new(),
    };
    for envelope in founding::founding(&mut run.pen) {
        run.ask(&envelope);
    }
    for step in bytes.chunks_exact(4).take(STEPS_MAX) {
        run.step([step[0], step[1], step[2], step[3]]);
    }
}

impl Run {
    fn step(&mut self, [what, who, which, how]: [u8; 4]) {
        let author = BANKS[usize::from(who) % BANKS.len()];
        let other = BANKS[usize::from(who / 2) % BANKS.len()];
        let named = self.uetrs.get(usize::from(which) % self.uetrs.len().max(1)).copied();
        let fresh = self.pen.uetr();
        let (owner, uetr) = named.unwrap_or((author, fresh));
        let item = match what % 8 {
            0 | 1 => {
                let from = account(author, u64::from(how) % ACCOUNTS);
                let to = account(other, u64::from(how / 2) % ACCOUNTS);
                // A name of before is sometimes used again.
                let uetr = if which % 5 == 0 { uetr } else { fresh };
                self.uetrs.push((author, uetr));
                let amount = u64::from(which) * u64::from(how) % (2 * FUNDED) + 1;
                self.pen.submit(uetr, (from, to), other, amount, what % 2 == 0)
            }
            2 | 3 => self.pen.accept(owner, uetr),
            4 => self.pen.reject(owner, uetr),
            5 => self.pen.cancel(uetr),
            6 => {
                self.now += u64::from(how) * 50_000;
                return self.resend(which);
            }
            _ => return self.crash(),
        };
        let envelope = self.pen.envelope(author, vec![item]);
        self.ask(&envelope);
    }

    /// What was sent before is answered as it was, and changes nothing.
    fn resend(&mut self, which: u8) {
        let Some(bytes) = self.sent.get(usize::from(which) % self.sent.len().max(1)) else {
            return;
        };
        let bytes = bytes.clone();
        let out = self.apply(&bytes);
        self.expiries(&out);
        let resent = out.answers.first().is_some_and(|answer| answer.resent.is_some());
        assert!(resent, "a resend was applied again");
        self.same_books();
    }

    /// A replica that starts again from its rows goes on as if nothing had been.
    fn crash(&mut self) {
        let disk = &mut self.disk;
        self.ledger.drain_dirty(|key, row| match row {
            Some(row) => drop(disk.insert(key.to_vec(), row.to_vec())),
            None => drop(disk.remove(key)),
        });
        let hot = self.disk.iter().filter(|(key, _)| key.first().is_some_and(|kind| *kind < 0x80));
        self.ledger = Ledger::restore(&founding::genesis(), hot).expect("rows of this version");
    }

    fn ask(&mut self, envelope: &Envelope) {
        self.sent.push(envelope.bytes.clone());
        let out = self.apply(&envelope.bytes);
        let at = out.records.last().expect("an entry record").at;
        self.expiries(&out);
        let answer = out.answers.first().expect("one answer");
        assert!(!answer.refused_whole && answer.resent.is_none(), "{answer:?}");
        for (item, outcome) in envelope.items.iter().zip(&answer.outcomes) {
            let expected = self.model.apply(envelope.author, item, at);
            let heard = match outcome.rejection {
                None => Expected::Done(outcome.state),
                Some(Rejection::InsufficientFunds) => Expected::NoFunds,
                Some(_) => Expected::Refused,
            };
            assert_eq!(heard, expected, "{item:?}");
        }
        self.same_books();
    }

    /// Expired transfers come before whatever else an entry does.
    fn expiries(&mut self, out: &Output) {
        let at = out.records.last().map_or(Timestamp::ZERO, |record| record.at);
        for record in out.records.iter().filter(|record| record.kind == RecordKind::Expiry) {
            assert!(self.model.expire(subject(record), at), "{record:?}");
        }
        assert_eq!(self.model.overdue(at), 0, "transfers that should have expired");
    }

    fn apply(&mut self, bytes: &[u8]) -> Output {
        let command = Command::decode(bytes).expect("well-formed");
        let commands = [command];
        let mut missing = Vec::new();
        self.ledger.missing(&commands, &mut missing);
        for key in missing {
            let row = self.disk.get(&key).map(Vec::as_slice);
            self.ledger.load(&key, row).expect("a row");
        }
        let mut out = Output::default();
        self.ledger.apply(Timestamp::from_micros(self.now), &commands, &mut out);
        out
    }

    fn same_books(&self) {
        for (id, account) in self.ledger.accounts() {
            let expected = self.model.money(id, account.currency, account.custody);
            let heard = (account.debits_pending, account.debits_posted);
            assert_eq!(heard, (expected.debits_pending, expected.debits_posted), "{id}");
            let heard = (account.credits_pending, account.credits_posted);
            assert_eq!(heard, (expected.credits_pending, expected.credits_posted), "{id}");
        }
        assert!(self.model.conserved());
        for (currency, debits, credits) in self.ledger.sums() {
            assert_eq!(debits, credits, "{currency}");
        }
    }
}

fn subject(record: &Record) -> (ParticipantId, Uetr) {
    let part = SharedPart::from_bytes(&record.parts[Part::Shared.index()]).expect("a shared part");
    (part.debtor_agent, Uetr::from_bytes(part.subject).expect("a UETR"))
}

//! What the operator asks for, one thing after the other: who takes part and on what terms; it hears no answer.
use fastrand::Rng;
use ledger_proof::{Digest, Item, operator::KeyKind, signature::key_id};
use ledger_types::ParticipantId;

use super::{Desk, bank, keep, once, some};
use crate::world::{BANKS, CUSTODIAN, EXCHANGE, Envelope, LIQUIDITY, Pen, account, currency};

/// Numbers of a bank's accounts: those above the first are opened while clients work.
pub(super) const ACCOUNTS_LATER: u64 = 6;
/// Participants that come while clients work.
const NEWCOMERS: std::ops::Range<u32> = 100..105;

/// What the operator believes to have set.
#[derive(Debug)]
pub(super) struct Operator {
    corridor: u32,
    schedule: u32,
    fee: u64,
    policy: u32,
    /// Keys of newcomers.
    keys: Vec<(ParticipantId, Digest)>,
    /// What was asked for last.
    last: Vec<Item>,
}

impl Default for Operator {
    /// As the network is founded.
    fn default() -> Self {
        Self { corridor: 1, schedule: 1, fee: 1, policy: 1, keys: Vec::new(), last: Vec::new() }
    }
}

impl Operator {
    /// The fee schedule in force and what it takes.
    pub(super) fn fees(&self) -> (u32, u64) {
        (self.schedule, self.fee)
    }
}

fn newcomer(rng: &mut Rng) -> ParticipantId {
    ParticipantId(rng.u32(NEWCOMERS))
}

impl Desk {
    /// What the operator asks for next.
    pub(crate) fn operate(&mut self, rng: &mut Rng, pen: &mut Pen) -> Envelope {
        let again = !self.operator.last.is_empty() && once(rng, 10);
        let items = match again {
            // The same under another request.
            true => self.operator.last.clone(),
            false => self.operator.items(rng, pen),
        };
        self.operator.last.clone_from(&items);
        pen.envelope(ParticipantId::OPERATOR, items)
    }
}

impl Operator {
    fn items(&mut self, rng: &mut Rng, pen: &mut Pen) -> Vec<Item> {
        let item = match rng.u8(..12) {
            0..=2 => return suspensions(rng, pen),
            3 => {
                let name = if once(rng, 6) { "" } else { "Newcomer" };
                pen.admit(newcomer(rng), name)
            }
            4 => self.add_key(rng, pen),
            5 => self.retire_key(rng, pen),
            6 => {
                let owner = if once(rng, 4) { newcomer(rng) } else { bank(rng) };
                let held =
                    if once(rng, 6) { "EUR".parse().expect("a currency") } else { currency() };
                pen.open(account(owner, rng.u64(2..ACCOUNTS_LATER)), owner, held)
            }
            7..=8 => {
                let pledge = if once(rng, 4) { "" } else { "PLEDGE" };
                let cap = if once(rng, 3) { 0 } else { rng.u64(1..=pen.funded / 4) };
                pen.cap(account(bank(rng), rng.u64(..ACCOUNTS_LATER / 2)), cap, pledge)
            }
            9 => {
                let version = next(&mut self.corridor, rng);
                let most = rng.u64(pen.funded / 50..=pen.funded / 10);
                // Bounds that contradict each other are refused, and then no version is raised.
                let least = if version > self.corridor { most + 1 } else { 1 };
                pen.corridor(EXCHANGE, version, (least, most))
            }
            10 => {
                let version = next(&mut self.schedule, rng);
                let fee = rng.u64(1..=5);
                if version == self.schedule {
                    self.fee = fee;
                }
                pen.fees(version, fee)
            }
            _ => {
                let version = next(&mut self.policy, rng);
                pen.policy(version)
            }
        };
        vec![item]
    }

    /// Only newcomers' keys for sealed data: whoever signs keeps its key, since an envelope whose
    /// key is gone when it arrives is refused as a whole.
    fn add_key(&mut self, rng: &mut Rng, pen: &mut Pen) -> Item {
        let owner = newcomer(rng);
        let known = some(rng, &self.keys).map(|(_, key)| *key).filter(|_| once(rng, 6));
        let key = known.unwrap_or_else(|| pen.fresh());
        keep(&mut self.keys, (owner, key));
        pen.add_key(owner, KeyKind::Sealing, key)
    }

    fn retire_key(&mut self, rng: &mut Rng, pen: &mut Pen) -> Item {
        let known = some(rng, &self.keys).copied().filter(|_| !once(rng, 8));
        let (owner, key) = known.unwrap_or_else(|| (newcomer(rng), pen.fresh()));
        if once(rng, 2) {
            self.keys.retain(|(_, other)| *other != key);
        }
        let owner = if once(rng, 8) { newcomer(rng) } else { owner };
        pen.retire_key(owner, key_id(KeyKind::Sealing, &key))
    }
}

/// Mostly all may take part again, so that most of the time everybody does.
fn suspensions(rng: &mut Rng, pen: &mut Pen) -> Vec<Item> {
    let parties = [BANKS[0], BANKS[1], LIQUIDITY, CUSTODIAN];
    if once(rng, 3) {
        let one = some(rng, &parties).copied().filter(|_| !once(rng, 5));
        return vec![pen.suspend(one.unwrap_or_else(|| newcomer(rng)), true)];
    }
    parties.map(|party| pen.suspend(party, false)).to_vec()
}

/// The next version; now and then one that is not the next.
fn next(version: &mut u32, rng: &mut Rng) -> u32 {
    if once(rng, 6) {
        return *version + 2;
    }
    *version += 1;
    *version
}

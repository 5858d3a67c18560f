//! Payments of a day and how custodians tell them, with faults planted: pure, and the same for a seed.
use std::collections::BTreeMap;

use services_office::breaks::Cause;
use uuid::Uuid;

/// Members, each with two accounts in HKD, and one in USD behind all of those.
pub(crate) const MEMBERS: usize = 20;
pub(crate) const ACCOUNTS: usize = 2 * MEMBERS;
/// With whom they pay and are paid.
const PARTIES: u32 = 40;
const FIRST_PARTY: u32 = 201;
/// What is taken off where charges are.
pub(crate) const CHARGES: u64 = 500;
/// Payments of a batch, and of a sum that one entry states for a party.
const BATCH: u64 = 20;
/// Payments for one such sum.
const LUMP_EVERY: u64 = 2_500;

/// A transfer between an account that is kept and one that is not.
#[derive(Clone, Debug)]
pub(crate) struct Payment {
    pub(crate) account: usize,
    pub(crate) party: u32,
    /// Of the kept account.
    pub(crate) credit: bool,
    pub(crate) amount: u64,
    pub(crate) uetr: Uuid,
    batch: Option<u64>,
    /// Told as a sum with others of its party.
    lump: Option<u64>,
}

/// A batch's name, and the payments that it lists.
pub(crate) type Batch = (String, Vec<(Uuid, u64, u32)>);

/// An entry of a statement.
#[derive(Clone, Debug)]
pub(crate) struct Telling {
    pub(crate) account: usize,
    pub(crate) party: u32,
    pub(crate) credit: bool,
    pub(crate) amount: u64,
    pub(crate) days: i64,
    pub(crate) uetr: Option<Uuid>,
    pub(crate) reference: Option<String>,
    pub(crate) reversal: bool,
    pub(crate) batch: Option<Batch>,
}

/// Both books, and what is wrong between them.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) payments: Vec<Payment>,
    pub(crate) tellings: Vec<Telling>,
    /// Causes, each with what names the payment or entry.
    pub(crate) planted: Vec<(String, String)>,
}

pub(crate) fn owner(account: usize) -> u32 {
    let member = if account < ACCOUNTS { account / 2 } else { account - ACCOUNTS };
    101 + u32::try_from(member).unwrap()
}

pub(crate) fn ledger_account(account: usize) -> u64 {
    let place = if account < ACCOUNTS { account % 2 } else { 2 };
    u64::from(owner(account)) * 10 + u64::try_from(place).unwrap()
}

/// The parties and their accounts, which nobody keeps.
pub(crate) fn parties() -> impl Iterator<Item = (u32, u64)> {
    (FIRST_PARTY..FIRST_PARTY + PARTIES + 10).map(|party| (party, u64::from(party) * 10))
}

impl Plan {
    pub(crate) fn of(transfers: u64, faults: u64, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let payments = payments(transfers, &mut random);
        let mut own = Self { payments, tellings: Vec::new(), planted: Vec::new() };
        own.told_alone(faults, &mut random);
        own.told_together(faults);
        random.shuffle(&mut own.tellings);
        own
    }

    fn told_alone(&mut self, faults: u64, random: &mut fastrand::Rng) {
        let mut causes = Cause::ALL.to_vec();
        causes.retain(|cause| *cause != Cause::BatchSumDiffers);
        let alone = self.payments.iter().enumerate();
        let alone: Vec<(usize, Payment)> = alone
            .filter(|(_, own)| own.batch.is_none() && own.lump.is_none())
            .map(|(at, own)| (at, own.clone()))
            .collect();
        let wanted = usize::try_from(faults / 10 * 9).unwrap();
        let every = alone.len() / wanted;
        for (place, (number, own)) in alone.into_iter().enumerate() {
            let fault = (place % every == 0).then_some(place / every).filter(|at| *at < wanted);
            match fault.map(|fault| causes[fault % causes.len()]) {
                Some(cause) => self.bent(cause, &own, number, random),
                None => self.tellings.push(thinned(told(&own, number), random)),
            }
        }
    }

    /// A fault of one payment; its telling keeps the UETR, or nobody could say what it is faulty of.
    fn bent(&mut self, cause: Cause, own: &Payment, number: usize, random: &mut fastrand::Rng) {
        let whole = told(own, number);
        let mut key = own.uetr.to_string();
        let mut other = whole.clone();
        match cause {
            Cause::MissingInStatement => {
                self.planted.push((cause.as_str().to_owned(), key));
                return;
            }
            Cause::MissingInLedger => {
                key = format!("FOREIGN-{number}");
                other.uetr = Some(uetr(random));
                other.reference = Some(key.clone());
                self.tellings.push(whole);
            }
            Cause::AmountDiffers => other.amount += 1,
            Cause::CurrencyDiffers => other.account = ACCOUNTS + own.account / 2,
            Cause::WrongAccount => other.account ^= 1,
            Cause::ValueDateDiffers => other.days = 3,
            Cause::ChargesDeducted => other.amount -= CHARGES,
            Cause::Reversed => {
                (other.credit, other.reversal) = (!own.credit, true);
                self.tellings.push(whole);
            }
            Cause::Duplicated | Cause::BatchSumDiffers => self.tellings.push(whole),
        }
        self.tellings.push(other);
        self.planted.push((cause.as_str().to_owned(), key));
    }

    /// Batches with their details, the first of them off by one; and sums of a party without any.
    fn told_together(&mut self, faults: u64) {
        let mut batches: BTreeMap<u64, Vec<&Payment>> = BTreeMap::new();
        let mut lumps: BTreeMap<u64, Vec<&Payment>> = BTreeMap::new();
        for own in &self.payments {
            if let Some(batch) = own.batch {
                batches.entry(batch).or_default().push(own);
            } else if let Some(lump) = own.lump {
                lumps.entry(lump).or_default().push(own);
            }
        }
        let sum = |own: &[&Payment]| own.iter().map(|own| own.amount).sum::<u64>();
        for (place, (number, own)) in (0..).zip(&batches) {
            let name = format!("BATCH-{number}");
            let off = u64::from(place < faults / 10);
            if off > 0 {
                self.planted.push(("BATCH_SUM_DIFFERS".to_owned(), name.clone()));
            }
            let details = own.iter().map(|own| (own.uetr, own.amount, own.party)).collect();
            let whole = Telling { uetr: None, amount: sum(own) + off, ..told(own[0], 0) };
            let reference = Some(format!("SVC-B-{number}"));
            self.tellings.push(Telling { batch: Some((name, details)), reference, ..whole });
        }
        for own in lumps.values() {
            let whole =
                Telling { uetr: None, reference: None, amount: sum(own), ..told(own[0], 0) };
            self.tellings.push(whole);
        }
    }
}

fn uetr(random: &mut fastrand::Rng) -> Uuid {
    uuid::Builder::from_random_bytes(random.u128(..).to_be_bytes()).into_uuid()
}

fn payments(count: u64, random: &mut fastrand::Rng) -> Vec<Payment> {
    let lumped = count - count / LUMP_EVERY * BATCH;
    let one = |number: u64| {
        let group = number / BATCH;
        let lump = (number >= lumped).then(|| (number - lumped) / BATCH);
        let batch = (lump.is_none() && group.is_multiple_of(10)).then_some(group);
        let together = batch.or(lump);
        let account = together.unwrap_or_else(|| random.u64(0..ACCOUNTS as u64));
        Payment {
            account: usize::try_from(account % ACCOUNTS as u64).unwrap(),
            // A party of sums has nothing else on the account that day.
            party: FIRST_PARTY
                + match lump {
                    Some(lump) => PARTIES + u32::try_from(lump / ACCOUNTS as u64 % 10).unwrap(),
                    None => random.u32(..PARTIES),
                },
            credit: together.is_some() || random.bool(),
            amount: random.u64(10_000..5_000_000),
            uetr: uetr(random),
            batch,
            lump,
        }
    };
    (0..count).map(one).collect()
}

/// The whole truth of a payment.
fn told(own: &Payment, number: usize) -> Telling {
    Telling {
        account: own.account,
        party: own.party,
        credit: own.credit,
        amount: own.amount,
        days: 0,
        uetr: Some(own.uetr),
        reference: Some(format!("SVC-{number}")),
        reversal: false,
        batch: None,
    }
}

/// One in five comes without a reference, some a day late.
fn thinned(own: Telling, random: &mut fastrand::Rng) -> Telling {
    if random.u8(..5) > 0 {
        return own;
    }
    Telling { uetr: None, reference: None, days: random.i64(0..2), ..own }
}

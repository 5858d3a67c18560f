//! A day of a million transfers and their statement, with a thousand planted faults of ten kinds: all
//! are found with their cause, and nothing else. It prints how long it took and asserts no time.

use std::{collections::BTreeMap, io::Write, time::Instant};

use crate::{Cause, Movement, Rules, Side, compare};

const TRANSFERS: u64 = 1_000_000;
const FAULTS: u64 = 1_000;
const DAY: i32 = 20_000;
const BATCH: u64 = 20;

const RULES: Rules =
    Rules { value_date_days: 0, search_days: 2, charges_max: 500, until: Some(DAY) };

/// The ledger's day: every tenth run of twenty is booked as one batch.
fn ledger(random: &mut fastrand::Rng, count: u64) -> Vec<Movement> {
    let currencies = ["PHP", "PKR", "HKD", "MYR"].map(|code| code.parse().expect("it is listed"));
    let one = |number: u64| {
        let account = random.u32(0..40);
        let batch = (number / BATCH).is_multiple_of(10).then_some(number / BATCH);
        let account = batch.map_or(account, |batch| u32::try_from(batch % 40).unwrap_or(0));
        Movement {
            account,
            currency: currencies[account as usize % 4],
            amount: random.u64(10_000..5_000_000),
            side: if batch.is_none() && random.bool() { Side::Debit } else { Side::Credit },
            value_date: DAY,
            uetr: Some(u128::from(number) << 64 | u128::from(random.u64(..))),
            // One in ten was given none, one in a hundred reuses one.
            end_to_end_id: match random.u8(..100) {
                0..10 => None,
                10 => Some("RENT".to_owned()),
                _ => Some(format!("E2E-{number}")),
            },
            servicer_reference: Some(format!("SVC-{number}")),
            party: Some(format!("PARTY{}", random.u32(..200_000))),
            batch: batch.map(|batch| format!("BATCH-{batch}")),
            reversal: false,
            returns: None,
            charges: 0,
        }
    };
    (0..count).map(one).collect()
}

/// How a custodian tells it: with all references, or only some, or none at all.
fn told(own: &Movement, random: &mut fastrand::Rng) -> Movement {
    let mut told = Movement { batch: None, ..own.clone() };
    match random.u8(..10) {
        0..5 => {}
        5..7 => told.uetr = None,
        7..9 => (told.uetr, told.end_to_end_id) = (None, None),
        _ => {
            (told.uetr, told.end_to_end_id, told.servicer_reference) = (None, None, None);
            told.value_date += random.i32(0..2);
        }
    }
    told
}

/// A fault in the telling of one transfer.
fn bend(cause: Cause, own: &Movement, number: u64) -> Vec<Movement> {
    let whole = Movement { batch: None, ..own.clone() };
    let with = |change: &dyn Fn(&mut Movement)| {
        let mut other = whole.clone();
        change(&mut other);
        other
    };
    match cause {
        Cause::MissingInStatement => vec![],
        Cause::MissingInLedger => vec![
            whole.clone(),
            with(&|one| {
                one.uetr = Some(u128::MAX - u128::from(number));
                one.end_to_end_id = Some(format!("FOREIGN-{number}"));
                one.servicer_reference = Some(format!("FOREIGN-{number}"));
            }),
        ],
        Cause::AmountDiffers => vec![with(&|one| one.amount += 1)],
        Cause::CurrencyDiffers => {
            vec![with(&|one| one.currency = "USD".parse().expect("it is listed"))]
        }
        Cause::Duplicated => vec![whole.clone(), whole],
        Cause::WrongAccount => vec![with(&|one| one.account += 40)],
        Cause::ValueDateDiffers => vec![with(&|one| one.value_date += 3)],
        Cause::Reversed => {
            let back = if own.side == Side::Credit { Side::Debit } else { Side::Credit };
            vec![whole.clone(), with(&|one| (one.side, one.reversal) = (back, true))]
        }
        Cause::ChargesDeducted => vec![with(&|one| one.amount -= 500)],
        Cause::BatchSumDiffers => vec![whole],
    }
}

/// A faulty telling keeps one reference at least, or nobody could say what it is faulty of.
fn thinned(mut told: Movement, thin: u8) -> Movement {
    let foreign = told.end_to_end_id.as_ref().is_some_and(|id| id.starts_with("FOREIGN"));
    match thin {
        1 => told.uetr = None,
        2 => told.servicer_reference = None,
        _ => {}
    }
    if thin > 0 && !foreign {
        told.end_to_end_id = None;
    }
    told
}

/// The statement, and the faults in it: the transfer and the cause.
fn statement(
    ledger: &[Movement],
    random: &mut fastrand::Rng,
    faults: u64,
) -> (Vec<Movement>, Vec<(usize, Cause)>) {
    let every = ledger.len() as u64 / faults;
    let (mut right, mut planted) = (Vec::new(), Vec::new());
    let mut sums: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for (at, own) in ledger.iter().enumerate() {
        let number = at as u64;
        if let Some(batch) = own.batch.as_deref() {
            sums.entry(batch).or_insert((at, 0)).1 += own.amount;
            continue;
        }
        let fault = (number % every == every - 1).then_some(number / every);
        let causes = Cause::ALL.iter().filter(|one| **one != Cause::BatchSumDiffers);
        let causes: Vec<Cause> = causes.copied().collect();
        match fault.filter(|fault| fault % 10 != 9) {
            Some(fault) => {
                let cause = causes[usize::try_from(fault % 10).unwrap_or(0)];
                planted.push((at, cause));
                let thin = random.u8(..3);
                right.extend(bend(cause, own, number).into_iter().map(|one| thinned(one, thin)));
            }
            None => right.push(told(own, random)),
        }
    }
    let mut batches = faults / 10;
    for (batch, (first, sum)) in sums {
        let off = u64::from(batches > 0);
        batches = batches.saturating_sub(1);
        if off > 0 {
            planted.push((first, Cause::BatchSumDiffers));
        }
        right.push(Movement {
            amount: sum - off,
            uetr: None,
            end_to_end_id: None,
            servicer_reference: None,
            party: None,
            batch: Some(batch.to_owned()),
            ..ledger[first].clone()
        });
    }
    random.shuffle(&mut right);
    (right, planted)
}

fn judge(transfers: u64, faults: u64, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let ledger = ledger(&mut random, transfers);
    let (right, mut planted) = statement(&ledger, &mut random, faults);
    let kinds =
        planted.iter().fold(BTreeMap::new(), |mut kinds: BTreeMap<Cause, u64>, (_, cause)| {
            *kinds.entry(*cause).or_default() += 1;
            kinds
        });
    assert_eq!(kinds.len(), 10, "{kinds:?}");
    let started = Instant::now();
    let outcome = compare(&ledger, &right, &RULES);
    let line = format!(
        "{transfers} transfers, {} tellings: {} matches, {} breaks of {} planted in {:?} {kinds:?}\n",
        right.len(),
        outcome.matches.len(),
        outcome.breaks.len(),
        planted.len(),
        started.elapsed(),
    );
    Write::write_all(&mut std::io::stderr(), line.as_bytes()).expect("standard error takes a line");
    // What the ledger does not have is known by its telling; its reference names the transfer beside it.
    let place = |one: &crate::Break| {
        one.left.first().copied().unwrap_or_else(|| {
            let told = right[one.right[0]].end_to_end_id.clone().unwrap_or_default();
            told.strip_prefix("FOREIGN-").and_then(|at| at.parse().ok()).unwrap_or(usize::MAX)
        })
    };
    let mut found: Vec<_> = outcome.breaks.iter().map(|one| (place(one), one.cause)).collect();
    found.sort_unstable();
    planted.sort_unstable();
    let differ = found.iter().zip(&planted).find(|(own, other)| own != other);
    assert_eq!(found.len(), planted.len(), "{differ:?}");
    assert_eq!(found, planted, "{differ:?}");
    let matched: usize = outcome.matches.iter().map(|one| one.left.len()).sum();
    let broken: usize = outcome.breaks.iter().map(|one| one.left.len()).sum();
    // Duplicated and reversed movements are matched as well.
    assert!(matched + broken >= ledger.len() && outcome.awaiting.is_empty());
    assert_eq!(compare(&ledger, &right, &RULES), outcome, "the same again");
}

#[test]
fn a_thousand_faults_in_a_million_transfers_are_found_and_nothing_else() {
    judge(TRANSFERS, FAULTS, 1);
}

#[test]
fn faults_are_found_whatever_the_day() {
    for seed in 2..12 {
        judge(20_000, 200, seed);
    }
}

//! Every refusal of a submit, and that the first in the documented order wins.
use alloc::vec::Vec;

use ledger_proof::{Item, item::Submit, operator};
use ledger_types::{AccountId, CorridorId, ParticipantId, PayoutMethod, Rejection, Timestamp};

use super::world::{
    BANK, CREDITOR, DEBTOR, DIRECT, GOLD, World, account, corridor_terms, currency, quote_id,
    sealing_id,
};

type Break = (Rejection, fn(&mut World, &mut Submit));

fn suspend(world: &mut World, participant: ParticipantId) {
    let nonce = world.fresh();
    world.operate(Item::Suspend(operator::Suspend { nonce, participant, suspended: true }));
}

/// One way to break each rule, in the order in which the rules are checked.
const BREAKS: &[Break] = &[
    (Rejection::DebtorAgentSuspended, |world, _| suspend(world, DEBTOR)),
    (Rejection::CreditorAgentUnknown, |_, item| item.creditor_agent = ParticipantId(99)),
    (Rejection::CreditorAgentSuspended, |world, _| suspend(world, CREDITOR)),
    (Rejection::CorridorUnknown, |_, item| item.corridor = CorridorId(99)),
    (Rejection::SinglePhaseForbidden, |_, item| item.single_phase = true),
    (Rejection::PurposeNotAllowed, |_, item| item.purpose = "SALA".parse().expect("valid")),
    (Rejection::PayoutMethodNotAllowed, |_, item| item.payout_method = PayoutMethod::CashPickup),
    (Rejection::ScreeningPolicyStale, |_, item| item.screening_policy_version = 2),
    (Rejection::DeadlinePassed, |_, item| item.deadline = Timestamp::from_micros(1)),
    (Rejection::SealedDataMissing, |_, item| item.commitment = [0; 32]),
    (Rejection::SealingKeyMissing, |_, item| {
        item.sealed_for = [sealing_id(DEBTOR)].into_iter().collect();
    }),
    (Rejection::AmountZero, |_, item| item.legs[3].amount = 0),
    (Rejection::LegsMalformed, |_, item| item.legs.swap(1, 2)),
    (Rejection::CurrencyMismatch, |_, item| item.legs[0].currency = currency("USD")),
    (Rejection::AccountUnknown, |_, item| item.legs[2].credit_account = AccountId(5)),
    (Rejection::AccountNotOwned, |_, item| item.legs[0].debit_account = account(CREDITOR, "HKD")),
    (Rejection::AmountBelowMinimum, |_, item| item.legs[0].amount = 99),
    (Rejection::AmountAboveMaximum, |_, item| item.legs[0].amount = 800_001),
    (Rejection::QuoteUnknown, |_, item| item.quotes[0] = quote_id("nobody's")),
    (Rejection::QuoteAmountMismatch, |_, item| item.legs[1].amount -= 1),
    (Rejection::FeeScheduleStale, |_, item| item.fee_schedule_version = 2),
    (Rejection::FeeLegsWrong, |_, item| item.legs[2].amount = 499),
    (Rejection::InsufficientFunds, |world, _| {
        world.check("withdraw W 999900 | ok");
    }),
];

fn submit(breaks: &[&Break]) -> Option<Rejection> {
    let mut world = World::new();
    world.check("quote T | ok");
    let mut item = world.retail("T", 50_000, 403_790, [9; 32]);
    for (_, change) in breaks {
        change(&mut world, &mut item);
    }
    let before: Vec<_> = world.ledger.sums();
    let outcome = world.send(DEBTOR, Item::Submit(item.clone()));
    assert_eq!(world.ledger.sums(), before, "a submit posts nothing");
    if outcome.rejection.is_some() {
        let again = world.send(DEBTOR, Item::Submit(item));
        assert_eq!(again.rejection, outcome.rejection, "the first answer again");
        assert_eq!(again.first_sequence, Some(outcome.sequence));
    }
    outcome.rejection
}

#[test]
fn each_rule_has_its_refusal() {
    assert_eq!(submit(&[]), None);
    for rule in BREAKS {
        assert_eq!(submit(&[rule]), Some(rule.0));
    }
}

#[test]
fn the_earlier_rule_wins() {
    // Pairs whose changes do not touch the same field.
    let same_field = |first: Rejection, second: Rejection| {
        let legs = [
            Rejection::AmountZero,
            Rejection::LegsMalformed,
            Rejection::CurrencyMismatch,
            Rejection::AccountUnknown,
            Rejection::AccountNotOwned,
            Rejection::AmountBelowMinimum,
            Rejection::AmountAboveMaximum,
            Rejection::QuoteAmountMismatch,
            Rejection::FeeLegsWrong,
        ];
        let agents = [Rejection::CreditorAgentUnknown, Rejection::CreditorAgentSuspended];
        // Suspension also stops the withdrawal that makes funds short.
        let withdrawal =
            first == Rejection::DebtorAgentSuspended && second == Rejection::InsufficientFunds;
        (legs.contains(&first) && legs.contains(&second))
            || (agents.contains(&first) && agents.contains(&second))
            || withdrawal
    };
    for (at, first) in BREAKS.iter().enumerate() {
        for second in BREAKS.iter().skip(at + 1) {
            if !same_field(first.0, second.0) {
                assert_eq!(submit(&[first, second]), Some(first.0), "before {:?}", second.0);
            }
        }
    }
}

#[test]
fn a_bank_short_of_funds_is_its_own_refusal() {
    let mut world = World::new();
    world.check("quote T | ok");
    let nonce = world.fresh();
    let withdraw = ledger_proof::item::Withdraw {
        nonce,
        withdrawal: ledger_types::WithdrawalId([1; 16]),
        account: account(BANK, "PHP"),
        currency: currency("PHP"),
        amount: 9_900_000,
    };
    assert_eq!(world.send(BANK, Item::Withdraw(withdraw)).rejection, None);
    world.check("submit T | LIQUIDITY_INSUFFICIENT");
}

#[test]
fn institutions_settle_in_one_phase_on_standing_acceptance() {
    let mut world = World::new();
    let item = world.direct("D", 1_000);
    assert_eq!(
        world.send(DEBTOR, Item::Submit(item)).state,
        Some(ledger_types::TransferState::Settled)
    );
    assert_eq!(world.balance(CREDITOR, "HKD"), (1_000, 0));
    let mut item = world.direct("E", 1_000);
    item.legs[0].credit_account = account(CREDITOR, "PHP");
    item.legs[0].debit_account = account(DEBTOR, "PHP");
    item.legs[0].currency = currency("PHP");
    let mut terms = corridor_terms(CorridorId(4), "PHP", "PHP", true);
    terms.nonce = world.fresh();
    world.operate(Item::SetCorridor(terms));
    item.corridor = CorridorId(4);
    world.fund(DEBTOR, "PHP", 1_000);
    let outcome = world.send(DEBTOR, Item::Submit(item));
    assert_eq!(outcome.rejection, Some(Rejection::StandingAcceptanceMissing));
    assert_eq!(DIRECT, CorridorId(2));
}

#[test]
fn gold_settles_against_dollars_of_hong_kong() {
    let mut world = World::new();
    world.fund(DEBTOR, "XAU", 12_500);
    world.fund(BANK, "HKD", 5_000_000);
    let mut quote = world.quote("G", 12_500, 2_500_000);
    quote.corridor = GOLD;
    quote.source_currency = currency("XAU");
    quote.destination_currency = currency("HKD");
    quote.source_account = account(BANK, "XAU");
    quote.destination_account = account(BANK, "HKD");
    // 1.2500 ounces at 20,000.00 HKD.
    quote.rate = "20000".parse().expect("valid");
    (quote.payout_fee, quote.fee_schedule_version) = (0, 0);
    assert_eq!(world.send(BANK, Item::RegisterQuote(quote)).rejection, None);
    let mut item = world.direct("G", 12_500);
    item.corridor = GOLD;
    item.quotes = [quote_id("G")].into_iter().collect();
    let mut into = item.legs[0].clone();
    into.currency = currency("XAU");
    into.debit_account = account(DEBTOR, "XAU");
    into.credit_account = account(BANK, "XAU");
    let mut out_of = item.legs[0].clone();
    out_of.debit_account = account(BANK, "HKD");
    out_of.amount = 2_500_000;
    item.legs = [into, out_of].into_iter().collect();
    let outcome = world.send(DEBTOR, Item::Submit(item));
    assert_eq!(super::world::describe(&outcome), "SETTLED");
    assert_eq!(world.balance(CREDITOR, "HKD"), (2_500_000, 0));
    assert_eq!(world.balance(BANK, "XAU"), (12_500, 0));
}

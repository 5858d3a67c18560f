//! Quotes: their refusals, draw-down, chains of two, closing.
use ledger_proof::{Field, Item, Part, item::RegisterQuote, record::PartyPart};
use ledger_types::{ParticipantId, Rejection, Timestamp};

use super::world::{
    BANK, BANK2, DEBTOR, RETAIL, World, account, corridor_terms, currency, describe, quote_id,
};

type Break = (Rejection, fn(&mut RegisterQuote));

const BREAKS: &[Break] = &[
    (Rejection::CorridorUnknown, |quote| quote.corridor = ledger_types::CorridorId(99)),
    (Rejection::ParticipantUnknown, |quote| quote.debtor_agent = ParticipantId(99)),
    (Rejection::AccountUnknown, |quote| quote.source_account = ledger_types::AccountId(5)),
    (Rejection::AccountNotOwned, |quote| quote.source_account = account(DEBTOR, "HKD")),
    (Rejection::CurrencyMismatch, |quote| quote.source_currency = currency("USD")),
    (Rejection::FeeScheduleStale, |quote| quote.fee_schedule_version = 9),
    (Rejection::QuoteTermsInvalid, |quote| quote.destination_amount += 2),
    (Rejection::QuoteTermsInvalid, |quote| quote.submit_by = Timestamp::from_micros(1)),
    (Rejection::QuoteTermsInvalid, |quote| quote.hold_until = Timestamp::from_micros(1)),
    (Rejection::QuoteTermsInvalid, |quote| quote.source_amount = 0),
    (Rejection::QuoteTermsInvalid, |quote| quote.reusable = true),
];

#[test]
fn each_rule_of_a_quote_has_its_refusal() {
    for (rejection, change) in BREAKS {
        let mut world = World::new();
        let mut quote = world.quote("Q", 50_000, 403_790);
        change(&mut quote);
        let outcome = world.send(BANK, Item::RegisterQuote(quote));
        assert_eq!(outcome.rejection, Some(*rejection));
    }
    let mut world = World::new();
    let mut quote = world.quote("Q", 50_000, 403_790);
    quote.source_account = account(BANK2, "HKD");
    quote.destination_account = account(BANK2, "PHP");
    let outcome = world.send(BANK2, Item::RegisterQuote(quote));
    assert_eq!(outcome.rejection, Some(Rejection::LiquidityBankNotAllowed));
}

#[test]
fn a_single_quote_is_used_once_and_never_given_back() {
    let mut world = World::new();
    world.check("quote T | ok\n quote T | again\n submit T | PENDING\n cancel T | CANCELLED");
    let mut item = world.retail("U", 50_000, 403_790, [5; 32]);
    item.quotes[0] = quote_id("T");
    let outcome = world.send(DEBTOR, Item::Submit(item));
    assert_eq!(outcome.rejection, Some(Rejection::QuoteOverdrawn));
}

#[test]
fn no_record_of_a_quote_shows_its_nonce() {
    let mut world = World::new();
    let mut quote = world.quote("T", 50_000, 403_790);
    quote.nonce = [0xa5; 32];
    world.send(BANK, Item::RegisterQuote(quote.clone()));
    let record = &world.out.records[0];
    for part in [Part::Debtor, Part::Liquidity1] {
        let part = PartyPart::from_bytes(&record.parts[part.index()]).expect("a part");
        let terms = RegisterQuote::from_bytes(&part.detail.0).expect("the terms");
        assert_eq!(terms, RegisterQuote { nonce: [0; 32], ..quote.clone() });
    }
    assert!(record.parts.iter().all(|part| !part.windows(32).any(|bytes| bytes == quote.nonce)));
}

#[test]
fn a_quote_id_names_one_quote() {
    let mut world = World::new();
    world.check("quote T | ok");
    let mut other = world.quote("T", 50_000, 403_790);
    other.payout_fee = 1;
    let outcome = world.send(BANK, Item::RegisterQuote(other));
    assert_eq!(outcome.rejection, Some(Rejection::QuoteReused));
}

#[test]
fn a_reusable_quote_is_drawn_down_by_rate() {
    let mut world = World::new();
    let mut quote = world.quote("R", 100_000, 0);
    quote.reusable = true;
    assert_eq!(world.send(BANK, Item::RegisterQuote(quote)).rejection, None);
    for (name, source, destination, expected) in [
        ("a", 50_000, 401_790, "PENDING"),
        ("b", 50_001, 401_798, "QUOTE_OVERDRAWN"),
        ("c", 40_000, 321_034, "QUOTE_AMOUNT_MISMATCH"),
        ("without its fee", 40_000, 323_032, "QUOTE_AMOUNT_MISMATCH"),
        ("d", 40_000, 321_032, "PENDING"),
        ("e", 10_000, 78_757, "PENDING"),
        ("f", 1_000, 6_076, "QUOTE_OVERDRAWN"),
    ] {
        let mut item = world.retail(name, source, destination, [6; 32]);
        item.quotes[0] = quote_id("R");
        let outcome = world.send(DEBTOR, Item::Submit(item));
        assert_eq!(describe(&outcome), expected, "{name}");
    }
}

#[test]
fn quotes_close_and_are_counted() {
    let mut world = World::new();
    world.check("quote A | ok\n quote B | ok\n quote C | ok\n quote D | QUOTES_OPEN_TOO_MANY");
    world.check("wait 21 | ok\n quote D | ok\n submit A | QUOTE_EXPIRED");
    let mut item = world.retail("X", 50_000, 403_790, [5; 32]);
    item.quotes[0] = quote_id("D");
    item.quotes.push(quote_id("D"));
    let middle = item.legs[1].clone();
    item.legs.insert(1, middle);
    let outcome = world.send(DEBTOR, Item::Submit(item));
    assert_eq!(outcome.rejection, Some(Rejection::QuoteChainBroken));
}

#[test]
fn two_quotes_chain_through_a_bridge_currency() {
    for (second_bank, expected) in [(BANK, "LEGS_MALFORMED"), (BANK2, "PENDING")] {
        let mut world = World::new();
        let mut terms = corridor_terms(RETAIL, "HKD", "PHP", false);
        terms.version = 2;
        terms.liquidity_banks.push(BANK2);
        world.operate(Item::SetCorridor(terms));
        let mut first = world.quote("one", 78_000, 10_000);
        first.destination_currency = currency("USD");
        first.destination_account = account(BANK, "USD");
        first.rate = "0.12820513".parse().expect("a rate");
        first.payout_fee = 0;
        let mut second = world.quote("two", 10_000, 560_000);
        second.source_currency = currency("USD");
        second.source_account = account(second_bank, "USD");
        second.destination_account = account(second_bank, "PHP");
        second.rate = "56".parse().expect("a rate");
        for (bank, quote) in [(BANK, first), (second_bank, second)] {
            assert_eq!(world.send(bank, Item::RegisterQuote(quote)).rejection, None);
        }
        let mut item = world.retail("chain", 78_000, 560_000, [4; 32]);
        item.quotes = [quote_id("one"), quote_id("two")].into_iter().collect();
        let mut middle = item.legs[0].clone();
        middle.currency = currency("USD");
        middle.debit_account = account(BANK, "USD");
        middle.credit_account = account(second_bank, "USD");
        middle.amount = 10_000;
        item.legs.insert(1, middle);
        for leg in item.legs.iter_mut().filter(|leg| leg.currency == currency("PHP")) {
            leg.debit_account = account(second_bank, "PHP");
        }
        // One bank on both sides of the bridge would move money in a circle.
        let outcome = world.send(DEBTOR, Item::Submit(item));
        assert_eq!(describe(&outcome), expected);
    }
}

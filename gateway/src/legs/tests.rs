//! Legs and fees by table; never a network.
use ledger_proof::operator::{Fee, FeePayer};
use ledger_types::{AccountId, Currency, QuoteId};

use super::{Error, Hop, Plan, fee_amount, legs};

fn currency(code: &str) -> Currency {
    code.parse().unwrap()
}

fn hop(from: &str, to: &str, accounts: (u64, u64), amounts: (u64, u64), payout_fee: u64) -> Hop {
    Hop {
        quote: QuoteId([1; 16]),
        source_account: AccountId(accounts.0),
        destination_account: AccountId(accounts.1),
        source_currency: currency(from),
        destination_currency: currency(to),
        source_amount: amounts.0,
        destination_amount: amounts.1,
        payout_fee,
    }
}

fn fee(payer: FeePayer, flat: u64, basis_points: u32, min: u64, max: u64) -> Fee {
    let payee_account = AccountId(900);
    Fee { payer, payee_account, flat, basis_points, amount_min: min, amount_max: max }
}

fn table(hops: &[Hop], fees: &[Fee]) -> Result<Vec<String>, Error> {
    let plan = Plan {
        debtor_account: AccountId(1),
        creditor_account: AccountId(2),
        currency: currency("HKD"),
        amount: 50_000,
        hops,
        fees,
    };
    let show = |leg: &ledger_proof::item::Leg| {
        let (from, to) = (leg.debit_account, leg.credit_account);
        format!("{:?} {} {from}->{to} {}", leg.kind, leg.currency, leg.amount)
    };
    legs(&plan).map(|legs| legs.iter().map(show).collect())
}

#[test]
fn legs_follow_the_chain_then_the_fees_then_the_payout_fees() {
    let both = [
        fee(FeePayer::DebtorAgent, 500, 0, 0, 9_999),
        fee(FeePayer::CreditorAgent, 0, 10, 1, 9_999),
    ];
    assert_eq!(table(&[], &both[..1]).unwrap(), ["Principal HKD 1->2 50000", "Fee HKD 1->900 500"]);
    let one = hop("HKD", "PHP", (11, 12), (50_000, 403_790), 2_000);
    assert_eq!(
        table(&[one], &both).unwrap(),
        [
            "Principal HKD 1->11 50000",
            "Principal PHP 12->2 403790",
            "Fee HKD 1->900 500",
            "Fee PHP 2->900 404",
            "PayoutFee PHP 12->2 2000",
        ]
    );
    let first = hop("MYR", "USD", (21, 22), (10_000, 2_400), 0);
    let second = hop("USD", "PKR", (31, 32), (2_400, 670_000), 5_000);
    assert_eq!(
        table(&[first, second], &[]).unwrap(),
        [
            "Principal MYR 1->21 10000",
            "Principal USD 22->31 2400",
            "Principal PKR 32->2 670000",
            "PayoutFee PKR 32->2 5000",
        ]
    );
    let gap = hop("USD", "PKR", (31, 32), (2_401, 670_000), 0);
    assert_eq!(table(&[first, gap], &[]), Err(Error::Chain));
    assert_eq!(table(&[first, second, second], &[]), Err(Error::Chain));
}

#[test]
fn fees_round_half_up_within_bounds() {
    let cases = [
        // flat, basis points, min, max, principal, fee
        (0, 50, 0, u64::MAX, 100, 1),
        (0, 50, 0, u64::MAX, 99, 0),
        (0, 25, 0, u64::MAX, 200, 1),
        (500, 10, 0, u64::MAX, 50_000, 550),
        (0, 10, 200, u64::MAX, 1_000, 200),
        (0, 10_000, 0, 300, 1_000, 300),
        (u64::MAX, 10_000, 0, u64::MAX, u64::MAX, u64::MAX),
    ];
    for (flat, basis_points, min, max, principal, expected) in cases {
        let fee = fee(FeePayer::DebtorAgent, flat, basis_points, min, max);
        assert_eq!(fee_amount(&fee, principal), expected, "{fee:?} of {principal}");
    }
}

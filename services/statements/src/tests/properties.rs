//! Laws: whatever moved, a statement made of it ties in every format, and any change of one figure is
//! found.

use proptest::prelude::*;

use super::{
    camt::{balance, document, entry, head},
    codes, judged,
};
use crate::{Code, CreditDebit, Judged, Sum, Verdict, ties::Tie};

/// Minor units of EUR; debits are negative.
fn moves() -> impl Strategy<Value = (i64, Vec<i64>)> {
    let amount = -1_000_000_000_i64..1_000_000_000;
    (amount.clone(), proptest::collection::vec(amount, 0..40))
}

fn decimal(units: i64) -> String {
    format!("{}.{:02}", units.unsigned_abs() / 100, units.unsigned_abs() % 100)
}

fn side(units: i64) -> &'static str {
    if units < 0 { "DBIT" } else { "CRDT" }
}

fn camt(opening: i64, moves: &[i64], closing: i64) -> String {
    let entries: String =
        moves.iter().map(|units| entry(&decimal(*units), side(*units), "BOOK", true)).collect();
    let of = |kind, units| balance(kind, &decimal(units), side(units), "2026-11-23");
    document(
        "08",
        &format!("<Stmt>{}{}{}{entries}</Stmt>", head(1), of("OPBD", opening), of("CLBD", closing)),
    )
}

fn mt(opening: i64, moves: &[i64], closing: i64) -> String {
    let comma = |units: i64| decimal(units).replace('.', ",");
    let mark = |units: i64| &side(units)[..1];
    let of = |tag: &str, units: i64| format!(":{tag}:{}261123EUR{}\n", mark(units), comma(units));
    let entries: String = moves
        .iter()
        .map(|units| format!(":61:261123{}{}NTRFREF//SVC\n", mark(*units), comma(*units)))
        .collect();
    format!(":20:S\n:25:A\n:28C:1/1\n{}{entries}{}", of("60F", opening), of("62F", closing))
}

fn csv(opening: i64, moves: &[i64], closing: i64) -> String {
    let signed = |units: i64| format!("{}{}", if units < 0 { "-" } else { "" }, decimal(units));
    let row = |units: &i64| {
        format!("A,EUR,2026-11-23,{},{},{}\n", signed(*units), signed(opening), signed(closing))
    };
    let rows: String = moves.iter().map(row).collect();
    format!("account,currency,booking_date,amount,opening_balance,closing_balance\n{rows}")
}

fn balances(judged: &Judged) -> Tie {
    judged.statements[0].arithmetic.balances
}

proptest! {
    #[test]
    fn what_moved_ties_in_every_format((opening, moves) in moves(), off in 1_i64..1_000_000) {
        let closing = opening + moves.iter().sum::<i64>();
        for (name, write) in [("camt", camt as fn(i64, &[i64], i64) -> String), ("mt", mt), ("csv", csv)] {
            if name == "csv" && moves.is_empty() {
                continue;
            }
            let tied = judged(&write(opening, &moves, closing));
            prop_assert_eq!(tied.verdict, Verdict::Ok, "{} {:?}", name, tied.findings);
            prop_assert_eq!(balances(&tied), Tie::Holds);
            prop_assert_eq!(tied.entries(), moves.len() as u64);
            let broken = judged(&write(opening, &moves, closing + off));
            prop_assert_eq!(codes(&broken), vec![Code::BalanceDiffers], "{}", name);
            prop_assert_eq!(balances(&broken), Tie::Fails);
        }
    }

    #[test]
    fn a_lost_or_doubled_entry_is_found((opening, mut moves) in moves(), at in any::<proptest::sample::Index>(), doubled in any::<bool>()) {
        let closing = opening + moves.iter().sum::<i64>();
        prop_assume!(!moves.is_empty());
        let at = at.index(moves.len());
        prop_assume!(moves[at] != 0);
        if doubled {
            moves.push(moves[at]);
        } else {
            moves.remove(at);
        }
        for text in [camt(opening, &moves, closing), mt(opening, &moves, closing)] {
            prop_assert_eq!(codes(&judged(&text)), vec![Code::BalanceDiffers]);
        }
    }

    #[test]
    fn sums_are_those_of_integers(units in proptest::collection::vec(-10_i64.pow(12)..10_i64.pow(12), 1..30)) {
        let sum = units.iter().try_fold(Sum::ZERO, |sum, units| {
            let value = decimal(*units).parse().expect("it is a decimal");
            let side = if *units < 0 { CreditDebit::Debit } else { CreditDebit::Credit };
            sum.plus(Sum::signed(value, side))
        });
        let total: i64 = units.iter().sum();
        let text = format!("{}{}", if total < 0 { "-" } else { "" }, decimal(total));
        prop_assert_eq!(sum.map(|sum| sum.text("EUR")), Some(text));
    }
}

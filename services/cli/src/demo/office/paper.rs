//! Statements as a custodian would write them: their arithmetic holds, whatever they tell. It must never know whose they
//! are.

use anyhow::Context as _;
use services_iso20022::{
    Amount,
    camt053::{Balance, Camt053, Statement},
    camt054::{BankTransactionCode, Entry, Transaction},
    pacs008::{Account, AccountIdentification, CodeOrProprietary, OtherId},
};
use time::Date;

/// One entry; minor units, credits positive.
#[derive(Clone, Debug)]
pub struct Line {
    pub amount: i64,
    pub day: Date,
    pub reference: String,
    pub uetr: Option<String>,
    pub reversal: bool,
}

impl Line {
    #[must_use]
    pub fn new(amount: i64, day: Date, reference: &str) -> Self {
        Self { amount, day, reference: reference.to_owned(), uetr: None, reversal: false }
    }
}

fn side(amount: i64) -> String {
    if amount < 0 { "DBIT" } else { "CRDT" }.to_owned()
}

fn amount(currency: &str, units: i64) -> Amount {
    Amount::from_minor_units(currency, units.unsigned_abs(), 2)
}

/// A camt.053 of an account and a day, whose closing balance is the opening one and its lines.
pub fn camt053(
    (account, currency): (&str, &str),
    number: u64,
    day: Date,
    opening: i64,
    lines: &[Line],
) -> anyhow::Result<String> {
    let closing = lines.iter().map(|line| line.amount).sum::<i64>() + opening;
    let balance = |kind: &str, units: i64| Balance {
        kind: kind.to_owned(),
        amount: amount(currency, units),
        credit_debit: side(units),
        date: day.to_string(),
    };
    let code = |text: &str| Some(text.to_owned());
    let entry = |line: &Line| Entry {
        amount: Some(amount(currency, line.amount)),
        credit_debit: Some(side(line.amount)),
        reversal: line.reversal.then(|| "true".to_owned()),
        status: Some(CodeOrProprietary::Code("BOOK".to_owned())),
        booked_at: Some(line.day.to_string()),
        value_date: Some(line.day.to_string()),
        servicer_reference: Some(line.reference.clone()).filter(|text| !text.is_empty()),
        bank_transaction_code: Some(BankTransactionCode {
            domain: code("PMNT"),
            family: code("RCDT"),
            sub_family: code("DMCT"),
        }),
        transactions: line
            .uetr
            .iter()
            .map(|uetr| Transaction { uetr: Some(uetr.clone()), ..Transaction::default() })
            .collect(),
        ..Entry::default()
    };
    let id = Some(account.to_owned());
    let message = Camt053 {
        message_id: format!("MSG-{account}-{number}"),
        created_at: format!("{day}T23:00:00Z"),
        statement: Statement {
            id: format!("STMT-{number}"),
            sequence: Some(number),
            from: format!("{day}T00:00:00"),
            to: format!("{day}T23:59:59"),
            account: Account {
                identification: Some(AccountIdentification::Other(OtherId {
                    id,
                    ..OtherId::default()
                })),
                currency: Some(currency.to_owned()),
                ..Account::default()
            },
            balances: vec![balance("OPBD", opening), balance("CLBD", closing)],
            entries: lines.iter().map(entry).collect(),
            ..Statement::default()
        },
    };
    message.write(None).context("a statement does not fit its schema")
}

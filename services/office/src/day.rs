//! A business day of a currency, computed from the ledger's rows up to one record: balances, fees, what parties owe
//! each other, who earns what, and what cash must move. It must never round a balance, nor know a table.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::settings::{Rules, Target};

/// A ledger account over the day; minor units, credits positive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub owner: u32,
    pub custody: bool,
    pub opening: i128,
    pub closing: i128,
    /// Debits that are reserved at the end: they carry over.
    pub reserved: i128,
}

/// Whom documents name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Participant {
    pub name: String,
    pub bic: String,
    pub lei: String,
}

/// A leg posted within the day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The record that posted it.
    pub record: i64,
    pub leg: i16,
    /// 1 principal, 2 fee, 3 payout fee, 4 funding, 5 withdrawal.
    pub kind: i16,
    pub debit_account: u64,
    pub credit_account: u64,
    pub amount: u64,
    pub uetr: Option<Uuid>,
    pub at: OffsetDateTime,
}

/// What moved from one account to another within the day, of one kind of leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    pub kind: i16,
    pub debit_account: u64,
    pub credit_account: u64,
    pub legs: usize,
    pub amount: i128,
}

/// Everything that a day is computed from.
#[derive(Clone, Debug, Default)]
pub struct Books {
    pub currency: String,
    pub exponent: u8,
    pub day: Option<Date>,
    /// The last record of the day before, and of this one.
    pub after: i64,
    pub up_to: i64,
    /// The number of this closed day of the currency, from 1.
    pub number: u64,
    pub custodian: u32,
    pub accounts: BTreeMap<u64, Account>,
    pub participants: BTreeMap<u32, Participant>,
    /// How statements name an account.
    pub names: BTreeMap<u64, String>,
    pub sums: Vec<Sum>,
    /// Transfers that are pending at the end.
    pub pending: u64,
}

/// Cash that must move so that an account lies within its bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    pub account: u64,
    pub owner: u32,
    pub amount: u64,
    /// Paid out of the custody account, else called from the participant.
    pub out: bool,
}

impl Books {
    /// Σ balances of all accounts but the custody account's: what the custodian must hold.
    #[must_use]
    pub fn balances(&self) -> i128 {
        self.accounts.values().filter(|own| !own.custody).map(|own| own.closing).sum()
    }

    /// Minor units as a decimal of the currency.
    #[must_use]
    pub fn text(&self, units: i128) -> String {
        decimal(units, self.exponent)
    }

    fn owner(&self, account: u64) -> u32 {
        self.accounts.get(&account).map_or(0, |own| own.owner)
    }

    /// Surplus out, shortfall called, by the settings' targets.
    #[must_use]
    pub fn moves(&self, rules: &Rules) -> Vec<Move> {
        let bound = |(account, own): (&u64, &Account)| -> Option<Move> {
            let Target { min, max } = rules.targets.get(&account.to_string()).copied()?;
            // What is reserved must stay, whatever the bound says.
            let free = own.closing - own.reserved;
            let surplus = free - i128::from(max);
            let shortfall = i128::from(min) - free;
            let (units, out) = if surplus > 0 { (surplus, true) } else { (shortfall, false) };
            let amount = u64::try_from(units).ok().filter(|amount| *amount > 0)?;
            Some(Move { account: *account, owner: own.owner, amount, out })
        };
        self.accounts.iter().filter(|(_, own)| !own.custody).filter_map(bound).collect()
    }

    /// The day's figures; amounts are decimals as text.
    #[must_use]
    pub fn report(&self, rules: &Rules) -> Value {
        json!({
            "currency": self.currency,
            "day": self.day.map(|day| day.to_string()),
            "records": { "after": self.after, "up_to": self.up_to },
            "balances": self.balance_rows(),
            "sum_of_balances": self.text(self.balances()),
            "fees": self.fees(),
            "net": self.net(),
            "revenue": self.revenue(rules),
            "pending_transfers": self.pending,
            "rebalancing": self.moves(rules).iter().map(|own| json!({
                "account": own.account.to_string(),
                "participant": own.owner,
                "direction": if own.out { "out" } else { "called" },
                "amount": self.text(i128::from(own.amount)),
            })).collect::<Vec<_>>(),
        })
    }

    fn balance_rows(&self) -> Vec<Value> {
        let mut sums: BTreeMap<u64, (i128, i128)> = BTreeMap::new();
        for sum in &self.sums {
            sums.entry(sum.debit_account).or_default().0 += sum.amount;
            sums.entry(sum.credit_account).or_default().1 += sum.amount;
        }
        let row = |(account, own): (&u64, &Account)| {
            let (debits, credits) = sums.get(account).copied().unwrap_or_default();
            json!({
                "account": account.to_string(),
                "participant": own.owner,
                "custody": own.custody,
                "opening": self.text(own.opening),
                "credits": self.text(credits),
                "debits": self.text(debits),
                "closing": self.text(own.closing),
                "reserved": self.text(own.reserved),
            })
        };
        self.accounts.iter().map(row).collect()
    }

    /// Who paid which fees to whom.
    fn fees(&self) -> Vec<Value> {
        let mut sums: BTreeMap<(u32, u32, i16), (usize, i128)> = BTreeMap::new();
        for own in self.sums.iter().filter(|own| matches!(own.kind, 2 | 3)) {
            let key = (self.owner(own.debit_account), self.owner(own.credit_account), own.kind);
            let sum = sums.entry(key).or_default();
            *sum = (sum.0 + own.legs, sum.1 + own.amount);
        }
        let row = |((payer, payee, kind), (count, amount)): (&(u32, u32, i16), &(usize, i128))| {
            json!({
                "payer": payer,
                "payee": payee,
                "kind": if *kind == 2 { "fee" } else { "payout_fee" },
                "count": count,
                "amount": self.text(*amount),
            })
        };
        sums.iter().map(row).collect()
    }

    /// What each two parties moved to each other, principal alone.
    fn net(&self) -> Vec<Value> {
        let mut sums: BTreeMap<(u32, u32), (i128, i128)> = BTreeMap::new();
        for own in self.sums.iter().filter(|own| own.kind == 1) {
            let (from, to) = (self.owner(own.debit_account), self.owner(own.credit_account));
            let sum = sums.entry((from.min(to), from.max(to))).or_default();
            if from <= to { sum.0 += own.amount } else { sum.1 += own.amount }
        }
        let row = |((first, second), (to_second, to_first)): (&(u32, u32), &(i128, i128))| {
            json!({
                "first": first,
                "second": second,
                "first_to_second": self.text(*to_second),
                "second_to_first": self.text(*to_first),
                "net_to_second": self.text(to_second - to_first),
            })
        };
        sums.iter().map(row).collect()
    }

    /// The operator's fees that each partner brought, and its share of them, rounded down; payout fees are their
    /// payee's own.
    fn revenue(&self, rules: &Rules) -> Vec<Value> {
        let mut brought: BTreeMap<u32, i128> = BTreeMap::new();
        let mut earned: BTreeMap<u32, i128> = BTreeMap::new();
        for own in &self.sums {
            match own.kind {
                2 => *brought.entry(self.owner(own.debit_account)).or_default() += own.amount,
                3 => *earned.entry(self.owner(own.credit_account)).or_default() += own.amount,
                _ => {}
            }
        }
        let partners: Vec<u32> = brought.keys().chain(earned.keys()).copied().collect();
        let mut partners: Vec<u32> = partners;
        partners.sort_unstable();
        partners.dedup();
        let row = |partner: &u32| {
            let fees = brought.get(partner).copied().unwrap_or(0);
            let bps = rules.revenue_share_bps.get(&partner.to_string()).copied().unwrap_or(0);
            let share = fees * i128::from(bps.min(10_000)) / 10_000;
            json!({
                "participant": partner,
                "fees_brought": self.text(fees),
                "share_bps": bps,
                "share": self.text(share),
                "kept_by_operator": self.text(fees - share),
                "payout_fees": self.text(earned.get(partner).copied().unwrap_or(0)),
            })
        };
        partners.iter().map(row).collect()
    }
}

/// What a closed day leaves to the next one, as its report says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Closing balance and reserved debits of each account.
    pub accounts: BTreeMap<u64, (i128, i128)>,
    pub pending: u64,
}

impl Carried {
    /// What a report of [`Books::report`] leaves; nothing if it is none.
    #[must_use]
    pub fn of(report: &Value, exponent: u8) -> Option<Self> {
        let read = |row: &Value| {
            let account = row["account"].as_str()?.parse().ok()?;
            let sum = |name: &str| units(row[name].as_str()?, exponent);
            Some((account, (sum("closing")?, sum("reserved")?)))
        };
        let accounts = report["balances"].as_array()?.iter().map(read).collect::<Option<_>>()?;
        Some(Self { accounts, pending: report["pending_transfers"].as_u64()? })
    }
}

/// The minor units of a decimal that [`decimal`] wrote.
#[must_use]
pub fn units(text: &str, exponent: u8) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.bytes().all(|byte| byte.is_ascii_digit());
    let written = digits && fraction.len() == usize::from(exponent) && !text.ends_with('.');
    if written { format!("{whole}{fraction}").parse().ok() } else { None }
}

/// Minor units as a decimal, with a minus sign below zero.
#[must_use]
pub fn decimal(units: i128, exponent: u8) -> String {
    let digits = units.unsigned_abs().to_string();
    let decimals = usize::from(exponent);
    let digits = format!("{digits:0>width$}", width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    let sign = if units < 0 { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

//! What of a statement must agree with what: balances with entries, totals with what is listed,
//! entries with their details. It must never know a format; it counts, and never rounds.

use services_iso20022::statement::{
    Balance, Batch, Code, CreditDebit, Entry, Finding, Kind, Sum, Summary, Total,
};

/// Whether two things agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tie {
    /// One of them is not stated, or need not agree.
    #[default]
    NotStated,
    Holds,
    Fails,
}

impl Tie {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotStated => "not_stated",
            Self::Holds => "holds",
            Self::Fails => "fails",
        }
    }

    /// A tie over several parts fails with one of them, and holds only if one was stated.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Fails, _) | (_, Self::Fails) => Self::Fails,
            (Self::Holds, _) | (_, Self::Holds) => Self::Holds,
            (Self::NotStated, Self::NotStated) => Self::NotStated,
        }
    }

    const fn of(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::Fails }
    }
}

/// The arithmetic of one statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Arithmetic {
    /// Opening plus booked entries is closing.
    pub balances: Tie,
    /// The stated totals are those of what is listed.
    pub summary: Tie,
    /// Entries and batches are the sum of their details.
    pub details: Tie,
}

impl Arithmetic {
    /// All three in one word.
    #[must_use]
    pub const fn verdict(self) -> Tie {
        self.balances.and(self.summary).and(self.details)
    }
}

/// The booked balances that a period begins and ends with, in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ends<'a> {
    pub opening: Option<&'a Balance>,
    pub closing: Option<&'a Balance>,
    /// The closing one is interim: entries before the first listed one may count towards it.
    pub interim: bool,
}

/// Finds them. A period's own come before a page's (INTM), OPBD before PRCD before the first ITBD,
/// CLBD before the last ITBD.
#[must_use]
pub fn ends<'a>(balances: &'a [Balance], currency: &str) -> Ends<'a> {
    let own: Vec<&Balance> =
        balances.iter().filter(|balance| balance.amount.currency == currency).collect();
    let of = |kind: &str, page: bool| {
        own.iter().copied().find(|one| one.kind == kind && one.intermediate() == page)
    };
    let interim: Vec<&Balance> = own.iter().copied().filter(|one| one.kind == "ITBD").collect();
    let opening = of("OPBD", false).or_else(|| of("PRCD", false)).or_else(|| of("OPBD", true));
    let closing = of("CLBD", false).or_else(|| of("CLBD", true));
    let first = interim.first().copied().filter(|_| interim.len() > 1);
    let last = interim.last().copied();
    Ends {
        opening: opening.or(first),
        closing: closing.or(last),
        interim: closing.is_none() && last.is_some(),
    }
}

/// Opening plus what was booked against closing. `partial` says that the statement is one page of
/// several, whose balances may be those of the whole.
pub fn balance(
    ends: Ends<'_>,
    booked: Sum,
    kind: Kind,
    partial: bool,
    currency: &str,
) -> (Tie, Option<String>) {
    let Some((opening, closing)) = ends.opening.zip(ends.closing) else {
        return (Tie::NotStated, None);
    };
    let (from, to) = (opening.signed(), closing.signed());
    let Some(reached) = from.plus(booked) else { return (Tie::Fails, None) };
    if reached == to {
        return (Tie::Holds, None);
    }
    // A report need not list what an interim balance counts (ITBD, ISO 20022).
    let open = kind != Kind::Statement && ends.interim;
    let page = partial && !(opening.intermediate() && closing.intermediate());
    if open || page {
        return (Tie::NotStated, None);
    }
    let text = |sum: Sum| sum.text(currency);
    let off = to.minus(reached).map_or_else(String::new, text);
    let words = format!(
        "{} {} + entries {} = {}, but {} is {}: {off} {currency} differ",
        opening.kind,
        text(from),
        text(booked),
        text(reached),
        closing.kind,
        text(to),
    );
    (Tie::Fails, Some(words))
}

/// What was counted of a statement's entries, whatever their currencies, as stated totals are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    pub number: u64,
    /// Unsigned.
    pub sum: Sum,
}

impl Counted {
    /// Counts one more; false if the sum exceeds 128 bits.
    #[must_use]
    pub fn add(&mut self, amount: Sum) -> bool {
        let sum = self.sum.plus(amount);
        self.number += 1;
        self.sum = sum.unwrap_or(self.sum);
        sum.is_some()
    }

    fn with(self, other: Self) -> Self {
        let sum = self.sum.plus(other.sum).unwrap_or(self.sum);
        Self { number: self.number + other.number, sum }
    }
}

/// Credits and debits, all of them and those booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sides {
    pub credits: Counted,
    pub debits: Counted,
}

impl Sides {
    pub fn side(&mut self, side: CreditDebit) -> &mut Counted {
        match side {
            CreditDebit::Credit => &mut self.credits,
            CreditDebit::Debit => &mut self.debits,
        }
    }

    #[must_use]
    pub fn both(self) -> Counted {
        self.credits.with(self.debits)
    }
}

/// Stated totals against what is listed. A servicer may count every entry or only those booked; a
/// report or notification may state totals and list nothing, and a page those of the whole.
#[must_use]
pub fn summary(
    stated: &Summary,
    all: Sides,
    booked: Sides,
    listing: bool,
    at: &str,
) -> (Tie, Vec<Finding>) {
    if !listing {
        return (Tie::NotStated, Vec::new());
    }
    let (mut tie, mut findings) = (Tie::NotStated, Vec::new());
    let rows: [(&str, &Total, Counted, Counted); 3] = [
        ("TtlNtries", &stated.entries, all.both(), booked.both()),
        ("TtlCdtNtries", &stated.credits, all.credits, booked.credits),
        ("TtlDbtNtries", &stated.debits, all.debits, booked.debits),
    ];
    for (name, stated, all, booked) in rows {
        if let Some(number) = stated.number {
            let holds = number == all.number || number == booked.number;
            tie = tie.and(Tie::of(holds));
            if !holds {
                let text = format!("{number} stated, {} listed", all.number);
                let at = format!("{at}/{name}/NbOfNtries");
                findings.push(Finding::with(Code::SummaryCountDiffers, at, text));
            }
        }
        if let Some(sum) = stated.sum {
            let holds = sum == all.sum || sum == booked.sum;
            tie = tie.and(Tie::of(holds));
            if !holds {
                let text = format!("{} stated, {} listed", sum.text(""), all.sum.text(""));
                let at = format!("{at}/{name}/Sum");
                findings.push(Finding::with(Code::SummarySumDiffers, at, text));
            }
        }
    }
    if let Some(net) = stated.net {
        let of = |sides: Sides| sides.credits.sum.minus(sides.debits.sum);
        let holds = [of(all), of(booked)].into_iter().flatten().any(|sum| sum == net);
        tie = tie.and(Tie::of(holds));
        if !holds {
            let listed = of(all).map_or_else(String::new, |sum| sum.text(""));
            let text = format!("{} stated, {listed} listed", net.text(""));
            let at = format!("{at}/TtlNtries/TtlNetNtry");
            findings.push(Finding::with(Code::SummarySumDiffers, at, text));
        }
    }
    (tie, findings)
}

/// What the details of one entry sum up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DetailsSum {
    pub count: u64,
    /// In the direction of the entry; nothing once one has no amount of the entry's currency.
    pub sum: Option<Sum>,
    pub charges: Sum,
}

/// An entry against its details and its batches.
#[must_use]
pub fn entry(entry: &Entry, details: DetailsSum, at: &str) -> (Tie, Vec<Finding>) {
    let (mut tie, mut findings) = (Tie::NotStated, Vec::new());
    let currency = &entry.amount.currency;
    let own = Sum::signed(entry.amount.value, CreditDebit::Credit);
    if let (1.., Some(sum)) = (details.count, details.sum) {
        let holds = equal_but_charges(own, sum, entry.charges.sum(currency), details.charges);
        tie = Tie::of(holds);
        if !holds {
            let text = format!(
                "the entry is {}, its {} details are {}",
                own.text(currency),
                details.count,
                sum.text(currency)
            );
            findings.push(Finding::with(Code::DetailsSumDiffers, format!("{at}/NtryDtls"), text));
        }
    }
    for batch in &entry.batches {
        let (own, found) = self::batch(batch, currency, at);
        tie = tie.and(own);
        findings.extend(found);
    }
    (tie, findings)
}

/// Charges may be within the entry or within its details, taken off or added, and nobody says which.
fn equal_but_charges(entry: Sum, details: Sum, of_entry: Sum, of_details: Sum) -> bool {
    let both = of_entry.plus(of_details).unwrap_or(of_entry);
    [Sum::ZERO, of_entry, of_details, both].into_iter().any(|charges| {
        details.plus(charges) == Some(entry) || details.minus(charges) == Some(entry)
    })
}

/// A batch that lists nothing is stated alone: servicers may keep its details to themselves.
fn batch(batch: &Batch, currency: &str, at: &str) -> (Tie, Vec<Finding>) {
    let (mut tie, mut findings) = (Tie::NotStated, Vec::new());
    if batch.listed == 0 {
        return (tie, findings);
    }
    if let Some(number) = batch.number_of_transactions {
        let holds = number == batch.listed;
        tie = tie.and(Tie::of(holds));
        if !holds {
            let text = format!("{number} stated, {} listed", batch.listed);
            let at = format!("{at}/NtryDtls/Btch/NbOfTxs");
            findings.push(Finding::with(Code::BatchCountDiffers, at, text));
        }
    }
    if let (Some(total), Some(sum)) = (&batch.total, batch.listed_sum) {
        let own = Sum::signed(total.value, CreditDebit::Credit);
        // A batch in the other direction than its entry is written unsigned too.
        let holds = own == sum || own == sum.negated();
        tie = tie.and(Tie::of(holds));
        if !holds {
            let text = format!("{} stated, {} listed", own.text(currency), sum.text(currency));
            let at = format!("{at}/NtryDtls/Btch/TtlAmt");
            findings.push(Finding::with(Code::BatchSumDiffers, at, text));
        }
    }
    (tie, findings)
}

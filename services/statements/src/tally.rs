//! Counts one statement while its items pass and judges it when it closes, in memory that does not
//! grow with its entries. It must never know another statement.

use std::collections::{BTreeMap, BTreeSet};

use services_iso20022::statement::{
    Balance, Code, CreditDebit, Detail, Entry, EntryStatus, Finding, Head, Item, Kind, Sum, Summary,
};
use sha2::{Digest as _, Sha256};

use crate::{
    judge::{Statement, Totals},
    ties::{self, Arithmetic, DetailsSum, Tie},
};

/// The most balances and currencies kept of one statement.
const BALANCES_MAX: usize = 256;

/// A statement that is being counted.
pub(crate) struct Tally {
    path: String,
    account_currency: Option<String>,
    balances: Vec<Balance>,
    summaries: Vec<Summary>,
    totals: Totals,
    /// Booked entries by currency.
    booked: BTreeMap<String, Sum>,
    details: DetailsSum,
    /// Details that came before their entry, until it says its currency.
    early: BTreeMap<(String, What), Sum>,
    arithmetic: Arithmetic,
    content: Sha256,
}

/// What is summed of details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// With the detail's own direction.
    Amount(Option<CreditDebit>),
    Charges,
}

impl std::fmt::Debug for Tally {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Tally").field("path", &self.path).finish_non_exhaustive()
    }
}

const NO_DETAILS: DetailsSum = DetailsSum { count: 0, sum: Some(Sum::ZERO), charges: Sum::ZERO };

impl Tally {
    pub(crate) fn new(head: &Head) -> Self {
        let mut content = Sha256::new();
        put(&mut content, &[head.kind.as_str(), text(&head.account.id)]);
        put(&mut content, &[text(&head.from), text(&head.to)]);
        Self {
            path: path(head),
            account_currency: head.account.currency.clone(),
            balances: Vec::new(),
            summaries: Vec::new(),
            totals: Totals::default(),
            booked: BTreeMap::new(),
            details: NO_DETAILS,
            early: BTreeMap::new(),
            arithmetic: Arithmetic::default(),
            content,
        }
    }

    /// Counts an item of this statement.
    pub(crate) fn take(&mut self, item: &Item, findings: &mut Vec<Finding>) -> Result<(), Finding> {
        match item {
            Item::Balance(balance) => self.balance(balance)?,
            Item::Summary(summary) if self.summaries.len() < BALANCES_MAX => {
                self.summaries.push(summary.clone());
            }
            Item::Details { details, .. } => self.details(details)?,
            Item::Entry(entry) => self.entry(entry, findings)?,
            Item::Summary(_) | Item::Opened(_) | Item::Finding(_) | Item::Closed(_) => {}
        }
        Ok(())
    }

    fn balance(&mut self, balance: &Balance) -> Result<(), Finding> {
        if self.balances.len() >= BALANCES_MAX {
            return Err(Finding::new(Code::TooLarge, format!("{}/Bal", self.path)));
        }
        let amount = balance.signed().text(&balance.amount.currency);
        let sub_kind = text(&balance.sub_kind);
        put(&mut self.content, &["B", &balance.kind, sub_kind, &amount, &balance.amount.currency]);
        put(&mut self.content, &[text(&balance.date)]);
        self.balances.push(balance.clone());
        Ok(())
    }

    /// Details by themselves are summed by currency; their entry says which one counts.
    fn details(&mut self, details: &[Detail]) -> Result<(), Finding> {
        for detail in details {
            self.details.count += 1;
            let Some(amount) = &detail.amount else {
                self.details.sum = None;
                continue;
            };
            let sum = Sum::signed(amount.value, CreditDebit::Credit);
            let charges = detail.charges.sum(&amount.currency);
            for (what, sum) in [(What::Amount(detail.credit_debit), sum), (What::Charges, charges)]
            {
                if self.early.len() >= BALANCES_MAX {
                    return Err(Finding::new(Code::TooLarge, &self.path));
                }
                let total = self.early.entry((amount.currency.clone(), what)).or_default();
                *total = total.plus(sum).ok_or_else(|| sum_too_large(&self.path))?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Entry, findings: &mut Vec<Finding>) -> Result<(), Finding> {
        let at = || format!("{}/Ntry[{}]", self.path, entry.number);
        let currency = &entry.amount.currency;
        if self.account_currency.as_ref().is_some_and(|own| own != currency) {
            return Err(Finding::new(Code::CurrencyDiffers, at()));
        }
        self.details(&entry.details)?;
        let details = self.settled(entry);
        let at = format!("{}/Ntry[{}]", self.path, entry.number);
        let (tie, found) = ties::entry(entry, details, &at);
        self.arithmetic.details = self.arithmetic.details.and(tie);
        findings.extend(found);
        self.put_entry(entry);

        self.totals.entries += 1;
        self.totals.details += details.count;
        let amount = Sum::signed(entry.amount.value, CreditDebit::Credit);
        let mut fits = self.totals.all.side(entry.credit_debit).add(amount);
        match entry.status {
            EntryStatus::Booked => {
                fits &= self.totals.booked.side(entry.credit_debit).add(amount);
                if !self.booked.contains_key(currency) && self.booked.len() >= BALANCES_MAX {
                    return Err(Finding::new(Code::TooLarge, at));
                }
                let sum = self.booked.entry(currency.clone()).or_default();
                *sum = sum.plus(entry.signed()).ok_or_else(|| sum_too_large(&at))?;
            }
            EntryStatus::Pending => self.totals.pending += 1,
            EntryStatus::Information | EntryStatus::Other(_) => self.totals.other += 1,
        }
        if fits { Ok(()) } else { Err(sum_too_large(&at)) }
    }

    /// What the details of an entry sum up to, now that its currency and direction are known.
    fn settled(&mut self, entry: &Entry) -> DetailsSum {
        let mut details = std::mem::replace(&mut self.details, NO_DETAILS);
        for ((currency, what), sum) in std::mem::take(&mut self.early) {
            match what {
                What::Charges if currency == entry.amount.currency => {
                    details.charges = details.charges.plus(sum).unwrap_or(details.charges);
                }
                What::Charges => {}
                What::Amount(_) if currency != entry.amount.currency => details.sum = None,
                What::Amount(side) => {
                    let against = side == Some(entry.credit_debit.other());
                    let signed = if against { sum.negated() } else { sum };
                    details.sum = details.sum.and_then(|total| total.plus(signed));
                }
            }
        }
        details
    }

    fn put_entry(&mut self, entry: &Entry) {
        let amount = entry.signed().text(&entry.amount.currency);
        let reversal = if entry.reversal { "R" } else { "" };
        let currency = entry.amount.currency.as_str();
        put(&mut self.content, &["E", &amount, currency, entry.status.as_str(), reversal]);
        let (booked, valued) = (text(&entry.booking_date), text(&entry.value_date));
        put(&mut self.content, &[booked, valued, text(&entry.servicer_reference)]);
        put(&mut self.content, &[text(&entry.reference), text(&entry.additional_information)]);
        for detail in &entry.details {
            let references = &detail.references;
            let ids = [&references.uetr, &references.end_to_end_id, &references.instruction_id];
            put(&mut self.content, &ids.map(text));
            put(&mut self.content, &[text(&references.transaction_id)]);
        }
    }

    /// The judgement of the whole.
    pub(crate) fn close(mut self, head: Head, findings: &mut Vec<Finding>) -> Statement {
        let partial = head.page.is_some_and(|page| !page.whole());
        if head.id.is_none() && head.format != "CSV" {
            findings.push(Finding::new(Code::IdMissing, format!("{}/Id", self.path)));
        }
        if matches!(head.copy_duplicate.as_deref(), Some("CODU" | "DUPL")) {
            let at = format!("{}/CpyDplctInd", self.path);
            findings.push(Finding::new(Code::CopyDuplicate, at));
        }
        self.odd_balances(findings);
        self.tie_balances(head.kind, partial, findings);
        // A statement that lists nothing had no entries; others may state totals alone.
        let listing = self.totals.entries > 0 || head.kind == Kind::Statement;
        for summary in &self.summaries {
            let at = format!("{}/TxsSummry", self.path);
            let (all, booked) = (self.totals.all, self.totals.booked);
            let (tie, found) = ties::summary(summary, all, booked, listing && !partial, &at);
            self.arithmetic.summary = self.arithmetic.summary.and(tie);
            findings.extend(found);
        }
        let currency = self.currency();
        let ends = ties::ends(&self.balances, currency.as_deref().unwrap_or_default());
        let (opening, closing) = (ends.opening.cloned(), ends.closing.cloned());
        Statement {
            head,
            currency,
            opening,
            closing,
            balances: self.balances,
            totals: self.totals,
            booked: self.booked,
            arithmetic: self.arithmetic,
            content: hex::encode(self.content.finalize()),
        }
    }

    /// The account's, or that of the first booked balance, or of the entries.
    fn currency(&self) -> Option<String> {
        let balance = self.balances.iter().find(|balance| booked(balance));
        let own = self.account_currency.as_ref().or(balance.map(|one| &one.amount.currency));
        let own = own.or_else(|| self.booked.keys().next());
        own.or(self.balances.first().map(|one| &one.amount.currency)).cloned()
    }

    fn odd_balances(&self, findings: &mut Vec<Finding>) {
        let at = format!("{}/Bal", self.path);
        for (number, balance) in self.balances.iter().enumerate() {
            let currency = &balance.amount.currency;
            if self.account_currency.as_ref().is_some_and(|own| own != currency) {
                let text = format!("{} is in {currency}", balance.kind);
                findings.push(Finding::with(Code::BalanceCurrency, &at, text));
            }
            let former = self.balances.iter().take(number).find(|former| {
                former.kind == balance.kind
                    && former.sub_kind == balance.sub_kind
                    && former.amount.currency == *currency
            });
            let single = matches!(balance.kind.as_str(), "OPBD" | "CLBD" | "PRCD");
            if single && former.is_some_and(|former| former.signed() != balance.signed()) {
                let text = format!("{} in {currency}", balance.kind);
                findings.push(Finding::with(Code::BalanceRepeated, &at, text));
            }
        }
    }

    fn tie_balances(&mut self, kind: Kind, partial: bool, findings: &mut Vec<Finding>) {
        let at = format!("{}/Bal", self.path);
        let balances = self.balances.iter().filter(|balance| booked(balance));
        let mut currencies: BTreeSet<&String> =
            balances.map(|balance| &balance.amount.currency).collect();
        currencies.extend(&self.account_currency);
        currencies.extend(self.booked.keys());
        let nothing = currencies.is_empty() && kind == Kind::Statement && !partial;
        if nothing {
            findings.push(Finding::new(Code::OpeningMissing, &at));
            findings.push(Finding::new(Code::ClosingMissing, &at));
        }
        for currency in currencies {
            let ends = ties::ends(&self.balances, currency);
            let sum = self.booked.get(currency).copied().unwrap_or_default();
            let (tie, words) = ties::balance(ends, sum, kind, partial, currency);
            self.arithmetic.balances = self.arithmetic.balances.and(tie);
            if tie == Tie::Fails {
                let words = words.unwrap_or_else(|| Code::BalanceDiffers.meaning().to_owned());
                findings.push(Finding::with(Code::BalanceDiffers, &at, words));
            }
            let missing = [
                (ends.opening.is_none(), Code::OpeningMissing),
                (ends.closing.is_none(), Code::ClosingMissing),
            ];
            for (_, code) in missing
                .into_iter()
                .filter(|(missing, _)| *missing && kind == Kind::Statement && !partial)
            {
                let text = format!("{} ({currency})", code.meaning());
                findings.push(Finding::with(code, &at, text));
            }
            let of = |kind: &str| {
                let mut own = self.balances.iter();
                own.find(|one| one.kind == kind && one.amount.currency == *currency)
            };
            if let (Some(opening), Some(former)) = (of("OPBD"), of("PRCD"))
                && opening.signed() != former.signed()
            {
                findings.push(Finding::new(Code::OpeningDiffers, &at));
            }
        }
    }
}

/// Whether the balance is one of those that begin or end a period.
fn booked(balance: &Balance) -> bool {
    matches!(balance.kind.as_str(), "OPBD" | "CLBD" | "PRCD" | "ITBD")
}

fn sum_too_large(at: &str) -> Finding {
    Finding::new(Code::SumTooLarge, at)
}

fn text(field: &Option<String>) -> &str {
    field.as_deref().unwrap_or_default()
}

/// Each with its length in front, so that no two rows of fields are alike.
fn put(content: &mut Sha256, fields: &[&str]) {
    for field in fields {
        content.update((field.len() as u64).to_be_bytes());
        content.update(field.as_bytes());
    }
}

/// Where a statement stands in its file.
pub(crate) fn path(head: &Head) -> String {
    let name = match head.kind {
        Kind::Report => "Rpt",
        Kind::Statement => "Stmt",
        Kind::Notification => "Ntfctn",
    };
    format!("{name}[{}]", head.number)
}

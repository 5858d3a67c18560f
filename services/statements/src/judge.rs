//! Judges one file: reads it to its end, counts every statement, and says what comes of it. It must
//! never decide what is done with the findings, nor remember a file.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io::{self, BufRead, BufReader, Read},
};

use services_iso20022::check::Verdict;
use services_iso20022::statement::{Balance, Code, Finding, Head, Item, Kind, Severity, Sum};
use sha2::{Digest as _, Sha256};

use crate::{
    chain::{self, Key, Link},
    csv::ColumnMap,
    source::Items,
    tally::{self, Tally},
    ties::{self, Arithmetic, Ends, Sides, Tie},
};

/// Findings kept of one file; all of them are counted.
pub const FINDINGS_MAX: usize = 1_000;
/// The most statements of one file.
pub const STATEMENTS_MAX: usize = 100_000;

/// What was counted of a statement's entries, whatever their currencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    pub entries: u64,
    pub details: u64,
    pub all: Sides,
    pub booked: Sides,
    /// PDNG.
    pub pending: u64,
    /// INFO and the servicer's own.
    pub other: u64,
}

/// One statement, judged; its entries have passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    pub head: Head,
    /// The account's, or that of its booked balances or entries.
    pub currency: Option<String>,
    pub balances: Vec<Balance>,
    pub opening: Option<Balance>,
    pub closing: Option<Balance>,
    pub totals: Totals,
    /// Booked entries by currency, credits positive.
    pub booked: BTreeMap<String, Sum>,
    pub arithmetic: Arithmetic,
    /// SHA-256 of account, period, balances and entries, hexadecimal.
    pub content: String,
}

impl Statement {
    /// Where it stands in its file, e.g. `Stmt[1]`.
    #[must_use]
    pub fn path(&self) -> String {
        tally::path(&self.head)
    }
}

/// The judgement of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// `camt.053.001.08`, `MT940`, `CSV`; nothing if it is no statement.
    pub format: Option<String>,
    pub verdict: Verdict,
    /// The first [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    pub findings_count: u64,
    pub statements: Vec<Statement>,
    /// SHA-256 of the file, hexadecimal.
    pub digest: String,
}

impl Judged {
    /// Adds findings of the caller, e.g. of [`chain::duplicates`].
    pub fn add(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            self.find(finding);
        }
    }

    fn find(&mut self, finding: Finding) {
        self.findings_count += 1;
        self.verdict = match (self.verdict, finding.severity()) {
            (_, Severity::Refuse) | (Verdict::Refused, _) => Verdict::Refused,
            _ => Verdict::Findings,
        };
        // What refuses is always kept: it says why.
        if self.findings.len() < FINDINGS_MAX || finding.severity() == Severity::Refuse {
            self.findings.push(finding);
        }
    }

    /// Entries of all statements.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.statements.iter().map(|statement| statement.totals.entries).sum()
    }

    /// The arithmetic of all statements.
    #[must_use]
    pub fn arithmetic(&self) -> Arithmetic {
        self.statements.iter().fold(Arithmetic::default(), |all, one| Arithmetic {
            balances: all.balances.and(one.arithmetic.balances),
            summary: all.summary.and(one.arithmetic.summary),
            details: all.details.and(one.arithmetic.details),
        })
    }
}

/// Judges a file, and shows each item as it passes; the memory does not grow with entries.
pub fn judge<R: BufRead>(
    source: R,
    map: Option<&ColumnMap>,
    each: &mut dyn FnMut(&Item),
) -> Judged {
    let mut source = BufReader::new(Digesting { source, digest: Sha256::new() });
    let mut judged = Judged {
        format: None,
        verdict: Verdict::Ok,
        findings: Vec::new(),
        findings_count: 0,
        statements: Vec::new(),
        digest: String::new(),
    };
    match Items::open(&mut source, map) {
        Err(finding) => judged.find(finding),
        Ok(mut items) => {
            if let Err(finding) = File::default().read(&mut items, &mut judged, each) {
                judged.find(finding);
            }
            judged.format = items.format().map(str::to_owned);
            drop(items);
        }
    }
    // The digest is the whole file's, also of one that was not read to its end.
    if let Err(error) = io::copy(&mut source, &mut io::sink()) {
        judged.find(Finding::with(Code::Truncated, "", error.to_string()));
    }
    judged.digest = hex::encode(source.into_inner().digest.finalize());
    judged
}

/// What is remembered between the statements of one file.
#[derive(Default)]
struct File {
    tally: Option<Tally>,
    links: HashMap<(String, String), Link>,
    seen: HashSet<Key>,
    /// The pages read of a statement that is not whole yet.
    pages: Vec<usize>,
}

impl File {
    fn read<R: BufRead>(
        &mut self,
        items: &mut Items<R>,
        judged: &mut Judged,
        each: &mut dyn FnMut(&Item),
    ) -> Result<(), Finding> {
        let mut findings = Vec::new();
        while let Some(item) = items.next_item()? {
            each(&item);
            if let Some(tally) = self.tally.as_mut() {
                let taken = tally.take(&item, &mut findings);
                judged.add(std::mem::take(&mut findings));
                taken?;
            }
            match item {
                Item::Opened(head) => self.tally = Some(Tally::new(&head)),
                Item::Finding(finding) => judged.find(finding),
                Item::Closed(head) => {
                    if judged.statements.len() >= STATEMENTS_MAX {
                        return Err(Finding::new(Code::TooLarge, tally::path(&head)));
                    }
                    let tally = self.tally.take().unwrap_or_else(|| Tally::new(&head));
                    let statement = tally.close(*head, &mut findings);
                    self.connect(&statement, judged, &mut findings);
                    judged.add(std::mem::take(&mut findings));
                    judged.statements.push(statement);
                    self.pages(judged);
                }
                Item::Balance(_) | Item::Summary(_) | Item::Details { .. } | Item::Entry(_) => {}
            }
        }
        self.pages_end(judged);
        Ok(())
    }

    /// The chain of days and the duplicates within one file.
    fn connect(&mut self, statement: &Statement, judged: &Judged, findings: &mut Vec<Finding>) {
        let at = statement.path();
        if chain::identity(statement).is_some_and(|key| !self.seen.insert(key)) {
            findings.push(Finding::new(Code::DuplicateStatement, &at));
        }
        if statement.head.kind != Kind::Statement || judged.verdict == Verdict::Refused {
            return;
        }
        let link = Link::of(statement);
        let key = (link.account.clone(), link.currency.clone());
        if let Some(former) = self.links.insert(key, link.clone()) {
            findings.extend(chain::follows(&former, &link, &at));
        }
    }

    /// Pages are judged together once the last is here.
    fn pages(&mut self, judged: &mut Judged) {
        let at = judged.statements.len() - 1;
        let Some(statement) = judged.statements.get(at) else { return };
        let page = statement.head.page.filter(|page| !page.whole());
        let former = self.pages.last().and_then(|former| judged.statements.get(*former));
        let continues = page.is_some_and(|page| {
            let former = former.filter(|former| group(former) == group(statement));
            let number = former.and_then(|former| former.head.page).map(|former| former.number);
            number.and_then(|number| number.checked_add(1)) == Some(page.number)
        });
        if !continues {
            self.pages_end(judged);
        }
        if let Some(page) = page {
            self.pages.push(at);
            if page.last {
                self.pages_end(judged);
            }
        }
    }

    fn pages_end(&mut self, judged: &mut Judged) {
        let pages = std::mem::take(&mut self.pages);
        let (Some(first), Some(last)) = (pages.first(), pages.last()) else { return };
        let own: Vec<&Statement> =
            pages.iter().filter_map(|at| judged.statements.get(*at)).collect();
        let at = judged.statements.get(*last).map(Statement::path).unwrap_or_default();
        let page = |at: &usize| judged.statements.get(*at).and_then(|one| one.head.page);
        let whole = page(first).is_some_and(|page| page.number <= 1)
            && page(last).is_some_and(|page| page.last);
        if !whole {
            let text = "the statement's other pages are not in this file".to_owned();
            judged.find(Finding::with(Code::PageMissing, at, text));
            return;
        }
        let (tie, words) = together(&own);
        if tie == Tie::Fails {
            judged.find(Finding::with(Code::BalanceDiffers, format!("{at}/Bal"), words));
        }
        if let Some(statement) = judged.statements.get_mut(*last) {
            let balances = &mut statement.arithmetic.balances;
            *balances = balances.and(tie);
        }
    }
}

/// What pages of one statement have in common.
fn group(statement: &Statement) -> (Option<&str>, Option<&str>, Option<u64>) {
    let head = &statement.head;
    // MT940 repeats field 20 on each page or not; the number is what stays.
    let id = head.id.as_deref().filter(|_| head.sequence().is_none());
    (head.account.id.as_deref(), id, head.sequence())
}

/// The first page's opening balance plus all entries against the last page's closing balance.
fn together(pages: &[&Statement]) -> (Tie, String) {
    let (Some(first), Some(last)) = (pages.first(), pages.last()) else {
        return (Tie::NotStated, String::new());
    };
    let currency = first.currency.clone().unwrap_or_default();
    let sums = pages.iter().filter_map(|page| page.booked.get(&currency));
    let Some(booked) = sums.copied().try_fold(Sum::ZERO, Sum::plus) else {
        return (Tie::Fails, Code::SumTooLarge.meaning().to_owned());
    };
    let ends =
        Ends { opening: first.opening.as_ref(), closing: last.closing.as_ref(), interim: false };
    let (tie, words) = ties::balance(ends, booked, first.head.kind, false, &currency);
    (tie, words.unwrap_or_default())
}

/// A source that is digested as it is read.
struct Digesting<R> {
    source: R,
    digest: Sha256,
}

impl<R: Read> Read for Digesting<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(into)?;
        self.digest.update(into.get(..read).unwrap_or_default());
        Ok(read)
    }
}

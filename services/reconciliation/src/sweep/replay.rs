//! The books made again from the stored records, beside the rows that are stored: one pass, and in memory only what a later record still changes.
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use ledger_types::{AccountId, ParticipantId};

use super::{FINDINGS_MAX, Finding, table::Table};
use crate::{
    book::{Book, Delta, Error, Posting, Subject, SubjectKind, Transfer},
    record::{Content, Record},
};

mod small;

/// What is stored of one subject.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// Its row of `ledger.transfers`, if it is a transfer.
    pub transfer: Option<Transfer>,
    /// Its rows of `ledger.postings`, by sequence and leg.
    pub postings: Vec<Posting>,
}

impl Rows {
    /// After which record no other changes the rows, as they say themselves; `None` when they do
    /// not say: pending ones, and transfers of which something was returned.
    fn settled_by(&self) -> Option<u64> {
        let mut last = 0;
        if let Some(transfer) = &self.transfer {
            if transfer.decided_sequence == 0 || transfer.returned > 0 {
                return None;
            }
            last = transfer.decided_sequence.max(transfer.confirmed_sequence);
        }
        for posting in &self.postings {
            if posting.decided_sequence == 0 {
                return None;
            }
            last = last.max(posting.decided_sequence);
        }
        Some(last)
    }
}

/// What is stored for the records of one stretch.
#[derive(Debug, Default)]
pub struct Stretch {
    /// The records, in order.
    pub records: Vec<Record>,
    /// Rows whose first record is one of them.
    pub rows: HashMap<Subject, Rows>,
    /// The entries that end among them.
    pub entries: Option<Table>,
    /// Rows that could not be read.
    pub findings: Vec<Finding>,
}

/// What a replay knows at one record.
#[derive(Debug, Default)]
pub struct Replay {
    book: Book,
    stored: HashMap<Subject, Rows>,
    participants: BTreeMap<ParticipantId, Vec<String>>,
    caps: BTreeMap<AccountId, u64>,
    balances: BTreeMap<AccountId, Delta>,
    /// Subjects that were found already.
    known: HashSet<Subject>,
    findings: Vec<Finding>,
}

impl Replay {
    /// Replays a stretch and compares every row that nothing changes any more.
    pub fn take(&mut self, stretch: Stretch) {
        self.findings.extend(stretch.findings);
        if let Some(stored) = &stretch.entries {
            small::entries(&stretch.records).differences(stored, &mut self.findings);
        }
        let begun: Vec<Subject> = stretch.rows.keys().cloned().collect();
        for (subject, rows) in stretch.rows {
            if self.stored.contains_key(&subject) {
                self.find(&subject, "", "has rows of two beginnings");
            }
            self.stored.insert(subject, rows);
        }
        for record in &stretch.records {
            self.apply(record);
        }
        for subject in begun {
            let made = self.book.transfers.contains_key(&subject)
                || self.book.postings.contains_key(&subject);
            let Some(rows) = self.stored.get(&subject).filter(|_| !made) else { continue };
            let posting = rows.postings.first().filter(|_| rows.transfer.is_none());
            let (posting, what) = (posting.map(|row| row.sequence), "follows from no record");
            self.stored.remove(&subject);
            match posting.map(|sequence| sequence.to_string()) {
                Some(key) => self.push(Finding { table: "postings", key, column: "", what }),
                None => self.find(&subject, "", what),
            }
        }
        self.findings.truncate(FINDINGS_MAX);
    }

    /// Ends the replay: what is still open is compared as it stands, and the small tables whole.
    #[must_use]
    pub fn finish(mut self, stored: &[Table]) -> Vec<Finding> {
        let open: BTreeSet<Subject> =
            self.book.transfers.keys().chain(self.book.postings.keys()).cloned().collect();
        for subject in open {
            self.compare(&subject);
        }
        for table in self.small() {
            match stored.iter().find(|row| row.name == table.name) {
                Some(stored) => table.differences(stored, &mut self.findings),
                None => self.findings.push(Finding {
                    table: table.name,
                    key: String::new(),
                    column: "",
                    what: "was not read",
                }),
            }
        }
        self.findings.truncate(FINDINGS_MAX);
        self.findings
    }

    /// How many subjects are held in memory.
    #[must_use]
    pub fn held(&self) -> usize {
        self.stored.len()
    }

    fn apply(&mut self, record: &Record) {
        if let Err(error) = self.book.apply(record) {
            self.refused(record, error);
        }
        let changes = &mut self.book.changes;
        let touched = std::mem::take(&mut changes.subjects);
        for (account, delta) in std::mem::take(&mut changes.balances) {
            let sum = self.balances.entry(account).or_default();
            sum.debits_pending += delta.debits_pending;
            sum.debits_posted += delta.debits_posted;
            sum.credits_pending += delta.credits_pending;
            sum.credits_posted += delta.credits_posted;
        }
        self.take_participants();
        for subject in touched {
            let rows = self.stored.get(&subject);
            let settled = rows.map_or(Some(0), Rows::settled_by);
            if settled.is_some_and(|last| last <= record.sequence) {
                self.compare(&subject);
            }
        }
    }

    /// A record about a transfer whose row says that nothing changed it so late.
    fn refused(&mut self, record: &Record, error: Error) {
        let subject = match (&record.content, error) {
            (Content::Outcome { .. }, Error::TransferUnknown { .. }) => {
                Book::subjects(std::slice::from_ref(record)).into_iter().find(|subject| {
                    subject.kind == SubjectKind::Transfer
                        && !self.book.transfers.contains_key(subject)
                })
            }
            (_, _) => None,
        };
        match subject {
            Some(subject) => self.find(&subject, "", "lacks what a later record did"),
            None => self.push(Finding {
                table: "records",
                key: record.sequence.to_string(),
                column: "",
                what: "contradicts the records before it",
            }),
        }
    }

    /// Compares what is stored of a subject, and lets go of it.
    fn compare(&mut self, subject: &Subject) {
        let transfer = self.book.transfers.remove(subject);
        let postings = self.book.postings.remove(subject).unwrap_or_default();
        let stored = self.stored.remove(subject).unwrap_or_default();
        match (&transfer, &stored.transfer) {
            (Some(made), Some(stored)) => {
                for column in transfer_columns(made, stored) {
                    self.find(subject, column, "differs from what the records make");
                }
            }
            (Some(_), None) => self.find(subject, "", "is missing"),
            (None, Some(_)) => self.find(subject, "", "follows from no record"),
            (None, None) => {}
        }
        if postings.len() != stored.postings.len() {
            let what = "has other legs than its record";
            let sequence =
                postings.first().or(stored.postings.first()).map_or(0, |row| row.sequence);
            self.push(Finding { table: "postings", key: sequence.to_string(), column: "", what });
            return;
        }
        for (made, stored) in postings.iter().zip(&stored.postings) {
            for column in posting_columns(made, stored) {
                let key = format!("{} leg {}", made.sequence, made.leg);
                let what = "differs from what the records make";
                self.push(Finding { table: "postings", key, column, what });
            }
        }
    }

    fn find(&mut self, subject: &Subject, column: &'static str, what: &'static str) {
        // One row that is wrong makes several records complain.
        if !self.known.insert(subject.clone()) && column.is_empty() {
            return;
        }
        let id: String = subject.id.iter().map(|byte| format!("{byte:02x}")).collect();
        let table = if subject.kind == SubjectKind::Transfer { "transfers" } else { "postings" };
        let key = format!("{} {id}", subject.owner.0);
        self.push(Finding { table, key, column, what });
    }

    fn push(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }
}

fn transfer_columns(made: &Transfer, stored: &Transfer) -> Vec<&'static str> {
    let differ = [
        ("creditor_agent", made.creditor_agent != stored.creditor_agent),
        ("corridor", made.corridor != stored.corridor),
        ("state", made.state != stored.state),
        ("rejection", made.rejection != stored.rejection),
        ("reason", made.reason != stored.reason),
        ("amount", made.amount != stored.amount),
        ("currency", made.currency != stored.currency),
        ("returned", made.returned != stored.returned),
        ("deadline_micros", made.deadline != stored.deadline),
        ("held_until_micros", made.held_until != stored.held_until),
        ("submit_sequence", made.submit_sequence != stored.submit_sequence),
        ("submitted_micros", made.submitted_at != stored.submitted_at),
        ("decided_sequence", made.decided_sequence != stored.decided_sequence),
        ("decided_micros", made.decided_at != stored.decided_at),
        ("confirmed_sequence", made.confirmed_sequence != stored.confirmed_sequence),
        ("confirmed_micros", made.confirmed_at != stored.confirmed_at),
        ("confirmation", made.confirmation != stored.confirmation),
    ];
    differ.into_iter().filter(|(_, differs)| *differs).map(|(column, _)| column).collect()
}

fn posting_columns(made: &Posting, stored: &Posting) -> Vec<&'static str> {
    let differ = [
        ("sequence", made.sequence != stored.sequence),
        ("leg", made.leg != stored.leg),
        ("kind", made.kind != stored.kind),
        ("debit_account", made.debit_account != stored.debit_account),
        ("credit_account", made.credit_account != stored.credit_account),
        ("currency", made.currency != stored.currency),
        ("amount", made.amount != stored.amount),
        ("state", made.state != stored.state),
        ("decided_sequence", made.decided_sequence != stored.decided_sequence),
    ];
    differ.into_iter().filter(|(_, differs)| *differs).map(|(column, _)| column).collect()
}

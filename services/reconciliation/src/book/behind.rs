//! A book that begins behind others whose batches are not in the tables yet: what it takes from them, and what of theirs it needs there.
use std::collections::BTreeSet;

use super::{Book, Subject};

impl Book {
    /// A book with what the others, the newest first, have of the subjects; and the subjects that
    /// they do not know, which are as the tables have them.
    #[must_use]
    pub fn behind<'a, 's>(
        open: impl Iterator<Item = &'a Self> + Clone,
        subjects: &'s BTreeSet<Subject>,
    ) -> (Self, Vec<&'s Subject>) {
        let mut book = Self::default();
        if let Some(newest) = open.clone().next() {
            book.custody.clone_from(&newest.custody);
        }
        let mut unknown = Vec::new();
        for subject in subjects {
            match open.clone().find(|open| open.knows(subject)) {
                Some(open) => book.take(subject, open),
                None => unknown.push(subject),
            }
        }
        (book, unknown)
    }

    /// A book has all of a subject or nothing.
    fn knows(&self, subject: &Subject) -> bool {
        self.transfers.contains_key(subject) || self.postings.contains_key(subject)
    }

    fn take(&mut self, subject: &Subject, open: &Self) {
        if let Some(transfer) = open.transfers.get(subject) {
            self.transfers.insert(subject.clone(), transfer.clone());
        }
        if let Some(postings) = open.postings.get(subject) {
            self.postings.insert(subject.clone(), postings.clone());
        }
    }

    /// Whether its rows cannot be added before the other's: they name accounts that the other opens.
    #[must_use]
    pub fn needs(&self, other: &Self) -> bool {
        let opened = &other.changes.accounts;
        if opened.is_empty() {
            return false;
        }
        let postings = self.postings.values().flatten();
        let named = postings.flat_map(|posting| [&posting.debit_account, &posting.credit_account]);
        self.changes.accounts.keys().chain(named).any(|account| opened.contains_key(account))
    }
}

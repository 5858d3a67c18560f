//! One batch on its way into the tables: booked, then written in stages. When it comes to which is not its business.
use std::collections::BTreeSet;

use services_runtime::faults::crash_point;
use sqlx::PgConnection;

use super::{Cursor, Error, load, rows, save};
use crate::{
    book::{Book, Subject},
    record::Record,
};

/// Records with what can be made of them without a database, so that it is made while the batch
/// before is still written.
#[derive(Clone, Debug)]
pub struct Batch {
    records: Vec<Record>,
    subjects: BTreeSet<Subject>,
    rows: Vec<Vec<u8>>,
}

impl Batch {
    /// Encodes the records.
    #[must_use]
    pub fn new(records: Vec<Record>) -> Self {
        Self { subjects: Book::subjects(&records), rows: rows::records(&records), records }
    }

    /// What was encoded.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The records must be the next ones, without a gap.
    fn follows(&self, next: u64) -> Result<(), Error> {
        for (expected, record) in (next..).zip(&self.records) {
            if record.sequence != expected {
                return Err(Error::Gap { expected, found: record.sequence });
            }
        }
        Ok(())
    }
}

/// In what order a batch is written. A batch comes to a stage when the one before it has left it: rows
/// go into each table in the order of their records, and most indexes grow at their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// The records, and what is rarely made: entries, currencies, accounts.
    Records,
    /// New transfers.
    Transfers,
    /// New postings, which name accounts: those must be in the tables, or of this batch.
    Postings,
    /// Rows of batches before it are changed, which must be in the tables; all but the cursor.
    Changes,
}

impl Stage {
    pub(super) const ALL: [Self; 4] =
        [Self::Records, Self::Transfers, Self::Postings, Self::Changes];
}

/// What a batch makes of the tables.
#[derive(Debug)]
pub(super) struct Booked {
    /// Where the tables are before it.
    pub(super) from: Cursor,
    /// Where they are once it is written.
    pub(super) to: Cursor,
    pub(super) book: Book,
}

impl Booked {
    /// Books a batch behind others, the newest first, that are not in the tables yet.
    pub(super) async fn new<'a>(
        connection: &mut PgConnection,
        from: Cursor,
        batch: &Batch,
        open: impl Iterator<Item = &'a Book> + Clone,
    ) -> Result<Self, Error> {
        batch.follows(from.next_sequence)?;
        let (mut book, missing) = Book::behind(open, &batch.subjects);
        if book.custody.is_empty() {
            book.custody = load::custody(connection).await?;
        }
        load::rows(connection, &missing, &mut book).await?;
        crash_point("batch-loaded");
        let mut to = from.clone();
        for record in &batch.records {
            book.apply(record).map_err(Error::Book)?;
            to.frontier.push(record.leaf);
        }
        to.next_sequence = to.frontier.size();
        to.network = book.changes.network.or(to.network);
        Ok(Self { from, to, book })
    }

    /// Writes one stage's rows.
    pub(super) async fn write(
        &self,
        stage: Stage,
        connection: &mut PgConnection,
        batch: &Batch,
    ) -> Result<(), Error> {
        let (book, first) = (&self.book, self.from.next_sequence);
        match stage {
            Stage::Records => {
                save::records(connection, &batch.rows).await?;
                crash_point("batch-records");
                save::entries(connection, &batch.records).await?;
                save::accounts(connection, book).await
            }
            Stage::Transfers => save::new_transfers(connection, book, first).await,
            Stage::Postings => save::new_postings(connection, book, first).await,
            Stage::Changes => {
                save::changes(connection, book, first).await?;
                crash_point("batch-changes");
                Ok(())
            }
        }
    }
}

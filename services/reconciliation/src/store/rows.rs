//! What becomes of records as bytes for Postgres, so that they are made before the SQL transaction begins; it talks to nobody.
use super::{copy::Rows, signed};
use crate::{
    book::{Posting, Subject, Transfer},
    record::Record,
};

/// The rows of `ledger.records`.
pub(super) fn records(records: &[Record]) -> Vec<Vec<u8>> {
    let mut rows = Rows::new(11);
    for record in records {
        rows.row()
            .big(signed(record.sequence))
            .small(i16::from(record.kind.code()))
            .big(signed(record.at.micros()));
        for part in &record.parts {
            rows.bytes_or_null((!part.is_empty()).then_some(part));
        }
        rows.bytes(&record.salts).bytes_or_null(record.item.as_deref());
    }
    rows.finish()
}

/// The rows of `ledger.transfers`.
pub(super) fn transfers(transfers: &[(&Subject, &Transfer)]) -> Vec<Vec<u8>> {
    let mut rows = Rows::new(19);
    for (subject, row) in transfers {
        rows.row()
            .big(subject.owner.0.into())
            .bytes(&subject.id)
            .big(row.creditor_agent.0.into())
            .big(row.corridor.0.into())
            .small(row.state.code().into())
            .integer(row.rejection.into())
            .text(row.reason.as_str())
            .numeric(row.amount)
            .text(row.currency.as_str())
            .numeric(row.returned)
            .numeric(row.deadline.micros())
            .numeric(row.held_until.micros())
            .big(signed(row.submit_sequence))
            .big(signed(row.submitted_at.micros()))
            .big(signed(row.decided_sequence))
            .big(signed(row.decided_at.micros()))
            .big(signed(row.confirmed_sequence))
            .big(signed(row.confirmed_at.micros()))
            .text(confirmation(row));
    }
    rows.finish()
}

/// The last confirmation's word; empty before one.
pub(super) fn confirmation(row: &Transfer) -> &'static str {
    row.confirmation.map_or("", |status| status.as_str())
}

/// The rows of `ledger.postings`.
pub(super) fn postings(postings: &[(&Subject, &Posting)]) -> Vec<Vec<u8>> {
    let mut rows = Rows::new(12);
    for (subject, row) in postings {
        rows.row()
            .big(signed(row.sequence))
            .small(row.leg)
            .small(subject.kind.code())
            .big(subject.owner.0.into())
            .bytes(&subject.id)
            .small(row.kind)
            .numeric(row.debit_account.0)
            .numeric(row.credit_account.0)
            .text(row.currency.as_str())
            .numeric(row.amount)
            .text(row.state.as_str())
            .big(signed(row.decided_sequence));
    }
    rows.finish()
}

//! Reads the rows that a batch may touch into a book, inside the batch's SQL transaction.
use std::collections::BTreeMap;

use ledger_types::{
    AccountId, ConfirmationStatus, CorridorId, Currency, ParticipantId, Timestamp, TransferState,
};
use sqlx::{PgConnection, postgres::PgRow};

use super::{Error, column, parsed, signed, unsigned};
use crate::book::{Book, Posting, PostingState, Subject, SubjectKind, Transfer};

/// The custody account of each currency.
pub(super) async fn custody(
    connection: &mut PgConnection,
) -> Result<BTreeMap<Currency, AccountId>, Error> {
    let rows = sqlx::query("SELECT currency, custody_account::text FROM ledger.currencies")
        .fetch_all(connection)
        .await
        .map_err(Error::statement("read custody accounts"))?;
    let account = |row| Ok((parsed(row, "currency")?, AccountId(parsed(row, "custody_account")?)));
    rows.iter().map(account).collect()
}

/// The transfers and postings of the subjects.
pub(super) async fn rows(
    connection: &mut PgConnection,
    subjects: &[&Subject],
    book: &mut Book,
) -> Result<(), Error> {
    if subjects.is_empty() {
        return Ok(());
    }
    let transfers = transfers(connection, subjects).await?;
    // A transfer's legs bear its submit's number; what is no transfer is rare, and found by name.
    let submits = transfers.iter().map(|(_, row)| signed(row.submit_sequence)).collect();
    for (subject, posting) in postings(connection, subjects, submits).await? {
        book.postings.entry(subject).or_default().push(posting);
    }
    book.transfers.extend(transfers);
    Ok(())
}

async fn transfers(
    connection: &mut PgConnection,
    subjects: &[&Subject],
) -> Result<Vec<(Subject, Transfer)>, Error> {
    let wanted = || subjects.iter().filter(|subject| subject.kind == SubjectKind::Transfer);
    let owners: Vec<i64> = wanted().map(|subject| i64::from(subject.owner.0)).collect();
    let ids: Vec<&[u8]> = wanted().map(|subject| subject.id.as_slice()).collect();
    // The UETR is to find them: an index by debtor agent could be taken for as good while there are few.
    let rows = sqlx::query(
        "SELECT t.debtor_agent, t.uetr, t.creditor_agent, t.corridor, t.state::bigint AS state,
                t.rejection::bigint AS rejection, t.reason, t.amount::text, t.currency,
                t.returned::text, t.deadline_micros::text, t.held_until_micros::text,
                t.submit_sequence, t.submitted_micros, t.decided_sequence, t.decided_micros,
                t.confirmed_sequence, t.confirmed_micros, t.confirmation
         FROM ledger.transfers t
         JOIN UNNEST($1::bigint[], $2::bytea[]) AS wanted (owner, id)
           ON t.uetr = wanted.id AND t.debtor_agent IS NOT DISTINCT FROM wanted.owner",
    )
    .bind(owners)
    .bind(ids)
    .fetch_all(connection)
    .await
    .map_err(Error::statement("read transfers"))?;
    let named = |row| {
        let owner = ParticipantId(unsigned(row, "debtor_agent")?);
        let id = column(row, "uetr")?;
        Ok((Subject { kind: SubjectKind::Transfer, owner, id }, transfer(row)?))
    };
    rows.iter().map(named).collect()
}

fn transfer(row: &PgRow) -> Result<Transfer, Error> {
    let micros = |name| parsed(row, name).map(Timestamp::from_micros);
    let at = |name| unsigned(row, name).map(Timestamp::from_micros);
    let state: u8 = unsigned(row, "state")?;
    let confirmation: String = column(row, "confirmation")?;
    Ok(Transfer {
        creditor_agent: ParticipantId(unsigned(row, "creditor_agent")?),
        corridor: CorridorId(unsigned(row, "corridor")?),
        state: TransferState::from_code(state).ok_or(Error::Unreadable { column: "state" })?,
        rejection: unsigned(row, "rejection")?,
        reason: parsed(row, "reason")?,
        amount: parsed(row, "amount")?,
        currency: parsed(row, "currency")?,
        returned: parsed(row, "returned")?,
        deadline: micros("deadline_micros")?,
        held_until: micros("held_until_micros")?,
        submit_sequence: unsigned(row, "submit_sequence")?,
        submitted_at: at("submitted_micros")?,
        decided_sequence: unsigned(row, "decided_sequence")?,
        decided_at: at("decided_micros")?,
        confirmed_sequence: unsigned(row, "confirmed_sequence")?,
        confirmed_at: at("confirmed_micros")?,
        confirmation: ConfirmationStatus::ALL
            .into_iter()
            .find(|status| status.as_str() == confirmation),
    })
}

async fn postings(
    connection: &mut PgConnection,
    subjects: &[&Subject],
    submits: Vec<i64>,
) -> Result<Vec<(Subject, Posting)>, Error> {
    let others = || subjects.iter().filter(|subject| subject.kind != SubjectKind::Transfer);
    let kinds: Vec<i16> = others().map(|subject| subject.kind.code()).collect();
    let owners: Vec<i64> = others().map(|subject| i64::from(subject.owner.0)).collect();
    let ids: Vec<&[u8]> = others().map(|subject| subject.id.as_slice()).collect();
    let rows = sqlx::query(
        "SELECT p.sequence, p.leg, p.subject_kind, p.subject_owner, p.subject, p.kind,
                p.debit_account::text, p.credit_account::text, p.currency, p.amount::text,
                p.state, p.decided_sequence
         FROM ledger.postings p JOIN UNNEST($1::bigint[]) AS wanted (sequence) USING (sequence)
         UNION ALL
         SELECT p.sequence, p.leg, p.subject_kind, p.subject_owner, p.subject, p.kind,
                p.debit_account::text, p.credit_account::text, p.currency, p.amount::text,
                p.state, p.decided_sequence
         FROM ledger.postings p
         JOIN UNNEST($2::smallint[], $3::bigint[], $4::bytea[]) AS wanted (kind, owner, id)
           ON p.subject_kind = wanted.kind AND p.subject_owner = wanted.owner
          AND p.subject = wanted.id
         WHERE p.subject_kind <> 1
         ORDER BY sequence, leg",
    )
    .bind(submits)
    .bind(kinds)
    .bind(owners)
    .bind(ids)
    .fetch_all(connection)
    .await
    .map_err(Error::statement("read postings"))?;
    let named = |row| {
        let kind = SubjectKind::from_code(column(row, "subject_kind")?)
            .ok_or(Error::Unreadable { column: "subject_kind" })?;
        let owner = ParticipantId(unsigned(row, "subject_owner")?);
        Ok((Subject { kind, owner, id: column(row, "subject")? }, posting(row)?))
    };
    rows.iter().map(named).collect()
}

fn posting(row: &PgRow) -> Result<Posting, Error> {
    let state: String = column(row, "state")?;
    Ok(Posting {
        sequence: unsigned(row, "sequence")?,
        leg: column(row, "leg")?,
        kind: column(row, "kind")?,
        debit_account: AccountId(parsed(row, "debit_account")?),
        credit_account: AccountId(parsed(row, "credit_account")?),
        currency: parsed(row, "currency")?,
        amount: parsed(row, "amount")?,
        state: [PostingState::Pending, PostingState::Posted, PostingState::Released]
            .into_iter()
            .find(|known| known.as_str() == state)
            .ok_or(Error::Unreadable { column: "state" })?,
        decided_sequence: unsigned(row, "decided_sequence")?,
    })
}

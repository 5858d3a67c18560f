//! Writes a batch's rows, several at a time, inside the batch's SQL transaction.
use std::collections::HashSet;

use ledger_proof::{codec::Field, record::EntryRecord};
use ledger_types::{AccountId, Timestamp};
use sqlx::PgConnection;

use super::{Cursor, Error, copy::Numeric, rows, signed};
use crate::{
    book::{Book, Delta, Posting, PostingState, Subject, Transfer},
    record::{Content, Record},
};

/// Appends the records, as [`rows::records`] encoded them.
pub(super) async fn records(connection: &mut PgConnection, rows: &[Vec<u8>]) -> Result<(), Error> {
    let statement = "COPY ledger.records (sequence, kind, at_micros, shared, debtor, creditor,
        liquidity_1, liquidity_2, operator, salts, item) FROM STDIN (FORMAT binary)";
    copy(connection, statement, rows, "append records").await
}

async fn copy(
    connection: &mut PgConnection,
    statement: &'static str,
    rows: &[Vec<u8>],
    name: &'static str,
) -> Result<(), Error> {
    let failed = || Error::statement(name);
    let mut copy = connection.copy_in_raw(statement).await.map_err(failed())?;
    for piece in rows {
        copy.send(piece.as_slice()).await.map_err(failed())?;
    }
    copy.finish().await.map_err(failed())?;
    Ok(())
}

/// Adds the entries that ended in the batch.
pub(super) async fn entries(
    connection: &mut PgConnection,
    records: &[Record],
) -> Result<(), Error> {
    let ended = records.iter().filter_map(|record| match &record.content {
        Content::Entry(entry) => Some((record.at, entry)),
        Content::Genesis(_) | Content::Outcome { .. } | Content::EnvelopeRefusal => None,
    });
    let entries: Vec<(Timestamp, &EntryRecord)> = ended.collect();
    let numbers = |field: fn(&EntryRecord) -> u64| -> Vec<i64> {
        entries.iter().map(|(_, entry)| signed(field(entry))).collect()
    };
    sqlx::query(
        "INSERT INTO ledger.entries (entry, first_sequence, last_sequence, at_micros,
                                     accounts_digest)
         SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[],
                              $5::bytea[])",
    )
    .bind(numbers(|entry| entry.entry))
    .bind(numbers(|entry| entry.first_sequence))
    .bind(numbers(|entry| entry.last_sequence))
    .bind(entries.iter().map(|(at, _)| signed(at.micros())).collect::<Vec<_>>())
    .bind(entries.iter().map(|(_, entry)| entry.accounts_digest.as_slice()).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map_err(Error::statement("add entries"))?;
    Ok(())
}

/// Changes rows of other batches, and rows that may be another's.
pub(super) async fn changes(
    connection: &mut PgConnection,
    book: &Book,
    first: u64,
) -> Result<(), Error> {
    participants(connection, book).await?;
    caps(connection, book).await?;
    change_transfers(connection, book, first).await?;
    change_postings(connection, book, first).await?;
    super::recalls::save(connection, &book.changes).await?;
    balances(connection, book, first).await
}

/// Moves the cursor; the row is locked and the epoch checked.
pub(super) async fn cursor(connection: &mut PgConnection, cursor: &Cursor) -> Result<(), Error> {
    sqlx::query("UPDATE ledger.cursor SET next_sequence = $1, frontier = $2, network = $3")
        .bind(signed(cursor.next_sequence))
        .bind(cursor.frontier.to_bytes())
        .bind(cursor.network.map(|network| network.to_vec()).unwrap_or_default())
        .execute(connection)
        .await
        .map_err(Error::statement("move cursor"))?;
    Ok(())
}

async fn currencies(connection: &mut PgConnection, book: &Book) -> Result<(), Error> {
    let Some(genesis) = &book.changes.genesis else { return Ok(()) };
    for row in &genesis.currencies {
        sqlx::query(
            "INSERT INTO ledger.currencies (currency, exponent, custodian, custody_account)
             VALUES ($1, $2, $3, $4::text::numeric)",
        )
        .bind(row.currency.as_str())
        .bind(i16::from(row.exponent))
        .bind(i64::from(row.custodian.0))
        .bind(row.custody_account.to_string())
        .execute(&mut *connection)
        .await
        .map_err(Error::statement("add currency"))?;
    }
    Ok(())
}

/// Admissions are rare, so one statement each keeps the last one of a participant.
async fn participants(connection: &mut PgConnection, book: &Book) -> Result<(), Error> {
    for admitted in &book.changes.participants {
        sqlx::query(
            "INSERT INTO ledger.participants (participant, country, bic, lei, clearing_member,
                                              name)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (participant) DO UPDATE SET
                 country = excluded.country, bic = excluded.bic, lei = excluded.lei,
                 clearing_member = excluded.clearing_member, name = excluded.name",
        )
        .bind(i64::from(admitted.participant.0))
        .bind(admitted.country.to_string())
        .bind(admitted.bic.as_str())
        .bind(admitted.lei.as_str())
        .bind(admitted.clearing_member.as_str())
        .bind(admitted.name.as_str())
        .execute(&mut *connection)
        .await
        .map_err(Error::statement("add participant"))?;
    }
    for (participant, suspended) in &book.changes.suspensions {
        sqlx::query("UPDATE ledger.participants SET suspended = $2 WHERE participant = $1")
            .bind(i64::from(participant.0))
            .bind(suspended)
            .execute(&mut *connection)
            .await
            .map_err(Error::statement("suspend participant"))?;
    }
    Ok(())
}

/// Adds the accounts that the batch opens, and the currencies of a founding.
pub(super) async fn accounts(connection: &mut PgConnection, book: &Book) -> Result<(), Error> {
    currencies(connection, book).await?;
    let opened = &book.changes.accounts;
    if !opened.is_empty() {
        sqlx::query(
            "WITH opened AS (
                 INSERT INTO ledger.accounts (account, owner, currency, custody,
                                              standing_acceptance)
                 SELECT account::numeric, owner, currency, custody, standing_acceptance
                 FROM UNNEST($1::text[], $2::bigint[], $3::text[], $4::boolean[], $5::boolean[])
                     AS opened (account, owner, currency, custody, standing_acceptance)
                 ON CONFLICT (account) DO NOTHING
                 RETURNING account)
             INSERT INTO ledger.balances (account) SELECT account FROM opened",
        )
        .bind(opened.keys().map(AccountId::to_string).collect::<Vec<_>>())
        .bind(opened.values().map(|row| i64::from(row.owner.0)).collect::<Vec<_>>())
        .bind(opened.values().map(|row| row.currency.to_string()).collect::<Vec<_>>())
        .bind(opened.values().map(|row| row.custody).collect::<Vec<_>>())
        .bind(opened.values().map(|row| row.standing_acceptance).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await
        .map_err(Error::statement("open accounts"))?;
    }
    Ok(())
}

async fn caps(connection: &mut PgConnection, book: &Book) -> Result<(), Error> {
    let caps = &book.changes.caps;
    if !caps.is_empty() {
        sqlx::query(
            "UPDATE ledger.accounts a SET net_debit_cap = cap::numeric
             FROM UNNEST($1::text[], $2::text[]) AS caps (account, cap)
             WHERE a.account = caps.account::numeric",
        )
        .bind(caps.keys().map(AccountId::to_string).collect::<Vec<_>>())
        .bind(caps.values().map(u64::to_string).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await
        .map_err(Error::statement("set caps"))?;
    }
    Ok(())
}

/// Adds the transfers that the batch's records submitted.
pub(super) async fn new_transfers(
    connection: &mut PgConnection,
    book: &Book,
    first: u64,
) -> Result<(), Error> {
    let made = book.transfers.iter().filter(|(_, row)| row.submit_sequence >= first);
    let mut new: Vec<_> = made.collect();
    if new.is_empty() {
        return Ok(());
    }
    // In the order of the submits, in which most indexes grow at their end.
    new.sort_unstable_by_key(|(_, row)| row.submit_sequence);
    let statement = "COPY ledger.transfers (debtor_agent, uetr, creditor_agent, corridor,
        state, rejection, reason, amount, currency, returned, deadline_micros,
        held_until_micros, submit_sequence, submitted_micros, decided_sequence,
        decided_micros, confirmed_sequence, confirmed_micros, confirmation)
        FROM STDIN (FORMAT binary)";
    copy(connection, statement, &rows::transfers(&new), "add transfers").await
}

async fn change_transfers(
    connection: &mut PgConnection,
    book: &Book,
    first: u64,
) -> Result<(), Error> {
    let older = book.transfers.iter().filter(|(_, row)| row.submit_sequence < first);
    let mut rows: Vec<_> = older.collect();
    if rows.is_empty() {
        return Ok(());
    }
    let touched: HashSet<&Subject> = book.changes.subjects.iter().collect();
    rows.retain(|(subject, _)| touched.contains(subject));
    let numbers = |field: fn(&Transfer) -> u64| -> Vec<i64> {
        rows.iter().map(|(_, row)| signed(field(row))).collect()
    };
    let amounts = |field: fn(&Transfer) -> u64| -> Vec<Numeric> {
        rows.iter().map(|(_, row)| Numeric(field(row).into())).collect()
    };
    sqlx::query(
        "UPDATE ledger.transfers t SET
             state = row.state, reason = row.reason, returned = row.returned,
             held_until_micros = row.held_until, decided_sequence = row.decided_sequence,
             decided_micros = row.decided, confirmed_sequence = row.confirmed_sequence,
             confirmed_micros = row.confirmed, confirmation = row.confirmation
         FROM UNNEST($1::bigint[], $2::bytea[], $3::bigint[], $4::text[], $5::numeric[],
             $6::numeric[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::text[])
             AS row (debtor_agent, uetr, state, reason, returned, held_until, decided_sequence,
                 decided, confirmed_sequence, confirmed, confirmation)
         WHERE t.uetr = row.uetr AND t.debtor_agent IS NOT DISTINCT FROM row.debtor_agent",
    )
    .bind(rows.iter().map(|(subject, _)| i64::from(subject.owner.0)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(subject, _)| subject.id.as_slice()).collect::<Vec<_>>())
    .bind(numbers(|row| row.state.code().into()))
    .bind(rows.iter().map(|(_, row)| row.reason.to_string()).collect::<Vec<_>>())
    .bind(amounts(|row| row.returned))
    .bind(amounts(|row| row.held_until.micros()))
    .bind(numbers(|row| row.decided_sequence))
    .bind(numbers(|row| row.decided_at.micros()))
    .bind(numbers(|row| row.confirmed_sequence))
    .bind(numbers(|row| row.confirmed_at.micros()))
    .bind(rows.iter().map(|(_, row)| rows::confirmation(row)).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map_err(Error::statement("change transfers"))?;
    Ok(())
}

/// Adds the postings that the batch's records made.
pub(super) async fn new_postings(
    connection: &mut PgConnection,
    book: &Book,
    first: u64,
) -> Result<(), Error> {
    let mut new: Vec<(&Subject, &Posting)> = Vec::new();
    for (subject, legs) in &book.postings {
        let made = legs.iter().filter(|leg| leg.sequence >= first);
        new.extend(made.map(|leg| (subject, leg)));
    }
    if new.is_empty() {
        return Ok(());
    }
    // In the order of the primary key.
    new.sort_unstable_by_key(|(_, posting)| (posting.sequence, posting.leg));
    let statement = "COPY ledger.postings (sequence, leg, subject_kind, subject_owner,
        subject, kind, debit_account, credit_account, currency, amount, state,
        decided_sequence) FROM STDIN (FORMAT binary)";
    copy(connection, statement, &rows::postings(&new), "add postings").await
}

async fn change_postings(
    connection: &mut PgConnection,
    book: &Book,
    first: u64,
) -> Result<(), Error> {
    // All legs of a record are decided by one other.
    let decided = book.postings.values().filter_map(|legs| legs.first());
    let decided = decided.filter(|leg| leg.sequence < first && leg.decided_sequence >= first);
    let changed: Vec<&Posting> = decided.collect();
    if changed.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE ledger.postings p SET state = row.state, decided_sequence = row.decided_sequence
         FROM UNNEST($1::bigint[], $2::text[], $3::bigint[], $4::text[])
             AS row (sequence, state, decided_sequence, was)
         WHERE p.sequence = row.sequence AND p.state = row.was",
    )
    .bind(changed.iter().map(|row| signed(row.sequence)).collect::<Vec<_>>())
    .bind(changed.iter().map(|row| row.state.as_str()).collect::<Vec<_>>())
    .bind(changed.iter().map(|row| signed(row.decided_sequence)).collect::<Vec<_>>())
    .bind(vec![PostingState::Pending.as_str(); changed.len()])
    .execute(connection)
    .await
    .map_err(Error::statement("change postings"))?;
    Ok(())
}

async fn balances(connection: &mut PgConnection, book: &Book, first: u64) -> Result<(), Error> {
    let moved = &book.changes.balances;
    if moved.is_empty() {
        return Ok(());
    }
    let deltas = |field: fn(&Delta) -> i128| -> Vec<Numeric> {
        moved.values().map(|delta| Numeric(field(delta))).collect()
    };
    let updated = sqlx::query(
        "UPDATE ledger.balances b SET
             debits_pending = b.debits_pending + delta.debits_pending,
             debits_posted = b.debits_posted + delta.debits_posted,
             credits_pending = b.credits_pending + delta.credits_pending,
             credits_posted = b.credits_posted + delta.credits_posted
         FROM UNNEST($1::numeric[], $2::numeric[], $3::numeric[], $4::numeric[], $5::numeric[])
             AS delta (account, debits_pending, debits_posted, credits_pending, credits_posted)
         WHERE b.account = delta.account",
    )
    .bind(moved.keys().map(|account| Numeric(account.0.into())).collect::<Vec<_>>())
    .bind(deltas(|delta| delta.debits_pending))
    .bind(deltas(|delta| delta.debits_posted))
    .bind(deltas(|delta| delta.credits_pending))
    .bind(deltas(|delta| delta.credits_posted))
    .execute(connection)
    .await
    .map_err(Error::statement("move balances"))?;
    match usize::try_from(updated.rows_affected()) == Ok(moved.len()) {
        true => Ok(()),
        false => Err(Error::AccountUnknown { sequence: first }),
    }
}

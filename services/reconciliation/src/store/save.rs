//! Writes a batch's rows, several at a time, inside the batch's SQL transaction.
use ledger_proof::{codec::Field, record::EntryRecord};
use ledger_types::AccountId;
use sqlx::PgConnection;

use super::{Cursor, Error, signed};
use crate::{
    book::{Book, Delta, Posting, Subject, Transfer},
    record::Record,
};

/// Appends the records.
pub(super) async fn records(
    connection: &mut PgConnection,
    records: &[Record],
) -> Result<(), Error> {
    let part = |at: usize| -> Vec<Option<&[u8]>> {
        let bytes = records.iter().map(|record| record.parts[at].as_ref());
        bytes.map(|bytes| (!bytes.is_empty()).then_some(bytes)).collect()
    };
    sqlx::query(
        "INSERT INTO ledger.records (sequence, kind, at_micros, shared, debtor, creditor,
                                     liquidity_1, liquidity_2, operator, salts, item)
         SELECT * FROM UNNEST($1::bigint[], $2::smallint[], $3::bigint[], $4::bytea[], $5::bytea[],
                              $6::bytea[], $7::bytea[], $8::bytea[], $9::bytea[], $10::bytea[],
                              $11::bytea[])",
    )
    .bind(records.iter().map(|record| signed(record.sequence)).collect::<Vec<_>>())
    .bind(records.iter().map(|record| i16::from(record.kind.code())).collect::<Vec<_>>())
    .bind(records.iter().map(|record| signed(record.at.micros())).collect::<Vec<_>>())
    .bind(part(0))
    .bind(part(1))
    .bind(part(2))
    .bind(part(3))
    .bind(part(4))
    .bind(part(5))
    .bind(records.iter().map(|record| record.salts.as_slice()).collect::<Vec<_>>())
    .bind(records.iter().map(|record| record.item.as_deref()).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map_err(Error::statement("append records"))?;
    Ok(())
}

/// Adds the entries that ended in the batch.
pub(super) async fn entries(
    connection: &mut PgConnection,
    entries: &[(&Record, &EntryRecord)],
) -> Result<(), Error> {
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
    .bind(entries.iter().map(|(record, _)| signed(record.at.micros())).collect::<Vec<_>>())
    .bind(entries.iter().map(|(_, entry)| entry.accounts_digest.as_slice()).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map_err(Error::statement("add entries"))?;
    Ok(())
}

/// Writes what followed from the records.
pub(super) async fn changes(
    connection: &mut PgConnection,
    book: &Book,
    records: &[Record],
) -> Result<(), Error> {
    currencies(connection, book).await?;
    participants(connection, book).await?;
    accounts(connection, book).await?;
    transfers(connection, book).await?;
    postings(connection, book).await?;
    super::recalls::save(connection, &book.changes).await?;
    let first = records.first().map_or(0, |record| record.sequence);
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

async fn accounts(connection: &mut PgConnection, book: &Book) -> Result<(), Error> {
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

async fn transfers(connection: &mut PgConnection, book: &Book) -> Result<(), Error> {
    let named = book.changes.transfers.iter();
    let rows: Vec<(&Subject, &Transfer)> =
        named.filter_map(|subject| Some((subject, book.transfers.get(subject)?))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let numbers = |field: fn(&Transfer) -> u64| -> Vec<i64> {
        rows.iter().map(|(_, row)| signed(field(row))).collect()
    };
    let texts = |field: fn(&Transfer) -> String| -> Vec<String> {
        rows.iter().map(|(_, row)| field(row)).collect()
    };
    sqlx::query(UPSERT_TRANSFERS)
        .bind(rows.iter().map(|(subject, _)| i64::from(subject.owner.0)).collect::<Vec<_>>())
        .bind(rows.iter().map(|(subject, _)| subject.id.as_slice()).collect::<Vec<_>>())
        .bind(numbers(|row| row.creditor_agent.0.into()))
        .bind(numbers(|row| row.corridor.0.into()))
        .bind(numbers(|row| row.state.code().into()))
        .bind(numbers(|row| row.rejection.into()))
        .bind(texts(|row| row.reason.to_string()))
        .bind(texts(|row| row.amount.to_string()))
        .bind(texts(|row| row.currency.to_string()))
        .bind(texts(|row| row.returned.to_string()))
        .bind(texts(|row| row.deadline.micros().to_string()))
        .bind(texts(|row| row.held_until.micros().to_string()))
        .bind(numbers(|row| row.submit_sequence))
        .bind(numbers(|row| row.submitted_at.micros()))
        .bind(numbers(|row| row.decided_sequence))
        .bind(numbers(|row| row.decided_at.micros()))
        .bind(numbers(|row| row.confirmed_sequence))
        .bind(numbers(|row| row.confirmed_at.micros()))
        .bind(texts(|row| row.confirmation.map_or("", |status| status.as_str()).to_owned()))
        .execute(connection)
        .await
        .map_err(Error::statement("write transfers"))?;
    Ok(())
}

const UPSERT_TRANSFERS: &str = "
    INSERT INTO ledger.transfers (debtor_agent, uetr, creditor_agent, corridor, state, rejection,
        reason, amount, currency, returned, deadline_micros, held_until_micros, submit_sequence,
        submitted_micros, decided_sequence, decided_micros, confirmed_sequence, confirmed_micros,
        confirmation)
    SELECT debtor_agent, uetr, creditor_agent, corridor, state, rejection, reason,
        amount::numeric, currency, returned::numeric, deadline::numeric, held_until::numeric,
        submit_sequence, submitted, decided_sequence, decided, confirmed_sequence, confirmed,
        confirmation
    FROM UNNEST($1::bigint[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
        $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[],
        $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], $19::text[])
        AS row (debtor_agent, uetr, creditor_agent, corridor, state, rejection, reason, amount,
            currency, returned, deadline, held_until, submit_sequence, submitted,
            decided_sequence, decided, confirmed_sequence, confirmed, confirmation)
    ON CONFLICT (debtor_agent, uetr) DO UPDATE SET
        state = excluded.state, reason = excluded.reason, returned = excluded.returned,
        held_until_micros = excluded.held_until_micros,
        decided_sequence = excluded.decided_sequence, decided_micros = excluded.decided_micros,
        confirmed_sequence = excluded.confirmed_sequence,
        confirmed_micros = excluded.confirmed_micros, confirmation = excluded.confirmation";

async fn postings(connection: &mut PgConnection, book: &Book) -> Result<(), Error> {
    let mut rows: Vec<(&Subject, &Posting)> = Vec::new();
    for subject in &book.changes.postings {
        let postings = book.postings.get(subject).into_iter().flatten();
        rows.extend(postings.map(|posting| (subject, posting)));
    }
    if rows.is_empty() {
        return Ok(());
    }
    let texts = |field: fn(&Posting) -> String| -> Vec<String> {
        rows.iter().map(|(_, row)| field(row)).collect()
    };
    sqlx::query(
        "INSERT INTO ledger.postings (sequence, leg, subject_kind, subject_owner, subject, kind,
             debit_account, credit_account, currency, amount, state, decided_sequence)
         SELECT sequence, leg, subject_kind, subject_owner, subject, kind, debit::numeric,
             credit::numeric, currency, amount::numeric, state, decided_sequence
         FROM UNNEST($1::bigint[], $2::smallint[], $3::smallint[], $4::bigint[], $5::bytea[],
             $6::smallint[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],
             $12::bigint[])
             AS row (sequence, leg, subject_kind, subject_owner, subject, kind, debit, credit,
                 currency, amount, state, decided_sequence)
         ON CONFLICT (sequence, leg) DO UPDATE SET
             state = excluded.state, decided_sequence = excluded.decided_sequence",
    )
    .bind(rows.iter().map(|(_, row)| signed(row.sequence)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.leg).collect::<Vec<_>>())
    .bind(rows.iter().map(|(subject, _)| subject.kind.code()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(subject, _)| i64::from(subject.owner.0)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(subject, _)| subject.id.as_slice()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.kind).collect::<Vec<_>>())
    .bind(texts(|row| row.debit_account.to_string()))
    .bind(texts(|row| row.credit_account.to_string()))
    .bind(texts(|row| row.currency.to_string()))
    .bind(texts(|row| row.amount.to_string()))
    .bind(texts(|row| row.state.as_str().to_owned()))
    .bind(rows.iter().map(|(_, row)| signed(row.decided_sequence)).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map_err(Error::statement("write postings"))?;
    Ok(())
}

async fn balances(
    connection: &mut PgConnection,
    book: &Book,
    first_sequence: u64,
) -> Result<(), Error> {
    let moved = &book.changes.balances;
    if moved.is_empty() {
        return Ok(());
    }
    let deltas = |field: fn(&Delta) -> i128| -> Vec<String> {
        moved.values().map(|delta| field(delta).to_string()).collect()
    };
    let updated = sqlx::query(
        "UPDATE ledger.balances b SET
             debits_pending = b.debits_pending + delta.debits_pending::numeric,
             debits_posted = b.debits_posted + delta.debits_posted::numeric,
             credits_pending = b.credits_pending + delta.credits_pending::numeric,
             credits_posted = b.credits_posted + delta.credits_posted::numeric
         FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
             AS delta (account, debits_pending, debits_posted, credits_pending, credits_posted)
         WHERE b.account = delta.account::numeric",
    )
    .bind(moved.keys().map(AccountId::to_string).collect::<Vec<_>>())
    .bind(deltas(|delta| delta.debits_pending))
    .bind(deltas(|delta| delta.debits_posted))
    .bind(deltas(|delta| delta.credits_pending))
    .bind(deltas(|delta| delta.credits_posted))
    .execute(connection)
    .await
    .map_err(Error::statement("move balances"))?;
    match usize::try_from(updated.rows_affected()) == Ok(moved.len()) {
        true => Ok(()),
        false => Err(Error::AccountUnknown { sequence: first_sequence }),
    }
}

//! Writes a file that was taken, its statements, entries and movements, or the refusal of one that was not.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use services_statements::{Balance, Judged, chain};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{CHUNK, Imported, content_key, key_text, name_of};
use crate::{
    actor::Actor,
    error::Error,
    store::{column, counted, failed, unreadable},
    take::{self, EntryRow},
};

pub(super) type By<'a> = (&'a Actor, OffsetDateTime);

pub(super) async fn refused_insert(
    connection: &mut PgConnection,
    imported: &Imported,
    digest: &[u8],
    size: usize,
    (actor, now): By<'_>,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO office.refused_files (name, digest, size, findings, findings_count, refused_at, refused_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&imported.name)
    .bind(digest)
    .bind(i64::try_from(size).unwrap_or(i64::MAX))
    .bind(Value::Array(imported.findings.clone()))
    .bind(counted(imported.findings_count))
    .bind(now)
    .bind(actor.name())
    .execute(connection)
    .await
    .map_err(failed("keep a refusal"))?;
    Ok(())
}

pub(super) async fn file_insert(
    connection: &mut PgConnection,
    imported: &Imported,
    digest: &[u8],
    bytes: &[u8],
    (actor, now): By<'_>,
) -> Result<i64, Error> {
    let row = sqlx::query(
        "INSERT INTO office.files (name, digest, bytes, format, verdict, findings, findings_count, imported_at,
            imported_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING file",
    )
    .bind(&imported.name)
    .bind(digest)
    .bind(bytes)
    .bind(imported.format.as_deref().unwrap_or("unknown"))
    .bind(imported.verdict)
    .bind(Value::Array(imported.findings.clone()))
    .bind(counted(imported.findings_count))
    .bind(now)
    .bind(actor.name())
    .fetch_one(connection)
    .await
    .map_err(failed("keep a file"))?;
    column(&row, "file")
}

pub(super) async fn statements_insert(
    connection: &mut PgConnection,
    file: i64,
    judged: &Judged,
    accounts: &BTreeMap<(String, String), i64>,
) -> Result<Vec<i64>, Error> {
    let mut ids = Vec::new();
    for (place, statement) in (1_i32..).zip(&judged.statements) {
        let head = &statement.head;
        let (from, to) = take::days(statement);
        let balance = |own: &Option<Balance>| {
            own.as_ref().and_then(take::signed_units).map(|units| units.to_string())
        };
        let row = sqlx::query(
            "INSERT INTO office.statements (file, place, account, kind, id, sequence, page, last_page, from_day,
                to_day, opening, closing, arithmetic, entries, identity, content)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::numeric, $12::numeric, $13, $14, $15, $16)
             RETURNING statement",
        )
        .bind(file)
        .bind(place)
        .bind(accounts.get(&name_of(statement)))
        .bind(head.kind.as_str())
        .bind(head.id.as_deref().unwrap_or_default())
        .bind(head.sequence().map(counted))
        .bind(head.page.map(|page| counted(page.number)))
        .bind(head.page.map(|page| page.last))
        .bind(from)
        .bind(to)
        .bind(balance(&statement.opening))
        .bind(balance(&statement.closing))
        .bind(statement.arithmetic.verdict().as_str())
        .bind(counted(statement.totals.entries))
        .bind(chain::identity(statement).as_ref().map(key_text))
        .bind(content_key(statement))
        .fetch_one(&mut *connection)
        .await
        .map_err(failed("keep a statement"))?;
        ids.push(column(&row, "statement")?);
    }
    Ok(ids)
}

pub(super) async fn entries_insert(
    connection: &mut PgConnection,
    statements: &[i64],
    rows: &[EntryRow],
) -> Result<(), Error> {
    let statement = |row: &EntryRow| -> Result<i64, Error> {
        let at = usize::try_from(row.place - 1).map_err(|_| unreadable("place"))?;
        statements.get(at).copied().ok_or_else(|| unreadable("place"))
    };
    for rows in rows.chunks(CHUNK) {
        let owners = rows.iter().map(statement).collect::<Result<Vec<i64>, _>>()?;
        let units = |own: Option<u64>| own.map(|own| own.to_string());
        sqlx::query(
            "INSERT INTO office.entries (statement, number, detail, amount, amount_text, currency, credit_debit,
                reversal, status, booking_date, value_date, uetr, end_to_end_id, servicer_reference, batch, party,
                charges, information, parts)
             SELECT statement, number, detail, amount::numeric, amount_text, currency, credit_debit, reversal, status,
                booking_date, value_date, uetr, end_to_end_id, servicer_reference, batch, party, charges::numeric,
                information, parts
             FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[],
                $8::bool[], $9::text[], $10::date[], $11::date[], $12::uuid[], $13::text[], $14::text[], $15::text[],
                $16::text[], $17::text[], $18::text[], $19::jsonb[])
                AS t (statement, number, detail, amount, amount_text, currency, credit_debit, reversal, status,
                    booking_date, value_date, uetr, end_to_end_id, servicer_reference, batch, party, charges,
                    information, parts)",
        )
        .bind(owners)
        .bind(rows.iter().map(|row| row.number).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.detail).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| units(row.amount)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.amount_text.clone()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.currency.clone()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.credit_debit.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.reversal).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.status.clone()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.booking_date).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.value_date).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.uetr).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.end_to_end_id.clone()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.servicer_reference.clone()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.batch.clone()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.party.clone()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.charges.to_string()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.information.clone()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| parts(&row.parts)).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await
        .map_err(failed("keep entries"))?;
    }
    Ok(())
}

/// An entry's parts as their column has them: none, or pairs of UETR and minor units.
fn parts(parts: &[(Uuid, u64)]) -> Option<Value> {
    let pairs = parts.iter().map(|(uetr, amount)| json!([uetr, amount.to_string()]));
    (!parts.is_empty()).then(|| pairs.collect())
}

/// What is booked, has minor units and a day is compared; the account says by which kind of message.
pub(super) async fn movements_insert(
    connection: &mut PgConnection,
    file: i64,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO office.movements (account, book, entry, amount, currency, credit_debit, value_date, uetr,
            end_to_end_id, servicer_reference, party, batch, reversal, charges, parts)
         SELECT s.account, 'statement', e.entry, e.amount, e.currency, e.credit_debit,
            coalesce(e.value_date, e.booking_date), e.uetr, e.end_to_end_id, e.servicer_reference, e.party, e.batch,
            e.reversal, e.charges, e.parts
         FROM office.statements s JOIN office.accounts a USING (account) JOIN office.entries e USING (statement)
         WHERE s.file = $1 AND s.kind = a.compared AND e.status = 'BOOK' AND e.amount IS NOT NULL
            AND coalesce(e.value_date, e.booking_date) IS NOT NULL
         ORDER BY e.entry",
    )
    .bind(file)
    .execute(connection)
    .await
    .map_err(failed("keep movements"))?;
    Ok(())
}

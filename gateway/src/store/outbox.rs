//! What is signed and must reach the ledger: items, and the exact envelopes they were sent in.
use std::{collections::HashMap, time::Duration};

use ledger_proof::{codec::Digest, item::ItemKind};
use ledger_types::TransferId;
use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Connection, Error, Store,
    transfers::{ids, uuid},
    unsigned,
};

/// An item on its way.
#[derive(Clone, Debug, FromRow)]
pub struct OutboxRow {
    /// Its place.
    pub id: i64,
    /// The code of its kind.
    pub kind: i16,
    /// Whose transfer.
    pub debtor_agent: i64,
    /// Which transfer.
    pub uetr: Uuid,
    /// Its exact bytes.
    pub item: Vec<u8>,
    /// The blob that goes with it.
    pub blob: Option<Vec<u8>>,
    /// The envelope it was last put into.
    pub request: Option<Uuid>,
    /// The span of who asked for it.
    pub traceparent: Option<String>,
}

/// An envelope on its way.
#[derive(Clone, Debug, FromRow)]
pub struct EnvelopeRow {
    /// Its request id.
    pub request: Uuid,
    /// Its exact bytes.
    pub bytes: Vec<u8>,
    /// Until when the ledger takes it.
    pub valid_until: OffsetDateTime,
}

/// An item to be sent.
#[derive(Clone, Debug)]
pub struct NewItem {
    /// What it does.
    pub kind: ItemKind,
    /// To which transfer.
    pub transfer: TransferId,
    /// Digest of what is asked.
    pub fingerprint: Digest,
    /// Its exact bytes.
    pub item: Vec<u8>,
    /// The blob that goes with it.
    pub blob: Option<Vec<u8>>,
    /// The span of who asks for it.
    pub traceparent: Option<String>,
}

#[derive(FromRow)]
struct Made {
    #[sqlx(flatten)]
    row: OutboxRow,
    fingerprint: Vec<u8>,
}

/// Puts items into the outbox, and gives their rows in order. The same question again gives the row
/// of the first.
///
/// # Errors
/// When a statement fails, or two ask the same.
pub async fn outbox_insert(
    connection: &mut Connection,
    new: &[NewItem],
) -> Result<Vec<OutboxRow>, Error> {
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let (agents, uetrs) = ids(new.iter().map(|item| item.transfer));
    let made: Vec<Made> = sqlx::query_as(
        "INSERT INTO outbox (kind, debtor_agent, uetr, fingerprint, item, blob, traceparent)
         SELECT kind, debtor_agent, uetr, fingerprint, item, blob, traceparent
         FROM unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::bytea[], $5::bytea[],
            $6::bytea[], $7::text[]) WITH ORDINALITY
            AS c (kind, debtor_agent, uetr, fingerprint, item, blob, traceparent, place)
         ORDER BY place
         ON CONFLICT (kind, debtor_agent, uetr, fingerprint)
            DO UPDATE SET done = false, request = NULL, place = NULL
         RETURNING id, kind, debtor_agent, uetr, item, blob, request, traceparent, fingerprint",
    )
    .bind(new.iter().map(|item| i16::from(item.kind.code())).collect::<Vec<_>>())
    .bind(agents)
    .bind(uetrs)
    .bind(new.iter().map(|item| item.fingerprint.as_slice()).collect::<Vec<_>>())
    .bind(new.iter().map(|item| item.item.as_slice()).collect::<Vec<_>>())
    .bind(new.iter().map(|item| item.blob.as_deref()).collect::<Vec<_>>())
    .bind(new.iter().map(|item| item.traceparent.as_deref()).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let mut made: HashMap<(i16, i64, Uuid, Vec<u8>), OutboxRow> = made
        .into_iter()
        .map(|made| {
            let row = made.row;
            ((row.kind, row.debtor_agent, row.uetr, made.fingerprint), row)
        })
        .collect();
    let own = |item: &NewItem| {
        let (kind, agent) = (i16::from(item.kind.code()), i64::from(item.transfer.debtor_agent.0));
        let key = (kind, agent, uuid(item.transfer.uetr), item.fingerprint.to_vec());
        made.remove(&key).ok_or(Error::Unanswered)
    };
    new.iter().map(own).collect()
}

/// Whether an item that asks the same is here, unless it was refused.
///
/// # Errors
/// When the statement fails.
pub async fn outbox_holds(
    connection: &mut Connection,
    kind: ItemKind,
    transfer: TransferId,
    fingerprint: &Digest,
) -> Result<bool, Error> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM outbox
            WHERE kind = $1 AND debtor_agent = $2 AND uetr = $3 AND fingerprint = $4
                AND (refusal IS NULL OR NOT done))",
    )
    .bind(i16::from(kind.code()))
    .bind(i64::from(transfer.debtor_agent.0))
    .bind(uuid(transfer.uetr))
    .bind(fingerprint.as_slice())
    .fetch_one(connection)
    .await?)
}

/// Marks items as answered, each with the name of its refusal if it was refused.
///
/// # Errors
/// When the statement fails.
pub async fn outbox_done(
    connection: &mut Connection,
    done: &[(i64, Option<&str>)],
) -> Result<(), Error> {
    let (places, refusals): (Vec<i64>, Vec<Option<&str>>) = done.iter().copied().unzip();
    sqlx::query(
        "UPDATE outbox o SET done = true, refusal = c.refusal
         FROM unnest($1::bigint[], $2::text[]) AS c (id, refusal) WHERE o.id = c.id",
    )
    .bind(places)
    .bind(refusals)
    .execute(connection)
    .await?;
    Ok(())
}

/// Marks an envelope as answered, or given up.
///
/// # Errors
/// When the statement fails.
pub async fn envelope_done(connection: &mut Connection, request: Uuid) -> Result<(), Error> {
    sqlx::query("UPDATE envelope SET done = true WHERE request = $1")
        .bind(request)
        .execute(connection)
        .await?;
    Ok(())
}

/// Keeps an envelope and which items it carries, in order.
///
/// # Errors
/// When a statement fails.
pub async fn envelope_keep(
    connection: &mut Connection,
    envelope: &EnvelopeRow,
    items: &[i64],
) -> Result<(), Error> {
    // A commit whose answer was lost is repeated.
    sqlx::query(
        "INSERT INTO envelope (request, bytes, valid_until) VALUES ($1, $2, $3)
         ON CONFLICT (request) DO NOTHING",
    )
    .bind(envelope.request)
    .bind(&envelope.bytes)
    .bind(envelope.valid_until)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "UPDATE outbox o SET request = $1, place = (c.place - 1)::smallint
         FROM unnest($2::bigint[]) WITH ORDINALITY AS c (id, place) WHERE o.id = c.id",
    )
    .bind(envelope.request)
    .bind(items)
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// Keeps an envelope and which items it carries, in order, before it is sent.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn envelope_insert(
        &self,
        envelope: &EnvelopeRow,
        items: &[i64],
    ) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        envelope_keep(&mut transaction, envelope, items).await?;
        super::commit(transaction).await
    }

    /// Envelopes without an answer.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn envelope_open(&self) -> Result<Vec<EnvelopeRow>, Error> {
        Ok(sqlx::query_as(
            "SELECT request, bytes, valid_until FROM envelope WHERE NOT done ORDER BY created_at",
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// The items of an envelope, in order.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn envelope_items(&self, request: Uuid) -> Result<Vec<OutboxRow>, Error> {
        Ok(sqlx::query_as(
            "SELECT id, kind, debtor_agent, uetr, item, blob, request, traceparent FROM outbox
             WHERE request = $1 ORDER BY place",
        )
        .bind(request)
        .fetch_all(&self.pool)
        .await?)
    }

    /// How many items have no answer yet, and how long the oldest has none.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn outbox_pending(&self) -> Result<(u32, Duration), Error> {
        let (pending, oldest): (i64, i64) = sqlx::query_as(
            "SELECT count(*),
                coalesce(extract(epoch FROM now() - min(created_at)) * 1000, 0)::bigint
             FROM outbox WHERE NOT done",
        )
        .fetch_one(&self.pool)
        .await?;
        let oldest = Duration::from_millis(unsigned(oldest));
        Ok((u32::try_from(pending).unwrap_or(u32::MAX), oldest))
    }

    /// Items that no envelope carries after an age.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn outbox_open(&self, age: Duration) -> Result<Vec<OutboxRow>, Error> {
        Ok(sqlx::query_as(
            "SELECT id, kind, debtor_agent, uetr, item, blob, request, traceparent FROM outbox
             WHERE NOT done AND request IS NULL
                AND created_at <= now() - make_interval(secs => $1) ORDER BY id",
        )
        .bind(age.as_secs_f64())
        .fetch_all(&self.pool)
        .await?)
    }
}

/// Takes an item out of its envelope, to be put into a new one.
///
/// # Errors
/// When the statement fails.
pub async fn outbox_requeue(connection: &mut Connection, id: i64) -> Result<(), Error> {
    sqlx::query("UPDATE outbox SET request = NULL, place = NULL WHERE id = $1")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

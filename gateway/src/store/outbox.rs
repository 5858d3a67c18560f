//! What is signed and must reach the ledger: items, and the exact envelopes they were sent in.
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use ledger_proof::{codec::Digest, item::ItemKind};
use ledger_types::TransferId;
use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Connection, Error, Store,
    changes::{Changed, Told, transfer_changes},
    groups::Group,
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

/// Marks envelopes as answered, or given up.
///
/// # Errors
/// When the statement fails.
pub async fn envelope_done(connection: &mut Connection, requests: &[Uuid]) -> Result<(), Error> {
    sqlx::query("UPDATE envelope SET done = true WHERE request = ANY ($1)")
        .bind(requests)
        .execute(connection)
        .await?;
    Ok(())
}

/// An envelope, and which items it carries, in order.
#[derive(Clone, Debug)]
pub struct Carried {
    /// As it is sent.
    pub envelope: EnvelopeRow,
    /// Their places and exact bytes.
    pub items: Vec<(i64, Vec<u8>)>,
}

impl Carried {
    /// An envelope with the items that it was made of.
    #[must_use]
    pub fn new<'a>(envelope: EnvelopeRow, rows: impl Iterator<Item = &'a OutboxRow>) -> Self {
        Self { envelope, items: rows.map(|row| (row.id, row.item.clone())).collect() }
    }
}

/// Keeps envelopes and which items they carry.
///
/// # Errors
/// When a statement fails; [`Error::Forgotten`] when an item is not here any more, or its place is
/// another's.
pub async fn envelope_keep(connection: &mut Connection, all: &[Carried]) -> Result<(), Error> {
    let envelopes = || all.iter().map(|one| &one.envelope);
    // A commit whose answer was lost is repeated.
    sqlx::query(
        "INSERT INTO envelope (request, bytes, valid_until)
         SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::timestamptz[])
         ON CONFLICT (request) DO NOTHING",
    )
    .bind(envelopes().map(|envelope| envelope.request).collect::<Vec<_>>())
    .bind(envelopes().map(|envelope| envelope.bytes.as_slice()).collect::<Vec<_>>())
    .bind(envelopes().map(|envelope| envelope.valid_until).collect::<Vec<_>>())
    .execute(&mut *connection)
    .await?;
    let (mut ids, mut items) = (Vec::new(), Vec::new());
    let (mut requests, mut places) = (Vec::new(), Vec::new());
    for one in all {
        for (place, (id, item)) in (0_i16..).zip(&one.items) {
            ids.push(*id);
            items.push(item.as_slice());
            requests.push(one.envelope.request);
            places.push(place);
        }
    }
    // A sequence of Postgres may give a place again whose row did not outlive a crash.
    let carried = sqlx::query(
        "UPDATE outbox o SET request = c.request, place = c.place
         FROM unnest($1::bigint[], $2::bytea[], $3::uuid[], $4::smallint[])
            AS c (id, item, request, place)
         WHERE o.id = c.id AND o.item = c.item",
    )
    .bind(&ids)
    .bind(items)
    .bind(requests)
    .bind(places)
    .execute(connection)
    .await?;
    let all_here = usize::try_from(carried.rows_affected()) == Ok(ids.len());
    all_here.then_some(()).ok_or(Error::Forgotten)
}

#[derive(Debug)]
pub(super) struct Enveloping;

impl Group for Enveloping {
    type Item = Carried;
    type Answer = ();

    async fn run(connection: &mut Connection, all: &[Carried]) -> Result<Vec<()>, Error> {
        envelope_keep(connection, all).await?;
        Ok(vec![(); all.len()])
    }
}

/// What the ledger said to an envelope.
#[derive(Clone, Debug)]
pub struct Said {
    /// Which envelope.
    pub request: Uuid,
    /// Its items, each with the name of its refusal if it was refused.
    pub done: Vec<(i64, Option<String>)>,
    /// What that did to transfers, as far as the event stream has not told it.
    pub told: Vec<Told>,
}

#[derive(Debug)]
pub(super) struct Answering;

impl Group for Answering {
    type Item = Said;
    /// What changed.
    type Answer = Vec<Changed>;

    async fn run(connection: &mut Connection, all: &[Said]) -> Result<Vec<Vec<Changed>>, Error> {
        let done = all.iter().flat_map(|said| &said.done);
        let done: Vec<_> = done.map(|(id, refusal)| (*id, refusal.as_deref())).collect();
        outbox_done(connection, &done).await?;
        envelope_done(connection, &all.iter().map(|said| said.request).collect::<Vec<_>>()).await?;
        let mut changes = Vec::with_capacity(all.len());
        for said in all {
            changes.push(transfer_changes(connection, &said.told).await?);
        }
        Ok(changes)
    }
}

impl Store {
    /// Keeps an envelope and which items it carries, in order, before it is sent.
    ///
    /// # Errors
    /// As [`envelope_keep`].
    pub async fn envelope_insert(&self, carried: Carried) -> Result<(), Error> {
        self.writes.envelopes.ask(carried).await
    }

    /// Writes what the ledger said; it says it again to the same bytes.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn envelope_answered(&self, said: Said) -> Result<Vec<Changed>, Error> {
        self.writes.outcomes.ask(said).await
    }

    /// Which of these items are here as they were made.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn outbox_here(&self, items: &[(i64, Vec<u8>)]) -> Result<HashSet<i64>, Error> {
        let (ids, items): (Vec<i64>, Vec<&[u8]>) =
            items.iter().map(|(id, item)| (*id, item.as_slice())).unzip();
        let here: Vec<i64> = sqlx::query_scalar(
            "SELECT o.id FROM unnest($1::bigint[], $2::bytea[]) AS c (id, item)
             JOIN outbox o ON o.id = c.id AND o.item = c.item",
        )
        .bind(ids)
        .bind(items)
        .fetch_all(&self.pool)
        .await?;
        Ok(here.into_iter().collect())
    }

    /// Envelopes without an answer after an age.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn envelope_open(&self, age: Duration) -> Result<Vec<EnvelopeRow>, Error> {
        Ok(sqlx::query_as(
            "SELECT request, bytes, valid_until FROM envelope
             WHERE NOT done AND created_at <= now() - make_interval(secs => $1)
             ORDER BY created_at",
        )
        .bind(age.as_secs_f64())
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

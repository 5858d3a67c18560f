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
    statement::Statement,
    transfers::{FIRST, ids, uuid},
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
    outbox_with(connection, Statement::default(), new).await
}

/// The same in one statement with what is to be written before.
///
/// # Errors
/// As [`outbox_insert`].
pub async fn outbox_with(
    connection: &mut Connection,
    statement: Statement,
    new: &[NewItem],
) -> Result<Vec<OutboxRow>, Error> {
    let rows = outbox(connection, statement, "true", new).await?;
    rows.into_iter().map(|row| row.ok_or(Error::Unanswered)).collect()
}

/// The same for those transfers alone that a part of the statement gives by the name of [`FIRST`].
///
/// # Errors
/// As [`outbox_insert`].
pub async fn outbox_of_first(
    connection: &mut Connection,
    statement: Statement,
    new: &[NewItem],
) -> Result<Vec<Option<OutboxRow>>, Error> {
    // Asked whether it is true it is looked up; else it would be a join that compares all with all.
    let which =
        format!("((debtor_agent, uetr) IN (SELECT debtor_agent, uetr FROM {FIRST})) IS TRUE");
    outbox(connection, statement, &which, new).await
}

async fn outbox(
    connection: &mut Connection,
    mut statement: Statement,
    which: &str,
    new: &[NewItem],
) -> Result<Vec<Option<OutboxRow>>, Error> {
    if new.is_empty() {
        if !statement.is_empty() {
            statement.execute(connection).await?;
        }
        return Ok(Vec::new());
    }
    let (agents, uetrs) = ids(new.iter().map(|item| item.transfer));
    let made = format!(
        "INSERT INTO outbox (kind, debtor_agent, uetr, fingerprint, item, blob, traceparent)
         SELECT kind, debtor_agent, uetr, fingerprint, item, blob, traceparent
         FROM unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::bytea[], $5::bytea[],
            $6::bytea[], $7::text[]) WITH ORDINALITY
            AS c (kind, debtor_agent, uetr, fingerprint, item, blob, traceparent, place)
         WHERE {which} ORDER BY place
         ON CONFLICT (kind, debtor_agent, uetr, fingerprint) DO UPDATE SET refusal = NULL
         RETURNING id, kind, debtor_agent, uetr, item, blob, traceparent, fingerprint"
    );
    statement
        .part("outbox_made", &made)
        .bind(new.iter().map(|item| i16::from(item.kind.code())).collect::<Vec<_>>())
        .bind(agents)
        .bind(uetrs)
        .bind(new.iter().map(|item| item.fingerprint.as_slice()).collect::<Vec<_>>())
        .bind(new.iter().map(|item| item.item.as_slice()).collect::<Vec<_>>())
        .bind(new.iter().map(|item| item.blob.as_deref()).collect::<Vec<_>>())
        .bind(new.iter().map(|item| item.traceparent.as_deref()).collect::<Vec<_>>());
    let open =
        "INSERT INTO open_item (item) SELECT id FROM outbox_made ON CONFLICT (item) DO NOTHING";
    statement.part("opened", open).part("rows", "SELECT * FROM outbox_made");
    let made: Vec<Made> = statement.fetch(connection).await?;
    let mut made: HashMap<(i16, i64, Uuid, Vec<u8>), OutboxRow> = made
        .into_iter()
        .map(|made| {
            let row = made.row;
            ((row.kind, row.debtor_agent, row.uetr, made.fingerprint), row)
        })
        .collect();
    let own = |item: &NewItem| {
        let (kind, agent) = (i16::from(item.kind.code()), i64::from(item.transfer.debtor_agent.0));
        made.remove(&(kind, agent, uuid(item.transfer.uetr), item.fingerprint.to_vec()))
    };
    Ok(new.iter().map(own).collect())
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
                AND refusal IS NULL)",
    )
    .bind(i16::from(kind.code()))
    .bind(i64::from(transfer.debtor_agent.0))
    .bind(uuid(transfer.uetr))
    .bind(fingerprint.as_slice())
    .fetch_one(connection)
    .await?)
}

/// Marks items as answered, each with the name of its refusal if it was refused, and envelopes as answered or
/// given up.
///
/// # Errors
/// When a statement fails.
pub async fn outbox_done(
    connection: &mut Connection,
    done: &[(i64, Option<&str>)],
    envelopes: &[Uuid],
) -> Result<(), Error> {
    let ids: Vec<i64> = done.iter().map(|(id, _)| *id).collect();
    let mut statement = Statement::default();
    statement.part("closed", "DELETE FROM open_item WHERE item = ANY ($1)").bind(ids);
    let answered = "UPDATE envelope SET done = true WHERE request = ANY ($1)";
    statement.part("answered", answered).bind(envelopes);
    statement.execute(&mut *connection).await?;
    let refused = done.iter().filter_map(|(id, refusal)| Some((*id, (*refusal)?)));
    let (ids, refusals): (Vec<i64>, Vec<&str>) = refused.unzip();
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE outbox o SET refusal = c.refusal
         FROM unnest($1::bigint[], $2::text[]) AS c (id, refusal) WHERE o.id = c.id",
    )
    .bind(ids)
    .bind(refusals)
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

    /// Each item's place under the envelope's request id.
    fn places(&self) -> impl Iterator<Item = (Uuid, i64)> {
        self.items.iter().map(|(id, _)| (self.envelope.request, *id))
    }
}

/// Keeps envelopes and which items they carry, which are kept in the same SQL transaction.
///
/// # Errors
/// When the statement fails.
pub async fn envelope_keep(connection: &mut Connection, all: &[Carried]) -> Result<(), Error> {
    let envelopes = || all.iter().map(|one| &one.envelope);
    let items = || all.iter().flat_map(Carried::places);
    // A commit whose answer was lost is repeated.
    sqlx::query(
        "INSERT INTO envelope (request, bytes, valid_until, items)
         SELECT c.request, c.bytes, c.valid_until, ARRAY(
            SELECT i.id FROM unnest($4::uuid[], $5::bigint[]) WITH ORDINALITY
                AS i (request, id, place)
            WHERE i.request = c.request ORDER BY i.place)
         FROM unnest($1::uuid[], $2::bytea[], $3::timestamptz[])
            AS c (request, bytes, valid_until)
         ON CONFLICT (request) DO NOTHING",
    )
    .bind(envelopes().map(|envelope| envelope.request).collect::<Vec<_>>())
    .bind(envelopes().map(|envelope| envelope.bytes.as_slice()).collect::<Vec<_>>())
    .bind(envelopes().map(|envelope| envelope.valid_until).collect::<Vec<_>>())
    .bind(items().map(|(request, _)| request).collect::<Vec<_>>())
    .bind(items().map(|(_, id)| id).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// Which of these items are here as they were made. A sequence of Postgres may give a place again whose
/// row did not outlive a crash.
async fn here<'a>(
    executor: impl sqlx::PgExecutor<'_>,
    items: impl Iterator<Item = &'a (i64, Vec<u8>)>,
) -> Result<HashSet<i64>, Error> {
    let (ids, items): (Vec<i64>, Vec<&[u8]>) =
        items.map(|(id, item)| (*id, item.as_slice())).unzip();
    let here: Vec<i64> = sqlx::query_scalar(
        "SELECT o.id FROM unnest($1::bigint[], $2::bytea[]) AS c (id, item)
         JOIN outbox o ON o.id = c.id AND o.item = c.item",
    )
    .bind(ids)
    .bind(items)
    .fetch_all(executor)
    .await?;
    Ok(here.into_iter().collect())
}

#[derive(Debug)]
pub(super) struct Enveloping;

impl Group for Enveloping {
    type Item = Carried;
    type Answer = ();

    fn durable(_item: &Carried) -> bool {
        true
    }

    async fn run(connection: &mut Connection, all: &[Carried]) -> Result<Vec<()>, Error> {
        let items = || all.iter().flat_map(|one| &one.items);
        if here(&mut *connection, items()).await?.len() != items().count() {
            return Err(Error::Forgotten);
        }
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
        let envelopes: Vec<Uuid> = all.iter().map(|said| said.request).collect();
        outbox_done(connection, &done, &envelopes).await?;
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
    /// When a statement fails; [`Error::Forgotten`] when an item is not here any more, or its place is
    /// another's.
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
        here(&self.pool, items.iter()).await
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
            "SELECT o.id, o.kind, o.debtor_agent, o.uetr, o.item, o.blob, o.traceparent
             FROM envelope e, unnest(e.items) WITH ORDINALITY AS c (id, place)
             JOIN outbox o ON o.id = c.id WHERE e.request = $1 ORDER BY c.place",
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
            // Of the oldest alone, by its place: joined, the whole outbox could be read for it.
            "SELECT count(*), coalesce(extract(epoch FROM now() - (
                SELECT created_at FROM outbox WHERE id = min(n.item))) * 1000, 0)::bigint
             FROM open_item n",
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
            // No join, lest the whole outbox is read for what is open.
            "SELECT o.id, o.kind, o.debtor_agent, o.uetr, o.item, o.blob, o.traceparent
             FROM outbox o WHERE o.id = ANY (ARRAY(SELECT item FROM open_item WHERE item <> ALL (
                ARRAY(SELECT unnest(items) FROM envelope WHERE NOT done))))
                AND o.created_at <= now() - make_interval(secs => $1)
             ORDER BY o.id",
        )
        .bind(age.as_secs_f64())
        .fetch_all(&self.pool)
        .await?)
    }
}

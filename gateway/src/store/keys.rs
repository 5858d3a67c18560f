//! Idempotency keys with the answers they got, each under the API key that used it.
use std::collections::HashSet;

use ledger_types::{TransferId, Uetr};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Connection, Error, Store,
    groups::{Group, in_order},
    statement::Statement,
    transfers::uuid,
};

/// Where keys are.
pub const TABLE: &str = "idempotency";

/// What is known of an idempotency key.
#[derive(Clone, Debug, FromRow)]
pub struct Idempotency {
    /// Digest of the first request.
    pub fingerprint: Vec<u8>,
    /// The transfer it made.
    pub uetr: Option<Uuid>,
    /// The status of its finished answer.
    pub status: Option<i16>,
    /// The body of its finished answer.
    pub body: Option<serde_json::Value>,
}

/// The first thing that is known of a request.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Whose.
    pub api_key: Uuid,
    /// The Idempotency-Key.
    pub key: String,
    /// Digest of the request.
    pub fingerprint: Vec<u8>,
    /// The transfer it makes, if it makes one.
    pub uetr: Option<Uetr>,
}

/// The answer of a request.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Whose.
    pub api_key: Uuid,
    /// The Idempotency-Key.
    pub key: String,
    /// The transfer it made.
    pub uetr: Option<Uetr>,
    /// The status.
    pub status: u16,
    /// The body.
    pub body: serde_json::Value,
}

#[derive(Debug)]
pub(super) struct Beginning;

impl Group for Beginning {
    type Item = NewKey;
    /// Whether it is taken now, else what is known of it, if it was not given back meanwhile, which
    /// the caller asks for again.
    type Answer = Result<(), Option<Idempotency>>;

    async fn run(
        connection: &mut Connection,
        new: &[NewKey],
    ) -> Result<Vec<Result<(), Option<Idempotency>>>, Error> {
        let texts = new.iter().map(|row| row.key.as_str()).collect::<Vec<_>>();
        let callers = new.iter().map(|row| row.api_key).collect::<Vec<_>>();
        let taken: Vec<(Uuid, String)> = sqlx::query_as(
            "INSERT INTO idempotency (api_key, key, fingerprint, uetr)
             SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::uuid[])
             ON CONFLICT (api_key, key) DO NOTHING RETURNING api_key, key",
        )
        .bind(&callers)
        .bind(&texts)
        .bind(new.iter().map(|row| row.fingerprint.as_slice()).collect::<Vec<_>>())
        .bind(new.iter().map(|row| row.uetr.map(uuid)).collect::<Vec<_>>())
        .fetch_all(&mut *connection)
        .await?;
        let mut taken: HashSet<(Uuid, String)> = taken.into_iter().collect();
        // The second of two with one key finds it taken.
        let first: Vec<bool> =
            new.iter().map(|row| taken.remove(&(row.api_key, row.key.clone()))).collect();
        if first.iter().all(|first| *first) {
            return Ok(vec![Ok(()); new.len()]);
        }
        let known = known(connection, &callers, &texts).await?;
        let answer = |(first, known)| if first { Ok(()) } else { Err(known) };
        Ok(first.into_iter().zip(known).map(answer).collect())
    }
}

/// What is known of each of these keys.
async fn known(
    connection: &mut Connection,
    callers: &[Uuid],
    texts: &[&str],
) -> Result<Vec<Option<Idempotency>>, Error> {
    let known: Vec<Known> = sqlx::query_as(
        "SELECT c.place, i.fingerprint, i.uetr, i.status, i.body
         FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS c (api_key, key, place)
         JOIN idempotency i ON i.api_key = c.api_key AND i.key = c.key",
    )
    .bind(callers)
    .bind(texts)
    .fetch_all(connection)
    .await?;
    let known = in_order(texts.len(), known.into_iter().map(|known| (known.place, known.row)));
    Ok(known.into_iter().map(|own| own.into_iter().next()).collect())
}

#[derive(FromRow)]
struct Known {
    place: i64,
    #[sqlx(flatten)]
    row: Idempotency,
}

/// What is looked for before a transfer is made.
#[derive(Clone, Debug)]
pub struct Look {
    /// Whose key.
    pub api_key: Uuid,
    /// The Idempotency-Key.
    pub key: String,
    /// The name that the transfer is to have, if it can be said yet.
    pub transfer: Option<TransferId>,
}

#[derive(Debug)]
pub(super) struct Looking;

impl Group for Looking {
    type Item = Look;
    /// What is known of the key, and whether there is a transfer of that name.
    type Answer = (Option<Idempotency>, bool);

    async fn run(connection: &mut Connection, looks: &[Look]) -> Result<Vec<Self::Answer>, Error> {
        let name = |look: &Look| look.transfer.map(|id| uuid(id.uetr));
        let agent = |look: &Look| look.transfer.map(|id| i64::from(id.debtor_agent.0));
        let found: Vec<Looked> = sqlx::query_as(
            "SELECT c.place, i.fingerprint, i.uetr, i.status, i.body, t.id IS NOT NULL AS named
             FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::uuid[]) WITH ORDINALITY
                AS c (api_key, key, agent, name, place)
             LEFT JOIN idempotency i ON i.api_key = c.api_key AND i.key = c.key
             LEFT JOIN transfer t ON t.debtor_agent = c.agent AND t.uetr = c.name
             WHERE i.key IS NOT NULL OR t.id IS NOT NULL",
        )
        .bind(looks.iter().map(|look| look.api_key).collect::<Vec<_>>())
        .bind(looks.iter().map(|look| look.key.as_str()).collect::<Vec<_>>())
        .bind(looks.iter().map(agent).collect::<Vec<_>>())
        .bind(looks.iter().map(name).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
        let found = found.into_iter().map(|row| (row.place, row));
        let answer = |own: Vec<Looked>| own.into_iter().next().map(Looked::told);
        let answers = in_order(looks.len(), found).into_iter().map(answer);
        Ok(answers.map(Option::unwrap_or_default).collect())
    }
}

#[derive(FromRow)]
struct Looked {
    place: i64,
    fingerprint: Option<Vec<u8>>,
    uetr: Option<Uuid>,
    status: Option<i16>,
    body: Option<serde_json::Value>,
    named: bool,
}

impl Looked {
    fn told(self) -> (Option<Idempotency>, bool) {
        let Self { uetr, status, body, .. } = self;
        let known =
            self.fingerprint.map(|fingerprint| Idempotency { fingerprint, uetr, status, body });
        (known, self.named)
    }
}

/// Takes keys as a part of a statement that keeps what they are for: it fails where one is taken.
pub fn key_part<'k>(statement: &mut Statement, new: impl Iterator<Item = &'k NewKey> + Clone) {
    if new.clone().next().is_none() {
        return;
    }
    statement
        .part(
            "key_taken",
            "INSERT INTO idempotency (api_key, key, fingerprint, uetr)
             SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::uuid[])",
        )
        .bind(new.clone().map(|row| row.api_key).collect::<Vec<_>>())
        .bind(new.clone().map(|row| row.key.as_str()).collect::<Vec<_>>())
        .bind(new.clone().map(|row| row.fingerprint.as_slice()).collect::<Vec<_>>())
        .bind(new.map(|row| row.uetr.map(uuid)).collect::<Vec<_>>());
}

/// The same alone.
///
/// # Errors
/// When it is taken, or the statement fails.
pub async fn key_insert(connection: &mut Connection, new: Option<&NewKey>) -> Result<(), Error> {
    let mut statement = Statement::default();
    key_part(&mut statement, new.into_iter());
    if !statement.is_empty() {
        statement.execute(connection).await?;
    }
    Ok(())
}

#[derive(Debug)]
pub(super) struct Finishing;

impl Group for Finishing {
    type Item = Finished;
    type Answer = ();

    fn durable(_item: &Finished) -> bool {
        true
    }

    async fn run(connection: &mut Connection, rows: &[Finished]) -> Result<Vec<()>, Error> {
        sqlx::query(
            "UPDATE idempotency i SET uetr = c.uetr, status = c.status, body = c.body
             FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::smallint[], $5::jsonb[])
                AS c (api_key, key, uetr, status, body)
             WHERE i.api_key = c.api_key AND i.key = c.key",
        )
        .bind(rows.iter().map(|row| row.api_key).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.key.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.uetr.map(uuid)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| i16::try_from(row.status).unwrap_or(500)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| &row.body).collect::<Vec<_>>())
        .execute(connection)
        .await?;
        Ok(vec![(); rows.len()])
    }
}

impl Store {
    /// Takes an idempotency key: `None` when it is new and now ours, else what is known of it.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn idempotency_begin(&self, new: NewKey) -> Result<Option<Idempotency>, Error> {
        loop {
            match self.writes.keys.ask(new.clone()).await? {
                Ok(()) => return Ok(None),
                Err(Some(known)) => return Ok(Some(known)),
                // It was given back in between: then it may be ours.
                Err(None) => {}
            }
        }
    }

    /// What is known of an idempotency key, which is taken by what is kept under it, and whether there is
    /// a transfer of the name that is to be made.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn idempotency_look(&self, look: Look) -> Result<(Option<Idempotency>, bool), Error> {
        self.groups.keys.ask(look).await
    }

    /// Keeps the finished answer.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn idempotency_finish(&self, answer: Finished) -> Result<(), Error> {
        self.writes.answers.ask(answer).await
    }

    /// Names the transfer that a key is making, before anything of it is kept, and tells the name:
    /// the first one stays, even of a request that was cut off and whose statement came late. None
    /// when the key was given back.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn idempotency_name(
        &self,
        api_key: Uuid,
        key: &str,
        uetr: Uetr,
    ) -> Result<Option<Uetr>, Error> {
        let name: Option<Uuid> = sqlx::query_scalar(
            "UPDATE idempotency SET uetr = COALESCE(uetr, $3) WHERE api_key = $1 AND key = $2
             RETURNING uetr",
        )
        .bind(api_key)
        .bind(key)
        .bind(uuid(uetr))
        .fetch_optional(&self.pool)
        .await?;
        Ok(name.and_then(|name| Uetr::from_bytes(*name.as_bytes()).ok()))
    }

    /// Gives a key back whose request left nothing.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn idempotency_forget(&self, api_key: Uuid, key: &str) -> Result<(), Error> {
        sqlx::query("DELETE FROM idempotency WHERE api_key = $1 AND key = $2")
            .bind(api_key)
            .bind(key)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Forgets the keys older than the published 24 hours. One whose request was cut off stays as
    /// long: what it was keeping may be kept yet.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn idempotency_sweep(&self) -> Result<(), Error> {
        sqlx::query("DELETE FROM idempotency WHERE created_at < now() - interval '24 hours'")
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

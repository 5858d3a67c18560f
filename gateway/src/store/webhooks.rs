//! Webhook endpoints, their sealed secrets and what was or is to be delivered; it knows no URL's meaning and opens no secret.
use std::time::Duration;

use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Connection, Error, Store,
    audit::audit_append,
    commit,
    events::{EventRow, event_list},
};
use crate::security::audit::Entry;

/// An endpoint and how it fares.
#[derive(Clone, Debug, FromRow)]
pub struct WebhookRow {
    /// Its id.
    pub id: Uuid,
    /// Where events are sent.
    pub url: String,
    /// Types wanted; none: all.
    pub events: Vec<String>,
    /// `enabled` or `disabled`.
    pub state: String,
    /// The last number planned.
    pub cursor: i64,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// The last delivery taken.
    pub last_success_at: Option<OffsetDateTime>,
    /// The last delivery not taken.
    pub last_failure_at: Option<OffsetDateTime>,
    /// Failures since the last success.
    pub consecutive_failures: i32,
}

/// How far an endpoint is behind.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct Backlog {
    /// The participant's last event number.
    pub last: i64,
    /// Every wanted event up to here was taken.
    pub taken: i64,
    /// Deliveries that wait.
    pub waiting: i64,
    /// Deliveries that are parked.
    pub parked: i64,
    /// The least number that is parked.
    pub first_parked: Option<i64>,
}

/// A sealed secret.
#[derive(Clone, Debug, FromRow)]
pub struct SecretRow {
    /// `v1` or `v1a`.
    pub kind: String,
    /// The nonce it was sealed with.
    pub nonce: Vec<u8>,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
}

/// A delivery as the log shows it.
#[derive(Clone, Debug, FromRow)]
pub struct DeliveryRow {
    /// Its place in the log.
    pub id: i64,
    /// The event's number; none of this gateway's own events.
    pub number: Option<i64>,
    /// The number among this gateway's own events.
    pub local: Option<i64>,
    /// The event's type.
    pub r#type: String,
    /// `waiting`, `parked` or `delivered`.
    pub status: String,
    /// How often it was sent.
    pub attempts: i32,
    /// When it is sent next.
    pub next_at: OffsetDateTime,
    /// When it was sent last.
    pub attempted_at: Option<OffsetDateTime>,
    /// The last answer.
    pub http_status: Option<i16>,
    /// Why the last attempt failed.
    pub failure: Option<String>,
}

/// A delivery that is due, with its event.
#[derive(Clone, Debug, FromRow)]
pub struct DueRow {
    /// Its place in the log.
    pub id: i64,
    /// Within it the order is kept.
    pub lane: String,
    /// How often it was sent.
    pub attempts: i32,
    /// Its type.
    pub r#type: String,
    /// The number among this gateway's own events, if it is one; then `event` has none.
    pub local: Option<i64>,
    /// The event.
    #[sqlx(flatten)]
    pub event: EventRow,
}

/// What an event is to endpoints.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Its number.
    pub number: i64,
    /// Its type.
    pub r#type: String,
    /// Within it the order is kept.
    pub lane: String,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub struct Attempted {
    /// The answer's status, if one came.
    pub http_status: Option<i16>,
    /// Why it failed; none when it was taken.
    pub failure: Option<String>,
    /// When it is sent again; none parks it.
    pub again: Option<Duration>,
    /// The endpoint wants no more.
    pub gone: bool,
}

const COLUMNS: &str = "id, url, events, state, cursor, created_at, last_success_at,
    last_failure_at, consecutive_failures";

/// The endpoint, locked against planning, parking and replay of others.
async fn locked(connection: &mut Connection, id: Uuid) -> Result<Option<WebhookRow>, Error> {
    let text = format!("SELECT {COLUMNS} FROM webhook WHERE id = $1 FOR UPDATE");
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(text)).bind(id).fetch_optional(connection).await?)
}

async fn secret_insert(
    connection: &mut Connection,
    webhook: Uuid,
    secret: &SecretRow,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO webhook_secret (webhook, kind, nonce, sealed) VALUES ($1, $2, $3, $4)",
    )
    .bind(webhook)
    .bind(&secret.kind)
    .bind(&secret.nonce)
    .bind(&secret.sealed)
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// Keeps an endpoint, unless there are `max` already. It starts behind an event number, or
    /// behind the last one.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn webhook_insert(
        &self,
        (id, url, events): (Uuid, &str, &[String]),
        after: Option<i64>,
        secret: &SecretRow,
        max: i64,
        act: &Entry,
    ) -> Result<Option<WebhookRow>, Error> {
        let mut transaction = self.begin().await?;
        let row = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "INSERT INTO webhook (id, url, events, cursor)
             SELECT $1, $2, $3, least(coalesce($4, number), number) FROM event_cursor
             WHERE (SELECT count(*) FROM webhook) < $5 RETURNING {COLUMNS}"
        )))
        .bind(id)
        .bind(url)
        .bind(events)
        .bind(after)
        .bind(max)
        .fetch_optional(&mut *transaction)
        .await?;
        if row.is_some() {
            secret_insert(&mut transaction, id, secret).await?;
            audit_append(&mut transaction, act).await?;
        }
        commit(transaction).await.map(|()| row)
    }

    /// Every endpoint.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn webhook_list(&self) -> Result<Vec<WebhookRow>, Error> {
        let text = format!("SELECT {COLUMNS} FROM webhook ORDER BY created_at, id");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(text)).fetch_all(&self.pool).await?)
    }

    /// One endpoint.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn webhook_fetch(&self, id: Uuid) -> Result<Option<WebhookRow>, Error> {
        let text = format!("SELECT {COLUMNS} FROM webhook WHERE id = $1");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(text)).bind(id).fetch_optional(&self.pool).await?)
    }

    /// Forgets an endpoint with its secrets and its log; false when there is none.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn webhook_delete(&self, id: Uuid, act: &Entry) -> Result<bool, Error> {
        let mut transaction = self.begin().await?;
        let gone = sqlx::query("DELETE FROM webhook WHERE id = $1").bind(id);
        let gone = gone.execute(&mut *transaction).await?.rows_affected() == 1;
        if gone {
            audit_append(&mut transaction, act).await?;
        }
        commit(transaction).await.map(|()| gone)
    }

    /// How far an endpoint is behind.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn webhook_backlog(&self, id: Uuid) -> Result<Backlog, Error> {
        Ok(sqlx::query_as(
            "SELECT c.number AS last,
                coalesce(min(d.number) - 1, (SELECT cursor FROM webhook WHERE id = $1), 0) AS taken,
                count(d.id) FILTER (WHERE d.status = 'waiting') AS waiting,
                count(d.id) FILTER (WHERE d.status = 'parked') AS parked,
                min(d.number) FILTER (WHERE d.status = 'parked') AS first_parked
             FROM event_cursor c
             LEFT JOIN webhook_delivery d ON d.webhook = $1 AND d.status <> 'delivered'
             GROUP BY c.number",
        )
        .bind(id)
        .fetch_one(&self.pool)
        .await?)
    }

    /// The secrets that sign at this moment, the newest first.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn webhook_secrets(&self, id: Uuid) -> Result<Vec<SecretRow>, Error> {
        Ok(sqlx::query_as(
            "SELECT kind, nonce, sealed FROM webhook_secret
             WHERE webhook = $1 AND (expires_at IS NULL OR expires_at > now()) ORDER BY id DESC",
        )
        .bind(id)
        .fetch_all(&self.pool)
        .await?)
    }

    /// Adds a secret; the former one signs beside it for `overlap`, and older ones no more. False
    /// when there is no such endpoint.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn webhook_rotate(
        &self,
        id: Uuid,
        secret: &SecretRow,
        overlap: Duration,
        act: &Entry,
    ) -> Result<bool, Error> {
        let mut transaction = self.begin().await?;
        if locked(&mut transaction, id).await?.is_none() {
            return Ok(false);
        }
        sqlx::query("DELETE FROM webhook_secret WHERE webhook = $1 AND expires_at IS NOT NULL")
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "UPDATE webhook_secret SET expires_at = now() + make_interval(secs => $2)
             WHERE webhook = $1",
        )
        .bind(id)
        .bind(overlap.as_secs_f64())
        .execute(&mut *transaction)
        .await?;
        secret_insert(&mut transaction, id, secret).await?;
        audit_append(&mut transaction, act).await?;
        commit(transaction).await.map(|()| true)
    }

    /// Plans what an endpoint has not seen, while fewer than `window` deliveries wait: events and
    /// cursor in one SQL transaction. What follows a parked one in its lane is parked with it.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn webhook_plan(
        &self,
        id: Uuid,
        window: i64,
        plan: impl Fn(&EventRow) -> Planned + Send + Sync,
    ) -> Result<usize, Error> {
        let mut transaction = self.begin().await?;
        let Some(endpoint) = locked(&mut transaction, id).await? else { return Ok(0) };
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM webhook_delivery WHERE webhook = $1 AND status = 'waiting'",
        )
        .bind(id)
        .fetch_one(&mut *transaction)
        .await?;
        let room = (window - waiting).max(0);
        let events = event_list(&mut *transaction, endpoint.cursor, room).await?;
        let Some(last) = events.last().map(|event| event.number) else { return Ok(0) };
        let wanted =
            |row: &Planned| endpoint.events.is_empty() || endpoint.events.contains(&row.r#type);
        let rows: Vec<_> = events.iter().map(plan).filter(wanted).collect();
        let numbers: Vec<_> = rows.iter().map(|row| row.number).collect();
        let types: Vec<_> = rows.iter().map(|row| row.r#type.clone()).collect();
        let lanes: Vec<_> = rows.iter().map(|row| row.lane.clone()).collect();
        sqlx::query(
            "INSERT INTO webhook_delivery (webhook, number, type, lane, status)
             SELECT $1, n.number, n.type, n.lane, CASE WHEN EXISTS
                (SELECT 1 FROM webhook_delivery d WHERE d.webhook = $1 AND d.lane = n.lane
                    AND d.status = 'parked') THEN 'parked' ELSE 'waiting' END
             FROM unnest($2::bigint[], $3::text[], $4::text[]) AS n (number, type, lane)
             ORDER BY n.number",
        )
        .bind(id)
        .bind(&numbers)
        .bind(&types)
        .bind(&lanes)
        .execute(&mut *transaction)
        .await?;
        sqlx::query("UPDATE webhook SET cursor = $2 WHERE id = $1")
            .bind(id)
            .bind(last)
            .execute(&mut *transaction)
            .await?;
        commit(transaction).await.map(|()| events.len())
    }

    /// The first waiting delivery of each lane that is due: this gateway's own events, which come
    /// before the ledger knows the transfer, then by number.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn webhook_due(&self, id: Uuid) -> Result<Vec<DueRow>, Error> {
        Ok(sqlx::query_as(
            "SELECT d.id, d.lane, d.attempts, d.type, d.local, coalesce(e.number, 0) AS number,
                coalesce(e.sequence, 0) AS sequence, coalesce(e.at, l.at) AS at,
                coalesce(e.data, l.data) AS data
             FROM (SELECT DISTINCT ON (lane) id, lane, attempts, type, number, local, next_at
                FROM webhook_delivery WHERE webhook = $1 AND status = 'waiting'
                ORDER BY lane, number NULLS FIRST, local) d
             LEFT JOIN event e ON e.number = d.number
             LEFT JOIN local_event l ON l.id = d.local
             WHERE d.next_at <= now() ORDER BY d.number NULLS FIRST, d.local",
        )
        .bind(id)
        .fetch_all(&self.pool)
        .await?)
    }

    /// Writes down how an attempt ended. A first success after `failing` failures makes everything
    /// that waits due.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn webhook_attempted(
        &self,
        webhook: Uuid,
        due: &DueRow,
        how: &Attempted,
        failing: i32,
    ) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        let Some(endpoint) = locked(&mut transaction, webhook).await? else { return Ok(()) };
        let status = match (&how.failure, how.again) {
            (None, _) => "delivered",
            (Some(_), Some(_)) => "waiting",
            (Some(_), None) => "parked",
        };
        // A replay may have planned the event anew: then this row is gone, and it is sent again.
        sqlx::query(
            "UPDATE webhook_delivery SET status = $2, attempts = attempts + 1,
                attempted_at = now(), next_at = now() + make_interval(secs => $3),
                http_status = $4, failure = $5 WHERE id = $1",
        )
        .bind(due.id)
        .bind(status)
        .bind(how.again.unwrap_or_default().as_secs_f64())
        .bind(how.http_status)
        .bind(&how.failure)
        .execute(&mut *transaction)
        .await?;
        if status == "parked" {
            park_behind(&mut transaction, webhook, due).await?;
        }
        if how.failure.is_none() && endpoint.consecutive_failures >= failing {
            sqlx::query(
                "UPDATE webhook_delivery SET next_at = now()
                 WHERE webhook = $1 AND status = 'waiting' AND next_at > now()",
            )
            .bind(webhook)
            .execute(&mut *transaction)
            .await?;
        }
        health(&mut transaction, webhook, how).await?;
        commit(transaction).await
    }

    /// Plans every event from `number` on anew; false when there is no such endpoint. What was
    /// delivered stays in the log.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn webhook_replay(&self, id: Uuid, number: i64, act: &Entry) -> Result<bool, Error> {
        let mut transaction = self.begin().await?;
        if locked(&mut transaction, id).await?.is_none() {
            return Ok(false);
        }
        sqlx::query(
            "DELETE FROM webhook_delivery
             WHERE webhook = $1 AND number >= $2 AND status <> 'delivered'",
        )
        .bind(id)
        .bind(number)
        .execute(&mut *transaction)
        .await?;
        // This gateway's own events have no such number: those that are parked are sent again.
        sqlx::query(
            "UPDATE webhook_delivery SET status = 'waiting', attempts = 0, next_at = now()
             WHERE webhook = $1 AND local IS NOT NULL AND status = 'parked'",
        )
        .bind(id)
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "UPDATE webhook SET cursor = least(cursor, $2 - 1), state = 'enabled',
                consecutive_failures = 0 WHERE id = $1",
        )
        .bind(id)
        .bind(number)
        .execute(&mut *transaction)
        .await?;
        audit_append(&mut transaction, act).await?;
        commit(transaction).await.map(|()| true)
    }

    /// Deliveries of an endpoint before a place in the log, the newest first.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn webhook_deliveries(
        &self,
        id: Uuid,
        before: i64,
        limit: i64,
    ) -> Result<Vec<DeliveryRow>, Error> {
        Ok(sqlx::query_as(
            "SELECT id, number, local, type, status, attempts, next_at, attempted_at, http_status,
                failure FROM webhook_delivery
             WHERE webhook = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        )
        .bind(id)
        .bind(before)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?)
    }

    /// Forgets deliveries that were taken so long ago.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn webhook_sweep(&self, age: Duration) -> Result<(), Error> {
        sqlx::query(
            "DELETE FROM webhook_delivery WHERE status = 'delivered'
                AND attempted_at < now() - make_interval(secs => $1)",
        )
        .bind(age.as_secs_f64())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Deliveries that wait and that are parked, over all endpoints.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn webhook_pending(&self) -> Result<(i64, i64, i64), Error> {
        Ok(sqlx::query_as(
            "SELECT count(*) FILTER (WHERE status = 'waiting'),
                count(*) FILTER (WHERE status = 'parked'),
                coalesce((SELECT extract(epoch FROM now() - at) FROM event
                    WHERE number = min(d.number) FILTER (WHERE status = 'waiting')), 0)::bigint
             FROM webhook_delivery d WHERE status <> 'delivered'",
        )
        .fetch_one(&self.pool)
        .await?)
    }
}

async fn park_behind(
    connection: &mut Connection,
    webhook: Uuid,
    due: &DueRow,
) -> Result<(), Error> {
    // Only if the row itself is there still: a replay may have taken it away.
    sqlx::query(
        "UPDATE webhook_delivery SET status = 'parked'
         WHERE webhook = $1 AND lane = $2 AND status = 'waiting'
            AND EXISTS (SELECT 1 FROM webhook_delivery WHERE id = $3)",
    )
    .bind(webhook)
    .bind(&due.lane)
    .bind(due.id)
    .execute(connection)
    .await?;
    Ok(())
}

async fn health(connection: &mut Connection, webhook: Uuid, how: &Attempted) -> Result<(), Error> {
    sqlx::query(
        "UPDATE webhook SET
            last_success_at = CASE WHEN $2 THEN now() ELSE last_success_at END,
            last_failure_at = CASE WHEN $2 THEN last_failure_at ELSE now() END,
            consecutive_failures = CASE WHEN $2 THEN 0 ELSE consecutive_failures + 1 END,
            state = CASE WHEN $3 THEN 'disabled' ELSE state END
         WHERE id = $1",
    )
    .bind(webhook)
    .bind(how.failure.is_none())
    .bind(how.gone)
    .execute(connection)
    .await?;
    Ok(())
}

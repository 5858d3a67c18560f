//! How long this gateway's own transfers took, by corridor and payout method; it knows no person.
use super::{Error, Store};

/// The latest transfers that are looked at, and how far back.
const LATEST: i64 = 1_000;
const DAYS: i32 = 90;

/// What a corridor's own history says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usual {
    /// Transfers counted.
    pub count: i64,
    /// Half took at most so long, milliseconds.
    pub p50_ms: i64,
    /// Of a hundred, 95 took at most so long, milliseconds.
    pub p95_ms: i64,
}

impl Store {
    /// From the ledger's first record of a transfer to the creditor's credit, or, where cash is
    /// picked up, to its settlement: how soon somebody comes for it is not the network's doing.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn usual_fetch(
        &self,
        corridor: i64,
        payout_method: &str,
    ) -> Result<Option<Usual>, Error> {
        let row: (i64, Option<i64>, Option<i64>) = sqlx::query_as(
            "WITH latest AS (
                SELECT submitted_at, CASE payout_method WHEN 'cash_pickup' THEN settled_at
                    ELSE credited_at END AS done_at
                FROM transfer
                WHERE corridor = $1 AND payout_method = $2 AND outgoing AND return_of IS NULL
                    AND settled_at IS NOT NULL AND settled_at > now() - make_interval(days => $4)
                ORDER BY id DESC LIMIT $3
             ), took AS (
                SELECT (extract(epoch FROM done_at - submitted_at) * 1000)::bigint AS ms
                FROM latest WHERE done_at IS NOT NULL AND submitted_at IS NOT NULL
             )
             SELECT count(*), percentile_disc(0.50) WITHIN GROUP (ORDER BY ms),
                percentile_disc(0.95) WITHIN GROUP (ORDER BY ms) FROM took",
        )
        .bind(corridor)
        .bind(payout_method)
        .bind(LATEST)
        .bind(DAYS)
        .fetch_one(&self.pool)
        .await?;
        let (count, p50_ms, p95_ms) = row;
        Ok(p50_ms.zip(p95_ms).map(|(p50_ms, p95_ms)| Usual { count, p50_ms, p95_ms }))
    }
}

//! What was seen on servicers' SFTP servers, and what of it was fetched. It must never know what is in a file.

use time::OffsetDateTime;

use super::{Office, column, counted, failed};
use crate::error::Error;

/// A file as a server lists it.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) modified: OffsetDateTime,
}

/// What is known of it as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Fetched,
    Since(OffsetDateTime),
}

impl Office {
    /// Notes files as they are now; tells in order since when each is as it is, or that it was fetched.
    pub(crate) async fn pulls_seen(
        &self,
        server: &str,
        listed: &[Listed],
        now: OffsetDateTime,
    ) -> Result<Vec<Seen>, Error> {
        let rows = sqlx::query(
            "WITH there AS (
                SELECT * FROM UNNEST($2::text[], $3::bigint[], $4::timestamptz[])
                    WITH ORDINALITY AS t (name, bytes, modified, place)),
             new AS (
                INSERT INTO office.pulls (server, name, bytes, modified, seen_at)
                SELECT $1, name, bytes, modified, $5 FROM there
                ON CONFLICT (server, name, bytes, modified) DO NOTHING)
             SELECT COALESCE(p.seen_at, $5) AS seen_at, p.fetched_at IS NOT NULL AS fetched
             FROM there t LEFT JOIN office.pulls p ON p.server = $1 AND p.name = t.name
                AND p.bytes = t.bytes AND p.modified = t.modified
             ORDER BY t.place",
        )
        .bind(server)
        .bind(listed.iter().map(|file| file.name.as_str()).collect::<Vec<_>>())
        .bind(listed.iter().map(|file| counted(file.bytes)).collect::<Vec<_>>())
        .bind(listed.iter().map(|file| file.modified).collect::<Vec<_>>())
        .bind(now)
        .fetch_all(&self.pool)
        .await
        .map_err(failed("note files of a server"))?;
        let seen = |row: &sqlx::postgres::PgRow| {
            let fetched: bool = column(row, "fetched")?;
            Ok(if fetched { Seen::Fetched } else { Seen::Since(column(row, "seen_at")?) })
        };
        rows.iter().map(seen).collect()
    }

    /// Notes that a file was fetched as it is.
    pub(crate) async fn pull_fetched(
        &self,
        server: &str,
        file: &Listed,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        sqlx::query(
            "UPDATE office.pulls SET fetched_at = GREATEST($5, seen_at)
             WHERE server = $1 AND name = $2 AND bytes = $3 AND modified = $4",
        )
        .bind(server)
        .bind(&file.name)
        .bind(counted(file.bytes))
        .bind(file.modified)
        .bind(now)
        .execute(&self.pool)
        .await
        .map_err(failed("note a fetched file"))?;
        Ok(())
    }
}

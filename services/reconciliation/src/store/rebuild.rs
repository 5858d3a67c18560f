//! Makes schema `ledger` anew beside the one that is there, in one SQL transaction: until it ends, and after any crash, nothing has changed. It touches no other schema.
use std::{iter, time::Duration};

use futures_util::StreamExt;
use ledger_proof::{
    codec::Digest,
    tree::{Frontier, sha256},
};
use sqlx::{Connection, PgConnection, Row};
use tokio::sync::mpsc;

use super::{
    Batch, Cursor, Error, Store,
    batch::{Booked, Stage},
    migrator, unsigned,
};

/// The tables, each with what orders its rows.
pub const TABLES: [(&str, &str); 10] = [
    ("records", "sequence"),
    ("entries", "entry"),
    ("currencies", "currency"),
    ("participants", "participant"),
    ("accounts", "account"),
    ("balances", "account"),
    ("transfers", "uetr, debtor_agent"),
    ("postings", "sequence, leg"),
    ("recalls", "debtor_agent, recall_case"),
    ("cursor", "only_row"),
];
/// Views of schema `report` that are made with the schema, and move with it.
const OWN_VIEWS: [&str; 4] =
    ["report.transfers", "report.corridor_days", "report.balances", "report.fees"];
/// How often the former tables are tried to be dropped while somebody reads them.
const DROP_TRIES: u32 = 30;
const DROP_PAUSE: Duration = Duration::from_secs(1);

/// What a table was, and what it is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Rebuilt {
    /// Which table.
    pub table: &'static str,
    /// Rows there were.
    pub rows_before: u64,
    /// Rows there are.
    pub rows_after: u64,
    /// SHA-256 of all rows there were, in the order of their keys, in hexadecimal.
    pub sha256_before: String,
    /// Of those there are.
    pub sha256_after: String,
}

impl Rebuilt {
    /// Whether the bytes are equal.
    #[must_use]
    pub fn equal(&self) -> bool {
        self.sha256_before == self.sha256_after
    }
}

/// What a rebuild would do.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Plan {
    /// Records before this number are read again.
    pub records: u64,
    /// What schema `ledger` takes on disk; as much again is needed for the time of the rebuild.
    pub bytes: u64,
    /// Views and foreign keys of others that stand on the tables: with one, nothing is rebuilt.
    pub obstacles: Vec<String>,
}

impl Store {
    /// What a rebuild would do, without doing it.
    ///
    /// # Errors
    /// When the database does not answer, or has no schema `ledger`.
    pub async fn rebuild_plan(&self) -> Result<Plan, Error> {
        let failed = || Error::statement("look at schema ledger");
        let mut connection = self.pool.acquire().await.map_err(failed())?;
        let row = sqlx::query(
            "SELECT (SELECT next_sequence FROM ledger.cursor) AS records,
                 (SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c
                  WHERE c.relnamespace = 'ledger'::regnamespace AND c.relkind = 'r') AS bytes",
        )
        .fetch_one(&mut *connection)
        .await
        .map_err(failed())?;
        let obstacles = obstacles(&mut connection).await?;
        Ok(Plan { records: unsigned(&row, "records")?, bytes: unsigned(&row, "bytes")?, obstacles })
    }

    /// Makes the schema anew from batches that begin with record 0 and end before `records` with this
    /// root, and puts it in the place of the one there was. The right to write must be taken before.
    ///
    /// # Errors
    /// When a batch does not come or does not fit, or the database fails: nothing has changed then.
    pub async fn rebuild(
        &self,
        (records, root): (u64, Digest),
        mut batches: mpsc::Receiver<Batch>,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Vec<Rebuilt>, Error> {
        self.drop_former().await?;
        let failed = || Error::statement("rebuild");
        let mut transaction = self.pool.begin().await.map_err(failed())?;
        let connection: &mut PgConnection = &mut transaction;
        sqlx::raw_sql("LOCK TABLE ledger.cursor IN EXCLUSIVE MODE")
            .execute(&mut *connection)
            .await
            .map_err(failed())?;
        if !obstacles(connection).await?.is_empty() {
            return Err(Error::Rebuild("views or keys of others stand on schema ledger"));
        }
        let before = digests(connection, "ledger").await?;
        // Others go on to see the former one by its name until the end.
        sqlx::raw_sql("ALTER SCHEMA ledger RENAME TO ledger_former; CREATE SCHEMA ledger")
            .execute(&mut *connection)
            .await
            .map_err(failed())?;
        migrator().run_direct(None, &mut *connection, false).await.map_err(Error::Migrate)?;
        let mut next =
            Cursor { next_sequence: 0, frontier: Frontier::default(), network: None, epoch: 0 };
        while next.next_sequence < records {
            let batch = batches.recv().await.ok_or(Error::Rebuild("records end too soon"))?;
            let booked = Booked::new(connection, next, &batch, iter::empty()).await?;
            for stage in Stage::ALL {
                booked.write(stage, connection, &batch).await?;
            }
            super::save::cursor(connection, &booked.to).await?;
            next = booked.to;
            progress(next.next_sequence, records);
        }
        if next.next_sequence != records || next.frontier.root() != root {
            return Err(Error::Rebuild("the records make another root"));
        }
        // What follows from no record: who wrote last, and whose the login roles are.
        sqlx::raw_sql(
            "UPDATE ledger.cursor SET epoch = (SELECT epoch FROM ledger_former.cursor);
             INSERT INTO ledger.database_users SELECT * FROM ledger_former.database_users",
        )
        .execute(&mut *connection)
        .await
        .map_err(failed())?;
        let after = digests(connection, "ledger").await?;
        transaction.commit().await.map_err(Error::statement("commit"))?;
        self.drop_former().await?;
        let rebuilt = before.into_iter().zip(after).map(|(before, after)| Rebuilt {
            table: before.0,
            rows_before: before.1,
            rows_after: after.1,
            sha256_before: hex::encode(before.2),
            sha256_after: hex::encode(after.2),
        });
        Ok(rebuilt.collect())
    }

    /// Stored records as a batch, to build from columns.
    ///
    /// # Errors
    /// When a record cannot be read.
    pub async fn stored_batch(&self, first: u64, next: u64) -> Result<Batch, Error> {
        let select = self.records_file(first, next).await?;
        let read = move || super::stored::batch(&select);
        let read = tokio::task::spawn_blocking(read).await.map_err(|_| Error::Stopped)?;
        read.map_err(Error::Copy)
    }

    /// Drops what a rebuild left, once nobody reads it any more.
    async fn drop_former(&self) -> Result<(), Error> {
        let mut connection = self.pool.acquire().await.map_err(Error::statement("rebuild"))?;
        for turn in 1.. {
            match drop_former(&mut connection).await {
                Ok(()) => break,
                Err(failure) if turn >= DROP_TRIES || !failure.transient() => return Err(failure),
                Err(_) => tokio::time::sleep(DROP_PAUSE).await,
            }
        }
        Ok(())
    }
}

async fn drop_former(connection: &mut PgConnection) -> Result<(), Error> {
    let failed = || Error::statement("drop the former schema");
    let mut transaction = connection.begin().await.map_err(failed())?;
    sqlx::raw_sql("SET LOCAL lock_timeout = '2s'; DROP SCHEMA IF EXISTS ledger_former CASCADE")
        .execute(&mut *transaction)
        .await
        .map_err(failed())?;
    transaction.commit().await.map_err(failed())
}

/// What others built on the tables, which would go with them.
async fn obstacles(connection: &mut PgConnection) -> Result<Vec<String>, Error> {
    let rows = sqlx::query(
        "SELECT DISTINCT c.oid::regclass::text AS name
         FROM pg_depend d JOIN pg_rewrite r ON d.objid = r.oid AND d.classid = 'pg_rewrite'::regclass
             JOIN pg_class c ON c.oid = r.ev_class
             JOIN pg_class s ON s.oid = d.refobjid AND d.refclassid = 'pg_class'::regclass
         WHERE s.relnamespace = 'ledger'::regnamespace
             AND c.relnamespace <> 'ledger'::regnamespace
             AND NOT (c.oid::regclass::text = ANY ($1))
         UNION
         SELECT DISTINCT k.conrelid::regclass::text FROM pg_constraint k
             JOIN pg_class s ON s.oid = k.confrelid JOIN pg_class o ON o.oid = k.conrelid
         WHERE s.relnamespace = 'ledger'::regnamespace AND o.relnamespace <> s.relnamespace
         ORDER BY 1",
    )
    .bind(OWN_VIEWS.as_slice())
    .fetch_all(connection)
    .await
    .map_err(Error::statement("look for what stands on schema ledger"))?;
    let name = |row: &sqlx::postgres::PgRow| {
        row.try_get("name").map_err(|_| Error::Unreadable { column: "relname" })
    };
    rows.iter().map(name).collect()
}

/// Rows and digest of each table.
async fn digests(
    connection: &mut PgConnection,
    schema: &str,
) -> Result<Vec<(&'static str, u64, Digest)>, Error> {
    let mut digests = Vec::with_capacity(TABLES.len());
    for (table, order) in TABLES {
        let select = format!("COPY (SELECT * FROM {schema}.{table} ORDER BY {order}) TO STDOUT");
        let (rows, digest) = digest(connection, &select).await?;
        digests.push((table, rows, digest));
    }
    Ok(digests)
}

async fn digest(connection: &mut PgConnection, select: &str) -> Result<(u64, Digest), Error> {
    let failed = || Error::statement("read a table");
    let mut rows = connection.copy_out_raw(select).await.map_err(failed())?;
    // A chain over rows: sha256(so far, row), so that no table must fit into memory.
    let (mut count, mut chain) = (0, [0; 32]);
    while let Some(row) = rows.next().await {
        chain = sha256(&[&chain, &row.map_err(failed())?]);
        count += 1;
    }
    Ok((count, chain))
}

//! Figures out of schemas `ledger` and `office` as they were at one record and one act. It must never see a row of later,
//! nor believe records whose columns do not make the ledger's root.

use futures_util::TryStreamExt as _;
use ledger_proof::codec::{Digest, Field as _};
use ledger_proof::record::{Part, RecordKind, leaf_of, part_digest};
use ledger_proof::tree::Frontier;
use ledger_types::{Money, Timestamp};
use sha2::{Digest as _, Sha256};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::{PgConnection, PgPool, Row};
use time::{Date, macros::format_description};

use crate::error::Error;
use crate::kind::{Asked, Kind};
use crate::table::{Cell, Column, Holds, Table};

pub mod gateway;

/// From where figures are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub network: Digest,
    /// Records from 0 that count.
    pub records: u64,
    /// The RFC 6962 root over them, from the columns of the tables; none where a participant's gateway does not know it.
    pub root: Option<Digest>,
    /// Acts of the office that count, 0 where there is no office; of a gateway its screenings.
    pub acts: i64,
    /// SHA-256 of the query.
    pub query: Digest,
}

impl Position {
    /// The root for people; a dash where nobody knows it.
    #[must_use]
    pub fn root_shown(&self) -> String {
        self.root.map_or_else(|| "-".to_owned(), hex::encode)
    }
}

/// The tables that reports are made of.
#[derive(Clone, Debug)]
pub struct Reports {
    pool: PgPool,
    rows_max: usize,
}

impl Reports {
    /// Prepares connections, which are made when first used.
    ///
    /// # Errors
    /// When the address is none.
    pub fn new(database_url: &str) -> Result<Self, Error> {
        let options: PgConnectOptions = database_url.parse().map_err(|_| Error::Invalid {
            field: "database",
            reason: "must be postgres://user@host:port/database".to_owned(),
        })?;
        let pool = PgPoolOptions::new()
            .max_connections(2)
            .connect_lazy_with(options.application_name("reports"));
        Ok(Self { pool, rows_max: usize::MAX })
    }

    /// The same, for whoever can take no more than so many rows.
    #[must_use]
    pub fn rows_max(self, rows_max: usize) -> Self {
        Self { pool: self.pool, rows_max }
    }

    /// A report's figures, and from where they are.
    ///
    /// # Errors
    /// When something asked is wrong or not there yet, or the records are not the ledger's.
    pub async fn make(&self, asked: &Asked) -> Result<(Table, Position), Error> {
        asked.check()?;
        let mut transaction = self.pool.begin().await.map_err(failed("begin"))?;
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            .execute(&mut *transaction)
            .await
            .map_err(failed("begin"))?;
        let (network, records, root) = swept(&mut transaction, asked.records).await?;
        let acts = acts(&mut transaction, asked).await?;
        let query = query(asked.kind)?;
        let rows = figures(&mut transaction, asked, (records, acts), self.rows_max).await?;
        let table = Table { columns: asked.kind.columns().to_vec(), rows };
        let query = Sha256::digest(query).into();
        Ok((table, Position { network, records, root: Some(root), acts, query }))
    }
}

fn query(kind: Kind) -> Result<&'static str, Error> {
    match kind {
        Kind::Corridors => Ok(include_str!("store/corridors.sql")),
        Kind::Liquidity => Ok(include_str!("store/liquidity.sql")),
        Kind::Covered => Ok(include_str!("store/covered.sql")),
        Kind::Breaks => Ok(include_str!("store/breaks.sql")),
        Kind::Audit => Ok(include_str!("store/audit.sql")),
        Kind::Thresholds | Kind::TravelRule | Kind::Screening => {
            let reason =
                format!("{} is made of a participant's own gateway: give --gateway", kind.name());
            Err(Error::Invalid { field: "report", reason })
        }
    }
}

/// Network, number of records asked for, and the root over them; every record of the tables is
/// hashed anew, and all of them must make the root that the tables were written with.
async fn swept(
    connection: &mut PgConnection,
    asked: Option<u64>,
) -> Result<(Digest, u64, Digest), Error> {
    let cursor = sqlx::query("SELECT frontier, network FROM ledger.cursor")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed("read cursor"))?;
    let frontier: Vec<u8> = column(&cursor, "frontier")?;
    let frontier = Frontier::from_bytes(&frontier).map_err(|_| Error::Unreadable("frontier"))?;
    let network: Vec<u8> = column(&cursor, "network")?;
    let network = Digest::try_from(network).map_err(|_| Error::Behind { holds: 0, wanted: 1 })?;
    let records = asked.unwrap_or(frontier.size());
    if records == 0 || records > frontier.size() {
        return Err(Error::Behind { holds: frontier.size(), wanted: records.max(1) });
    }
    let (mut own, mut root) = (Frontier::default(), None);
    let mut rows = sqlx::query(
        "SELECT sequence, kind, at_micros, shared, debtor, creditor, liquidity_1, liquidity_2,
            operator, salts FROM ledger.records WHERE sequence < $1 ORDER BY sequence",
    )
    .bind(i64::try_from(frontier.size()).unwrap_or(i64::MAX))
    .fetch(connection);
    while let Some(row) = rows.try_next().await.map_err(failed("read records"))? {
        own.push(leaf(&row)?);
        if own.size() == records {
            root = Some(own.root());
        }
    }
    match root.filter(|_| own == frontier) {
        Some(root) => Ok((network, records, root)),
        None => Err(Error::Altered),
    }
}

/// The RFC 6962 leaf hash of a record's columns.
fn leaf(row: &PgRow) -> Result<Digest, Error> {
    const COLUMNS: [&str; 6] =
        ["shared", "debtor", "creditor", "liquidity_1", "liquidity_2", "operator"];
    let kind: i16 = column(row, "kind")?;
    let kind = u8::try_from(kind).ok().and_then(RecordKind::from_code);
    let kind = kind.ok_or(Error::Unreadable("kind"))?;
    let sequence: i64 = column(row, "sequence")?;
    let sequence = u64::try_from(sequence).map_err(|_| Error::Unreadable("sequence"))?;
    let at: i64 = column(row, "at_micros")?;
    let at = u64::try_from(at).map_err(|_| Error::Unreadable("at_micros"))?;
    let salts: &[u8] = row.try_get("salts").map_err(|_| Error::Unreadable("salts"))?;
    let mut digests = [Digest::default(); 6];
    for (part, name) in Part::ALL.into_iter().zip(COLUMNS) {
        let bytes: Option<&[u8]> = row.try_get(name).map_err(|_| Error::Unreadable("parts"))?;
        let salt = salts.chunks_exact(32).nth(part.index());
        let salt = salt.and_then(|salt| Digest::try_from(salt).ok());
        digests[part.index()] = part_digest(salt.as_ref(), bytes.unwrap_or_default());
    }
    Ok(leaf_of(kind, sequence, Timestamp::from_micros(at), &digests))
}

/// The acts asked for; none where the database has no office and none is needed.
async fn acts(connection: &mut PgConnection, asked: &Asked) -> Result<i64, Error> {
    let office: bool = sqlx::query_scalar("SELECT to_regclass('office.acts') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed("look for the office"))?;
    let holds: i64 = match office {
        true => sqlx::query_scalar("SELECT coalesce(max(act), 0) FROM office.acts")
            .fetch_one(connection)
            .await
            .map_err(failed("read acts"))?,
        false => 0,
    };
    let wanted = asked.acts.unwrap_or(holds);
    if wanted < 0 || wanted > holds || (!office && !asked.kind.of_days()) {
        return Err(Error::OfficeBehind { holds, wanted: wanted.max(1) });
    }
    Ok(wanted)
}

async fn figures(
    connection: &mut PgConnection,
    asked: &Asked,
    (records, acts): (u64, i64),
    rows_max: usize,
) -> Result<Vec<Vec<Cell>>, Error> {
    let (from, to) = asked.days();
    let participant = asked.participant.map(i64::from);
    let query = sqlx::query(query(asked.kind)?);
    let query = match asked.kind {
        Kind::Breaks => query.bind(acts).bind(participant).bind(&asked.currency),
        Kind::Audit => query.bind(acts),
        Kind::Corridors
        | Kind::Liquidity
        | Kind::Covered
        | Kind::Thresholds
        | Kind::TravelRule
        | Kind::Screening => query
            .bind(i64::try_from(records).unwrap_or(i64::MAX))
            .bind(&asked.zone)
            .bind(from)
            .bind(to)
            .bind(participant)
            .bind(&asked.currency),
    };
    let query = match (asked.kind, asked.above) {
        (Kind::Covered, Some(above)) => query.bind(above.to_string()),
        (Kind::Corridors, _) => {
            let own = asked.usd200.iter();
            let units = |money: &Money| i64::try_from(money.minor_units).unwrap_or(i64::MAX);
            query
                .bind(own.clone().map(|money| money.currency.to_string()).collect::<Vec<_>>())
                .bind(own.map(units).collect::<Vec<_>>())
        }
        _ => query,
    };
    let (mut rows, mut out) = (query.fetch(connection), Vec::new());
    while let Some(row) = rows.try_next().await.map_err(of_zone(asked))? {
        if out.len() == rows_max {
            return Err(Error::TooLong { rows_max });
        }
        out.push(cells(asked.kind, &row)?);
    }
    Ok(out)
}

/// Why figures were not read: the database knows no such time zone, or failed.
pub(crate) fn of_zone(asked: &Asked) -> impl FnOnce(sqlx::Error) -> Error {
    move |source| match asked.kind.of_days() {
        true if named(&source, "22023") => Error::Invalid {
            field: "zone",
            reason: format!("{} is no time zone that the database knows", asked.zone),
        },
        _ => failed("read figures")(source),
    }
}

fn named(error: &sqlx::Error, state: &str) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == state)
}

fn cells(kind: Kind, row: &PgRow) -> Result<Vec<Cell>, Error> {
    kind.columns().iter().map(|own| cell(*own, row)).collect()
}

/// The value of a column; the decimals of an amount stand in another.
fn cell(own: Column, row: &PgRow) -> Result<Cell, Error> {
    let Column { name, holds: Holds::Amount } = own else { return plain_cell(own, row) };
    let units: Option<String> = column(row, name)?;
    let Some(units) = units else { return Ok(Cell::Empty) };
    let exponent: Option<i16> = column(row, exponent(name))?;
    let units = units.parse().map_err(|_| Error::Unreadable(name))?;
    let decimals = exponent.and_then(|places| u32::try_from(places).ok());
    let decimals = decimals.ok_or(Error::Unreadable(name))?;
    Ok(Cell::Amount { units, decimals })
}

/// The value of a column that is no amount.
pub(crate) fn plain_cell(Column { name, holds }: Column, row: &PgRow) -> Result<Cell, Error> {
    match holds {
        Holds::Amount => Err(Error::Unreadable(name)),
        Holds::Share => {
            let millionths: Option<i64> = column(row, name)?;
            Ok(millionths.map_or(Cell::Empty, Cell::Share))
        }
        Holds::Time => {
            let micros: Option<i64> = column(row, name)?;
            Ok(micros.map_or(Cell::Empty, Cell::Time))
        }
        Holds::Day => {
            let text: String = column(row, name)?;
            let day = Date::parse(&text, format_description!("[year]-[month]-[day]"));
            day.map(Cell::Day).map_err(|_| Error::Unreadable(name))
        }
        Holds::Count => {
            let count: Option<i64> = column(row, name)?;
            Ok(count.map_or(Cell::Empty, Cell::Count))
        }
        Holds::Text => Ok(Cell::text(column(row, name)?)),
    }
}

/// The column that says how many decimals an amount has: those of the currency that was paid, or that was debited.
const fn exponent(name: &str) -> &'static str {
    match name.as_bytes() {
        b"source_amount" | b"fees_amount" | b"cost_amount" => "source_exponent",
        _ => "exponent",
    }
}

pub(crate) fn failed(statement: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
    move |source| Error::Database { statement, source: Box::new(source) }
}

pub(crate) fn column<'r, T>(row: &'r PgRow, name: &'static str) -> Result<T, Error>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    row.try_get(name).map_err(|_| Error::Unreadable(name))
}

/// A number of Postgres that is none below 0.
pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

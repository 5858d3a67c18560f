//! Reports of a participant's own gateway: what it alone holds of the people behind transfers. It must never write a row,
//! nor tell a name, an account or a document of anybody.

use futures_util::TryStreamExt as _;
use ledger_proof::codec::Digest;
use ledger_types::{Currency, PayoutMethod};
use sha2::{Digest as _, Sha256};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::{PgConnection, PgPool};
use time::Date;

use super::{Position, column, failed, of_zone, plain_cell, unsigned};
use crate::error::Error;
use crate::kind::{Asked, Kind};
use crate::made::Signer;
use crate::persons::{self, Customer, Movement};
use crate::table::{Cell, Column, Holds, Table};

/// A gateway's tables, and what its participant says of them.
#[derive(Clone, Debug)]
pub struct Gateway {
    pool: PgPool,
    network: Digest,
    root: Option<Digest>,
}

impl Gateway {
    /// Prepares connections to a gateway's schema; the network and, where it is known, the root over the records asked for
    /// are the participant's word.
    ///
    /// # Errors
    /// When the address or the schema is none.
    pub fn new(
        database_url: &str,
        schema: &str,
        (network, root): (Digest, Option<Digest>),
    ) -> Result<Self, Error> {
        let invalid = |field, reason: &str| Error::Invalid { field, reason: reason.to_owned() };
        let options: PgConnectOptions = database_url
            .parse()
            .map_err(|_| invalid("gateway", "must be postgres://user@host:port/database"))?;
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if !(1..=63).contains(&schema.len()) || !schema.bytes().all(letter) {
            return Err(invalid("schema", "must be 1 to 63 of a-z, 0-9 and _"));
        }
        let options = options.application_name("reports").options([("search_path", schema)]);
        let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(options);
        Ok(Self { pool, network, root })
    }

    /// A report's figures, and from where they are; persons are digests under a key that follows from the signer's.
    ///
    /// # Errors
    /// When something asked is wrong or not there yet.
    pub async fn make(&self, asked: &Asked, signer: &Signer) -> Result<(Table, Position), Error> {
        asked.check()?;
        let mut transaction = self.pool.begin().await.map_err(failed("begin"))?;
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            .execute(&mut *transaction)
            .await
            .map_err(failed("begin"))?;
        let (records, acts) = range(&mut transaction, asked).await?;
        let (query, rows) = match asked.kind {
            Kind::TravelRule => travel_rule(&mut transaction, asked, records).await?,
            Kind::Screening => screening(&mut transaction, asked, acts).await?,
            Kind::Thresholds => {
                thresholds(&mut transaction, asked, (records, &signer.persons())).await?
            }
            Kind::Corridors | Kind::Liquidity | Kind::Covered | Kind::Breaks | Kind::Audit => {
                let reason = format!("{} is made of the network's tables", asked.kind.name());
                return Err(Error::Invalid { field: "gateway", reason });
            }
        };
        let table = Table { columns: asked.kind.columns().to_vec(), rows };
        let (network, root) = (self.network, self.root);
        let query = Sha256::digest(query).into();
        Ok((table, Position { network, records, root, acts, query }))
    }
}

type Made = Result<(&'static str, Vec<Vec<Cell>>), Error>;

/// Records up to the gateway's last own one, and screenings; no more than it has.
async fn range(connection: &mut PgConnection, asked: &Asked) -> Result<(u64, i64), Error> {
    let (holds, screenings): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT coalesce(max(sequence) + 1, 0) FROM event), (SELECT coalesce(max(id), 0) FROM screening)",
    )
    .fetch_one(connection)
    .await
    .map_err(failed("read how far the gateway is"))?;
    let holds = unsigned(holds);
    let records = asked.records.unwrap_or(holds);
    if records == 0 || records > holds {
        return Err(Error::GatewayBehind { holds, wanted: records.max(1) });
    }
    let acts = match asked.kind {
        Kind::Screening => asked.acts.unwrap_or(screenings),
        Kind::Corridors
        | Kind::Liquidity
        | Kind::Covered
        | Kind::Breaks
        | Kind::Audit
        | Kind::Thresholds
        | Kind::TravelRule => 0,
    };
    if acts < 0 || acts > screenings {
        return Err(Error::ScreeningsBehind { holds: screenings, wanted: acts });
    }
    Ok((records, acts))
}

fn signed(records: u64) -> i64 {
    i64::try_from(records).unwrap_or(i64::MAX)
}

async fn travel_rule(connection: &mut PgConnection, asked: &Asked, records: u64) -> Made {
    let text = include_str!("gateway/travel_rule.sql");
    let (from, to) = asked.days();
    let mut rows = sqlx::query(text)
        .bind(signed(records))
        .bind(&asked.zone)
        .bind(from)
        .bind(to)
        .bind(&asked.currency)
        .fetch(connection);
    let mut out = Vec::new();
    while let Some(row) = rows.try_next().await.map_err(of_zone(asked))? {
        let mut cells = Vec::new();
        for own in asked.kind.columns() {
            cells.push(match own.name {
                "missing" => missing(asked, &row)?,
                _ => cell(*own, &row)?,
            });
        }
        out.push(cells);
    }
    Ok((text, out))
}

/// Which of the fields asked for did not travel.
fn missing(asked: &Asked, row: &PgRow) -> Result<Cell, Error> {
    let mut words = Vec::new();
    for field in &asked.required {
        if column::<String>(row, field)? == "no" {
            words.push(*field);
        }
    }
    Ok(Cell::text(Some(words.join(" "))))
}

async fn screening(connection: &mut PgConnection, asked: &Asked, acts: i64) -> Made {
    let text = include_str!("gateway/screening.sql");
    let (from, to) = asked.days();
    let mut rows = sqlx::query(text)
        .bind(acts)
        .bind(&asked.zone)
        .bind(from)
        .bind(to)
        .bind(asked.participant.map(i64::from))
        .fetch(connection);
    let mut out = Vec::new();
    while let Some(row) = rows.try_next().await.map_err(of_zone(asked))? {
        let cells = asked.kind.columns().iter().map(|own| cell(*own, &row));
        out.push(cells.collect::<Result<_, _>>()?);
    }
    Ok((text, out))
}

async fn thresholds(
    connection: &mut PgConnection,
    asked: &Asked,
    (records, key): (u64, &Digest),
) -> Made {
    let text = include_str!("gateway/thresholds.sql");
    let (from, to) = asked.days();
    let mut rows = sqlx::query(text)
        .bind(signed(records))
        .bind(&asked.zone)
        .bind(from)
        .bind(to)
        .bind(&asked.currency)
        .fetch(connection);
    let mut movements = Vec::new();
    while let Some(row) = rows.try_next().await.map_err(of_zone(asked))? {
        movements.push(movement(&row)?);
    }
    let currency = asked.currency.clone().unwrap_or_default();
    let decimals = decimals(&currency)?;
    let reached = |total: u128| match (asked.above, asked.least) {
        (Some(above), _) => total > u128::from(above),
        (None, Some(least)) => total >= u128::from(least),
        (None, None) => true,
    };
    let mut out = Vec::new();
    for ((day, person), moved) in persons::days(&movements, key) {
        // What nobody can be told of is always told.
        if !person.is_empty() && !reached(moved.total(asked.cash)) {
            continue;
        }
        let amount = |units: u128| -> Result<Cell, Error> {
            let units = i128::try_from(units).map_err(|_| Error::Unreadable("amount"))?;
            Ok(Cell::Amount { units, decimals })
        };
        out.push(vec![
            Cell::Day(day),
            Cell::text(Some(person)),
            Cell::Text(currency.clone()),
            amount(moved.sent + moved.received)?,
            amount(moved.sent)?,
            amount(moved.received)?,
            amount(moved.cash)?,
            Cell::Count(i64::try_from(moved.uetrs.len()).unwrap_or(i64::MAX)),
            Cell::text(Some(moved.uetrs.join(" "))),
        ]);
    }
    Ok((text, out))
}

fn movement(row: &PgRow) -> Result<Movement, Error> {
    let day: Date = column(row, "day")?;
    let units: i64 = column(row, "own_amount")?;
    let method: String = column(row, "payout_method")?;
    let customer = Customer {
        name: column(row, "name")?,
        account: column(row, "account")?,
        date_of_birth: column(row, "date_of_birth")?,
        national_identifier: column(row, "national_identifier")?,
        customer_identification: column(row, "customer_identification")?,
    };
    let sent: bool = column(row, "outgoing")?;
    Ok(Movement {
        day,
        uetr: column(row, "uetr")?,
        sent,
        cash: !sent && method == PayoutMethod::CashPickup.as_str(),
        units: unsigned(units),
        customer: Some(customer).filter(|own| *own != Customer::default()),
    })
}

/// The value of a column; an amount is of its row's currency.
fn cell(own: Column, row: &PgRow) -> Result<Cell, Error> {
    let name = own.name;
    match own.holds {
        Holds::Amount => {
            let (units, currency): (String, String) =
                (column(row, name)?, column(row, "currency")?);
            let units = units.parse().map_err(|_| Error::Unreadable(name))?;
            Ok(Cell::Amount { units, decimals: decimals(&currency)? })
        }
        Holds::Text | Holds::Day | Holds::Count | Holds::Share | Holds::Time => {
            plain_cell(own, row)
        }
    }
}

fn decimals(currency: &str) -> Result<u32, Error> {
    let exponent = currency.parse::<Currency>().ok().and_then(Currency::exponent);
    exponent.map(u32::from).ok_or(Error::Unreadable("currency"))
}

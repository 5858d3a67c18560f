//! Which account of a statement is which of the ledger, and the column maps of CSV files.

use serde_json::json;
use services_statements::csv::ColumnMap;
use sqlx::{PgConnection, postgres::PgRow};
use time::OffsetDateTime;

use super::{Act, Office, act, column, commit, failed, parsed, participant};
use crate::{actor::Actor, bridge::Leg, error::Error};

/// An account to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccount {
    /// As statements name it.
    pub identification: String,
    pub currency: String,
    pub leg: Leg,
    /// The custodian, or the account's owner.
    pub participant: u32,
    /// The custody account of the currency, or the owner's account.
    pub ledger_account: u64,
    /// `statement`, `report` or `notification`: the messages that state every movement once.
    pub compared: String,
    /// Days by which value dates of one movement may differ.
    pub value_date_days: i16,
    /// Days by which value dates may differ where no reference names the movement.
    pub search_days: i16,
    /// The largest difference that counts as a charge, minor units.
    pub charges_max: u64,
}

impl NewAccount {
    /// An account of statements with the usual rules.
    #[must_use]
    pub fn of(
        identification: &str,
        currency: &str,
        leg: Leg,
        participant: u32,
        ledger_account: u64,
    ) -> Self {
        Self {
            identification: identification.to_owned(),
            currency: currency.to_owned(),
            leg,
            participant,
            ledger_account,
            compared: "statement".to_owned(),
            value_date_days: 0,
            search_days: 2,
            charges_max: 0,
        }
    }
}

/// A kept account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    pub account: i64,
    pub own: NewAccount,
}

/// A kept column map.
#[derive(Clone, Debug)]
pub struct MapRow {
    pub name: String,
    pub revision: i32,
    pub map: ColumnMap,
    pub saved_at: OffsetDateTime,
}

pub(super) const COLUMNS: &str = "account, identification, currency, leg, participant,
    ledger_account::text AS ledger_account, compared, value_date_days, search_days,
    charges_max::text AS charges_max";

pub(super) fn account(row: &PgRow) -> Result<AccountRow, Error> {
    let leg: String = column(row, "leg")?;
    Ok(AccountRow {
        account: column(row, "account")?,
        own: NewAccount {
            identification: column(row, "identification")?,
            currency: column(row, "currency")?,
            leg: Leg::of(&leg).ok_or_else(|| super::unreadable("leg"))?,
            participant: participant(row, "participant")?,
            ledger_account: parsed(row, "ledger_account")?,
            compared: column(row, "compared")?,
            value_date_days: column(row, "value_date_days")?,
            search_days: column(row, "search_days")?,
            charges_max: parsed(row, "charges_max")?,
        },
    })
}

impl Office {
    /// Keeps an account, or changes the rules of one that is kept. The ledger must have it, in that currency, as the
    /// custody account or as its owner's. What the ledger booked on it before is read anew.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the ledger says otherwise, [`Error::Exists`] where another statement account stands for it.
    pub async fn account_put(
        &self,
        actor: &Actor,
        new: &NewAccount,
        now: OffsetDateTime,
    ) -> Result<i64, Error> {
        actor.may_keep()?;
        let mut transaction = self.begin().await?;
        agrees(&mut transaction, new).await?;
        let row = sqlx::query(
            "INSERT INTO office.accounts (identification, currency, leg, participant, ledger_account, compared,
                value_date_days, search_days, charges_max)
             VALUES ($1, $2, $3, $4, $5::numeric, $6, $7, $8, $9::numeric)
             ON CONFLICT (identification, currency) DO UPDATE SET compared = $6, value_date_days = $7,
                search_days = $8, charges_max = $9::numeric
                WHERE accounts.leg = $3 AND accounts.ledger_account = $5::numeric
             RETURNING account",
        )
        .bind(&new.identification)
        .bind(&new.currency)
        .bind(new.leg.as_str())
        .bind(i64::from(new.participant))
        .bind(new.ledger_account.to_string())
        .bind(&new.compared)
        .bind(new.value_date_days)
        .bind(new.search_days)
        .bind(new.charges_max.to_string())
        .fetch_optional(&mut *transaction)
        .await;
        let exists = || Error::Exists { what: "account", id: new.identification.clone() };
        let row = match row {
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                return Err(exists());
            }
            other => other.map_err(failed("keep account"))?.ok_or_else(exists)?,
        };
        let account: i64 = column(&row, "account")?;
        sqlx::query("UPDATE office.progress SET next_sequence = 0")
            .execute(&mut *transaction)
            .await
            .map_err(failed("read the ledger anew"))?;
        let detail = json!({
            "identification": new.identification,
            "currency": new.currency,
            "leg": new.leg.as_str(),
            "participant": new.participant,
            "ledger_account": new.ledger_account.to_string(),
            "compared": new.compared,
            "value_date_days": new.value_date_days,
            "search_days": new.search_days,
            "charges_max": new.charges_max.to_string(),
        });
        let id = account.to_string();
        let line = Act { verb: "keep", subject: "account", id, detail, actor, now };
        act(&mut transaction, line).await?;
        commit(transaction).await?;
        Ok(account)
    }

    /// The accounts that an actor sees.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn accounts(&self, actor: &Actor) -> Result<Vec<AccountRow>, Error> {
        let text = format!("SELECT {COLUMNS} FROM office.accounts ORDER BY account");
        let rows = sqlx::query(sqlx::AssertSqlSafe(text))
            .fetch_all(&self.pool)
            .await
            .map_err(failed("list accounts"))?;
        let rows = rows.iter().map(account).collect::<Result<Vec<_>, _>>()?;
        Ok(rows.into_iter().filter(|row| actor.sees(row.own.participant)).collect())
    }

    /// Saves a column map; one of that name goes on as a former revision.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a map that contradicts itself.
    pub async fn map_save(
        &self,
        actor: &Actor,
        name: &str,
        map: &ColumnMap,
        now: OffsetDateTime,
    ) -> Result<i32, Error> {
        actor.may_act()?;
        if let Some(finding) = map.check().first() {
            return Err(Error::Invalid { field: "map", reason: finding.to_string() });
        }
        let saved = serde_json::to_value(map)
            .map_err(|error| Error::Invalid { field: "map", reason: error.to_string() })?;
        let mut transaction = self.begin().await?;
        super::turn(&mut transaction, "map").await?;
        let row = sqlx::query(
            "INSERT INTO office.column_maps (name, revision, map, saved_at)
             SELECT $1, coalesce(max(revision), 0) + 1, $2, $3 FROM office.column_maps WHERE name = $1
             RETURNING revision",
        )
        .bind(name)
        .bind(&saved)
        .bind(now)
        .fetch_one(&mut *transaction)
        .await
        .map_err(failed("save map"))?;
        let revision: i32 = column(&row, "revision")?;
        let detail = json!({ "revision": revision });
        let line = Act { verb: "save", subject: "map", id: name.to_owned(), detail, actor, now };
        act(&mut transaction, line).await?;
        commit(transaction).await?;
        Ok(revision)
    }

    /// The newest revision of every map.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn maps(&self) -> Result<Vec<MapRow>, Error> {
        let rows = sqlx::query(
            "SELECT DISTINCT ON (name) name, revision, map, saved_at FROM office.column_maps
             ORDER BY name, revision DESC",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("list maps"))?;
        let map = |row: &PgRow| {
            let saved: serde_json::Value = column(row, "map")?;
            Ok(MapRow {
                name: column(row, "name")?,
                revision: column(row, "revision")?,
                map: serde_json::from_value(saved).map_err(|_| super::unreadable("map"))?,
                saved_at: column(row, "saved_at")?,
            })
        };
        rows.iter().map(map).collect()
    }

    pub(super) async fn map(&self, name: &str) -> Result<ColumnMap, Error> {
        let found = self.maps().await?.into_iter().find(|row| row.name == name);
        found.map(|row| row.map).ok_or_else(|| Error::NotFound { what: "map", id: name.to_owned() })
    }
}

/// Whether the ledger has the account as it is said.
async fn agrees(connection: &mut PgConnection, new: &NewAccount) -> Result<(), Error> {
    let invalid = |field, reason: &str| Error::Invalid { field, reason: reason.to_owned() };
    let known = sqlx::query(
        "SELECT owner, currency, custody FROM ledger.accounts WHERE account = $1::numeric",
    )
    .bind(new.ledger_account.to_string())
    .fetch_optional(connection)
    .await
    .map_err(failed("read the ledger's account"))?
    .ok_or_else(|| invalid("ledger_account", "the ledger has no such account"))?;
    let (owner, currency) = (participant(&known, "owner")?, column::<String>(&known, "currency")?);
    if currency != new.currency {
        return Err(invalid("currency", "the ledger's account is in another one"));
    }
    if column::<bool>(&known, "custody")? != (new.leg == Leg::Custodian) {
        return Err(invalid("leg", "a custody account is told by its custodian, and no other is"));
    }
    if owner != new.participant {
        return Err(invalid("participant", "the ledger's account is another one's"));
    }
    Ok(())
}

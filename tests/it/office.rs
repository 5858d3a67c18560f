//! The back office on a real Postgres: what its tables refuse, and what its acts do. Rows of schema ledger are made here; the
//! whole way from a running network is in `network`.
use std::{fs, sync::Arc};

use ledger_proof::{Field, Item, item::Fund};
use ledger_types::AccountId;
pub(crate) use services_cli::demo::office::{Line, camt053};
use services_cli::demo::postgres::Postgres;
use services_office::{
    Actor, Office, Role, Rules,
    bridge::{Leg, day_number},
    store::NewAccount,
};
use sqlx::PgPool;
use time::{Date, OffsetDateTime, macros::date};

mod breaks;
mod days;
mod intake;
mod journal;
pub(crate) mod network;
mod planted;
mod pull;

/// The custodian, its custody account, and the account of participant 101.
pub(crate) const CUSTODIAN: u32 = 1;
pub(crate) const CUSTODY: u64 = 7;
pub(crate) const MEMBER_ACCOUNT: u64 = u64::MAX;
pub(crate) const MONDAY: Date = date!(2026 - 11 - 23);
pub(crate) const TUESDAY: Date = date!(2026 - 11 - 24);

/// Every day is a business day that is over when it begins.
const CALENDAR: &str = r#"
currency = "CUR"
time_zone = "UTC"
cut_off = "00:00"
weekend = []
source = "made up"
from = "2020-01-01"
to = "2099-12-31"

[holidays]
2026-11-22 = "Day of the Test"
"#;

/// An office with an empty schema ledger beside it.
pub(crate) struct Desk {
    pub(crate) office: Office,
    pub(crate) pool: PgPool,
    pub(crate) url: String,
    _postgres: Arc<Postgres>,
    _folder: tempfile::TempDir,
}

/// Calendars of these currencies.
pub(crate) fn calendars(currencies: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for currency in currencies {
        let text = CALENDAR.replace("CUR", currency);
        fs::write(folder.path().join(format!("{currency}.toml")), text).unwrap();
    }
    folder
}

pub(crate) fn clerk(name: &str) -> Actor {
    Actor::new(name, Role::BackOffice, None).unwrap()
}

pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

impl Desk {
    pub(crate) async fn open() -> Self {
        let postgres = Postgres::shared().unwrap();
        let url = postgres.database().await.unwrap();
        services_reconciliation::Store::new(&url).unwrap().migrate().await.unwrap();
        let folder = calendars(&["HKD"]);
        let rules = Rules { calendars: Some(folder.path().to_owned()), ..Rules::default() };
        let office = Office::new(&url, rules).unwrap();
        office.migrate().await.unwrap();
        office.migrate().await.unwrap();
        let pool = office.pool().clone();
        for statement in [
            "INSERT INTO ledger.currencies VALUES ('HKD', 2, 1, 7)",
            "INSERT INTO ledger.participants VALUES (1, 'HK', 'CWCUHKH0', '', '', 'Test Custodian', FALSE),
                (101, 'HK', 'CWWAHKH0', '', '', 'Test Member', FALSE)",
            "INSERT INTO ledger.accounts VALUES (7, 1, 'HKD', TRUE, FALSE, 0),
                (18446744073709551615, 101, 'HKD', FALSE, FALSE, 0)",
        ] {
            sqlx::query(statement).execute(&pool).await.unwrap();
        }
        Self { office, pool, url, _postgres: postgres, _folder: folder }
    }

    /// The custodian's account, as its statements name it.
    pub(crate) async fn custody(&self) -> i64 {
        let new = NewAccount::of("HK-CUSTODY", "HKD", Leg::Custodian, CUSTODIAN, CUSTODY);
        self.office.account_put(&clerk("ana"), &new, now()).await.unwrap()
    }

    /// Fundings of the member that the ledger booked, one record each.
    pub(crate) async fn funded(&self, fundings: &[(u64, Date, &str)]) {
        for (amount, day, reference) in fundings {
            let row: (i64,) = sqlx::query_as(
                "UPDATE ledger.cursor SET next_sequence = next_sequence + 1 RETURNING next_sequence - 1",
            )
            .fetch_one(&self.pool)
            .await
            .unwrap();
            let item = fund(*amount, *day, reference);
            let subject =
                [day_number(*day).to_be_bytes().as_slice(), reference.as_bytes()].concat();
            let micros = day.midnight().assume_utc().unix_timestamp() * 1_000_000;
            sqlx::query("INSERT INTO ledger.records (sequence, kind, at_micros, salts, item) VALUES ($1, 3, $2, '', $3)")
                .bind(row.0)
                .bind(micros)
                .bind(item.to_bytes())
                .execute(&self.pool)
                .await
                .unwrap();
            sqlx::query(
                "INSERT INTO ledger.postings VALUES ($1, 0, 3, 1, $2, 4, 7, 18446744073709551615, 'HKD', $3::bigint,
                    'posted', $1)",
            )
            .bind(row.0)
            .bind(subject)
            .bind(i64::try_from(*amount).unwrap())
            .execute(&self.pool)
            .await
            .unwrap();
        }
    }

    /// A statement of the custodian, taken in; gives its verdict and the codes of its findings.
    pub(crate) async fn told(
        &self,
        number: u64,
        day: Date,
        opening: i64,
        lines: &[Line],
    ) -> (&'static str, Vec<String>) {
        let text = camt053(("HK-CUSTODY", "HKD"), number, day, opening, lines).unwrap();
        let name = format!("{number}.xml");
        let taken = self
            .office
            .statement_import(&clerk("ana"), &name, text.into_bytes(), None, now())
            .await
            .unwrap();
        let code = |one: &serde_json::Value| one["code"].as_str().unwrap().to_owned();
        (taken.verdict, taken.findings.iter().map(code).collect())
    }
}

pub(crate) fn fund(amount: u64, day: Date, reference: &str) -> Item {
    Item::Fund(Fund {
        nonce: [9; 32],
        account: AccountId(MEMBER_ACCOUNT),
        currency: "HKD".parse().unwrap(),
        amount,
        value_date: day_number(day),
        bank_reference: reference.parse().unwrap(),
    })
}

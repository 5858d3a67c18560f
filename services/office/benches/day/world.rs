//! A day of payments with planted faults, from the ledger's rows to breaks, through the back office alone: its reading of
//! schema `ledger`, its taking in of files, its matching. It knows what was planted, and asks the office's tables what was
//! found.
use std::{
    fs,
    time::{Duration, Instant},
};

use services_office::{Actor, Office, Role, Rules, bridge::Leg, store::NewAccount};
use sqlx::Row as _;
use time::{Date, OffsetDateTime};

mod paper;
mod plan;
mod rows;

use plan::{ACCOUNTS, MEMBERS, Plan};

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
2020-01-01 = "Day of the test"
"#;
/// Charges up to this are charges; above, amounts differ.
const CHARGES_MAX: u64 = plan::CHARGES;

/// Rows of the ledger and files of the custodian, ready to be compared.
pub(crate) struct Day {
    office: Office,
    plan: Plan,
    day: Date,
    files: Vec<(String, Vec<u8>)>,
    made: Duration,
    _folder: tempfile::TempDir,
}

fn clerk() -> Actor {
    Actor::new("clerk", Role::BackOffice, None).unwrap()
}

impl Day {
    /// Makes both books in a database with an empty schema ledger: so many transfers, so many faults.
    pub(crate) async fn begun(url: &str, transfers: u64, faults: u64, seed: u64) -> Self {
        let begun = Instant::now();
        let folder = tempfile::tempdir().unwrap();
        for currency in ["HKD", "USD"] {
            let text = CALENDAR.replace("CUR", currency);
            fs::write(folder.path().join(format!("{currency}.toml")), text).unwrap();
        }
        let rules = Rules { calendars: Some(folder.path().to_owned()), ..Rules::default() };
        let office = Office::new(url, rules).unwrap();
        office.migrate().await.unwrap();
        let day = (OffsetDateTime::now_utc() - time::Duration::days(10)).date();
        let plan = Plan::of(transfers, faults, seed);
        rows::written(office.pool(), &plan, day).await;
        let files = paper::files(&plan, day);
        let own = Self { office, plan, day, files, made: begun.elapsed(), _folder: folder };
        own.kept().await;
        own
    }

    async fn kept(&self) {
        let own = (0..ACCOUNTS)
            .map(|at| (at, "HKD"))
            .chain((0..MEMBERS).map(|at| (ACCOUNTS + at, "USD")));
        for (at, currency) in own {
            let (name, account) = (paper::name(at), plan::ledger_account(at));
            let owner = plan::owner(at);
            let new = NewAccount::of(&name, currency, Leg::Participant, owner, account);
            let new = NewAccount { charges_max: CHARGES_MAX, ..new };
            self.office.account_put(&clerk(), &new, OffsetDateTime::now_utc()).await.unwrap();
        }
    }

    /// Does what the office does of a morning, and judges what came of it. Gives what took how long.
    pub(crate) async fn judged(self) -> Vec<String> {
        let (office, now) = (&self.office, OffsetDateTime::now_utc());
        let bytes: usize = self.files.iter().map(|(_, bytes)| bytes.len()).sum();
        let mut said = vec![format!(
            "{} transfers of {}, {} tellings in {} files, {} MB, made in {:.1?}",
            self.plan.payments.len(),
            self.day,
            self.plan.tellings.len(),
            self.files.len(),
            bytes / 1_000_000,
            self.made
        )];
        let begun = Instant::now();
        let read = office.ledger_read().await.unwrap();
        said.push(format!("{read} legs of the ledger read in {:.1?}", begun.elapsed()));
        assert_eq!(read, u64::try_from(self.plan.payments.len()).unwrap());
        let taking = Instant::now();
        let mut entries = 0;
        for (name, bytes) in self.files {
            let taken = office.statement_import(&clerk(), &name, bytes, None, now).await.unwrap();
            assert_ne!(taken.verdict, "refused", "{taken:?}");
            let only = |one: &serde_json::Value| one["code"] == "DETAILS_SUM_DIFFERS";
            assert!(taken.findings.iter().all(only), "{:?}", taken.findings);
            entries += taken.entries;
        }
        said.push(format!("{entries} entries taken in {:.1?}", taking.elapsed()));
        let matching = Instant::now();
        let matched = office.match_all(now).await.unwrap();
        said.push(format!("{matched:?} in {:.1?}", matching.elapsed()));
        said.push(format!("all of it in {:.1?}", begun.elapsed()));
        said.push(found(office, &self.plan).await);
        let again = Instant::now();
        let changed = office.match_all(now).await.unwrap();
        assert!(!changed.changed(), "a second run changes nothing: {changed:?}");
        said.push(format!("a second run: nothing changes, {:.1?}", again.elapsed()));
        said
    }
}

/// What the office holds for breaks is what was planted.
async fn found(office: &Office, plan: &Plan) -> String {
    let rows = sqlx::query(
        "SELECT b.cause, CASE b.cause
                WHEN 'MISSING_IN_LEDGER' THEN (SELECT m.servicer_reference FROM office.break_movements
                    JOIN office.movements m USING (movement) WHERE break = b.break)
                WHEN 'BATCH_SUM_DIFFERS' THEN (SELECT m.batch FROM office.break_movements
                    JOIN office.movements m USING (movement) WHERE break = b.break AND m.book = 'statement')
                ELSE (SELECT m.uetr::text FROM office.break_movements
                    JOIN office.movements m USING (movement) WHERE break = b.break AND m.book = 'ledger') END AS key
         FROM office.breaks b WHERE b.state = 'open' ORDER BY 1, 2",
    )
    .fetch_all(office.pool())
    .await
    .unwrap();
    let found: Vec<(String, String)> = rows
        .iter()
        .map(|row| (row.get("cause"), row.get::<Option<String>, _>("key").unwrap_or_default()))
        .collect();
    let mut planted = plan.planted.clone();
    planted.sort();
    let mut sorted = found;
    sorted.sort();
    let differ = sorted.iter().zip(&planted).find(|(own, other)| own != other);
    assert_eq!(sorted.len(), planted.len(), "{differ:?}");
    assert_eq!(sorted, planted, "{differ:?}");
    let open: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM office.movements WHERE state IN ('open', 'awaited', 'closed')",
    )
    .fetch_one(office.pool())
    .await
    .unwrap();
    assert_eq!(open, 0, "everything is matched or broken");
    let mut causes: Vec<&str> = planted.iter().map(|(cause, _)| cause.as_str()).collect();
    causes.dedup();
    assert_eq!(causes.len(), 10, "{causes:?}");
    format!("{} breaks, those that were planted, of {} causes", sorted.len(), causes.len())
}

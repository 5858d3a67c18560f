//! The whole way from a running network to a closed day: statements made of the ledger's own fundings and transfers, with
//! faults planted.
use std::{process::Command, sync::Arc, time::Duration};

use ledger_types::ParticipantId;
use serde_json::{Value, json};
use services_cli::{
    demo::{
        network::Running,
        office::{Books, Pair},
        postgres::Postgres,
        processes::binary,
    },
    wallet::Seen,
};
use services_office::{Office, Rules, bridge::Leg, settings::Target, store::BreakRow};
use sqlx::PgPool;
use tests::fresh_uetr;

use super::{calendars, clerk, now};
use crate::iso20022::{shared_data, valid};

const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const HONG_KONG: u32 = 101;

pub(crate) async fn transfer(running: &Running) -> String {
    let (from, to) = (running.wallet("HK").unwrap(), running.wallet("PH").unwrap());
    let uetr = fresh_uetr();
    let order = json!({
        "uetr": uetr,
        "creditor_agent": "102",
        "interbank_settlement_amount": { "amount": "4000.00", "currency": "PHP" },
        "payout_method": "wallet",
        "purpose": "GIFT",
        "debtor": { "name": "Ada Testperson", "account": "+85290000002" },
        "creditor": { "name": "Bea Testperson", "account": "+639000000002" },
    });
    let (status, body) = from.create(&order, PATIENCE).await.unwrap();
    assert_eq!(status.as_u16(), 201, "{body}");
    let seen = to.follow(&uetr, PATIENCE, Seen::ended).await;
    assert_eq!(seen.status, "CREDITED", "{}", seen.body);
    uetr
}

/// Waits until Postgres holds every record of the ledger; gives the last.
pub(crate) async fn reconciled(running: &Running) -> i64 {
    i64::try_from(running.reconciled().await.unwrap().records).unwrap() - 1
}

/// A running network and the books of Hong Kong's day.
pub(crate) struct Floor {
    pub(crate) running: Running,
    pub(crate) books: Books,
    pub(crate) pool: PgPool,
    /// It stops with the last who holds it.
    _postgres: Arc<Postgres>,
}

impl Floor {
    pub(crate) async fn correct(&self, own: &BreakRow) {
        let (books, ana) = (&self.books, clerk("ana"));
        let record = books.correct(&self.running, own).await.unwrap();
        assert!(record > 0);
        let shown = books.office.break_show(&ana, own.id).await.unwrap();
        assert_eq!(shown.row.resolution.as_deref(), Some("cause_gone"));
        assert_eq!(shown.corrections[0].record, Some(record));
    }
}

pub(crate) async fn floor() -> (Floor, tempfile::TempDir) {
    let postgres = Postgres::shared().unwrap();
    let url = postgres.database().await.unwrap();
    let running = Running::start(Some(url.clone()), |_| Ok(())).await.unwrap();
    for _ in 0..3 {
        transfer(&running).await;
    }
    let folder = calendars(&["HKD"]);
    let mut rules = Rules { calendars: Some(folder.path().to_owned()), ..Rules::default() };
    rules.revenue_share_bps.insert(HONG_KONG.to_string(), 2_500);
    let account = u64::from(HONG_KONG) * 1_000 + 344;
    rules.targets.insert(account.to_string(), Target { min: 0, max: 100_000_000 });
    let office = Office::new(&url, rules).unwrap();
    office.migrate().await.unwrap();
    let pool = office.pool().clone();
    reconciled(&running).await;
    let pair = Pair { first: clerk("ana"), second: clerk("ben") };
    let day = office.calendars().day_of("HKD", now());
    let member = ParticipantId(HONG_KONG);
    let books = Books::open(&running, &office, ("HKD", day), member, (pair.clone(), pair)).await;
    assert!(office.ledger_read().await.unwrap() >= 8, "fundings, principals and fees");
    let floor = Floor { running, books: books.unwrap(), pool, _postgres: postgres };
    (floor, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_s_day_is_compared_corrected_and_closed() {
    let (mut floor, _folder) = floor().await;
    let (books, office) = (&floor.books, &floor.books.office);
    let told = books.custodian_tells().await.unwrap();
    let member = books.member_tells().await.unwrap();
    let matched = office.match_all(now()).await.unwrap();
    let rows = books.breaks().await.unwrap();
    let mut causes: Vec<&str> = rows.iter().map(|row| row.cause.as_str()).collect();
    causes.sort_unstable();
    let mut planted = [told.planted.as_slice(), member.planted.as_slice()].concat();
    planted.sort_unstable();
    assert_eq!(causes, planted, "{matched:?}");
    assert_eq!(causes.len(), 4, "{causes:?}");
    assert!(!office.match_all(now()).await.unwrap().changed());

    let up_to = Some(reconciled(&floor.running).await);
    let refused = books.day_close(up_to).await.unwrap_err();
    assert_eq!(refused.code(), "BALANCE_MISMATCH", "{refused}");
    floor.correct(rows.iter().find(|row| row.cause == "MISSING_IN_LEDGER").unwrap()).await;
    // The late entry comes with a second statement of the day.
    let late = told.late.clone().unwrap();
    books.late_comes(Leg::Custodian, &told, late).await.unwrap();
    let matched = office.match_all(now()).await.unwrap();
    assert_eq!((matched.matches, matched.closed, matched.opened), (1, 1, 0), "{matched:?}");

    let up_to = reconciled(&floor.running).await;
    let refused = books.day_close(Some(up_to)).await.unwrap_err();
    assert_eq!(refused.code(), "BREAKS_OPEN", "{refused}");
    for own in books.breaks().await.unwrap() {
        books.settle(&own).await.unwrap();
    }
    let behind = books.day_close(Some(up_to + 1_000)).await.unwrap_err();
    assert_eq!(behind.code(), "LEDGER_BEHIND", "{behind}");
    let day = books.day_close(Some(up_to)).await.unwrap();
    closed(&floor, &day, up_to).await;
    let again = books.day_close(Some(up_to)).await.unwrap_err();
    assert_eq!(again.code(), "DAY_CLOSED");
    by_command(&floor, up_to);
    floor.running.stop();
}

/// What a closed day says and hands out.
async fn closed(floor: &Floor, day: &services_office::store::DayRow, up_to: i64) {
    assert_eq!((day.after, day.up_to), (-1, up_to));
    let shown = floor.books.office.day_show(&clerk("ana"), "HKD", floor.books.day).await.unwrap();
    assert_eq!((&shown.report, &shown.digest), (&day.report, &day.digest));
    let own = |list: &str, participant: u32| -> Value {
        let rows = day.report[list].as_array().unwrap();
        rows.iter().find(|row| row["participant"] == participant).unwrap().clone()
    };
    // Three fees of HKD 5.00, a quarter of them the partner's.
    let revenue = own("revenue", HONG_KONG);
    assert_eq!(
        (&revenue["fees_brought"], &revenue["share"]),
        (&json!("15.00"), &json!("3.75")),
        "{revenue}"
    );
    assert_eq!(own("rebalancing", HONG_KONG)["direction"], "out");
    let documents =
        floor.books.office.day_documents(&clerk("ana"), "HKD", floor.books.day).await.unwrap();
    let names: Vec<&str> = documents.iter().map(|document| document.name.as_str()).collect();
    for name in [
        "camt.053-101-101344-1.xml",
        "camt.054-101-101344-1.xml",
        "rebalancing.csv",
        "pacs.009-surplus.xml",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
    let member =
        services_office::Actor::new("mia", services_office::Role::BackOffice, Some(HONG_KONG))
            .unwrap();
    let seen = floor.books.office.day_documents(&member, "HKD", floor.books.day).await.unwrap();
    assert!(seen.iter().all(|document| document.participant == Some(HONG_KONG)) && seen.len() == 2);
    // Our own statement holds by our own judgement, and by the published schema.
    let statement =
        documents.iter().find(|document| document.name == "camt.053-101-101344-1.xml").unwrap();
    let judged = services_statements::judge(statement.bytes.as_slice(), None, &mut |_| {});
    assert_eq!(judged.verdict, services_statements::Verdict::Ok, "{:?}", judged.findings);
    assert_eq!(judged.arithmetic().balances, services_statements::ties::Tie::Holds);
    if let Some(shared) = shared_data() {
        for document in documents.iter().filter(|document| document.name.ends_with(".xml")) {
            let schema = format!("{}.001.08", &document.name[..8]);
            let text = String::from_utf8(document.bytes.clone()).unwrap();
            valid(&shared, "Document", &schema, &text, &document.name);
        }
    }
    let edited = sqlx::query("UPDATE office.days SET up_to = up_to + 1").execute(&floor.pool).await;
    assert!(edited.unwrap_err().to_string().contains("only grows"));
}

/// The same from a terminal.
fn by_command(floor: &Floor, up_to: i64) {
    let say = |words: &[&str]| {
        let output = Command::new(binary().unwrap())
            .args(["--json", "office"])
            .args(words)
            .env("DATABASE_URL", &floor.running.database_url)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let last = text.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok());
        let said = last
            .unwrap_or_else(|| panic!("{words:?}: {}", String::from_utf8_lossy(&output.stderr)));
        (output.status.code().unwrap(), said)
    };
    let (status, said) = say(&["breaks", "list", "--all"]);
    // Four that were planted, and the funding that corrected one, which the member's bank tells tomorrow.
    assert_eq!((status, said["breaks"].as_array().unwrap().len()), (0, 5), "{said}");
    let (status, said) = say(&["statements", "list"]);
    assert_eq!((status, said["statements"].as_array().unwrap().len()), (0, 3), "{said}");
    let day = floor.books.day.to_string();
    let (status, said) = say(&["day", "show", "HKD", &day]);
    assert_eq!((status, &said["up_to"]), (0, &json!(up_to)), "{said}");
    let (status, said) = say(&["day", "close", "XAU", &day]);
    assert_eq!((status, &said["error"]), (1, &json!("CALENDAR_MISSING")), "{said}");
    let (status, said) = say(&["breaks", "approve", "1"]);
    assert_eq!((status, &said["error"]), (2, &json!("STATE")), "{said}");
    let (status, said) = say(&["match"]);
    assert_eq!((status, &said["matched"]["opened"]), (0, &json!(0)), "{said}");
}

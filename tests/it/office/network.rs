//! The whole way from a running network to a closed day: statements made of the ledger's own fundings and transfers, with
//! faults planted.
use std::{process::Command, sync::Arc, time::Duration};

use ledger_proof::{Field, Item};
use ledger_types::ParticipantId;
use serde_json::{Value, json};
use services_cli::{
    demo::{network::Running, postgres::Postgres, processes::binary},
    wallet::Seen,
};
use services_office::{
    Office, Rules,
    breaks::Resolution,
    bridge::Leg,
    correction::{Kind, Proposal},
    settings::Target,
    store::{BreakFilter, BreakRow, Close, NewAccount},
};
use sqlx::PgPool;
use tests::fresh_uetr;
use time::Date;

use super::{Line, calendars, camt053, clerk, now};
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
pub(crate) async fn reconciled(running: &Running, office: &Office) -> i64 {
    let waited = async {
        let mut looks = tokio::time::interval(Duration::from_millis(50));
        loop {
            looks.tick().await;
            let (_, records) = running.operator.balances(None).await.unwrap();
            let here = office.ledger_records().await.unwrap_or(0);
            if i64::try_from(records).unwrap() == here {
                return here - 1;
            }
        }
    };
    tokio::time::timeout(PATIENCE, waited).await.expect("reconciliation catches up")
}

/// Amount, side, value date, the servicer's reference and UETR of a movement.
type ToldRow = (String, String, Date, Option<String>, Option<uuid::Uuid>);

/// The ledger's movements of an account as a statement would tell them.
pub(crate) async fn told(pool: &PgPool, account: i64) -> Vec<(i64, Date, String, Option<String>)> {
    let rows: Vec<ToldRow> = sqlx::query_as(
        "SELECT amount::text, credit_debit, value_date, servicer_reference, uetr FROM office.movements
         WHERE account = $1 AND book = 'ledger' ORDER BY movement",
    )
    .bind(account)
    .fetch_all(pool)
    .await
    .unwrap();
    let signed = |amount: &str, side: &str| {
        let units: i64 = amount.parse().unwrap();
        if side == "CRDT" { units } else { -units }
    };
    rows.into_iter()
        .map(|(amount, side, day, reference, uetr)| {
            (
                signed(&amount, &side),
                day,
                reference.unwrap_or_default(),
                uetr.map(|uetr| uetr.to_string()),
            )
        })
        .collect()
}

pub(crate) struct Floor {
    pub(crate) running: Running,
    pub(crate) office: Office,
    pub(crate) pool: PgPool,
    pub(crate) day: Date,
    pub(crate) custody: i64,
    pub(crate) member: i64,
    /// It stops with the last who holds it.
    _postgres: Arc<Postgres>,
}

impl Floor {
    pub(crate) async fn take(&self, account: &str, number: u64, opening: i64, lines: &[Line<'_>]) {
        let text = camt053((account, "HKD"), number, self.day, opening, lines);
        let name = format!("{account}-{number}.xml");
        let taken = self
            .office
            .statement_import(&clerk("ana"), &name, text.into_bytes(), None, now())
            .await
            .unwrap();
        assert_eq!(taken.verdict, "ok", "{taken:?}");
    }

    pub(crate) async fn breaks(&self) -> Vec<BreakRow> {
        self.office.break_list(&clerk("ana"), &BreakFilter::default()).await.unwrap()
    }

    async fn close(
        &self,
        up_to: i64,
    ) -> Result<services_office::store::DayRow, services_office::Error> {
        let close = Close { currency: "HKD".to_owned(), day: self.day, up_to: Some(up_to) };
        self.office.day_close(&clerk("ana"), &close, now()).await
    }

    /// The custodian tells all but its first funding, and one that the ledger lacks; gives what is missing.
    pub(crate) async fn custodian_tells(&self) -> (i64, i64) {
        let rows = told(&self.pool, self.custody).await;
        let lines: Vec<Line<'_>> = rows
            .iter()
            .map(|(amount, day, reference, _)| Line::new(*amount, *day, reference))
            .collect();
        let (late, rest) = lines.split_first().unwrap();
        let mut lines = rest.to_vec();
        lines.push(Line::new(7_700, self.day, "COUNTER-1"));
        self.take("HK-CUSTODY", 1, 0, &lines).await;
        (late.amount, lines.iter().map(|line| line.amount).sum())
    }

    /// The member's bank tells a transfer with another amount, and another twice.
    pub(crate) async fn member_tells(&self) {
        let rows = told(&self.pool, self.member).await;
        let mut lines: Vec<Line<'_>> = rows
            .iter()
            .map(|(amount, day, reference, uetr)| Line {
                uetr: uetr.clone(),
                ..Line::new(*amount, *day, reference)
            })
            .collect();
        let principals: Vec<usize> = (0..lines.len())
            .filter(|at| lines[*at].uetr.is_some() && lines[*at].amount < -1_000)
            .collect();
        lines[principals[0]].amount -= 55;
        let twice = lines[principals[1]].clone();
        lines.push(twice);
        self.take("HK-NOSTRO", 1, 0, &lines).await;
    }

    /// The missing funding is signed by the custodian as it was drafted, and the break closes itself.
    pub(crate) async fn correct(&self, own: &BreakRow) {
        let (office, ana, ben) = (&self.office, clerk("ana"), clerk("ben"));
        let account = u64::from(HONG_KONG) * 1_000 + 344;
        let proposal = Proposal { account: Some(account), ..Proposal::default() };
        let note = (&proposal, "paid in at the counter");
        let drafted = office
            .break_propose(&ana, (own.id, own.version), Kind::Fund, note, now())
            .await
            .unwrap();
        office.break_approve(&ben, (own.id, own.version + 1), now()).await.unwrap();
        let item = Item::from_bytes(&drafted.item.unwrap()).unwrap();
        let folder = &self.running.folder;
        folder.submit(&self.running.operator, ParticipantId(1), &[item]).await.unwrap();
        reconciled(&self.running, office).await;
        let record = office.correction_record(&ana, drafted.correction, None, now()).await.unwrap();
        assert!(record > 0);
        office.round(None, now()).await.unwrap();
        let shown = office.break_show(&ana, own.id).await.unwrap();
        assert_eq!(shown.row.resolution.as_deref(), Some("cause_gone"));
        assert_eq!(shown.corrections[0].record, Some(record));
    }

    pub(crate) async fn settle(&self, own: &BreakRow) {
        let (office, ana, ben) = (&self.office, clerk("ana"), clerk("ben"));
        let note = (&Proposal::default(), "the bank corrects it tomorrow");
        office
            .break_propose(&ana, (own.id, own.version), Kind::AskServicer, note, now())
            .await
            .unwrap();
        office.break_approve(&ben, (own.id, own.version + 1), now()).await.unwrap();
        office
            .break_close(&ana, (own.id, own.version + 2), Resolution::Corrected, now())
            .await
            .unwrap();
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
    reconciled(&running, &office).await;
    let custody: (String,) = sqlx::query_as(
        "SELECT custody_account::text FROM ledger.currencies WHERE currency = 'HKD'",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    let custody =
        NewAccount::of("HK-CUSTODY", "HKD", Leg::Custodian, 1, custody.0.parse().unwrap());
    let member = NewAccount::of("HK-NOSTRO", "HKD", Leg::Participant, HONG_KONG, account);
    let custody = office.account_put(&clerk("ana"), &custody, now()).await.unwrap();
    let member = office.account_put(&clerk("ana"), &member, now()).await.unwrap();
    assert!(office.ledger_read().await.unwrap() >= 8, "fundings, principals and fees");
    let day: (Date,) = sqlx::query_as("SELECT max(value_date) FROM office.movements")
        .fetch_one(&pool)
        .await
        .unwrap();
    let floor = Floor { running, office, pool, day: day.0, custody, member, _postgres: postgres };
    (floor, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_s_day_is_compared_corrected_and_closed() {
    let (mut floor, _folder) = floor().await;
    let (late, closing) = floor.custodian_tells().await;
    floor.member_tells().await;
    let matched = floor.office.match_all(now()).await.unwrap();
    let rows = floor.breaks().await;
    let mut causes: Vec<&str> = rows.iter().map(|row| row.cause.as_str()).collect();
    causes.sort_unstable();
    assert_eq!(
        causes,
        ["AMOUNT_DIFFERS", "DUPLICATED", "MISSING_IN_LEDGER", "MISSING_IN_STATEMENT"],
        "{matched:?}"
    );
    assert!(!floor.office.match_all(now()).await.unwrap().changed());

    let up_to = reconciled(&floor.running, &floor.office).await;
    let refused = floor.close(up_to).await.unwrap_err();
    assert_eq!(refused.code(), "BALANCE_MISMATCH", "{refused}");
    let stranger = rows.iter().find(|row| row.cause == "MISSING_IN_LEDGER").unwrap();
    floor.correct(stranger).await;
    // The late entry comes with a second statement of the day.
    let rows = told(&floor.pool, floor.custody).await;
    floor.take("HK-CUSTODY", 2, closing, &[Line::new(late, rows[0].1, &rows[0].2)]).await;
    let matched = floor.office.match_all(now()).await.unwrap();
    assert_eq!((matched.matches, matched.closed, matched.opened), (1, 1, 0), "{matched:?}");

    let up_to = reconciled(&floor.running, &floor.office).await;
    let refused = floor.close(up_to).await.unwrap_err();
    assert_eq!(refused.code(), "BREAKS_OPEN", "{refused}");
    for own in floor.breaks().await {
        floor.settle(&own).await;
    }
    let behind = floor.close(up_to + 1_000).await.unwrap_err();
    assert_eq!(behind.code(), "LEDGER_BEHIND", "{behind}");
    let day = floor.close(up_to).await.unwrap();
    closed(&floor, &day, up_to).await;
    let again = floor.close(up_to).await.unwrap_err();
    assert_eq!(again.code(), "DAY_CLOSED");
    by_command(&floor, up_to);
    floor.running.stop();
}

/// What a closed day says and hands out.
async fn closed(floor: &Floor, day: &services_office::store::DayRow, up_to: i64) {
    assert_eq!((day.after, day.up_to), (-1, up_to));
    let shown = floor.office.day_show(&clerk("ana"), "HKD", floor.day).await.unwrap();
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
    let documents = floor.office.day_documents(&clerk("ana"), "HKD", floor.day).await.unwrap();
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
    let seen = floor.office.day_documents(&member, "HKD", floor.day).await.unwrap();
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
    let day = floor.day.to_string();
    let (status, said) = say(&["day", "show", "HKD", &day]);
    assert_eq!((status, &said["up_to"]), (0, &json!(up_to)), "{said}");
    let (status, said) = say(&["day", "close", "XAU", &day]);
    assert_eq!((status, &said["error"]), (1, &json!("CALENDAR_MISSING")), "{said}");
    let (status, said) = say(&["breaks", "approve", "1"]);
    assert_eq!((status, &said["error"]), (2, &json!("STATE")), "{said}");
    let (status, said) = say(&["match"]);
    assert_eq!((status, &said["matched"]["opened"]), (0, &json!(0)), "{said}");
}

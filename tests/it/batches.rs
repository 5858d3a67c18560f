//! Batches through a running network: a file whose rows are wrong each in its own way, gateway and leader killed in the middle; every row has exactly one outcome, and money adds up.
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    time::{Duration, Instant},
};

use reqwest::{Body, Method};
use serde_json::{Value, json};
use services_cli::{
    demo::{network::Running, postgres::Postgres},
    wallet::Wallet,
};
use sqlx::PgPool;
use tests::{fresh_uetr, memory::resident_max, say};

use crate::{
    gateway_faults::forgetful,
    iso20022::{shared_data, valid},
};

const PATIENCE: Duration = Duration::from_secs(120);
/// Rows of the file; more by an environment variable, to measure.
const ROWS: usize = 240;
const ROWS_VARIABLE: &str = "CAUSEWAY_BATCH_ROWS";
/// The bound on a gateway's memory.
const RESIDENT_MAX_KIB: u64 = 300 << 10;
const HEADER: &str = "end_to_end_id,uetr,creditor_agent,interbank_settlement_amount,\
    interbank_settlement_currency,payout_method,purpose,debtor.name,debtor.account,creditor.name,\
    creditor.account";
const DEBTOR: &str = "+85290000002";
const CREDITOR: &str = "+639000000002";
/// Minor units of each good row.
const AMOUNT: i64 = 8_000;

fn line(number: usize, uetr: &str) -> String {
    format!(
        "R-{number},{uetr},102,80.00,PHP,wallet,GIFT,Ada Testperson,{DEBTOR},Bea Testperson,\
         {CREDITOR}"
    )
}

/// Rows that are wrong, each by one cell: what is replaced, by what, and the field and the code that
/// its reject must name.
const WRONG: &[(&str, &str, &str, &str)] = &[
    (",102,", ",999,", "creditor_agent", "CREDITOR_AGENT_UNKNOWN"),
    (",80.00,", ",80.001,", "interbank_settlement_amount", "FIELD_INVALID"),
    (",PHP,", ",ZZZ,", "interbank_settlement_amount", "FIELD_INVALID"),
    (",PHP,", ",,", "interbank_settlement_currency", "FIELD_INVALID"),
    (",wallet,", ",pigeon,", "payout_method", "FIELD_INVALID"),
    (",GIFT,", ",gift,", "purpose", "FIELD_INVALID"),
    (",GIFT,", ",,", "purpose", "FIELD_INVALID"),
    (",80.00,", ",0.01,", "interbank_settlement_amount", "AMOUNT_BELOW_MINIMUM"),
    (DEBTOR, "+85200000000", "debtor.account", "ACCOUNT_REFUSED"),
    (CREDITOR, "", "creditor.account", "TRAVEL_RULE_INCOMPLETE"),
    (",wallet,", ",wallet,surplus,", "row", "BODY_MALFORMED"),
    (",,102,", ",not-a-uuid,102,", "uetr", "FIELD_INVALID"),
];

/// A file, and what its rejects are by row.
fn file(rows: usize) -> (String, BTreeMap<usize, (&'static str, &'static str)>) {
    let (mut text, mut wrong) = (format!("{HEADER}\n"), BTreeMap::new());
    let twice = fresh_uetr();
    for number in 1..=rows {
        // Beside the wrong ones, two rows of one UETR: the second has it too late.
        let uetr = if number == 2 || number == rows { twice.as_str() } else { "" };
        let mut row = line(number, uetr);
        if let Some((from, to, field, code)) = WRONG.get(number / 7).filter(|_| number % 7 == 3) {
            row = row.replacen(from, to, 1);
            wrong.insert(number, (*field, *code));
        }
        writeln!(text, "{row}").unwrap();
    }
    wrong.insert(rows, ("uetr", "UETR_REUSED"));
    (text, wrong)
}

pub(crate) async fn send(
    wallet: &Wallet,
    mode: &str,
    key: &str,
    kind: &str,
    text: &str,
) -> (u16, Value) {
    let path = format!("/v1/batches?mode={mode}");
    let until = Instant::now() + PATIENCE;
    loop {
        let sent = wallet.upload(&path, key, kind, Body::from(text.to_owned())).await;
        match sent {
            // 409 while the gateway has not yet seen that the upload before broke off.
            Ok((status, body)) if ![503, 409].contains(&status.as_u16()) => {
                return (status.as_u16(), body);
            }
            Ok((status, body)) => assert!(Instant::now() < until, "{status}: {body}"),
            Err(error) => assert!(Instant::now() < until, "{error:#}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn get(wallet: &Wallet, path: &str) -> Option<Value> {
    let (status, body) = wallet.send(Method::GET, path, None, None).await.ok()?;
    status.is_success().then_some(body)
}

/// Looks at a batch until it is as wanted.
async fn until(wallet: &Wallet, id: &str, rows: usize, wanted: impl Fn(&Value) -> bool) -> Value {
    let patience = PATIENCE + Duration::from_millis(u64::try_from(rows).unwrap() * 100);
    let end = Instant::now() + patience;
    let mut last = Value::Null;
    while Instant::now() < end {
        if let Some(seen) = get(wallet, &format!("/v1/batches/{id}")).await {
            if wanted(&seen) {
                return seen;
            }
            last = seen;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("not in time: {last}");
}

fn ended(seen: &Value) -> bool {
    let under_way = ["receiving", "processing"].map(|state| json!(state));
    seen["open"] == 0 && !under_way.contains(&seen["state"])
}

fn count(seen: &Value, status: &str) -> i64 {
    seen["counts"][status].as_i64().unwrap_or(0)
}

/// The most memory that the gateway has had, KiB.
fn gateway_memory(running: &mut Running) -> u64 {
    resident_max(running.gateway_id("HK").unwrap().unwrap()).unwrap()
}

/// Balance and what of it is set aside, minor units.
async fn balance(pool: &PgPool, label: &str, account: &str) -> (i64, i64) {
    let query =
        format!("SELECT balance, reserved FROM gateway_{label}.book_account WHERE account = $1");
    let query = sqlx::AssertSqlSafe(query);
    sqlx::query_as(query).bind(account).fetch_one(pool).await.unwrap()
}

async fn number(pool: &PgPool, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_survive_a_killed_gateway_and_leader() {
    let rows = std::env::var(ROWS_VARIABLE).map_or(ROWS, |rows| rows.parse().unwrap());
    let postgres = Postgres::shared().unwrap();
    let url = postgres.database().await.unwrap();
    let pool = PgPool::connect(&url).await.unwrap();
    let mut running = Running::start(Some(url), |_| Ok(())).await.unwrap();
    let wallet = running.wallet("HK").unwrap();
    let (text, wrong) = file(rows);
    let key = fresh_uetr();

    broken_off(&wallet, &key, &text).await;
    let (status, batch) = send(&wallet, "best_effort", &key, "text/csv", &text).await;
    assert_eq!(status, 202, "{batch}");
    let id = batch["id"].as_str().unwrap().to_owned();
    assert_eq!(batch["rows"], rows, "{batch}");
    let some = i64::try_from(rows / 4).unwrap();
    until(&wallet, &id, rows, |seen| {
        seen["rows"].as_i64().unwrap() - count(seen, "WAITING") > some
    })
    .await;
    let mut resident = gateway_memory(&mut running);
    running.kill_gateway("HK").unwrap();
    let leader = running.leader().await;
    if let Some(leader) = leader {
        running.kill_node(leader).unwrap();
    }
    running.resume_gateway("HK").unwrap();
    let (status, again) = send(&wallet, "best_effort", &key, "text/csv", &text).await;
    assert_eq!((status, &again["id"]), (202, &batch["id"]), "{again}");
    if let Some(leader) = leader {
        running.resume_node(leader).unwrap();
    }
    let seen = until(&wallet, &id, rows, ended).await;
    resident = resident.max(gateway_memory(&mut running));
    let rate = &seen["rows_per_second"];
    say(&format!("{rows} rows: {rate} rows/s, gateway at most {} MiB: {seen}", resident >> 10));
    assert!(resident < RESIDENT_MAX_KIB, "the gateway took {resident} KiB");

    every_row_has_one_outcome(&pool, &seen, (rows, wrong.len())).await;
    rejects_name_row_and_field(&wallet, &id, &wrong, rows).await;
    followed_to_the_end(&wallet, &id).await;
    let other = text.replacen("R-5,", "R-X,", 1);
    let (status, said) = send(&wallet, "best_effort", &key, "text/csv", &other).await;
    assert_eq!((status, &said["code"]), (422, &json!("IDEMPOTENCY_KEY_REUSED")), "{said}");
    assert!(said["detail"].as_str().unwrap().contains("row 5"), "{said}");
    running.stop();
}

/// What is set aside, decided and ended for rows is committed without waiting for the disk, and is gone
/// with a server that dies; the gateway lives on.
#[tokio::test(flavor = "multi_thread")]
async fn batches_survive_a_postgres_that_forgets() {
    let Some((postgres, url)) = forgetful().await else { return };
    let mut running = Running::start(Some(url.clone()), |_| Ok(())).await.unwrap();
    let wallet = running.wallet("HK").unwrap();
    let (text, wrong) = file(ROWS);
    let (status, batch) = send(&wallet, "best_effort", &fresh_uetr(), "text/csv", &text).await;
    assert_eq!(status, 202, "{batch}");
    let id = batch["id"].as_str().unwrap();
    for part in [8, 4, 2] {
        let some = i64::try_from(ROWS / part).unwrap();
        until(&wallet, id, ROWS, |seen| {
            seen["rows"].as_i64().unwrap() - count(seen, "WAITING") > some
        })
        .await;
        postgres.crash().unwrap();
        postgres.resume().unwrap();
    }
    let seen = until(&wallet, id, ROWS, ended).await;
    let pool = PgPool::connect(&url).await.unwrap();
    every_row_has_one_outcome(&pool, &seen, (ROWS, wrong.len())).await;
    running.check().unwrap();
    running.stop();
}

/// An upload that ends in the middle keeps its rows and sends none.
async fn broken_off(wallet: &Wallet, key: &str, text: &str) {
    let half = text.as_bytes()[..text.len() / 2].to_vec();
    let pieces = futures_util::stream::iter([
        Ok(half),
        Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe)),
    ]);
    let body = Body::wrap_stream(pieces);
    let sent = wallet.upload("/v1/batches?mode=best_effort", key, "text/csv", body).await;
    assert!(sent.is_err(), "{sent:?}");
    let listed = get(wallet, "/v1/batches").await.unwrap();
    for batch in listed["batches"].as_array().unwrap() {
        assert_eq!((&batch["state"], count(batch, "SENDING")), (&json!("receiving"), 0), "{batch}");
    }
}

async fn every_row_has_one_outcome(pool: &PgPool, seen: &Value, (rows, wrong): (usize, usize)) {
    let (rows, wrong) = (i64::try_from(rows).unwrap(), i64::try_from(wrong).unwrap());
    let credited = count(seen, "CREDITED");
    let moved = credited + count(seen, "EXPIRED");
    let refused: Vec<(Option<String>, i64)> = sqlx::query_as(
        "SELECT coalesce(r.code, t.refusal, t.status || ' ' || t.reason), count(*) FROM gateway_hk.batch_row r
         LEFT JOIN gateway_hk.transfer t USING (uetr) GROUP BY 1",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let told = format!("{refused:?}: {seen}");
    assert_eq!((moved, count(seen, "REJECTED")), (rows - wrong, wrong), "{told}");
    let kept = number(
        pool,
        "SELECT count(*) FROM gateway_hk.transfer t
         JOIN gateway_hk.batch_row r ON r.uetr = t.uetr AND r.status = 'sent'",
    );
    assert_eq!(kept.await, moved, "every good row has one transfer");
    let all = "SELECT count(*) FROM gateway_hk.transfer WHERE status = 'CREDITED'";
    assert_eq!(number(pool, all).await, credited, "and nobody has another");
    // Core banking follows the ledger's word a moment later.
    let booked = async {
        let mut looks = tokio::time::interval(Duration::from_millis(50));
        while balance(pool, "ph", CREDITOR).await != (credited * AMOUNT, 0)
            || balance(pool, "hk", DEBTOR).await.1 != 0
        {
            looks.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, booked).await.expect("every creditor has the money once");
    let debited = "SELECT sum(reserved_amount)::bigint FROM gateway_hk.transfer
        WHERE status = 'CREDITED'";
    let paid = 900_000_000 - balance(pool, "hk", DEBTOR).await.0;
    assert_eq!(paid, number(pool, debited).await, "the debtor paid what the transfers say");
}

async fn rejects_name_row_and_field(
    wallet: &Wallet,
    id: &str,
    wrong: &BTreeMap<usize, (&'static str, &'static str)>,
    rows: usize,
) {
    let (status, text) = wallet.document(&format!("/v1/batches/{id}/rejects")).await.unwrap();
    assert!(status.is_success(), "{text}");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("row,field,code,reason,detail,reference,uetr"));
    let mut told = BTreeMap::new();
    for line in lines.filter(|line| !line.contains(",EXPIRED,")) {
        let mut cells = line.splitn(4, ',');
        let row: usize = cells.next().unwrap().parse().unwrap();
        told.insert(row, (cells.next().unwrap().to_owned(), cells.next().unwrap().to_owned()));
        let cut = wrong[&row].0 == "row";
        assert!(cut || line.contains(&format!(",R-{row},")), "{line}");
    }
    let wanted: BTreeMap<_, _> = wrong
        .iter()
        .map(|(row, (field, code))| (*row, ((*field).to_owned(), (*code).to_owned())))
        .collect();
    assert_eq!(told, wanted);
    let path = format!("/v1/batches/{id}/rows?status=REJECTED&limit=1000");
    let page = get(wallet, &path).await.unwrap();
    assert_eq!(page["rows"].as_array().unwrap().len(), wrong.len(), "of {rows} rows: {page}");
    assert!(page["next_cursor"].is_null());
    report(wallet, id, "PART").await;
}

/// A batch's pain.002, judged by xmllint.
async fn report(wallet: &Wallet, id: &str, group: &str) -> String {
    let (status, text) = wallet.document(&format!("/v1/batches/{id}/pain002")).await.unwrap();
    assert!(status.is_success(), "{text}");
    if let Some(shared) = shared_data() {
        valid(&shared, "Document", "pain.002.001.10", &text, id);
    }
    assert!(text.contains(&format!("<GrpSts>{group}</GrpSts>")), "{text}");
    text
}

async fn followed_to_the_end(wallet: &Wallet, id: &str) {
    let (status, text) = wallet.document(&format!("/v1/batches/{id}/events")).await.unwrap();
    assert!(status.is_success() && text.contains("event: end\ndata: {"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_all_or_nothing_and_messages() {
    let postgres = Postgres::shared().unwrap();
    let url = postgres.database().await.unwrap();
    let pool = PgPool::connect(&url).await.unwrap();
    let mut running = Running::start(Some(url), |_| Ok(())).await.unwrap();
    let wallet = running.wallet("HK").unwrap();
    let before = balance(&pool, "hk", DEBTOR).await;
    one_bad_row_moves_nothing(&wallet).await;
    assert_eq!(balance(&pool, "hk", DEBTOR).await, before, "nothing is set aside");
    let none = number(&pool, "SELECT count(*) FROM gateway_hk.transfer");
    assert_eq!(none.await, 0, "no transfer was made");
    all_move_together(&wallet).await;
    let envelopes = "SELECT count(*) FROM gateway_hk.envelope";
    assert_eq!(number(&pool, envelopes).await, 1, "one envelope carried all");
    the_same_file_is_paid_once(&wallet).await;
    messages(&wallet).await;
    refusals(&wallet).await;
    running.stop();
}

pub(crate) fn order(number: usize) -> Value {
    json!({
        "end_to_end_id": format!("T-{number}"),
        "creditor_agent": "102",
        "interbank_settlement_amount": { "amount": "80.00", "currency": "PHP" },
        "payout_method": "wallet",
        "purpose": "GIFT",
        "debtor": { "name": "Ada Testperson", "account": DEBTOR },
        "creditor": { "name": "Bea Testperson", "account": CREDITOR },
    })
}

fn orders(count: usize) -> Vec<Value> {
    (1..=count).map(order).collect()
}

fn lines(orders: &[Value]) -> String {
    orders.iter().map(|order| format!("{order}\n")).collect()
}

const JSON_LINES: &str = "application/x-ndjson";

/// A row that only core banking can tell wrong, after all others were priced.
async fn one_bad_row_moves_nothing(wallet: &Wallet) {
    let mut bad = orders(12);
    bad[7]["debtor"]["account"] = json!("+85200000000");
    let key = fresh_uetr();
    let (status, batch) = send(wallet, "all_or_nothing", &key, JSON_LINES, &lines(&bad)).await;
    assert_eq!(status, 202, "{batch}");
    let id = batch["id"].as_str().unwrap();
    let seen = until(wallet, id, 12, ended).await;
    assert_eq!((&seen["state"], &seen["code"]), (&json!("refused"), &json!("BATCH_REFUSED")));
    assert_eq!((count(&seen, "REJECTED"), count(&seen, "CANCELLED")), (1, 11), "{seen}");
    assert!(seen["detail"].as_str().unwrap().contains("row 8"), "{seen}");
    report(wallet, id, "RJCT").await;
}

async fn all_move_together(wallet: &Wallet) {
    let key = fresh_uetr();
    let text = lines(&orders(40));
    let (status, batch) = send(wallet, "all_or_nothing", &key, JSON_LINES, &text).await;
    assert_eq!(status, 202, "{batch}");
    let seen = until(wallet, batch["id"].as_str().unwrap(), 40, ended).await;
    assert_eq!((&seen["state"], count(&seen, "CREDITED")), (&json!("sent"), 40), "{seen}");
}

/// The file of before under another key: refused, and paid once more only if that is said.
async fn the_same_file_is_paid_once(wallet: &Wallet) {
    let text = lines(&orders(40));
    let first = get(wallet, "/v1/batches?limit=1").await.unwrap()["batches"][0]["id"].clone();
    for mode in ["all_or_nothing", "best_effort&again=false"] {
        let (status, said) = send(wallet, mode, &fresh_uetr(), JSON_LINES, &text).await;
        assert_eq!((status, &said["code"]), (422, &json!("BATCH_DUPLICATE")), "{said}");
        assert!(said["detail"].as_str().unwrap().contains(first.as_str().unwrap()), "{said}");
        let kept = &get(wallet, "/v1/batches?limit=1").await.unwrap()["batches"][0];
        assert_eq!((&kept["state"], count(kept, "CANCELLED")), (&json!("refused"), 40), "{kept}");
    }
    let again = "all_or_nothing&again=true";
    let (status, batch) = send(wallet, again, &fresh_uetr(), JSON_LINES, &text).await;
    assert_eq!(status, 202, "{batch}");
    let seen = until(wallet, batch["id"].as_str().unwrap(), 40, ended).await;
    assert_eq!((&seen["state"], count(&seen, "CREDITED")), (&json!("sent"), 40), "{seen}");
    let longer = lines(&orders(41));
    let (status, batch) = send(wallet, "best_effort", &fresh_uetr(), JSON_LINES, &longer).await;
    assert_eq!(status, 202, "one row more is another file: {batch}");
    until(wallet, batch["id"].as_str().unwrap(), 41, ended).await;
}

fn message(id: &str, rows: usize, stated: usize) -> String {
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pain.001.001.09\"><CstmrCdtTrfInitn>\
         <GrpHdr><MsgId>{id}</MsgId><CreDtTm>2026-11-23T10:15:30+08:00</CreDtTm>\
         <NbOfTxs>{stated}</NbOfTxs><InitgPty><Nm>Example Payroll</Nm></InitgPty></GrpHdr>\
         <PmtInf><PmtInfId>{id}-1</PmtInfId><PmtMtd>TRF</PmtMtd>\
         <ReqdExctnDt><Dt>2020-01-02</Dt></ReqdExctnDt><Dbtr><Nm>Ada Testperson</Nm></Dbtr>\
         <DbtrAcct><Id><Othr><Id>{DEBTOR}</Id></Othr></Id></DbtrAcct>\
         <DbtrAgt><FinInstnId><BICFI>CWWAHKH0</BICFI></FinInstnId></DbtrAgt>"
    );
    for number in 1..=rows {
        // The last row's creditor is unknown to its agent.
        let account = if number == rows { "+639999999999" } else { CREDITOR };
        write!(
            text,
            "<CdtTrfTxInf><PmtId><InstrId>I-{number}</InstrId><EndToEndId>E-{number}</EndToEndId>\
             </PmtId><Amt><InstdAmt Ccy=\"PHP\">80.00</InstdAmt></Amt>\
             <CdtrAgt><FinInstnId><BICFI>CWWAPHM0</BICFI></FinInstnId></CdtrAgt>\
             <Cdtr><Nm>Bea Testperson</Nm></Cdtr>\
             <CdtrAcct><Id><Othr><Id>{account}</Id></Othr></Id></CdtrAcct>\
             <Purp><Cd>GIFT</Cd></Purp></CdtTrfTxInf>"
        )
        .unwrap();
    }
    text + "</PmtInf></CstmrCdtTrfInitn></Document>"
}

async fn messages(wallet: &Wallet) {
    let text = message("PAYROLL-1", 6, 6);
    if let Some(shared) = shared_data() {
        valid(&shared, "Document", "pain.001.001.09", &text, "the test's own batch");
    }
    let (status, batch) =
        send(wallet, "best_effort", &fresh_uetr(), "application/xml", &text).await;
    assert_eq!(status, 202, "{batch}");
    let id = batch["id"].as_str().unwrap();
    let seen = until(wallet, id, 6, ended).await;
    assert_eq!((count(&seen, "CREDITED"), count(&seen, "REJECTED")), (5, 1), "{seen}");
    let report = report(wallet, id, "PART").await;
    for said in [
        "<OrgnlMsgId>PAYROLL-1</OrgnlMsgId>",
        "<OrgnlPmtInfId>PAYROLL-1-1</OrgnlPmtInfId>",
        "<OrgnlInstrId>I-6</OrgnlInstrId>",
        "<TxSts>ACCC</TxSts>",
        "<Cd>AC01</Cd>",
    ] {
        assert!(report.contains(said), "{said}: {report}");
    }
    let text = message("PAYROLL-2", 3, 4);
    let (status, said) = send(wallet, "best_effort", &fresh_uetr(), "application/xml", &text).await;
    assert_eq!((status, &said["code"]), (422, &json!("BATCH_TOTALS_DIFFER")), "{said}");
    let listed = get(wallet, "/v1/batches?limit=1").await.unwrap();
    let refused = &listed["batches"][0];
    assert_eq!((&refused["state"], count(refused, "CANCELLED")), (&json!("refused"), 3));
}

async fn refusals(wallet: &Wallet) {
    let key = fresh_uetr();
    let (status, said) = send(wallet, "best_effort", &key, "text/plain", "x").await;
    assert_eq!((status, &said["code"]), (415, &json!("MEDIA_TYPE_UNSUPPORTED")), "{said}");
    let (status, said) = send(wallet, "best_effort", &key, "text/csv", "who\nme\n").await;
    assert_eq!((status, &said["code"]), (422, &json!("BATCH_UNREADABLE")), "{said}");
    let many: String = (0..=8_190).map(|_| "{}\n").collect();
    let (status, said) = send(wallet, "all_or_nothing", &fresh_uetr(), JSON_LINES, &many).await;
    assert_eq!((status, &said["code"]), (422, &json!("BATCH_TOO_LARGE")), "{said}");
    let path = format!("/v1/batches/{}", fresh_uetr());
    let (status, said) = wallet.send(Method::GET, &path, None, None).await.unwrap();
    assert_eq!((status.as_u16(), &said["code"]), (404, &json!("BATCH_NOT_FOUND")), "{said}");
}

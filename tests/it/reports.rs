//! Reports as their reader meets them: figures that tie out, the same bytes after more records came, and a check without the
//! database that one changed byte does not pass.
use std::{collections::BTreeMap, fs, path::Path, process::Command, time::Duration};

use ledger_proof::{Field as _, item::RegisterQuote, record::PartyPart};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use serde_json::Value;
use services_cli::demo::{network::Running, postgres::Postgres, processes::binary};
use services_office::{Office, Rules};
use sqlx::PgPool;
use tests::skipped;

use crate::office::network::{reconciled, transfer};

mod gateway;

const PATIENCE: Duration = Duration::from_secs(30);

fn causeway(words: &[&str]) -> (i32, Value, String) {
    let output = Command::new(binary().unwrap()).arg("--json").args(words).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let last = said.lines().last().map_or(Value::Null, |line| serde_json::from_str(line).unwrap());
    let errors = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), last, errors)
}

/// Where reports are made.
struct Desk {
    url: String,
    key: String,
    genesis: String,
}

impl Desk {
    fn make(&self, out: &Path, words: &[&str]) -> Value {
        let (status, made, errors) = self.try_make(out, words);
        assert_eq!(status, 0, "{words:?}: {errors}");
        made
    }

    fn try_make(&self, out: &Path, words: &[&str]) -> (i32, Value, String) {
        let out = out.to_str().unwrap();
        let desk = ["--database", &self.url, "--key", &self.key, "--out", out];
        causeway(&[&["report", "make"], words, desk.as_slice()].concat())
    }

    fn verify(&self, manifest: &Path) -> (i32, Value) {
        let manifest = manifest.to_str().unwrap();
        let (status, said, _) =
            causeway(&["verify", "report", manifest, "--network", &self.genesis]);
        (status, said)
    }
}

/// Rows of a CSV as text by column.
fn rows(file: &Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(file).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

fn bytes(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_file())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_the_same_bytes_later_and_checked_without_a_database() {
    let postgres = Postgres::shared().unwrap();
    let url = postgres.database().await.unwrap();
    let running = Running::start(Some(url.clone()), |_| Ok(())).await.unwrap();
    let network = running.folder.path.clone();
    let desk = Desk {
        url: url.clone(),
        key: network.join("operator/keys/1.key").to_str().unwrap().to_owned(),
        genesis: network.join("genesis.bin").to_str().unwrap().to_owned(),
    };
    for _ in 0..3 {
        transfer(&running).await;
    }
    let office = Office::new(&url, Rules::default()).unwrap();
    office.migrate().await.unwrap();
    let records = (reconciled(&running).await + 1).to_string();
    let first = tempfile::tempdir().unwrap();
    let kinds: [&[&str]; 5] = [
        &["corridors", "--zone", "Asia/Manila", "--usd200", "HKD=560.00"],
        &["liquidity", "--zone", "Asia/Manila"],
        &["covered", "--currency", "PHP", "--above", "399999"],
        &["breaks"],
        &["audit"],
    ];
    let at = ["--records", &records, "--acts", "0"];
    for kind in kinds {
        let made = desk.make(first.path(), &[kind, &at].concat());
        assert_eq!(made["records"].as_u64().unwrap().to_string(), records);
    }
    figures_tie_out(first.path(), &records, office.pool()).await;
    gateway::reports_of_a_gateway_tell_no_name(&running, &url).await;

    // More comes, and what was reported stays as it was.
    for _ in 0..4 {
        transfer(&running).await;
    }
    reconciled(&running).await;
    let later = tempfile::tempdir().unwrap();
    for kind in kinds {
        desk.make(later.path(), &[kind, &at].concat());
    }
    assert_eq!(bytes(later.path()), bytes(first.path()));
    assert_eq!(bytes(later.path()).len(), 15);
    let now = desk.make(later.path(), &["covered", "--currency", "PHP", "--above", "399999"]);
    assert_eq!(now["rows"], 7);

    for (name, _) in bytes(first.path()).iter().filter(|(name, _)| name.ends_with(".report")) {
        let (status, said) = desk.verify(&first.path().join(name));
        assert_eq!((status, &said["valid"]), (0, &Value::Bool(true)), "{name}: {said}");
    }
    every_format_says_the_same(&desk, first.path(), &at);
    what_was_changed_fails(&desk, first.path(), &records);
    wrong_words_are_named(&desk, first.path());
    altered_records_make_no_report(&desk, office.pool()).await;
}

/// Three transfers of 4,000.00 PHP, all credited.
async fn figures_tie_out(folder: &Path, records: &str, pool: &PgPool) {
    let corridors = rows(&folder.join(format!("corridors-{records}.csv")));
    let own: Vec<_> = corridors.iter().filter(|row| row["currency"] == "PHP").collect();
    let sum = |name: &str| own.iter().map(|row| row[name].parse::<f64>().unwrap()).sum::<f64>();
    assert_eq!((sum("submitted"), sum("settled"), sum("credited")), (3.0, 3.0, 3.0));
    assert_eq!(sum("settled_amount"), 12_000.0);
    assert!(own.iter().all(|row| row["credited_within_1h_share"] == "1.000000"));
    assert!(
        own.iter().all(|row| row["source_currency"] == "HKD" && row["fees_share"].as_str() > "0.0")
    );
    cost_is_what_the_records_say(&own, pool).await;
    let covered = rows(&folder.join(format!("covered-{records}.csv")));
    assert_eq!(covered.len(), 3);
    assert!(covered.iter().all(|row| row["amount"] == "4000.00"));
    // The last closing of each account is its balance.
    let liquidity = rows(&folder.join(format!("liquidity-{records}.csv")));
    let balances: Vec<(String, String)> = sqlx::query_as(
        "SELECT account::text, (credits_posted - debits_posted)::text FROM ledger.balances
         WHERE credits_posted + debits_posted > 0",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(balances.len() > 5);
    for (account, balance) in balances {
        let last = liquidity.iter().rfind(|row| row["account"] == account).unwrap();
        assert_eq!(last["closing"].replace('.', "").parse::<i64>().unwrap().to_string(), balance);
    }
}

/// The cost of each transfer from its own records, as the ledger's library reads them.
#[expect(clippy::float_arithmetic, reason = "shares and their sums, beside the amounts")]
async fn cost_is_what_the_records_say(corridors: &[&BTreeMap<String, String>], pool: &PgPool) {
    let quotes: Vec<(Vec<u8>,)> =
        sqlx::query_as("SELECT liquidity_1 FROM ledger.records WHERE kind = 11 ORDER BY sequence")
            .fetch_all(pool)
            .await
            .unwrap();
    let quote = |part: &[u8]| {
        let terms = PartyPart::from_bytes(part).unwrap().detail;
        RegisterQuote::from_bytes(&terms.0).unwrap()
    };
    let quotes: Vec<RegisterQuote> = quotes.iter().map(|(part,)| quote(part)).collect();
    let used: Vec<(Vec<u8>, i64, i64, i64)> = sqlx::query_as(
        "SELECT r.liquidity_1, t.amount::bigint, p.amount::bigint, f.amount::bigint
         FROM ledger.transfers t JOIN ledger.records r ON r.sequence = t.submit_sequence
         JOIN ledger.postings p ON p.sequence = r.sequence AND p.kind = 1 AND p.currency = 'HKD'
         JOIN ledger.postings f ON f.sequence = r.sequence AND f.kind = 2 AND f.currency = 'HKD'",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert_eq!(used.len(), 3);
    let (mut principal, mut spread, mut fees) = (0.0, 0.0, 0.0);
    for (part, arrived, paid, fee) in used {
        let detail = PartyPart::from_bytes(&part).unwrap().detail;
        let own = quotes.iter().find(|own| own.quote.0 == detail.0[..]).unwrap();
        let mid: f64 = own.mid_rate.to_string().parse().unwrap();
        principal += paid as f64;
        spread += paid as f64 - arrived as f64 / mid;
        fees += fee as f64;
    }
    let sum =
        |name: &str| corridors.iter().map(|row| row[name].parse::<f64>().unwrap()).sum::<f64>();
    assert_eq!((sum("costed"), sum("usd200_transfers")), (3.0, 3.0));
    let told = sum("cost_amount");
    assert!((told - (spread + fees) / 100.0).abs() <= 0.02, "{told} {spread} {fees}");
    // All on one day, unless midnight fell between them.
    if let [row] = corridors {
        for (name, own) in [
            ("spread_share", spread),
            ("cost_share", spread + fees),
            ("usd200_cost_share", spread + fees),
        ] {
            let told: f64 = row[name].parse().unwrap();
            assert!((told - own / principal).abs() < 0.000_002, "{name}: {told} {own} {principal}");
        }
    }
    // The bank's margin of 50 basis points and its payout fee, so not nothing and not the whole.
    assert!((0.005..0.02).contains(&(spread / principal)), "{spread} {principal}");
}

/// PDF and Parquet of a report hold what its CSV does, and are the same bytes when they are made again.
fn every_format_says_the_same(desk: &Desk, folder: &Path, at: &[&str]) {
    let words = ["liquidity", "--zone", "Asia/Manila", "--format", "pdf,parquet"];
    let (out, again) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let made = desk.make(out.path(), &[words.as_slice(), at].concat());
    desk.make(again.path(), &[words.as_slice(), at].concat());
    assert_eq!(bytes(out.path()), bytes(again.path()));
    let files: Vec<&str> =
        made["files"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let [pdf, parquet, manifest] = files[..] else { panic!("{files:?}") };
    let (status, said) = desk.verify(&out.path().join(manifest));
    assert_eq!((status, &said["valid"]), (0, &Value::Bool(true)), "{said}");
    let told = rows(&folder.join(pdf.replace(".pdf", ".csv")));
    let file = fs::File::open(out.path().join(parquet)).unwrap();
    let read = SerializedFileReader::new(file).unwrap();
    let read: Vec<String> =
        read.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
    assert_eq!(read.len(), told.len());
    for (row, told) in read.iter().zip(&told) {
        let closing = format!("closing: {}", told["closing"]);
        assert!(row.contains(&closing) && row.contains(&told["account"]), "{row}: {closing}");
    }
    let text =
        Command::new("pdftotext").args(["-layout", pdf, "-"]).current_dir(out.path()).output();
    let Ok(text) = text else {
        skipped("no pdftotext: reports on paper are not read; deploy/prerequisites.sh installs it");
        return;
    };
    let text = String::from_utf8(text.stdout).unwrap();
    for told in &told {
        let line = text.lines().find(|line| {
            [&told["account"], &told["day"], &told["closing"]].iter().all(|own| line.contains(*own))
        });
        assert!(line.is_some(), "{told:?}: {text}");
    }
}

fn what_was_changed_fails(desk: &Desk, folder: &Path, records: &str) {
    let failed = |said: &Value| -> Vec<String> {
        let checks = said["checks"].as_array().unwrap().iter();
        let failed = checks.filter(|row| row["holds"] == false);
        failed.map(|row| row["check"].as_str().unwrap().to_owned()).collect()
    };
    let manifest = folder.join(format!("corridors-{records}.report"));
    let file = folder.join(format!("corridors-{records}.csv"));
    let was = fs::read(&file).unwrap();
    // Of whichever sum is first: in two rows where midnight fell between the transfers.
    fs::write(&file, String::from_utf8(was.clone()).unwrap().replacen("000.00", "000.01", 1))
        .unwrap();
    let (status, said) = desk.verify(&manifest);
    assert_eq!((status, failed(&said)), (1, vec!["file".to_owned()]));
    fs::write(&file, was).unwrap();
    let text = fs::read_to_string(&manifest).unwrap();
    let other = folder.join("other.report");
    fs::write(&other, text.replacen("rows ", "rows 1", 1)).unwrap();
    let (status, said) = desk.verify(&other);
    assert_eq!((status, failed(&said)), (1, vec!["signature".to_owned()]));
    let manifest = manifest.to_str().unwrap();
    let root = "00".repeat(32);
    let words = ["verify", "report", manifest, "--network", &desk.genesis, "--root", &root];
    let (status, said, _) = causeway(&words);
    assert_eq!((status, failed(&said)), (1, vec!["root".to_owned()]));
    fs::write(&other, "no report\n").unwrap();
    assert_eq!(desk.verify(&other).0, 2);
}

fn wrong_words_are_named(desk: &Desk, folder: &Path) {
    let cases: [(&[&str], &str); 6] = [
        (&["liquidity", "--usd200", "HKD=1560.00"], "usd200: only the report of corridors"),
        (&["corridors", "--records", "99999999"], "records: schema ledger holds"),
        (&["corridors", "--zone", "Mars/Olympus"], "zone: Mars/Olympus"),
        (&["covered"], "above: give the amount"),
        (&["breaks", "--acts", "9"], "acts: schema office holds"),
        (&["audit", "--from", "2026-01-01"], "from: this report"),
    ];
    for (words, told) in cases {
        let (status, _, errors) = desk.try_make(folder, words);
        assert_eq!(status, 2, "{words:?}");
        assert!(errors.contains(told), "{words:?}: {errors}");
    }
}

async fn altered_records_make_no_report(desk: &Desk, pool: &PgPool) {
    for statement in [
        "ALTER TABLE ledger.records DISABLE TRIGGER USER",
        "UPDATE ledger.records SET at_micros = at_micros + 1 WHERE sequence = 3",
    ] {
        sqlx::query(statement).execute(pool).await.unwrap();
    }
    let out = tempfile::tempdir().unwrap();
    let (status, _, errors) = desk.try_make(out.path(), &["liquidity"]);
    assert_eq!(status, 2);
    assert!(errors.contains("not the ledger's"), "{errors}");
    assert!(bytes(out.path()).is_empty());
}

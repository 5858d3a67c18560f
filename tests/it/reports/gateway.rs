//! Reports that a participant makes of its own gateway: what travelled, who reached an amount, what screening found; none
//! of them tells a name.
use std::{fs, path::Path};

use serde_json::{Value, json};
use services_cli::{demo::network::Running, network::keys::Secret};
use tests::fresh_uetr;

use super::{bytes, causeway, rows};

/// What no file of these reports may hold.
const NAMES: [&str; 4] = ["Testperson", "+8529000", "+6390000", "arrowgate"];
/// A name of the demonstration's list, entry 1.
const LISTED: &str = "Silas Harrowgate";
/// Where the files of one round lie.
const FOLDERS: [&str; 5] = ["", "ph", "hk", "cash", "above"];

/// One participant's desk.
struct Own<'a> {
    url: &'a str,
    network: &'a Path,
    label: &'a str,
    id: &'a str,
    /// How far its gateway was when the reports began.
    records: String,
}

impl<'a> Own<'a> {
    fn new(url: &'a str, network: &'a Path, (label, id): (&'a str, &'a str)) -> Self {
        let mut own = Self { url, network, label, id, records: String::new() };
        let out = tempfile::tempdir().unwrap();
        let (status, made, errors) = own.try_make(out.path(), &["travel-rule"]);
        assert_eq!(status, 0, "{errors}");
        own.records = made["records"].to_string();
        own
    }

    fn key(&self) -> String {
        let file = self.network.join("participants").join(self.label).join("signing.key");
        file.to_str().unwrap().to_owned()
    }

    fn try_make(&self, out: &Path, words: &[&str]) -> (i32, Value, String) {
        let (schema, key) = (format!("gateway_{}", self.label.to_lowercase()), self.key());
        let genesis = self.network.join("genesis.bin");
        let own = [
            "--gateway",
            self.url,
            "--schema",
            &schema,
            "--network",
            genesis.to_str().unwrap(),
            "--participant",
            self.id,
            "--key",
            &key,
            "--out",
            out.to_str().unwrap(),
            "--format",
            "csv,pdf",
        ];
        causeway(&[&["report", "make"], words, own.as_slice()].concat())
    }

    fn make(&self, out: &Path, words: &[&str]) -> Vec<std::collections::BTreeMap<String, String>> {
        let (status, made, errors) =
            self.try_make(out, &[words, &["--records", &self.records]].concat());
        assert_eq!(status, 0, "{words:?}: {errors}");
        let csv = made["files"][0].as_str().unwrap();
        rows(&out.join(csv))
    }
}

/// Three transfers of Hong Kong to the Philippines were settled, and one more is refused here for a listed name.
pub(super) async fn reports_of_a_gateway_tell_no_name(running: &Running, url: &str) {
    let network = running.folder.path.clone();
    let hong_kong = Own::new(url, &network, ("HK", "101"));
    let philippines = Own::new(url, &network, ("PH", "102"));
    a_listed_name_is_refused(running).await;
    let (first, again) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for out in [&first, &again] {
        what_travelled(&hong_kong, out.path());
        who_reached_an_amount(&hong_kong, &philippines, out.path());
        let found = hong_kong.make(out.path(), &["screening"]);
        assert_eq!(found.len(), 1);
        let own = &found[0];
        assert_eq!((own["side"].as_str(), own["outcome"].as_str()), ("sent", "hit"));
        assert_eq!((own["hits"].as_str(), own["entries"].as_str()), ("1", "1"), "{own:?}");
        assert_eq!(own["list_version"].len(), 64);
    }
    for folder in FOLDERS {
        let files = bytes(&first.path().join(folder));
        assert_eq!(files, bytes(&again.path().join(folder)), "{folder}");
        assert!(files.len() > 2, "{folder}");
        for (name, bytes) in files {
            let text = String::from_utf8_lossy(&bytes);
            assert!(NAMES.iter().all(|own| !text.contains(own)), "{name}: {text}");
        }
    }
    verified(&hong_kong, first.path());
    wrong_words_are_named(&hong_kong, url, first.path());
}

async fn a_listed_name_is_refused(running: &Running) {
    let order = json!({
        "uetr": fresh_uetr(),
        "creditor_agent": "102",
        "interbank_settlement_amount": { "amount": "4000.00", "currency": "PHP" },
        "payout_method": "wallet",
        "purpose": "GIFT",
        "debtor": { "name": "Ada Testperson", "account": "+85290000002" },
        "creditor": { "name": LISTED, "account": "+639000000002" },
    });
    let wallet = running.wallet("HK").unwrap();
    let (status, body) = wallet.create(&order, super::PATIENCE).await.unwrap();
    assert_eq!(status.as_u16(), 422, "{body}");
}

fn what_travelled(own: &Own<'_>, out: &Path) {
    let fields = "debtor_name,creditor_account,debtor_address";
    let travelled =
        own.make(out, &["travel-rule", "--required", fields, "--zone", "Asia/Hong_Kong"]);
    assert_eq!(travelled.len(), 3);
    for row in &travelled {
        assert_eq!((row["side"].as_str(), row["currency"].as_str()), ("sent", "HKD"));
        assert_eq!((row["debtor_name"].as_str(), row["debtor_address"].as_str()), ("yes", "no"));
        assert_eq!(row["missing"], "debtor_address");
        assert_eq!(row["unopened"], "");
    }
}

fn who_reached_an_amount(hong_kong: &Own<'_>, philippines: &Own<'_>, out: &Path) {
    let sum = |rows: &[std::collections::BTreeMap<String, String>], name: &str| {
        rows.iter().map(|row| row[name].parse::<f64>().unwrap()).sum::<f64>()
    };
    let reached = philippines.make(
        &out.join("ph"),
        &["thresholds", "--currency", "PHP", "--least", "400000", "--zone", "Asia/Manila"],
    );
    assert_eq!((sum(&reached, "received"), sum(&reached, "sent")), (12_000.0, 0.0));
    assert_eq!((sum(&reached, "transfers"), sum(&reached, "cash")), (3.0, 0.0));
    let person = &reached[0]["person"];
    assert!(person.len() == 32 && reached.iter().all(|row| row["person"] == *person));
    let sent =
        hong_kong.make(&out.join("hk"), &["thresholds", "--currency", "HKD", "--least", "1"]);
    assert!(sum(&sent, "sent") > 1_000.0 && sum(&sent, "transfers") == 3.0, "{sent:?}");
    assert_ne!(sent[0]["person"], *person, "another's key is another digest");
    let cash = ["thresholds", "--currency", "PHP", "--least", "1", "--cash"];
    assert!(philippines.make(&out.join("cash"), &cash).is_empty());
    let above = ["thresholds", "--currency", "PHP", "--above", "1200000"];
    assert!(philippines.make(&out.join("above"), &above).is_empty());
}

fn verified(own: &Own<'_>, folder: &Path) {
    let public = Secret::read(Path::new(&own.key())).unwrap().signing_public();
    let genesis = own.network.join("genesis.bin");
    let manifests = bytes(folder).into_iter().filter(|(name, _)| name.ends_with(".report"));
    let mut count = 0;
    for (name, note) in manifests {
        assert!(String::from_utf8(note).unwrap().contains("\nroot -\n"));
        let manifest = folder.join(name);
        let words = ["verify", "report", manifest.to_str().unwrap()];
        let known = ["--network", genesis.to_str().unwrap(), "--key", &hex::encode(public)];
        let (status, said, _) = causeway(&[words.as_slice(), &known].concat());
        assert_eq!((status, &said["valid"]), (0, &Value::Bool(true)), "{said}");
        count += 1;
    }
    assert_eq!(count, 2, "the others lie in folders of their own");
}

fn wrong_words_are_named(own: &Own<'_>, url: &str, out: &Path) {
    let cases: [(&[&str], &str); 5] = [
        (&["thresholds", "--currency", "HKD"], "least: give the amount"),
        (&["thresholds", "--least", "1"], "currency: give the amount's"),
        (&["corridors"], "gateway: corridors is made of the network's tables"),
        (&["screening", "--acts", "99"], "acts: the gateway keeps 1 screenings"),
        (&["travel-rule", "--records", "9999999"], "records: the gateway has seen"),
    ];
    for (words, told) in cases {
        let (status, _, errors) = own.try_make(out, words);
        assert_eq!(status, 2, "{words:?}");
        assert!(errors.contains(told), "{words:?}: {errors}");
    }
    let key = own.key();
    let words = ["report", "make", "screening", "--participant", "101", "--database", url];
    let (status, _, errors) = causeway(&[words.as_slice(), &["--key", &key]].concat());
    assert_eq!(status, 2);
    assert!(
        errors.contains("report: screening is made of a participant's own gateway"),
        "{errors}"
    );
    assert!(!fs::exists(out.join("corridors-1.csv")).unwrap());
}

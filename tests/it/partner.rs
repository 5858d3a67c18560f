//! `causeway send`, `track` and `events` as a partner types them, against a running network.
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};
use services_cli::demo::{network::Running, postgres::Postgres, processes::binary};
use tests::fresh_uetr;

/// Runs the binary with the info file of a running network.
fn causeway(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(binary().unwrap());
    for variable in ["CAUSEWAY_GATEWAY", "CAUSEWAY_CA", "CAUSEWAY_API_KEY"] {
        command.env_remove(variable);
    }
    command.args(words).current_dir(folder).output().unwrap()
}

fn last_json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().last().unwrap_or_else(|| panic!("nothing was printed: {output:?}"));
    serde_json::from_str(line).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn partner_commands_send_track_and_list() {
    let postgres = Postgres::shared().unwrap();
    let url = postgres.database().await.unwrap();
    let mut running = Running::start(Some(url), |_| Ok(())).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, value: &Value| {
        fs::write(folder.path().join(name), value.to_string()).unwrap();
    };
    let mut order = json!({
        "uetr": fresh_uetr(),
        "creditor_agent": "102",
        "interbank_settlement_amount": { "amount": "4000.00", "currency": "PHP" },
        "payout_method": "wallet",
        "purpose": "GIFT",
        "debtor": { "name": "Ada Testperson", "account": "+85290000001" },
        "creditor": { "name": "Bea Testperson", "account": "+639000000001" },
    });
    write("demo.json", &running.info());
    write("order.json", &order);
    let uetr = order["uetr"].as_str().unwrap().to_owned();
    order["uetr"] = json!(fresh_uetr());
    order["creditor"]["account"] = json!("+639999999999");
    write("wrong.json", &order);
    let run = |words: &[&str]| {
        let words = [words, &["--info", "demo.json", "--json"]].concat();
        causeway(folder.path(), &words)
    };
    let priced = run(&["send", "order.json", "--dry-run"]);
    assert_eq!(priced.status.code(), Some(0), "{priced:?}");
    assert_eq!(last_json(&priced)["destination_amount"]["amount"], "4000.00");
    let unknown = run(&["track", &uetr]);
    assert_eq!(unknown.status.code(), Some(1), "a dry run sends nothing: {unknown:?}");
    let sent = run(&["send", "order.json"]);
    assert_eq!(sent.status.code(), Some(0), "{sent:?}");
    assert_eq!(last_json(&sent)["status"], "CREDITED");
    let tracked = run(&["track", &uetr, "--as", "PH", "--wait", "10"]);
    assert_eq!(last_json(&tracked)["direction"], "incoming", "{tracked:?}");
    let rejected = run(&["send", "wrong.json"]);
    assert_eq!(rejected.status.code(), Some(1), "{rejected:?}");
    assert_eq!(last_json(&rejected)["reason"], "AC01");
    let events = run(&["events", "--after", "1"]);
    assert_eq!(events.status.code(), Some(0), "{events:?}");
    let listed = String::from_utf8_lossy(&events.stdout).into_owned();
    let numbers = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let numbers: Vec<u64> = numbers.map(|row| row["number"].as_u64().unwrap()).collect();
    assert!(numbers.len() > 5 && numbers[0] == 2, "{numbers:?}");
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    let lost = causeway(folder.path(), &["track", &uetr]);
    assert_eq!(lost.status.code(), Some(2), "{lost:?}");
    assert!(String::from_utf8_lossy(&lost.stderr).contains("CAUSEWAY_GATEWAY"), "{lost:?}");
    running.stop();
}

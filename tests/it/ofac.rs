//! The OFAC list of 2021 at either end: outward refused before signing, inward rejected with RR04.
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};
use services_cli::{
    demo::{network::Running, postgres::Postgres},
    wallet::{Seen, Wallet},
};
use tests::fresh_uetr;

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn ofac_2021() {
    let lists =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/sanctions/ofac-2021-07-07");
    let Some((sdn, alt)) = files(&lists) else {
        tests::skipped("the OFAC list of 2021 is not beside the project");
        return;
    };
    let listed = first_individual(&sdn);
    let postgres = Postgres::shared().unwrap();
    let url = postgres.database().await.unwrap();
    // Hong Kong screens by the fictional list, so that the other end has to find the name.
    let running = Running::start(Some(url), |network| {
        for label in ["PH", "MY"] {
            let file = network.join(format!("participants/{label}/gateway.toml"));
            let text = fs::read_to_string(&file)?;
            let own = |name: &str| network.join("screening").join(name).display().to_string();
            let text = text
                .replace(&own("sdn.csv"), &sdn.display().to_string())
                .replace(&own("alt.csv"), &alt.display().to_string());
            fs::write(&file, text)?;
        }
        Ok(())
    });
    let mut running = running.await.unwrap();
    let outward = order("104", "PKR", "+60100000001", "PK36SCBL0000001123456702", &listed);
    let (status, body) = running.wallet("MY").unwrap().create(&outward, PATIENCE).await.unwrap();
    assert_eq!((status.as_u16(), &body["code"]), (422, &json!("SCREENING_REFUSED")), "{body}");
    assert!(!body.to_string().contains("OFAC"), "no detail outside: {body}");
    let hong_kong: Wallet = running.wallet("HK").unwrap();
    let inward = order("102", "PHP", "+85290000001", "+639000000001", &listed);
    let (status, body) = hong_kong.create(&inward, PATIENCE).await.unwrap();
    assert_eq!(status.as_u16(), 201, "{body}");
    let uetr = inward["uetr"].as_str().unwrap();
    let last = hong_kong.follow(uetr, PATIENCE, Seen::ended).await;
    assert_eq!((last.status.as_str(), &last.body["reason"]), ("REJECTED", &json!("RR04")));
    running.stop();
}

fn files(folder: &Path) -> Option<(PathBuf, PathBuf)> {
    let (sdn, alt) = (folder.join("sdn.csv"), folder.join("alt.csv"));
    (sdn.exists() && alt.exists())
        .then(|| (sdn.canonicalize().unwrap(), alt.canonicalize().unwrap()))
}

/// The name of the list's first individual.
fn first_individual(sdn: &Path) -> String {
    let text = String::from_utf8_lossy(&fs::read(sdn).unwrap()).into_owned();
    let line = text.lines().find(|line| line.contains("\"individual\"")).unwrap();
    line.split('"').nth(1).unwrap().to_owned()
}

fn order(agent: &str, currency: &str, from: &str, to: &str, creditor: &str) -> Value {
    let method = if agent == "104" { "bank_account" } else { "wallet" };
    let amount = if agent == "104" { "40010.00" } else { "4001.00" };
    json!({
        "uetr": fresh_uetr(),
        "creditor_agent": agent,
        "interbank_settlement_amount": { "amount": amount, "currency": currency },
        "payout_method": method,
        "purpose": "GIFT",
        "debtor": { "name": "Ada Testperson", "account": from },
        "creditor": { "name": creditor, "account": to },
    })
}

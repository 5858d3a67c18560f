//! Every operation of a gateway's own OpenAPI document, tried by every kind of caller on its own and on others' transfers: who may not learns nothing and changes nothing.
use std::{collections::BTreeMap, time::Duration};

use proto::ledger::GetRootRequest;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use services_cli::{
    admin::{commands::api_key, gateways::api_key_of},
    demo::{network::Running, postgres::Postgres},
    wallet::Seen,
};

const PATIENCE: Duration = Duration::from_secs(60);
const SCOPES: [&str; 6] = ["read", "send", "decide", "manage", "approve", "audit"];

/// Resources that a scope of their own opens.
const OFFICES: [(&str, &str); 4] = [
    ("/v1/webhooks", "manage"),
    ("/v1/api-keys", "manage"),
    ("/v1/approvals", "approve"),
    ("/v1/audit", "audit"),
];

/// One operation: its method, its path's template, and whether it asks for a key.
#[derive(Clone, Debug)]
struct Operation {
    method: Method,
    path: String,
    keyed: bool,
}

impl Operation {
    fn names_a_transfer(&self) -> bool {
        self.path.contains("{uetr}")
    }
}

/// A gateway and a client that trusts it.
struct Door {
    client: Client,
    url: String,
    /// With every scope.
    key: String,
}

impl Door {
    async fn operations(&self) -> Vec<Operation> {
        let document = self.client.get(format!("{}/openapi.json", self.url)).send().await.unwrap();
        let document: Value = document.json().await.unwrap();
        let keyed_unless = |operation: &Value| match operation["security"].as_array() {
            Some(security) => security.iter().any(|way| way.get("api_key").is_some()),
            None => true,
        };
        let mut found = Vec::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                found.push(Operation {
                    method: method.to_uppercase().parse().unwrap(),
                    path: path.clone(),
                    keyed: keyed_unless(operation),
                });
            }
        }
        found
    }

    /// Status and code of the answer to one operation on a transfer.
    async fn ask(&self, operation: &Operation, uetr: &str, key: Option<&str>) -> (u16, String) {
        let path = operation.path.replace("{uetr}", uetr).replace("{token}", "none");
        let path = path.replace("{case}", uetr);
        let path = path.replace("{message}", "pacs.002").replace("{id}", uetr);
        let mut request = self.client.request(operation.method.clone(), self.url.clone() + &path);
        if operation.method != Method::GET {
            let again = format!("\"{}\"", tests::fresh_uetr());
            request = request.header("idempotency-key", again).json(&body(&operation.path));
        }
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap_or_default();
        (status, body["code"].as_str().unwrap_or_default().to_owned())
    }
}

/// What each action would need if it were allowed.
fn body(path: &str) -> Value {
    match path.rsplit('/').next() {
        Some("hold") => json!({ "reason": "G002", "until": "2100-01-01T00:00:00Z" }),
        Some("reject" | "cancel" | "return") => json!({ "reason": "AC04" }),
        Some("recall") => json!({ "case": tests::fresh_uetr(), "reason": "DUPL" }),
        Some("answer") => json!({ "answer": "rejected", "reason": "CUST" }),
        Some("replay") => json!({ "from": 1 }),
        Some("payee-checks") => json!({
            "creditor_agent": "102", "account": "+639000000009", "name": "Nobody Testperson",
        }),
        Some("pickup") => json!({ "code": "0000-0000-0000-0000" }),
        Some("confirm") => json!({ "status": "ACCC" }),
        _ => json!({}),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gateway_matrix_of_callers_operations_and_transfers() {
    let postgres = Postgres::shared().unwrap();
    let url = postgres.database().await.unwrap();
    let mut running = Running::start(Some(url), |_| Ok(())).await.unwrap();
    let uetr = transfer(&running).await;
    let doors = doors(&running);
    let operations = doors["HK"].operations().await;
    assert!(operations.len() > 10, "{operations:?}");
    let before = root(&running).await;
    keys(&running, &doors, &operations, &uetr).await;
    strangers(&doors, &operations, &uetr).await;
    wrong_sides(&doors, &operations, &uetr).await;
    others_objects(&running, &doors, &operations).await;
    assert_eq!(root(&running).await, before, "somebody changed something");
    running.stop();
}

fn doors(running: &Running) -> BTreeMap<String, Door> {
    let client = services_runtime::tls::http_client(&running.ca()).unwrap();
    let info = running.info();
    let gateways = info["gateways"].as_object().unwrap();
    let door = |(label, own): (&String, &Value)| {
        let text = |name: &str| own[name].as_str().unwrap().to_owned();
        let door = Door { client: client.clone(), url: text("url"), key: text("api_key") };
        (label.clone(), door)
    };
    gateways.iter().map(door).collect()
}

/// A transfer from Hong Kong to the Philippines that was credited.
async fn transfer(running: &Running) -> String {
    let uetr = tests::fresh_uetr();
    let order = json!({
        "uetr": uetr,
        "creditor_agent": "102",
        "interbank_settlement_amount": { "amount": "4001.00", "currency": "PHP" },
        "payout_method": "wallet",
        "purpose": "GIFT",
        "debtor": { "name": "Ada Testperson", "account": "+85290000001" },
        "creditor": { "name": "Ben Testperson", "account": "+639000000001" },
    });
    let wallet = running.wallet("HK").unwrap();
    let (status, said) = wallet.create(&order, PATIENCE).await.unwrap();
    assert_eq!(status.as_u16(), 201, "{said}");
    let last = wallet.follow(&uetr, PATIENCE, Seen::ended).await;
    assert_eq!(last.status, "CREDITED", "{}", last.body);
    uetr
}

/// Without a key, with nobody's, with another gateway's, and with too narrow a one.
async fn keys(
    running: &Running,
    doors: &BTreeMap<String, Door>,
    operations: &[Operation],
    uetr: &str,
) {
    let door = &doors["HK"];
    let config = running.folder.path.join("participants/HK/gateway.toml");
    let mut narrow = Vec::new();
    for scope in SCOPES {
        narrow.push(api_key(&config, &[scope.to_owned()]).await.unwrap());
    }
    for operation in operations.iter().filter(|operation| operation.keyed) {
        let told = door.ask(operation, uetr, None).await;
        assert_eq!(told, (401, "API_KEY_MISSING".to_owned()), "{operation:?}");
        let others = doors.iter().filter(|(label, _)| *label != "HK").map(|(_, other)| &*other.key);
        for key in others.chain(["cw_none"]) {
            let told = door.ask(operation, uetr, Some(key)).await;
            assert_eq!(told, (401, "API_KEY_UNKNOWN".to_owned()), "{operation:?}");
        }
        let mut may = Vec::new();
        for (scope, key) in SCOPES.into_iter().zip(&narrow) {
            let told = door.ask(operation, tests::fresh_uetr().as_str(), Some(key)).await;
            if told != (403, "SCOPE_MISSING".to_owned()) {
                may.push(scope);
            }
        }
        if operation.path.ends_with("/pickup-code") {
            // Who may send money learns how it is picked up; who may only look does not.
            assert_eq!(may, ["send"], "{operation:?}");
            continue;
        }
        let office = OFFICES.iter().find(|(path, _)| operation.path.starts_with(path));
        match (office, operation.method == Method::GET) {
            (Some((_, scope)), _) => assert_eq!(may, [*scope], "{operation:?}"),
            (None, true) => assert_eq!(may, ["read"], "{operation:?}"),
            (None, false) => {
                assert!(may == ["send"] || may == ["decide"], "{operation:?}: {may:?}");
            }
        }
    }
}

/// Gateways of participants that a transfer does not concern.
async fn strangers(doors: &BTreeMap<String, Door>, operations: &[Operation], uetr: &str) {
    let strangers = doors.iter().filter(|(label, _)| !["HK", "PH"].contains(&label.as_str()));
    let mut asked = 0;
    for (label, stranger) in strangers {
        for operation in operations.iter().filter(|operation| operation.names_a_transfer()) {
            let (status, code) = stranger.ask(operation, uetr, Some(&stranger.key)).await;
            assert_eq!(status, 404, "{label} {operation:?}: {code}");
            asked += 1;
        }
    }
    assert!(asked > 0);
}

/// The debtor agent does what only the creditor agent may, and the other way round.
async fn wrong_sides(doors: &BTreeMap<String, Door>, operations: &[Operation], uetr: &str) {
    let only = |label: &str| match label {
        "HK" => ["accept", "hold", "reject", "confirm", "return", "answer", "pickup"].as_slice(),
        _ => &["cancel", "recall", "pickup-code"],
    };
    for label in ["HK", "PH"] {
        for operation in operations.iter().filter(|operation| operation.names_a_transfer()) {
            let word = operation.path.rsplit('/').next().unwrap_or_default();
            if only(label).contains(&word) {
                let (status, code) =
                    doors[label].ask(operation, uetr, Some(&doors[label].key)).await;
                assert!((400..500).contains(&status), "{label} {operation:?}: {status} {code}");
            }
        }
    }
}

/// Whoever may do everything at one gateway finds nothing of another's: keys, webhooks, approvals.
async fn others_objects(
    running: &Running,
    doors: &BTreeMap<String, Door>,
    operations: &[Operation],
) {
    let config =
        |label: &str| running.folder.path.join(format!("participants/{label}/gateway.toml"));
    let made = api_key_of(&config("HK"), &["read".to_owned()], Some("ada"), None).await.unwrap();
    let id = made.0.to_string();
    let mut asked = 0;
    for (label, stranger) in doors.iter().filter(|(label, _)| *label != "HK") {
        let every = api_key(&config(label), &SCOPES.map(str::to_owned)).await.unwrap();
        for operation in operations.iter().filter(|operation| operation.path.contains("{id}")) {
            let (status, code) = stranger.ask(operation, &id, Some(&every)).await;
            assert_eq!(status, 404, "{label} {operation:?}: {code}");
            asked += 1;
        }
    }
    assert!(asked > 20, "{asked}");
    let own = Operation { method: Method::GET, path: "/v1/transfers".to_owned(), keyed: true };
    let (status, code) = doors["HK"].ask(&own, "", Some(&made.1)).await;
    assert_eq!(status, 200, "the key opens as before: {code}");
}

/// The ledger's records and root.
async fn root(running: &Running) -> (u64, Vec<u8>) {
    let (_, records) = running.operator.balances(None).await.unwrap();
    let mut admin = running.operator.admin(running.leader().await.unwrap()).unwrap();
    let root = admin.get_root(GetRootRequest { records }).await.unwrap().into_inner();
    (root.records, root.root.to_vec())
}

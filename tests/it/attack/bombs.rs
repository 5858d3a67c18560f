//! Bodies that grow or confuse, and floods, at a gateway: each is refused by its page, memory stays, and it serves on.
use std::time::Duration;

use serde_json::{Value, json};
use services_cli::{
    demo::{network::Running, postgres::Postgres},
    wallet::Seen,
};
use tests::{fresh_uetr, say};

use super::{GROWTH_KIB_MAX, floods, memory};

const PATIENCE: Duration = Duration::from_secs(60);
const XML: &str = "application/xml";
const JSON: &str = "application/json";

/// A gateway's process: whose command names its settings.
fn process(running: &Running) -> Vec<u32> {
    super::processes_of(&running.folder.path.join("participants/HK/gateway.toml"))
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_on_a_gateway() {
    let postgres = Postgres::shared().unwrap();
    let url = postgres.database().await.unwrap();
    let mut running = Running::start(Some(url), |_| Ok(())).await.unwrap();
    let door = Door::of(&running);
    // What it keeps anyway is there by now.
    served(&running).await;
    door.json().await;
    door.xml().await;
    let gateway = process(&running);
    assert_eq!(gateway.len(), 1);
    let before = memory(&gateway);
    for _ in 0..5 {
        door.json().await;
        door.xml().await;
    }
    let flooded = floods::Door {
        endpoint: door.url.clone(),
        ca: running.ca(),
        certificate: None,
        call: floods::GATEWAY,
    };
    floods::all(&flooded).await;
    slow_body(&door).await;
    served(&running).await;
    running.check().unwrap();
    let after = memory(&gateway);
    say(&format!("resident KiB of the gateway: {before:?} before, {after:?} after"));
    assert!(after[0].saturating_sub(before[0]) < GROWTH_KIB_MAX, "{before:?} KiB became {after:?}");
    running.stop();
}

/// A remittance is credited.
async fn served(running: &Running) {
    let order = json!({
        "uetr": fresh_uetr(),
        "creditor_agent": "102",
        "interbank_settlement_amount": { "amount": "4000.00", "currency": "PHP" },
        "payout_method": "wallet",
        "purpose": "GIFT",
        "debtor": { "name": "Ada Testperson", "account": "+85290000001" },
        "creditor": { "name": "Bea Testperson", "account": "+639000000001" },
    });
    let wallet = running.wallet("HK").unwrap();
    let (status, body) = wallet.create(&order, PATIENCE).await.unwrap();
    assert_eq!(status.as_u16(), 201, "{body}");
    let last = wallet.follow(order["uetr"].as_str().unwrap(), PATIENCE, Seen::ended).await;
    assert_eq!(last.status, "CREDITED", "{}", last.body);
}

struct Door {
    client: reqwest::Client,
    url: String,
    api_key: String,
}

impl Door {
    fn of(running: &Running) -> Self {
        let info = running.info();
        let text = |name: &str| info["gateways"]["HK"][name].as_str().unwrap().to_owned();
        let client = services_runtime::tls::http_client(&running.ca()).unwrap();
        Self { client, url: text("url"), api_key: text("api_key") }
    }

    async fn post(&self, path: &str, kind: &str, body: Vec<u8>) -> (u16, String) {
        let request = self.client.post(format!("{}{path}", self.url));
        let request = request.bearer_auth(&self.api_key).header("content-type", kind);
        let request = request.header("idempotency-key", fresh_uetr()).body(body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Bodies that are no order, by their shape alone.
    async fn json(&self) {
        let wide = format!("{{{}}}", vec!["\"a\":1"; 100_000].join(","));
        let cases: [(&str, Vec<u8>, u16, &str); 11] = [
            ("deep lists", "[".repeat(500_000).into_bytes(), 400, "BODY_MALFORMED"),
            ("deep objects", "{\"debtor\":".repeat(100_000).into_bytes(), 400, "BODY_MALFORMED"),
            ("wide", wide.into_bytes(), 400, "BODY_MALFORMED"),
            ("twice", br#"{"purpose":"GIFT","purpose":"SALA"}"#.to_vec(), 400, "BODY_MALFORMED"),
            ("huge number", huge().into_bytes(), 400, "BODY_MALFORMED"),
            ("exponent", br#"{"corridor":1e999999999}"#.to_vec(), 400, "BODY_MALFORMED"),
            (
                "escapes",
                [b"\"".to_vec(), br"\u0000".repeat(150_000)].concat(),
                400,
                "BODY_MALFORMED",
            ),
            ("half a pair", br#"{"purpose":"\ud800"}"#.to_vec(), 400, "BODY_MALFORMED"),
            ("no UTF-8", b"{\"purpose\":\"\xff\xfe\"}".to_vec(), 400, "BODY_MALFORMED"),
            ("list for object", br#"["a","b"]"#.to_vec(), 400, "BODY_MALFORMED"),
            ("too large", vec![b' '; (1 << 20) + 1], 413, "BODY_TOO_LARGE"),
        ];
        for (what, body, status, code) in cases {
            let (got, text) = self.post("/v1/transfers", JSON, body).await;
            let problem: Value = serde_json::from_str(&text).unwrap_or_default();
            assert_eq!((got, problem["code"].as_str()), (status, Some(code)), "{what}: {text}");
        }
        let (got, text) = self.post("/v1/transfers", XML, b"<a/>".to_vec()).await;
        assert!(got == 415 && text.contains("MEDIA_TYPE_UNSUPPORTED"), "{got}: {text}");
    }

    /// Messages that would expand, nest or never end: an RJCT with FF01 or a reason of its own.
    async fn xml(&self) {
        let entities: String = (0..9)
            .map(|at| format!("<!ENTITY e{} \"{}\">", at + 1, format!("&e{at};").repeat(10)))
            .collect();
        let laughs = format!("<!DOCTYPE a [<!ENTITY e0 \"lol\">{entities}]><a>&e9;</a>");
        let outside = "<!DOCTYPE a [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><a>&e;</a>";
        let message = |name: &str, root: &str, inside: String| {
            let space = format!("urn:iso:std:iso:20022:tech:xsd:{name}");
            format!("<Document xmlns=\"{space}\"><{root}>{inside}</{root}></Document>")
        };
        let recalls = message("camt.056.001.08", "FIToFIPmtCxlReq", "<Undrlyg/>".repeat(19_000));
        let returns = message("pacs.004.001.09", "PmtRtr", "<TxInf/>".repeat(19_000));
        let questions = message("pacs.028.001.03", "FIToFIPmtStsReq", "<TxInf/>".repeat(19_000));
        let cases: [(&str, Vec<u8>); 10] = [
            ("recalls", recalls.into_bytes()),
            ("returns", returns.into_bytes()),
            ("questions", questions.into_bytes()),
            ("laughs", laughs.into_bytes()),
            ("outside", outside.as_bytes().to_vec()),
            ("deep", "<a>".repeat(300_000).into_bytes()),
            ("many", format!("<a>{}</a>", "<b/>".repeat(200_000)).into_bytes()),
            ("attributes", format!("<a {}/>", "b=\"\" ".repeat(150_000)).into_bytes()),
            ("endless name", vec![b'<'; 1 << 20]),
            ("no UTF-8", b"<a>\xff</a>".to_vec()),
        ];
        for (what, body) in cases {
            let (got, text) = self.post("/v1/iso20022", XML, body).await;
            let refused = text.contains("<TxSts>RJCT</TxSts>") || text.contains("<GrpSts>RJCT");
            assert!(got == 200 && refused && text.contains("FF01"), "{what}: {got} {text}");
            assert!(!text.contains("root:"), "{what}: {text}");
        }
        let (got, text) = self.post("/v1/iso20022", XML, vec![b' '; (1 << 20) + 1]).await;
        assert!(got == 413 && text.contains("BODY_TOO_LARGE"), "{got}: {text}");
    }
}

fn huge() -> String {
    format!("{{\"corridor\":{}}}", "9".repeat(900_000))
}

/// A body that comes byte by byte is given up, and says so.
async fn slow_body(door: &Door) {
    let pieces = futures_util::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        Some((Ok::<_, std::io::Error>(bytes::Bytes::from_static(b" ")), ()))
    });
    let sent = door
        .client
        .post(format!("{}/v1/transfers", door.url))
        .timeout(Duration::from_secs(45))
        .header("content-type", JSON)
        .bearer_auth(&door.api_key)
        .body(reqwest::Body::wrap_stream(pieces))
        .send()
        .await;
    assert_eq!(sent.unwrap().status().as_u16(), 408, "a body without end");
}

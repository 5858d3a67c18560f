//! Requests that must be signed (RFC 9421): what is unsigned, altered, repeated or signed by another passes nowhere and changes nothing.
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer as _, SigningKey};
use gateway::sealing::random;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use super::{Office, credited, get, order, post, uetr};

/// A client that signs.
struct Hand {
    client: Client,
    url: String,
    secret: String,
    id: String,
    key: SigningKey,
}

/// A request as it is sent; it is signed as `signed_body`.
struct Sent<'a> {
    method: Method,
    path: &'a str,
    body: &'a str,
    signed_body: &'a str,
    kind: &'a str,
    key: Option<&'a str>,
}

impl<'a> Sent<'a> {
    fn get(path: &'a str) -> Self {
        Self { method: Method::GET, path, body: "", signed_body: "", kind: "", key: None }
    }

    fn post(path: &'a str, body: &'a str, key: &'a str) -> Self {
        let (method, kind) = (Method::POST, "application/json");
        Self { method, path, body, signed_body: body, kind, key: Some(key) }
    }
}

impl Hand {
    /// (name, value) of the fields that sign a request.
    fn fields(&self, sent: &Sent<'_>) -> Vec<(&'static str, String)> {
        let (path, query) = match sent.path.split_once('?') {
            Some((path, query)) => (path, Some(format!("?{query}"))),
            None => (sent.path, None),
        };
        let host = self.url.strip_prefix("https://").unwrap();
        let mut lines = vec![
            ("@method", sent.method.to_string()),
            ("@path", path.to_owned()),
            ("@authority", host.to_owned()),
        ];
        lines.extend(query.map(|query| ("@query", query)));
        let mut fields = Vec::new();
        if sent.method == Method::POST {
            let digest = STANDARD.encode(Sha256::digest(sent.signed_body));
            let digest = format!("sha-256=:{digest}:");
            lines.push(("content-digest", digest.clone()));
            fields.push(("content-digest", digest));
        }
        if let Some(key) = sent.key {
            lines.push(("idempotency-key", key.to_owned()));
            fields.push(("idempotency-key", key.to_owned()));
        }
        let names: Vec<_> = lines.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let nonce = STANDARD.encode(random::<18>().unwrap());
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let parameters = format!(
            "({});created={now};nonce=\"{nonce}\";keyid=\"{}\";alg=\"ed25519\"",
            names.join(" "),
            self.id
        );
        let lines = lines.iter().map(|(name, value)| format!("\"{name}\": {value}\n"));
        let base = format!("{}\"@signature-params\": {parameters}", lines.collect::<String>());
        let signature = STANDARD.encode(self.key.sign(base.as_bytes()).to_bytes());
        fields.push(("signature-input", format!("own={parameters}")));
        fields.push(("signature", format!("own=:{signature}:")));
        fields
    }

    async fn send(&self, sent: &Sent<'_>, fields: &[(&'static str, String)]) -> (u16, Value) {
        let url = format!("{}{}", self.url, sent.path);
        let request = self.client.request(sent.method.clone(), url).bearer_auth(&self.secret);
        let request =
            fields.iter().fold(request, |request, (name, value)| request.header(*name, value));
        let request = match sent.kind {
            "" => request,
            kind => request.header("content-type", kind).body(sent.body.to_owned()),
        };
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    async fn signed(&self, sent: &Sent<'_>) -> (u16, Value) {
        self.send(sent, &self.fields(sent)).await
    }
}

fn refused((status, said): (u16, Value), code: &str) {
    assert_eq!((status, said["code"].as_str()), (401, Some(code)), "{said}");
}

pub(super) async fn requests_are_signed_where_they_must_be(office: &Office) {
    let keeper = office.person(Some("mia"), &["manage"]).await;
    let asked = json!({ "owner": "signer", "scopes": ["read", "send"] });
    let made = post(&keeper, "/v1/api-keys", asked, 201).await;
    let id = made["id"].as_str().unwrap().to_owned();
    let hand = Hand {
        client: services_runtime::tls::http_client(&office.running.ca()).unwrap(),
        url: office.url.clone(),
        secret: made["secret"].as_str().unwrap().to_owned(),
        id: id.clone(),
        key: SigningKey::from_bytes(&random().unwrap()),
    };
    let list = Sent::get("/v1/transfers?limit=1");
    assert_eq!(hand.send(&list, &[]).await.0, 200, "nothing need be signed yet");
    let path = format!("/v1/api-keys/{id}/signature-key");
    let weak = STANDARD.encode([0; 32]);
    let said = post(&keeper, &path, json!({ "public_key": weak }), 400).await;
    assert!(said["detail"].as_str().unwrap().starts_with("public_key"), "{said}");
    let public = STANDARD.encode(hand.key.verifying_key().to_bytes());
    let set = post(&keeper, &path, json!({ "public_key": public }), 200).await;
    assert_eq!(set["signature_key"], json!(public));

    refused(hand.send(&list, &[]).await, "SIGNATURE_REQUIRED");
    let fields = hand.fields(&list);
    let (status, said) = hand.send(&list, &fields).await;
    assert_eq!(status, 200, "{said}");
    refused(hand.send(&list, &fields).await, "SIGNATURE_INVALID");
    refused(
        hand.send(&Sent::get("/v1/transfers?limit=2"), &hand.fields(&list)).await,
        "SIGNATURE_INVALID",
    );
    transfers_are_sent_as_they_were_signed(office, &hand).await;
    files_are_sent_as_they_were_signed(&hand).await;

    let removed = keeper.send(Method::DELETE, &path, None, None).await.unwrap();
    assert_eq!(removed.0, StatusCode::OK, "{}", removed.1);
    assert!(removed.1["signature_key"].is_null());
    assert_eq!(hand.send(&list, &[]).await.0, 200);
    let wrong =
        [("content-digest", format!("sha-256=:{weak}:")), ("idempotency-key", "k".to_owned())];
    let (status, said) = hand.send(&Sent::post("/v1/quotes", "{}", "k"), &wrong).await;
    assert_eq!((status, &said["code"]), (400, &json!("BODY_MALFORMED")), "{said}");
}

async fn transfers_are_sent_as_they_were_signed(office: &Office, hand: &Hand) {
    let (own, other) = (order("1000.00"), order("2000.00"));
    let (text, altered) = (own.to_string(), other.to_string());
    let spoiled = Sent { body: &altered, ..Sent::post("/v1/transfers", &text, uetr(&own)) };
    refused(hand.signed(&spoiled).await, "SIGNATURE_INVALID");
    let sent = Sent::post("/v1/transfers", &text, uetr(&own));
    for _ in 0..2 {
        // Again under the same key and a signature of its own: the first answer.
        let (status, said) = hand.signed(&sent).await;
        assert_eq!((status, said["uetr"].as_str()), (201, Some(uetr(&own))), "{said}");
    }
    let reader = office.person(Some("rea"), &["read"]).await;
    credited(&reader, uetr(&own)).await;
    get(&reader, &format!("/v1/transfers/{}", uetr(&other)), 404).await;
}

/// A file is compared at its end, and nothing of another is sent.
async fn files_are_sent_as_they_were_signed(hand: &Hand) {
    let (own, other) = (order("1000.00"), order("2000.00"));
    let (text, altered) = (own.to_string(), other.to_string());
    let file = |body, key| Sent {
        kind: "application/x-ndjson",
        body,
        ..Sent::post("/v1/batches", &text, key)
    };
    let (status, said) = hand.signed(&file(&altered, "spoiled")).await;
    assert_eq!((status, &said["code"]), (400, &json!("BODY_MALFORMED")), "{said}");
    let (status, said) = hand.signed(&file(&text, "whole")).await;
    assert_eq!((status, &said["rows"]), (202, &json!(1)), "{said}");
    let path = format!("/v1/transfers/{}", uetr(&other));
    let (status, said) = hand.signed(&Sent::get(&path)).await;
    assert_eq!(status, 404, "{said}");
}

//! A client of an OAuth2 issuer gets a token by its credentials and sends money with it; the issuer's keys come over https and change.
use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use ring::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use tests::fresh_uetr;
use time::OffsetDateTime;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
};

use super::{Office, PATIENCE, credited, get, order, post, uetr};

const CLIENT: &str = "wallet-7";

/// A small issuer: a token endpoint and a JWK Set on one https port, its keys made at run time.
pub(super) struct Issuer {
    listener: Mutex<Option<TcpListener>>,
    port: u16,
    secret: String,
    key: Arc<Mutex<(String, Ed25519KeyPair)>>,
}

fn fresh_key(name: &str) -> (String, Ed25519KeyPair) {
    let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    (name.to_owned(), Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap())
}

impl Issuer {
    pub(super) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let key = Arc::new(Mutex::new(fresh_key("first")));
        Self { listener: Mutex::new(Some(listener)), port, secret: fresh_uetr(), key }
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    /// What a gateway is told of it.
    pub(super) fn settings(&self, network: &Path) -> String {
        let ca = network.join("ca/participant/certificate.pem");
        let (issuer, jwks, ca) = (self.url(""), self.url("/jwks"), ca.display());
        format!(
            "\n[security.oauth]\nissuer = \"{issuer}\"\naudience = \"gateway\"\njwks = \"{jwks}\"\n\
             ca = \"{ca}\"\n"
        )
    }

    /// Serves with a certificate of the network's own, which is for localhost.
    pub(super) fn serve(&self, network: &Path) -> JoinHandle<()> {
        let own = network.join("participants/HK");
        let chain = CertificateDer::pem_file_iter(own.join("https/certificate.pem")).unwrap();
        let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_file(own.join("https/key.pem")).unwrap();
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
        let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
        let listener = self.listener.lock().unwrap().take().unwrap();
        let (issuer, secret, key) = (self.url(""), self.secret.clone(), Arc::clone(&self.key));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut asked = Vec::new();
                let mut part = [0; 1_024];
                // A head, and for the token endpoint a short body with it.
                while let Ok(length) = stream.read(&mut part).await {
                    asked.extend_from_slice(&part[..length]);
                    if length == 0 || whole(&asked) {
                        break;
                    }
                }
                let text = answer(&String::from_utf8_lossy(&asked), &issuer, &secret, &key);
                let _gone = stream.write_all(text.as_bytes()).await;
                let _closed = stream.shutdown().await;
            }
        })
    }
}

fn whole(asked: &[u8]) -> bool {
    let text = String::from_utf8_lossy(asked);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let line = line.to_ascii_lowercase();
        line.strip_prefix("content-length:").and_then(|length| length.trim().parse().ok())
    });
    body.len() >= length.unwrap_or(0)
}

/// The JWK Set, or a token for the client that proves itself (RFC 6749, section 4.4).
fn answer(
    asked: &str,
    issuer: &str,
    secret: &str,
    key: &Mutex<(String, Ed25519KeyPair)>,
) -> String {
    let key = key.lock().unwrap();
    let (status, body) = if asked.starts_with("GET /jwks ") {
        let x = BASE64.encode(key.1.public_key().as_ref());
        let own = json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": key.0, "x": x });
        ("200 OK", json!({ "keys": [own] }))
    } else if asked.starts_with("POST /token ") && asked.contains(secret) {
        let scope = asked.split("scope=").nth(1).unwrap_or_default().trim().replace('+', " ");
        let token = signed(&key, issuer, &scope);
        ("200 OK", json!({ "access_token": token, "token_type": "Bearer", "expires_in": 600 }))
    } else {
        ("401 Unauthorized", json!({ "error": "invalid_client" }))
    };
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close");
    format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn signed((name, key): &(String, Ed25519KeyPair), issuer: &str, scope: &str) -> String {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let header = json!({ "typ": "at+jwt", "alg": "EdDSA", "kid": name });
    let claims = json!({
        "iss": issuer, "aud": "gateway", "sub": CLIENT, "client_id": CLIENT, "scope": scope,
        "iat": now, "nbf": now, "exp": now + 600, "jti": fresh_uetr(),
    });
    let part = |value: Value| BASE64.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    format!("{text}.{}", BASE64.encode(key.sign(text.as_bytes()).as_ref()))
}

async fn token(office: &Office, scope: &str) -> String {
    let client = services_runtime::tls::http_client(&office.running.ca()).unwrap();
    let body = format!(
        "grant_type=client_credentials&client_id={CLIENT}&client_secret={}&scope={}",
        office.issuer.secret,
        scope.replace(' ', "+"),
    );
    let answer = client.post(office.issuer.url("/token")).body(body).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

pub(super) async fn a_client_comes_by_its_token(office: &Office) {
    let wallet = office.holding(token(office, "read send unknown").await);
    let own = order("1000.00");
    let (status, said) = wallet.create(&own, PATIENCE).await.unwrap();
    assert_eq!(status.as_u16(), 201, "{said}");
    // Another token of the same client is the same caller.
    let again = office.holding(token(office, "send").await);
    let (status, said) = again.create(&own, PATIENCE).await.unwrap();
    assert_eq!((status.as_u16(), said["uetr"].as_str()), (201, Some(uetr(&own))), "{said}");
    credited(&wallet, uetr(&own)).await;
    let said = get(&again, "/v1/transfers?limit=1", 403).await;
    assert_eq!(said["code"], "SCOPE_MISSING");

    *office.issuer.key.lock().unwrap() = fresh_key("second");
    let later = office.holding(token(office, "read").await);
    let limit = std::time::Instant::now() + PATIENCE;
    // Its keys are not fetched twice in five seconds.
    while later.send(reqwest::Method::GET, "/v1/transfers", None, None).await.unwrap().0 != 200 {
        assert!(std::time::Instant::now() < limit, "new keys are found");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    let said = get(&wallet, "/v1/transfers?limit=1", 401).await;
    assert_eq!(said["code"], "TOKEN_INVALID", "the former key is gone: {said}");

    let keeper = office.person(Some("mia"), &["manage"]).await;
    let keys = get(&keeper, "/v1/api-keys", 200).await;
    let client = keys.as_array().unwrap().iter().find(|row| row["owner"] == CLIENT).unwrap();
    let path = format!("/v1/api-keys/{}/revoke", client["id"].as_str().unwrap());
    post(&keeper, &path, Value::Null, 200).await;
    let said = get(&later, "/v1/transfers?limit=1", 401).await;
    assert_eq!(said["code"], "TOKEN_INVALID", "taken back here: {said}");
}

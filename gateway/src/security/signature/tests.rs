//! The standard's own vectors, and everything that must not pass.
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use sfv::ListEntry;
use sha2::{Digest as _, Sha256};

use super::{Message, Signed, Wrong, base, content_digest, dictionary, verify};

const NOW: i64 = 1_800_000_000;

fn headers(rows: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in rows {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

#[test]
fn vector_b_2_6_of_the_standard_holds() {
    let headers = headers(&[
        ("host", "example.com"),
        ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
        ("content-type", "application/json"),
        ("content-length", "18"),
        (
            "signature-input",
            "sig-b26=(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \
             \"content-length\");created=1618884473;keyid=\"test-key-ed25519\"",
        ),
    ]);
    let uri: Uri = "/foo?param=Value&Pet=dog".parse().unwrap();
    let message = Message { method: &Method::POST, uri: &uri, headers: &headers };
    let inputs = dictionary(&headers, "signature-input").unwrap();
    let ListEntry::InnerList(list) = &inputs["sig-b26"] else { panic!("a list") };
    let base = base(&message, list).unwrap();
    let expected = "\"date\": Tue, 20 Apr 2021 02:07:55 GMT
\"@method\": POST
\"@path\": /foo
\"@authority\": example.com
\"content-type\": application/json
\"content-length\": 18
\"@signature-params\": (\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \
\"content-length\");created=1618884473;keyid=\"test-key-ed25519\"";
    assert_eq!(base, expected);
    let spki =
        STANDARD.decode("MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=").unwrap();
    let key: [u8; 32] = spki[12..].try_into().unwrap();
    let signature = STANDARD
        .decode(
            "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
        )
        .unwrap();
    let signature = ed25519_dalek::Signature::from_slice(&signature).unwrap();
    let key = VerifyingKey::from_bytes(&key).unwrap();
    key.verify_strict(base.as_bytes(), &signature).unwrap();
}

#[test]
fn a_content_digest_is_read_as_the_standard_writes_it() {
    let digest: [u8; 32] = Sha256::digest(b"{\"hello\": \"world\"}").into();
    let stated = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    assert_eq!(content_digest(&headers(&[("content-digest", stated)])), Some(digest));
    let both = format!("sha-512=:AAAA:, {stated}");
    assert_eq!(content_digest(&headers(&[("content-digest", &both)])), Some(digest));
    for none in ["sha-512=:AAAA:", "sha-256=AAAA", "sha-256=:AAAA:", "garbage=("] {
        assert_eq!(content_digest(&headers(&[("content-digest", none)])), None, "{none}");
    }
}

/// A request and how it is signed.
struct Case {
    method: Method,
    uri: &'static str,
    components: &'static str,
    parameters: String,
    headers: Vec<(&'static str, String)>,
}

impl Default for Case {
    fn default() -> Self {
        let digest = STANDARD.encode(Sha256::digest(b"{}"));
        Self {
            method: Method::POST,
            uri: "/v1/transfers",
            components: "\"@method\" \"@path\" \"@authority\" \"content-digest\" \"idempotency-key\"",
            parameters: format!("created={NOW};nonce=\"n\";keyid=\"k\";alg=\"ed25519\""),
            headers: vec![
                ("host", "Gateway.example:443".to_owned()),
                ("content-digest", format!("sha-256=:{digest}:")),
                ("idempotency-key", "\"one\"".to_owned()),
            ],
        }
    }
}

impl Case {
    /// Signs, lets `change` spoil what comes, and verifies.
    fn verify(&self, change: impl FnOnce(&mut Method, &mut HeaderMap)) -> Result<Signed, Wrong> {
        let key = SigningKey::from_bytes(&[7; 32]);
        let uri: Uri = self.uri.parse().unwrap();
        let rows: Vec<_> = self.headers.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let mut headers = headers(&rows);
        let input = format!("own=({});{}", self.components, self.parameters);
        headers.append("signature-input", HeaderValue::from_str(&input).unwrap());
        let mut method = self.method.clone();
        let inputs = dictionary(&headers, "signature-input").unwrap();
        let ListEntry::InnerList(list) = &inputs["own"] else { panic!("a list") };
        let message = Message { method: &method, uri: &uri, headers: &headers };
        let signature = base(&message, list).map(|base| key.sign(base.as_bytes()).to_bytes());
        let encoded = STANDARD.encode(signature.unwrap_or([0; 64]));
        let value = format!("own=:{encoded}:");
        headers.append("signature", HeaderValue::from_str(&value).unwrap());
        change(&mut method, &mut headers);
        let message = Message { method: &method, uri: &uri, headers: &headers };
        verify(&message, &key.verifying_key().to_bytes(), "k", NOW)
    }

    fn wrong(&self) -> &'static str {
        match self.verify(|_, _| {}) {
            Err(Wrong::Invalid(why)) => why,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_whole_signature_holds_and_no_other_request_passes_under_it() {
    let signed = Case::default().verify(|_, _| {}).unwrap();
    assert_eq!(signed, Signed { nonce: "n".to_owned(), over_at: NOW + 301 });
    let spoiled = "signature: it is not of this request by this key";
    for (name, value) in [
        ("host", "other.example"),
        ("content-digest", "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"),
        ("idempotency-key", "\"two\""),
    ] {
        let told = Case::default().verify(|_, headers| {
            headers.insert(name, HeaderValue::from_static(value));
        });
        assert_eq!(told, Err(Wrong::Invalid(spoiled)), "{name}");
    }
    let told = Case::default().verify(|method, _| *method = Method::PUT);
    assert_eq!(told, Err(Wrong::Invalid(spoiled)));
    for name in ["signature", "signature-input"] {
        let told = Case::default().verify(|_, headers| {
            headers.remove(name);
        });
        assert_eq!(told, Err(Wrong::Missing), "{name}");
    }
}

#[test]
fn what_a_signature_lacks_is_named() {
    let of = |components| Case { components, ..Case::default() }.wrong();
    assert!(of("\"@path\" \"content-digest\" \"idempotency-key\"").contains("@method"));
    assert!(of("\"@method\" \"content-digest\" \"idempotency-key\"").contains("@path"));
    assert!(of("\"@method\" \"@path\" \"idempotency-key\"").contains("content-digest"));
    assert!(of("\"@method\" \"@path\" \"content-digest\"").contains("idempotency-key"));
    let all = "\"@method\" \"@target-uri\" \"content-digest\" \"idempotency-key\"";
    assert!(Case { components: all, ..Case::default() }.verify(|_, _| {}).is_ok());
    let query = Case { uri: "/v1/transfers?limit=1", ..Case::default() };
    assert!(query.wrong().contains("@query"));
    let twice = "\"@method\" \"@path\" \"@path\" \"content-digest\" \"idempotency-key\"";
    assert!(of(twice).contains("twice"));
    let absent = "\"@method\" \"@path\" \"content-digest\" \"idempotency-key\" \"x-none\"";
    assert!(of(absent).contains("lacks"));
    let with =
        "\"@method\" \"@path\" \"content-digest\";req \"content-digest\" \"idempotency-key\"";
    assert!(of(with).contains("no parameters"));
    let no_digest = Case {
        headers: vec![("host", "a".to_owned()), ("content-digest", "sha-512=:AAAA:".to_owned())],
        components: "\"@method\" \"@path\" \"content-digest\"",
        ..Case::default()
    };
    assert!(no_digest.wrong().contains("sha-256"));
    let get = Case {
        method: Method::GET,
        components: "\"@method\" \"@path\"",
        headers: vec![("host", "a".to_owned())],
        ..Case::default()
    };
    assert!(get.verify(|_, _| {}).is_ok(), "a body that is not looked at needs no digest");
}

#[test]
fn parameters_keep_their_rules() {
    let of = |parameters: String| Case { parameters, ..Case::default() };
    for (parameters, why) in [
        ("nonce=\"n\";keyid=\"k\"".to_owned(), "created"),
        (format!("created={};nonce=\"n\";keyid=\"k\"", NOW - 301), "created"),
        (format!("created={};nonce=\"n\";keyid=\"k\"", NOW + 301), "created"),
        (format!("created={NOW};keyid=\"k\""), "nonce"),
        (format!("created={NOW};nonce=\"\";keyid=\"k\""), "nonce"),
        (format!("created={NOW};nonce=\"n\";keyid=\"other\""), "keyid"),
        (format!("created={NOW};nonce=\"n\""), "keyid"),
        (format!("created={NOW};nonce=\"n\";keyid=\"k\";alg=\"hmac-sha256\""), "alg"),
        (format!("created={NOW};expires={NOW};nonce=\"n\";keyid=\"k\""), "expires"),
    ] {
        let told = of(parameters.clone()).wrong();
        assert!(told.starts_with(why), "{parameters}: {told}");
    }
    for age in [-300, 300] {
        let parameters = format!("created={};nonce=\"n\";keyid=\"k\"", NOW + age);
        assert!(of(parameters).verify(|_, _| {}).is_ok(), "{age}");
    }
}

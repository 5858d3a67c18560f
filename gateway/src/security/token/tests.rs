//! A token opens only with every claim and the signature right; keys are made at run time.
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use jsonwebtoken::jwk::JwkSet;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use serde_json::{Value, json};

use super::{Refusal, install_provider, judge};
use crate::settings::{Oauth, TokenAlgorithm};

const NOW: i64 = 4_000_000_000;

struct Issuer {
    ed: Ed25519KeyPair,
    ec: EcdsaKeyPair,
    random: SystemRandom,
}

impl Issuer {
    fn new() -> Self {
        let random = SystemRandom::new();
        let ed = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let ec = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        Self {
            ed: Ed25519KeyPair::from_pkcs8(ed.as_ref()).unwrap(),
            ec: EcdsaKeyPair::from_pkcs8(kind, ec.as_ref(), &random).unwrap(),
            random,
        }
    }

    fn keys(&self) -> JwkSet {
        let point = &self.ec.public_key().as_ref()[1..];
        let keys = json!({ "keys": [
            { "kty": "OKP", "crv": "Ed25519", "kid": "ed", "alg": "EdDSA",
                "x": BASE64.encode(self.ed.public_key().as_ref()) },
            { "kty": "EC", "crv": "P-256", "kid": "ec",
                "x": BASE64.encode(&point[..32]), "y": BASE64.encode(&point[32..]) },
        ]});
        serde_json::from_value(keys).unwrap()
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| BASE64.encode(value.to_string());
        let text = format!("{}.{}", part(header), part(claims));
        let signature = match header["kid"].as_str() {
            Some("ec") => self.ec.sign(&self.random, text.as_bytes()).unwrap().as_ref().to_vec(),
            _ => self.ed.sign(text.as_bytes()).as_ref().to_vec(),
        };
        format!("{text}.{}", BASE64.encode(signature))
    }
}

fn settings() -> Oauth {
    Oauth {
        issuer: "https://id.example".to_owned(),
        audience: "https://gateway.example".to_owned(),
        jwks: "unused".to_owned(),
        ca: None,
        algorithms: vec![TokenAlgorithm::EdDsa, TokenAlgorithm::Es256],
        leeway_s: 30,
        refresh_s: 300,
    }
}

fn header(kid: &str, alg: &str) -> Value {
    json!({ "typ": "at+jwt", "alg": alg, "kid": kid })
}

fn claims() -> Value {
    json!({
        "iss": "https://id.example", "aud": "https://gateway.example", "sub": "wallet-7",
        "client_id": "wallet-7", "scope": "read send other", "exp": NOW, "iat": 1, "jti": "a",
    })
}

#[test]
fn a_right_token_speaks_for_its_client() {
    install_provider();
    let issuer = Issuer::new();
    let mut seen = Vec::new();
    for (kid, alg) in [("ed", "EdDSA"), ("ec", "ES256")] {
        let token = issuer.sign(&header(kid, alg), &claims());
        let client = judge(&token, &issuer.keys(), &settings()).unwrap();
        assert_eq!((client.name.as_str(), client.scopes.len()), ("wallet-7", 3));
        seen.push(client.id);
    }
    assert_eq!(seen[0], seen[1], "one client, whatever the key");
    let mut other = claims();
    other["client_id"] = json!("wallet-8");
    other["aud"] = json!(["https://else.example", "https://gateway.example"]);
    let other = issuer.sign(&header("ed", "EdDSA"), &other);
    assert_ne!(judge(&other, &issuer.keys(), &settings()).unwrap().id, seen[0]);
}

#[test]
fn a_token_with_anything_wrong_opens_nothing() {
    install_provider();
    let issuer = Issuer::new();
    let (keys, settings) = (issuer.keys(), settings());
    let refused = |token: &str| judge(token, &keys, &settings).unwrap_err();
    for (name, value, why) in [
        ("exp", json!(1_000), "it has expired"),
        ("nbf", json!(NOW), "it is not valid yet"),
        ("iss", json!("https://evil.example"), "iss is another issuer"),
        ("aud", json!("https://else.example"), "aud is not this gateway"),
        ("exp", Value::Null, "a claim is missing or malformed"),
        ("sub", Value::Null, "a claim is missing or malformed"),
        ("iat", Value::Null, "a claim is missing or malformed"),
        ("jti", Value::Null, "a claim is missing or malformed"),
        ("client_id", Value::Null, "a claim is missing or malformed"),
        ("client_id", json!(""), "client_id must be 1 to 70 visible ASCII characters"),
    ] {
        let mut bent = claims();
        let claim = bent.as_object_mut().unwrap();
        if value.is_null() {
            claim.remove(name)
        } else {
            claim.insert(name.to_owned(), value)
        };
        let token = issuer.sign(&header("ed", "EdDSA"), &bent);
        assert_eq!(refused(&token), Refusal::Wrong(why), "{name}");
    }
    for (kid, alg, why) in [
        ("ed", "none", "the header is malformed"),
        ("ed", "HS256", "alg is not allowed"),
        ("ed", "RS256", "alg is not allowed"),
        ("ed", "ES256", "the key is not for this alg"),
        ("ec", "EdDSA", "the key is not for this alg"),
    ] {
        let token = issuer.sign(&header(kid, alg), &claims());
        assert_eq!(refused(&token), Refusal::Wrong(why), "{kid} {alg}");
    }
    let mut plain = header("ed", "EdDSA");
    plain["typ"] = json!("JWT");
    assert_eq!(refused(&issuer.sign(&plain, &claims())), Refusal::Wrong("typ must be at+jwt"));
    let strange = issuer.sign(&header("new", "EdDSA"), &claims());
    assert_eq!(refused(&strange), Refusal::KeyUnknown);
    let other = Issuer::new().sign(&header("ed", "EdDSA"), &claims());
    assert_eq!(refused(&other), Refusal::Wrong("the signature does not match"));
}

#[test]
fn a_little_lateness_is_borne() {
    install_provider();
    let issuer = Issuer::new();
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    for (late, good) in [(10, true), (3_600, false)] {
        let mut claims = claims();
        claims["exp"] = json!(now - late);
        let token = issuer.sign(&header("ed", "EdDSA"), &claims);
        assert_eq!(judge(&token, &issuer.keys(), &settings()).is_ok(), good, "{late} s");
    }
}

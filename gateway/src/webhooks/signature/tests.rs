//! The vector that the specification's own libraries test with, and what a verifier must refuse.
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{Secret, Verifier, header};

const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const AT: i64 = 1_614_265_330;
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[test]
fn the_published_vector_is_signed_and_verified() {
    let secret = Secret::Hmac(STANDARD.decode(SECRET).unwrap());
    let signature = secret.sign(ID, AT, BODY);
    assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    assert_eq!(secret.shown(), format!("whsec_{SECRET}"));
    let verifier = Verifier::parse(&secret.shown()).unwrap();
    let verify = |id, at: i64, header: &str, body, now| {
        verifier.verify(id, &at.to_string(), header, body, now)
    };
    assert!(verify(ID, AT, &signature, BODY, AT + 300));
    assert!(verify(ID, AT, &format!("v1,AAAA v2,x {signature}"), BODY, AT));
    assert!(!verify(ID, AT, &signature, BODY, AT + 301));
    assert!(!verify(ID, AT + 1, &signature, BODY, AT));
    assert!(!verify("msg_other", AT, &signature, BODY, AT));
    assert!(!verify(ID, AT, &signature, b"{}", AT));
    assert!(!verify(ID, AT, &signature.replacen("v1,", "v1a,", 1), BODY, AT));
    assert!(!verify(ID, AT, "", BODY, AT));
}

#[test]
fn while_two_secrets_overlap_each_verifies() {
    for kind in ["v1", "v1a"] {
        let secrets = [1, 2].map(|byte| Secret::of_kind(kind, [byte; 32]).unwrap());
        let both = header(&secrets, ID, AT, BODY);
        let verifies = |secret: &Secret, header: &str| {
            let verifier = Verifier::parse(&secret.shown()).unwrap();
            verifier.verify(ID, &AT.to_string(), header, BODY, AT)
        };
        assert!(secrets.iter().all(|secret| verifies(secret, &both)), "{kind}");
        let newest = header(&secrets[..1], ID, AT, BODY);
        assert!(!verifies(&secrets[1], &newest), "{kind}");
        assert!(!format!("{secrets:?}").contains("01"), "a secret is never shown");
    }
}

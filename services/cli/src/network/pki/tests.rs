//! Tests that what is issued is trusted by the right CA, for the right use and time, and that keys
//! are their owner's only.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use services_runtime::tls::{ClientTls, Files, Identity, ServerTls};
use time::{Duration, OffsetDateTime};
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::X509Certificate;

use super::{ParticipantCa, PeerCa, Pki};

fn identity(role: &str) -> Identity {
    format!("causeway://net/{role}/1").parse().unwrap()
}

fn hosts() -> Vec<String> {
    vec!["localhost".to_owned(), "127.0.0.1".to_owned()]
}

fn inspect<T>(pem: &str, check: impl FnOnce(&X509Certificate<'_>) -> T) -> T {
    let (_, pem) = parse_x509_pem(pem.as_bytes()).unwrap();
    check(&pem.parse_x509().unwrap())
}

#[test]
fn each_certificate_has_its_use_its_time_and_its_issuer() {
    let now = OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap();
    let (peers, participants) = (PeerCa::new(now).unwrap(), ParticipantCa::new(now).unwrap());
    let (peers_pem, participants_pem) = (peers.credentials().ca, participants.credentials().ca);
    let cases = [
        (peers.issue_peer(&hosts(), &identity("node"), now), &peers_pem, (true, true)),
        (
            participants.issue_server(&hosts(), &identity("fx"), now),
            &participants_pem,
            (true, false),
        ),
        (participants.issue_client(&identity("operator"), now), &participants_pem, (false, true)),
    ];
    for (issued, ca, usages) in cases {
        let issued = issued.unwrap();
        assert_eq!(&issued.ca, ca);
        inspect(&issued.certificate, |certificate| {
            let usage = certificate.extended_key_usage().unwrap().unwrap().value;
            assert_eq!((usage.server_auth, usage.client_auth), usages);
            let end = certificate.validity().not_after.to_datetime();
            assert_eq!(end, now + Duration::days(365));
            assert!(!certificate.is_ca());
            inspect(ca, |ca| certificate.verify_signature(Some(ca.public_key())).unwrap());
            let other = if ca == &peers_pem { &participants_pem } else { &peers_pem };
            let foreign =
                inspect(other, |other| certificate.verify_signature(Some(other.public_key())));
            assert!(foreign.is_err());
        });
    }
    inspect(&peers_pem, |ca| {
        assert!(ca.is_ca());
        assert_eq!(ca.validity().not_after.to_datetime(), now + Duration::days(3650));
    });
}

#[test]
fn what_is_written_loads_and_keys_are_private() {
    let folder = tempfile::tempdir().unwrap();
    let now = OffsetDateTime::now_utc();
    let mut pki = Pki::new(now).unwrap();
    pki.add("node", pki.peer_ca.issue_peer(&hosts(), &identity("node"), now).unwrap());
    pki.add("bank", pki.participant_ca.issue_client(&identity("participant"), now).unwrap());
    pki.write(folder.path()).unwrap();

    let files = |name: &str| Files {
        certificate: Path::new(name).join("certificate.pem"),
        key: Path::new(name).join("key.pem"),
        ca: Path::new(name).join("ca.pem"),
        revoked: Some(Path::new(name).join(super::REVOKED)),
    };
    ServerTls::load(files("node").under(folder.path())).unwrap();
    ClientTls::load(files("bank").under(folder.path())).unwrap();
    for name in ["node", "bank", "ca/peer", "ca/participant"] {
        let mode = std::fs::metadata(folder.path().join(name).join("key.pem")).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o600, "{name}");
    }
    assert!(pki.write(folder.path()).is_err(), "nothing is overwritten");
}

//! Signed manifests: read back, believed for their key alone, refused for one changed byte.

use super::*;

fn manifest() -> Manifest {
    let asked = Asked { currency: Some("PHP".into()), ..Asked::all(Kind::Liquidity) };
    let position =
        Position { network: [1; 32], records: 7, root: Some([2; 32]), acts: 3, query: [4; 32] };
    Manifest::new(&asked, position, 5, vec![File::of("liquidity.csv".into(), b"day\n")])
}

#[test]
fn a_signed_manifest_is_read_back_and_believed_for_its_key_alone() {
    let key = SigningKey::from_bytes(&[7; 32]);
    let note = manifest().sign("reports.example", &key);
    let signed = Signed::read(&note).unwrap();
    assert_eq!(signed.manifest, manifest());
    let own = *key.verifying_key().as_bytes();
    let other = *SigningKey::from_bytes(&[8; 32]).verifying_key().as_bytes();
    assert_eq!(signed.by(&[other, own]), Some(own));
    assert_eq!(signed.by(&[other]), None);
}

#[test]
fn one_changed_byte_is_refused_or_not_believed() {
    let key = SigningKey::from_bytes(&[7; 32]);
    let note = manifest().sign("reports.example", &key);
    let own = *key.verifying_key().as_bytes();
    for at in 0..note.len() {
        let mut bytes = note.clone().into_bytes();
        bytes[at] ^= 1;
        let believed = String::from_utf8(bytes)
            .ok()
            .and_then(|text| Signed::read(&text).ok())
            .and_then(|signed| signed.by(&[own]));
        assert_eq!(believed, None, "byte {at}");
    }
}

#[test]
fn a_file_elsewhere_is_never_named() {
    let note = manifest().text().replace("liquidity.csv", "../liquidity.csv");
    assert!(matches!(Manifest::read(&note), Err(Error::Manifest(_))));
}

#[test]
fn a_root_that_nobody_knows_is_said_to_be_none() {
    let key = SigningKey::from_bytes(&[7; 32]);
    let mut unknown = manifest();
    unknown.position.root = None;
    let note = unknown.sign("reports.example", &key);
    assert!(note.contains("\nroot -\n"), "{note}");
    assert_eq!(Signed::read(&note).unwrap().manifest, unknown);
}

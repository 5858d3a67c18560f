//! Normal forms and the list format, on invented names; never a real list.
use std::io::Write;

use super::{
    Screening, Verdict,
    exact::{Error, ExactLists},
    normal::normal,
};

#[test]
fn spelling_is_no_way_around() {
    let cases = [
        ("EXAMPLE, Person Alpha", "alpha  person-example"),
        ("ÉXÁMPLE, Pérson", "person example"),
        ("O'EXAMPLE, Person", "Person OEXAMPLE"),
        ("ＥＸＡＭＰＬＥ", "example"),
        ("Straße Example", "STRASSE EXAMPLE"),
        ("example\u{200b}, person", "Person Example"),
    ];
    for (left, right) in cases {
        assert_eq!(normal(left), normal(right), "{left} and {right}");
    }
    assert_ne!(normal("EXAMPLE PERSON"), normal("EXAMPLE PERSONS"));
    assert_eq!(normal("…"), "");
}

#[test]
fn lists_in_the_ofac_format_load() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::File::create(&path).unwrap().write_all(bytes).unwrap();
        path
    };
    let sdn = write(
        "sdn.csv",
        b"9001,\"FORBIDDEN, Example\",\"individual\",\"TEST\",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,\"DOB 1900.\"\r\n9002,-0- ,-0- \r\n\x1a",
    );
    let alt = write("alt.csv", b"9001,12,\"aka\",\"PROHIBITED, Example\",-0- \r\n\x1a");
    let lists = ExactLists::load(std::slice::from_ref(&sdn), &[alt]).unwrap();
    assert_eq!(lists.names(), 2);
    for listed in ["Example Forbidden", "example prohibited"] {
        let Verdict::Hits(hits) = lists.screen(&["Someone Else", listed]).unwrap() else {
            panic!("{listed} is not found");
        };
        assert_eq!(hits[0].entry, "9001");
    }
    assert_eq!(lists.screen(&["Someone Else"]).unwrap(), Verdict::Clear);
    let empty = write("empty.csv", b"\x1a");
    assert!(matches!(ExactLists::load(&[empty], &[]), Err(Error::Empty)));
    assert!(matches!(
        ExactLists::load(&[folder.path().join("none")], &[]),
        Err(Error::Read { .. })
    ));
}

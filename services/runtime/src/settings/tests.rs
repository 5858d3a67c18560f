//! Tests that settings load, that the environment wins and that a refusal names the field.

use std::collections::HashMap;
use std::io::Write as _;

use serde::Deserialize;

use super::{Error, load_with};

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Sample {
    name: String,
    listener: Listener,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Listener {
    port: u16,
    #[serde(default)]
    secret: String,
}

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Sample, Error> {
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().expect("temporary file");
    file.write_all(text.as_bytes()).expect("written");
    let variables: HashMap<_, _> =
        variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    load_with(file.path(), variables)
}

#[test]
fn the_environment_overrides_the_file() {
    let text = "name = 'file'\n[listener]\nport = 1\n";
    let variables = [
        ("CAUSEWAY__LISTENER__PORT", "7000"),
        ("CAUSEWAY__LISTENER__SECRET", "007"),
        ("CAUSEWAYX__NAME", "another program's"),
        ("CAUSEWAY_HOME", "not a setting"),
    ];
    assert_eq!(
        load(text, &variables).unwrap(),
        Sample { name: "file".into(), listener: Listener { port: 7000, secret: "007".into() } }
    );
}

#[test]
fn a_refusal_names_file_field_and_reason() {
    let good = "name = 'a'\n[listener]\nport = 1\n";
    let none: &[(&str, &str)] = &[];
    let cases = [
        ("unknown", "name = 'a'\nnmae = 'b'\n[listener]\nport = 1\n", none, "nmae: unknown field"),
        (
            "unknown inside",
            "name = 'a'\n[listener]\nport = 1\nprot = 2\n",
            none,
            "listener.prot: unknown field",
        ),
        ("missing", "name = 'a'\n[listener]\n", none, "listener.port: missing"),
        ("type", "name = 'a'\n[listener]\nport = 'x'\n", none, "listener.port: invalid type"),
        ("range", "name = 'a'\n[listener]\nport = 70000\n", none, "listener.port: invalid"),
        ("syntax", "name = \n", none, "is not valid TOML"),
        (
            "unknown variable",
            good,
            &[("CAUSEWAY__LISTENER__PROT", "1")],
            "listener.prot: unknown field",
        ),
    ];
    for (case, text, variables, expected) in cases {
        let message = load(text, variables).unwrap_err().to_string();
        assert!(message.contains(expected), "{case}: {message}");
        assert!(message.contains(".toml: "), "{case}: {message}");
        assert!(message.contains("correct"), "{case}: {message}");
    }
}

#[test]
fn a_refusal_names_the_environment_variable() {
    let message = load("name = 'a'\n[listener]\nport = 'x'\n", &[]).unwrap_err().to_string();
    assert!(message.contains("CAUSEWAY__LISTENER__PORT"), "{message}");
}

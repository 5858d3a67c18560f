//! docs/statements.md names every code and every column, as the code does.

use crate::{Code, csv::ColumnMap};

const DOCUMENT: &str = include_str!("../../../../docs/statements.md");

#[test]
fn every_code_is_explained() {
    let row = |code: &Code| {
        format!("| {} | {} | {} |", code.as_str(), code.severity().as_str(), code.meaning())
    };
    let missing: Vec<String> =
        Code::ALL.iter().map(row).filter(|row| !DOCUMENT.contains(row.as_str())).collect();
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

#[test]
fn every_field_of_a_map_is_explained() {
    let map = serde_json::to_value(ColumnMap::default()).expect("it can be written");
    let fields = map.as_object().expect("it is an object");
    let columns = fields["columns"].as_object().expect("they are an object");
    let words = fields["words"].as_object().expect("they are an object");
    let names = fields.keys().chain(columns.keys()).chain(words.keys());
    let missing: Vec<&String> =
        names.filter(|name| !DOCUMENT.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

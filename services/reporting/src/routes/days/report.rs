//! A closed day's report as tables: each column is a field of its rows.

use serde_json::Value;

use crate::view;

/// A table of a day's report.
pub(super) struct Table {
    pub(super) title: &'static str,
    /// Name, and whether its values are numbers.
    pub(super) columns: Vec<(&'static str, bool)>,
    pub(super) rows: Vec<Vec<String>>,
}

/// Field, heading, and whether it is a number.
type Columns = &'static [(&'static str, &'static str, bool)];

const BALANCES: Columns = &[
    ("account", "Account", false),
    ("participant", "Participant", false),
    ("opening", "Opening", true),
    ("credits", "Credits", true),
    ("debits", "Debits", true),
    ("closing", "Closing", true),
    ("reserved", "Reserved", true),
];
const NET: Columns = &[
    ("first", "First", false),
    ("second", "Second", false),
    ("first_to_second", "First to second", true),
    ("second_to_first", "Second to first", true),
    ("net_to_second", "Net to second", true),
];
const FEES: Columns = &[
    ("payer", "Payer", false),
    ("payee", "Payee", false),
    ("kind", "Kind", false),
    ("count", "Count", true),
    ("amount", "Amount", true),
];
const REVENUE: Columns = &[
    ("participant", "Participant", false),
    ("fees_brought", "Fees brought", true),
    ("share", "Share", true),
    ("kept_by_operator", "Kept by the operator", true),
    ("payout_fees", "Payout fees", true),
];
const REBALANCING: Columns = &[
    ("account", "Account", false),
    ("participant", "Participant", false),
    ("direction", "Direction", false),
    ("amount", "Amount", true),
];
const TABLES: [(&str, &str, Columns); 5] = [
    ("balances", "Balances", BALANCES),
    ("net", "Net between participants", NET),
    ("fees", "Fees", FEES),
    ("revenue", "Revenue by partner", REVENUE),
    ("rebalancing", "Rebalancing", REBALANCING),
];

/// The tables that have rows.
pub(super) fn tables(report: &Value) -> Vec<Table> {
    let own = |(list, title, columns): &(&str, &'static str, Columns)| Table {
        title,
        columns: columns.iter().map(|(_, name, number)| (*name, *number)).collect(),
        rows: report[*list].as_array().map(|rows| filled(rows, columns)).unwrap_or_default(),
    };
    TABLES.iter().map(own).filter(|table| !table.rows.is_empty()).collect()
}

fn filled(rows: &[Value], columns: Columns) -> Vec<Vec<String>> {
    let row = |row| columns.iter().map(|(field, _, number)| cell(row, field, *number)).collect();
    rows.iter().map(row).collect()
}

fn cell(row: &Value, field: &str, number: bool) -> String {
    match row[field].as_str() {
        Some(text) if number => view::grouped(text),
        Some(text) if field == "account" => text.to_owned(),
        Some(text) => view::words(text),
        None => row[field].to_string(),
    }
}

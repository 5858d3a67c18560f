//! CSV of RFC 4180. It must never give a spreadsheet a formula.

use crate::error::Error;
use crate::table::{Cell, Table};

pub(super) fn write(table: &Table) -> Result<Vec<u8>, Error> {
    let failed = |reason: String| Error::Format { format: "csv", reason };
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let header = table.columns.iter().map(|column| column.name);
    writer.write_record(header).map_err(|error| failed(error.to_string()))?;
    for row in &table.rows {
        writer.write_record(row.iter().map(cell)).map_err(|error| failed(error.to_string()))?;
    }
    writer.into_inner().map_err(|error| failed(error.to_string()))
}

/// A text that a spreadsheet would take for a formula has `'` in front; a number stays one.
fn cell(cell: &Cell) -> String {
    let formula = |text: &String| text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    match cell {
        Cell::Text(text) if formula(text) => format!("'{text}"),
        Cell::Empty
        | Cell::Text(_)
        | Cell::Day(_)
        | Cell::Count(_)
        | Cell::Amount { .. }
        | Cell::Share(_)
        | Cell::Time(_) => cell.shown(),
    }
}

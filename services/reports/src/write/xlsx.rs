//! A workbook of one sheet. It must never show a number that a spreadsheet rounds.

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use crate::error::Error;
use crate::table::{Cell, Table};
use crate::write::Head;

/// A spreadsheet's numbers are doubles: fifteen digits are exact.
const EXACT: u128 = 999_999_999_999_999;

pub(super) fn write(table: &Table, head: &Head<'_>) -> Result<Vec<u8>, Error> {
    let failed = |error: XlsxError| Error::Format { format: "xlsx", reason: error.to_string() };
    let mut workbook = Workbook::new();
    // A file's own time would make each one another file.
    let properties = ExcelDateTime::from_ymd(2000, 1, 1)
        .map(|created| DocProperties::new().set_title(head.title).set_creation_datetime(&created));
    workbook.set_properties(&properties.map_err(failed)?);
    let sheet = workbook.add_worksheet();
    sheet.set_name(head.title).map_err(failed)?;
    sheet.set_freeze_panes(1, 0).map_err(failed)?;
    let bold = Format::new().set_bold();
    for (at, column) in (0_u16..).zip(&table.columns) {
        sheet.write_with_format(0, at, column.name, &bold).map_err(failed)?;
    }
    for (line, row) in (1_u32..).zip(&table.rows) {
        for (column, cell) in (0_u16..).zip(row) {
            put(sheet, (line, column), cell).map_err(failed)?;
        }
    }
    workbook.save_to_buffer().map_err(failed)
}

fn put(sheet: &mut Worksheet, (line, column): (u32, u16), cell: &Cell) -> Result<(), XlsxError> {
    let shown = cell.shown();
    let places = match cell {
        Cell::Empty => return Ok(()),
        Cell::Text(_) | Cell::Day(_) | Cell::Time(_) => None,
        Cell::Count(count) => exact(i128::from(*count)).then_some(0),
        Cell::Amount { units, decimals } => exact(*units).then_some(*decimals),
        Cell::Share(millionths) => exact(i128::from(*millionths)).then_some(6),
    };
    match places.zip(shown.parse::<f64>().ok()) {
        Some((places, number)) => {
            let places = usize::try_from(places).unwrap_or_default();
            let pattern = if places == 0 { "0".to_owned() } else { format!("0.{:0<places$}", "") };
            let format = Format::new().set_num_format(pattern);
            sheet.write_number_with_format(line, column, number, &format)?;
        }
        None => {
            sheet.write_string(line, column, shown)?;
        }
    }
    Ok(())
}

const fn exact(units: i128) -> bool {
    units.unsigned_abs() <= EXACT
}

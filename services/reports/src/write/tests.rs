//! Files of a table: exact, inert, read back by others, always the same bytes.

use std::io::Cursor;

use calamine::{Data, Reader as _, Xlsx};

use super::*;
use crate::table::Cell;

fn table() -> Table {
    Table {
        columns: vec!["day", "amount", "share", "note"],
        rows: vec![
            vec![
                Cell::Text("2026-03-01".into()),
                Cell::Amount { units: 403_790, decimals: 2 },
                Cell::Share(998_700),
                Cell::Text("=1+1, \"so\"".into()),
            ],
            vec![
                Cell::Text("2026-03-02".into()),
                Cell::Amount { units: 99_999_999_999_999_999, decimals: 2 },
                Cell::Empty,
                Cell::Empty,
            ],
        ],
    }
}

#[test]
fn csv_is_inert_and_exact() {
    let bytes = write(&table(), Format::Csv, "corridors").unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(
        text,
        "day,amount,share,note\n2026-03-01,4037.90,0.998700,\"'=1+1, \"\"so\"\"\"\n\
         2026-03-02,999999999999999.99,,\n"
    );
}

#[test]
fn a_workbook_is_read_back_and_always_the_same_bytes() {
    let bytes = write(&table(), Format::Xlsx, "corridors").unwrap();
    assert_eq!(write(&table(), Format::Xlsx, "corridors").unwrap(), bytes);
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).unwrap();
    let sheet = book.worksheet_range("corridors").unwrap();
    assert_eq!(sheet.get_value((1, 1)), Some(&Data::Float(4037.9)));
    // More digits than a double holds stay text.
    assert_eq!(sheet.get_value((2, 1)), Some(&Data::String("999999999999999.99".into())));
    assert_eq!(sheet.get_value((1, 3)), Some(&Data::String("=1+1, \"so\"".into())));
}

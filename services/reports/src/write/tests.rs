//! Files of a table: exact, inert, read back by others, always the same bytes.

use std::io::Cursor;

use ::parquet::basic::LogicalType;
use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
use ::parquet::record::Field;
use calamine::{Data, Reader as _, Xlsx};
use hayro_syntax::{content::ops::TypedInstruction, page::Page};
use time::{Date, Month};

use super::*;
use crate::table::{Cell, Column, Holds};

const fn column(name: &'static str, holds: Holds) -> Column {
    Column { name, holds }
}

const MARCH_2: i64 = 1_772_409_600_000_000;

fn day(day: u8) -> Cell {
    Cell::Day(Date::from_calendar_date(2026, Month::March, day).unwrap())
}

fn table() -> Table {
    Table {
        columns: vec![
            column("day", Holds::Day),
            column("amount", Holds::Amount),
            column("share", Holds::Share),
            column("note", Holds::Text),
            column("movements", Holds::Count),
            column("settled_at", Holds::Time),
        ],
        rows: vec![
            vec![
                day(1),
                Cell::Amount { units: 403_790, decimals: 2 },
                Cell::Share(998_700),
                Cell::Text("=1+1, \"so\"".into()),
                Cell::Count(3),
                Cell::Time(MARCH_2 + 1),
            ],
            vec![
                day(2),
                Cell::Amount { units: -99_999_999_999_999_999, decimals: 2 },
                Cell::Empty,
                Cell::Text("Bánk 中 (é)".into()),
                Cell::Empty,
                Cell::Empty,
            ],
        ],
    }
}

const POSITION: Position =
    Position { network: [1; 32], records: 120, root: Some([2; 32]), acts: 7, query: [3; 32] };

fn written(table: &Table, format: Format) -> Vec<u8> {
    let asked = [("zone", "Asia/Manila".to_owned())];
    let head =
        Head { title: "liquidity", about: "what was held", position: &POSITION, asked: &asked };
    let bytes = write(table, format, &head).unwrap();
    assert_eq!(write(table, format, &head).unwrap(), bytes, "{format:?}");
    bytes
}

#[test]
fn csv_is_inert_and_exact() {
    let text = String::from_utf8(written(&table(), Format::Csv)).unwrap();
    assert_eq!(
        text,
        "day,amount,share,note,movements,settled_at\n\
         2026-03-01,4037.90,0.998700,\"'=1+1, \"\"so\"\"\",3,2026-03-02T00:00:00.000001Z\n\
         2026-03-02,-999999999999999.99,,Bánk 中 (é),,\n"
    );
}

#[test]
fn a_workbook_is_read_back() {
    let bytes = written(&table(), Format::Xlsx);
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).unwrap();
    let sheet = book.worksheet_range("liquidity").unwrap();
    assert_eq!(sheet.get_value((1, 1)), Some(&Data::Float(4037.9)));
    // More digits than a double holds stay text.
    assert_eq!(sheet.get_value((2, 1)), Some(&Data::String("-999999999999999.99".into())));
    assert_eq!(sheet.get_value((1, 3)), Some(&Data::String("=1+1, \"so\"".into())));
}

#[test]
fn parquet_is_read_back_with_its_types() {
    let bytes = written(&table(), Format::Parquet);
    let file = SerializedFileReader::new(::bytes::Bytes::from(bytes)).unwrap();
    let schema = file.metadata().file_metadata().schema_descr();
    let types: Vec<_> =
        schema.columns().iter().map(|own| own.logical_type_ref().unwrap().clone()).collect();
    assert_eq!(types[0], LogicalType::Date);
    assert_eq!(types[1], LogicalType::decimal(8, 38));
    assert_eq!(types[2], LogicalType::decimal(6, 18));
    assert_eq!(types[5], LogicalType::timestamp(true, ::parquet::basic::TimeUnit::MICROS));
    let said = file.metadata().file_metadata().key_value_metadata().unwrap();
    let said = said.iter().find(|own| own.key == "causeway.root").unwrap();
    assert_eq!(said.value.as_deref(), Some(POSITION.root_shown().as_str()));
    let rows: Vec<Vec<Field>> = file
        .get_row_iter(None)
        .unwrap()
        .map(|row| row.unwrap().into_columns().into_iter().map(|(_, field)| field).collect())
        .collect();
    let units = |field: &Field| {
        let Field::Decimal(decimal) = field else { panic!("{field:?}") };
        let bytes = decimal.data();
        let mut wide = if bytes[0] & 0x80 == 0 { [0; 16] } else { [0xff; 16] };
        wide[16 - bytes.len()..].copy_from_slice(bytes);
        (i128::from_be_bytes(wide), decimal.scale())
    };
    // 2026-03-01 is day 20,513 since 1970.
    assert_eq!(rows[0][0], Field::Date(20_513));
    assert_eq!(units(&rows[0][1]), (403_790_000_000, 8));
    assert_eq!(units(&rows[1][1]), (-99_999_999_999_999_999_000_000, 8));
    assert_eq!(units(&rows[0][2]), (998_700, 6));
    assert_eq!(rows[1][3], Field::Str("Bánk 中 (é)".into()));
    assert_eq!(rows[0][4], Field::Long(3));
    assert_eq!(rows[0][5], Field::TimestampMicros(MARCH_2 + 1));
    assert_eq!([&rows[1][2], &rows[1][4], &rows[1][5]], [&Field::Null; 3]);
}

#[test]
fn an_amount_that_no_decimal_holds_is_refused() {
    let mut table = table();
    table.rows[0][1] = Cell::Amount { units: i128::MAX, decimals: 2 };
    let head = Head { title: "liquidity", about: "", position: &POSITION, asked: &[] };
    let refused = write(&table, Format::Parquet, &head).unwrap_err().to_string();
    assert!(refused.contains("amount: a value does not fit"), "{refused}");
}

/// The text of each page, as a reader of the format finds it, a line for each piece.
fn pages(bytes: &[u8]) -> Vec<String> {
    let document = hayro_syntax::Pdf::new(bytes.to_vec()).unwrap();
    let letter = |byte: &u8| match byte {
        0x8b => '‹',
        0x9b => '›',
        own => char::from(*own),
    };
    let page = |page: &Page<'_>| {
        let (mut operations, mut text) = (page.typed_operations(), String::new());
        while let Some(operation) = operations.next() {
            if let TypedInstruction::ShowText(shown) = operation {
                text.extend(shown.0.as_bytes().iter().map(letter));
                text.push('\n');
            }
        }
        text
    };
    document.pages().iter().map(page).collect()
}

#[test]
fn a_pdf_s_text_is_that_of_the_rows_and_says_of_what_it_is() {
    let bytes = written(&table(), Format::Pdf);
    let pages = pages(&bytes);
    let [page] = pages.as_slice() else { panic!("{}", pages.len()) };
    let (network, root) = (hex::encode(POSITION.network), POSITION.root_shown());
    for told in [
        "Report: liquidity",
        "records 0 to 119",
        &root,
        &network,
        "asked: zone Asia/Manila",
        "page 1 of 1",
        "2026-03-01",
        "4037.90",
        "0.998700",
        "=1+1, \"so\"",
        "-999999999999999.99",
        "2026-03-02T00:00:00.000001Z",
        // A letter that the font lacks is there by its number, and said to be.
        "Bánk ‹U+4E2D› (é)",
        "Letters that this file's font lacks",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert!(!String::from_utf8_lossy(&bytes).contains("CreationDate"));
}

#[test]
fn wide_and_long_reports_go_on_on_further_pages() {
    let columns = (0..40).map(|_| column("a_rather_long_heading", Holds::Text)).collect();
    let row = |row: usize| (0..40).map(|at| Cell::Text(format!("row{row}column{at}"))).collect();
    let mut table = Table { columns, rows: (0..150).map(row).collect() };
    // A text that takes more lines than a page has.
    table.rows[70][3] = Cell::Text("every word is there ".repeat(400));
    let pages = pages(&written(&table, Format::Pdf));
    let all = pages.join("\n");
    for row in [0, 69, 70, 71, 149] {
        for at in (0..40).filter(|at| (row, *at) != (70, 3)) {
            assert!(all.contains(&format!("row{row}column{at}\n")), "{row} {at}");
        }
    }
    assert_eq!(all.matches("word").count(), 400);
    let last = format!("page {0} of {0}", pages.len());
    assert!(pages.last().unwrap().contains(&last), "{last}");
    assert!(all.contains("rows 1 to ") && all.contains(", columns 1 to "), "{}", pages[0]);
}

#[test]
fn a_report_without_rows_has_its_head() {
    let mut table = table();
    table.rows.clear();
    assert!(pages(&written(&table, Format::Pdf))[0].contains("rows 0"));
    let file = SerializedFileReader::new(::bytes::Bytes::from(written(&table, Format::Parquet)));
    assert_eq!(file.unwrap().metadata().file_metadata().num_rows(), 0);
}

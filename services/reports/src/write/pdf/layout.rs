//! Where everything stands on the pages of a report. It must never know the format that they are written in.

use std::ops::Range;

use super::{PAGE, POINT};
use crate::table::{Cell, Table};
use crate::write::{Head, letters};

/// What stands on a page.
pub(super) type Page = Vec<Piece>;

/// One thing on a page; `x` and `y` are of its lower left corner.
pub(super) enum Piece {
    Bar { x: u16, y: u16, width: u16, height: u16 },
    Text { x: u16, y: u16, size: u16, bold: bool, text: Vec<u8> },
}

const MARGIN: u16 = 36 * POINT;
const WIDTH: u16 = PAGE.0 * POINT - 2 * MARGIN;
const TOP: u16 = PAGE.1 * POINT - MARGIN;
/// Above the line at the foot.
const BOTTOM: u16 = MARGIN + 18 * POINT;
const SIZE: u16 = 7 * POINT;
const LINE: u16 = 9 * POINT;
/// Between columns.
const GAP: u16 = 8 * POINT;
/// The widest column: what is longer takes more lines.
const COLUMN_MAX: u16 = 180 * POINT;
const TITLE_SIZE: u16 = 16 * POINT;
const TITLE_LINE: u16 = 22 * POINT;

type Lines = Vec<Vec<u8>>;

/// A column's cells as lines, under its heading.
struct Laid {
    width: u16,
    numbers: bool,
    heading: Lines,
    cells: Vec<Lines>,
}

/// A part of the rows that has room on a page: each of its lines is one of a row.
type Part = Vec<(usize, usize)>;

fn units(text: &[u8], size: u16) -> u16 {
    let width = u64::from(letters::width(text)) * u64::from(size) / 1_000;
    u16::try_from(width + 1).unwrap_or(u16::MAX)
}

/// Every page of a report.
pub(super) fn pages(table: &Table, head: &Head<'_>) -> Vec<Page> {
    let (columns, lacks) = laid(table);
    let facts = facts(table, head, lacks);
    let heading = columns.iter().map(|own| own.heading.len()).max().unwrap_or(1);
    let heading = u16::try_from(heading).unwrap_or(1) * LINE + LINE / 2;
    let above =
        TITLE_LINE + u16::try_from(facts.len()).unwrap_or(u16::MAX).saturating_mul(LINE) + LINE;
    let room =
        |taken: u16| usize::from((TOP - BOTTOM).saturating_sub(taken + heading) / LINE).max(1);
    let parts = parts(&columns, (room(above), room(0)));
    let bands = bands(&columns);
    let mut pages = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        for (band, range) in bands.iter().enumerate() {
            let mut page = Page::new();
            let first = at == 0 && band == 0;
            if first {
                put_head(&mut page, head, &facts);
            }
            // The first rows stand alike on each of their pages.
            let top = if at == 0 { TOP.saturating_sub(above) } else { TOP };
            put_rows(&mut page, (&columns, range), part, top);
            pages.push((page, where_it_is(table, head, part, range)));
        }
    }
    let count = pages.len();
    let numbered = (1_usize..).zip(pages).map(|(number, (mut page, place))| {
        put_foot(&mut page, &place, &format!("page {number} of {count}"));
        page
    });
    numbered.collect()
}

fn facts(table: &Table, head: &Head<'_>, lacks: bool) -> Vec<String> {
    let position = head.position;
    let mut lines = vec![
        head.about.to_owned(),
        format!("network {}", hex::encode(position.network)),
        format!("records 0 to {}", position.records.saturating_sub(1)),
        format!("root {}", position.root_shown()),
        format!("acts to {}", position.acts),
        format!("rows {}", table.rows.len()),
    ];
    lines.extend(head.asked.iter().map(|(name, value)| format!("asked: {name} {value}")));
    if lacks {
        lines.push(
            "Letters that this file's font lacks stand by their number, as in ‹U+4E2D›; the other formats have the letters."
                .to_owned(),
        );
    }
    lines
}

/// Columns with their lines, and whether a letter is written by its number. The first column is the number of the row.
fn laid(table: &Table) -> (Vec<Laid>, bool) {
    let mut lacks = false;
    let mut encoded = |text: &str| {
        let (bytes, lacking) = letters::encoded(text);
        lacks |= lacking;
        bytes
    };
    let numbers = (1..=table.rows.len()).map(|number| encoded(&number.to_string()));
    let mut columns = vec![column("#", true, numbers.collect())];
    for (at, own) in table.columns.iter().enumerate() {
        let shown = |row: &Vec<Cell>| row.get(at).map(Cell::shown).unwrap_or_default();
        let cells = table.rows.iter().map(|row| encoded(&shown(row))).collect();
        columns.push(column(own.name, own.holds.numbers(), cells));
    }
    (columns, lacks)
}

fn column(name: &str, numbers: bool, cells: Vec<Vec<u8>>) -> Laid {
    let heading = name.replace('_', " ");
    let word = heading.split(' ').map(|word| units(word.as_bytes(), SIZE)).max();
    let widest = cells.iter().map(|cell| units(cell, SIZE)).max();
    let width = widest.max(word).unwrap_or_default().min(COLUMN_MAX);
    Laid {
        width,
        numbers,
        heading: wrapped(heading.as_bytes(), width),
        cells: cells.iter().map(|cell| wrapped(cell, width)).collect(),
    }
}

/// A text in lines of at most a width: broken at spaces where there are some, else between letters.
fn wrapped(text: &[u8], width: u16) -> Lines {
    let (mut lines, mut line) = (Lines::new(), Vec::new());
    for word in text.split_inclusive(|byte| *byte == b' ') {
        if !line.is_empty()
            && units(&[line.as_slice(), word.trim_ascii_end()].concat(), SIZE) > width
        {
            lines.push(std::mem::take(&mut line));
        }
        for byte in word {
            line.push(*byte);
            if line.len() > 1 && *byte != b' ' && units(&line, SIZE) > width {
                line.pop();
                lines.push(std::mem::replace(&mut line, vec![*byte]));
            }
        }
    }
    lines.push(line);
    lines
}

/// Which rows and lines stand together, by the lines that have room on the first page and on each other. A row is broken
/// only where a page can't hold it.
fn parts(columns: &[Laid], (first, other): (usize, usize)) -> Vec<Part> {
    let rows = columns.first().map_or(0, |own| own.cells.len());
    let height = |row: usize| {
        let lines = columns.iter().filter_map(|own| own.cells.get(row)).map(Vec::len);
        lines.max().unwrap_or(1)
    };
    let (mut parts, mut part, mut room) = (Vec::new(), Part::new(), first);
    for row in 0..rows {
        let height = height(row);
        if height > room && height <= other && !part.is_empty() {
            parts.push(std::mem::take(&mut part));
            room = other;
        }
        for line in 0..height {
            if room == 0 {
                parts.push(std::mem::take(&mut part));
                room = other;
            }
            part.push((row, line));
            room -= 1;
        }
    }
    parts.push(part);
    parts
}

/// Columns that stand side by side, beside the number of the row.
fn bands(columns: &[Laid]) -> Vec<Range<usize>> {
    let number = columns.first().map_or(0, |own| own.width);
    let (mut bands, mut from, mut taken) = (Vec::new(), 1, number);
    for (at, own) in columns.iter().enumerate().skip(1) {
        let wider = taken.saturating_add(GAP + own.width);
        if wider > WIDTH && at > from {
            bands.push(from..at);
            (from, taken) = (at, number + GAP + own.width);
        } else {
            taken = wider;
        }
    }
    bands.push(from..columns.len());
    bands
}

fn put_head(page: &mut Page, head: &Head<'_>, facts: &[String]) {
    let title = letters::encoded(&format!("Report: {}", head.title)).0;
    let mut y = TOP - TITLE_SIZE;
    page.push(Piece::Text { x: MARGIN, y, size: TITLE_SIZE, bold: true, text: title });
    y = TOP - TITLE_LINE - LINE;
    for fact in facts {
        let text = letters::encoded(fact).0;
        page.push(Piece::Text { x: MARGIN, y, size: SIZE, bold: false, text });
        y = y.saturating_sub(LINE);
    }
}

fn put_rows(
    page: &mut Page,
    (columns, band): (&[Laid], &Range<usize>),
    part: &[(usize, usize)],
    top: u16,
) {
    let shown = columns.iter().take(1).chain(columns.get(band.clone()).unwrap_or_default());
    let tallest = columns.iter().map(|own| own.heading.len()).max().unwrap_or(1);
    let height = u16::try_from(tallest).unwrap_or(1) * LINE;
    let y = top.saturating_sub(height);
    page.push(Piece::Bar { x: MARGIN, y: y - LINE / 4, width: WIDTH, height });
    let mut x = MARGIN;
    for own in shown {
        let put = |page: &mut Page, text: &[u8], y: u16| {
            let text = text.trim_ascii_end();
            let shift = if own.numbers { own.width.saturating_sub(units(text, SIZE)) } else { 0 };
            let (x, text) = (x + shift, text.to_vec());
            if !text.is_empty() {
                page.push(Piece::Text { x, y, size: SIZE, bold: false, text });
            }
        };
        for (line, text) in (1_u16..).zip(&own.heading) {
            put(page, text, top.saturating_sub(line * LINE));
        }
        let below = y.saturating_sub(LINE / 2);
        for (at, (row, line)) in (1_u16..).zip(part) {
            let text = own.cells.get(*row).and_then(|lines| lines.get(*line));
            put(page, text.map(Vec::as_slice).unwrap_or_default(), below.saturating_sub(at * LINE));
        }
        x += own.width + GAP;
    }
}

/// Which rows and columns a page has.
fn where_it_is(
    table: &Table,
    head: &Head<'_>,
    part: &[(usize, usize)],
    band: &Range<usize>,
) -> String {
    let (rows, columns) = (table.rows.len(), table.columns.len());
    let records = head.position.records.saturating_sub(1);
    let mut text = format!("{}, records 0 to {records}", head.title);
    if let (Some((first, _)), Some((last, _))) = (part.first(), part.last()) {
        text += &format!(", rows {} to {} of {rows}", first + 1, last + 1);
    }
    if band.len() < columns {
        text += &format!(", columns {} to {} of {columns}", band.start, band.end - 1);
    }
    text
}

fn put_foot(page: &mut Page, place: &str, number: &str) {
    let size = SIZE;
    let (place, number) = (letters::encoded(place).0, letters::encoded(number).0);
    let x = MARGIN + WIDTH - units(&number, size);
    page.push(Piece::Text { x: MARGIN, y: MARGIN, size, bold: false, text: place });
    page.push(Piece::Text { x, y: MARGIN, size, bold: false, text: number });
}

//! PDF 1.7: a head that says what the report is of, then its rows on numbered pages. It must never leave out a letter, a
//! row or a column: what is too wide for one page goes on on the next, with the number of its row.

use pdf_writer::{Content, Finish as _, Name, Pdf, Rect, Ref, Str, TextStr};

use crate::table::Table;
use crate::write::Head;

mod layout;

use layout::{Page, Piece};

/// Everything is laid out in fiftieths of a point, in whole numbers: the same on every machine.
const POINT: u16 = 50;
/// A4 across.
const PAGE: (u16, u16) = (842, 595);
const REGULAR: Name<'static> = Name(b"F1");
const BOLD: Name<'static> = Name(b"F2");

/// What every file has, before its pages.
const CATALOG: i32 = 1;
const TREE: i32 = 2;
const FONTS: [(i32, Name<'static>, &[u8]); 2] =
    [(3, REGULAR, b"Helvetica"), (4, BOLD, b"Helvetica-Bold")];
const INFO: i32 = 5;
const FIRST_PAGE: i32 = 6;

pub(super) fn write(table: &Table, head: &Head<'_>) -> Vec<u8> {
    let pages = layout::pages(table, head);
    let mut pdf = Pdf::new();
    let (catalog, tree) = (Ref::new(CATALOG), Ref::new(TREE));
    let mut root = pdf.catalog(catalog);
    root.pages(tree).lang(TextStr("en"));
    root.viewer_preferences().display_doc_title(true);
    root.finish();
    let title = format!("{} to record {}", head.title, head.position.records.saturating_sub(1));
    // Neither a time nor a version: the same rows are the same file.
    pdf.document_info(Ref::new(INFO)).title(TextStr(&title)).producer(TextStr("Causeway"));
    for (id, _, font) in FONTS {
        pdf.type1_font(Ref::new(id))
            .base_font(Name(font))
            .encoding_predefined(Name(b"WinAnsiEncoding"));
    }
    // A page and its content have one id after the other.
    let ids: Vec<(Ref, Ref)> = (FIRST_PAGE..)
        .step_by(2)
        .map(|id| (Ref::new(id), Ref::new(id + 1)))
        .take(pages.len())
        .collect();
    let count = i32::try_from(ids.len()).unwrap_or(i32::MAX);
    pdf.pages(tree).kids(ids.iter().map(|(page, _)| *page)).count(count);
    for ((id, content), page) in ids.into_iter().zip(&pages) {
        let mut own = pdf.page(id);
        let (width, height) = (f32::from(PAGE.0), f32::from(PAGE.1));
        own.media_box(Rect::new(0.0, 0.0, width, height)).parent(tree).contents(content);
        let mut resources = own.resources();
        let mut fonts = resources.fonts();
        for (font, name, _) in FONTS {
            fonts.pair(name, Ref::new(font));
        }
        fonts.finish();
        resources.finish();
        own.finish();
        pdf.stream(content, &drawn(page));
    }
    pdf.finish()
}

fn drawn(page: &Page) -> Vec<u8> {
    let mut content = Content::new();
    content.transform([0.02, 0.0, 0.0, 0.02, 0.0, 0.0]);
    for piece in page {
        match piece {
            Piece::Bar { x, y, width, height } => {
                content.set_fill_gray(0.9);
                content.rect((*x).into(), (*y).into(), (*width).into(), (*height).into());
                content.fill_nonzero();
                content.set_fill_gray(0.0);
            }
            Piece::Text { x, y, size, bold, text } => {
                content.begin_text();
                content.set_font(if *bold { BOLD } else { REGULAR }, (*size).into());
                content.next_line((*x).into(), (*y).into());
                content.show(Str(text));
                content.end_text();
            }
        }
    }
    content.finish().into_vec()
}

//! Writes elements as XML text; it must never know a message or let a value break the markup.

use quick_xml::escape::escape;

use crate::{
    head::AppHdr,
    inbound,
    shape::Finding,
    xml::{self, Element},
};

/// Why a message cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("message does not fit its XSD at {0}")]
pub struct Error(pub Finding);

/// A message of what `content` writes into its document, after its header if there is one, both in
/// an `Envelope` then. What its shape refuses is not handed out.
pub(crate) fn document(
    message: &str,
    header: Option<&AppHdr>,
    content: impl FnOnce(&mut Writer),
) -> Result<String, Error> {
    let mut out = Writer::new();
    if let Some(header) = header {
        out.open("Envelope");
        header.write(&mut out, message);
    }
    out.open_in("Document", &inbound::namespace(message));
    content(&mut out);
    out.close();
    out.close();
    let text = out.finish();
    debug_assert!(inbound::CHECKED.contains(&message), "{message} has a shape");
    let read = inbound::read(text.as_bytes());
    if let Some(error) = read.unreadable {
        return Err(Error(Finding { path: "Document".to_owned(), text: error.to_string() }));
    }
    read.findings.into_iter().next().map_or(Ok(text), |finding| Err(Error(finding)))
}

/// An XML document under construction, indented for people.
#[derive(Debug)]
pub(crate) struct Writer {
    out: String,
    open: Vec<&'static str>,
    /// Open elements that were kept as they came.
    kept: usize,
}

impl Writer {
    pub(crate) fn new() -> Self {
        let out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
        Self { out, open: Vec::new(), kept: 0 }
    }

    /// A part of a document, which is put between others.
    pub(crate) fn part() -> Self {
        Self { out: String::new(), open: Vec::new(), kept: 0 }
    }

    pub(crate) fn open(&mut self, name: &'static str) {
        self.line(&format!("<{name}>"));
        self.open.push(name);
    }

    pub(crate) fn open_in(&mut self, name: &'static str, namespace: &str) {
        self.line(&format!("<{name} xmlns=\"{namespace}\">"));
        self.open.push(name);
    }

    pub(crate) fn close(&mut self) {
        if let Some(name) = self.open.pop() {
            self.line(&format!("</{name}>"));
        }
    }

    pub(crate) fn leaf(&mut self, name: &'static str, text: &str) {
        self.line(&format!("<{name}>{}</{name}>", escaped(text)));
    }

    pub(crate) fn leaf_if(&mut self, name: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.leaf(name, text);
        }
    }

    pub(crate) fn amount(&mut self, name: &'static str, currency: &str, value: &str) {
        let (currency, value) = (escaped(currency), escaped(value));
        self.line(&format!("<{name} Ccy=\"{currency}\">{value}</{name}>"));
    }

    /// An element that was kept as it came.
    pub(crate) fn element(&mut self, element: &Element) {
        let name = &element.name;
        let mut attributes = String::new();
        for (key, value) in &element.attributes {
            attributes.push_str(&format!(" {key}=\"{}\"", escaped(value)));
        }
        if element.children.is_empty() {
            self.line(&format!("<{name}{attributes}>{}</{name}>", escaped(&element.text)));
            return;
        }
        self.line(&format!("<{name}{attributes}>"));
        self.kept += 1;
        element.children.iter().for_each(|child| self.element(child));
        self.kept -= 1;
        self.line(&format!("</{name}>"));
    }

    /// An element of what `content` writes, left out if it writes nothing.
    pub(crate) fn group(&mut self, name: &'static str, content: impl FnOnce(&mut Self)) {
        let before = self.out.len();
        self.open(name);
        let opened = self.out.len();
        content(self);
        if self.out.len() == opened {
            self.out.truncate(before);
            self.open.pop();
        } else {
            self.close();
        }
    }

    pub(crate) fn finish(self) -> String {
        self.out
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(&"  ".repeat(self.open.len() + self.kept));
        self.out.push_str(text);
        self.out.push('\n');
    }
}

fn escaped(text: &str) -> String {
    let clean: String = text.chars().filter(|character| xml::allowed(*character)).collect();
    escape(clean).into_owned()
}

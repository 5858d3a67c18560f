//! What arrived: finds header and document in a body and reads what is there; it must never refuse,
//! for even garbage gets an answer that names what it was.

use crate::{
    head::AppHdr,
    pacs008::Pacs008,
    shape::{self, Finding},
    xml::{self, Element},
};

/// The only credit transfer that is spoken.
pub const PACS_008: &str = "pacs.008.001.08";
/// The only application header that is looked into beyond its names.
pub const HEAD_001: &str = "head.001.001.02";
/// Messages whose shape is known; of another version only names and identifiers are read.
pub const CHECKED: &[&str] = &[
    "pacs.002.001.10",
    "pacs.004.001.09",
    PACS_008,
    "pacs.009.001.08",
    "pacs.028.001.03",
    "camt.029.001.09",
    "camt.052.001.08",
    "camt.053.001.08",
    "camt.054.001.08",
    "camt.056.001.08",
    "pain.001.001.09",
    "pain.002.001.10",
];
const NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:";

/// A body as far as it could be read.
#[derive(Debug, Default)]
pub struct Inbound {
    /// Why the body is no XML; the rest is empty then.
    pub unreadable: Option<xml::Error>,
    /// The message that the document's namespace names, e.g. `pacs.008.001.08`.
    pub message_name: Option<String>,
    pub app_hdr: Option<AppHdr>,
    /// What a pacs.008 of any version says; of another message, what it names alike.
    pub message: Pacs008,
    /// The application header as it came.
    pub header: Option<Element>,
    /// The document as it came, for readers of messages other than pacs.008.
    pub document: Option<Element>,
    /// Departures from the shapes of head.001.001.02 and of a message of [`CHECKED`], in their order.
    pub findings: Vec<Finding>,
}

impl Inbound {
    /// The message's name as far as anything names it, for `OrgnlMsgNmId`.
    #[must_use]
    pub fn message_name_found(&self) -> Option<&str> {
        let header = self.app_hdr.as_ref().and_then(|h| h.message_definition_id.as_deref());
        self.message_name.as_deref().or(header)
    }

    /// The message itself: what stands in the document.
    #[must_use]
    pub fn root(&self) -> Option<&Element> {
        self.document.as_ref().and_then(|document| document.children.first())
    }

    /// The message itself if it is of this name and version.
    #[must_use]
    pub fn root_of(&self, message: &str) -> Option<&Element> {
        self.root().filter(|_| self.message_name.as_deref() == Some(message))
    }
}

/// Reads a body: a document alone, after its header, or both in an envelope of any name.
#[must_use]
pub fn read(body: &[u8]) -> Inbound {
    let mut roots = match xml::read(body) {
        Ok(roots) => roots,
        Err(error) => return Inbound { unreadable: Some(error), ..Inbound::default() },
    };
    let find = |name: &str| roots.iter().find_map(|root| root.find(name));
    let header = find("AppHdr");
    let document = find("Document");
    let mut inbound = Inbound {
        message_name: document.and_then(standard_name),
        app_hdr: header.map(AppHdr::read),
        ..Inbound::default()
    };
    // Other payment messages name their group and transactions alike, and their answer needs that.
    let transfer = document.and_then(|document| document.children.first());
    inbound.message = transfer.map(Pacs008::read).unwrap_or_default();
    if let Some(header) = header.filter(|h| standard_name(h).as_deref() == Some(HEAD_001)) {
        inbound.findings = shape::check_header(header);
    }
    let message = inbound.message_name.as_deref();
    let message = CHECKED.iter().find(|checked| message == Some(**checked));
    if let Some((document, message)) = document.zip(message) {
        inbound.findings.extend(shape::check(document, message));
    }
    inbound.header = roots.iter_mut().find_map(|root| root.take("AppHdr"));
    inbound.document = roots.iter_mut().find_map(|root| root.take("Document"));
    inbound
}

pub(crate) fn standard_name(element: &Element) -> Option<String> {
    element.namespace.as_deref()?.strip_prefix(NAMESPACE).map(str::to_owned)
}

/// The namespace of a message.
pub(crate) fn namespace(message: &str) -> String {
    format!("{NAMESPACE}{message}")
}

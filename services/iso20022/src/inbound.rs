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
    /// Departures from the shapes of pacs.008.001.08 and head.001.001.02, in order of the message.
    pub findings: Vec<Finding>,
}

impl Inbound {
    /// The message's name as far as anything names it, for `OrgnlMsgNmId`.
    #[must_use]
    pub fn message_name_found(&self) -> Option<&str> {
        let header = self.app_hdr.as_ref().and_then(|h| h.message_definition_id.as_deref());
        self.message_name.as_deref().or(header)
    }
}

/// Reads a body: a document alone, after its header, or both in an envelope of any name.
#[must_use]
pub fn read(body: &[u8]) -> Inbound {
    let roots = match xml::read(body) {
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
    if let Some(document) = document.filter(|_| inbound.message_name.as_deref() == Some(PACS_008)) {
        inbound.findings.extend(shape::check(document, PACS_008));
    }
    inbound
}

fn standard_name(element: &Element) -> Option<String> {
    element.namespace.as_deref()?.strip_prefix(NAMESPACE).map(str::to_owned)
}

/// The namespace of a message.
pub(crate) fn namespace(message: &str) -> String {
    format!("{NAMESPACE}{message}")
}

//! The FI to FI payment status report, pacs.002.001.10; it must never repeat a value of the
//! original that its own XSD would refuse, nor hand out a report that does not fit.

use ledger_types::CreditTransferStatus;

use crate::{
    head::AppHdr,
    inbound::{self, HEAD_001, Inbound},
    pacs008::WriteError,
    shape,
    verdict::Refusal,
    write::Writer,
    xml,
};

/// The report's name.
pub const PACS_002: &str = "pacs.002.001.10";
/// ISO 20022's word for what the XSD requires and nobody provided.
const NOT_PROVIDED: &str = "NOTPROVIDED";
/// Max105Text of `AddtlInf`.
const ADDITIONAL_CHARS_MAX: usize = 105;

/// What the answering side states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its own message id, 1 to 35 characters.
    pub message_id: String,
    /// ISO 8601 with an offset.
    pub created_at: String,
    pub status: CreditTransferStatus,
    /// The reasons; a rejection must have one.
    pub reasons: Vec<Refusal>,
    /// `AccptncDtTm`, ISO 8601 with an offset.
    pub accepted_at: Option<String>,
    /// `ClrSysRef`, e.g. the ledger's record number.
    pub clearing_system_reference: Option<String>,
    /// Who answers; `InstgAgt` and the header's `Fr`.
    pub instructing_agent_bic: Option<String>,
}

/// Names the original; everything as it came, absent where it was absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Original {
    pub message_id: Option<String>,
    pub message_name: Option<String>,
    pub created_at: Option<String>,
    pub instruction_id: Option<String>,
    pub end_to_end_id: Option<String>,
    pub transaction_id: Option<String>,
    pub uetr: Option<String>,
    /// Who sent it; `InstdAgt` and the header's `To` of the answer.
    pub sender_bic: Option<String>,
}

impl Original {
    /// The transactions of a message; of garbage, one about which nothing is known.
    #[must_use]
    pub fn of(inbound: &Inbound) -> Vec<Self> {
        let header = &inbound.message.group_header;
        let app_hdr = inbound.app_hdr.as_ref();
        let agent = header.instructing_agent.as_ref();
        let group = Self {
            message_id: header
                .message_id
                .clone()
                .or_else(|| app_hdr.and_then(|header| header.business_message_id.clone())),
            message_name: inbound.message_name_found().map(str::to_owned),
            created_at: header.created_at.clone(),
            sender_bic: agent.and_then(|agent| agent.bic.clone()),
            ..Self::default()
        };
        let from = app_hdr.and_then(|header| header.from_bic.clone());
        let one = |transfer: &crate::pacs008::CreditTransfer| Self {
            instruction_id: transfer.instruction_id.clone(),
            end_to_end_id: transfer.end_to_end_id.clone(),
            transaction_id: transfer.transaction_id.clone(),
            uetr: transfer.uetr.clone(),
            sender_bic: transfer
                .instructing_agent
                .as_ref()
                .and_then(|agent| agent.bic.clone())
                .or_else(|| group.sender_bic.clone())
                .or_else(|| from.clone()),
            ..group.clone()
        };
        let transfers = &inbound.message.credit_transfers;
        if transfers.is_empty() {
            return vec![Self { sender_bic: group.sender_bic.clone().or(from), ..group }];
        }
        transfers.iter().map(one).collect()
    }
}

/// The report about every transaction of a message, with a header if the message had one.
pub fn answer(inbound: &Inbound, statement: &Statement) -> Result<String, WriteError> {
    write(&Original::of(inbound), statement, inbound.app_hdr.is_some())
}

/// The report about these transactions, whatever state their message is in.
pub fn write(
    originals: &[Original],
    statement: &Statement,
    header: bool,
) -> Result<String, WriteError> {
    let mut out = Writer::new();
    if header {
        out.open("Envelope");
        app_hdr(originals, statement).write(&mut out, PACS_002);
    }
    out.open_in("Document", &inbound::namespace(PACS_002));
    out.open("FIToFIPmtStsRpt");
    out.open("GrpHdr");
    out.leaf("MsgId", &max_35(Some(&statement.message_id)).unwrap_or_else(not_provided));
    out.leaf("CreDtTm", &statement.created_at);
    out.close();
    for original in originals {
        transaction(&mut out, original, statement);
    }
    out.close();
    out.close();
    out.close();
    checked(out.finish())
}

fn app_hdr(originals: &[Original], statement: &Statement) -> AppHdr {
    AppHdr {
        from_bic: bic(statement.instructing_agent_bic.as_ref()),
        to_bic: bic(originals.first().and_then(|original| original.sender_bic.as_ref())),
        business_message_id: max_35(Some(&statement.message_id)),
        message_definition_id: Some(PACS_002.to_owned()),
        business_service: None,
        created_at: Some(statement.created_at.clone()),
    }
}

fn transaction(out: &mut Writer, original: &Original, statement: &Statement) {
    out.open("TxInfAndSts");
    out.open("OrgnlGrpInf");
    let required = |text: Option<&String>| max_35(text).unwrap_or_else(not_provided);
    out.leaf("OrgnlMsgId", &required(original.message_id.as_ref()));
    out.leaf("OrgnlMsgNmId", &required(original.message_name.as_ref()));
    let created_at = original.created_at.as_deref().filter(|text| shape::date_time(text));
    out.leaf_if("OrgnlCreDtTm", created_at);
    out.close();
    out.leaf_if("OrgnlInstrId", max_35(original.instruction_id.as_ref()).as_deref());
    out.leaf_if("OrgnlEndToEndId", max_35(original.end_to_end_id.as_ref()).as_deref());
    out.leaf_if("OrgnlTxId", max_35(original.transaction_id.as_ref()).as_deref());
    out.leaf_if("OrgnlUETR", original.uetr.as_deref().filter(|text| shape::uetr(text)));
    out.leaf("TxSts", statement.status.as_str());
    for refusal in &statement.reasons {
        out.open("StsRsnInf");
        out.open("Rsn");
        out.leaf("Cd", refusal.reason.as_str());
        out.close();
        for line in additional_information(&refusal.text) {
            out.leaf("AddtlInf", &line);
        }
        out.close();
    }
    out.leaf_if("AccptncDtTm", statement.accepted_at.as_deref());
    let reference = max_35(statement.clearing_system_reference.as_ref());
    out.leaf_if("ClrSysRef", reference.as_deref());
    for (name, bic) in [
        ("InstgAgt", bic(statement.instructing_agent_bic.as_ref())),
        ("InstdAgt", bic(original.sender_bic.as_ref())),
    ] {
        if let Some(bic) = bic {
            out.open(name);
            out.open("FinInstnId");
            out.leaf("BICFI", &bic);
            out.close();
            out.close();
        }
    }
    out.close();
}

fn checked(text: String) -> Result<String, WriteError> {
    let unreadable = |error: &xml::Error| {
        WriteError(shape::Finding { path: "Document".to_owned(), text: error.to_string() })
    };
    let roots = xml::read(text.as_bytes()).map_err(|error| unreadable(&error))?;
    let find = |name: &str| roots.iter().find_map(|root| root.find(name));
    let document = find("Document").map(|document| shape::check(document, PACS_002));
    let header = find("AppHdr").map(|header| {
        debug_assert_eq!(header.namespace.as_deref(), Some(&*inbound::namespace(HEAD_001)));
        shape::check_header(header)
    });
    match header.into_iter().chain(document).flatten().next() {
        None => Ok(text),
        Some(finding) => Err(WriteError(finding)),
    }
}

/// A text of 1 to 35 characters that XML can carry, cut if longer; nothing if none is left.
fn max_35(text: Option<&String>) -> Option<String> {
    let kept: String = text?.chars().filter(|character| xml::allowed(*character)).collect();
    let cut: String = kept.trim().chars().take(35).collect();
    (!cut.is_empty()).then_some(cut)
}

fn not_provided() -> String {
    NOT_PROVIDED.to_owned()
}

fn bic(text: Option<&String>) -> Option<String> {
    text.filter(|text| shape::bic(text)).cloned()
}

/// Splits a text into lines of at most 105 characters, between words where it can.
fn additional_information(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let mut rest = word;
        while !rest.is_empty() {
            let end =
                rest.char_indices().nth(ADDITIONAL_CHARS_MAX).map_or(rest.len(), |(at, _)| at);
            let (part, more) = rest.split_at(end);
            rest = more;
            match lines.last_mut() {
                Some(line)
                    if line.chars().count() + 1 + part.chars().count() <= ADDITIONAL_CHARS_MAX =>
                {
                    line.push(' ');
                    line.push_str(part);
                }
                _ => lines.push(part.to_owned()),
            }
        }
    }
    lines
}

//! The FI to FI payment status report, pacs.002.001.10; it must never repeat a value of the
//! original that its own XSD would refuse, nor hand out a report that does not fit.

mod read;

use ledger_types::CreditTransferStatus;

pub use self::read::{GroupStatus, Pacs002, TransactionStatus};
use crate::{
    camt029::{CAMT_029, Camt029},
    camt056::{CAMT_056, Camt056},
    head::AppHdr,
    inbound::Inbound,
    original::{OriginalPayment, additional_information},
    pacs004::{PACS_004, Pacs004},
    pacs008::WriteError,
    pacs028::{PACS_028, Pacs028},
    shape,
    verdict::Refusal,
    write::{self, Writer},
    xml,
};

/// The report's name.
pub const PACS_002: &str = "pacs.002.001.10";
/// ISO 20022's word for what the XSD requires and nobody provided.
const NOT_PROVIDED: &str = "NOTPROVIDED";

/// The most transactions that one answer names: a message of more is refused whole, and its answer
/// must stay within what can be read.
const ORIGINALS_MAX: usize = 100;

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
    /// The first hundred transactions of a message; of garbage, one about which nothing is known.
    #[must_use]
    pub fn of(inbound: &Inbound) -> Vec<Self> {
        let mut found = Self::of_others(inbound);
        if !found.is_empty() {
            found.truncate(ORIGINALS_MAX);
            return found;
        }
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
        transfers.iter().take(ORIGINALS_MAX).map(one).collect()
    }

    /// The transactions of a message about earlier payments, as far as it is one that is spoken.
    fn of_others(inbound: &Inbound) -> Vec<Self> {
        let root = |message| inbound.root_of(message);
        if let Some(root) = root(PACS_004) {
            return Pacs004::read(root).originals();
        }
        if let Some(root) = root(PACS_028) {
            return Pacs028::read(root).originals();
        }
        if let Some(root) = root(CAMT_029) {
            return Camt029::read(root).originals();
        }
        root(CAMT_056).map(|root| Camt056::read(root).originals()).unwrap_or_default()
    }

    /// A payment that another message names, in the words in which a pacs.002 names it.
    #[must_use]
    pub fn of_payment(payment: &OriginalPayment, sender_bic: Option<String>) -> Self {
        Self {
            message_id: payment.message_id.clone(),
            message_name: payment.message_name.clone(),
            created_at: payment.created_at.clone(),
            instruction_id: payment.instruction_id.clone(),
            end_to_end_id: payment.end_to_end_id.clone(),
            transaction_id: payment.transaction_id.clone(),
            uetr: payment.uetr.clone(),
            sender_bic,
        }
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
    let each: Vec<_> = originals.iter().map(|original| (original, statement)).collect();
    write_all(&each, statement, header)
}

/// The report about several transactions that stand differently; its own id, time and sender are the
/// first one's.
pub fn write_each(
    reports: &[(Original, Statement)],
    header: bool,
) -> Result<Option<String>, WriteError> {
    let Some((_, first)) = reports.first() else { return Ok(None) };
    let each: Vec<_> = reports.iter().map(|(original, own)| (original, own)).collect();
    write_all(&each, first, header).map(Some)
}

fn write_all(
    each: &[(&Original, &Statement)],
    own: &Statement,
    header: bool,
) -> Result<String, WriteError> {
    let header = header.then(|| app_hdr(each.first().map(|(original, _)| *original), own));
    write::document(PACS_002, header.as_ref(), |out| {
        out.open("FIToFIPmtStsRpt");
        out.open("GrpHdr");
        out.leaf("MsgId", &max_35(Some(&own.message_id)).unwrap_or_else(not_provided));
        out.leaf("CreDtTm", &own.created_at);
        out.close();
        for (original, statement) in each {
            transaction(out, original, statement);
        }
        out.close();
    })
}

fn app_hdr(original: Option<&Original>, statement: &Statement) -> AppHdr {
    AppHdr {
        from_bic: bic(statement.instructing_agent_bic.as_ref()),
        to_bic: bic(original.and_then(|original| original.sender_bic.as_ref())),
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

/// A text of 1 to 35 characters that XML can carry, cut if longer; nothing if none is left.
pub(crate) fn max_35(text: Option<&String>) -> Option<String> {
    let kept: String = text?.chars().filter(|character| xml::allowed(*character)).collect();
    let cut: String = kept.trim().chars().take(35).collect();
    (!cut.is_empty()).then_some(cut)
}

pub(crate) fn not_provided() -> String {
    NOT_PROVIDED.to_owned()
}

fn bic(text: Option<&String>) -> Option<String> {
    text.filter(|text| shape::bic(text)).cloned()
}

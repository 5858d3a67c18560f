//! How later messages name the payment that they are about, and why they are sent; it must never
//! judge whether that payment exists.

use crate::{
    amount::Amount,
    pacs008::{Agent, CodeOrProprietary, Party, read, write},
    write::Writer,
    xml::Element,
};

/// Max105Text of `AddtlInf`.
const ADDITIONAL_CHARS_MAX: usize = 105;

/// `OrgnlGrpInf`, `OrgnlInstrId` and what follows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OriginalPayment {
    pub message_id: Option<String>,
    /// The message that brought it, e.g. `pacs.008.001.08`.
    pub message_name: Option<String>,
    pub created_at: Option<String>,
    pub instruction_id: Option<String>,
    pub end_to_end_id: Option<String>,
    pub transaction_id: Option<String>,
    pub uetr: Option<String>,
    /// `OrgnlIntrBkSttlmAmt`, or what `OrgnlTxRef` says of it.
    pub interbank_settlement_amount: Option<Amount>,
    pub interbank_settlement_date: Option<String>,
}

/// `RtrRsnInf`, `CxlRsnInf`, `CxlStsRsnInf` or `StsRsnInf`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReasonInformation {
    pub originator: Option<Party>,
    pub reason: Option<CodeOrProprietary>,
    /// `AddtlInf`, each at most 105 characters.
    pub additional: Vec<String>,
}

impl OriginalPayment {
    /// `group` is where the message names the original's group once for all its transactions.
    pub(crate) fn read(transaction: &Element, group: Option<&Element>) -> Self {
        let own = transaction.child("OrgnlGrpInf").or(group);
        let of_group = |name| own.and_then(|group| group.text_at(&[name]));
        let text = |name| transaction.text_at(&[name]);
        let reference = transaction.child("OrgnlTxRef");
        Self {
            message_id: of_group("OrgnlMsgId"),
            message_name: of_group("OrgnlMsgNmId"),
            created_at: of_group("OrgnlCreDtTm"),
            instruction_id: text("OrgnlInstrId"),
            end_to_end_id: text("OrgnlEndToEndId"),
            transaction_id: text("OrgnlTxId"),
            uetr: text("OrgnlUETR"),
            interbank_settlement_amount: read::amount(transaction, "OrgnlIntrBkSttlmAmt")
                .or_else(|| reference.and_then(|of| read::amount(of, "IntrBkSttlmAmt"))),
            interbank_settlement_date: text("OrgnlIntrBkSttlmDt")
                .or_else(|| reference.and_then(|of| of.text_at(&["IntrBkSttlmDt"]))),
        }
    }

    /// `OrgnlGrpInf` to `OrgnlUETR`, which all these messages order alike.
    pub(crate) fn write_ids(&self, out: &mut Writer) {
        out.group("OrgnlGrpInf", |out| {
            out.leaf_if("OrgnlMsgId", self.message_id.as_deref());
            out.leaf_if("OrgnlMsgNmId", self.message_name.as_deref());
            out.leaf_if("OrgnlCreDtTm", self.created_at.as_deref());
        });
        out.leaf_if("OrgnlInstrId", self.instruction_id.as_deref());
        out.leaf_if("OrgnlEndToEndId", self.end_to_end_id.as_deref());
        out.leaf_if("OrgnlTxId", self.transaction_id.as_deref());
        out.leaf_if("OrgnlUETR", self.uetr.as_deref());
    }

    pub(crate) fn write_settlement(&self, out: &mut Writer) {
        write::amount(out, "OrgnlIntrBkSttlmAmt", self.interbank_settlement_amount.as_ref());
        out.leaf_if("OrgnlIntrBkSttlmDt", self.interbank_settlement_date.as_deref());
    }
}

impl ReasonInformation {
    /// A published code and words of any length, cut into lines.
    #[must_use]
    pub fn of_code(code: &str, words: &str) -> Self {
        let reason = Some(CodeOrProprietary::Code(code.to_owned()));
        Self { originator: None, reason, additional: additional_information(words) }
    }

    pub(crate) fn read(element: &Element) -> Self {
        Self {
            originator: element.child("Orgtr").map(read::party),
            reason: read::code(element.child("Rsn")),
            additional: read::texts(element, "AddtlInf"),
        }
    }

    pub(crate) fn write(&self, out: &mut Writer, name: &'static str) {
        out.open(name);
        write::party(out, "Orgtr", self.originator.as_ref());
        write::code(out, "Rsn", self.reason.as_ref());
        self.additional.iter().for_each(|line| out.leaf("AddtlInf", line));
        out.close();
    }

    /// The first code of a list of reasons.
    #[must_use]
    pub fn first_code(reasons: &[Self]) -> Option<&str> {
        let reason = reasons.iter().find_map(|one| one.reason.as_ref())?;
        Some(reason.as_str())
    }

    /// All the words of a list of reasons.
    #[must_use]
    pub fn words(reasons: &[Self]) -> String {
        let words: Vec<&str> =
            reasons.iter().flat_map(|one| one.additional.iter().map(String::as_str)).collect();
        words.join(" ")
    }
}

/// The agent of a choice of `Pty` and `Agt`.
pub(crate) fn party_agent(choice: Option<&Element>) -> Option<Agent> {
    choice.and_then(|choice| choice.child("Agt")).map(read::agent)
}

/// The party of a choice of `Pty` and `Agt`.
pub(crate) fn party(choice: Option<&Element>) -> Option<Party> {
    choice.and_then(|choice| choice.child("Pty")).map(read::party)
}

pub(crate) fn write_party_agent(out: &mut Writer, name: &'static str, agent: Option<&Agent>) {
    out.group(name, |out| write::agent(out, "Agt", agent));
}

/// Splits a text into lines of at most 105 characters, between words where it can.
pub(crate) fn additional_information(text: &str) -> Vec<String> {
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

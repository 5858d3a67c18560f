//! The customer payment status report, pain.002.001.10, written part by part so that a report about
//! 100,000 rows needs no more memory than one; it must never hand out a part that does not fit.

use crate::{
    head::AppHdr,
    inbound,
    original::ReasonInformation,
    pacs002::{max_35, not_provided},
    pacs008::{Party, WriteError, write as parts},
    shape::{self, Finding},
    write::Writer,
    xml,
};

/// The report's name.
pub const PAIN_002: &str = "pain.002.001.10";
const ROOT: &str = "CstmrPmtStsRpt";
const PAYMENT: &str = "OrgnlPmtInfAndSts";

/// What stands before the rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub message_id: String,
    /// ISO 8601 with an offset.
    pub created_at: String,
    pub initiating_party: Option<Party>,
    pub original_message_id: Option<String>,
    /// `pain.001.001.09`, or what came instead.
    pub original_message_name: Option<String>,
    pub original_created_at: Option<String>,
    pub original_number_of_transactions: Option<String>,
    /// `GrpSts`: ACTC, ACSC, PART, RJCT or another of ExternalPaymentGroupStatus1Code.
    pub status: Option<String>,
    pub reasons: Vec<ReasonInformation>,
    /// How many rows have which status.
    pub counts: Vec<(String, u64)>,
}

/// `OrgnlPmtInfAndSts` without its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PaymentReport {
    pub payment_information_id: Option<String>,
    pub status: Option<String>,
    pub reasons: Vec<ReasonInformation>,
}

/// `TxInfAndSts`: one row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowReport {
    pub status_id: Option<String>,
    pub instruction_id: Option<String>,
    pub end_to_end_id: Option<String>,
    pub uetr: Option<String>,
    /// `TxSts`, e.g. ACSC.
    pub status: String,
    pub reasons: Vec<ReasonInformation>,
    pub accepted_at: Option<String>,
    pub clearing_system_reference: Option<String>,
}

impl Report {
    /// The beginning of the document; payments follow, then [`close`](Self::close).
    pub fn open(&self, header: Option<&AppHdr>) -> Result<String, WriteError> {
        let mut out = Writer::new();
        if let Some(header) = header {
            out.open("Envelope");
            header.write(&mut out, PAIN_002);
        }
        out.open_in("Document", &inbound::namespace(PAIN_002));
        out.open(ROOT);
        self.group_header(&mut out);
        self.original_group(&mut out);
        let text = out.finish();
        let read = inbound::read(format!("{text}{}", Self::close(header.is_some())).as_bytes());
        if let Some(error) = read.unreadable {
            return Err(unreadable(&error));
        }
        read.findings.into_iter().next().map_or(Ok(text), |finding| Err(WriteError(finding)))
    }

    /// The end of the document.
    #[must_use]
    pub fn close(header: bool) -> &'static str {
        if header {
            "</CstmrPmtStsRpt></Document></Envelope>\n"
        } else {
            "</CstmrPmtStsRpt></Document>\n"
        }
    }

    fn group_header(&self, out: &mut Writer) {
        out.open("GrpHdr");
        out.leaf("MsgId", &max_35(Some(&self.message_id)).unwrap_or_else(not_provided));
        out.leaf("CreDtTm", &self.created_at);
        parts::party(out, "InitgPty", self.initiating_party.as_ref());
        out.close();
    }

    fn original_group(&self, out: &mut Writer) {
        let required = |text: Option<&String>| max_35(text).unwrap_or_else(not_provided);
        out.open("OrgnlGrpInfAndSts");
        out.leaf("OrgnlMsgId", &required(self.original_message_id.as_ref()));
        out.leaf("OrgnlMsgNmId", &required(self.original_message_name.as_ref()));
        let created_at = self.original_created_at.as_deref().filter(|text| shape::date_time(text));
        out.leaf_if("OrgnlCreDtTm", created_at);
        let number = self.original_number_of_transactions.as_deref();
        let numeric = |text: &&str| {
            (1..=15).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        out.leaf_if("OrgnlNbOfTxs", number.filter(numeric));
        out.leaf_if("GrpSts", self.status.as_deref());
        self.reasons.iter().for_each(|reason| reason.write(out, "StsRsnInf"));
        for (status, count) in &self.counts {
            out.open("NbOfTxsPerSts");
            out.leaf("DtldNbOfTxs", &count.to_string());
            out.leaf("DtldSts", status);
            out.close();
        }
        out.close();
    }
}

impl PaymentReport {
    /// The beginning of a payment information; rows follow, then [`close`](Self::close).
    pub fn open(&self) -> Result<String, WriteError> {
        let mut out = Writer::part();
        out.open(PAYMENT);
        let id = max_35(self.payment_information_id.as_ref()).unwrap_or_else(not_provided);
        out.leaf("OrgnlPmtInfId", &id);
        out.leaf_if("PmtInfSts", self.status.as_deref());
        self.reasons.iter().for_each(|reason| reason.write(&mut out, "StsRsnInf"));
        let text = out.finish();
        let whole = format!("{text}{}", Self::close());
        checked(&whole, "OriginalPaymentInstruction32", &[ROOT, PAYMENT])?;
        Ok(text)
    }

    #[must_use]
    pub fn close() -> &'static str {
        "</OrgnlPmtInfAndSts>\n"
    }
}

impl RowReport {
    pub fn write(&self) -> Result<String, WriteError> {
        let mut out = Writer::part();
        out.open("TxInfAndSts");
        out.leaf_if("StsId", max_35(self.status_id.as_ref()).as_deref());
        out.leaf_if("OrgnlInstrId", max_35(self.instruction_id.as_ref()).as_deref());
        out.leaf_if("OrgnlEndToEndId", max_35(self.end_to_end_id.as_ref()).as_deref());
        out.leaf_if("OrgnlUETR", self.uetr.as_deref().filter(|text| shape::uetr(text)));
        out.leaf("TxSts", &self.status);
        self.reasons.iter().for_each(|reason| reason.write(&mut out, "StsRsnInf"));
        out.leaf_if("AccptncDtTm", self.accepted_at.as_deref());
        let reference = max_35(self.clearing_system_reference.as_ref());
        out.leaf_if("ClrSysRef", reference.as_deref());
        out.close();
        let text = out.finish();
        checked(&text, "PaymentTransaction105", &[ROOT, PAYMENT, "TxInfAndSts"])?;
        Ok(text)
    }
}

fn checked(text: &str, type_name: &str, path: &[&'static str]) -> Result<(), WriteError> {
    let roots = xml::read(text.as_bytes()).map_err(|error| unreadable(&error))?;
    let found = roots.iter().flat_map(|root| shape::check_part(root, type_name, path)).next();
    found.map_or(Ok(()), |finding| Err(WriteError(finding)))
}

fn unreadable(error: &xml::Error) -> WriteError {
    WriteError(Finding { path: "Document".to_owned(), text: error.to_string() })
}

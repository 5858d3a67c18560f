//! The FI to FI customer credit transfer, pacs.008.001.08, as a remittance needs it; it must never
//! judge a value: absent and wrong ones are kept as they came.

pub(crate) mod read;
pub(crate) mod write;

pub use crate::write::Error as WriteError;
use crate::{amount::Amount, xml::Element};

/// `FIToFICstmrCdtTrf`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pacs008 {
    pub group_header: GroupHeader,
    pub credit_transfers: Vec<CreditTransfer>,
}

/// `GrpHdr`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupHeader {
    pub message_id: Option<String>,
    pub created_at: Option<String>,
    pub number_of_transactions: Option<String>,
    /// `SttlmMtd`: INDA, INGA, COVE or CLRG.
    pub settlement_method: Option<String>,
    pub clearing_system: Option<CodeOrProprietary>,
    pub interbank_settlement_date: Option<String>,
    pub instructing_agent: Option<Agent>,
    pub instructed_agent: Option<Agent>,
}

/// `CdtTrfTxInf`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CreditTransfer {
    pub instruction_id: Option<String>,
    pub end_to_end_id: Option<String>,
    pub transaction_id: Option<String>,
    pub uetr: Option<String>,
    pub clearing_system_reference: Option<String>,
    pub payment_type: PaymentType,
    pub interbank_settlement_amount: Option<Amount>,
    pub interbank_settlement_date: Option<String>,
    pub instructed_amount: Option<Amount>,
    pub exchange_rate: Option<String>,
    /// `ChrgBr`: DEBT, CRED, SHAR or SLEV.
    pub charge_bearer: Option<String>,
    pub charges: Vec<Charge>,
    pub instructing_agent: Option<Agent>,
    pub instructed_agent: Option<Agent>,
    /// `IntrmyAgt1` to `IntrmyAgt3`.
    pub intermediary_agents: Vec<Agent>,
    pub ultimate_debtor: Option<Party>,
    pub initiating_party: Option<Party>,
    pub debtor: Option<Party>,
    pub debtor_account: Option<Account>,
    pub debtor_agent: Option<Agent>,
    pub creditor_agent: Option<Agent>,
    pub creditor: Option<Party>,
    pub creditor_account: Option<Account>,
    pub ultimate_creditor: Option<Party>,
    pub instructions_for_creditor_agent: Vec<Instruction>,
    pub instructions_for_next_agent: Vec<Instruction>,
    pub purpose: Option<CodeOrProprietary>,
    pub regulatory_reporting: Vec<RegulatoryReporting>,
    /// `Tax`, as it came.
    pub tax: Option<Element>,
    /// Each `RltdRmtInf`, as it came: where the remittance information was sent.
    pub related_remittance_information: Vec<Element>,
    /// `RmtInf/Ustrd`, one string an element.
    pub remittance_information: Vec<String>,
    /// Each `RmtInf/Strd`, as it came.
    pub structured_remittance_information: Vec<Element>,
}

/// `PmtTpInf`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PaymentType {
    /// `InstrPrty`: HIGH or NORM.
    pub instruction_priority: Option<String>,
    pub clearing_channel: Option<String>,
    pub service_levels: Vec<CodeOrProprietary>,
    pub local_instrument: Option<CodeOrProprietary>,
    pub category_purpose: Option<CodeOrProprietary>,
}

/// A choice of `Cd` and `Prtry`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeOrProprietary {
    Code(String),
    Proprietary(String),
}

/// One `ChrgsInf`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Charge {
    pub amount: Option<Amount>,
    pub agent: Agent,
}

/// A financial institution; `FinInstnId` and its branch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agent {
    pub bic: Option<String>,
    pub clearing_system_id: Option<CodeOrProprietary>,
    /// `ClrSysMmbId/MmbId`.
    pub clearing_system_member_id: Option<String>,
    pub lei: Option<String>,
    pub name: Option<String>,
    pub postal_address: Option<PostalAddress>,
}

/// A debtor or creditor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Party {
    pub name: Option<String>,
    pub postal_address: Option<PostalAddress>,
    pub identification: Option<PartyIdentification>,
    pub country_of_residence: Option<String>,
    pub mobile_number: Option<String>,
}

/// `Id`: an organisation's or a person's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartyIdentification {
    Organisation { any_bic: Option<String>, lei: Option<String>, others: Vec<OtherId> },
    Private { birth: Option<Birth>, others: Vec<OtherId> },
}

/// `DtAndPlcOfBirth`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Birth {
    pub date: Option<String>,
    pub province: Option<String>,
    pub city: Option<String>,
    pub country: Option<String>,
}

/// `Othr` of a party or an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OtherId {
    pub id: Option<String>,
    pub scheme: Option<CodeOrProprietary>,
    pub issuer: Option<String>,
}

/// `PstlAdr`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PostalAddress {
    /// `AdrTp/Cd`.
    pub address_type: Option<String>,
    pub department: Option<String>,
    pub sub_department: Option<String>,
    pub street_name: Option<String>,
    pub building_number: Option<String>,
    pub building_name: Option<String>,
    pub floor: Option<String>,
    pub post_box: Option<String>,
    pub room: Option<String>,
    pub post_code: Option<String>,
    pub town_name: Option<String>,
    pub town_location_name: Option<String>,
    pub district_name: Option<String>,
    pub country_sub_division: Option<String>,
    pub country: Option<String>,
    pub address_lines: Vec<String>,
}

/// A cash account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    pub identification: Option<AccountIdentification>,
    /// `Tp`.
    pub kind: Option<CodeOrProprietary>,
    pub currency: Option<String>,
    pub name: Option<String>,
    pub proxy_type: Option<CodeOrProprietary>,
    /// `Prxy/Id`, e.g. a telephone number.
    pub proxy: Option<String>,
}

/// `Id` of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountIdentification {
    Iban(String),
    Other(OtherId),
}

/// `InstrForCdtrAgt` or `InstrForNxtAgt`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Instruction {
    pub code: Option<String>,
    pub information: Option<String>,
}

/// One `RgltryRptg/Dtls` and what stands above it; a sender states the source of funds or the relationship of the parties
/// here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegulatoryReporting {
    /// `DbtCdtRptgInd`: CRED, DEBT or BOTH.
    pub indicator: Option<String>,
    pub authority_name: Option<String>,
    pub authority_country: Option<String>,
    pub kind: Option<String>,
    pub date: Option<String>,
    pub country: Option<String>,
    pub code: Option<String>,
    pub amount: Option<Amount>,
    pub information: Vec<String>,
}

impl CodeOrProprietary {
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Code(text) | Self::Proprietary(text) => text,
        }
    }
}

impl Agent {
    /// An agent known by its BIC alone.
    #[must_use]
    pub fn of_bic(bic: &str) -> Self {
        Self { bic: Some(bic.to_owned()), ..Self::default() }
    }
}

impl CreditTransfer {
    /// The quote that an instruction for the next agent names as `/QUOTE/<id>`.
    #[must_use]
    pub fn quote_id(&self) -> Option<&str> {
        self.instructions_for_next_agent
            .iter()
            .filter_map(|instruction| instruction.information.as_deref())
            .filter_map(|text| text.trim().strip_prefix("/QUOTE/"))
            .filter_map(|rest| rest.split([' ', '/', '\t', '\r', '\n']).next())
            .find(|id| !id.is_empty())
    }

    /// What the debtor tells the creditor, in words: the free texts, then what each structured and
    /// each related one holds, in its order.
    #[must_use]
    pub fn remittance_text(&self) -> String {
        let structured = &self.structured_remittance_information;
        let elements = structured.iter().chain(&self.related_remittance_information);
        let mut texts = self.remittance_information.clone();
        texts.extend(elements.map(Element::words));
        texts.join(" ")
    }

    /// All free text of regulatory reporting of one kind (`Dtls/Tp`), joined.
    #[must_use]
    pub fn regulatory_text(&self, kind: &str) -> Option<String> {
        let texts: Vec<&str> = self
            .regulatory_reporting
            .iter()
            .filter(|report| report.kind.as_deref().is_some_and(|k| k.eq_ignore_ascii_case(kind)))
            .flat_map(|report| report.information.iter().map(String::as_str))
            .collect();
        (!texts.is_empty()).then(|| texts.join(" "))
    }
}

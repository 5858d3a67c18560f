//! A transfer in the words of ISO 20022, from what this gateway keeps of it; it reads no store and decides nothing.
#[cfg(test)]
mod tests;

use ledger_types::{Iban, ParticipantId};
use proto::convert::Network;
use services_iso20022::{
    Amount,
    camt054::{BankTransactionCode, Camt054, Entry, Notification, Transaction},
    inbound::PACS_008,
    original::{OriginalPayment, ReasonInformation},
    pacs002::Original,
    pacs004::{Pacs004, PaymentReturn, ReturnChain},
    pacs008::{
        Account, AccountIdentification, Agent, CodeOrProprietary, CreditTransfer, GroupHeader,
        OtherId, Pacs008, Party, PartyIdentification, PostalAddress, RegulatoryReporting,
    },
};
use time::OffsetDateTime;

use crate::{
    clock::rfc3339,
    directory::decimal,
    names,
    personal::{Person, Personal},
    store::transfers::{Row, participant},
};

/// How the network is named where a clearing system is asked for.
const CLEARING_SYSTEM: &str = "CAUSEWAY";
/// ISO 20022's word for an end-to-end id that the debtor did not give.
const NOT_PROVIDED: &str = "NOTPROVIDED";
/// Keeps the ids of notifications apart from other names.
const CREDIT_NOTE: &[u8] = b"causeway camt.054 of a credit\0";
/// Max140Text of `Ustrd`, Max35Text of `Dtls/Inf`.
const USTRD_CHARS_MAX: usize = 140;
const INF_CHARS_MAX: usize = 35;

/// What is told, and of what.
pub(super) struct Told<'a> {
    pub(super) network: &'a Network,
    pub(super) row: &'a Row,
    pub(super) personal: &'a Personal,
}

/// The original that a pacs.002 about this transfer names: the message that this gateway renders.
pub(super) fn original(network: &Network, row: &Row) -> Original {
    let named = network.participant(participant(row.debtor_agent));
    Original {
        message_id: Some(id(&row.uetr)),
        message_name: Some(PACS_008.to_owned()),
        created_at: Some(rfc3339(row.created_at)),
        end_to_end_id: Some(row.end_to_end_id.clone().unwrap_or_else(not_provided)),
        uetr: Some(row.uetr.to_string()),
        sender_bic: named.map(|row| row.bic.clone()).filter(|bic| !bic.is_empty()),
        ..Original::default()
    }
}

impl Told<'_> {
    pub(super) fn pacs008(&self) -> Pacs008 {
        Pacs008 { group_header: self.group_header(), credit_transfers: vec![self.transfer()] }
    }

    fn group_header(&self) -> GroupHeader {
        GroupHeader {
            message_id: Some(id(&self.row.uetr)),
            created_at: Some(rfc3339(self.row.created_at)),
            number_of_transactions: Some("1".to_owned()),
            settlement_method: Some("CLRG".to_owned()),
            clearing_system: Some(CodeOrProprietary::Proprietary(CLEARING_SYSTEM.to_owned())),
            ..GroupHeader::default()
        }
    }

    fn transfer(&self) -> CreditTransfer {
        let (row, personal) = (self.row, self.personal);
        let debtor_agent = self.agent(row.debtor_agent);
        let creditor_agent = self.agent(row.creditor_agent);
        let reporting = [
            ("RELATIONSHIP", &personal.relationship),
            ("SOURCE_OF_FUNDS", &personal.source_of_funds),
        ];
        CreditTransfer {
            end_to_end_id: Some(self.end_to_end_id()),
            uetr: Some(row.uetr.to_string()),
            clearing_system_reference: row.record.map(|record| record.to_string()),
            interbank_settlement_amount: Some(self.amount(row.amount, &row.currency)),
            interbank_settlement_date: row.settled_at.map(date),
            instructed_amount: self.instructed(),
            charge_bearer: Some("SHAR".to_owned()),
            instructing_agent: Some(debtor_agent.clone()),
            instructed_agent: Some(creditor_agent.clone()),
            ultimate_debtor: personal.ultimate_debtor.as_ref().map(party),
            initiating_party: personal.initiating_party.as_ref().map(party),
            debtor: Some(party(&personal.originator)),
            debtor_account: account(&personal.originator),
            debtor_agent: Some(debtor_agent),
            creditor_agent: Some(creditor_agent),
            creditor: Some(party(&personal.beneficiary)),
            creditor_account: account(&personal.beneficiary),
            ultimate_creditor: personal.ultimate_creditor.as_ref().map(party),
            purpose: Some(CodeOrProprietary::Code(row.purpose.clone())),
            regulatory_reporting: reporting
                .into_iter()
                .filter_map(|(kind, text)| Some(reporting_of(kind, text.as_deref()?)))
                .collect(),
            remittance_information: self.remittance(),
            ..CreditTransfer::default()
        }
    }

    /// The return as its own message; what it returns is named by its UETR.
    pub(super) fn pacs004(&self) -> Pacs004 {
        let row = self.row;
        let original = OriginalPayment {
            end_to_end_id: row.end_to_end_id.clone(),
            uetr: row.return_of.map(|uetr| uetr.to_string()),
            ..OriginalPayment::default()
        };
        let debtor_agent = self.agent(row.debtor_agent);
        let creditor_agent = self.agent(row.creditor_agent);
        let named = |party: Party| Some(party).filter(|party| party.name.is_some());
        let debtor = named(party(&self.personal.beneficiary));
        let creditor = named(party(&self.personal.originator));
        let chain = debtor.is_some() && creditor.is_some();
        let one = PaymentReturn {
            return_id: Some(id(&row.uetr)),
            original,
            returned_amount: Some(self.amount(row.amount, &row.currency)),
            interbank_settlement_date: row.settled_at.map(date),
            returned_instructed_amount: self.instructed(),
            charge_bearer: Some("SHAR".to_owned()),
            clearing_system_reference: row.record.map(|record| record.to_string()),
            instructing_agent: Some(debtor_agent.clone()),
            instructed_agent: Some(creditor_agent.clone()),
            chain: chain.then_some(ReturnChain {
                debtor,
                debtor_agent: Some(debtor_agent),
                creditor_agent: Some(creditor_agent),
                creditor,
            }),
            reasons: vec![ReasonInformation::of_code(&row.purpose, "")],
            ..PaymentReturn::default()
        };
        Pacs004 { group_header: self.group_header(), returns: vec![one] }
    }

    /// One notification of one credit; nothing before the creditor's account was credited. Whoever asks
    /// twice gets one message, by its id and to its last byte.
    pub(super) fn camt054(&self) -> Option<Camt054> {
        let (row, personal) = (self.row, self.personal);
        let credited_at = row.credited_at.filter(|_| !row.outgoing && row.return_of.is_none())?;
        let account = account(&personal.beneficiary)?;
        let debtor_agent = row.debtor_agent.to_be_bytes();
        let name = names::uetr(CREDIT_NOTE, &[&debtor_agent, row.uetr.as_bytes()]);
        let now = rfc3339(credited_at);
        let amount = self.amount(row.amount, &row.currency);
        let record = row.record.map(|record| record.to_string());
        let transaction = Transaction {
            servicer_reference: record.clone(),
            end_to_end_id: Some(self.end_to_end_id()),
            uetr: Some(row.uetr.to_string()),
            amount: Some(amount.clone()),
            credit_debit: Some("CRDT".to_owned()),
            instructed_amount: self.instructed(),
            debtor: Some(party(&personal.originator)),
            creditor: Some(party(&personal.beneficiary)),
            debtor_agent: Some(self.agent(row.debtor_agent)),
            creditor_agent: Some(self.agent(row.creditor_agent)),
            purpose: Some(CodeOrProprietary::Code(row.purpose.clone())),
            remittance_information: self.remittance(),
            interbank_settlement_date: row.settled_at.map(date),
            ..Transaction::default()
        };
        let entry = Entry {
            reference: record.clone(),
            amount: Some(amount),
            credit_debit: Some("CRDT".to_owned()),
            status: Some(CodeOrProprietary::Code("BOOK".to_owned())),
            booked_at: Some(rfc3339(credited_at)),
            value_date: Some(date(credited_at)),
            servicer_reference: record,
            bank_transaction_code: Some(BankTransactionCode::cross_border_credit()),
            transactions: vec![transaction],
            ..Entry::default()
        };
        let notification = Notification {
            id: Some(id(&row.uetr)),
            created_at: Some(now.clone()),
            account: Account { currency: Some(row.currency.clone()), ..account },
            servicer: Some(self.agent(row.creditor_agent)),
            entries: vec![entry],
            ..Notification::default()
        };
        Some(Camt054 {
            message_id: Some(name.to_string().replace('-', "")),
            created_at: Some(now),
            notifications: vec![notification],
        })
    }

    fn end_to_end_id(&self) -> String {
        let kept = self.row.end_to_end_id.as_ref().or(self.personal.end_to_end_id.as_ref());
        kept.cloned().unwrap_or_else(not_provided)
    }

    /// By BIC; a participant without one by its number in the network.
    fn agent(&self, stored: i64) -> Agent {
        let id: ParticipantId = participant(stored);
        match self.network.participant(id).filter(|row| !row.bic.is_empty()) {
            Some(row) => Agent::of_bic(&row.bic),
            None => Agent {
                clearing_system_id: Some(CodeOrProprietary::Proprietary(
                    CLEARING_SYSTEM.to_owned(),
                )),
                clearing_system_member_id: Some(id.0.to_string()),
                ..Agent::default()
            },
        }
    }

    fn instructed(&self) -> Option<Amount> {
        let (amount, currency) =
            self.row.instructed_amount.zip(self.row.instructed_currency.as_ref())?;
        Some(self.amount(amount, currency))
    }

    fn amount(&self, minor_units: i64, currency: &str) -> Amount {
        let units = u64::try_from(minor_units).unwrap_or(0);
        let value = decimal(Some(self.network), units, currency);
        Amount { currency: currency.to_owned(), value }
    }

    fn remittance(&self) -> Vec<String> {
        let text = self.personal.remittance_information.as_deref().unwrap_or_default();
        pieces(text, USTRD_CHARS_MAX)
    }
}

fn party(person: &Person) -> Party {
    let some = |text: &String| !text.is_empty();
    let number = person.national_identifier.as_ref().or(person.customer_identification.as_ref());
    let other = |id: &String| OtherId { id: Some(id.clone()), ..OtherId::default() };
    let located = !person.address.is_empty() || person.country.is_some();
    Party {
        name: Some(person.name.clone()).filter(some),
        postal_address: located.then(|| PostalAddress {
            country: person.country.clone(),
            address_lines: person.address.clone(),
            ..PostalAddress::default()
        }),
        // A date of birth needs its country in a message, which is not kept.
        identification: number
            .map(|id| PartyIdentification::Private { birth: None, others: vec![other(id)] }),
        ..Party::default()
    }
}

fn account(person: &Person) -> Option<Account> {
    let number = person.account.as_ref()?;
    let identification = match number.parse::<Iban>() {
        Ok(iban) => AccountIdentification::Iban(iban.as_str().to_owned()),
        Err(_) => {
            AccountIdentification::Other(OtherId { id: Some(number.clone()), ..OtherId::default() })
        }
    };
    Some(Account { identification: Some(identification), ..Account::default() })
}

fn reporting_of(kind: &str, text: &str) -> RegulatoryReporting {
    RegulatoryReporting {
        kind: Some(kind.to_owned()),
        information: pieces(text, INF_CHARS_MAX),
        ..RegulatoryReporting::default()
    }
}

/// A text in pieces of so many characters.
fn pieces(text: &str, chars_max: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let pieces = characters.chunks(chars_max).map(|piece| piece.iter().collect::<String>());
    pieces.map(|piece| piece.trim().to_owned()).filter(|piece| !piece.is_empty()).collect()
}

/// A UETR as identifiers of at most 35 characters carry it.
fn id(uetr: &uuid::Uuid) -> String {
    uetr.simple().to_string()
}

fn date(at: OffsetDateTime) -> String {
    at.date().to_string()
}

fn not_provided() -> String {
    NOT_PROVIDED.to_owned()
}

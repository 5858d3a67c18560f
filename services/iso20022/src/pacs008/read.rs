//! Takes a pacs.008 from its elements, whatever their order; it must never fail or check.

use super::{
    Account, AccountIdentification, Agent, Birth, Charge, CodeOrProprietary, CreditTransfer,
    GroupHeader, Instruction, OtherId, Pacs008, Party, PartyIdentification, PostalAddress,
    RegulatoryReporting,
};
use crate::{amount::Amount, xml::Element};

impl Pacs008 {
    pub(crate) fn read(transfer: &Element) -> Self {
        Self {
            group_header: transfer.child("GrpHdr").map(group_header).unwrap_or_default(),
            credit_transfers: transfer.children_named("CdtTrfTxInf").map(credit_transfer).collect(),
        }
    }
}

fn group_header(header: &Element) -> GroupHeader {
    GroupHeader {
        message_id: header.text_at(&["MsgId"]),
        created_at: header.text_at(&["CreDtTm"]),
        number_of_transactions: header.text_at(&["NbOfTxs"]),
        settlement_method: header.text_at(&["SttlmInf", "SttlmMtd"]),
        clearing_system: code(header.at(&["SttlmInf", "ClrSys"])),
        interbank_settlement_date: header.text_at(&["IntrBkSttlmDt"]),
        instructing_agent: header.child("InstgAgt").map(agent),
        instructed_agent: header.child("InstdAgt").map(agent),
    }
}

fn credit_transfer(transfer: &Element) -> CreditTransfer {
    let text = |path: &[&str]| transfer.text_at(path);
    let intermediaries = ["IntrmyAgt1", "IntrmyAgt2", "IntrmyAgt3"];
    CreditTransfer {
        instruction_id: text(&["PmtId", "InstrId"]),
        end_to_end_id: text(&["PmtId", "EndToEndId"]),
        transaction_id: text(&["PmtId", "TxId"]),
        uetr: text(&["PmtId", "UETR"]),
        clearing_system_reference: text(&["PmtId", "ClrSysRef"]),
        category_purpose: code(transfer.at(&["PmtTpInf", "CtgyPurp"])),
        interbank_settlement_amount: amount(transfer, "IntrBkSttlmAmt"),
        interbank_settlement_date: text(&["IntrBkSttlmDt"]),
        instructed_amount: amount(transfer, "InstdAmt"),
        exchange_rate: text(&["XchgRate"]),
        charge_bearer: text(&["ChrgBr"]),
        charges: transfer.children_named("ChrgsInf").map(charge).collect(),
        instructing_agent: transfer.child("InstgAgt").map(agent),
        instructed_agent: transfer.child("InstdAgt").map(agent),
        intermediary_agents: intermediaries
            .iter()
            .filter_map(|name| transfer.child(name).map(agent))
            .collect(),
        ultimate_debtor: transfer.child("UltmtDbtr").map(party),
        debtor: transfer.child("Dbtr").map(party),
        debtor_account: transfer.child("DbtrAcct").map(account),
        debtor_agent: transfer.child("DbtrAgt").map(agent),
        creditor_agent: transfer.child("CdtrAgt").map(agent),
        creditor: transfer.child("Cdtr").map(party),
        creditor_account: transfer.child("CdtrAcct").map(account),
        ultimate_creditor: transfer.child("UltmtCdtr").map(party),
        instructions_for_creditor_agent: instructions(transfer, "InstrForCdtrAgt"),
        instructions_for_next_agent: instructions(transfer, "InstrForNxtAgt"),
        purpose: code(transfer.child("Purp")),
        regulatory_reporting: transfer
            .children_named("RgltryRptg")
            .flat_map(|report| report.children_named("Dtls"))
            .map(regulatory_reporting)
            .collect(),
        remittance_information: transfer
            .child("RmtInf")
            .map(|information| texts(information, "Ustrd"))
            .unwrap_or_default(),
    }
}

fn code(choice: Option<&Element>) -> Option<CodeOrProprietary> {
    let choice = choice?;
    let proprietary = || choice.text_at(&["Prtry"]).map(CodeOrProprietary::Proprietary);
    choice.text_at(&["Cd"]).map(CodeOrProprietary::Code).or_else(proprietary)
}

fn amount(parent: &Element, name: &str) -> Option<Amount> {
    let element = parent.child(name)?;
    Some(Amount {
        currency: element.attribute("Ccy").unwrap_or_default().to_owned(),
        value: element.text.trim().to_owned(),
    })
}

fn charge(element: &Element) -> Charge {
    Charge {
        amount: amount(element, "Amt"),
        agent: element.child("Agt").map(agent).unwrap_or_default(),
    }
}

fn agent(element: &Element) -> Agent {
    let text = |name| element.text_at(&["FinInstnId", name]);
    Agent {
        bic: text("BICFI"),
        clearing_system_id: code(element.at(&["FinInstnId", "ClrSysMmbId", "ClrSysId"])),
        clearing_system_member_id: element.text_at(&["FinInstnId", "ClrSysMmbId", "MmbId"]),
        lei: text("LEI"),
        name: text("Nm"),
        postal_address: element.at(&["FinInstnId", "PstlAdr"]).map(postal_address),
    }
}

fn party(element: &Element) -> Party {
    Party {
        name: element.text_at(&["Nm"]),
        postal_address: element.child("PstlAdr").map(postal_address),
        identification: element.child("Id").and_then(party_identification),
        country_of_residence: element.text_at(&["CtryOfRes"]),
        mobile_number: element.text_at(&["CtctDtls", "MobNb"]),
    }
}

fn party_identification(element: &Element) -> Option<PartyIdentification> {
    if let Some(person) = element.child("PrvtId") {
        let birth = person.child("DtAndPlcOfBirth").map(|birth| Birth {
            date: birth.text_at(&["BirthDt"]),
            province: birth.text_at(&["PrvcOfBirth"]),
            city: birth.text_at(&["CityOfBirth"]),
            country: birth.text_at(&["CtryOfBirth"]),
        });
        return Some(PartyIdentification::Private { birth, others: others(person) });
    }
    let organisation = element.child("OrgId")?;
    Some(PartyIdentification::Organisation {
        any_bic: organisation.text_at(&["AnyBIC"]),
        lei: organisation.text_at(&["LEI"]),
        others: others(organisation),
    })
}

fn others(element: &Element) -> Vec<OtherId> {
    element.children_named("Othr").map(other_id).collect()
}

fn other_id(element: &Element) -> OtherId {
    OtherId {
        id: element.text_at(&["Id"]),
        scheme: code(element.child("SchmeNm")),
        issuer: element.text_at(&["Issr"]),
    }
}

fn postal_address(element: &Element) -> PostalAddress {
    let text = |name| element.text_at(&[name]);
    PostalAddress {
        street_name: text("StrtNm"),
        building_number: text("BldgNb"),
        post_code: text("PstCd"),
        town_name: text("TwnNm"),
        country_sub_division: text("CtrySubDvsn"),
        country: text("Ctry"),
        address_lines: texts(element, "AdrLine"),
    }
}

fn account(element: &Element) -> Account {
    let iban = element.text_at(&["Id", "IBAN"]).map(AccountIdentification::Iban);
    let other = || element.at(&["Id", "Othr"]).map(other_id).map(AccountIdentification::Other);
    Account {
        identification: iban.or_else(other),
        currency: element.text_at(&["Ccy"]),
        name: element.text_at(&["Nm"]),
        proxy: element.text_at(&["Prxy", "Id"]),
    }
}

fn instructions(transfer: &Element, name: &str) -> Vec<Instruction> {
    transfer
        .children_named(name)
        .map(|element| Instruction {
            code: element.text_at(&["Cd"]),
            information: element.text_at(&["InstrInf"]),
        })
        .collect()
}

fn regulatory_reporting(details: &Element) -> RegulatoryReporting {
    RegulatoryReporting {
        kind: details.text_at(&["Tp"]),
        country: details.text_at(&["Ctry"]),
        code: details.text_at(&["Cd"]),
        information: texts(details, "Inf"),
    }
}

fn texts(element: &Element, name: &str) -> Vec<String> {
    element
        .children_named(name)
        .map(|child| child.text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .collect()
}

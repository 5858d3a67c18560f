//! Takes a pacs.008 from its elements, whatever their order; it must never fail or check.

use super::{
    Account, AccountIdentification, Agent, Birth, Charge, CodeOrProprietary, CreditTransfer,
    GroupHeader, Instruction, OtherId, Pacs008, Party, PartyIdentification, PaymentType,
    PostalAddress, RegulatoryReporting,
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

pub(crate) fn group_header(header: &Element) -> GroupHeader {
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

pub(crate) fn credit_transfer(transfer: &Element) -> CreditTransfer {
    let text = |path: &[&str]| transfer.text_at(path);
    let intermediaries = ["IntrmyAgt1", "IntrmyAgt2", "IntrmyAgt3"];
    CreditTransfer {
        instruction_id: text(&["PmtId", "InstrId"]),
        end_to_end_id: text(&["PmtId", "EndToEndId"]),
        transaction_id: text(&["PmtId", "TxId"]),
        uetr: text(&["PmtId", "UETR"]),
        clearing_system_reference: text(&["PmtId", "ClrSysRef"]),
        payment_type: transfer.child("PmtTpInf").map(payment_type).unwrap_or_default(),
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
        initiating_party: transfer.child("InitgPty").map(party),
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
            .flat_map(regulatory_reporting)
            .collect(),
        tax: transfer.child("Tax").map(Element::bare),
        related_remittance_information: transfer
            .children_named("RltdRmtInf")
            .map(Element::bare)
            .collect(),
        remittance_information: transfer
            .child("RmtInf")
            .map(|information| texts(information, "Ustrd"))
            .unwrap_or_default(),
        structured_remittance_information: transfer
            .child("RmtInf")
            .map(|information| information.children_named("Strd").map(Element::bare).collect())
            .unwrap_or_default(),
    }
}

pub(crate) fn payment_type(element: &Element) -> PaymentType {
    PaymentType {
        instruction_priority: element.text_at(&["InstrPrty"]),
        clearing_channel: element.text_at(&["ClrChanl"]),
        service_levels: element
            .children_named("SvcLvl")
            .filter_map(|level| code(Some(level)))
            .collect(),
        local_instrument: code(element.child("LclInstrm")),
        category_purpose: code(element.child("CtgyPurp")),
    }
}

pub(crate) fn code(choice: Option<&Element>) -> Option<CodeOrProprietary> {
    let choice = choice?;
    let proprietary = || choice.text_at(&["Prtry"]).map(CodeOrProprietary::Proprietary);
    choice.text_at(&["Cd"]).map(CodeOrProprietary::Code).or_else(proprietary)
}

pub(crate) fn amount(parent: &Element, name: &str) -> Option<Amount> {
    let element = parent.child(name)?;
    Some(Amount {
        currency: element.attribute("Ccy").unwrap_or_default().to_owned(),
        value: element.text.trim().to_owned(),
    })
}

pub(crate) fn charge(element: &Element) -> Charge {
    Charge {
        amount: amount(element, "Amt"),
        agent: element.child("Agt").map(agent).unwrap_or_default(),
    }
}

pub(crate) fn agent(element: &Element) -> Agent {
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

pub(crate) fn party(element: &Element) -> Party {
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
        // Before version .08 the code stood in AdrTp itself.
        address_type: element.text_at(&["AdrTp", "Cd"]).or_else(|| text("AdrTp")),
        department: text("Dept"),
        sub_department: text("SubDept"),
        street_name: text("StrtNm"),
        building_number: text("BldgNb"),
        building_name: text("BldgNm"),
        floor: text("Flr"),
        post_box: text("PstBx"),
        room: text("Room"),
        post_code: text("PstCd"),
        town_name: text("TwnNm"),
        town_location_name: text("TwnLctnNm"),
        district_name: text("DstrctNm"),
        country_sub_division: text("CtrySubDvsn"),
        country: text("Ctry"),
        address_lines: texts(element, "AdrLine"),
    }
}

pub(crate) fn account(element: &Element) -> Account {
    let iban = element.text_at(&["Id", "IBAN"]).map(AccountIdentification::Iban);
    let other = || element.at(&["Id", "Othr"]).map(other_id).map(AccountIdentification::Other);
    Account {
        identification: iban.or_else(other),
        kind: code(element.child("Tp")),
        currency: element.text_at(&["Ccy"]),
        name: element.text_at(&["Nm"]),
        proxy_type: code(element.at(&["Prxy", "Tp"])),
        proxy: element.text_at(&["Prxy", "Id"]),
    }
}

pub(crate) fn instructions(transfer: &Element, name: &str) -> Vec<Instruction> {
    transfer
        .children_named(name)
        .map(|element| Instruction {
            code: element.text_at(&["Cd"]),
            information: element.text_at(&["InstrInf"]),
        })
        .collect()
}

/// One row a detail; a report without any is a row of its own.
fn regulatory_reporting(report: &Element) -> Vec<RegulatoryReporting> {
    let above = RegulatoryReporting {
        indicator: report.text_at(&["DbtCdtRptgInd"]),
        authority_name: report.text_at(&["Authrty", "Nm"]),
        authority_country: report.text_at(&["Authrty", "Ctry"]),
        ..RegulatoryReporting::default()
    };
    let rows: Vec<RegulatoryReporting> = report
        .children_named("Dtls")
        .map(|details| RegulatoryReporting {
            kind: details.text_at(&["Tp"]),
            date: details.text_at(&["Dt"]),
            country: details.text_at(&["Ctry"]),
            code: details.text_at(&["Cd"]),
            amount: amount(details, "Amt"),
            information: texts(details, "Inf"),
            ..above.clone()
        })
        .collect();
    if rows.is_empty() { vec![above] } else { rows }
}

pub(crate) fn texts(element: &Element, name: &str) -> Vec<String> {
    element
        .children_named(name)
        .map(|child| child.text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .collect()
}

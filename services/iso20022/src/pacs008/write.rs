//! Writes a pacs.008.001.08 in the XSD's order, with its header if there is one; it must never hand
//! out a message that the shape refuses.

use super::{
    Account, AccountIdentification, Agent, Charge, CodeOrProprietary, CreditTransfer, GroupHeader,
    Instruction, OtherId, Pacs008, Party, PartyIdentification, PaymentType, PostalAddress,
    RegulatoryReporting,
};
use crate::{
    amount::Amount,
    head::AppHdr,
    inbound::PACS_008,
    write::{self, Error, Writer},
};

impl Pacs008 {
    /// The XML; with a header both stand in an `Envelope`.
    pub fn write(&self, header: Option<&AppHdr>) -> Result<String, Error> {
        write::document(PACS_008, header, |out| {
            out.open("FIToFICstmrCdtTrf");
            group_header(out, &self.group_header, self.credit_transfers.len());
            for transfer in &self.credit_transfers {
                credit_transfer(out, transfer);
            }
            out.close();
        })
    }
}

pub(crate) fn group_header(out: &mut Writer, header: &GroupHeader, transfers: usize) {
    out.open("GrpHdr");
    out.leaf_if("MsgId", header.message_id.as_deref());
    out.leaf_if("CreDtTm", header.created_at.as_deref());
    let number = header.number_of_transactions.clone();
    out.leaf("NbOfTxs", &number.unwrap_or_else(|| transfers.to_string()));
    out.leaf_if("IntrBkSttlmDt", header.interbank_settlement_date.as_deref());
    out.open("SttlmInf");
    out.leaf_if("SttlmMtd", header.settlement_method.as_deref());
    code(out, "ClrSys", header.clearing_system.as_ref());
    out.close();
    agent(out, "InstgAgt", header.instructing_agent.as_ref());
    agent(out, "InstdAgt", header.instructed_agent.as_ref());
    out.close();
}

fn credit_transfer(out: &mut Writer, transfer: &CreditTransfer) {
    out.open("CdtTrfTxInf");
    out.open("PmtId");
    out.leaf_if("InstrId", transfer.instruction_id.as_deref());
    out.leaf_if("EndToEndId", transfer.end_to_end_id.as_deref());
    out.leaf_if("TxId", transfer.transaction_id.as_deref());
    out.leaf_if("UETR", transfer.uetr.as_deref());
    out.leaf_if("ClrSysRef", transfer.clearing_system_reference.as_deref());
    out.close();
    out.group("PmtTpInf", |out| payment_type(out, &transfer.payment_type));
    amount(out, "IntrBkSttlmAmt", transfer.interbank_settlement_amount.as_ref());
    out.leaf_if("IntrBkSttlmDt", transfer.interbank_settlement_date.as_deref());
    amount(out, "InstdAmt", transfer.instructed_amount.as_ref());
    out.leaf_if("XchgRate", transfer.exchange_rate.as_deref());
    out.leaf_if("ChrgBr", transfer.charge_bearer.as_deref());
    charges(out, &transfer.charges);
    agent(out, "InstgAgt", transfer.instructing_agent.as_ref());
    agent(out, "InstdAgt", transfer.instructed_agent.as_ref());
    for (name, intermediary) in
        ["IntrmyAgt1", "IntrmyAgt2", "IntrmyAgt3"].into_iter().zip(&transfer.intermediary_agents)
    {
        agent(out, name, Some(intermediary));
    }
    parties(out, transfer);
    instructions(out, "InstrForCdtrAgt", &transfer.instructions_for_creditor_agent);
    instructions(out, "InstrForNxtAgt", &transfer.instructions_for_next_agent);
    code(out, "Purp", transfer.purpose.as_ref());
    regulatory_reportings(out, &transfer.regulatory_reporting);
    transfer.tax.iter().for_each(|tax| out.element(tax));
    transfer.related_remittance_information.iter().for_each(|related| out.element(related));
    out.group("RmtInf", |out| {
        transfer.remittance_information.iter().for_each(|text| out.leaf("Ustrd", text));
        transfer.structured_remittance_information.iter().for_each(|strd| out.element(strd));
    });
    out.close();
}

pub(crate) fn charges(out: &mut Writer, charges: &[Charge]) {
    for charge in charges {
        out.open("ChrgsInf");
        amount(out, "Amt", charge.amount.as_ref());
        agent(out, "Agt", Some(&charge.agent));
        out.close();
    }
}

fn payment_type(out: &mut Writer, payment_type: &PaymentType) {
    out.leaf_if("InstrPrty", payment_type.instruction_priority.as_deref());
    out.leaf_if("ClrChanl", payment_type.clearing_channel.as_deref());
    payment_type.service_levels.iter().for_each(|level| code(out, "SvcLvl", Some(level)));
    code(out, "LclInstrm", payment_type.local_instrument.as_ref());
    code(out, "CtgyPurp", payment_type.category_purpose.as_ref());
}

fn parties(out: &mut Writer, transfer: &CreditTransfer) {
    party(out, "UltmtDbtr", transfer.ultimate_debtor.as_ref());
    party(out, "InitgPty", transfer.initiating_party.as_ref());
    party(out, "Dbtr", transfer.debtor.as_ref());
    account(out, "DbtrAcct", transfer.debtor_account.as_ref());
    agent(out, "DbtrAgt", transfer.debtor_agent.as_ref());
    agent(out, "CdtrAgt", transfer.creditor_agent.as_ref());
    party(out, "Cdtr", transfer.creditor.as_ref());
    account(out, "CdtrAcct", transfer.creditor_account.as_ref());
    party(out, "UltmtCdtr", transfer.ultimate_creditor.as_ref());
}

pub(crate) fn code(out: &mut Writer, name: &'static str, choice: Option<&CodeOrProprietary>) {
    let Some(choice) = choice else { return };
    out.open(name);
    match choice {
        CodeOrProprietary::Code(text) => out.leaf("Cd", text),
        CodeOrProprietary::Proprietary(text) => out.leaf("Prtry", text),
    }
    out.close();
}

pub(crate) fn amount(out: &mut Writer, name: &'static str, amount: Option<&Amount>) {
    if let Some(amount) = amount {
        out.amount(name, &amount.currency, &amount.value);
    }
}

pub(crate) fn agent(out: &mut Writer, name: &'static str, agent: Option<&Agent>) {
    let Some(agent) = agent else { return };
    out.open(name);
    out.open("FinInstnId");
    out.leaf_if("BICFI", agent.bic.as_deref());
    out.group("ClrSysMmbId", |out| {
        code(out, "ClrSysId", agent.clearing_system_id.as_ref());
        out.leaf_if("MmbId", agent.clearing_system_member_id.as_deref());
    });
    out.leaf_if("LEI", agent.lei.as_deref());
    out.leaf_if("Nm", agent.name.as_deref());
    postal_address(out, agent.postal_address.as_ref());
    out.close();
    out.close();
}

pub(crate) fn party(out: &mut Writer, name: &'static str, party: Option<&Party>) {
    let Some(party) = party else { return };
    out.open(name);
    out.leaf_if("Nm", party.name.as_deref());
    postal_address(out, party.postal_address.as_ref());
    if let Some(identification) = &party.identification {
        out.open("Id");
        party_identification(out, identification);
        out.close();
    }
    out.leaf_if("CtryOfRes", party.country_of_residence.as_deref());
    out.group("CtctDtls", |out| out.leaf_if("MobNb", party.mobile_number.as_deref()));
    out.close();
}

pub(crate) fn party_identification(out: &mut Writer, identification: &PartyIdentification) {
    match identification {
        PartyIdentification::Organisation { any_bic, lei, others } => {
            out.open("OrgId");
            out.leaf_if("AnyBIC", any_bic.as_deref());
            out.leaf_if("LEI", lei.as_deref());
            others.iter().for_each(|id| other_id(out, id));
        }
        PartyIdentification::Private { birth, others } => {
            out.open("PrvtId");
            if let Some(birth) = birth {
                out.open("DtAndPlcOfBirth");
                out.leaf_if("BirthDt", birth.date.as_deref());
                out.leaf_if("PrvcOfBirth", birth.province.as_deref());
                out.leaf_if("CityOfBirth", birth.city.as_deref());
                out.leaf_if("CtryOfBirth", birth.country.as_deref());
                out.close();
            }
            others.iter().for_each(|id| other_id(out, id));
        }
    }
    out.close();
}

fn other_id(out: &mut Writer, other: &OtherId) {
    out.open("Othr");
    out.leaf_if("Id", other.id.as_deref());
    code(out, "SchmeNm", other.scheme.as_ref());
    out.leaf_if("Issr", other.issuer.as_deref());
    out.close();
}

pub(crate) fn postal_address(out: &mut Writer, address: Option<&PostalAddress>) {
    let Some(address) = address else { return };
    out.open("PstlAdr");
    out.group("AdrTp", |out| out.leaf_if("Cd", address.address_type.as_deref()));
    out.leaf_if("Dept", address.department.as_deref());
    out.leaf_if("SubDept", address.sub_department.as_deref());
    out.leaf_if("StrtNm", address.street_name.as_deref());
    out.leaf_if("BldgNb", address.building_number.as_deref());
    out.leaf_if("BldgNm", address.building_name.as_deref());
    out.leaf_if("Flr", address.floor.as_deref());
    out.leaf_if("PstBx", address.post_box.as_deref());
    out.leaf_if("Room", address.room.as_deref());
    out.leaf_if("PstCd", address.post_code.as_deref());
    out.leaf_if("TwnNm", address.town_name.as_deref());
    out.leaf_if("TwnLctnNm", address.town_location_name.as_deref());
    out.leaf_if("DstrctNm", address.district_name.as_deref());
    out.leaf_if("CtrySubDvsn", address.country_sub_division.as_deref());
    out.leaf_if("Ctry", address.country.as_deref());
    for line in &address.address_lines {
        out.leaf("AdrLine", line);
    }
    out.close();
}

pub(crate) fn account(out: &mut Writer, name: &'static str, account: Option<&Account>) {
    let Some(account) = account else { return };
    out.open(name);
    account_content(out, account);
    out.close();
}

/// What every version of a cash account begins with.
pub(crate) fn account_content(out: &mut Writer, account: &Account) {
    out.open("Id");
    match &account.identification {
        Some(AccountIdentification::Iban(iban)) => out.leaf("IBAN", iban),
        Some(AccountIdentification::Other(other)) => other_id(out, other),
        None => {}
    }
    out.close();
    code(out, "Tp", account.kind.as_ref());
    out.leaf_if("Ccy", account.currency.as_deref());
    out.leaf_if("Nm", account.name.as_deref());
    out.group("Prxy", |out| {
        code(out, "Tp", account.proxy_type.as_ref());
        out.leaf_if("Id", account.proxy.as_deref());
    });
}

fn instructions(out: &mut Writer, name: &'static str, instructions: &[Instruction]) {
    for instruction in instructions {
        out.open(name);
        out.leaf_if("Cd", instruction.code.as_deref());
        out.leaf_if("InstrInf", instruction.information.as_deref());
        out.close();
    }
}

/// Rows that say the same of the authority share one element, of which there may be only ten.
fn regulatory_reportings(out: &mut Writer, rows: &[RegulatoryReporting]) {
    let same = |one: &RegulatoryReporting, next: &RegulatoryReporting| {
        one.indicator == next.indicator
            && one.authority_name == next.authority_name
            && one.authority_country == next.authority_country
    };
    for rows in rows.chunk_by(same) {
        out.open("RgltryRptg");
        if let Some(first) = rows.first() {
            out.leaf_if("DbtCdtRptgInd", first.indicator.as_deref());
            out.group("Authrty", |out| {
                out.leaf_if("Nm", first.authority_name.as_deref());
                out.leaf_if("Ctry", first.authority_country.as_deref());
            });
        }
        rows.iter().for_each(|row| out.group("Dtls", |out| details(out, row)));
        out.close();
    }
}

fn details(out: &mut Writer, row: &RegulatoryReporting) {
    out.leaf_if("Tp", row.kind.as_deref());
    out.leaf_if("Dt", row.date.as_deref());
    out.leaf_if("Ctry", row.country.as_deref());
    out.leaf_if("Cd", row.code.as_deref());
    amount(out, "Amt", row.amount.as_ref());
    row.information.iter().for_each(|text| out.leaf("Inf", text));
}

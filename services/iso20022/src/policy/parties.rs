//! Rules on who is named and how: agents and parties.

use ledger_types::Bic;

use super::{Context, Found};
use crate::xml::Element;

const PARTIES: &[&str] = &[
    "UltmtDbtr",
    "InitgPty",
    "Dbtr",
    "Cdtr",
    "UltmtCdtr",
    "Orgtr",
    "Invcr",
    "Invcee",
    "Grnshee",
    "GrnshmtAdmstr",
];

pub(super) fn check(context: &Context<'_>, found: &mut Found) {
    for (at, element) in context.named(&["BICFI", "AnyBIC"]) {
        let text = element.text.trim();
        if !text.is_empty() && text.parse::<Bic>().is_err() {
            found.add("bic_format", context.path(at));
        }
    }
    if context.statement() {
        return;
    }
    for (at, agent) in context.named(&["FinInstnId"]) {
        institution(context, at, agent, found);
    }
    for (at, element) in context.named(PARTIES) {
        // Some messages choose between a party and an agent here.
        let party = element.child("Pty").unwrap_or(element);
        if element.child("Agt").is_none() {
            self::party(context, at, party, found);
        }
    }
}

fn institution(context: &Context<'_>, at: usize, agent: &Element, found: &mut Found) {
    let has = |name| agent.child(name).is_some();
    if has("Nm") != has("PstlAdr") {
        found.add("agent_name_address", context.path(at));
    }
    let named = has("Nm") && has("PstlAdr");
    let numbered = has("ClrSysMmbId") || has("LEI") || has("Othr");
    if !(has("BICFI") || numbered || named) {
        found.add("agent_identification", context.path(at));
    }
}

fn party(context: &Context<'_>, at: usize, party: &Element, found: &mut Found) {
    let has = |name| party.child(name).is_some();
    let any_bic = party.at(&["Id", "OrgId", "AnyBIC"]).is_some();
    if has("PstlAdr") && !has("Nm") {
        found.add("party_name_address", context.path(at));
    }
    let end = payment_end(context, at);
    if end && !any_bic && !has("Nm") {
        found.add("party_name", context.path(at));
    }
    if end && any_bic && (has("Nm") || has("PstlAdr")) {
        found.add("any_bic_alone", context.path(at));
    }
}

/// Whether a place is the debtor or creditor of a payment, not of its tax or remittance.
fn payment_end(context: &Context<'_>, at: usize) -> bool {
    let own = context.nodes.get(at).map(|node| node.element.name.as_str());
    let above = context.parent(at).map(|(_, parent)| parent.name.as_str());
    // In a pacs.009 debtor and creditor are institutions; its underlying payment has people.
    let people = match context.message {
        "pacs.008" => above == Some("CdtTrfTxInf"),
        "pacs.004" => above == Some("RtrChain"),
        "pacs.009" => above == Some("UndrlygCstmrCdtTrf"),
        _ => false,
    };
    people && matches!(own, Some("Dbtr" | "Cdtr"))
}

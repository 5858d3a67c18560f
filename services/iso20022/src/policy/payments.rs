//! Rules on identifiers, amounts, charges, settlement and remittance of a payment.

use std::collections::BTreeSet;

use super::{Context, Found};
use crate::{amount::Decimal, xml::Element};

const REMITTANCE_CHARS_MAX: usize = 9_000;

pub(super) fn check(context: &Context<'_>, found: &mut Found) {
    identifiers(context, found);
    amounts(context, found);
    settlement(context, found);
    if matches!(context.message, "pacs.008" | "pacs.009" | "pacs.004") {
        let stated = context.root.text_at(&["GrpHdr", "NbOfTxs"]);
        if stated.as_deref() != Some("1") {
            found.add("one_transaction", format!("{}/GrpHdr/NbOfTxs", context.root.name));
        }
    }
    for (at, transaction) in context.transactions() {
        charges(context, at, transaction, found);
        instructions(context, at, transaction, found);
        remittance(context, at, transaction, found);
        if context.message == "pacs.004" {
            returned(context, at, transaction, found);
        }
    }
}

fn identifiers(context: &Context<'_>, found: &mut Found) {
    for (at, element) in context.named(&["InstrId", "OrgnlInstrId"]) {
        let text = element.text.trim();
        if text.starts_with('/') || text.ends_with('/') || text.contains("//") {
            found.add("instruction_id_slash", context.path(at));
        }
    }
    for (at, transaction) in context.transactions() {
        let (path, name) = match context.message {
            "pacs.008" | "pacs.009" => (vec!["PmtId", "UETR"], "PmtId/UETR"),
            "pacs.002" | "pacs.004" | "pacs.028" | "camt.056" => (vec!["OrgnlUETR"], "OrgnlUETR"),
            _ => continue,
        };
        if transaction.text_at(&path).is_none() {
            found.add("uetr_mandatory", format!("{}/{name}", context.path(at)));
        }
    }
}

fn amounts(context: &Context<'_>, found: &mut Found) {
    let settled = ["IntrBkSttlmAmt", "OrgnlIntrBkSttlmAmt", "RtrdIntrBkSttlmAmt"];
    for (at, element) in context.named(&settled) {
        if matches!(element.attribute("Ccy"), Some("XAU" | "XAG" | "XPD" | "XPT")) {
            found.add("commodity_currency", format!("{}/@Ccy", context.path(at)));
        }
    }
}

fn settlement(context: &Context<'_>, found: &mut Found) {
    for (at, element) in context.named(&["SttlmInf"]) {
        let method = element.text_at(&["SttlmMtd"]);
        let agents = ["InstgRmbrsmntAgt", "InstdRmbrsmntAgt", "ThrdRmbrsmntAgt"];
        let named = agents.iter().any(|name| element.child(name).is_some());
        let path = || format!("{}/SttlmMtd", context.path(at));
        match method.as_deref() {
            Some("COVE") if !named && context.message == "pacs.008" => {
                found.add("settlement_cover_agents", path())
            }
            Some("COVE") | None => {}
            Some(method) => {
                if method == "CLRG" {
                    found.add("settlement_clearing", path());
                }
                if named {
                    found.add("settlement_agents", path());
                }
            }
        }
    }
}

fn charges(context: &Context<'_>, at: usize, transaction: &Element, found: &mut Found) {
    if !matches!(context.message, "pacs.008" | "pacs.004") {
        return;
    }
    let path = |name: &str| format!("{}/{name}", context.path(at));
    let declared = transaction.children_named("ChrgsInf").count();
    let bearer = transaction.text_at(&["ChrgBr"]);
    match bearer.as_deref() {
        Some("SLEV") => found.add("charge_bearer", path("ChrgBr")),
        Some("DEBT") if declared > 1 => found.add("charges_debt", path("ChrgsInf")),
        Some("CRED") if declared == 0 => found.add("charges_cred", path("ChrgsInf")),
        Some(_) | None => {}
    }
    let differ = differ(transaction, "InstdAmt", "IntrBkSttlmAmt");
    if context.message == "pacs.008" && differ.is_some() && declared == 0 {
        found.add("charges_undeclared", path("ChrgsInf"));
    }
}

/// How two amounts of one currency compare, unless they are equal.
fn differ(parent: &Element, one: &str, other: &str) -> Option<std::cmp::Ordering> {
    let (one, other) = (parent.child(one)?, parent.child(other)?);
    if one.attribute("Ccy") != other.attribute("Ccy") {
        return None;
    }
    let value = |element: &Element| {
        let decimal: Decimal = element.text.parse().ok()?;
        let zeros = 5_u8.checked_sub(decimal.scale)?;
        u128::from(decimal.digits).checked_mul(10_u128.checked_pow(u32::from(zeros))?)
    };
    let order = value(one)?.cmp(&value(other)?);
    (order != std::cmp::Ordering::Equal).then_some(order)
}

fn instructions(context: &Context<'_>, at: usize, transaction: &Element, found: &mut Found) {
    let (mut codes, mut twice) = (BTreeSet::new(), false);
    for instruction in transaction.children_named("InstrForCdtrAgt") {
        if let Some(code) = instruction.text_at(&["Cd"]) {
            twice |= !codes.insert(code);
        }
    }
    let has = |code: &str| codes.contains(code);
    if twice || has("TELB") && has("PHOB") || has("HOLD") && has("CHQB") {
        found.add("instruction_codes", format!("{}/InstrForCdtrAgt/Cd", context.path(at)));
    }
    let levels = transaction.child("PmtTpInf").into_iter();
    let levels = levels.flat_map(|payment_type| payment_type.children_named("SvcLvl"));
    let mut levels = levels.filter_map(|level| level.text_at(&["Cd"]));
    let tracked = |level: String| {
        matches!(level.as_str(), "G002" | "G003" | "G004" | "G005" | "G006" | "G007" | "G009")
    };
    if context.message == "pacs.008" && levels.any(tracked) {
        found.add("service_level", format!("{}/PmtTpInf/SvcLvl/Cd", context.path(at)));
    }
}

fn remittance(context: &Context<'_>, at: usize, transaction: &Element, found: &mut Found) {
    let path = |name: &str| format!("{}/{name}", context.path(at));
    let holders = [transaction.child("RmtInf"), transaction.at(&["OrgnlTxRef", "RmtInf"])];
    for information in holders.into_iter().flatten() {
        if information.child("Ustrd").is_some() && information.child("Strd").is_some() {
            found.add("remittance_either", path("RmtInf"));
        }
        let said = information.children_named("Strd").map(characters).sum::<usize>();
        if said > REMITTANCE_CHARS_MAX {
            found.add("structured_remittance_length", path("RmtInf/Strd"));
        }
    }
    let related = transaction.child("RltdRmtInf").is_some();
    if context.message == "pacs.008" && related && transaction.child("RmtInf").is_some() {
        found.add("related_remittance_either", path("RltdRmtInf"));
    }
}

fn characters(element: &Element) -> usize {
    let own = element.text.trim().chars().count();
    own + element.children.iter().map(characters).sum::<usize>()
}

fn returned(context: &Context<'_>, at: usize, transaction: &Element, found: &mut Found) {
    let path = |name: &str| format!("{}/{name}", context.path(at));
    let part = differ(transaction, "RtrdIntrBkSttlmAmt", "OrgnlIntrBkSttlmAmt");
    if part == Some(std::cmp::Ordering::Less) {
        let reasons = transaction.children_named("RtrRsnInf");
        let (mut said, mut reason) = (false, false);
        for information in reasons {
            let mut lines = information.children_named("AddtlInf");
            said |= lines.any(|line| line.text.trim() == "PART");
            reason |= information.child("Rsn").is_some();
        }
        if !(said && reason) {
            found.add("partial_return", path("RtrdIntrBkSttlmAmt"));
        }
    }
    let declared = transaction.child("ChrgsInf").is_some();
    if differ(transaction, "RtrdInstdAmt", "RtrdIntrBkSttlmAmt").is_some() && !declared {
        found.add("returned_charges", path("ChrgsInf"));
    }
    for (own, referred) in
        [("OrgnlIntrBkSttlmAmt", "IntrBkSttlmAmt"), ("OrgnlIntrBkSttlmDt", "IntrBkSttlmDt")]
    {
        let twice = transaction.child(own).is_some();
        if twice && transaction.at(&["OrgnlTxRef", referred]).is_some() {
            found.add("original_settlement_once", path(own));
        }
    }
}

//! Rules on status reports, notifications and batches, and on characters anywhere.

use super::{Context, Found};

pub(super) fn check(context: &Context<'_>, found: &mut Found) {
    match context.message {
        "pacs.002" => rejections(context, found),
        "camt.052" | "camt.053" | "camt.054" => entries(context, found),
        "pain.001" => payments(context, found),
        _ => {}
    }
    if matches!(context.message, "pacs.002" | "pacs.004") {
        original_names(context, found);
    }
    for (at, node) in context.nodes.iter().enumerate() {
        let element = node.element;
        let printable = |character: char| matches!(character, ' '..='~' | '\r' | '\n' | '\t');
        if element.children.is_empty() && !element.text.chars().all(printable) {
            found.add("character_set", context.path(at));
        }
    }
}

fn rejections(context: &Context<'_>, found: &mut Found) {
    for (at, transaction) in context.named(&["TxInfAndSts"]) {
        if transaction.text_at(&["TxSts"]).as_deref() != Some("RJCT") {
            continue;
        }
        let mut reasons = transaction.children_named("StsRsnInf");
        if !reasons.any(|information| information.child("Rsn").is_some()) {
            found.add("rejection_reason", format!("{}/StsRsnInf/Rsn", context.path(at)));
        }
        if transaction.child("FctvIntrBkSttlmDt").is_some() {
            let path = format!("{}/FctvIntrBkSttlmDt", context.path(at));
            found.add("rejection_settlement_date", path);
        }
    }
}

fn original_names(context: &Context<'_>, found: &mut Found) {
    const ANSWERED: &[&str] = &["pacs.008", "pacs.009", "pacs.004", "pacs.003", "pacs.010"];
    const RETURNED: &[&str] = &["pacs.002", "pacs.008", "pacs.009", "camt.053", "camt.054"];
    let allowed = if context.message == "pacs.002" { ANSWERED } else { RETURNED };
    for (at, element) in context.named(&["OrgnlMsgNmId"]) {
        let name = element.text.trim();
        let older = context.message == "pacs.004" && name.starts_with("MT");
        let family = name.get(..8).filter(|_| name.len() == 15).unwrap_or_default();
        if !older && !allowed.contains(&family) {
            found.add("original_message_name", context.path(at));
        }
    }
}

fn entries(context: &Context<'_>, found: &mut Found) {
    for (at, element) in context.named(&["PgNb"]) {
        if element.text.trim().bytes().all(|byte| byte == b'0') {
            found.add("page_number", context.path(at));
        }
    }
    if context.message != "camt.054" {
        return;
    }
    for (at, entry) in context.named(&["Ntry"]) {
        let dated = entry.child("BookgDt").is_some() || entry.child("ValDt").is_some();
        if entry.text_at(&["Sts", "Cd"]).as_deref() == Some("BOOK") && !dated {
            found.add("booked_date", context.path(at));
        }
    }
}

fn payments(context: &Context<'_>, found: &mut Found) {
    let message_id = context.root.text_at(&["GrpHdr", "MsgId"]);
    for (at, payment) in context.named(&["PmtInf"]) {
        if payment.text_at(&["PmtInfId"]) != message_id {
            found.add("payment_information_id", format!("{}/PmtInfId", context.path(at)));
        }
    }
}

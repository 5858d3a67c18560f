//! Rules between the application header and the message that it carries.

use super::{Context, Found};
use crate::xml::Element;

pub(super) fn check(context: &Context<'_>, found: &mut Found) {
    if let Some(header) = context.header {
        identifiers(context, header, found);
        agents(context, header, found);
        priority(context, header, found);
        service(header, found);
        if header.child("CreDt").is_some_and(|created| !offset(&created.text)) {
            found.add("date_time_offset", "AppHdr/CreDt");
        }
    }
    for (at, element) in context.named(&["CreDtTm"]) {
        if !offset(&element.text) {
            found.add("date_time_offset", context.path(at));
        }
    }
}

fn identifiers(context: &Context<'_>, header: &Element, found: &mut Found) {
    let stated = header.text_at(&["MsgDefIdr"]);
    if stated.is_some_and(|stated| stated != context.name) {
        found.add("message_definition_id", "AppHdr/MsgDefIdr");
    }
    let own = context.root.text_at(&["GrpHdr", "MsgId"]);
    let own = own.or_else(|| context.root.text_at(&["Assgnmt", "Id"]));
    let carried = header.text_at(&["BizMsgIdr"]);
    if own.zip(carried).is_some_and(|(own, carried)| own != carried) {
        found.add("business_message_id", "AppHdr/BizMsgIdr");
    }
}

fn agents(context: &Context<'_>, header: &Element, found: &mut Found) {
    let copy = header.text_at(&["CpyDplct"]);
    let copied = matches!(copy.as_deref(), Some("COPY" | "CODU"));
    let ends = [
        ("Fr", "InstgAgt", "from_instructing_agent", false),
        ("To", "InstdAgt", "to_instructed_agent", copied),
    ];
    for (end, agent, rule, excepted) in ends {
        let stated = header.text_at(&[end, "FIId", "FinInstnId", "BICFI"]);
        let Some(stated) = stated.filter(|_| !excepted) else { continue };
        let direct = |at| {
            let parent = context.parent(at).map(|(_, parent)| parent.name.as_str());
            matches!(parent, Some("GrpHdr" | "CdtTrfTxInf" | "TxInf" | "TxInfAndSts"))
        };
        let other = context
            .named(&[agent])
            .filter(|(at, _)| direct(*at))
            .filter_map(|(_, element)| element.text_at(&["FinInstnId", "BICFI"]))
            .any(|bic| head_office(&bic) != head_office(&stated));
        if other {
            found.add(rule, format!("AppHdr/{end}/FIId/FinInstnId/BICFI"));
        }
    }
}

/// A BIC of eleven characters that ends in XXX is the one of eight (ISO 9362).
fn head_office(bic: &str) -> &str {
    bic.strip_suffix("XXX").filter(|rest| rest.len() == 8).unwrap_or(bic)
}

fn priority(context: &Context<'_>, header: &Element, found: &mut Found) {
    let Some(stated) = header.text_at(&["Prty"]) else { return };
    let differs = context.named(&["InstrPrty"]).any(|(_, element)| element.text.trim() != stated);
    if differs {
        found.add("priority", "AppHdr/Prty");
    }
}

fn service(header: &Element, found: &mut Found) {
    let service = header.text_at(&["BizSvc"]).unwrap_or_default();
    if service.starts_with("swift.cbprplus") && !service.ends_with(".03") {
        found.add("business_service", "AppHdr/BizSvc");
    }
}

/// Whether a date and time says its distance from UTC.
fn offset(text: &str) -> bool {
    let Some((_, clock)) = text.trim().split_once('T') else { return true };
    clock.ends_with('Z') || clock.contains(['+', '-'])
}

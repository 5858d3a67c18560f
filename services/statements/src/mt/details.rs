//! Field 86: what servicers write there in the three ways that are common, into the references and
//! parties of an entry's one detail. It must never fail: what it does not know stays text.

use ledger_types::Uetr;
use services_iso20022::statement::{CreditDebit, Detail, Entry};

/// Reads the field into the entry that it follows.
pub(super) fn read(entry: &mut Entry, text: &str) {
    let side = entry.credit_debit;
    let Some(detail) = entry.details.first_mut() else { return };
    if let Some(subfields) = german(text) {
        numbered(detail, side, &subfields);
    } else if text.starts_with('/') && text.matches('/').count() >= 2 {
        slashed(detail, side, &text.replace('\n', ""));
    } else {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        detail.remittance_information = lines.map(str::to_owned).collect();
    }
    if detail.references.uetr.is_none() {
        detail.references.uetr = uetr(&text.replace('\n', ""));
    }
    entry.additional_information = Some(text.replace('\n', " ").trim().to_owned());
}

/// The way of German banks: a three-digit code, then `?00`, `?20` and so on.
fn german(text: &str) -> Option<Vec<(u32, String)>> {
    let text = text.replace('\n', "");
    let code = text.get(..3)?.bytes().all(|byte| byte.is_ascii_digit());
    let rest = text.get(3..).filter(|rest| code && rest.starts_with('?'))?;
    let subfield = |part: &str| Some((part.get(..2)?.parse().ok()?, part.get(2..)?.to_owned()));
    Some(rest.split('?').skip(1).filter_map(subfield).collect())
}

fn numbered(detail: &mut Detail, side: CreditDebit, subfields: &[(u32, String)]) {
    let joined = |wanted: &[std::ops::RangeInclusive<u32>]| {
        let own = subfields.iter().filter(|(number, _)| wanted.iter().any(|w| w.contains(number)));
        own.map(|(_, text)| text.as_str()).collect::<String>()
    };
    let purpose = joined(&[20..=29, 60..=63]);
    let tags = ["EREF+", "KREF+", "MREF+", "CRED+", "SVWZ+", "ABWA+", "ABWE+", "UETR+", "DEBT+"];
    let mut free = purpose.clone();
    for (tag, value) in tagged(&purpose, &tags) {
        free = free.replace(&format!("{tag}{value}"), "");
        match tag {
            "SVWZ+" => detail.remittance_information.push(value.trim().to_owned()),
            tag => take(detail, tag.trim_end_matches('+'), value),
        }
    }
    if !free.trim().is_empty() {
        detail.remittance_information.push(free.trim().to_owned());
    }
    let (agent, account, name) = (joined(&[30..=30]), joined(&[31..=31]), joined(&[32..=33]));
    other_party(detail, side, &name, &account, &agent);
}

/// Code words between slashes that servicers are known to use.
const TAGS: [&str; 30] = [
    "ACCT", "ADDR", "BENM", "BIC", "CHGS", "CNTP", "CSID", "CSREF", "EREF", "EXCH", "IBAN", "IREF",
    "ISDT", "KREF", "MARF", "MREF", "NAME", "OCMT", "ORDP", "PREF", "PURP", "REMI", "RTRN", "RTYP",
    "SVCL", "TREF", "TRTP", "TRXID", "UETR", "ULTC",
];

/// The way of Dutch and international banks: `/EREF/…/REMI/…`.
fn slashed(detail: &mut Detail, side: CreditDebit, text: &str) {
    let (mut name, mut account, mut agent) = (String::new(), String::new(), String::new());
    let parts: Vec<&str> = text.split('/').skip(1).collect();
    let mut at = 0;
    while let Some(tag) = parts.get(at) {
        let is_tag = |part: &str| TAGS.contains(&part);
        at += 1;
        if !is_tag(tag) {
            continue;
        }
        let rest = parts.get(at..).unwrap_or_default();
        let length = rest.iter().position(|part| is_tag(part)).unwrap_or(rest.len());
        let value = rest.get(..length).unwrap_or_default().join("/");
        at += length;
        match *tag {
            "NAME" => name = value,
            "IBAN" | "ACCT" => account = value,
            "BIC" => agent = value,
            // Account, BIC and name one after the other.
            "CNTP" => {
                let mut all = value.split('/').map(str::to_owned);
                account = all.next().unwrap_or_default();
                agent = all.next().unwrap_or_default();
                name = all.next().unwrap_or_default();
            }
            "REMI" => {
                let value = value.trim_matches('/').trim_start_matches("USTD//");
                detail.remittance_information.push(value.trim().to_owned());
            }
            tag => take(detail, tag, &value),
        }
    }
    other_party(detail, side, &name, &account, &agent);
}

/// References by their names.
fn take(detail: &mut Detail, tag: &str, value: &str) {
    let value = value.trim().trim_matches('/').to_owned();
    if value.is_empty() || value == "NONREF" || value == "NOTPROVIDED" {
        return;
    }
    let references = &mut detail.references;
    match tag {
        "EREF" => references.end_to_end_id = Some(value),
        "KREF" => references.message_id = Some(value),
        "PREF" => references.payment_information_id = Some(value),
        "IREF" => references.instruction_id = Some(value),
        "MREF" | "MARF" => references.mandate_id = Some(value),
        "TRXID" | "TREF" => references.transaction_id = Some(value),
        "UETR" => references.uetr = uetr(&value),
        "CSREF" => references.clearing_system_reference = Some(value),
        "RTRN" | "RTYP" => detail.return_reason = Some(value),
        "PURP" => detail.purpose = Some(value),
        "SVCL" | "TRTP" => {}
        other => references.proprietary.push((other.to_owned(), value)),
    }
}

/// Credits name their debtor, debits their creditor.
fn other_party(detail: &mut Detail, side: CreditDebit, name: &str, account: &str, agent: &str) {
    let some = |text: &str| {
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let parties = &mut detail.parties;
    match side {
        CreditDebit::Credit => {
            (parties.debtor, parties.debtor_account, parties.debtor_agent) =
                (some(name), some(account), some(agent));
        }
        CreditDebit::Debit => {
            (parties.creditor, parties.creditor_account, parties.creditor_agent) =
                (some(name), some(account), some(agent));
        }
    }
}

/// What stands behind each of these tags, in their order.
fn tagged<'a>(text: &'a str, tags: &[&'static str]) -> Vec<(&'static str, &'a str)> {
    let mut found: Vec<(usize, &'static str)> =
        tags.iter().filter_map(|tag| text.find(tag).map(|at| (at, *tag))).collect();
    found.sort_unstable();
    let ends = found.iter().skip(1).map(|(at, _)| *at).chain([text.len()]);
    let starts = found.iter().map(|(at, tag)| (at + tag.len(), *tag));
    starts
        .zip(ends)
        .map(|((from, tag), to)| (tag, text.get(from..to).unwrap_or_default()))
        .collect()
}

/// The first UUID of version 4 in a text.
fn uetr(text: &str) -> Option<String> {
    let mut starts = text.char_indices().filter(|(_, own)| own.is_ascii_hexdigit());
    starts.find_map(|(at, _)| {
        let word = text.get(at..at + 36)?;
        let plausible = word.as_bytes().get(8) == Some(&b'-');
        plausible.then(|| word.parse::<Uetr>().ok().map(|uetr| uetr.to_string())).flatten()
    })
}

//! The day as custodians write it: one camt.053.001.08 for each account. What they tell is the plan's.
use std::fmt::Write as _;

use time::{Date, Duration};

use super::plan::{ACCOUNTS, MEMBERS, Plan, Telling, owner};

/// An account as statements name it.
pub(crate) fn name(account: usize) -> String {
    let place = if account < ACCOUNTS { account % 2 } else { 2 };
    format!("MEMBER-{}-{place}", owner(account))
}

/// Files of all accounts that have entries.
pub(crate) fn files(plan: &Plan, day: Date) -> Vec<(String, Vec<u8>)> {
    let mut entries = vec![(String::new(), 0_i64); ACCOUNTS + MEMBERS];
    for telling in &plan.tellings {
        let (text, sum) = &mut entries[telling.account];
        let units = i64::try_from(telling.amount).unwrap();
        *sum += if telling.credit { units } else { -units };
        entry(text, telling, day);
    }
    let full = entries.into_iter().enumerate().filter(|(_, (text, _))| !text.is_empty());
    full.map(|(at, (text, sum))| {
        let file = document(&name(at), currency(at), day, sum, &text);
        (format!("{}.xml", name(at)), file.into_bytes())
    })
    .collect()
}

fn currency(account: usize) -> &'static str {
    if account < ACCOUNTS { "HKD" } else { "USD" }
}

fn decimal(units: u64) -> String {
    format!("{}.{:02}", units / 100, units % 100)
}

fn side(credit: bool) -> &'static str {
    if credit { "CRDT" } else { "DBIT" }
}

fn document(account: &str, currency: &str, day: Date, closing: i64, entries: &str) -> String {
    let balance = |kind: &str, units: i64| {
        format!(
            "<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp><Amt Ccy=\"{currency}\">{}</Amt>\
             <CdtDbtInd>{}</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>",
            decimal(units.unsigned_abs()),
            side(units >= 0)
        )
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\"><BkToCstmrStmt>\
         <GrpHdr><MsgId>MSG-{account}</MsgId><CreDtTm>{day}T23:00:00Z</CreDtTm></GrpHdr>\
         <Stmt><Id>STMT-{account}</Id><ElctrncSeqNb>1</ElctrncSeqNb><CreDtTm>{day}T23:00:00Z</CreDtTm>\
         <FrToDt><FrDtTm>{day}T00:00:00Z</FrDtTm><ToDtTm>{day}T23:59:59Z</ToDtTm></FrToDt>\
         <Acct><Id><Othr><Id>{account}</Id></Othr></Id><Ccy>{currency}</Ccy></Acct>{}{}{entries}</Stmt>\
         </BkToCstmrStmt></Document>",
        balance("OPBD", 0),
        balance("CLBD", closing)
    )
}

fn entry(text: &mut String, own: &Telling, day: Date) {
    let currency = currency(own.account);
    let value_date = day + Duration::days(own.days);
    let amount = decimal(own.amount);
    let reversal = if own.reversal { "<RvslInd>true</RvslInd>" } else { "" };
    write!(
        text,
        "<Ntry><Amt Ccy=\"{currency}\">{amount}</Amt><CdtDbtInd>{}</CdtDbtInd>{reversal}<Sts><Cd>BOOK</Cd></Sts>\
         <BookgDt><Dt>{day}</Dt></BookgDt><ValDt><Dt>{value_date}</Dt></ValDt>",
        side(own.credit)
    )
    .unwrap();
    if let Some(reference) = &own.reference {
        write!(text, "<AcctSvcrRef>{reference}</AcctSvcrRef>").unwrap();
    }
    text.push_str(
        "<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>DMCT</SubFmlyCd></Fmly></Domn></BkTxCd><NtryDtls>",
    );
    match &own.batch {
        Some((name, details)) => {
            write!(
                text,
                "<Btch><PmtInfId>{name}</PmtInfId><NbOfTxs>{}</NbOfTxs></Btch>",
                details.len()
            )
            .unwrap();
            for (uetr, amount, party) in details {
                let amount = format!(
                    "<Amt Ccy=\"{currency}\">{}</Amt><CdtDbtInd>{}</CdtDbtInd>",
                    decimal(*amount),
                    side(own.credit)
                );
                detail(text, Some(uetr.to_string()), &amount, (own.credit, *party));
            }
        }
        None => detail(text, own.uetr.map(|own| own.to_string()), "", (own.credit, own.party)),
    }
    text.push_str("</NtryDtls></Ntry>");
}

fn detail(text: &mut String, uetr: Option<String>, amount: &str, (credit, party): (bool, u32)) {
    text.push_str("<TxDtls>");
    if let Some(uetr) = uetr {
        write!(text, "<Refs><EndToEndId>NOTPROVIDED</EndToEndId><UETR>{uetr}</UETR></Refs>")
            .unwrap();
    }
    let other = if credit { "Dbtr" } else { "Cdtr" };
    write!(
        text,
        "{amount}<RltdPties><{other}><Pty><Nm>Day Party {party}</Nm></Pty></{other}></RltdPties></TxDtls>"
    )
    .unwrap();
}

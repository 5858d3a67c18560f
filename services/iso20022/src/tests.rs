//! What the tests share: fixtures, all fictional, and the judgement of xmllint; it must never hold
//! a test itself.

mod batches;
mod hostile;
mod life_cycle;
mod messages;
mod policy;
mod refusals;
mod samples;
mod shapes;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use ledger_types::CreditTransferStatus;

use crate::{
    amount::Amount,
    head::AppHdr,
    inbound::{PACS_008, read},
    pacs002::Statement,
    pacs008::{
        Account, AccountIdentification, Agent, Birth, CodeOrProprietary, CreditTransfer,
        GroupHeader, Instruction, OtherId, Pacs008, Party, PartyIdentification, PostalAddress,
        RegulatoryReporting,
    },
    verdict::Refusal,
};

const DEBTOR_AGENT: &str = "CWHKHKH0";
const CREDITOR_AGENT: &str = "CWPHPHM0";
const UETR: &str = "8a562c67-ca16-48ba-b074-65581be6f011";
const QUOTE: &str = "3f0b7f52-6f0e-4d5e-9c7a-0d6a1c2b3e4f";

fn message() -> Pacs008 {
    let group_header = GroupHeader {
        message_id: Some("MSG-20261123-0001".to_owned()),
        created_at: Some("2026-11-23T10:15:30.250+08:00".to_owned()),
        number_of_transactions: Some("1".to_owned()),
        settlement_method: Some("CLRG".to_owned()),
        clearing_system: Some(CodeOrProprietary::Proprietary("CAUSEWAY".to_owned())),
        ..GroupHeader::default()
    };
    Pacs008 { group_header, credit_transfers: vec![credit_transfer()] }
}

fn credit_transfer() -> CreditTransfer {
    CreditTransfer {
        instruction_id: Some("INSTR-1".to_owned()),
        end_to_end_id: Some("E2E <&> 1".to_owned()),
        transaction_id: Some("TX-1".to_owned()),
        uetr: Some(UETR.to_owned()),
        interbank_settlement_amount: Some(Amount::from_minor_units("PHP", 403_790, 2)),
        interbank_settlement_date: Some("2026-11-23".to_owned()),
        instructed_amount: Some(Amount::from_minor_units("HKD", 50_000, 2)),
        exchange_rate: Some("8.0758".to_owned()),
        charge_bearer: Some("SHAR".to_owned()),
        instructing_agent: Some(Agent::of_bic(DEBTOR_AGENT)),
        instructed_agent: Some(Agent::of_bic(CREDITOR_AGENT)),
        debtor: Some(debtor()),
        debtor_account: Some(account("HK-000-123456", "BBAN")),
        debtor_agent: Some(Agent::of_bic(DEBTOR_AGENT)),
        creditor_agent: Some(Agent::of_bic(CREDITOR_AGENT)),
        creditor: Some(Party { name: Some("Example Creditor".to_owned()), ..Party::default() }),
        creditor_account: Some(account("0917 000 0000", "BBAN")),
        instructions_for_creditor_agent: vec![Instruction {
            code: Some("PHOB".to_owned()),
            information: None,
        }],
        instructions_for_next_agent: vec![Instruction {
            code: None,
            information: Some(format!("/QUOTE/{QUOTE}")),
        }],
        purpose: Some(CodeOrProprietary::Code("FAMI".to_owned())),
        regulatory_reporting: vec![RegulatoryReporting {
            kind: Some("SOURCE OF FUNDS".to_owned()),
            information: vec!["SALARY".to_owned()],
            ..RegulatoryReporting::default()
        }],
        remittance_information: vec!["For the family – November".to_owned()],
        ..CreditTransfer::default()
    }
}

fn debtor() -> Party {
    Party {
        name: Some("Example Debtor".to_owned()),
        postal_address: Some(PostalAddress {
            street_name: Some("Example Road".to_owned()),
            building_number: Some("1".to_owned()),
            town_name: Some("Hong Kong".to_owned()),
            country: Some("HK".to_owned()),
            address_lines: vec!["Flat A".to_owned()],
            ..PostalAddress::default()
        }),
        identification: Some(PartyIdentification::Private {
            birth: Some(Birth {
                date: Some("1990-02-28".to_owned()),
                city: Some("Cebu".to_owned()),
                country: Some("PH".to_owned()),
                ..Birth::default()
            }),
            others: vec![OtherId {
                id: Some("P0000000X".to_owned()),
                scheme: Some(CodeOrProprietary::Code("CCPT".to_owned())),
                issuer: None,
            }],
        }),
        country_of_residence: Some("HK".to_owned()),
        mobile_number: Some("+852-50000000".to_owned()),
    }
}

fn account(number: &str, scheme: &str) -> Account {
    Account {
        identification: Some(AccountIdentification::Other(OtherId {
            id: Some(number.to_owned()),
            scheme: Some(CodeOrProprietary::Code(scheme.to_owned())),
            issuer: None,
        })),
        ..Account::default()
    }
}

fn header() -> AppHdr {
    AppHdr {
        from_bic: Some(DEBTOR_AGENT.to_owned()),
        to_bic: Some(CREDITOR_AGENT.to_owned()),
        business_message_id: Some("MSG-20261123-0001".to_owned()),
        message_definition_id: Some(PACS_008.to_owned()),
        business_service: None,
        created_at: Some("2026-11-23T10:15:30+08:00".to_owned()),
    }
}

fn statement(status: CreditTransferStatus, reasons: Vec<Refusal>) -> Statement {
    Statement {
        message_id: "ANSWER-1".to_owned(),
        created_at: "2026-11-23T02:15:31Z".to_owned(),
        status,
        reasons,
        accepted_at: None,
        clearing_system_reference: None,
        instructing_agent_bic: Some(CREDITOR_AGENT.to_owned()),
    }
}

/// The folder of published schemas and samples beside the project, if it is there.
fn shared_data() -> Option<PathBuf> {
    let given = std::env::var_os("CAUSEWAY_SHARED").map(|shared| Path::new(&shared).join("data"));
    let above = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("shared/data"))
        .find(|folder| folder.is_dir());
    let found = given.filter(|folder| folder.is_dir()).or(above);
    if found.is_none() {
        skipped("shared/data is not beside the project");
    }
    found
}

/// Unlike what a passing test prints, this is not kept from people.
fn skipped(why: &str) {
    say(&format!("skipped: {why}"));
}

/// A line for people, which passing tests print too.
fn say(line: &str) {
    Write::write_all(&mut std::io::stderr(), format!("{line}\n").as_bytes())
        .expect("standard error takes a line");
}

/// Panics if xmllint finds the document of a message, or its header, invalid against the published
/// schemas; skips aloud without them.
fn assert_valid(xml: &str, message: &str, context: &str) {
    let Some(shared) = shared_data() else { return };
    for (element, schema) in [("Document", message), ("AppHdr", "head.001.001.02")] {
        let (start, end) = (format!("<{element} "), format!("</{element}>"));
        let Some(part) = xml.find(&start).zip(xml.find(&end)).and_then(|(s, e)| xml.get(s..e))
        else {
            assert_eq!(element, "AppHdr", "{context}: no document");
            continue;
        };
        let Some(verdict) = xmllint(&shared, schema, &format!("{part}{end}")) else { return };
        assert_eq!(verdict, Ok(()), "{context}\n{xml}");
    }
}

/// What xmllint says of a document against a published schema; nothing, aloud, without xmllint.
fn xmllint(shared: &Path, schema: &str, xml: &str) -> Option<Result<(), String>> {
    let lint = Command::new("xmllint")
        .args(["--nonet", "--noout", "--schema"])
        .arg(shared.join(format!("iso20022-xsd/{schema}.xsd")))
        .arg("-")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut lint) = lint else {
        skipped("xmllint is not installed");
        return None;
    };
    let mut input = lint.stdin.take().expect("stdin is piped");
    input.write_all(xml.as_bytes()).expect("xmllint reads its input");
    drop(input);
    let output = lint.wait_with_output().expect("xmllint ends");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    Some(if output.status.success() { Ok(()) } else { Err(errors) })
}

/// Leaves out, doubles, empties or moves one element after another and lets xmllint judge the same text.
fn spoil(shared: &Path, whole: &str, message: &str, step: usize) {
    let start = whole.find("<Document").expect("it has a document");
    let document = whole[start..].split_inclusive("</Document>").next().expect("it ends");
    let lines: Vec<&str> = document.lines().collect();
    let leaves = (2..lines.len() - 2).filter(|at| lines[*at].contains("</"));
    for at in leaves.filter(|at| lines[*at].trim().matches('<').count() == 2).step_by(step) {
        let name = lines[at].trim().split(['<', '>', ' ']).nth(1).expect("a leaf has a name");
        let doubled = lines[at].repeat(2);
        let emptied = format!("<{name}></{name}>");
        let moved = format!("{}{}", lines[at + 1], lines[at]);
        for (spoiled, next) in [
            ("", lines[at + 1]),
            (&doubled, lines[at + 1]),
            (&emptied, lines[at + 1]),
            (&moved, ""),
        ] {
            let mut body = lines.clone();
            body[at] = spoiled;
            body[at + 1] = next;
            let body = body.join("\n");
            let Some(valid) = xmllint(shared, message, &body) else { return };
            let inbound = read(body.as_bytes());
            let fits = inbound.unreadable.is_none() && inbound.findings.is_empty();
            assert_eq!(fits, valid.is_ok(), "{message} {:?} {valid:?}\n{body}", inbound.findings);
        }
    }
}

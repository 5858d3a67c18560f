//! Every published sample of a pacs.008 gets the answer that a committed table predicts; the
//! samples themselves stay outside the project, and without them this skips aloud.

use std::{collections::BTreeMap, fs, path::Path};

use ledger_types::CreditTransferStatus;

use super::{assert_valid, shared_data, statement};
use crate::{
    inbound::{PACS_008, read},
    pacs002::{PACS_002, answer},
    verdict::verdict,
    xml::{self, Element},
};

#[test]
fn every_sample_gets_the_predicted_answer() {
    let Some(shared) = shared_data() else { return };
    let folder = shared.join("samples-open");
    let samples = samples(&folder);
    let table: BTreeMap<&str, Vec<&str>> = include_str!("samples.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(" | ").collect::<Vec<_>>())
        .map(|cells| (cells[0], cells))
        .collect();
    assert_eq!(
        samples.keys().map(String::as_str).collect::<Vec<_>>(),
        table.keys().copied().collect::<Vec<_>>(),
        "files and table"
    );
    for (file, body) in &samples {
        let [_, status, reason, element, _] = table[file.as_str()].as_slice() else {
            panic!("{file}: the table's line has five cells");
        };
        let inbound = read(body);
        let refusal = verdict(&inbound, &|_| false, &|_| true).expect_err("it is refused");
        assert_eq!(refusal.reason.as_str(), *reason, "{file}: {refusal}");
        assert!(refusal.text.contains(element), "{file}: {refusal}");
        let rejected = statement(CreditTransferStatus::Rejected, vec![refusal]);
        let report = answer(&inbound, &rejected).expect("the fixture is good");
        assert_valid(&report, PACS_002, file);
        assert!(report.contains(&format!("<TxSts>{status}</TxSts>")), "{file}");
        let uetr = inbound.message.credit_transfers[0].uetr.as_deref();
        assert_eq!(report.contains("OrgnlUETR"), uetr.is_some(), "{file}");
        assert!(report.contains("<OrgnlMsgNmId>pacs.008.001.0"), "{file}: {report}");
        // The shape finds fault exactly where xmllint did when the table was made.
        let spoken = inbound.message_name.as_deref() == Some("pacs.008.001.08");
        assert_eq!(!inbound.findings.is_empty(), *reason == "FF01" && spoken, "{file}");
    }
}

/// What no message of this network says: it settles by clearing at once, between agents that meet
/// without correspondents.
const NOT_KEPT: &[&str] = &[
    "/AccptncDtTm",
    "/BtchBookg",
    "/CtrlSum",
    "/PoolgAdjstmntDt",
    "/PrvsInstgAgt",
    "/SttlmAcct",
    "/SttlmPrty",
    "/SttlmTmIndctn",
    "/SttlmTmReq",
    "/TtlIntrBkSttlmAmt",
    "Agt/BrnchId",
    "Agt/FinInstnId/Othr",
    "Agt1Acct",
    "Agt2Acct",
    "Agt3Acct",
    "AgtAcct",
    "RmbrsmntAgt/",
];

#[test]
fn what_a_sample_says_is_written_again() {
    let Some(shared) = shared_data() else { return };
    let mut written_again = 0;
    for (file, body) in &samples(&shared.join("samples-open")) {
        let inbound = read(body);
        if !inbound.findings.is_empty() {
            continue;
        }
        let written = inbound.message.write(None).expect("what fits its XSD can be written");
        assert_valid(&written, PACS_008, file);
        // Before version .08 the code stood in the element itself.
        let before = |(path, text): (String, String)| (path.replace("AdrTp/Cd", "AdrTp"), text);
        let said: Vec<_> = said(body).into_iter().map(before).collect();
        let again: Vec<_> = self::said(written.as_bytes()).into_iter().map(before).collect();
        assert_eq!(said, again, "{file}");
        written_again += 1;
    }
    assert_eq!(written_again, 61, "all but the six that break the XSD");
}

/// Every element without children, by its path, with its currency and text.
fn said(body: &[u8]) -> Vec<(String, String)> {
    fn walk(element: &Element, path: &str, said: &mut Vec<(String, String)>) {
        let path = format!("{path}/{}", element.name);
        if element.children.is_empty() {
            let currency = element.attribute("Ccy").unwrap_or_default();
            said.push((path, format!("{currency}{}", element.text.trim())));
            return;
        }
        element.children.iter().for_each(|child| walk(child, &path, said));
    }
    let roots = xml::read(body).expect("the samples are XML");
    let document = roots.iter().find_map(|root| root.find("Document")).expect("it has one");
    let mut said = Vec::new();
    document.children.iter().for_each(|child| walk(child, "", &mut said));
    said.retain(|(path, _)| !NOT_KEPT.iter().any(|part| path.contains(part)));
    said
}

/// Files that hold a customer credit transfer, by their path under the folder.
fn samples(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for source in fs::read_dir(folder).expect("the samples are a folder") {
        let source = source.expect("an entry can be read").path();
        for file in fs::read_dir(&source).into_iter().flatten().flatten() {
            let body = fs::read(file.path()).unwrap_or_default();
            let path = file.path();
            let name = path.strip_prefix(folder).expect("it is inside");
            if String::from_utf8_lossy(&body).contains("FIToFICstmrCdtTrf>") {
                found.insert(name.to_string_lossy().into_owned(), body);
            }
        }
    }
    found
}

//! Every published sample as it is: what a gateway of the demonstration answers is predicted by the
//! table that the reader's own tests keep; the samples stay outside the project.
use std::{collections::BTreeMap, fs, path::Path};

use super::{World, XML};

/// `file | status | reason | element that the words name | why`
///
/// The table is made for a network in which nobody takes part. It holds for the demonstration's
/// too, group by group:
/// - FF01: version and shape are judged before anything of the network is looked at.
/// - AM03: a precious metal never settles here, though the demonstration's ledger has an XAU.
/// - ED01: INDA and INGA settle on accounts of correspondents, which no directory brings.
/// - RC06: the debtor agent is named by a clearing member id alone; there is no BIC to look up.
/// - DNOR: it is named by a BIC that takes no part; the demonstration's BICs are all fictional, and
///   this test looks that no sample names one.
///
/// No sample gets as far as the creditor agent or the currency.
const TABLE: &str = include_str!("../../../services/iso20022/src/tests/samples.txt");

pub(super) async fn every_sample_gets_the_predicted_answer(world: &World, folder: &Path) {
    let samples = samples(folder);
    let table: BTreeMap<&str, Vec<&str>> = TABLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(" | ").collect::<Vec<_>>())
        .map(|cells| (cells[0], cells))
        .collect();
    assert_eq!(samples.len(), 67);
    assert!(samples.keys().map(String::as_str).eq(table.keys().copied()), "files and table");
    let network = world.running.operator.network().await.unwrap();
    let before = world.root().await;
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut without_uetr = Vec::new();
    for (file, body) in &samples {
        let [_, status, reason, element, _] = table[file.as_str()].as_slice() else {
            panic!("{file}: the table's line has five cells");
        };
        let text = String::from_utf8_lossy(body);
        let named = network.participants.iter().find(|row| text.contains(&row.bic));
        assert!(named.is_none(), "{file}: names a participant");
        let answer = world.post("HK", XML, body.clone(), None).await;
        let report = world.report(&answer, file);
        assert_eq!(report.verdict(), (*status, *reason), "{file}: {}", report.words());
        assert!(report.words().contains(element), "{file}: {}", report.words());
        let said = services_iso20022::read(body);
        let transfer = &said.message.credit_transfers[0];
        assert_eq!(report.text("OrgnlUETR"), transfer.uetr.as_deref(), "{file}");
        assert_eq!(report.text("OrgnlMsgNmId"), said.message_name.as_deref(), "{file}");
        assert_eq!(
            report.text("OrgnlMsgId"),
            said.message.group_header.message_id.as_deref(),
            "{file}"
        );
        assert_eq!(report.0.find("AppHdr").is_some(), said.app_hdr.is_some(), "{file}");
        if transfer.uetr.is_none() {
            without_uetr.push(file.as_str());
        }
        *reasons.entry((*reason).to_owned()).or_default() += 1;
        assert_eq!(world.root().await, before, "{file}: nothing enters the log");
    }
    let counts = [("AM03", 10), ("DNOR", 5), ("ED01", 18), ("FF01", 7), ("RC06", 27)];
    let counts = counts.map(|(reason, count)| (reason.to_owned(), count));
    assert_eq!(reasons, BTreeMap::from(counts));
    assert_eq!(without_uetr, ["prowide/pacs.008.001.07.xml"]);
}

/// Files that hold a customer credit transfer, by their path under the folder.
fn samples(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for source in fs::read_dir(folder).unwrap() {
        for file in fs::read_dir(source.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let body = fs::read(&path).unwrap();
            if String::from_utf8_lossy(&body).contains("FIToFICstmrCdtTrf>") {
                let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                found.insert(name, body);
            }
        }
    }
    found
}

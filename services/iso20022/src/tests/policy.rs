//! The usage rules: every published sample judged under its release, negative ones by the rule in
//! their name; rules of this crate's own making are broken one by one. It knows no transport.

use std::{collections::BTreeMap, fs, path::Path};

use super::{header, message, shared_data, skipped};
use crate::{
    check::{self, Checked, Verdict},
    inbound::read,
    policy::{self, Profile, Severity},
};

/// Every file under the samples, by its path in there.
fn every_sample(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for source in fs::read_dir(folder).expect("the samples are a folder") {
        let source = source.expect("an entry can be read").path();
        for file in fs::read_dir(&source).into_iter().flatten().flatten() {
            let path = file.path();
            let name = path.strip_prefix(folder).expect("it is inside").to_string_lossy();
            found.insert(name.into_owned(), fs::read(&path).unwrap_or_default());
        }
    }
    found
}

fn profile_of(file: &str) -> Profile {
    if file.contains("2026") { Profile::Sr2026 } else { Profile::Current }
}

fn rules(checked: &Checked, severity: Severity) -> Vec<&str> {
    let of = checked.findings.iter().filter(|found| found.severity == severity);
    of.map(|found| found.rule).collect()
}

/// Samples whose name says which rule they break, but which break the XSD or another rule as well,
/// as the sample that they were made from does.
const BROKEN_OTHERWISE: &[&str] =
    &["_xsd_issue__", "_sequence_addr__", "_missing_bic_", "_dodgy_IBAN_"];

#[test]
fn every_negative_sample_is_refused_by_the_rule_in_its_name() {
    let Some(shared) = shared_data() else { return };
    let mut judged = 0;
    for (file, body) in &every_sample(&shared.join("samples-open")) {
        let Some((_, violated)) = file.split_once("__violates_") else { continue };
        // `pacs.008-R41_commodity_currency_XAU.xml`
        let number = violated.split('_').next().expect("a name has a part");
        let checked = check::check(body, profile_of(file));
        assert_eq!(checked.verdict, Verdict::Refused, "{file}");
        let by = checked.findings.iter().find(|found| found.number.as_deref() == Some(number));
        let by = by.unwrap_or_else(|| panic!("{file}: {number} not found in {checked:#?}"));
        assert_eq!(by.severity, Severity::Refuse, "{file}");
        let others: Vec<&str> = rules(&checked, Severity::Refuse)
            .into_iter()
            .filter(|rule| *rule != by.rule && *rule != "external_code")
            .collect();
        let excused = BROKEN_OTHERWISE.iter().any(|part| file.contains(part));
        assert!(others.is_empty() || excused, "{file}: also {others:?}: {checked:#?}");
        judged += 1;
    }
    assert_eq!(judged, 29);
}

/// Published samples that their own authors call good, but which break a rule that they do not test.
const REFUSED_FOR_MORE: &[(&str, &str)] = &[
    // Made from the XSD alone: `<FinInstnId/>` names no institution.
    ("pacs.008.min", "agent_identification"),
    ("pacs.008_stp.min", "agent_identification"),
    ("pacs.009.min", "agent_identification"),
    ("pacs.009_adv.min", "agent_identification"),
    ("pacs.009_cov.min", "agent_identification"),
    ("pain.001.min", "agent_identification"),
];

#[test]
fn samples_that_fit_their_release_are_not_refused() {
    let Some(shared) = shared_data() else { return };
    let mut judged = 0;
    for (file, body) in &every_sample(&shared.join("samples-open")) {
        if !file.starts_with("cbpr/") {
            continue;
        }
        let checked = check::check(body, profile_of(file));
        let refused = rules(&checked, Severity::Refuse);
        let excused = REFUSED_FOR_MORE.iter().find(|(name, _)| file.contains(name));
        match excused {
            Some((_, rule)) => {
                assert!(refused.iter().all(|own| own == rule), "{file}: {checked:#?}")
            }
            None => assert!(refused.is_empty(), "{file}: {checked:#?}"),
        }
        judged += 1;
    }
    assert_eq!(judged, 40);
}

/// Files and broken rules by folder, message and verdict.
type Table = BTreeMap<(String, String, &'static str), (usize, BTreeMap<String, usize>)>;

#[test]
fn every_sample_is_read_or_refused_by_a_named_finding() {
    let Some(shared) = shared_data() else { return };
    let mut table = Table::new();
    let samples = every_sample(&shared.join("samples-open"));
    for (file, body) in &samples {
        let checked = check::check(body, profile_of(file));
        let folder = file.split('/').next().unwrap_or_default().to_owned();
        let message = checked.message.clone().unwrap_or_else(|| "none".to_owned());
        let row = table.entry((folder, message, checked.verdict.as_str())).or_default();
        row.0 += 1;
        for found in &checked.findings {
            assert!(!found.rule.is_empty() && !found.text.is_empty(), "{file}: {found:?}");
            if (checked.verdict == Verdict::Refused) == (found.severity == Severity::Refuse) {
                *row.1.entry(found.rule.to_owned()).or_default() += 1;
            }
        }
        assert_eq!(checked.verdict == Verdict::Ok, checked.findings.is_empty(), "{file}");
        // What is spoken was read, whatever is wrong with it.
        let inbound = read(body);
        assert_eq!(inbound.unreadable.is_some(), checked.findings.iter().any(|f| f.rule == "xml"));
    }
    for ((folder, message, verdict), (files, rules)) in &table {
        let rules: Vec<String> =
            rules.iter().map(|(rule, times)| format!("{rule} {times}")).collect();
        let line = format!("{folder} | {message} | {verdict} | {files} | {}", rules.join(", "));
        super::say(&line);
    }
    assert_eq!(samples.len(), 204, "every published sample");
}

fn broken(xml: &str, profile: Profile) -> Vec<(&'static str, Severity)> {
    let violations = policy::judge(&read(xml.as_bytes()), profile);
    violations.into_iter().map(|violation| (violation.rule.id, violation.severity)).collect()
}

/// A pacs.008 that breaks no rule but for settling where a market infrastructure settles.
fn good() -> String {
    let mut message = message();
    let transfer = &mut message.credit_transfers[0];
    transfer.purpose = None;
    transfer.remittance_information = vec!["Family, November".to_owned()];
    transfer.end_to_end_id = Some("E2E-1".to_owned());
    message.write(Some(&header())).expect("the fixture is good").replace("CLRG", "INDA")
}

const ADDRESS: &str = "<StrtNm>Example Road</StrtNm>";

#[test]
fn an_unstructured_address_is_a_warning_that_a_later_profile_refuses() {
    for profile in Profile::ALL {
        assert_eq!(broken(&good(), profile), vec![], "{profile:?}");
    }
    let lines: String = good().lines().map(str::trim).collect();
    let start = lines.find("<PstlAdr>").expect("the debtor has an address");
    let end = lines.find("</PstlAdr>").expect("it ends");
    let with = |address: &str| format!("{}<PstlAdr>{address}{}", &lines[..start], &lines[end..]);
    let (warn, refuse) = (Severity::Warn, Severity::Refuse);
    let unstructured = with("<AdrLine>1 Example Road</AdrLine><AdrLine>Hong Kong</AdrLine>");
    assert_eq!(broken(&unstructured, Profile::Current), vec![("address_unstructured", warn)]);
    assert_eq!(broken(&unstructured, Profile::Sr2026), vec![("address_unstructured", refuse)]);
    let long = with(&format!("<AdrLine>{}</AdrLine>", "x".repeat(36)));
    assert_eq!(
        broken(&long, Profile::Current),
        vec![("address_unstructured", warn), ("address_unstructured_lines", refuse)]
    );
    let cases = [
        ("<TwnNm>Hong Kong</TwnNm>", "address_structured"),
        ("<TwnNm>Hong Kong</TwnNm><AdrLine>Flat A</AdrLine>", "address_hybrid"),
        (
            "<TwnNm>A</TwnNm><Ctry>HK</Ctry><AdrLine>B</AdrLine><AdrLine>C</AdrLine><AdrLine>D</AdrLine>",
            "address_hybrid_lines",
        ),
        (
            "<TwnNm>Hong Kong</TwnNm><Ctry>HK</Ctry><AdrLine>1 Road, Hong Kong</AdrLine>",
            "address_repeated",
        ),
    ];
    for (address, rule) in cases {
        for profile in Profile::ALL {
            assert_eq!(broken(&with(address), profile), vec![(rule, refuse)], "{address}");
        }
    }
    let hybrid =
        with("<TwnNm>Hong Kong</TwnNm><Ctry>HK</Ctry><AdrLine>1 Road, Hong Kongs</AdrLine>");
    assert_eq!(broken(&hybrid, Profile::Sr2026), vec![], "a longer word is no repetition");
}

/// (rule, from, to): each breaks one rule of a good pacs.008 in both profiles.
const SPOILS: &[(&str, &str, &str)] = &[
    ("message_definition_id", "<MsgDefIdr>pacs.008", "<MsgDefIdr>pacs.009"),
    ("business_message_id", "<BizMsgIdr>MSG-20261123-0001", "<BizMsgIdr>MSG-2"),
    (
        "from_instructing_agent",
        "<Fr><FIId><FinInstnId><BICFI>CWHK",
        "<Fr><FIId><FinInstnId><BICFI>CXHK",
    ),
    (
        "to_instructed_agent",
        "<To><FIId><FinInstnId><BICFI>CWPH",
        "<To><FIId><FinInstnId><BICFI>CXPH",
    ),
    ("date_time_offset", "<CreDtTm>2026-11-23T10:15:30.250+08:00", "<CreDtTm>2026-11-23T10:15:30"),
    ("character_set", "Family, November", "Family – November"),
    ("uetr_mandatory", "<UETR>8a562c67-ca16-48ba-b074-65581be6f011</UETR>", ""),
    ("one_transaction", "<NbOfTxs>1<", "<NbOfTxs>2<"),
    ("commodity_currency", "IntrBkSttlmAmt Ccy=\"PHP\"", "IntrBkSttlmAmt Ccy=\"XAU\""),
    ("instruction_id_slash", "<InstrId>INSTR-1", "<InstrId>INSTR//1"),
    ("settlement_cover_agents", "INDA", "COVE"),
    (
        "agent_identification",
        "<CdtrAgt><FinInstnId><BICFI>CWPHPHM0</BICFI>",
        "<CdtrAgt><FinInstnId>",
    ),
    ("agent_name_address", "<CdtrAgt><FinInstnId>", "<CdtrAgt><FinInstnId><Nm>Example Bank</Nm>"),
    ("bic_format", "<CdtrAgt><FinInstnId><BICFI>CWPHPHM0", "<CdtrAgt><FinInstnId><BICFI>CWPHZZM0"),
    ("party_name", "<Nm>Example Creditor</Nm>", ""),
    ("charge_bearer", "SHAR", "SLEV"),
    ("charges_cred", "SHAR", "CRED"),
    ("charges_undeclared", "InstdAmt Ccy=\"HKD\"", "InstdAmt Ccy=\"PHP\""),
    (
        "instruction_codes",
        "<InstrForCdtrAgt>",
        "<InstrForCdtrAgt><Cd>TELB</Cd></InstrForCdtrAgt><InstrForCdtrAgt>",
    ),
    ("remittance_either", "</Ustrd>", "</Ustrd><Strd><AddtlRmtInf>A</AddtlRmtInf></Strd>"),
    ("related_remittance_either", "<RmtInf>", "<RltdRmtInf><RmtId>A</RmtId></RltdRmtInf><RmtInf>"),
];

#[test]
fn each_rule_is_broken_by_what_it_forbids_and_by_nothing_else() {
    let lines: String = good().lines().map(str::trim).collect();
    assert!(lines.contains(ADDRESS));
    for (rule, from, to) in SPOILS {
        assert!(lines.contains(from), "{rule}: {from}");
        let spoiled = lines.replacen(from, to, 1);
        for profile in Profile::ALL {
            let found = broken(&spoiled, profile);
            assert_eq!(found, vec![(*rule, Severity::Refuse)], "{profile:?}: {to}");
        }
        let violations = policy::judge(&read(spoiled.as_bytes()), Profile::Current);
        let refusal = policy::refusal(&violations).expect("it refuses");
        assert!(refusal.text.contains(": "), "{refusal}");
        assert!(
            crate::codes::known("ExternalStatusReason1Code", refusal.reason.as_str()) == Some(true)
        );
    }
    let clearing = lines.replace("INDA", "CLRG");
    assert_eq!(broken(&clearing, Profile::Sr2026), vec![("settlement_clearing", Severity::Warn)]);
    let purpose = lines.replace("<RgltryRptg>", "<Purp><Cd>FAMI</Cd></Purp><RgltryRptg>");
    assert_eq!(broken(&purpose, Profile::Current), vec![("external_code", Severity::Warn)]);
}

#[test]
fn rules_are_whole_and_their_numbers_name_them() {
    let lines = include_str!("../policy/rules.txt").lines().filter(|line| !line.starts_with('#'));
    assert_eq!(policy::rules().len(), lines.count(), "every line is a rule");
    for rule in policy::rules() {
        assert!(Profile::ALL.iter().any(|profile| rule.severity(*profile).is_some()), "{rule:?}");
        assert!(rule.words.contains(": "), "{} says what to do", rule.id);
    }
    for line in include_str!("../policy/numbers.txt").lines().filter(|line| !line.starts_with('#'))
    {
        let rule = line.split(' ').nth(1).expect("a line has four words");
        assert!(policy::rules().iter().any(|own| own.id == rule), "{line}");
    }
    assert_eq!("sr2026".parse(), Ok(Profile::Sr2026));
    assert!("sr2027".parse::<Profile>().is_err());
    if shared_data().is_none() {
        skipped("the samples were not judged");
    }
}

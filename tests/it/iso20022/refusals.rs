//! Bad input to a running gateway: each gets the documented code, and the ledger stays as it was.
use ledger_types::Rejection;
use services_iso20022::{
    Amount, Pacs008,
    pacs008::{Agent, CodeOrProprietary, CreditTransfer, GroupHeader, Party},
};

use super::{
    World, XML,
    rewritten::{TO_PHILIPPINES as CORRIDOR, account, uetr},
};

const LISTED: &str = "Silas Harrowgate";

/// A good message of this UETR, with names outside Latin script and letters beyond the basic plane.
pub(super) fn good(number: u32) -> String {
    let party = |name: &str| Some(Party { name: Some(name.to_owned()), ..Party::default() });
    let amount = |currency: &str, value: &str| {
        Some(Amount { currency: currency.to_owned(), value: value.to_owned() })
    };
    let transfer = CreditTransfer {
        end_to_end_id: Some(format!("E2E-{number}")),
        uetr: Some(uetr(number)),
        interbank_settlement_amount: amount("PHP", "4300.50"),
        instructed_amount: amount("HKD", "650.00"),
        charge_bearer: Some("SHAR".to_owned()),
        ultimate_debtor: party("測試甲"),
        debtor: party("Дебитор Тестов"),
        debtor_account: Some(account(CORRIDOR.debtor_account)),
        debtor_agent: Some(Agent::of_bic(CORRIDOR.debtor_agent)),
        creditor_agent: Some(Agent::of_bic(CORRIDOR.creditor_agent)),
        creditor: party("ผู้รับ ทดสอบ"),
        creditor_account: Some(account(CORRIDOR.creditor_account)),
        purpose: Some(CodeOrProprietary::Code("GIFT".to_owned())),
        remittance_information: vec!["謝謝 <&> 𠮷".to_owned()],
        ..CreditTransfer::default()
    };
    let group_header = GroupHeader {
        message_id: Some(format!("GOOD-{number}")),
        created_at: Some("2026-11-24T10:15:30+08:00".to_owned()),
        number_of_transactions: Some("1".to_owned()),
        settlement_method: Some("CLRG".to_owned()),
        ..GroupHeader::default()
    };
    Pacs008 { group_header, credit_transfers: vec![transfer] }.write(None).unwrap()
}

/// The text with one part replaced, which must be there.
pub(super) fn with(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not in {text}");
    text.replacen(from, to, 1)
}

/// Bodies that are no XML, or not within its limits: each FF01, with words that tell.
fn unreadable() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let good = good(100);
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    let doctype = |body: &str| with(&good, head, &format!("{head}<!DOCTYPE Document {body}>"));
    let laughs = doctype(
        "[<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;\">]",
    );
    let outside = doctype("[<!ENTITY x SYSTEM \"file:///etc/hostname\">]");
    let mut utf_16: Vec<u8> = vec![0xff, 0xfe];
    utf_16.extend(good.encode_utf16().flat_map(u16::to_le_bytes));
    let (latin, _) = good.split_once("<MsgId>").unwrap();
    let latin = [latin.as_bytes(), b"<MsgId>caf\xe9</MsgId>"].concat();
    let deep = format!("{}{}", "<a>".repeat(65), "</a>".repeat(65));
    let wide = format!("<a>{}</a>", "<b/>".repeat(20_000));
    let cut = good.strip_suffix("</Document>\n").unwrap();
    let full = format!("<!--{}-->", "-+".repeat((1 << 19) - 4)).into_bytes();
    vec![
        ("document type", doctype("SYSTEM \"x.dtd\"").into(), "document type"),
        ("entities that grow", with(&laughs, "GOOD", "&c;").into(), "document type"),
        ("entity outside", with(&outside, "GOOD", "&x;").into(), "document type"),
        ("undefined entity", with(&good, "GOOD", "&x;").into(), "entity"),
        ("depth", deep.into(), "deeper"),
        ("elements", wide.into(), "elements"),
        ("not UTF-8", latin, "not UTF-8"),
        ("UTF-16", utf_16, "not UTF-8"),
        ("other encoding", with(&good, "UTF-8", "ISO-8859-1").into(), "UTF-8"),
        ("control character", with(&good, "GOOD", "&#1;").into(), "character"),
        ("cut off", cut.into(), "ends too early"),
        ("JSON", b"{\"uetr\": \"x\"}".to_vec(), "outside"),
        ("empty", Vec::new(), "no element"),
        ("1 MiB of nothing", full, "no element"),
        ("no message", b"<Document/>".to_vec(), "no ISO 20022 message"),
    ]
}

/// What to replace in a good message, and reason and words of its answer.
const CASES: &[(&str, &str, &str, &str)] = &[
    ("pacs.008.001.08", "pacs.008.001.09", "FF01", "Document"),
    ("<MsgId>GOOD", "<MsgId>GOOD-AND-LONGER-THAN-35-CHARACTERS-ALLOW", "FF01", "GrpHdr/MsgId"),
    ("<ChrgBr>SHAR</ChrgBr>", "", "FF01", "ChrgBr"),
    ("<BICFI>CWWAPHM0", "<BICFI>CWWAPHM", "FF01", "BICFI"),
    ("-4", "-1", "FF01", "UETR"),
    (">4300.50<", ">-4300.50<", "FF01", "IntrBkSttlmAmt"),
    (">4300.50<", ">4,300.50<", "FF01", "IntrBkSttlmAmt"),
    ("Ccy=\"PHP\"", "Ccy=\"XAU\"", "AM03", "precious metal"),
    ("CLRG", "INDA", "ED01", "SttlmMtd"),
    ("CLRG", "COVE", "ED01", "SttlmMtd"),
    ("<BICFI>CWWAPHM0", "<BICFI>CWWAQQM0", "RC01", "CdtrAgt"),
    ("<BICFI>CWWAHKH0", "<BICFI>CWZZHKH0", "DNOR", "DbtrAgt"),
    ("<BICFI>CWWAHKH0", "<BICFI>CWWAMYK0", "AGNT", "DbtrAgt"),
    ("<BICFI>CWWAPHM0", "<BICFI>CWZZPHM0", "CNOR", "CdtrAgt"),
    ("<BICFI>CWWAPHM0</BICFI>", "<Nm>A</Nm>", "RC07", "CdtrAgt"),
    ("Ccy=\"PHP\"", "Ccy=\"EUR\"", "AM03", "IntrBkSttlmAmt"),
    ("Ccy=\"PHP\"", "Ccy=\"QQQ\"", "AM11", "IntrBkSttlmAmt"),
    ("<NbOfTxs>1", "<NbOfTxs>2", "AM19", "NbOfTxs"),
    (">4300.50<", ">4300.505<", "CH20", "IntrBkSttlmAmt"),
    (">4300.50<", ">0.00<", "AM01", "IntrBkSttlmAmt"),
    (">4300.50<", ">999999999999999999<", "AM12", "IntrBkSttlmAmt"),
    ("Ccy=\"HKD\">650.00", "Ccy=\"HKD\">0", "AM01", "InstdAmt"),
    ("Ccy=\"HKD\"", "Ccy=\"MYR\"", "AG03", "CORRIDOR_UNKNOWN"),
    ("<BICFI>CWWAPHM0", "<BICFI>CWWAHKH0", "FF01", "creditor_agent"),
    ("<Cd>GIFT", "<Cd>gift", "FF07", "purpose"),
    ("測試甲", LISTED, "RR04", "SCREENING_REFUSED"),
    ("Дебитор Тестов", LISTED, "RR04", "SCREENING_REFUSED"),
];

pub(super) async fn bad_input_gets_the_documented_code(world: &World) {
    let before = world.root().await;
    for (name, body, words) in unreadable() {
        let report = world.report(&world.post("HK", XML, body, None).await, name);
        assert_eq!(report.verdict(), ("RJCT", "FF01"), "{name}: {}", report.words());
        assert!(report.words().contains(words), "{name}: {}", report.words());
        assert_eq!(world.root().await, before, "{name}: nothing enters the log");
    }
    for (number, (from, to, reason, words)) in (200..).zip(CASES) {
        let name = format!("{from} → {to}");
        let body = with(&good(number), from, to);
        let report = world.report(&world.post("HK", XML, body, None).await, &name);
        assert_eq!(report.verdict(), ("RJCT", *reason), "{name}: {}", report.words());
        assert!(report.words().contains(words), "{name}: {}", report.words());
        assert!(!report.words().contains("Harrowgate"), "{name}: no detail outside");
        assert_eq!(world.root().await, before, "{name}: nothing enters the log");
    }
    ibans(world).await;
    problems(world).await;
    assert_eq!(world.root().await, before, "nothing enters the log");
}

/// An IBAN's check digits: AC02 at the debtor, AC03 at the creditor; its pattern is the XSD's.
async fn ibans(world: &World) {
    for (number, account, iban, reason) in [
        (301, CORRIDOR.debtor_account, "GB82WEST12345698765433", "AC02"),
        (302, CORRIDOR.creditor_account, "PK36SCBL0000001123456703", "AC03"),
        (303, CORRIDOR.creditor_account, "PK36-SCBL-0000", "FF01"),
    ] {
        let mut body = good(number);
        let at = body.find(account).unwrap();
        let end = "</Othr>";
        let range =
            body[..at].rfind("<Othr>").unwrap()..at + body[at..].find(end).unwrap() + end.len();
        body.replace_range(range, &format!("<IBAN>{iban}</IBAN>"));
        let report = world.report(&world.post("HK", XML, body, None).await, iban);
        assert_eq!(report.verdict(), ("RJCT", reason), "{iban}: {}", report.words());
        assert!(!report.words().contains(iban), "{iban}: no value of the message");
    }
}

/// Where no answer about the message is due: a problem with its page.
async fn problems(world: &World) {
    let large = || vec![b' '; (1 << 20) + 1];
    let good = || good(400).into_bytes();
    let cases = [
        ("JSON's label", Some("application/json"), good(), None, 415, "MEDIA_TYPE_UNSUPPORTED"),
        ("text's label", Some("text/plain"), good(), None, 415, "MEDIA_TYPE_UNSUPPORTED"),
        ("over 1 MiB", XML, large(), None, 413, "BODY_TOO_LARGE"),
        ("other key", XML, good(), Some("unknown"), 401, "API_KEY_UNKNOWN"),
        ("no key", XML, good(), Some(""), 401, "API_KEY_"),
    ];
    for (name, kind, body, key, status, code) in cases {
        let answer = world.post("HK", kind, body, key).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text);
        assert_eq!(answer.kind, "application/problem+json", "{name}");
        assert!(answer.text.contains(&format!("\"{code}")), "{name}: {}", answer.text);
    }
    assert!(world.wallet("HK").look(&uetr(400)).await.unwrap().is_none(), "nothing was kept");
}

/// `InstdAmt` is the most that may be debited, fees included; with a quote nothing but the submit
/// is recorded, so that every refusal leaves the root as it was.
pub(super) async fn a_quote_bounds_the_debit(world: &World) {
    let asked = serde_json::json!({
        "creditor_agent": CORRIDOR.creditor_agent,
        "destination_amount": { "amount": "4300.50", "currency": "PHP" },
        "other_currency": "HKD",
    });
    let (status, quote) = world.wallet("HK").quote("iso-bound", &asked).await.unwrap();
    assert_eq!(status.as_u16(), 201, "{quote}");
    let id = quote["id"].as_str().unwrap();
    let hundredths = |amount: &serde_json::Value| -> u64 {
        amount["amount"].as_str().unwrap().replace('.', "").parse().unwrap()
    };
    let debit = hundredths(&quote["source_amount"]) + hundredths(&quote["debtor_fees"]);
    let quoted = |number: u32, most: u64, id: &str| {
        let most = format!(">{}.{:02}</InstdAmt>", most / 100, most % 100);
        let text = with(&good(number), ">650.00</InstdAmt>", &most);
        let named = format!("<InstrForNxtAgt><InstrInf>/QUOTE/{id}</InstrInf></InstrForNxtAgt>");
        with(&text, "<Purp>", &format!("{named}<Purp>"))
    };
    let mismatch = Rejection::QuoteAmountMismatch.reason();
    let before = world.root().await;
    let none = "8a562c67-ca16-48ba-b074-65581be6f011";
    let debtor = |text: String, account| with(&text, CORRIDOR.debtor_account, account);
    for (name, body, reason) in [
        ("a hundredth less", quoted(501, debit - 1, id), "AM14"),
        ("other quote", quoted(502, debit, none), "AG03"),
        ("no quote's name", quoted(503, debit, "tomorrow"), "FF01"),
        ("amount", with(&quoted(504, debit, id), "4300.50", "4300.51"), mismatch.as_str()),
        ("no account", debtor(quoted(505, debit, id), "+85299999999"), "AC01"),
        ("no funds", debtor(quoted(506, debit, id), "+85290000003"), "AM04"),
    ] {
        let report = world.report(&world.post("HK", XML, body, None).await, name);
        assert_eq!(report.verdict(), ("RJCT", reason), "{name}: {}", report.words());
        assert_eq!(world.root().await, before, "{name}: nothing enters the log");
    }
    let exact = world.post("HK", XML, quoted(507, debit, id), None).await;
    let report = world.report(&exact, "exact");
    assert_ne!(report.verdict().0, "RJCT", "{}", report.words());
    assert_eq!(world.ended("HK", &uetr(507)).await.status, "CREDITED");
}

/// The same message again moves nothing; another under the same UETR is refused as such.
pub(super) async fn a_repeat_is_the_first_and_another_content_is_refused(world: &World) {
    let first = good(600);
    // Both at once: one is the transfer, the other its answer.
    let (one, two) =
        tokio::join!(world.post("HK", XML, &*first, None), world.post("HK", XML, &*first, None));
    for answer in [one, two] {
        let report = world.report(&answer, "first");
        assert_ne!(report.verdict().0, "RJCT", "{}", report.words());
    }
    assert_eq!(world.ended("HK", &uetr(600)).await.status, "CREDITED");
    let before = world.root().await;
    for kind in [XML, Some("text/xml; charset=UTF-8"), Some("application/pacs.008+xml"), None] {
        let again = world.post("HK", kind, &*first, None).await;
        assert_eq!(world.report(&again, "again").verdict(), ("ACCC", ""), "{kind:?}");
    }
    for (from, to) in [
        (">4300.50<", ">4300.51<"),
        ("ผู้รับ ทดสอบ", "ผู้รับ อื่น"),
        ("測試甲", "測試乙"),
        ("謝謝", "多謝"),
        ("GIFT", "FAMI"),
        (CORRIDOR.creditor_account, "+639000000002"),
    ] {
        let report = world.report(&world.post("HK", XML, with(&first, from, to), None).await, to);
        assert_eq!(report.verdict(), ("RJCT", "DU03"), "{to}: {}", report.words());
        assert!(report.words().contains("UETR_REUSED"), "{to}: {}", report.words());
    }
    assert_eq!(world.root().await, before, "nothing enters the log");
}

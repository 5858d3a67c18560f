//! MT940 and MT942: with and without FIN's blocks, every mark, the ways of field 86, pages, and what
//! can't be read.

use super::{codes, items, judged};
use crate::{Code, CreditDebit, Entry, EntryStatus, Item, Kind, Verdict, ties::Tie};

const STATEMENT: &str = "\
:20:STMT-7
:25:ACCT-1
:28C:7/1
:60F:C261122EUR100,00
:61:2611231123D20,00NTRFREF-1//SVC-1
SUPPLEMENT
:86:/EREF/E2E-1//NAME/EXAMPLE CREDITOR/IBAN/ACCT-2/REMI/NOVEMBER
:61:2611231123C7,45NTRFNONREF//SVC-2
:86:166?00CREDIT?20EREF+E2E-2?21SVWZ+DECE?22MBER?30CWHKHKH0?31ACCT-3?32EXAMPLE?33 DEBTOR
:62F:C261123EUR87,45
:64:C261123EUR87,45
:86:END OF DAY
";

fn fin(body: &str, kind: &str) -> String {
    format!(
        "\u{1}{{1:F01CWHKHKH0AXXX0000000000}}{{2:O{kind}0100261124CWPHPHM0AXXX00000000002611240100N}}\
         {{3:{{108:REF}}}}{{4:\r\n{}-}}{{5:{{CHK:0123456789AB}}}}\u{3}\r\n",
        body.replace('\n', "\r\n")
    )
}

fn entries(items: &[Item]) -> Vec<Entry> {
    super::entries(items).cloned().collect()
}

#[test]
fn a_statement_is_read_with_and_without_blocks() {
    let (plain, plain_items) = items(STATEMENT, None);
    let (blocks, block_items) = items(&fin(STATEMENT, "940"), None);
    assert_eq!(codes(&plain), [], "{:?}", plain.findings);
    assert_eq!(codes(&blocks), [], "{:?}", blocks.findings);
    assert_eq!(entries(&plain_items), entries(&block_items));
    let statement = &blocks.statements[0];
    assert_eq!(blocks.format.as_deref(), Some("MT940"));
    assert_eq!(statement.head.account.servicer.as_deref(), Some("CWPHPHM0"));
    assert_eq!(statement.head.sequence(), Some(7));
    assert_eq!(statement.head.additional_information.as_deref(), Some("END OF DAY"));
    assert_eq!(statement.arithmetic.balances, Tie::Holds);
    assert_eq!(statement.currency.as_deref(), Some("EUR"));

    let [debit, credit] = entries(&plain_items).try_into().expect("there are two");
    assert_eq!(debit.credit_debit, CreditDebit::Debit);
    assert_eq!(debit.booking_date.as_deref(), Some("2026-11-23"));
    assert_eq!(debit.servicer_reference.as_deref(), Some("SVC-1"));
    assert_eq!(debit.bank_transaction_code.proprietary.as_deref(), Some("NTRF"));
    let detail = &debit.details[0];
    assert_eq!(detail.references.instruction_id.as_deref(), Some("REF-1"));
    assert_eq!(detail.references.end_to_end_id.as_deref(), Some("E2E-1"));
    assert_eq!(detail.parties.creditor.as_deref(), Some("EXAMPLE CREDITOR"));
    assert_eq!(detail.parties.creditor_account.as_deref(), Some("ACCT-2"));
    assert_eq!(detail.remittance_information, ["NOVEMBER"]);
    assert_eq!(detail.additional_information.as_deref(), Some("SUPPLEMENT"));
    let detail = &credit.details[0];
    assert_eq!(detail.references.instruction_id, None, "NONREF is none");
    assert_eq!(detail.references.end_to_end_id.as_deref(), Some("E2E-2"));
    assert_eq!(detail.parties.debtor.as_deref(), Some("EXAMPLE DEBTOR"));
    assert_eq!(detail.parties.debtor_agent.as_deref(), Some("CWHKHKH0"));
    assert_eq!(detail.remittance_information, ["DECEMBER"]);
}

#[test]
fn marks_say_direction_reversal_and_expectation() {
    let uetr = "8a562c67-ca16-48ba-b074-65581be6f011";
    let rows = [
        ("RC", CreditDebit::Debit, true, EntryStatus::Booked),
        ("RD", CreditDebit::Credit, true, EntryStatus::Booked),
        ("EC", CreditDebit::Credit, false, EntryStatus::Pending),
        ("ED", CreditDebit::Debit, false, EntryStatus::Pending),
        ("CR", CreditDebit::Credit, false, EntryStatus::Booked),
    ];
    for (mark, side, reversal, status) in rows {
        let body = format!(
            ":20:R-1\n:25:ACCT-1\n:28C:1\n:34F:EURD0,\n:34F:EURC0,\n:13D:2611231015+0800\n\
             :60F:C261123EUR0,\n:61:261123{mark}5,NTRFREF\n:86:PAYMENT {uetr}\n"
        );
        // An interim report has no balances; the currency comes with the floor limit's field here.
        let (judged, items) = items(&fin(&body, "942"), None);
        let [entry] = entries(&items).try_into().expect("there is one");
        let entry: Entry = entry;
        assert_eq!(
            (entry.credit_debit, entry.reversal, &entry.status),
            (side, reversal, &status),
            "{mark}"
        );
        assert_eq!(entry.details[0].references.uetr.as_deref(), Some(uetr));
        assert_eq!(judged.statements[0].head.kind, Kind::Report);
        assert_eq!(
            judged.statements[0].head.created_at.as_deref(),
            Some("2026-11-23T10:15:00+08:00")
        );
    }
}

#[test]
fn a_report_takes_its_currency_from_the_floor_limit_and_counts() {
    let body = ":20:R-1\n:25:ACCT-1\n:28C:1/1\n:34F:PHPD0,\n:13D:2611231015+0800\n\
                :61:261123C5,25NTRFREF\n:61:261123D1,NTRFREF\n:90D:1PHP1,\n:90C:1PHP5,25\n";
    let judged = judged(&fin(body, "942"));
    assert_eq!(codes(&judged), [], "{:?}", judged.findings);
    assert_eq!(judged.format.as_deref(), Some("MT942"));
    assert_eq!(judged.statements[0].arithmetic.summary, Tie::Holds);
    let wrong = super::judged(&fin(&body.replace(":90D:1PHP1,", ":90D:2PHP1,50"), "942"));
    assert_eq!(codes(&wrong), [Code::SummaryCountDiffers, Code::SummarySumDiffers]);
}

#[test]
fn messages_follow_one_another_and_pages_chain() {
    let first = STATEMENT.replace(":62F:", ":62M:").replace(":64:C261123EUR87,45\n", "");
    let second = ":20:STMT-7\n:25:ACCT-1\n:28C:7/2\n:60M:C261123EUR87,45\n:61:261123RC7,45NTRFREF\n\
                  :62F:C261123EUR80,00\n";
    for file in [
        fin(&first, "940") + &fin(second, "940"),
        format!("{first}{second}"),
        format!("{first}-\n{second}-\n"),
    ] {
        let judged = judged(&file);
        assert_eq!(codes(&judged), [], "{:?}", judged.findings);
        assert_eq!(judged.statements.len(), 2);
        assert_eq!(judged.arithmetic().balances, Tie::Holds);
    }
    let lost = second.replace("7/2", "7/3");
    assert!(codes(&judged(&(first + &lost))).contains(&Code::PageMissing));
    let next = second.replace("7/2", "9/1").replace(":60M:", ":60F:");
    let chain = STATEMENT.to_owned() + &next;
    assert_eq!(codes(&judged(&chain)), [Code::SequenceGap]);
}

#[test]
fn what_is_wrong_has_its_code() {
    let cases: &[(&str, &str, Code)] = &[
        ("D20,00NTRF", "D2O,00NTRF", Code::AmountUnreadable),
        ("D20,00NTRF", "X20,00NTRF", Code::AmountUnreadable),
        (":60F:C261122EUR100,00\n", "", Code::AmountUnreadable),
        (":60F:C261122EUR100,00", ":60F:C261122EU100,00", Code::AmountUnreadable),
        (":25:ACCT-1\n", "", Code::AccountMissing),
        (":62F:C261123EUR87,45\n", "", Code::Truncated),
        ("D20,00NTRF", "D20.00NTRF", Code::FieldMalformed),
        ("7,45", "7,455", Code::AmountDecimals),
        (":62F:C261123EUR87,45", ":62F:C261123EUR87,46", Code::BalanceDiffers),
        (":62F:C261123EUR87,45", ":62F:D261123EUR87,45", Code::BalanceDiffers),
        (":62F:C261123", ":62F:C261133", Code::DateUnreadable),
        (":64:C261123EUR87,45", ":64:odd", Code::BalanceUnreadable),
        (":86:END", ":99Z:END", Code::FieldUnknown),
        (":28C:7/1", ":28C:seven", Code::FieldMalformed),
        ("EUR", "EUX", Code::CurrencyUnknown),
    ];
    for (from, to, code) in cases {
        let bent = STATEMENT.replacen(from, to, if *from == "EUR" { 9 } else { 1 });
        assert_ne!(bent, STATEMENT, "{from}");
        let judged = judged(&bent);
        assert!(codes(&judged).contains(code), "{to}: {code:?} is not in {:?}", judged.findings);
    }
    let cut = fin(STATEMENT, "940").replace("-}", "");
    assert_eq!(judged(&cut).verdict, Verdict::Refused);
    assert!(codes(&judged(&cut)).contains(&Code::Truncated));
}

#[test]
fn an_entry_date_belongs_to_the_year_that_is_closest() {
    for (line, booked) in [
        ("2701020102", "2027-01-02"),
        ("2701021231", "2026-12-31"),
        ("2612310102", "2027-01-02"),
        ("261231", ""),
    ] {
        let body = STATEMENT.replacen("2611231123", line, 1);
        let (_, items) = items(&body, None);
        let entry = entries(&items).remove(0);
        assert_eq!(entry.booking_date.unwrap_or_default(), booked, "{line}");
    }
}

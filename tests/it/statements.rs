//! `causeway statement check` as a clerk runs it: verdicts, figures and exit status of files, standard
//! input, second copies and CSV under a saved map.
use std::{
    fs,
    io::Write,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;
use services_cli::demo::processes::binary;
use tests::memory::resident_max;

const STATEMENT: &str = "\
:20:STMT-7
:25:ACCT-1
:28C:7/1
:60F:C261122EUR100,00
:61:2611231123D20,00NTRFREF-1//SVC-1
:61:2611231123C7,45NTRFREF-2//SVC-2
:62F:C261123EUR87,45
";

const MAP: &str = "\
name = \"Example\"
delimiter = \";\"
decimal_mark = \",\"
date_format = \"DD.MM.YYYY\"

[columns]
account = { value = \"ACCT-1\" }
currency = { value = \"EUR\" }
booking_date = \"Date\"
amount = \"Amount\"
balance = 3
";

const CAMT: [&str; 3] = [
    "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\"><BkToCstmrStmt>\
     <GrpHdr><MsgId>MSG-1</MsgId><CreDtTm>2026-11-24T01:00:00+08:00</CreDtTm></GrpHdr>\
     <Stmt><Id>STMT-1</Id><CreDtTm>2026-11-24T01:00:00+08:00</CreDtTm>\
     <Acct><Id><Othr><Id>ACCT-1</Id></Othr></Id><Ccy>EUR</Ccy></Acct>\
     <Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">0.00</Amt>\
     <CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-23</Dt></Dt></Bal>\
     <Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">3000.00</Amt>\
     <CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-23</Dt></Dt></Bal>",
    "<Ntry><Amt Ccy=\"EUR\">0.01</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>\
     <BookgDt><Dt>2026-11-23</Dt></BookgDt><ValDt><Dt>2026-11-23</Dt></ValDt>\
     <AcctSvcrRef>SVC-1</AcctSvcrRef><BkTxCd><Prtry><Cd>TRF</Cd></Prtry></BkTxCd></Ntry>",
    "</Stmt></BkToCstmrStmt></Document>",
];

const MT940: [&str; 3] = [
    ":20:STMT-1\n:25:ACCT-1\n:28C:1/1\n:60F:C261122EUR0,00\n",
    ":61:2611231123C0,01NTRFREF-1//SVC-1\n:86:Example Debtor, November\n",
    ":62F:C261123EUR12000,00\n",
];

fn started(folder: &Path, words: &[&str]) -> Child {
    let mut command = Command::new(binary().unwrap());
    command.args(["statement", "check"]).args(words).current_dir(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn check(folder: &Path, words: &[&str], input: &str) -> Output {
    let mut child = started(folder, words);
    // A command that is wrong ends without reading.
    let _closed = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Exit status and one object a line.
fn objects(output: &Output) -> (i32, Vec<Value>) {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let objects = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code().unwrap(), objects)
}

#[test]
fn statement_check_says_what_a_file_holds() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("good.sta"), STATEMENT).unwrap();
    let (status, objects) = objects(&check(folder.path(), &["--json", "good.sta"], ""));
    let [good] = objects.as_slice() else { panic!("{objects:?}") };
    assert_eq!(status, 0, "{good}");
    assert_eq!(good["verdict"], "ok");
    assert_eq!(good["findings"], Value::Array(Vec::new()));
    assert_eq!((&good["entries"], &good["format"]), (&Value::from(2), &Value::from("MT940")));
    assert_eq!(good["opening"]["amount"], "100.00");
    assert_eq!(
        (&good["closing"]["amount"], &good["closing"]["type"]),
        (&"87.45".into(), &"CLBD".into())
    );
    assert_eq!((&good["account"], &good["currency"]), (&"ACCT-1".into(), &"EUR".into()));
    assert_eq!(good["arithmetic"]["balances"], "holds");
    assert_eq!(good["period"]["to"], "2026-11-23");
    let people = check(folder.path(), &["good.sta"], "");
    let text = String::from_utf8(people.stdout).unwrap();
    assert!(text.contains("87.45 EUR") && text.contains("holds"), "{text}");
}

#[test]
fn statement_check_answers_by_its_exit_status() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = STATEMENT.replace("87,45", "87,46");
    let (status, found) = objects(&check(folder.path(), &["--json", "-"], &wrong));
    assert_eq!((status, &found[0]["verdict"]), (1, &"findings".into()), "{found:?}");
    assert_eq!(found[0]["findings"][0]["code"], "BALANCE_DIFFERS");
    let cut = STATEMENT.replace(":62F:C261123EUR87,45\n", "");
    let (status, found) = objects(&check(folder.path(), &["--json", "-"], &cut));
    assert_eq!((status, &found[0]["verdict"]), (2, &"refused".into()), "{found:?}");
    assert_eq!(found[0]["findings"][0]["code"], "TRUNCATED");
    let absent = check(folder.path(), &["--json", "absent.xml"], "");
    assert_eq!((absent.status.code(), absent.stdout.len()), (Some(2), 0));
    assert!(String::from_utf8_lossy(&absent.stderr).contains("absent.xml"));
    assert_eq!(check(folder.path(), &[], "").status.code(), Some(2), "a file is needed");
}

#[test]
fn statement_check_knows_second_copies_and_maps() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["one.sta", "two.sta"] {
        fs::write(folder.path().join(file), STATEMENT).unwrap();
    }
    let (status, found) = objects(&check(folder.path(), &["--json", "one.sta", "two.sta"], ""));
    assert_eq!((status, &found[0]["verdict"], found.len()), (2, &"ok".into(), 2));
    assert_eq!(found[1]["findings"][0]["code"], "DUPLICATE_FILE");

    fs::write(folder.path().join("map.toml"), MAP).unwrap();
    let rows = "Date;Amount;Balance\n22.11.2026;-20,00;80,00\n23.11.2026;7,45;87,45\n";
    let words = ["--json", "--map", "map.toml", "-"];
    let (status, found) = objects(&check(folder.path(), &words, rows));
    assert_eq!((status, &found[0]["closing"]["amount"]), (0, &"87.45".into()), "{found:?}");
    let (status, found) = objects(&check(folder.path(), &words, &rows.replace("Amount", "Sum")));
    assert_eq!((status, &found[0]["findings"][0]["code"]), (2, &"MAP_COLUMN_MISSING".into()));
    fs::write(folder.path().join("map.toml"), MAP.replace("delimiter", "delimitre")).unwrap();
    assert_eq!(check(folder.path(), &words, rows).status.code(), Some(2), "a typing error is told");
}

/// The most memory that a statement took until its last entry was read, in KiB: it is made while it
/// is read, so that nobody ever holds it.
fn memory_at_most([head, entry, tail]: [&str; 3], entries: u32) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let mut child = started(folder.path(), &["--json", "-"]);
    let mut input = child.stdin.take().unwrap();
    input.write_all(head.as_bytes()).unwrap();
    let thousand = entry.repeat(1_000);
    for _ in 0..entries / 1_000 {
        input.write_all(thousand.as_bytes()).unwrap();
    }
    let memory = resident_max(child.id()).unwrap();
    input.write_all(tail.as_bytes()).unwrap();
    drop(input);
    let (status, found) = objects(&child.wait_with_output().unwrap());
    assert_eq!((status, &found[0]["entries"]), (0, &entries.into()), "{found:?}");
    memory
}

#[test]
fn memory_does_not_grow_with_a_statement() {
    for (statement, entries) in [(CAMT, 300_000), (MT940, 1_200_000)] {
        let memory = memory_at_most(statement, entries);
        // Either has more than 64 MiB.
        assert!(memory < 48 << 10, "{memory} KiB for a statement that begins {}", statement[0]);
    }
}

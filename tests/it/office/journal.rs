//! The third leg: a participant's own journal beside the ledger, by digests. A hundred thousand rows of which ten differ;
//! only rows of the buckets that differ travel.
use std::{collections::BTreeMap, fs, path::Path, process::Command};

use ledger_proof::Field;
use serde_json::Value;
use services_cli::demo::processes::binary;
use services_office::{
    Actor, Role,
    bridge::{Leg, day_number},
    journal::{self, Row, Scope},
    store::{BreakFilter, NewAccount},
};
use time::{Date, OffsetDateTime};

use super::{Desk, MEMBER_ACCOUNT, MONDAY, TUESDAY, clerk, fund, now};

const MEMBER: u32 = 101;
const ROWS: u64 = 100_000;

fn amount(number: u64) -> u64 {
    100 + number
}

impl Desk {
    /// Fundings of the member in one statement each for records, postings and cursor.
    async fn booked(&self, count: u64, day: Date) {
        let numbers: Vec<i64> = (0..i64::try_from(count).unwrap()).collect();
        let items =
            (0..count).map(|number| fund(amount(number), day, &format!("REF-{number}")).to_bytes());
        let micros = day.midnight().assume_utc().unix_timestamp() * 1_000_000;
        sqlx::query(
            "INSERT INTO ledger.records (sequence, kind, at_micros, salts, item)
             SELECT number, 3, $2, '', item FROM unnest($1::bigint[], $3::bytea[]) AS t (number, item)",
        )
        .bind(&numbers)
        .bind(micros)
        .bind(items.collect::<Vec<_>>())
        .execute(&self.pool)
        .await
        .unwrap();
        sqlx::query(
            "INSERT INTO ledger.postings SELECT number, 0, 3, 1, $2::bytea || convert_to('REF-' || number, 'UTF8'), 4, 7,
                18446744073709551615, 'HKD', 100 + number, 'posted', number FROM unnest($1::bigint[]) AS t (number)",
        )
        .bind(&numbers)
        .bind(day_number(day).to_be_bytes().as_slice())
        .execute(&self.pool)
        .await
        .unwrap();
        sqlx::query("UPDATE ledger.cursor SET next_sequence = $1")
            .bind(i64::try_from(count).unwrap())
            .execute(&self.pool)
            .await
            .unwrap();
    }

    async fn journal_account(&self) -> i64 {
        let new = NewAccount::of("1010-HKD", "HKD", Leg::Journal, MEMBER, MEMBER_ACCOUNT);
        self.office.account_put(&clerk("ana"), &new, now()).await.unwrap()
    }

    async fn causes(&self) -> BTreeMap<String, usize> {
        let rows = self.office.break_list(&clerk("ana"), &BreakFilter::default()).await.unwrap();
        let mut causes = BTreeMap::new();
        for row in rows {
            assert_eq!((row.leg.as_str(), row.participant), ("journal", MEMBER));
            *causes.entry(row.cause).or_default() += 1;
        }
        causes
    }

    async fn states(&self) -> BTreeMap<(String, String), i64> {
        let rows: Vec<(String, String, i64)> =
            sqlx::query_as("SELECT book, state, count(*) FROM office.movements GROUP BY 1, 2")
                .fetch_all(&self.pool)
                .await
                .unwrap();
        rows.into_iter().map(|(book, state, count)| ((book, state), count)).collect()
    }
}

fn scope(day: Date) -> Scope {
    Scope { account: "1010-HKD".to_owned(), currency: "HKD".to_owned(), day: day.to_string() }
}

/// What the participant has booked: as the ledger, but for ten rows.
fn own_rows(day: Date) -> Vec<Row> {
    let row = |number: u64| Row {
        reference: format!("REF-{number}"),
        amount: amount(number),
        credit: true,
        value_date: day,
    };
    let mut rows: Vec<Row> = (0..ROWS).map(row).collect();
    for at in [5, 50_000, 99_999] {
        rows[at].amount += 7;
    }
    for at in [17, 70_000] {
        let twice = rows[at].clone();
        rows.push(twice);
    }
    for number in ["A", "B"] {
        rows.push(Row { reference: format!("OWN-{number}"), ..row(900_000) });
    }
    // What the ledger has and the journal has not.
    let lost = ["REF-9", "REF-30000", "REF-88888"];
    rows.retain(|row| !lost.contains(&row.reference.as_str()));
    rows
}

fn causes(rows: &[(&str, usize)]) -> BTreeMap<String, usize> {
    rows.iter().map(|(cause, count)| ((*cause).to_owned(), *count)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_differences_of_a_hundred_thousand_rows_are_found_and_little_travels() {
    let desk = Desk::open().await;
    desk.journal_account().await;
    desk.booked(ROWS, MONDAY).await;
    let (office, ana) = (&desk.office, clerk("ana"));
    let rows = own_rows(MONDAY);
    let digest = journal::digest(scope(MONDAY), &rows);
    let compared = office.journal_compare(&ana, &digest, now()).await.unwrap();
    assert_eq!((compared.rows, compared.ledger_rows), (99_999 + 2, 100_000), "{compared:?}");
    assert_eq!((compared.buckets, compared.differing), (4_096, 10), "{compared:?}");
    assert_eq!(desk.causes().await, BTreeMap::new(), "rows that are waited for are no breaks");
    let wanted = compared.wanted.unwrap();
    let answer = journal::answer(&wanted, &rows).unwrap();
    let travelled = answer.rows.len();
    assert_eq!(travelled, 250, "of {} rows", rows.len());
    let answered = office.journal_take(&ana, &answer, now()).await.unwrap();
    assert_eq!((answered.rows, answered.matched.opened), (travelled, 10), "{answered:?}");
    let expected = [
        ("AMOUNT_DIFFERS", 3),
        ("DUPLICATED", 2),
        ("MISSING_IN_LEDGER", 2),
        ("MISSING_IN_STATEMENT", 3),
    ];
    assert_eq!(desk.causes().await, causes(&expected));
    let size = |message: &Value| message.to_string().len();
    tests::say(&format!(
        "{travelled} of {} rows travelled; digest {} bytes, wanted {}, rows {}",
        rows.len(),
        size(&serde_json::to_value(&digest).unwrap()),
        size(&serde_json::to_value(&wanted).unwrap()),
        size(&serde_json::to_value(&answer).unwrap())
    ));
    assert!(!office.match_all(now()).await.unwrap().changed());
    let again = office.journal_take(&ana, &answer, now()).await.unwrap_err();
    assert_eq!(again.code(), "EXISTS", "{again}");
    mended(&desk, rows, &answer).await;
}

/// A corrected journal of the day closes the breaks whose cause is gone, and keeps the others as they are.
async fn mended(desk: &Desk, mut rows: Vec<Row>, former: &journal::Rows) {
    let (office, ana) = (&desk.office, clerk("ana"));
    let kept: Vec<i64> = breaks_of(desk, "AMOUNT_DIFFERS").await;
    let two = rows.iter().rposition(|row| row.reference == "REF-17").unwrap();
    rows.remove(two);
    rows.retain(|row| row.reference != "OWN-A");
    let digest = journal::digest(scope(MONDAY), &rows);
    let compared = office.journal_compare(&ana, &digest, now()).await.unwrap();
    assert_eq!((compared.revision, compared.differing), (2, 8), "{compared:?}");
    let left = [
        ("AMOUNT_DIFFERS", 3),
        ("DUPLICATED", 1),
        ("MISSING_IN_LEDGER", 1),
        ("MISSING_IN_STATEMENT", 3),
    ];
    assert_eq!(desk.causes().await, causes(&left), "equal buckets close their breaks at once");
    let stale = office.journal_take(&ana, former, now()).await.unwrap_err();
    assert!(stale.to_string().contains("digest: is not that of revision 2"), "{stale}");
    let answer = journal::answer(&compared.wanted.unwrap(), &rows).unwrap();
    let answered = office.journal_take(&ana, &answer, now()).await.unwrap();
    assert_eq!(answered.matched.opened, 0, "{answered:?}");
    assert_eq!(desk.causes().await, causes(&left));
    assert_eq!(
        breaks_of(desk, "AMOUNT_DIFFERS").await,
        kept,
        "what still differs stays the same break"
    );
    // The journal as it should have been: nothing is left.
    let whole: Vec<Row> = (0..ROWS)
        .map(|number| Row {
            reference: format!("REF-{number}"),
            amount: amount(number),
            credit: true,
            value_date: MONDAY,
        })
        .collect();
    let digest = journal::digest(scope(MONDAY), &whole);
    let compared = office.journal_compare(&ana, &digest, now()).await.unwrap();
    assert_eq!((compared.differing, compared.wanted), (0, None));
    assert_eq!(desk.causes().await, BTreeMap::new());
    let states = desk.states().await;
    let count = |book: &str, state: &str| {
        states.get(&(book.to_owned(), state.to_owned())).copied().unwrap_or(0)
    };
    assert_eq!(count("ledger", "agreed"), 100_000, "{states:?}");
    assert_eq!(count("journal", "open") + count("journal", "matched"), 0, "{states:?}");
    let (standing, dissolved, held): (i64, i64, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE dissolved_at IS NULL), count(dissolved_at),
            (SELECT count(*) FROM office.match_movements) FROM office.matches",
    )
    .fetch_one(&desk.pool)
    .await
    .unwrap();
    assert_eq!((standing, held), (0, 2 * dissolved), "a dissolved match's two are kept beside it");
    assert!(dissolved > 200, "{dissolved}");
    let listed = office.journal_list(&ana, 10).await.unwrap();
    let revisions: Vec<(i32, i32)> =
        listed.iter().map(|row| (row.revision, row.differing)).collect();
    assert_eq!(revisions, [(3, 0), (2, 8), (1, 10)]);
    let edited = sqlx::query("UPDATE office.journals SET rows = 0").execute(&desk.pool).await;
    assert!(edited.unwrap_err().to_string().contains("only grows"));
}

async fn breaks_of(desk: &Desk, cause: &str) -> Vec<i64> {
    let filter = BreakFilter { cause: Some(cause.to_owned()), ..BreakFilter::default() };
    let rows = desk.office.break_list(&clerk("ana"), &filter).await.unwrap();
    rows.into_iter().map(|row| row.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_is_its_participant_s_and_of_days_that_are_over() {
    let desk = Desk::open().await;
    desk.journal_account().await;
    desk.booked(3, MONDAY).await;
    let (office, ana) = (&desk.office, clerk("ana"));
    let member = Actor::new("mia", Role::BackOffice, Some(MEMBER)).unwrap();
    let foreign = Actor::new("eve", Role::BackOffice, Some(102)).unwrap();
    let auditor = Actor::new("otto", Role::Auditor, None).unwrap();
    let digest = |day| journal::digest(scope(day), &[]);
    let refused = office.journal_compare(&foreign, &digest(MONDAY), now()).await.unwrap_err();
    assert_eq!(refused.code(), "NOT_FOUND", "{refused}");
    let refused = office.journal_compare(&auditor, &digest(MONDAY), now()).await.unwrap_err();
    assert_eq!(refused.code(), "FORBIDDEN", "{refused}");
    let mut other = digest(MONDAY);
    other.scope.account = "HK-CUSTODY".to_owned();
    let refused = office.journal_compare(&ana, &other, now()).await.unwrap_err();
    assert_eq!(refused.code(), "NOT_FOUND", "{refused}");
    let early: OffsetDateTime = MONDAY.previous_day().unwrap().midnight().assume_utc();
    let refused = office.journal_compare(&ana, &digest(MONDAY), early).await.unwrap_err();
    assert_eq!(refused.code(), "CUT_OFF_NOT_PASSED", "{refused}");
    assert_eq!(office.journal_list(&ana, 10).await.unwrap(), Vec::new());
    // An empty journal of a day with three rows; and one that agrees on a day without any.
    let compared = office.journal_compare(&member, &digest(MONDAY), now()).await.unwrap();
    assert_eq!((compared.buckets, compared.differing), (1, 1));
    let answer = journal::answer(&compared.wanted.unwrap(), &[]).unwrap();
    office.journal_take(&member, &answer, now()).await.unwrap();
    assert_eq!(desk.causes().await, causes(&[("MISSING_IN_STATEMENT", 3)]));
    let compared = office.journal_compare(&ana, &digest(TUESDAY), now()).await.unwrap();
    assert_eq!(compared.wanted, None);
    assert!(office.journal_list(&foreign, 10).await.unwrap().is_empty());
}

fn say(words: &[&str], url: &str) -> (i32, Value) {
    let output = Command::new(binary().unwrap())
        .args(["--json", "office", "journal"])
        .args(words)
        .env("DATABASE_URL", url)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let said = text.lines().last().and_then(|line| serde_json::from_str(line).ok());
    let said =
        said.unwrap_or_else(|| panic!("{words:?}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_three_messages_are_files_of_a_terminal() {
    let desk = Desk::open().await;
    desk.journal_account().await;
    desk.booked(500, MONDAY).await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mut text = "reference,amount,direction,value_date\n".to_owned();
    for number in 0..500_u64 {
        let units = amount(number) + u64::from(number == 250);
        text += &format!("REF-{number},{}.{:02},CRDT,{MONDAY}\n", units / 100, units % 100);
    }
    text += &format!("REF-9999,1.00,CRDT,{TUESDAY}\n");
    fs::write(at("journal.csv"), &text).unwrap();
    let (journal, digest, wanted, rows) =
        (at("journal.csv"), at("digest.json"), at("wanted.json"), at("rows.json"));
    let day = MONDAY.to_string();
    let scope = ["--account", "1010-HKD", "--currency", "HKD", "--day", &day];
    // The participant has no database.
    let words = [&["digest", &journal, "--out", &digest], scope.as_slice()].concat();
    let (status, said) = say(&words, "");
    assert_eq!(status, 0, "{said}");
    assert!(said["text"].as_str().unwrap().starts_with("500 rows in 16 buckets"), "{said}");
    assert!(said["text"].as_str().unwrap().ends_with("1 rows of other days left out"), "{said}");
    let (status, said) = say(&["compare", &digest, "--out", &wanted], &desk.url);
    assert_eq!((status, &said["differing"]), (1, &1.into()), "{said}");
    let (status, said) = say(&["rows", &journal, "--wanted", &wanted, "--out", &rows], "");
    assert_eq!(status, 0, "{said}");
    let (status, said) = say(&["take", &rows], &desk.url);
    assert_eq!((status, &said["matched"]["opened"]), (0, &1.into()), "{said}");
    let (status, said) = say(&["take", &rows], &desk.url);
    assert_eq!((status, &said["error"]), (2, &"EXISTS".into()), "{said}");
    let (status, said) = say(&["list"], &desk.url);
    assert_eq!((status, said["journals"].as_array().unwrap().len()), (0, 1), "{said}");
    fs::write(at("journal.csv"), text.replace("REF-3,1.03", "REF-3,1.033")).unwrap();
    let (status, said) = say(&words, "");
    assert_eq!((status, &said["error"]), (2, &"INVALID".into()), "{said}");
    assert!(said["text"].as_str().unwrap().contains("line 5: amount: 1.033"), "{said}");
    assert!(Path::new(&digest).exists());
}

//! Statements taken in or kept out: copies, chains, unknown accounts, saved column maps, a watched folder.
use std::{collections::BTreeSet, fs, time::Duration};

use serde_json::Value;
use services_office::{Actor, Role, inbox::Inbox};

use super::{Desk, Line, MONDAY, TUESDAY, camt053, clerk, now};

const MAP: &str = r#"
name = "Example"
delimiter = ";"
decimal_mark = ","
date_format = "DD.MM.YYYY"

[columns]
account = { value = "HK-CUSTODY" }
currency = { value = "HKD" }
booking_date = "Date"
amount = "Amount"
balance = 3
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_taken_once_and_kept_as_it_came() {
    let desk = Desk::open().await;
    let (office, ana) = (&desk.office, clerk("Ana"));
    let text =
        camt053(("HK-CUSTODY", "HKD"), 1, MONDAY, 0, &[Line::new(50_000, MONDAY, "A-1")]).unwrap();
    let take = async |name: &str, text: &str| {
        office.statement_import(&ana, name, text.as_bytes().to_vec(), None, now()).await.unwrap()
    };
    let unknown = take("monday.xml", &text).await;
    assert_eq!(
        (unknown.verdict, unknown.findings[0]["code"].as_str()),
        ("refused", Some("ACCOUNT_UNKNOWN"))
    );
    desk.custody().await;
    let first = take("monday.xml", &text).await;
    assert_eq!((first.verdict, first.entries, first.findings.len()), ("ok", 1, 0), "{first:?}");
    let statement = first.statements[0];
    let (name, bytes) = office.statement_original(&ana, statement).await.unwrap();
    assert_eq!((name.as_str(), bytes.as_slice()), ("monday.xml", text.as_bytes()));
    let row = office.statement_fetch(&ana, statement).await.unwrap();
    assert_eq!((row.opening.as_deref(), row.closing.as_deref()), (Some("0.00"), Some("500.00")));
    // The same file, and the same statement in other bytes: both name the first.
    for (code, text) in
        [("DUPLICATE_FILE", text.clone()), ("DUPLICATE_STATEMENT", text.replace("  <", " <"))]
    {
        let again = take("again.xml", &text).await;
        assert_eq!((again.verdict, again.findings[0]["code"].as_str()), ("refused", Some(code)));
        let said = again.findings[0]["text"].as_str().unwrap();
        assert!(said.ends_with("of monday.xml"), "{said}");
    }
    let broken = take("broken.xml", &text[..text.len() / 2]).await;
    assert_eq!(broken.verdict, "refused");
    let refused = office.refused_list(&ana, 10).await.unwrap();
    assert_eq!(refused.iter().map(|row| row.name.as_str()).collect::<BTreeSet<_>>().len(), 3);
    assert_eq!(refused.len(), 4);
    let of_another = Actor::new("eve", Role::BackOffice, Some(101)).unwrap();
    assert_eq!(
        office.statement_fetch(&of_another, statement).await.unwrap_err().code(),
        "NOT_FOUND"
    );
    let auditor = Actor::new("olga", Role::Auditor, None).unwrap();
    let denied = office
        .statement_import(&auditor, "a.xml", text.into_bytes(), None, now())
        .await
        .unwrap_err();
    assert_eq!(denied.code(), "FORBIDDEN");
}

#[tokio::test(flavor = "multi_thread")]
async fn days_are_chained_and_what_was_taken_never_changes() {
    let desk = Desk::open().await;
    desk.custody().await;
    let ok = ("ok", Vec::new());
    assert_eq!(desk.told(1, MONDAY, 0, &[Line::new(50_000, MONDAY, "A-1")]).await, ok);
    let (verdict, codes) = desk.told(3, TUESDAY, 49_999, &[]).await;
    assert_eq!(verdict, "findings");
    assert_eq!(codes, ["SEQUENCE_GAP", "CHAIN_BROKEN"]);
    for table in ["files", "statements", "entries", "acts", "refused_files"] {
        for statement in
            [format!("DELETE FROM office.{table}"), format!("TRUNCATE office.{table} CASCADE")]
        {
            let error =
                sqlx::query(sqlx::AssertSqlSafe(statement.clone())).execute(&desk.pool).await;
            // A table without rows has none to delete.
            let refused =
                error.as_ref().is_err_and(|error| error.to_string().contains("only grows"));
            let empty = error.is_ok_and(|done| done.rows_affected() == 0)
                && statement.starts_with("DELETE");
            assert!(refused || empty, "{statement}");
        }
    }
    let edited =
        sqlx::query("UPDATE office.entries SET amount = amount + 1").execute(&desk.pool).await;
    assert!(edited.unwrap_err().to_string().contains("office.entries only grows: UPDATE refused"));
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_is_read_under_a_saved_map() {
    let desk = Desk::open().await;
    desk.custody().await;
    let (office, ana) = (&desk.office, clerk("ana"));
    let map = toml::from_str(MAP).unwrap();
    assert_eq!(office.map_save(&ana, "example", &map, now()).await.unwrap(), 1);
    assert_eq!(office.map_save(&ana, "example", &map, now()).await.unwrap(), 2);
    let rows = "Date;Amount;Balance\n22.11.2026;-20,00;80,00\n23.11.2026;7,45;87,45\n".to_owned();
    let bytes = rows.into_bytes();
    let taken = office
        .statement_import(&ana, "a.csv", bytes.clone(), Some("example"), now())
        .await
        .unwrap();
    assert_eq!((taken.verdict, taken.entries), ("ok", 2), "{taken:?}");
    let row = office.statement_fetch(&ana, taken.statements[0]).await.unwrap();
    assert_eq!((row.opening.as_deref(), row.closing.as_deref()), (Some("100.00"), Some("87.45")));
    let missing =
        office.statement_import(&ana, "a.csv", bytes, Some("other"), now()).await.unwrap_err();
    assert_eq!(missing.code(), "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_folder_is_emptied_into_done_and_refused() {
    let desk = Desk::open().await;
    desk.custody().await;
    let folder = tempfile::tempdir().unwrap();
    let inbox = Inbox::open(folder.path()).unwrap();
    let incoming = folder.path().join("incoming");
    let text =
        camt053(("HK-CUSTODY", "HKD"), 1, MONDAY, 0, &[Line::new(50_000, MONDAY, "A-1")]).unwrap();
    fs::write(incoming.join("1.xml"), &text).unwrap();
    fs::write(incoming.join("2.xml"), &text).unwrap();
    fs::write(incoming.join("3.txt"), "no statement").unwrap();
    fs::write(incoming.join("4.xml.part"), "half").unwrap();
    let emptied = async {
        let mut looks = tokio::time::interval(Duration::from_millis(50));
        while fs::read_dir(&incoming).unwrap().count() > 1 {
            looks.tick().await;
            desk.office.round(Some(&inbox), now()).await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(20), emptied).await.expect("files are taken");
    let names = |name: &str| -> BTreeSet<String> {
        let listed = fs::read_dir(folder.path().join(name)).unwrap();
        listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(names("done"), set(&["1.xml"]));
    assert_eq!(names("incoming"), set(&["4.xml.part"]));
    assert_eq!(
        names("refused"),
        set(&["2.xml", "2.xml.findings.json", "3.txt", "3.txt.findings.json"])
    );
    let beside = fs::read(folder.path().join("refused/2.xml.findings.json")).unwrap();
    let beside: Value = serde_json::from_slice(&beside).unwrap();
    assert_eq!(
        (&beside["verdict"], &beside["findings"][0]["code"]),
        (&"refused".into(), &"DUPLICATE_FILE".into())
    );
    assert_eq!(fs::read(folder.path().join("done/1.xml")).unwrap(), text.as_bytes());
}

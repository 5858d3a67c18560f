//! Breaks: each planted fault found with its cause and nothing else, closed by itself when the cause is gone, and worked by
//! two people and by a table.
use std::collections::BTreeMap;

use ledger_proof::Field as _;
use services_office::{
    Actor, Error, Role,
    breaks::Resolution,
    correction::{Kind, Proposal},
    store::{Attachment, BreakFilter, BreakRow},
};

use super::{Desk, Line, MEMBER_ACCOUNT, MONDAY, TUESDAY, clerk, fund, now};

async fn open(desk: &Desk) -> Vec<BreakRow> {
    desk.office.break_list(&clerk("ana"), &BreakFilter::default()).await.unwrap()
}

fn causes(rows: &[BreakRow]) -> BTreeMap<&str, Vec<u64>> {
    let mut causes: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for row in rows {
        causes.entry(&row.cause).or_default().push(row.at_risk);
    }
    causes
}

/// Two hundred fundings that agree, and six faults.
async fn planted(desk: &Desk) {
    desk.custody().await;
    let agreed: Vec<String> = (0..200).map(|number| format!("OK-{number}")).collect();
    let mut fundings: Vec<(u64, _, &str)> = (1_u64..)
        .zip(&agreed)
        .map(|(number, name)| (number * 100, MONDAY, name.as_str()))
        .collect();
    let mut lines: Vec<Line> = (1_i64..)
        .zip(&agreed)
        .map(|(number, name)| Line::new(number * 100, MONDAY, name))
        .collect();
    fundings.extend([
        (70_001, MONDAY, "LATE"),
        (70_002, MONDAY, "AMOUNT"),
        (70_003, MONDAY, "TWICE"),
        (70_004, MONDAY, "DAY"),
        (70_005, MONDAY, "BACK"),
        (70_006, TUESDAY, "TOMORROW"),
    ]);
    lines.extend([
        Line::new(70_102, MONDAY, "AMOUNT"),
        Line::new(70_003, MONDAY, "TWICE"),
        Line::new(70_003, MONDAY, "TWICE"),
        Line::new(70_004, MONDAY.previous_day().unwrap(), "DAY"),
        Line::new(70_005, MONDAY, "BACK"),
        Line { reversal: true, ..Line::new(-70_005, MONDAY, "BACK") },
        Line::new(70_007, MONDAY, "STRANGER"),
    ]);
    desk.funded(&fundings).await;
    assert_eq!(desk.told(1, MONDAY, 0, &lines).await.0, "ok");
    assert_eq!(desk.office.ledger_read().await.unwrap(), 206);
}

#[tokio::test(flavor = "multi_thread")]
async fn planted_faults_are_the_only_breaks_and_a_second_run_changes_nothing() {
    let desk = Desk::open().await;
    planted(&desk).await;
    let first = desk.office.match_all(now()).await.unwrap();
    assert_eq!((first.matches, first.opened, first.closed), (202, 6, 0), "{first:?}");
    let rows = open(&desk).await;
    let expected: BTreeMap<&str, Vec<u64>> = BTreeMap::from([
        ("AMOUNT_DIFFERS", vec![100]),
        ("DUPLICATED", vec![70_003]),
        ("MISSING_IN_LEDGER", vec![70_007]),
        ("MISSING_IN_STATEMENT", vec![70_001]),
        ("REVERSED", vec![70_005]),
        ("VALUE_DATE_DIFFERS", vec![70_004]),
    ]);
    assert_eq!(causes(&rows), expected);
    let again = desk.office.match_all(now()).await.unwrap();
    assert!(!again.changed(), "{again:?}");
    assert_eq!(again.compared, 0, "without news nothing is compared");
    desk.funded(&[(70_008, MONDAY, "NEW")]).await;
    assert_eq!(desk.office.ledger_read().await.unwrap(), 1);
    let new = desk.office.match_all(now()).await.unwrap();
    assert!((1..30).contains(&new.compared), "only what is open is compared again: {new:?}");
    assert_eq!((new.matches, new.opened), (0, 1));
    assert_eq!(desk.office.ledger_read().await.unwrap(), 0);
    let states: Vec<(String, i64)> = sqlx::query_as(
        "SELECT state, count(*) FROM office.movements GROUP BY state ORDER BY state",
    )
    .fetch_all(&desk.pool)
    .await
    .unwrap();
    let count =
        |word: &str| states.iter().find(|(state, _)| state == word).map_or(0, |(_, count)| *count);
    // What is due tomorrow is awaited: it is no break.
    assert_eq!((count("awaited"), count("matched"), count("open")), (1, 404, 0), "{states:?}");
    let (score, evidence): (i16, serde_json::Value) =
        sqlx::query_as("SELECT score, evidence FROM office.matches ORDER BY match LIMIT 1")
            .fetch_one(&desk.pool)
            .await
            .unwrap();
    assert_eq!(score, 70, "{evidence}");
    assert_eq!(evidence[0]["reason"], "same servicer's reference");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_break_whose_cause_is_gone_closes_itself() {
    let desk = Desk::open().await;
    planted(&desk).await;
    desk.office.match_all(now()).await.unwrap();
    let late =
        open(&desk).await.into_iter().find(|row| row.cause == "MISSING_IN_STATEMENT").unwrap();
    desk.office
        .break_assign(&clerk("ana"), (late.id, late.version), Some("Ben"), now())
        .await
        .unwrap();
    let closing: (String,) = sqlx::query_as("SELECT closing::text FROM office.statements")
        .fetch_one(&desk.pool)
        .await
        .unwrap();
    let opening = closing.0.parse().unwrap();
    let lines = [Line::new(70_001, MONDAY, "LATE"), Line::new(70_006, TUESDAY, "TOMORROW")];
    assert_eq!(desk.told(2, TUESDAY, opening, &lines).await, ("ok", Vec::new()));
    let matched = desk.office.match_all(now()).await.unwrap();
    assert_eq!((matched.matches, matched.opened, matched.closed), (2, 0, 1), "{matched:?}");
    let shown = desk.office.break_show(&clerk("ana"), late.id).await.unwrap();
    assert_eq!(
        (shown.row.state.as_str(), shown.row.resolution.as_deref()),
        ("closed", Some("cause_gone"))
    );
    let verbs: Vec<&str> = shown.history.iter().map(|act| act.verb.as_str()).collect();
    assert_eq!(verbs, ["open", "assign", "close"]);
    assert_eq!(shown.history[2].actor, "office");
    // A funding that the custodian told first, and the ledger books later.
    desk.funded(&[(70_007, MONDAY, "STRANGER")]).await;
    assert_eq!(desk.office.ledger_read().await.unwrap(), 1);
    let matched = desk.office.match_all(now()).await.unwrap();
    assert_eq!((matched.matches, matched.closed), (1, 1), "{matched:?}");
    let left: Vec<String> = open(&desk).await.into_iter().map(|row| row.cause).collect();
    assert!(!left.contains(&"MISSING_IN_LEDGER".to_owned()), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_closes_a_break_alone() {
    let desk = Desk::open().await;
    planted(&desk).await;
    desk.office.match_all(now()).await.unwrap();
    let office = &desk.office;
    let (ana, ben) = (clerk("Ana"), clerk("ben"));
    let id = open(&desk).await.into_iter().find(|row| row.cause == "AMOUNT_DIFFERS").unwrap().id;
    let version = async || office.break_show(&ana, id).await.unwrap().row.version;
    let note = (&Proposal::default(), "the bank confirms its amount");
    let stale = office.break_propose(&ana, (id, 7), Kind::Accept, note, now()).await.unwrap_err();
    assert_eq!(stale.code(), "STALE");
    let alone = office.break_close(&ana, (id, 1), Resolution::Accepted, now()).await.unwrap_err();
    assert_eq!(alone.code(), "STATE");
    office.break_propose(&ana, (id, 1), Kind::Accept, note, now()).await.unwrap();
    // Another spelling is the same person.
    let same =
        office.break_approve(&clerk(" ANA "), (id, version().await), now()).await.unwrap_err();
    assert!(matches!(same, Error::SamePerson { .. }), "{same:?}");
    let forced = "INSERT INTO office.decisions SELECT correction, proposed_by, 'approved', now(), proposed_by FROM office.corrections";
    assert!(
        sqlx::query(forced)
            .execute(&desk.pool)
            .await
            .unwrap_err()
            .to_string()
            .contains("check constraint")
    );
    let forced = "UPDATE office.breaks SET state = 'closed', resolution = 'accepted', closed_at = now(), version = version + 1 WHERE break = $1";
    let forced = sqlx::query(forced).bind(id).execute(&desk.pool).await.unwrap_err();
    assert!(forced.to_string().contains("another person approved"), "{forced}");
    let skipped = sqlx::query("UPDATE office.breaks SET owner = 'eve' WHERE break = $1")
        .bind(id)
        .execute(&desk.pool)
        .await;
    assert!(skipped.unwrap_err().to_string().contains("version 3 follows 2"));
    let machine =
        office.break_approve(&Actor::service(), (id, version().await), now()).await.unwrap_err();
    assert_eq!(machine.code(), "FORBIDDEN");
    let foreign = Actor::new("eve", Role::BackOffice, Some(101)).unwrap();
    assert_eq!(office.break_show(&foreign, id).await.unwrap_err().code(), "NOT_FOUND");
    office.break_refuse(&ana, (id, version().await), now()).await.unwrap();
    office.break_propose(&ana, (id, version().await), Kind::WriteOff, note, now()).await.unwrap();
    office.break_approve(&ben, (id, version().await), now()).await.unwrap();
    office.break_close(&ana, (id, version().await), Resolution::WrittenOff, now()).await.unwrap();
    assert!(!office.match_all(now()).await.unwrap().changed(), "what people closed stays closed");
    office
        .break_reopen(&ben, (id, version().await), "the bank takes it back", now())
        .await
        .unwrap();
    // The approval of its former life counts no more.
    let alone = office
        .break_close(&ana, (id, version().await), Resolution::Accepted, now())
        .await
        .unwrap_err();
    assert_eq!(alone.code(), "STATE");
    let shown = office.break_show(&ana, id).await.unwrap();
    let verbs: Vec<&str> = shown.history.iter().map(|act| act.verb.as_str()).collect();
    assert_eq!(verbs, ["open", "propose", "decide", "propose", "decide", "close", "reopen"]);
    let decisions: Vec<_> =
        shown.corrections.iter().map(|row| row.decision.as_deref().unwrap()).collect();
    assert_eq!(decisions, ["withdrawn", "approved"]);
    let edited =
        sqlx::query("UPDATE office.acts SET actor = 'eve'").execute(&desk.pool).await.unwrap_err();
    assert!(edited.to_string().contains("only grows"), "{edited}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_that_moves_money_is_an_item_that_the_ledger_must_have() {
    let desk = Desk::open().await;
    planted(&desk).await;
    desk.office.match_all(now()).await.unwrap();
    let (office, ana, ben) = (&desk.office, clerk("ana"), clerk("ben"));
    let own = open(&desk).await.into_iter().find(|row| row.cause == "MISSING_IN_LEDGER").unwrap();
    assert_eq!(own.suggestion, "fund");
    let note = "the member paid in at the counter";
    let lacks = office
        .break_propose(&ana, (own.id, 1), Kind::Fund, (&Proposal::default(), note), now())
        .await
        .unwrap_err();
    assert_eq!(lacks.to_string(), "account: this correction needs it");
    let proposal = Proposal { account: Some(MEMBER_ACCOUNT), ..Proposal::default() };
    let proposed = office
        .break_propose(&ana, (own.id, 1), Kind::Fund, (&proposal, note), now())
        .await
        .unwrap();
    let early = office.correction_record(&ana, proposed.correction, None, now()).await.unwrap_err();
    assert_eq!(early.code(), "STATE");
    office.break_approve(&ben, (own.id, 2), now()).await.unwrap();
    // The ledger has a funding of that name, but it is not this item: another nonce.
    desk.funded(&[(70_007, MONDAY, "STRANGER")]).await;
    let other = office.correction_record(&ana, proposed.correction, None, now()).await.unwrap_err();
    assert_eq!(other.code(), "NOT_RECORDED");
    let item = ledger_proof::Item::from_bytes(&proposed.item.unwrap());
    let ledger_proof::Item::Fund(drafted) = item.unwrap() else { panic!("a funding") };
    let ledger_proof::Item::Fund(meant) = fund(70_007, MONDAY, "STRANGER") else {
        panic!("a funding")
    };
    assert_ne!(drafted.nonce, meant.nonce);
    assert_eq!(ledger_proof::item::Fund { nonce: meant.nonce, ..drafted }, meant);
    let file = Attachment { name: "slip.pdf".to_owned(), bytes: b"%PDF".to_vec() };
    let attachment = office.break_attach(&ana, own.id, &file, now()).await.unwrap();
    assert_eq!(office.attachment_fetch(&ben, own.id, attachment).await.unwrap(), file);
    assert_eq!(office.break_attach(&ana, own.id, &file, now()).await.unwrap_err().code(), "EXISTS");
    let large = Attachment { name: "a".to_owned(), bytes: vec![0; (10 << 20) + 1] };
    assert_eq!(
        office.break_attach(&ana, own.id, &large, now()).await.unwrap_err().code(),
        "INVALID"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn breaks_are_edited_as_a_table_all_or_nothing() {
    let desk = Desk::open().await;
    planted(&desk).await;
    desk.office.match_all(now()).await.unwrap();
    let (office, ana) = (&desk.office, clerk("ana"));
    let bytes = office.break_export(&ana, &BreakFilter::default()).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text.lines().count(), 7, "{text}");
    let edit = |find: &str, owner: &str, comment: &str| {
        let lines = text.lines().map(|line| {
            if line.contains(find) {
                line.replace(",open,,,", &format!(",open,{owner},{comment},"))
            } else {
                line.to_owned()
            }
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    let edited = edit("DUPLICATED", "ben", "asked the bank");
    let preview = office.break_import_preview(&ana, edited.as_bytes()).await.unwrap();
    assert_eq!(
        (preview.changes.len(), preview.refusals.len(), preview.unchanged),
        (1, 0, 5),
        "{preview:?}"
    );
    assert_eq!(
        open(&desk).await.iter().filter(|row| row.owner.is_some()).count(),
        0,
        "a preview changes nothing"
    );
    let done = office.break_import(&ana, edited.as_bytes(), now()).await.unwrap();
    assert_eq!(done, preview);
    let own = open(&desk).await.into_iter().find(|row| row.cause == "DUPLICATED").unwrap();
    assert_eq!((own.owner.as_deref(), own.version), (Some("ben"), 2));
    let shown = office.break_show(&ana, own.id).await.unwrap();
    assert_eq!(shown.comments[0].text, "asked the bank");
    // The same table again is stale in one row, so that nothing of it is done.
    let stale = edit("AMOUNT_DIFFERS", "eve", "");
    let refused = office.break_import(&ana, stale.as_bytes(), now()).await.unwrap();
    assert_eq!((refused.changes.len(), refused.refusals[0].code), (1, "STALE"), "{refused:?}");
    assert!(open(&desk).await.iter().all(|row| row.owner.as_deref() != Some("eve")));
    let fixed = text.replace("AMOUNT_DIFFERS", "DUPLICATED");
    let refused = office.break_import(&ana, fixed.as_bytes(), now()).await.unwrap();
    assert!(refused.refusals.iter().any(|one| one.text.contains("can't be edited")), "{refused:?}");
    let closing = text.replace(",open,,,", ",open,,,no_break");
    let refused = office.break_import(&ana, closing.as_bytes(), now()).await.unwrap();
    assert!(refused.refusals.iter().any(|one| one.code == "STATE"), "{refused:?}");
    let wrong = office.break_import_preview(&ana, b"a,b\n1,2\n").await.unwrap_err();
    assert_eq!(wrong.code(), "INVALID");
}

//! Days that follow one another: what one leaves is what the next opens with, and nothing before it is read again.
use serde_json::{Value, json};
use services_office::store::{Close, DayRow};
use time::{Date, macros::date};

use super::{Desk, Line, MEMBER_ACCOUNT, MONDAY, TUESDAY, clerk, now};

const WEDNESDAY: Date = date!(2026 - 11 - 25);
/// An account of another member.
const OTHER_ACCOUNT: u64 = 9;

impl Desk {
    /// A record of no item; gives its number.
    async fn record(&self, kind: i16) -> i64 {
        let row: (i64,) = sqlx::query_as(
            "WITH own AS (UPDATE ledger.cursor SET next_sequence = next_sequence + 1 RETURNING next_sequence - 1 AS number)
             INSERT INTO ledger.records (sequence, kind, at_micros, salts) SELECT number, $1, 1000000 * number + 1, '' FROM own
             RETURNING sequence",
        )
        .bind(kind)
        .fetch_one(&self.pool)
        .await
        .unwrap();
        row.0
    }

    /// A transfer of the member, reserved, or posted by the record that made it.
    async fn sent(&self, amount: i64, at_once: bool) -> i64 {
        let sequence = self.record(1).await;
        sqlx::query(
            "INSERT INTO ledger.postings VALUES ($1, 0, 1, 101, decode('00000000000040008000' || lpad(to_hex($1), 12, '0'), 'hex'), 1,
                18446744073709551615, 9, 'HKD', $2, CASE WHEN $3 THEN 'posted' ELSE 'pending' END, CASE WHEN $3 THEN $1 ELSE 0 END)",
        )
        .bind(sequence)
        .bind(amount)
        .bind(at_once)
        .execute(&self.pool)
        .await
        .unwrap();
        sequence
    }

    async fn decided(&self, transfer: i64, state: &str) {
        let sequence = self.record(if state == "posted" { 2 } else { 4 }).await;
        sqlx::query(
            "UPDATE ledger.postings SET state = $2, decided_sequence = $3 WHERE sequence = $1",
        )
        .bind(transfer)
        .bind(state)
        .bind(sequence)
        .execute(&self.pool)
        .await
        .unwrap();
    }

    /// Ends an entry, and with it the day of a statement that closes with what the custodian holds.
    async fn closes(
        &self,
        day: Date,
        number: u64,
        line: Option<i64>,
    ) -> Result<DayRow, services_office::Error> {
        let up_to = self.record(129).await;
        sqlx::query(
            "INSERT INTO ledger.entries SELECT $1 + 1, coalesce(max(last_sequence) + 1, 0), $1, 1, sha256('entry') FROM ledger.entries",
        )
        .bind(up_to)
        .execute(&self.pool)
        .await
        .unwrap();
        let lines: Vec<Line> =
            line.map(|amount| Line::new(amount, day, "CASH-1")).into_iter().collect();
        let opening = if line.is_some() { 0 } else { 100_000 };
        assert_eq!(self.told(number, day, opening, &lines).await.0, "ok");
        let close = Close { currency: "HKD".to_owned(), day, up_to: Some(up_to) };
        self.office.day_close(&clerk("ana"), &close, now()).await
    }
}

fn balance(day: &DayRow, account: u64) -> Value {
    let rows = day.report["balances"].as_array().unwrap();
    let account = Value::String(account.to_string());
    let own = rows.iter().find(|row| row["account"] == account).unwrap();
    json!([own["opening"], own["debits"], own["credits"], own["closing"], own["reserved"]])
}

#[tokio::test]
async fn a_day_opens_with_what_the_day_before_left() {
    let desk = Desk::open().await;
    sqlx::query("INSERT INTO ledger.accounts VALUES (9, 102, 'HKD', FALSE, FALSE, 0)")
        .execute(&desk.pool)
        .await
        .unwrap();
    desk.custody().await;
    desk.funded(&[(100_000, MONDAY, "CASH-1")]).await;
    let over_night = desk.sent(30_000, false).await;
    let monday = desk.closes(MONDAY, 1, Some(100_000)).await.unwrap();
    assert_eq!(
        balance(&monday, MEMBER_ACCOUNT),
        json!(["0.00", "0.00", "1000.00", "1000.00", "300.00"])
    );
    assert_eq!((monday.after, &monday.report["pending_transfers"]), (-1, &json!(1)));

    desk.decided(over_night, "posted").await;
    let refused = desk.sent(5_000, false).await;
    desk.decided(refused, "released").await;
    desk.sent(2_000, true).await;
    let accepted = desk.sent(1_000, false).await;
    desk.decided(accepted, "posted").await;
    desk.sent(7_000, false).await;
    let tuesday = desk.closes(TUESDAY, 2, None).await.unwrap();
    assert_eq!(tuesday.after, monday.up_to);
    assert_eq!(
        balance(&tuesday, MEMBER_ACCOUNT),
        json!(["1000.00", "330.00", "0.00", "670.00", "70.00"])
    );
    assert_eq!(
        balance(&tuesday, OTHER_ACCOUNT),
        json!(["0.00", "0.00", "330.00", "330.00", "0.00"])
    );
    assert_eq!(
        (&tuesday.balances[..], &tuesday.report["pending_transfers"]),
        ("1000.00", &json!(1))
    );
    let shown = desk.office.day_show(&clerk("ana"), "HKD", MONDAY).await.unwrap();
    assert_eq!(shown.digest, monday.digest, "each day by its own date");

    // What was closed is not what it was: nothing is opened with it.
    sqlx::raw_sql(
        "SET session_replication_role = replica;
         UPDATE office.days SET report = replace(report, '670.00', '671.00') WHERE day = '2026-11-24';
         RESET session_replication_role",
    )
    .execute(&desk.pool)
    .await
    .unwrap();
    let altered = desk.closes(WEDNESDAY, 3, None).await.unwrap_err();
    assert_eq!(altered.code(), "DAY_BEFORE_ALTERED", "{altered}");
    assert!(altered.to_string().contains("2026-11-24"), "{altered}");
}

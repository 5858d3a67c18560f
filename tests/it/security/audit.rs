//! The audit log holds every act, its chain shows what was changed, and the database itself refuses to change it.
use serde_json::Value;
use services_cli::{admin::gateways::audit_verify, wallet::Wallet};

use super::{Office, get, until};

pub(super) async fn tells_what_was_done_and_notices_changes(office: &Office, auditor: &Wallet) {
    let sender = office.person(Some("eva"), &["send"]).await;
    let said = get(&sender, "/v1/audit", 403).await;
    assert_eq!(said["code"], "SCOPE_MISSING");
    let failed = |seen: &Value| rows(seen).iter().any(|row| row["act"] == "sign_in.failed");
    let page = until(auditor, "/v1/audit?limit=1000", failed).await;
    let acts: Vec<_> = rows(&page).iter().map(|row| row["act"].as_str().unwrap()).collect();
    for act in [
        "gateway.started",
        "key.made",
        "key.rotated",
        "key.revoked",
        "webhook.made",
        "approval.requested",
        "approval.approved",
        "approval.rejected",
        "approval.refused",
        "approval.expired",
    ] {
        assert!(acts.contains(&act), "{act} is missing from {acts:?}");
    }
    assert_eq!(acts.iter().filter(|act| **act == "gateway.started").count(), 2, "and once again");
    let started = rows(&page).iter().find(|row| row["act"] == "gateway.started").unwrap();
    let detail: Value = serde_json::from_str(started["detail"].as_str().unwrap()).unwrap();
    assert_eq!(detail["settings_sha256"].as_str().unwrap().len(), 64, "{started}");
    let approved = rows(&page).iter().find(|row| row["act"] == "approval.approved").unwrap();
    assert_eq!(approved["actor"], "bea");
    assert!(!page.to_string().contains("Testperson") && !page.to_string().contains("cw_"));
    for (place, row) in rows(&page).iter().enumerate() {
        assert_eq!(row["number"].as_u64(), u64::try_from(place + 1).ok());
    }
    let last = get(auditor, "/v1/audit?after=0&limit=1", 200).await;
    let noted = format!("{}:{}", last["last_number"], last["last_digest"].as_str().unwrap());
    audit_verify(&office.config, Some(&noted)).await.unwrap();
    changes_are_refused_and_noticed(office, &noted).await;
}

fn rows(page: &Value) -> &[Value] {
    page["rows"].as_array().map_or(&[], Vec::as_slice)
}

async fn changes_are_refused_and_noticed(office: &Office, noted: &str) {
    let mut sql = office.sql().await;
    let change = "UPDATE audit SET actor = 'nobody' WHERE number = 3";
    let cut = "DELETE FROM audit WHERE number >= 3";
    for statement in [change, cut, "TRUNCATE audit"] {
        let error = sqlx::raw_sql(statement).execute(&mut sql).await.unwrap_err();
        assert!(error.to_string().contains("only grows"), "{statement}: {error}");
    }
    audit_verify(&office.config, Some(noted)).await.unwrap();
    // The gateway, which still notes failed sign-ins, waits: else its next row may follow a row that
    // is being cut here.
    let wait = "SELECT pg_advisory_lock(hashtext('causeway audit ' || current_schema()))";
    sqlx::raw_sql(wait).execute(&mut sql).await.unwrap();
    // Who owns the database can take the guard away; the chain tells then.
    let disable = "ALTER TABLE audit DISABLE TRIGGER USER";
    sqlx::raw_sql(disable).execute(&mut sql).await.unwrap();
    let actor: String = sqlx::query_scalar("SELECT actor FROM audit WHERE number = 3")
        .fetch_one(&mut sql)
        .await
        .unwrap();
    sqlx::raw_sql(change).execute(&mut sql).await.unwrap();
    let told = audit_verify(&office.config, None).await.unwrap_err().to_string();
    assert!(told.contains("broken at row 3"), "{told}");
    sqlx::query("UPDATE audit SET actor = $1 WHERE number = 3")
        .bind(actor)
        .execute(&mut sql)
        .await
        .unwrap();
    audit_verify(&office.config, Some(noted)).await.unwrap();
    sqlx::raw_sql("DELETE FROM audit WHERE number >= 3").execute(&mut sql).await.unwrap();
    audit_verify(&office.config, None).await.unwrap();
    let told = audit_verify(&office.config, Some(noted)).await.unwrap_err().to_string();
    assert!(told.contains("does not hold row"), "what was noted elsewhere shows a cut: {told}");
}

//! One planned transfer from the wallet's order to its end, with the times a wallet sees. It must
//! never assume an outcome.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use ledger_types::Uetr;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::message;
use super::scenario::{Meant, Planned};
use crate::wallet::{Seen, Wallet};

/// How long a wallet waits for anything: longer than hold times and an election.
const PATIENCE: Duration = Duration::from_secs(40);

/// What became of one transfer.
#[derive(Clone, Debug)]
pub(super) struct Played {
    /// What was planned.
    pub planned: Planned,
    /// Its reference.
    pub uetr: String,
    /// When the wallet called.
    pub called_at: Instant,
    /// When the gateway answered that the ledger took it.
    pub acknowledged_at: Option<Instant>,
    /// The gateway's HTTP status.
    pub http_status: u16,
    /// The last state seen; empty for a refusal that is not stored.
    pub status: String,
    /// ISO reason, or the problem's code.
    pub reason: String,
    /// When the wallet saw it settled.
    pub settled_after: Option<Duration>,
    /// When the wallet saw it credited.
    pub credited_after: Option<Duration>,
    /// Expiry's record time less the deadline.
    pub expiry_lag_ms: Option<i64>,
    /// Whether it was sent back.
    pub returned: bool,
}

/// Plays one transfer through its debtor's and its creditor's gateway.
pub(super) async fn play(
    planned: Planned,
    debtor: Wallet,
    creditor: Wallet,
) -> anyhow::Result<Played> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).context("the system gives no random bytes")?;
    let uetr = Uetr::from_random(random).to_string();
    let mut played = Played {
        uetr: uetr.clone(),
        called_at: Instant::now(),
        acknowledged_at: None,
        http_status: 0,
        status: String::new(),
        reason: String::new(),
        settled_after: None,
        credited_after: None,
        expiry_lag_ms: None,
        returned: false,
        planned,
    };
    if !send(&mut played, &debtor).await? {
        return Ok(played);
    }
    if played.planned.meant == Meant::Cancelled {
        let (status, body) = debtor.act(&uetr, "cancel", &json!({ "reason": "CUST" })).await?;
        anyhow::ensure!(status.is_success(), "cancel: {status} {body}");
    }
    let called_at = played.called_at;
    let (mut settled, mut credited) = (None, None);
    let last = debtor
        .follow(&uetr, PATIENCE, |seen| {
            let now = called_at.elapsed();
            if seen.settled() {
                settled.get_or_insert(now);
            }
            if seen.status == "CREDITED" {
                credited.get_or_insert(now);
            }
            seen.ended()
        })
        .await;
    (played.settled_after, played.credited_after) = (settled, credited);
    conclude(&mut played, &last);
    if played.planned.meant == Meant::Returned && played.status == "CREDITED" {
        played.returned = give_back(&uetr, &creditor).await?;
    }
    Ok(played)
}

/// Sends the order; false when it ended there.
async fn send(played: &mut Played, debtor: &Wallet) -> anyhow::Result<bool> {
    if played.planned.meant == Meant::CreditedByPacs008 {
        let answer = debtor.iso20022(&message::pacs008(&played.planned, &played.uetr)?).await?;
        played.acknowledged_at = Some(Instant::now());
        played.http_status = 200;
        anyhow::ensure!(answer.contains("pacs.002.001.10"), "no pacs.002: {answer}");
        return Ok(true);
    }
    let order = played.planned.order(&played.uetr);
    let (status, body) = debtor.create(&order, PATIENCE).await?;
    played.http_status = status.as_u16();
    if status.is_success() {
        played.acknowledged_at = Some(Instant::now());
        return Ok(true);
    }
    anyhow::ensure!(status.as_u16() == 422, "{status}: {body}");
    played.status = "REJECTED".to_owned();
    played.reason = text(&body, "code");
    Ok(false)
}

fn conclude(played: &mut Played, last: &Seen) {
    played.status.clone_from(&last.status);
    played.reason = text(&last.body, "reason");
    if last.status == "EXPIRED" {
        let at = |field: &str| OffsetDateTime::parse(last.body[field].as_str()?, &Rfc3339).ok();
        let lag = at("ended_at").zip(at("deadline")).map(|(ended, deadline)| ended - deadline);
        played.expiry_lag_ms = lag.and_then(|lag| i64::try_from(lag.whole_milliseconds()).ok());
    }
}

/// The creditor agent sends the money back; waits until it knows of the credit.
async fn give_back(uetr: &str, creditor: &Wallet) -> anyhow::Result<bool> {
    creditor.follow(uetr, PATIENCE, Seen::ended).await;
    let (status, body) = creditor.act(uetr, "return", &json!({ "reason": "FOCR" })).await?;
    anyhow::ensure!(status.is_success(), "return: {status} {body}");
    Ok(true)
}

fn text(body: &Value, field: &str) -> String {
    body[field].as_str().unwrap_or_default().to_owned()
}

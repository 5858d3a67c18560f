//! Where the money is, for who holds the token: no login and no personal data, as JSON and as a plain page.
use axum::{
    Json,
    extract::State,
    http::{HeaderName, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::Segment;
use crate::{
    app::App,
    clock::rfc3339,
    problem::{Code, Problem},
    store::transfers::Row,
    tracking::digest,
    transfers::view::{AmountView, TimelineView, body, iso_status, line},
};

/// A transfer as its sender may see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrackView {
    /// Where it stands.
    pub status: String,
    /// ISO status.
    pub iso_status: String,
    /// What arrives.
    pub amount: AmountView,
    /// When it became final on the ledger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger_final_at: Option<String>,
    /// When the creditor was credited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beneficiary_credited_at: Option<String>,
    /// What happened, in order.
    pub timeline: Vec<TimelineView>,
}

/// Track a transfer by its token.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/track/{token}", tag = "tracking", security(()),
    params(("token" = String, Path, description = "Tracking token")),
    responses((status = 200, description = "Where it stands", body = TrackView)))]
pub async fn json(
    State(app): State<App>,
    Segment(token): Segment,
) -> Result<Json<TrackView>, Problem> {
    tracked(&app, &token).await.map(Json)
}

/// The same as a page.
pub async fn page(State(app): State<App>, Segment(token): Segment) -> Response {
    let (status, main) = match tracked(&app, &token).await {
        Ok(view) => (StatusCode::OK, shown(&view)),
        Err(problem) => (problem.status, "<p>There is no such transfer.</p>".to_owned()),
    };
    let headers: [(HeaderName, &str); 3] = [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
    ];
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Transfer</title>\
         <style>body{{font:1rem/1.5 sans-serif;max-width:36rem;margin:2rem auto;padding:0 1rem}}\
         td{{padding-right:1rem}}</style></head><body><h1>Your transfer</h1>{main}</body></html>"
    );
    (status, headers, Html(page)).into_response()
}

async fn tracked(app: &App, token: &str) -> Result<TrackView, Problem> {
    let unknown = || Problem::new(Code::TransferNotFound, "token: there is no such transfer");
    let row = app.store.transfer_tracked(&digest(token)).await?.ok_or_else(unknown)?;
    let lines = app.store.timeline_fetch(&row).await?;
    let mut timeline: Vec<TimelineView> = lines.into_iter().map(line).collect();
    // What the agents ask each other is not for the sender's link either.
    let between = ["recalled", "recall_answered", "enquiry"];
    timeline.retain(|line| !between.contains(&line.event.as_str()));
    // Why an institution refused is not for the sender's link.
    timeline.iter_mut().for_each(|line| line.reason = None);
    let network = app.directory.fresh();
    Ok(TrackView {
        status: words(&row).to_owned(),
        iso_status: iso_status(&row).to_owned(),
        amount: body(network.as_deref(), row.amount, &row.currency),
        ledger_final_at: row.settled_at.map(rfc3339),
        beneficiary_credited_at: row.credited_at.map(rfc3339),
        timeline,
    })
}

fn words(row: &Row) -> &'static str {
    match (row.status.as_str(), row.held_until.is_some()) {
        ("AWAITING_APPROVAL", _) => "waiting for approval at the sending institution",
        ("QUEUED", _) => "waiting to be sent",
        ("PENDING", true) => "under review at the receiving institution",
        ("PENDING", false) => "waiting for the receiving institution",
        ("SETTLED", _) => "with the receiving institution",
        ("CREDITED", _) => "credited",
        ("CANCELLED", _) => "cancelled",
        ("EXPIRED", _) => "not accepted in time; your money is released",
        _ => "not carried out; your money is released",
    }
}

/// Every value is a word of this program, a number or a time: nothing needs escaping.
fn shown(view: &TrackView) -> String {
    let fact = |name: &str, at: &Option<String>| {
        at.as_ref().map(|at| format!("<p>{name}: {at}</p>")).unwrap_or_default()
    };
    let lines: String = view
        .timeline
        .iter()
        .map(|line| format!("<tr><td>{}</td><td>{}</td></tr>", line.at, line.event))
        .collect();
    format!(
        "<p><strong>{} {}</strong>: {} ({})</p>{}{}<table>{lines}</table>",
        view.amount.amount,
        view.amount.currency,
        view.status,
        view.iso_status,
        fact("Final on the ledger", &view.ledger_final_at),
        fact("Credited to the beneficiary", &view.beneficiary_credited_at),
    )
}

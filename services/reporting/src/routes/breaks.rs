//! Breaks: the queue, and one with its evidence, correction, words and history.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{Html, IntoResponse as _, Response},
};
use serde_json::Value;
use services_office::{
    breaks::{Cause, Resolution},
    correction::Kind,
    store::{ActRow, BreakFilter, BreakRow, CorrectionRow, ElsewhereRow, MovementRow},
};
use time::OffsetDateTime;

use super::{
    form::Fields,
    frame::{Frame, page as shown},
};
use crate::{
    app::{App, Told},
    sessions::Session,
    store::{CurrencyRow, micros, moment},
    view,
};

pub(super) mod acts;
pub(super) mod table;

/// Breaks of one page, those due first.
const LIMIT: i64 = 200;

struct Line {
    id: i64,
    cause: String,
    account: String,
    participant: u32,
    currency: String,
    at_risk: String,
    value_date: String,
    age: String,
    due: String,
    overdue: bool,
    owner: String,
    state: String,
    tone: &'static str,
}

#[derive(Template)]
#[template(path = "breaks.html")]
struct List {
    frame: Frame,
    fields: Fields,
    currencies: Vec<CurrencyRow>,
    lines: Vec<Line>,
    /// Where those due later are.
    next: Option<String>,
    query: String,
    mine: String,
}

struct Movement {
    book: &'static str,
    href: String,
    origin: String,
    amount: String,
    currency: String,
    side: &'static str,
    value_date: String,
    references: Vec<String>,
    party: String,
}

struct Correction {
    id: i64,
    kind: String,
    note: String,
    by: String,
    at: String,
    decision: String,
    decided_by: String,
    record: Option<i64>,
    signed_by: String,
    item: String,
    /// Approved, moves money, and the ledger has no record yet.
    awaits_record: bool,
    is_return: bool,
}

/// A line of history.
pub(super) struct Act {
    pub(super) act: i64,
    pub(super) at: String,
    pub(super) actor: String,
    pub(super) role: String,
    pub(super) verb: String,
    pub(super) detail: String,
}

struct Attached {
    id: i64,
    name: String,
    size: String,
    by: String,
    at: String,
}

struct Said {
    by: String,
    at: String,
    text: String,
}

#[derive(Template)]
#[template(path = "break.html")]
struct One {
    frame: Frame,
    line: Line,
    version: i32,
    state: String,
    raw_owner: String,
    suggestion: String,
    resolution: String,
    follows: Option<i64>,
    opened: String,
    score: i64,
    evidence: Vec<(String, i64)>,
    movements: Vec<Movement>,
    elsewhere: Vec<(String, String, &'static str)>,
    stands_alone: &'static str,
    corrections: Vec<Correction>,
    comments: Vec<Said>,
    attachments: Vec<Attached>,
    history: Vec<Act>,
    kinds: Vec<(&'static str, String, bool)>,
    resolutions: Vec<(&'static str, String)>,
    /// Who proposed what waits for a decision.
    proposer: Option<String>,
    mine: bool,
    me: String,
    fields: Fields,
}

fn line(row: &BreakRow, now: OffsetDateTime) -> Line {
    let overdue = row.state != "closed" && row.due_at < now;
    let until = if overdue {
        format!("{} ago", view::long(now - row.due_at))
    } else {
        format!("in {}", view::long(row.due_at - now))
    };
    Line {
        id: row.id,
        cause: view::words(&row.cause),
        account: row.identification.clone(),
        participant: row.participant,
        currency: row.currency.clone(),
        at_risk: view::grouped(&row.at_risk_text()),
        value_date: row.value_date.to_string(),
        age: view::long(row.closed_at.unwrap_or(now) - row.opened_at),
        due: if row.state == "closed" { "closed".to_owned() } else { until },
        overdue,
        owner: row.owner.clone().unwrap_or_default(),
        state: view::words(&row.state),
        tone: view::break_tone(&row.state, overdue),
    }
}

/// What a query of the queue asks for; the same for the table that is taken away, which is no page.
fn filter(fields: &Fields, me: &str, now: OffsetDateTime) -> BreakFilter {
    let owner = if fields.is("mine") { Some(me.to_owned()) } else { None };
    BreakFilter {
        all: fields.is("all"),
        currency: fields.text("currency").map(str::to_uppercase),
        cause: fields.text("cause").map(str::to_uppercase),
        owner: owner.or_else(|| fields.text("owner").map(str::to_lowercase)),
        overdue_at: fields.is("overdue").then_some(now),
        after: None,
        limit: LIMIT,
    }
}

/// Where a page of the queue ends, as the address of the next one says it: due time in microseconds, number.
fn place(row: &BreakRow) -> String {
    format!("{}.{}", micros(row.due_at), row.id)
}

fn placed(text: &str) -> Option<(OffsetDateTime, i64)> {
    let (due_at, id) = text.split_once('.')?;
    Some((moment(due_at.parse().ok()?)?, id.parse().ok()?))
}

pub(super) async fn list(
    State(app): State<App>,
    session: Session,
    fields: Fields,
) -> Result<Html<String>, Told> {
    let now = OffsetDateTime::now_utc();
    let mut filter = filter(&fields, session.actor.name(), now);
    if let Some(text) = fields.text("after") {
        let wrong = || Told::invalid("after", "is no place of the queue: begin at its first page");
        filter.after = Some(placed(text).ok_or_else(wrong)?);
    }
    let rows = app.office.break_list(&session.actor, &filter).await?;
    let notice = match fields.text("done") {
        Some("import") => Some("Every change of the table was made."),
        _ => None,
    };
    let rest = fields.query("after");
    let query = fields.query("done");
    let full = i64::try_from(rows.len()).is_ok_and(|count| count >= LIMIT);
    let last = rows.last().filter(|_| full);
    shown(&List {
        frame: Frame::new(Some(&session), "breaks", "Breaks").noticed(notice),
        currencies: app.store.currencies().await?,
        next: last.map(|row| format!("/breaks?after={}{rest}", place(row))),
        lines: rows.iter().map(|row| line(row, now)).collect(),
        query: query.trim_start_matches('&').to_owned(),
        mine: session.actor.name().to_owned(),
        fields,
    })
}

pub(super) async fn one(
    State(app): State<App>,
    session: Session,
    Path(id): Path<i64>,
    fields: Fields,
) -> Result<Html<String>, Told> {
    let notice = match fields.text("done") {
        Some("assign") => Some("The owner is changed."),
        Some("comment") => Some("The comment is kept."),
        Some("attach") => Some("The file is attached."),
        Some("propose") => Some("The correction is proposed. Another person decides it."),
        Some("approve") => Some("The correction is approved."),
        Some("refuse") => Some("The correction is refused or withdrawn; the break is open."),
        Some("record") => Some("The ledger's record of the correction is kept."),
        Some("close") => Some("The break is closed."),
        Some("reopen") => Some("The break is open again."),
        _ => None,
    };
    let frame = Frame::new(Some(&session), "breaks", &format!("Break {id}")).noticed(notice);
    shown(&page(&app, &session, id, (frame, Fields::default())).await?)
}

/// The page of a break again, with why an act on it was not done and what was written.
async fn again(
    app: &App,
    session: &Session,
    id: i64,
    (told, fields): (Told, Fields),
) -> Result<Response, Told> {
    let status = told.status;
    // What is not there has no page.
    if status == StatusCode::NOT_FOUND || status.is_server_error() {
        return Err(told);
    }
    let frame = Frame::new(Some(session), "breaks", &format!("Break {id}")).told(Some(told));
    Ok((status, shown(&page(app, session, id, (frame, fields)).await?)?).into_response())
}

async fn page(
    app: &App,
    session: &Session,
    id: i64,
    (frame, fields): (Frame, Fields),
) -> Result<One, Told> {
    let now = OffsetDateTime::now_utc();
    let own = app.office.break_show(&session.actor, id).await?;
    let currencies = app.store.currencies().await?;
    let evidence: Vec<(String, i64)> = evidence(&own.row.evidence);
    let waits = own.corrections.iter().rfind(|row| row.decision.is_none());
    let proposer = waits.filter(|_| own.row.state == "proposed").map(|row| row.proposed_by.clone());
    let me = session.actor.name().to_owned();
    let suggested = Kind::of(&own.row.suggestion).unwrap_or(Kind::AskServicer);
    let chosen = fields.shown("kind");
    let chosen = if chosen.is_empty() { suggested.as_str() } else { chosen.as_str() };
    Ok(One {
        frame,
        line: line(&own.row, now),
        version: own.row.version,
        state: own.row.state.clone(),
        raw_owner: own.row.owner.clone().unwrap_or_default(),
        suggestion: kind(suggested).to_owned(),
        resolution: own.row.resolution.as_deref().map(view::words).unwrap_or_default(),
        follows: own.row.follows,
        opened: view::when(own.row.opened_at),
        score: evidence.iter().map(|(_, points)| points).sum::<i64>().min(100),
        evidence,
        movements: own.movements.iter().map(|row| movement(row, &currencies)).collect(),
        elsewhere: own.elsewhere.iter().map(elsewhere).collect(),
        stands_alone: own.stands_alone.unwrap_or_default(),
        corrections: own.corrections.iter().map(correction).collect(),
        comments: own
            .comments
            .into_iter()
            .map(|row| Said { by: row.author, at: view::when(row.at), text: row.text })
            .collect(),
        attachments: own
            .attachments
            .into_iter()
            .map(|row| Attached {
                id: row.attachment,
                name: row.name,
                size: view::size(row.size.into()),
                by: row.author,
                at: view::when(row.at),
            })
            .collect(),
        history: own.history.iter().map(act).collect(),
        kinds: Kind::ALL
            .iter()
            .map(|one| (one.as_str(), kind(*one).to_owned(), one.as_str() == chosen))
            .collect(),
        resolutions: Resolution::ALL
            .iter()
            .map(|one| (one.as_str(), view::words(one.as_str())))
            .collect(),
        mine: proposer.as_deref() == Some(me.as_str()),
        proposer,
        me,
        fields,
    })
}

/// A correction as people say it.
const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Fund => "Fund: the custodian signs a funding that the ledger lacks",
        Kind::WithdrawPaid => "Withdrawal paid: the custodian signs that it was paid",
        Kind::WithdrawFailed => "Withdrawal failed: the custodian signs that it was not paid",
        Kind::Return => "Return: the creditor agent returns the transfer",
        Kind::AskServicer => "Ask the other book's keeper to correct it",
        Kind::WriteOff => "Write off: the difference is borne",
        Kind::Accept => "Accept: both tellings stand",
    }
}

fn evidence(value: &Value) -> Vec<(String, i64)> {
    let pair = |row: &Value| Some((view::words(row[0].as_str()?), row[1].as_i64()?));
    value.as_array().map(|rows| rows.iter().filter_map(pair).collect()).unwrap_or_default()
}

fn elsewhere(row: &ElsewhereRow) -> (String, String, &'static str) {
    let says = match row.state.as_str() {
        "matched" | "agreed" => "as the ledger has it",
        "broken" | "closed" => "not as the ledger has it",
        _ => "not told yet",
    };
    (row.leg.clone(), row.identification.clone(), says)
}

fn movement(row: &MovementRow, currencies: &[CurrencyRow]) -> Movement {
    let exponent = currencies.iter().find(|own| own.currency == row.currency);
    let mut references = Vec::new();
    references.extend(row.uetr.map(|uetr| format!("UETR {uetr}")));
    references.extend(row.end_to_end_id.as_ref().map(|id| format!("end-to-end {id}")));
    references.extend(row.servicer_reference.as_ref().map(|id| format!("servicer {id}")));
    let (href, origin) = match (row.record, row.statement, row.uetr) {
        (Some(record), _, Some(uetr)) => {
            (format!("/transfers?q={uetr}"), format!("record {record}"))
        }
        (Some(record), _, None) => (String::new(), format!("record {record}")),
        (None, Some(statement), _) => {
            (format!("/statements/{statement}"), format!("statement {statement}"))
        }
        (None, None, _) => (String::new(), String::new()),
    };
    Movement {
        book: match row.book.as_str() {
            "ledger" => "Ledger",
            "journal" => "Journal",
            _ => "Statement",
        },
        href,
        origin,
        amount: view::money(row.amount.into(), exponent.map_or(2, |own| own.exponent)),
        currency: row.currency.clone(),
        side: if row.credit_debit == "CRDT" { "Credit" } else { "Debit" },
        value_date: row.value_date.to_string(),
        references,
        party: row.party.clone().unwrap_or_default(),
    }
}

fn correction(row: &CorrectionRow) -> Correction {
    let own = Kind::of(&row.kind);
    let approved = row.decision.as_deref() == Some("approved");
    Correction {
        id: row.correction,
        kind: own.map_or_else(|| view::words(&row.kind), |own| kind(own).to_owned()),
        note: row.note.clone(),
        by: row.proposed_by.clone(),
        at: view::when(row.proposed_at),
        decision: row.decision.as_deref().map(view::words).unwrap_or_default(),
        decided_by: row.decided_by.clone().unwrap_or_default(),
        record: row.record,
        signed_by: row.draft["signed_by"].as_str().unwrap_or_default().to_owned(),
        item: row.item.clone().unwrap_or_default(),
        awaits_record: approved && row.record.is_none() && own.is_some_and(Kind::moves_money),
        is_return: own == Some(Kind::Return),
    }
}

fn act(row: &ActRow) -> Act {
    Act {
        act: row.act,
        at: view::when(row.at),
        actor: row.actor.clone(),
        role: view::words(&row.role),
        verb: view::words(&row.verb),
        detail: detail(&row.detail),
    }
}

/// The detail of an act in a line.
pub(super) fn detail(value: &Value) -> String {
    let Some(all) = value.as_object() else { return String::new() };
    let word = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "nobody".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    let told =
        all.iter().map(|(name, value)| format!("{} {}", name.replace('_', " "), word(value)));
    told.collect::<Vec<_>>().join(" · ")
}

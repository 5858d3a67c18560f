//! Statements: brought by a browser, listed, shown with their findings, given back byte for byte.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{Html, IntoResponse as _, Redirect, Response},
};
use serde_json::{Value, json};
use services_office::store::{Deed, StatementRow};
use time::OffsetDateTime;

use super::{
    form::{Fields, Sent},
    frame::{self, Frame, page as shown},
};
use crate::{
    app::{App, Told},
    sessions::Session,
    view,
};

const LIMIT: i64 = 100;

struct Line {
    id: i64,
    account: String,
    currency: String,
    kind: String,
    number: String,
    days: String,
    opening: String,
    closing: String,
    arithmetic: String,
    entries: i64,
    verdict: String,
    tone: &'static str,
    imported: String,
    by: String,
}

struct Refused {
    name: String,
    size: String,
    at: String,
    by: String,
    findings: Vec<Finding>,
}

struct Finding {
    code: String,
    severity: String,
    at: String,
    text: String,
}

#[derive(Template)]
#[template(path = "statements.html")]
struct List {
    frame: Frame,
    lines: Vec<Line>,
    refused: Vec<Refused>,
    maps: Vec<String>,
}

#[derive(Template)]
#[template(path = "statement.html")]
struct One {
    frame: Frame,
    line: Line,
    file: String,
    format: String,
    digest: String,
    findings: Vec<Finding>,
}

#[derive(Template)]
#[template(path = "taken.html")]
struct Taken {
    frame: Frame,
    name: String,
    verdict: &'static str,
    statements: Vec<i64>,
    entries: u64,
    findings: Vec<Finding>,
    findings_count: u64,
}

fn findings(value: &Value) -> Vec<Finding> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let own = |row: &Value| Finding {
        code: text(row, "code"),
        severity: text(row, "severity"),
        at: text(row, "at"),
        text: text(row, "text"),
    };
    value.as_array().map(|rows| rows.iter().map(own).collect()).unwrap_or_default()
}

fn line(row: &StatementRow) -> Line {
    let balance = |text: &Option<String>| text.as_deref().map(view::grouped).unwrap_or_default();
    let days = [&row.from_day, &row.to_day].map(|day| day.clone().unwrap_or_default());
    Line {
        id: row.statement,
        account: row.identification.clone(),
        currency: row.currency.clone(),
        kind: view::words(&row.kind),
        number: match row.sequence {
            Some(sequence) => format!("{} (number {sequence})", row.id),
            None => row.id.clone(),
        },
        days: if days[0] == days[1] { days[0].clone() } else { days.join(" to ") },
        opening: balance(&row.opening),
        closing: balance(&row.closing),
        arithmetic: view::words(&row.arithmetic),
        entries: row.entries,
        verdict: view::words(&row.verdict),
        tone: if row.verdict == "ok" { "good" } else { "care" },
        imported: view::when(row.imported_at),
        by: row.imported_by.clone(),
    }
}

pub(super) async fn list(
    State(app): State<App>,
    session: Session,
    fields: Fields,
) -> Result<Html<String>, Told> {
    let actor = &session.actor;
    let rows = app.office.statement_list(actor, None, LIMIT).await?;
    let refused = app.office.refused_list(actor, 20).await?;
    let notice = fields.is("done").then_some("The file is taken in.");
    shown(&List {
        frame: Frame::new(Some(&session), "statements", "Statements").noticed(notice),
        lines: rows.iter().map(line).collect(),
        refused: refused
            .into_iter()
            .map(|row| Refused {
                size: view::size(row.size),
                at: view::when(row.refused_at),
                findings: findings(&row.findings),
                name: row.name,
                by: row.refused_by,
            })
            .collect(),
        maps: app.office.maps().await?.into_iter().map(|row| row.name).collect(),
    })
}

pub(super) async fn import(State(app): State<App>, mut sent: Sent) -> Result<Response, Told> {
    let file = sent.file.take();
    let (name, bytes) = file.ok_or_else(|| Told::invalid("file", "choose one"))?;
    let map = sent.fields.text("map");
    let taken = app.office.statement_import(sent.actor(), &name, bytes, map, sent.now).await?;
    if taken.verdict == "ok"
        && let [statement] = taken.statements.as_slice()
    {
        return Ok(Redirect::to(&format!("/statements/{statement}?done=import")).into_response());
    }
    let refused = taken.verdict == "refused";
    let status = if refused { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let title = if refused { "File kept out" } else { "File taken in" };
    let page = shown(&Taken {
        frame: Frame::new(Some(&sent.session), "statements", title),
        name: taken.name,
        verdict: taken.verdict,
        statements: taken.statements,
        entries: taken.entries,
        findings: findings(&Value::Array(taken.findings)),
        findings_count: taken.findings_count,
    })?;
    Ok((status, page).into_response())
}

pub(super) async fn one(
    State(app): State<App>,
    session: Session,
    Path(id): Path<i64>,
    fields: Fields,
) -> Result<Html<String>, Told> {
    let row = app.office.statement_fetch(&session.actor, id).await?;
    let notice = fields.is("done").then_some("The statement is taken in.");
    let title = format!("Statement {id}");
    shown(&One {
        frame: Frame::new(Some(&session), "statements", &title).noticed(notice),
        line: line(&row),
        findings: findings(&row.findings),
        file: row.file_name,
        format: row.format,
        digest: row.digest,
    })
}

/// The original. Taking it away is an act.
pub(super) async fn original(
    State(app): State<App>,
    session: Session,
    Path(id): Path<i64>,
) -> Result<Response, Told> {
    let (actor, now) = (&session.actor, OffsetDateTime::now_utc());
    let (name, bytes) = app.office.statement_original(actor, id).await?;
    let row = app.office.statement_fetch(actor, id).await?;
    let detail = json!({ "statement": id, "name": name });
    app.office.deed(actor, Deed::Download, ("file", row.file.to_string()), detail, now).await?;
    Ok(frame::download(&name, bytes))
}

//! Business days: what would be closed, what stands in the way, what was closed; the documents of each.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{Html, IntoResponse as _, Redirect, Response},
};
use serde_json::json;
use services_office::{
    Error,
    store::{Close, DayRow, Deed},
    take,
};
use time::{Date, OffsetDateTime};

use super::{
    form::{Fields, Sent},
    frame::{self, Frame, page as shown},
};
use crate::{
    app::{App, Told},
    sessions::Session,
    store::days::DocumentRow,
    view,
};

mod report;

/// How far ahead of the last closed day the next one is sought: a long holiday.
const AHEAD_DAYS: usize = 15;

struct Next {
    currency: String,
    last: String,
    next: String,
    cut_off: String,
    due: bool,
}

struct Closed {
    currency: String,
    day: String,
    balances: String,
    up_to: i64,
    at: String,
    by: String,
}

struct Document {
    href: String,
    name: String,
    whose: String,
    size: String,
    digest: String,
}

#[derive(Template)]
#[template(path = "days.html")]
struct List {
    frame: Frame,
    next: Vec<Next>,
    closed: Vec<Closed>,
    /// With their currency and day.
    documents: Vec<(String, Document)>,
}

#[derive(Template)]
#[template(path = "day.html")]
struct One {
    frame: Frame,
    currency: String,
    day: String,
    closed: Option<(String, String)>,
    balances: String,
    records: String,
    up_to: i64,
    pending: String,
    digest: String,
    statement: i64,
    tables: Vec<report::Table>,
    documents: Vec<Document>,
    names: Vec<String>,
}

#[derive(Template)]
#[template(path = "day_open.html")]
struct Open {
    frame: Frame,
    currency: String,
    day: String,
    told: Told,
    href: &'static str,
    link: &'static str,
}

fn document(row: DocumentRow, currency: &str, day: Date) -> Document {
    Document {
        href: format!("/days/{currency}/{day}/documents/{}", row.document),
        name: row.name,
        whose: row.participant.map(|id| format!("participant {id}")).unwrap_or_default(),
        size: view::size(row.size.into()),
        digest: row.digest,
    }
}

pub(super) async fn list(State(app): State<App>, session: Session) -> Result<Html<String>, Told> {
    let frame = Frame::new(Some(&session), "days", "Business days");
    if let Some(own) = session.actor.participant() {
        let rows = app.store.own_documents(own).await?;
        let documents = rows.into_iter().map(|own| {
            let day = format!("{} {}", own.currency, own.day);
            (day, document(own.row, &own.currency, own.day))
        });
        let documents = documents.collect();
        return shown(&List { frame, next: Vec::new(), closed: Vec::new(), documents });
    }
    let now = OffsetDateTime::now_utc();
    let last = app.store.last_closed().await?;
    let closed = app.store.closed().await?;
    shown(&List {
        frame,
        next: last.into_iter().map(|(currency, day)| next(&app, currency, day, now)).collect(),
        closed: closed
            .into_iter()
            .map(|row| Closed {
                balances: view::money(row.balances, row.exponent),
                day: row.day.to_string(),
                at: view::when(row.closed_at),
                currency: row.currency,
                up_to: row.up_to,
                by: row.closed_by,
            })
            .collect(),
        documents: Vec::new(),
    })
}

/// The business day that is to be closed next: the one after the last, else the last that is over.
fn next(app: &App, currency: String, last: Option<Date>, now: OffsetDateTime) -> Next {
    let calendars = app.office.calendars();
    let mut found = None;
    if let Some(calendar) = calendars.get(&currency) {
        let today = calendars.day_of(&currency, now);
        let business = |day: &Date| calendar.business(*day).is_ok();
        let days = |from: Option<Date>| std::iter::successors(from, |day| day.next_day());
        found = match last {
            Some(last) => days(last.next_day()).take(AHEAD_DAYS).find(business),
            None if calendars.cut_off_passed(&currency, today, now) && business(&today) => {
                Some(today)
            }
            None => calendar.former(today),
        };
    }
    let cut_off = found.and_then(|day| calendars.get(&currency)?.cut_off(day));
    Next {
        last: last.map(|day| day.to_string()).unwrap_or_default(),
        next: found.map(|day| day.to_string()).unwrap_or_default(),
        cut_off: cut_off.map(view::when).unwrap_or_default(),
        due: cut_off.is_some_and(|cut_off| cut_off <= now),
        currency,
    }
}

fn asked(fields: &Fields) -> Result<Close, Told> {
    let day = take::date(fields.needed("day")?);
    let day = day.ok_or_else(|| Told::invalid("day", "is no date: write YYYY-MM-DD"))?;
    let up_to = fields.read("up_to", "record")?;
    Ok(Close { currency: fields.needed("currency")?.to_uppercase(), day, up_to })
}

pub(super) async fn preview(
    State(app): State<App>,
    session: Session,
    fields: Fields,
) -> Result<Response, Told> {
    let close = asked(&fields)?;
    let now = OffsetDateTime::now_utc();
    if app.store.is_closed(&close.currency, close.day).await? {
        let path = format!("/days/{}/{}", close.currency, close.day);
        return Ok(Redirect::to(&path).into_response());
    }
    match app.office.day_preview(&session.actor, &close, now).await {
        Ok(row) => {
            let title = format!("Close {} {}", close.currency, close.day);
            let frame = Frame::new(Some(&session), "days", &title);
            Ok(shown(&one_page(frame, &row, None, Vec::new()))?.into_response())
        }
        Err(error) => open(&session, &close, error),
    }
}

/// What stands in the way, and where it is worked.
fn open(session: &Session, close: &Close, error: Error) -> Result<Response, Told> {
    if !matches!(error, Error::Day { .. }) {
        return Err(error.into());
    }
    let told = Told::from(error);
    let (href, link) = match told.code {
        "STATEMENT_MISSING" | "STATEMENT_FINDINGS" => ("/statements", "Go to statements"),
        "BALANCE_MISMATCH" | "BREAKS_OPEN" => ("/breaks", "Go to breaks"),
        _ => ("/days", "Back to business days"),
    };
    let title = format!("{} {} stays open", close.currency, close.day);
    let page = shown(&Open {
        frame: Frame::new(Some(session), "days", &title),
        currency: close.currency.clone(),
        day: close.day.to_string(),
        href,
        link,
        told,
    })?;
    Ok((StatusCode::CONFLICT, page).into_response())
}

pub(super) async fn close(State(app): State<App>, sent: Sent) -> Result<Response, Told> {
    let close = asked(&sent.fields)?;
    if !sent.fields.is("sure") {
        return Err(Told::invalid(
            "sure",
            "tick that you have seen the figures: a day closes once",
        ));
    }
    match app.office.day_close(sent.actor(), &close, sent.now).await {
        Ok(row) => {
            let path = format!("/days/{}/{}?done=close", row.currency, row.day);
            Ok(Redirect::to(&path).into_response())
        }
        Err(error) => open(&sent.session, &close, error),
    }
}

pub(super) async fn one(
    State(app): State<App>,
    session: Session,
    Path((currency, day)): Path<(String, String)>,
    fields: Fields,
) -> Result<Html<String>, Told> {
    let date = take::date(&day).ok_or_else(|| Told::not_found("day", &day))?;
    let row = app.office.day_show(&session.actor, &currency, date).await?;
    let documents = app.store.documents(None, &currency, date).await?;
    let documents = documents.into_iter().map(|row| document(row, &currency, date)).collect();
    let closed = (view::when(row.closed_at), row.closed_by.clone());
    let notice = fields.is("done").then_some("The day is closed.");
    let title = format!("{currency} {day}");
    let frame = Frame::new(Some(&session), "days", &title).noticed(notice);
    shown(&one_page(frame, &row, Some(closed), documents))
}

fn one_page(
    frame: Frame,
    row: &DayRow,
    closed: Option<(String, String)>,
    documents: Vec<Document>,
) -> One {
    One {
        frame,
        currency: row.currency.clone(),
        day: row.day.clone(),
        closed,
        balances: view::grouped(&row.balances),
        records: format!("{} to {}", row.after + 1, row.up_to),
        up_to: row.up_to,
        pending: row.report["pending_transfers"].to_string(),
        digest: row.digest.clone(),
        statement: row.statement,
        tables: report::tables(&row.report),
        names: if documents.is_empty() { row.documents.clone() } else { Vec::new() },
        documents,
    }
}

/// A document of a closed day. Taking it away is an act.
pub(super) async fn document_get(
    State(app): State<App>,
    session: Session,
    Path((currency, day, id)): Path<(String, String, i64)>,
) -> Result<Response, Told> {
    let missing = || Told::not_found("document", &id.to_string());
    let date = take::date(&day).ok_or_else(missing)?;
    let own = session.actor.participant();
    let found = app.store.document(own, (&currency, date), id).await?;
    let (name, bytes) = found.ok_or_else(missing)?;
    let (detail, now) = (json!({ "document": id, "name": name }), OffsetDateTime::now_utc());
    let subject = ("day", format!("{currency} {date}"));
    app.office.deed(&session.actor, Deed::Download, subject, detail, now).await?;
    Ok(frame::download(&name, bytes))
}

//! Reports: which there are, one asked for, and its files with the command that verifies them. It must never make one
//! itself, nor give a file before the act is written.

use std::time::Duration;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{Html, IntoResponse as _, Redirect, Response},
};
use serde_json::json;
use services_office::store::Deed;
use services_reports::{Asked, Error as Unmade, Kind, Made, write::Format};
use time::OffsetDateTime;

use super::{
    form::{Fields, Sent},
    frame::{self, Frame, page as shown},
};
use crate::{
    access::Need,
    app::{App, Told},
    desk::{Order, Outcome, Refusal, may_have},
    sessions::Session,
    view,
};

mod asking;

use asking::{Errors, Field};

/// How long an answer waits for a report; a longer one is looked for on its own page.
const WAIT: Duration = Duration::from_secs(5);
/// Seconds after which that page is read again.
const LOOK_EVERY: u32 = 3;
const UNSIGNED: &str = "this console has no key to sign reports with";
const UNSIGNED_NEXT: &str =
    "the operator of this console sets reports.signing_key in its settings and starts it again";

struct Line {
    href: String,
    name: &'static str,
    asked: String,
    state: &'static str,
    tone: &'static str,
    rows: String,
    record: String,
}

#[derive(Template)]
#[template(path = "reports.html")]
struct List {
    frame: Frame,
    signs: bool,
    /// Name, title and what it says.
    kinds: Vec<(&'static str, String, &'static str)>,
    lines: Vec<Line>,
}

#[derive(Template)]
#[template(path = "report_new.html")]
struct New {
    frame: Frame,
    signs: bool,
    report: &'static str,
    about: &'static str,
    fields: Vec<Field>,
    formats: Vec<(&'static str, bool)>,
    formats_error: Option<String>,
}

struct File {
    href: String,
    name: String,
    size: String,
    digest: String,
}

#[derive(Template)]
#[template(path = "report.html")]
struct One {
    frame: Frame,
    asked: String,
    made: Option<Facts>,
}

/// What a report that was made says of itself.
struct Facts {
    rows: u64,
    records: u64,
    acts: i64,
    root: String,
    key: String,
    manifest: String,
    files: Vec<File>,
}

pub(super) async fn list(State(app): State<App>, session: Session) -> Result<Html<String>, Told> {
    let actor = &session.actor;
    let kinds = Kind::ALL.into_iter().filter(|kind| may_have(actor, *kind));
    shown(&List {
        frame: Frame::new(Some(&session), "reports", "Reports"),
        signs: app.desk.key().is_some(),
        kinds: kinds.map(|kind| (kind.name(), view::words(kind.name()), kind.about())).collect(),
        lines: app.desk.of(actor).iter().map(line).collect(),
    })
}

fn line(order: &Order) -> Line {
    let (state, tone, made) = match &order.outcome {
        Outcome::Making => ("Being made", "going", None),
        Outcome::Made(made) => ("Made", "good", Some(made)),
        Outcome::Failed(_) => ("Not made", "care", None),
    };
    Line {
        href: format!("/reports/{}", order.id),
        name: order.asked.kind.name(),
        asked: words(&order.asked),
        state,
        tone,
        rows: made.map(|made| made.manifest.rows.to_string()).unwrap_or_default(),
        record: made.map(|made| made.manifest.position.records.to_string()).unwrap_or_default(),
    }
}

/// What was asked, in a line.
fn words(asked: &Asked) -> String {
    let parameters = asked.parameters().into_iter();
    let words = parameters.map(|(name, value)| format!("{} {value}", name.replace('_', " ")));
    words.collect::<Vec<_>>().join(", ")
}

/// The kind that is asked for, of those that the person may have.
fn kind(session: &Session, fields: &Fields) -> Result<Kind, Told> {
    let text = fields.needed("report")?;
    let kind: Kind = text.parse().map_err(|_| Told::invalid("report", "there is none of it"))?;
    if may_have(&session.actor, kind) { Ok(kind) } else { Err(Told::refused(Need::ReadNetwork)) }
}

pub(super) async fn new(
    State(app): State<App>,
    session: Session,
    fields: Fields,
) -> Result<Html<String>, Told> {
    let kind = kind(&session, &fields)?;
    let frame = Frame::new(Some(&session), "reports", &title(kind));
    shown(&form(&app, &session, frame, (kind, &fields), &Errors::default()).await?)
}

fn title(kind: Kind) -> String {
    format!("Report: {}", view::words(kind.name()).to_lowercase())
}

async fn form(
    app: &App,
    session: &Session,
    frame: Frame,
    (kind, fields): (Kind, &Fields),
    errors: &Errors,
) -> Result<New, Told> {
    let currencies = app.store.currencies().await?;
    let network = session.actor.participant().is_none();
    let formats = asking::formats(fields).unwrap_or_default();
    Ok(New {
        frame,
        signs: app.desk.key().is_some(),
        report: kind.name(),
        about: kind.about(),
        fields: asking::fields(kind, network, (fields, &currencies), errors),
        formats: Format::ALL.map(|format| (format.name(), formats.contains(&format))).into(),
        formats_error: errors.of("format"),
    })
}

/// The form again, with what is wrong beside each field.
async fn refused(
    app: &App,
    session: &Session,
    (kind, fields): (Kind, &Fields),
    (errors, told): (Errors, Told),
) -> Result<Response, Told> {
    let status = told.status;
    let frame = Frame::new(Some(session), "reports", &title(kind)).told(Some(told));
    let page = shown(&form(app, session, frame, (kind, fields), &errors).await?)?;
    Ok((status, page).into_response())
}

pub(super) async fn make(State(app): State<App>, sent: Sent) -> Result<Response, Told> {
    let (session, fields) = (&sent.session, &sent.fields);
    let kind = kind(session, fields)?;
    let currencies = app.store.currencies().await?;
    let read = asking::read(kind, session.actor.participant(), (fields, &currencies));
    let (asked, formats) = match read {
        Ok(read) => read,
        Err(errors) => {
            let told = errors.told();
            return refused(&app, session, (kind, fields), (errors, told)).await;
        }
    };
    let (id, mut task) = match app.desk.begin(&session.actor, asked, formats) {
        Ok(begun) => begun,
        Err(refusal) => {
            let told = not_begun(refusal);
            return refused(&app, session, (kind, fields), (Errors::default(), told)).await;
        }
    };
    let _still_made = tokio::time::timeout(WAIT, &mut task).await;
    match app.desk.find(&session.actor, &id).map(|order| order.outcome) {
        Some(Outcome::Failed(error)) => {
            let told = not_made(&error);
            let errors = Errors::from(error.as_ref());
            refused(&app, session, (kind, fields), (errors, told)).await
        }
        Some(Outcome::Making | Outcome::Made(_)) | None => {
            Ok(Redirect::to(&format!("/reports/{id}")).into_response())
        }
    }
}

fn state(text: &str, next: &'static str) -> Told {
    Told { status: StatusCode::CONFLICT, code: "STATE", text: text.to_owned(), next }
}

fn not_begun(refusal: Refusal) -> Told {
    match refusal {
        Refusal::NoKey => state(UNSIGNED, UNSIGNED_NEXT),
        Refusal::Busy => state(
            "a report of yours is still being made",
            "wait until it is there, then ask for the next",
        ),
        Refusal::NoRandomness => Told::broken(),
    }
}

/// Why a report was not made, for people; the cause of a failure is for the log.
fn not_made(error: &Unmade) -> Told {
    let text = error.to_string();
    match error {
        Unmade::Invalid { .. }
        | Unmade::Behind { .. }
        | Unmade::OfficeBehind { .. }
        | Unmade::GatewayBehind { .. }
        | Unmade::ScreeningsBehind { .. }
        | Unmade::TooLong { .. } => Told { text, ..Told::invalid("", "") },
        Unmade::Altered => state(&text, "tell the operator"),
        Unmade::Format { .. } | Unmade::Manifest(_) => {
            state(&text, "ask for less, or another format")
        }
        Unmade::Database { .. } | Unmade::Unreadable(_) => {
            let cause = services_runtime::error::chain(error);
            tracing::warn!(cause, "a report was not made");
            Told {
                status: StatusCode::SERVICE_UNAVAILABLE,
                code: "DATABASE",
                text: "the database failed".to_owned(),
                next: "try again in a moment",
            }
        }
    }
}

fn found(app: &App, session: &Session, id: &str) -> Result<Order, Told> {
    let order = app.desk.find(&session.actor, id);
    order.ok_or_else(|| Told::not_found("report of yours", id))
}

pub(super) async fn one(
    State(app): State<App>,
    session: Session,
    Path(id): Path<String>,
) -> Result<Response, Told> {
    let order = found(&app, &session, &id)?;
    let (kind, asked) = (order.asked.kind, words(&order.asked));
    let mut frame = Frame::new(Some(&session), "reports", &title(kind));
    let made = match &order.outcome {
        Outcome::Failed(error) => {
            let currencies = app.store.currencies().await?;
            let fields = asking::again(&order.asked, &order.formats, &currencies);
            let (errors, told) = (Errors::from(error.as_ref()), not_made(error));
            return refused(&app, &session, (kind, &fields), (errors, told)).await;
        }
        Outcome::Making => {
            frame.refresh = Some(LOOK_EVERY);
            None
        }
        Outcome::Made(made) => Some(facts(&app, &id, made)),
    };
    Ok(shown(&One { frame, asked, made })?.into_response())
}

fn facts(app: &App, id: &str, made: &Made) -> Facts {
    let digest = |name: &str| {
        let told = made.manifest.files.iter().find(|file| file.name == name);
        told.map(|file| hex::encode(file.digest)).unwrap_or_default()
    };
    let files = made.files.iter().map(|(name, bytes)| File {
        href: format!("/reports/{id}/files/{name}"),
        size: view::size(i64::try_from(bytes.len()).unwrap_or(i64::MAX)),
        digest: digest(name),
        name: name.clone(),
    });
    let position = &made.manifest.position;
    Facts {
        rows: made.manifest.rows,
        records: position.records,
        acts: position.acts,
        root: position.root_shown(),
        key: app.desk.key().map(hex::encode).unwrap_or_default(),
        manifest: made.files.last().map(|(name, _)| name.clone()).unwrap_or_default(),
        files: files.collect(),
    }
}

/// A file of a report. Taking it away is an act.
pub(super) async fn file(
    State(app): State<App>,
    session: Session,
    Path((id, name)): Path<(String, String)>,
) -> Result<Response, Told> {
    let order = found(&app, &session, &id)?;
    let Outcome::Made(made) = order.outcome else {
        return Err(Told::not_found("file", &name));
    };
    let file = made.files.iter().find(|(own, _)| *own == name);
    let (name, bytes) = file.ok_or_else(|| Told::not_found("file", &name))?;
    let position = &made.manifest.position;
    let detail = json!({
        "name": name,
        "asked": words(&order.asked),
        "records": position.records,
        "acts": position.acts,
        "sha256": hex::encode(services_reports::manifest::File::of(name.clone(), bytes).digest),
    });
    let subject = ("report", order.asked.kind.name().to_owned());
    let now = OffsetDateTime::now_utc();
    app.office.deed(&session.actor, Deed::Download, subject, detail, now).await?;
    Ok(frame::download(name, bytes.clone()))
}

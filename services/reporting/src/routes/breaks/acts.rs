//! Acts on one break, each with the version that was seen. What the office refuses is said on the break's own page, with
//! what was written.

use axum::{
    extract::{Path, State},
    response::{IntoResponse as _, Redirect, Response},
};
use serde_json::json;
use services_office::{
    Error,
    breaks::Resolution,
    correction::{Kind, Proposal},
    store::{Attachment, Deed},
};
use time::OffsetDateTime;

use super::again;
use crate::{
    app::{App, Told},
    routes::form::Sent,
    routes::frame,
    sessions::Session,
};

type Id = Path<i64>;

/// Goes back to the break, or says on its page why nothing was done.
async fn ended(
    app: &App,
    id: i64,
    sent: Sent,
    (what, done): (&'static str, Result<(), Told>),
) -> Result<Response, Told> {
    match done {
        Ok(()) => Ok(Redirect::to(&format!("/breaks/{id}?done={what}")).into_response()),
        Err(told) => again(app, &sent.session, id, (told, sent.fields)).await,
    }
}

fn told<T>(done: Result<T, Error>) -> Result<(), Told> {
    done.map(drop).map_err(Told::from)
}

pub(crate) async fn assign(
    State(app): State<App>,
    Path(id): Id,
    sent: Sent,
) -> Result<Response, Told> {
    let owner = if sent.fields.is("mine") {
        Some(sent.actor().name().to_owned())
    } else {
        sent.fields.text("owner").map(str::to_owned)
    };
    let done = match sent.version() {
        Ok(version) => told(
            app.office.break_assign(sent.actor(), (id, version), owner.as_deref(), sent.now).await,
        ),
        Err(missing) => Err(missing),
    };
    ended(&app, id, sent, ("assign", done)).await
}

pub(crate) async fn comment(
    State(app): State<App>,
    Path(id): Id,
    sent: Sent,
) -> Result<Response, Told> {
    let text = sent.fields.shown("comment");
    let done = told(app.office.break_comment(sent.actor(), id, &text, sent.now).await);
    ended(&app, id, sent, ("comment", done)).await
}

pub(crate) async fn attach(
    State(app): State<App>,
    Path(id): Id,
    mut sent: Sent,
) -> Result<Response, Told> {
    let done = match sent.file.take() {
        Some((name, bytes)) => {
            let file = Attachment { name, bytes };
            told(app.office.break_attach(sent.actor(), id, &file, sent.now).await)
        }
        None => Err(Told::invalid("file", "choose one")),
    };
    ended(&app, id, sent, ("attach", done)).await
}

async fn proposed(app: &App, id: i64, sent: &Sent) -> Result<(), Told> {
    let fields = &sent.fields;
    let kind = Kind::of(fields.needed("kind")?)
        .ok_or_else(|| Told::invalid("kind", "choose a correction"))?;
    let proposal = Proposal {
        account: fields.read("account", "account's number")?,
        owner: fields.read("owner", "participant's number")?,
        withdrawal: fields.read("withdrawal", "withdrawal's id")?,
        reason: fields.text("reason").map(str::to_owned),
        uetr: None,
    };
    let note = fields.shown("note");
    let (which, what) = ((id, sent.version()?), (&proposal, note.as_str()));
    app.office.break_propose(sent.actor(), which, kind, what, sent.now).await?;
    Ok(())
}

pub(crate) async fn propose(
    State(app): State<App>,
    Path(id): Id,
    sent: Sent,
) -> Result<Response, Told> {
    let done = proposed(&app, id, &sent).await;
    ended(&app, id, sent, ("propose", done)).await
}

pub(crate) async fn approve(
    State(app): State<App>,
    Path(id): Id,
    sent: Sent,
) -> Result<Response, Told> {
    let done = match sent.version() {
        Ok(version) => told(app.office.break_approve(sent.actor(), (id, version), sent.now).await),
        Err(missing) => Err(missing),
    };
    ended(&app, id, sent, ("approve", done)).await
}

pub(crate) async fn refuse(
    State(app): State<App>,
    Path(id): Id,
    sent: Sent,
) -> Result<Response, Told> {
    let done = match sent.version() {
        Ok(version) => told(app.office.break_refuse(sent.actor(), (id, version), sent.now).await),
        Err(missing) => Err(missing),
    };
    ended(&app, id, sent, ("refuse", done)).await
}

async fn recorded(app: &App, id: i64, sent: &Sent) -> Result<(), Told> {
    let correction = sent.fields.read("correction", "number")?;
    let correction = correction.ok_or_else(|| Told::invalid("correction", "is missing"))?;
    let own = app.office.break_show(sent.actor(), id).await?;
    if !own.corrections.iter().any(|row| row.correction == correction) {
        return Err(Told::invalid("correction", "is another break's"));
    }
    let uetr = sent.fields.read("uetr", "UETR")?;
    app.office.correction_record(sent.actor(), correction, uetr, sent.now).await?;
    Ok(())
}

pub(crate) async fn record(
    State(app): State<App>,
    Path(id): Id,
    sent: Sent,
) -> Result<Response, Told> {
    let done = recorded(&app, id, &sent).await;
    ended(&app, id, sent, ("record", done)).await
}

async fn closed(app: &App, id: i64, sent: &Sent) -> Result<(), Told> {
    let resolution = Resolution::of(sent.fields.needed("resolution")?)
        .ok_or_else(|| Told::invalid("resolution", "choose one"))?;
    app.office.break_close(sent.actor(), (id, sent.version()?), resolution, sent.now).await?;
    Ok(())
}

pub(crate) async fn close(
    State(app): State<App>,
    Path(id): Id,
    sent: Sent,
) -> Result<Response, Told> {
    let done = closed(&app, id, &sent).await;
    ended(&app, id, sent, ("close", done)).await
}

async fn reopened(app: &App, id: i64, sent: &Sent) -> Result<(), Told> {
    let note = sent.fields.needed("note")?;
    app.office.break_reopen(sent.actor(), (id, sent.version()?), note, sent.now).await?;
    Ok(())
}

pub(crate) async fn reopen(
    State(app): State<App>,
    Path(id): Id,
    sent: Sent,
) -> Result<Response, Told> {
    let done = reopened(&app, id, &sent).await;
    ended(&app, id, sent, ("reopen", done)).await
}

/// A file that somebody attached. Taking it away is an act.
pub(crate) async fn attachment(
    State(app): State<App>,
    session: Session,
    Path((id, attachment)): Path<(i64, i64)>,
) -> Result<Response, Told> {
    let (actor, now) = (&session.actor, OffsetDateTime::now_utc());
    let file = app.office.attachment_fetch(actor, id, attachment).await?;
    let detail = json!({ "attachment": attachment, "name": file.name });
    app.office.deed(actor, Deed::Download, ("break", id.to_string()), detail, now).await?;
    Ok(frame::download(&file.name, file.bytes))
}

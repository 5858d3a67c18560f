//! The queue as a table to be edited elsewhere: taken away, shown what it would change, taken back whole or not at all.

use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{Html, IntoResponse as _, Redirect, Response},
};
use serde_json::json;
use services_office::{edit::Preview, store::Deed};
use time::OffsetDateTime;

use super::filter;
use crate::{
    app::{App, Told},
    routes::form::{Fields, Sent},
    routes::frame::{self, Frame, page as shown},
    sessions::Session,
};

/// The largest table that a browser brings back.
const TABLE_BYTES_MAX: usize = 2 << 20;

#[derive(Template)]
#[template(path = "table.html")]
struct Page {
    frame: Frame,
    preview: Preview,
    table: String,
}

/// The breaks of a filter as CSV. Taking them away is an act.
pub(crate) async fn export(
    State(app): State<App>,
    session: Session,
    fields: Fields,
) -> Result<Response, Told> {
    let (actor, now) = (&session.actor, OffsetDateTime::now_utc());
    let mut filter = filter(&fields, actor.name(), now);
    filter.limit = 0;
    let bytes = app.office.break_export(actor, &filter).await?;
    let detail = json!({ "filter": fields.query("").trim_start_matches('&') });
    app.office.deed(actor, Deed::Download, ("break", "table".to_owned()), detail, now).await?;
    Ok(frame::download("breaks.csv", bytes))
}

/// What an edited table would change.
pub(crate) async fn preview(State(app): State<App>, sent: Sent) -> Result<Html<String>, Told> {
    let (_, bytes) = sent.file.as_ref().ok_or_else(|| Told::invalid("file", "choose one"))?;
    if bytes.len() > TABLE_BYTES_MAX {
        return Err(Told::invalid("file", "is over 2 MiB: edit fewer breaks at once"));
    }
    let table = String::from_utf8(bytes.clone());
    let table = table.map_err(|_| Told::invalid("file", "is not UTF-8: save it as CSV UTF-8"))?;
    let preview = app.office.break_import_preview(sent.actor(), table.as_bytes()).await?;
    let frame = Frame::new(Some(&sent.session), "breaks", "Changes of a table");
    shown(&Page { frame, preview, table })
}

/// Makes the changes that were shown.
pub(crate) async fn import(State(app): State<App>, sent: Sent) -> Result<Response, Told> {
    let table = sent.fields.needed("table")?.to_owned();
    let preview = app.office.break_import(sent.actor(), table.as_bytes(), sent.now).await?;
    if preview.refusals.is_empty() {
        return Ok(Redirect::to("/breaks?done=import").into_response());
    }
    let told = Told {
        status: StatusCode::CONFLICT,
        code: "INVALID",
        text: format!("{} rows are refused; nothing was changed", preview.refusals.len()),
        next: "correct these rows, or download the table again",
    };
    let frame = Frame::new(Some(&sent.session), "breaks", "Changes of a table").told(Some(told));
    Ok((StatusCode::CONFLICT, shown(&Page { frame, preview, table })?).into_response())
}

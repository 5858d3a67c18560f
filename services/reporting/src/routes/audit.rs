//! History: who did what, when, to what, and why.

use askama::Template;
use axum::{extract::State, response::Html};
use services_office::store::{AuditFilter, AuditRow};

use super::{
    breaks::detail,
    form::Fields,
    frame::{Frame, page as shown},
};
use crate::{
    app::{App, Told},
    sessions::Session,
    view,
};

const LIMIT: i64 = 100;
/// What people do, as filters list it.
const VERBS: [&str; 17] = [
    "sign_in", "sign_out", "unseal", "download", "import", "refuse", "open", "assign", "comment",
    "attach", "propose", "decide", "record", "close", "reopen", "keep", "save",
];
const SUBJECTS: [&str; 9] =
    ["session", "transfer", "file", "break", "correction", "day", "report", "account", "map"];

struct Line {
    act: i64,
    at: String,
    actor: String,
    role: String,
    whose: String,
    verb: String,
    subject: String,
    subject_id: String,
    href: String,
    detail: String,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct List {
    frame: Frame,
    fields: Fields,
    lines: Vec<Line>,
    next: Option<String>,
    verbs: Vec<(&'static str, String)>,
    subjects: Vec<(&'static str, String)>,
}

/// Where the thing is that an act was about.
fn href(row: &AuditRow) -> String {
    let id = &row.subject_id;
    match row.subject.as_str() {
        "break" if id.parse::<i64>().is_ok() => format!("/breaks/{id}"),
        "transfer" => format!("/transfers/{id}"),
        "day" => format!("/days/{}", id.replacen(' ', "/", 1)),
        _ => String::new(),
    }
}

fn line(row: AuditRow) -> Line {
    Line {
        act: row.act,
        at: view::when(row.at),
        href: href(&row),
        role: view::words(&row.role),
        whose: row.participant.map(|id| id.to_string()).unwrap_or_default(),
        verb: view::words(&row.verb),
        subject: view::words(&row.subject),
        detail: detail(&row.detail),
        subject_id: row.subject_id,
        actor: row.actor,
    }
}

pub(super) async fn list(
    State(app): State<App>,
    session: Session,
    fields: Fields,
) -> Result<Html<String>, Told> {
    let filter = AuditFilter {
        actor: fields.text("actor").map(str::to_lowercase),
        verb: fields.text("verb").map(str::to_owned),
        subject: fields.text("subject").map(str::to_owned),
        subject_id: fields.text("id").map(str::to_owned),
        before: fields.read("before", "number")?,
        limit: LIMIT,
    };
    let (rows, next) = app.office.audit(&session.actor, &filter).await?;
    let rest = fields.query("before");
    let named = |word: &'static str| (word, view::words(word));
    shown(&List {
        frame: Frame::new(Some(&session), "audit", "Audit"),
        lines: rows.into_iter().map(line).collect(),
        next: next.map(|before| format!("/audit?before={before}{rest}")),
        verbs: VERBS.map(named).into(),
        subjects: SUBJECTS.map(named).into(),
        fields,
    })
}

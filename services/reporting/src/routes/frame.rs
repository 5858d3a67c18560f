//! What every page has around its content: who is signed in, where he can go, what came of his last act.

use askama::Template;
use axum::{
    http::header,
    response::{Html, IntoResponse as _, Response},
};
use services_office::Role;

use crate::{access::Need, app::Told, sessions::Session};

/// A place in the navigation. One is added when there is something behind it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) key: &'static str,
    pub(crate) path: &'static str,
    pub(crate) name: &'static str,
    /// After `g`.
    pub(crate) letter: &'static str,
    need: Need,
}

pub(crate) const PLACES: [Place; 8] = [
    Place { key: "overview", path: "/", name: "Overview", letter: "o", need: Need::Read },
    Place {
        key: "transfers",
        path: "/transfers",
        name: "Transfers",
        letter: "t",
        need: Need::Read,
    },
    Place { key: "breaks", path: "/breaks", name: "Breaks", letter: "b", need: Need::Read },
    Place {
        key: "statements",
        path: "/statements",
        name: "Statements",
        letter: "s",
        need: Need::Read,
    },
    Place { key: "days", path: "/days", name: "Business days", letter: "d", need: Need::Read },
    Place {
        key: "participants",
        path: "/participants",
        name: "Participants",
        letter: "p",
        need: Need::Read,
    },
    Place { key: "reports", path: "/reports", name: "Reports", letter: "r", need: Need::Read },
    Place { key: "audit", path: "/audit", name: "Audit", letter: "a", need: Need::Read },
];

/// Who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) name: String,
    pub(crate) role: &'static str,
    pub(crate) whose: String,
    pub(crate) csrf: String,
    pub(crate) acts: bool,
    pub(crate) network: bool,
}

/// The frame of one page.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) title: String,
    key: &'static str,
    pub(crate) who: Option<Who>,
    pub(crate) told: Option<Told>,
    pub(crate) notice: Option<&'static str>,
    /// Seconds after which the page is read again.
    pub(crate) refresh: Option<u32>,
}

/// A role as people say it.
pub(crate) const fn role(role: Role) -> &'static str {
    match role {
        Role::BackOffice => "Back office",
        Role::Compliance => "Compliance",
        Role::Operator => "Operator",
        Role::Auditor => "Auditor",
        Role::Service => "Service",
    }
}

impl Frame {
    pub(crate) fn new(session: Option<&Session>, key: &'static str, title: &str) -> Self {
        let who = session.map(|session| {
            let (actor, met) = (&session.actor, |need: Need| need.met(&session.actor));
            Who {
                name: actor.name().to_owned(),
                role: role(actor.role()),
                whose: actor.participant().map_or_else(
                    || "the whole network".to_owned(),
                    |participant| format!("participant {participant}"),
                ),
                csrf: session.csrf.to_string(),
                acts: met(Need::Act),
                network: met(Need::ReadNetwork),
            }
        });
        let title = title.to_owned();
        Self { title, key, who, told: None, notice: None, refresh: None }
    }

    /// The same, with what came of an act that led here.
    pub(crate) fn noticed(mut self, notice: Option<&'static str>) -> Self {
        self.notice = notice;
        self
    }

    /// The same, with why an act was not done.
    pub(crate) fn told(mut self, told: Option<Told>) -> Self {
        self.told = told;
        self
    }

    pub(crate) fn places(&self) -> Vec<(Place, bool)> {
        let places = PLACES.into_iter().filter(|place| place.need == Need::Read || self.network());
        places.map(|place| (place, place.key == self.key)).collect()
    }

    pub(crate) fn csrf(&self) -> &str {
        self.who.as_ref().map_or("", |who| who.csrf.as_str())
    }

    pub(crate) fn acts(&self) -> bool {
        self.who.as_ref().is_some_and(|who| who.acts)
    }

    pub(crate) fn network(&self) -> bool {
        self.who.as_ref().is_some_and(|who| who.network)
    }
}

#[derive(Template)]
#[template(path = "refused.html")]
struct Refused {
    frame: Frame,
}

/// The page of something that was refused.
pub(super) fn refused(session: Option<&Session>, told: Told) -> Result<String, askama::Error> {
    let frame = Frame::new(session, "", "Not done").told(Some(told));
    Refused { frame }.render()
}

/// A page.
pub(super) fn page(template: &impl Template) -> Result<Html<String>, Told> {
    Ok(Html(template.render()?))
}

/// A file that is saved, never shown: it may be anything.
pub(super) fn download(name: &str, bytes: Vec<u8>) -> Response {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || ".-_ ".contains(letter);
    let name: String =
        name.chars().map(|letter| if plain(letter) { letter } else { '_' }).collect();
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (headers, bytes).into_response()
}

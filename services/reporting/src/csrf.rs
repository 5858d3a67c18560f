//! Whether a request that changes something came from our own page. It must never read a body: the form's own token is
//! judged by its session.

use axum::http::{HeaderMap, Method, header};

const FETCH_SITE: &str = "sec-fetch-site";

/// Whether a request may change something: a browser says that it comes from our own origin. One that says nothing at
/// all is no browser of these years, and is refused.
#[must_use]
pub fn own(method: &Method, headers: &HeaderMap, origin: &str) -> bool {
    if method.is_safe() {
        return true;
    }
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    match (text(FETCH_SITE), text(header::ORIGIN.as_str())) {
        (Some(site), Some(from)) => site == "same-origin" && from == origin,
        (Some(site), None) => site == "same-origin",
        (None, Some(from)) => from == origin,
        (None, None) => false,
    }
}

/// The value of a cookie.
#[must_use]
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs =
        lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(own, _)| *own == name).map(|(_, value)| value)
}

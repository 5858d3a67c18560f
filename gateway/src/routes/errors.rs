//! The pages of docs/errors as they are in this build, which problems point to by their `type`: without a key, for they tell of no participant and no transfer.
use axum::{
    http::header,
    response::{IntoResponse, Response},
};

use super::Segment;
use crate::problem::{Code, Problem, pages};

/// How long a reader may keep a page.
const KEPT: &str = "public, max-age=3600";

/// A page by its file's name.
pub(super) async fn page(Segment(name): Segment) -> Result<Response, Problem> {
    let found = pages::page(&name);
    let page = found.ok_or_else(|| {
        Problem::new(Code::ResourceUnknown, "path: a problem's `type` has its page's path")
    })?;
    let headers = [
        (header::CONTENT_TYPE, "text/markdown; charset=utf-8"),
        (header::CACHE_CONTROL, KEPT),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, page.text).into_response())
}

//! Failures on their way out: one small code with its gRPC and HTTP forms, and RFC 9457 problems.
//! It must never let a private cause reach a client; only the public detail can be serialised.

use std::error::Error as StdError;
use std::fmt;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use tonic::Code;
use tracing::{debug, error};

#[cfg(test)]
mod tests;

/// What kind of failure happened. A refusal by the domain is an answer and has its own codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    Malformed,
    Unauthenticated,
    Forbidden,
    NotFound,
    Conflict,
    Exhausted,
    Unavailable,
    Timeout,
    Internal,
}

impl ErrorCode {
    pub const ALL: [Self; 9] = [
        Self::Malformed,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::Conflict,
        Self::Exhausted,
        Self::Unavailable,
        Self::Timeout,
        Self::Internal,
    ];

    #[must_use]
    pub fn to_grpc(self) -> Code {
        match self {
            Self::Malformed => Code::InvalidArgument,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::Forbidden => Code::PermissionDenied,
            Self::NotFound => Code::NotFound,
            Self::Conflict => Code::AlreadyExists,
            Self::Exhausted => Code::ResourceExhausted,
            Self::Unavailable => Code::Unavailable,
            Self::Timeout => Code::DeadlineExceeded,
            Self::Internal => Code::Internal,
        }
    }

    #[must_use]
    pub fn to_http(self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Conflict => StatusCode::CONFLICT,
            Self::Exhausted => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The code as clients read it and as its page under `docs/errors/` is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "MALFORMED",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::NotFound => "NOT_FOUND",
            Self::Conflict => "CONFLICT",
            Self::Exhausted => "EXHAUSTED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Timeout => "TIMEOUT",
            Self::Internal => "INTERNAL",
        }
    }

    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Malformed => "The request is malformed",
            Self::Unauthenticated => "The caller is not authenticated",
            Self::Forbidden => "The caller may not do this",
            Self::NotFound => "There is no such thing",
            Self::Conflict => "The request contradicts an earlier one",
            Self::Exhausted => "A limit is exhausted",
            Self::Unavailable => "The service is unavailable",
            Self::Timeout => "The answer did not come in time",
            Self::Internal => "The service failed",
        }
    }
}

/// Text that a client may read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct PublicDetail(String);

impl fmt::Display for PublicDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why it really failed: for the log only, hence neither `Serialize` nor `Display`.
#[derive(Debug)]
struct PrivateCause(Box<dyn StdError + Send + Sync>);

/// A failure to answer, as opposed to an answer that says no.
#[derive(Debug)]
pub struct Failure {
    code: ErrorCode,
    detail: PublicDetail,
    cause: Option<PrivateCause>,
}

impl Failure {
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code, detail: PublicDetail(detail.into()), cause: None }
    }

    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.cause = Some(PrivateCause(cause.into()));
        self
    }

    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    #[must_use]
    pub fn detail(&self) -> &PublicDetail {
        &self.detail
    }

    /// The one place where a failure is logged: when it becomes an answer.
    fn log(&self) {
        let cause = self.cause.as_ref().map(|cause| chain(cause.0.as_ref()));
        match self.code {
            ErrorCode::Internal => error!(cause, detail = %self.detail, "request failed"),
            ErrorCode::Malformed
            | ErrorCode::Unauthenticated
            | ErrorCode::Forbidden
            | ErrorCode::NotFound
            | ErrorCode::Conflict
            | ErrorCode::Exhausted
            | ErrorCode::Unavailable
            | ErrorCode::Timeout => {
                debug!(code = self.code.name(), cause, detail = %self.detail, "request failed");
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.detail)
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_ref().map(|cause| cause.0.as_ref() as &(dyn StdError + 'static))
    }
}

impl From<Failure> for tonic::Status {
    fn from(failure: Failure) -> Self {
        failure.log();
        Self::new(failure.code.to_grpc(), failure.detail.0)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        failure.log();
        let code = failure.code;
        Self::new(code.name(), code.title(), code.to_http(), failure.detail.0)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

/// RFC 9457 problem details.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    #[serde(flatten)]
    extensions: Map<String, Value>,
}

impl Problem {
    /// `code` names the page of this problem: `docs/errors/<code>.md`.
    pub fn new(
        code: &str,
        title: &'static str,
        status: StatusCode,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind: format!("/docs/errors/{code}.md"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            instance: None,
            extensions: Map::from_iter([("code".to_owned(), Value::from(code))]),
        }
    }

    /// The URI reference of this very occurrence, e.g. the path of the resource.
    #[must_use]
    pub fn instance(mut self, uri: impl Into<String>) -> Self {
        self.instance = Some(uri.into());
        self
    }

    /// Adds an extension member; the five members of the standard can't be replaced.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        debug_assert!(!["type", "title", "status", "detail", "instance"].contains(&member));
        self.extensions.insert(member.to_owned(), value.into());
        self
    }

    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let content_type = HeaderValue::from_static("application/problem+json");
        let mut response = (self.status(), axum::Json(&self)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        response
    }
}

/// An error and its sources on one line, for the log.
#[must_use]
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

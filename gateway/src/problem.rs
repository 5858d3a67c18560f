//! Everything this gateway says no with: a code with its page in docs/errors, an HTTP status and an ISO reason; no private cause leaves here.
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use ledger_types::{Rejection, StatusReason, Uetr};
use services_runtime::trace;

pub mod pages;
#[cfg(test)]
mod tests;

macro_rules! codes {
    ($($name:ident = $code:literal, $status:ident, $reason:literal, $title:literal;)*) => {
        /// The gateway's own codes; the ledger's refusals keep theirs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code {
            $(#[doc = $title] $name,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name of its page in docs/errors.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// What it means.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// The ISO reason of a pacs.002.
            #[must_use]
            pub const fn reason(self) -> StatusReason {
                match self { $(Self::$name => StatusReason::known($reason),)* }
            }

            const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }
        }
    };
}

codes! {
    BodyMalformed = "BODY_MALFORMED", BAD_REQUEST, b"FF01", "The body is not what this resource takes";
    BodyTooLarge = "BODY_TOO_LARGE", PAYLOAD_TOO_LARGE, b"FF01", "The body exceeds what this resource takes";
    RequestTimeout = "REQUEST_TIMEOUT", REQUEST_TIMEOUT, b"NARR", "The request did not end in time";
    MediaTypeUnsupported = "MEDIA_TYPE_UNSUPPORTED", UNSUPPORTED_MEDIA_TYPE, b"FF01", "The body is labelled as what this resource does not take";
    FieldInvalid = "FIELD_INVALID", BAD_REQUEST, b"FF01", "A field breaks its rule";
    ApiKeyMissing = "API_KEY_MISSING", UNAUTHORIZED, b"DS0H", "No API key was given";
    ApiKeyUnknown = "API_KEY_UNKNOWN", UNAUTHORIZED, b"DS0H", "The API key is unknown, expired or revoked";
    TokenInvalid = "TOKEN_INVALID", UNAUTHORIZED, b"DS0H", "The access token opens nothing here";
    SignatureRequired = "SIGNATURE_REQUIRED", UNAUTHORIZED, b"DS0H", "The API key's requests must be signed, and this one is not";
    SignatureInvalid = "SIGNATURE_INVALID", UNAUTHORIZED, b"DS0H", "The request's signature does not hold";
    IssuerUnavailable = "ISSUER_UNAVAILABLE", SERVICE_UNAVAILABLE, b"ED06", "The keys of the access token's issuer can't be had";
    ScopeMissing = "SCOPE_MISSING", FORBIDDEN, b"DS0H", "The API key lacks the scope";
    ResourceUnknown = "RESOURCE_UNKNOWN", NOT_FOUND, b"NARR", "There is no such resource";
    MethodNotAllowed = "METHOD_NOT_ALLOWED", METHOD_NOT_ALLOWED, b"NARR", "The resource does not take this method";
    TransferNotFound = "TRANSFER_NOT_FOUND", NOT_FOUND, b"AG09", "This gateway knows no such transfer";
    UetrAmbiguous = "UETR_AMBIGUOUS", CONFLICT, b"AG09", "Two debtor agents used this UETR";
    IdempotencyKeyMissing = "IDEMPOTENCY_KEY_MISSING", BAD_REQUEST, b"FF01", "The request needs an Idempotency-Key";
    IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED", UNPROCESSABLE_ENTITY, b"DU03", "The Idempotency-Key belongs to another request";
    RequestInProgress = "REQUEST_IN_PROGRESS", CONFLICT, b"NARR", "The first request with this Idempotency-Key or UETR is still running";
    TravelRuleIncomplete = "TRAVEL_RULE_INCOMPLETE", UNPROCESSABLE_ENTITY, b"RR02", "The corridor requires more about debtor or creditor";
    SealedDataTooLarge = "SEALED_DATA_TOO_LARGE", UNPROCESSABLE_ENTITY, b"FF01", "The party data exceeds what can be sealed";
    ScreeningRefused = "SCREENING_REFUSED", UNPROCESSABLE_ENTITY, b"RR04", "The transfer can't be sent for regulatory reasons";
    AccountRefused = "ACCOUNT_REFUSED", UNPROCESSABLE_ENTITY, b"AC01", "Core banking refused the customer's account";
    DebitLimitExceeded = "DEBIT_LIMIT_EXCEEDED", UNPROCESSABLE_ENTITY, b"AM14", "The transfer would debit more than the debtor allows";
    QuoteUnavailable = "QUOTE_UNAVAILABLE", UNPROCESSABLE_ENTITY, b"AG03", "No liquidity bank quotes this now";
    QuoteNotFound = "QUOTE_NOT_FOUND", UNPROCESSABLE_ENTITY, b"AG03", "This gateway knows no such quote";
    RateLimitExceeded = "RATE_LIMIT_EXCEEDED", TOO_MANY_REQUESTS, b"ED06", "The API key sends faster than it may";
    ApiKeyNotFound = "API_KEY_NOT_FOUND", NOT_FOUND, b"NARR", "This gateway has no such API key, or it has ended";
    ApprovalNotFound = "APPROVAL_NOT_FOUND", NOT_FOUND, b"NARR", "This gateway has no such approval";
    ApprovalDecided = "APPROVAL_DECIDED", CONFLICT, b"NARR", "The approval was decided before, or its time is over";
    FourEyesRequired = "FOUR_EYES_REQUIRED", FORBIDDEN, b"DS0H", "A transfer is approved by another person than its maker";
    ApprovalRequired = "APPROVAL_REQUIRED", UNPROCESSABLE_ENTITY, b"AM14", "The transfer needs approval, which its batch can't wait for";
    ApprovalRejected = "APPROVAL_REJECTED", UNPROCESSABLE_ENTITY, b"DS0H", "The transfer was not approved";
    ApprovalExpired = "APPROVAL_EXPIRED", UNPROCESSABLE_ENTITY, b"TM01", "Nobody approved the transfer in time";
    WebhookNotFound = "WEBHOOK_NOT_FOUND", NOT_FOUND, b"NARR", "This gateway has no such webhook";
    WebhookUrlRefused = "WEBHOOK_URL_REFUSED", UNPROCESSABLE_ENTITY, b"NARR", "Webhooks may not go to this URL";
    WebhookLimitReached = "WEBHOOK_LIMIT_REACHED", UNPROCESSABLE_ENTITY, b"NARR", "This gateway has as many webhooks as it may";
    BatchNotFound = "BATCH_NOT_FOUND", NOT_FOUND, b"NARR", "This gateway has no such batch";
    BatchUnreadable = "BATCH_UNREADABLE", UNPROCESSABLE_ENTITY, b"FF01", "The file is not what its label says";
    BatchTooLarge = "BATCH_TOO_LARGE", UNPROCESSABLE_ENTITY, b"AM19", "The batch has more rows than its mode takes";
    BatchTotalsDiffer = "BATCH_TOTALS_DIFFER", UNPROCESSABLE_ENTITY, b"AM10", "The totals that the message states are not those of its rows";
    BatchDuplicate = "BATCH_DUPLICATE", UNPROCESSABLE_ENTITY, b"AM05", "A batch of the very same rows was sent before";
    BatchRefused = "BATCH_REFUSED", UNPROCESSABLE_ENTITY, b"NARR", "A row was refused, and the batch is all or nothing";
    PickupNotDue = "PICKUP_NOT_DUE", CONFLICT, b"NARR", "No cash of this transfer waits to be paid out";
    PickupCodeWrong = "PICKUP_CODE_WRONG", UNPROCESSABLE_ENTITY, b"NARR", "The code is not this transfer's";
    PickupLocked = "PICKUP_LOCKED", CONFLICT, b"NARR", "Too many wrong codes were shown for this transfer";
    TooManyRequests = "TOO_MANY_REQUESTS", TOO_MANY_REQUESTS, b"ED06", "Too many requests are under way, in all or of this API key";
    LedgerBusy = "LEDGER_BUSY", SERVICE_UNAVAILABLE, b"ED06", "More waits for the ledger's answer than this gateway keeps in hand";
    LedgerUnavailable = "LEDGER_UNAVAILABLE", SERVICE_UNAVAILABLE, b"ED06", "The ledger can't be reached; nothing was signed or kept";
    LedgerRefusedRequest = "LEDGER_REFUSED_REQUEST", BAD_GATEWAY, b"ED05", "The ledger did not take this gateway's request";
    StoreUnavailable = "STORE_UNAVAILABLE", SERVICE_UNAVAILABLE, b"ED06", "The gateway's own store can't be reached";
    Internal = "INTERNAL_ERROR", INTERNAL_SERVER_ERROR, b"MS03", "The gateway failed";
}

/// One answer that says no.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The name of its page in docs/errors.
    pub code: &'static str,
    /// The HTTP status.
    pub status: StatusCode,
    /// What the code means.
    pub title: &'static str,
    /// What is wrong with this request: field, reason, what to do.
    pub detail: String,
    /// The ISO reason.
    pub reason: StatusReason,
    /// The transfer it ends.
    pub uetr: Option<Uetr>,
    /// The ledger's record of the refusal.
    pub record: Option<u64>,
}

impl Problem {
    /// A problem of the gateway's own.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code: code.name(),
            status: code.status(),
            title: code.title(),
            detail: detail.into(),
            reason: code.reason(),
            uetr: None,
            record: None,
        }
    }

    /// Of a request whose Idempotency-Key another request has taken that is not answered yet.
    #[must_use]
    pub fn in_progress() -> Self {
        Self::new(Code::RequestInProgress, "the first request is still running; ask again")
    }

    /// A field that breaks its rule.
    #[must_use]
    pub fn field(field: &str, reason: &str) -> Self {
        Self::new(Code::FieldInvalid, format!("{field}: {reason}; correct the field"))
    }

    /// A refusal in the ledger's words, by the ledger or by this gateway before it.
    #[must_use]
    pub fn refused(rejection: Rejection) -> Self {
        Self {
            code: rejection.code(),
            status: StatusCode::UNPROCESSABLE_ENTITY,
            title: rejection.meaning(),
            detail: rejection.meaning().to_owned(),
            reason: rejection.reason(),
            uetr: None,
            record: None,
        }
    }

    /// A failure of this gateway, logged here with its cause.
    #[must_use]
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(cause = services_runtime::error::chain(error), "request failed");
        Self::new(Code::Internal, "the cause is in the gateway's log")
    }

    /// Names the transfer it ends.
    #[must_use]
    pub fn of(mut self, uetr: Uetr) -> Self {
        self.uetr = Some(uetr);
        self
    }

    /// Gives another ISO reason.
    #[must_use]
    pub fn because(mut self, reason: StatusReason) -> Self {
        self.reason = reason;
        self
    }

    /// Names the ledger's record.
    #[must_use]
    pub fn recorded(mut self, sequence: u64) -> Self {
        self.record = Some(sequence);
        self
    }

    /// Whether it is a problem of the gateway's own with this code.
    #[must_use]
    pub fn is(&self, code: Code) -> bool {
        self.code == code.name()
    }

    /// Whether another transfer has the identity.
    #[must_use]
    pub fn reused(&self) -> bool {
        self.code == Rejection::UetrReused.code()
    }

    /// Whether this answer ends the request for ever, so that a repeat gets the same.
    #[must_use]
    pub fn lasting(&self) -> bool {
        self.status == StatusCode::UNPROCESSABLE_ENTITY
    }
}

fn word(value: impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}

impl From<&Problem> for services_runtime::error::Problem {
    fn from(problem: &Problem) -> Self {
        let body = Self::new(problem.code, problem.title, problem.status, problem.detail.clone())
            .with("reason", problem.reason.as_str());
        let body = match pages::page(&format!("{}.md", problem.code)) {
            Some(page) => {
                body.with("again", word(page.again)).with("who_acts", word(page.who_acts))
            }
            None => body,
        };
        let body = match trace::current() {
            Some(context) => body.with("trace_id", context.trace_id()),
            None => body,
        };
        let body = match problem.uetr {
            Some(uetr) => {
                body.instance(format!("/v1/transfers/{uetr}")).with("uetr", uetr.to_string())
            }
            None => body,
        };
        match problem.record {
            Some(record) => body.with("record", record),
            None => body,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = services_runtime::error::Problem::from(&self).into_response();
        let later = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS];
        if later.contains(&self.status) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

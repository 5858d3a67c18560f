//! The pages of docs/errors as they are in this build, and what each says of trying again; they tell of no participant and no transfer.

/// Whether a request that was refused may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Again {
    /// The very same, under the same key, after `Retry-After` or a second.
    Same,
    /// Once it is corrected: its UETR, case or id is still free. Under another Idempotency-Key if it was refused with 422,
    /// which a key remembers.
    Corrected,
    /// Only as another, with a UETR, case or id of its own.
    Anew,
    /// It would be refused again, or there is nothing left to do.
    No,
}

/// Who has to do something before it can succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// Whoever wrote the request: an engineer, or a clerk.
    Caller,
    /// The customer whose money it is, or who gets it.
    Customer,
    /// Who approves the participant's transfers.
    Approver,
    /// The participant's compliance officer.
    Compliance,
    /// The participant's treasury.
    Treasury,
    /// Who runs this gateway and keeps its keys.
    GatewayOperator,
    /// The network's operator.
    NetworkOperator,
    /// The creditor agent.
    CreditorAgent,
    /// The bank that quotes.
    LiquidityBank,
    /// The currency's custodian.
    Custodian,
    /// Nobody, unless it lasts.
    Nobody,
}

/// One page.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Its file's name: the code with `.md`.
    name: &'static str,
    /// Whether the request may be sent again.
    pub again: Again,
    /// Who has to act.
    pub who_acts: Who,
    /// Markdown.
    pub text: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/error_pages.rs"));

/// A page by its file's name.
#[must_use]
pub fn page(name: &str) -> Option<&'static Page> {
    let at = PAGES.binary_search_by(|page| page.name.cmp(name)).ok()?;
    PAGES.get(at)
}

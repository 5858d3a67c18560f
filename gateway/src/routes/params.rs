//! Query strings of the REST resources; they hold no personal data.
use serde::Deserialize;
use utoipa::IntoParams;

/// Whose transfer, where two debtor agents used one UETR.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Whose {
    /// Network id of the debtor agent.
    pub debtor_agent: Option<u32>,
}

/// Which page of a list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// The cursor of the page before.
    pub cursor: Option<i64>,
    /// 1 to 500, 100 if absent.
    pub limit: Option<i64>,
    /// Only transfers of this status.
    pub status: Option<String>,
}

/// From where.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// The last number seen, 0 for all.
    pub after: Option<i64>,
    /// 1 to 1000, 200 if absent.
    pub limit: Option<i64>,
}

//! What a console measures; it decides nothing by it.

use services_runtime::telemetry::{Measured, Metric};

/// Every metric of this crate, by name.
pub const METRICS: &[Metric] = &[
    (
        "causeway_reporting_page_seconds",
        Measured::Histogram,
        "From a request to its whole page, by route",
    ),
    (
        "causeway_reporting_sign_ins_total",
        Measured::Counter,
        "Sign-ins by way (local, oidc) and outcome (done, refused, limited, failed)",
    ),
    ("causeway_reporting_refusals_total", Measured::Counter, "Requests refused, by reason"),
];

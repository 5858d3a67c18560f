//! How long cash waits at this participant's tills, and how often a wrong code may be shown.
use serde::Deserialize;

/// Cash pickup at this participant, the creditor agent.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pickup {
    /// Days from settlement after which it is not paid any more.
    pub days: u16,
    /// After so many wrong codes, and after each so many more, it is locked.
    pub wrong_max: u16,
    /// For so many seconds.
    pub lock_s: u32,
}

impl Default for Pickup {
    fn default() -> Self {
        Self { days: 30, wrong_max: 5, lock_s: 3_600 }
    }
}

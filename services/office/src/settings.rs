//! What an office needs to be told. It reads no file itself.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use crate::{error::Error, inbox::Inbox, pull::Pull};

/// The settings of one office.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `postgres://user@host:port/database` that holds schema `ledger`; the office's own is `office`.
    pub database_url: String,
    /// Serves health and metrics on loopback; absent serves none.
    pub health_listen: Option<SocketAddr>,
    /// The folder with `incoming`, `done` and `refused`; absent: no folder is watched.
    pub inbox: Option<PathBuf>,
    /// How often the folder and the ledger's rows are looked at.
    #[serde(default = "poll_ms")]
    pub poll_ms: u64,
    /// Servers that statements are fetched from into the folder.
    #[serde(default)]
    pub pull: Vec<Pull>,
    #[serde(default)]
    pub rules: Rules,
}

/// How the office judges.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// A folder of calendars `CUR.toml` that go before the built-in ones.
    pub calendars: Option<PathBuf>,
    /// Hours in which a break is to be closed, by its cause; others take [`Rules::sla_hours`].
    pub sla_hours_by_cause: BTreeMap<String, u32>,
    pub sla_hours: u32,
    /// The most money at risk in open breaks of a currency with which a day closes, minor units.
    pub open_breaks_max: BTreeMap<String, u64>,
    /// A partner's part of the operator's fees on transfers that it sent, in basis points.
    pub revenue_share_bps: BTreeMap<String, u32>,
    /// What a ledger account should hold at the end of a day, minor units, by its number.
    pub targets: BTreeMap<String, Target>,
    /// The largest file taken.
    pub file_bytes_max: u64,
}

/// Bounds of a balance: what exceeds the upper one is paid out, what lacks to the lower one is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    pub min: u64,
    pub max: u64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            calendars: None,
            sla_hours_by_cause: BTreeMap::new(),
            sla_hours: 48,
            open_breaks_max: BTreeMap::new(),
            revenue_share_bps: BTreeMap::new(),
            targets: BTreeMap::new(),
            file_bytes_max: 256 << 20,
        }
    }
}

impl Settings {
    /// Settings of a command that names its database alone.
    #[must_use]
    pub fn of(database_url: String) -> Self {
        Self {
            database_url,
            health_listen: None,
            inbox: None,
            poll_ms: poll_ms(),
            pull: Vec::new(),
            rules: Rules::default(),
        }
    }

    /// The watched folder, if there is one.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a server is to be fetched from without one, or is not plainly named; [`Error::File`]
    /// when it cannot be made.
    pub fn inbox(&self) -> Result<Option<Inbox>, Error> {
        Pull::check(&self.pull)?;
        if self.inbox.is_none() && !self.pull.is_empty() {
            let reason = "what is fetched needs a watched folder".to_owned();
            return Err(Error::Invalid { field: "inbox", reason });
        }
        self.inbox.as_deref().map(Inbox::open).transpose()
    }
}

const fn poll_ms() -> u64 {
    1_000
}

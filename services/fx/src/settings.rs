//! What a quoting service needs to be told; amounts are minor units, and it reads no file itself.
use std::{net::SocketAddr, path::PathBuf};

use ledger_types::{AccountId, CorridorId, Currency, ParticipantId};
use serde::Deserialize;
use services_runtime::{
    grpc::ServerLimits,
    tls::{Files, ListenerLimits},
};

/// The settings of one liquidity bank's service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The bank's network id.
    pub participant: u32,
    /// Where gateways ask.
    pub listen: SocketAddr,
    /// Serves health and metrics on loopback; absent serves none.
    pub health_listen: Option<SocketAddr>,
    /// Where spans go.
    #[serde(default)]
    pub telemetry: services_runtime::telemetry::Settings,
    /// The service's certificate and key, and the participants' CA.
    pub tls: Files,
    /// The bank's certificate and key as a client of the ledger, and the participants' CA.
    pub client_tls: Files,
    /// Bounds of calls.
    #[serde(default)]
    pub limits: ServerLimits,
    /// Bounds of connections.
    #[serde(default)]
    pub listener: ListenerLimits,
    /// `https://host:port` of each node, in the order of node ids from 1.
    pub ledger: Vec<String>,
    /// How long a call of the ledger may take.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
    /// A file with the bank's ed25519 seed: 32 bytes as 64 hexadecimal digits.
    pub signing_key: PathBuf,
    /// Where mid rates come from.
    pub rates: Rates,
    /// What the bank serves.
    pub corridors: Vec<Corridor>,
}

/// Where mid rates come from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// The files, later ones over earlier ones of the same day.
    pub files: Vec<PathBuf>,
    /// What quotes name as their source, at most 35 characters.
    pub source: String,
    /// Older mid rates are refused; a rate's age counts from midnight UTC of its day.
    pub max_age_seconds: u64,
    /// How often the files are looked at.
    #[serde(default = "reload_ms")]
    pub reload_ms: u64,
}

/// One corridor and currency pair that the bank serves.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Corridor {
    /// The corridor's number.
    pub corridor: u32,
    /// Who may ask.
    pub debtor_agents: Vec<u32>,
    /// The currency taken.
    pub source_currency: String,
    /// The currency given.
    pub destination_currency: String,
    /// The bank's account in the source currency.
    pub source_account: u64,
    /// The bank's account in the destination currency.
    pub destination_account: u64,
    /// Hundredths of a per cent taken off the mid rate.
    pub margin_bps: u32,
    /// Destination minor units that the payout partner gets on the last hop.
    #[serde(default)]
    pub payout_fee: u64,
    /// Least source amount.
    pub amount_min: u64,
    /// Greatest source amount.
    pub amount_max: u64,
    /// How long a quote may be submitted, at least.
    pub submit_for_seconds: u64,
    /// How long it binds a reserved transfer, counted from the quote, at least.
    pub hold_for_seconds: u64,
    /// How long one registered quote answers questions; so much longer both times may be.
    #[serde(default = "standing_for_seconds")]
    pub standing_for_seconds: u64,
    /// Source amount that one registered quote bears in all; a hundred times the greatest when absent.
    pub standing_amount: Option<u64>,
}

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {rule}")]
pub struct Error {
    /// Which setting.
    pub field: String,
    /// What it must be.
    pub rule: String,
}

/// A corridor's settings in the field's words.
#[derive(Clone, Debug)]
pub struct Served {
    /// The corridor.
    pub corridor: CorridorId,
    /// Who may ask.
    pub debtor_agents: Vec<ParticipantId>,
    /// The currency taken.
    pub source_currency: Currency,
    /// The currency given.
    pub destination_currency: Currency,
    /// The bank's account in the source currency.
    pub source_account: AccountId,
    /// The bank's account in the destination currency.
    pub destination_account: AccountId,
    /// Hundredths of a per cent taken off the mid rate.
    pub margin_bps: u32,
    /// Destination minor units for the payout partner.
    pub payout_fee: u64,
    /// Least and greatest source amount.
    pub amounts: std::ops::RangeInclusive<u64>,
    /// How long a quote may be submitted, at least.
    pub submit_for_micros: u64,
    /// How long it binds a reserved transfer, at least.
    pub hold_for_micros: u64,
    /// How long one registered quote answers questions.
    pub stands_micros: u64,
    /// Source amount that it bears in all.
    pub standing_amount: u64,
}

impl Corridor {
    /// Checks the settings of one corridor.
    ///
    /// # Errors
    /// Names the setting and its rule.
    pub fn served(&self) -> Result<Served, Error> {
        let invalid = |name: &str, rule: &str| Error {
            field: format!("corridors.{}.{name}", self.corridor),
            rule: rule.to_owned(),
        };
        let currency = |name: &str, text: &str| {
            text.parse::<Currency>().map_err(|error| invalid(name, error.reason))
        };
        let (source_currency, destination_currency) = (
            currency("source_currency", &self.source_currency)?,
            currency("destination_currency", &self.destination_currency)?,
        );
        if source_currency == destination_currency {
            return Err(invalid("destination_currency", "must differ from the source currency"));
        }
        if self.margin_bps >= 10_000 {
            return Err(invalid("margin_bps", "must be below 10000"));
        }
        if self.amount_min == 0 || self.amount_min > self.amount_max {
            return Err(invalid("amount_min", "must be 1 to amount_max"));
        }
        if self.submit_for_seconds == 0 || self.submit_for_seconds > self.hold_for_seconds {
            return Err(invalid("submit_for_seconds", "must be 1 to hold_for_seconds"));
        }
        if self.standing_for_seconds == 0 {
            return Err(invalid("standing_for_seconds", "must be 1 or more"));
        }
        let standing_amount =
            self.standing_amount.unwrap_or_else(|| self.amount_max.saturating_mul(100));
        if standing_amount < self.amount_max {
            return Err(invalid("standing_amount", "must be amount_max or more"));
        }
        Ok(Served {
            corridor: CorridorId(self.corridor),
            debtor_agents: self.debtor_agents.iter().copied().map(ParticipantId).collect(),
            source_currency,
            destination_currency,
            source_account: AccountId(self.source_account),
            destination_account: AccountId(self.destination_account),
            margin_bps: self.margin_bps,
            payout_fee: self.payout_fee,
            amounts: self.amount_min..=self.amount_max,
            submit_for_micros: self.submit_for_seconds.saturating_mul(1_000_000),
            hold_for_micros: self.hold_for_seconds.saturating_mul(1_000_000),
            stands_micros: self.standing_for_seconds.saturating_mul(1_000_000),
            standing_amount,
        })
    }
}

const fn timeout_ms() -> u64 {
    5_000
}

const fn standing_for_seconds() -> u64 {
    5
}

const fn reload_ms() -> u64 {
    1_000
}

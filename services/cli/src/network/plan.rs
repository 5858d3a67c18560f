//! What a network is to be made of, as a file states it; it makes nothing and knows no key.
use std::{collections::BTreeMap, path::Path};

use anyhow::Context as _;
use ledger_types::{AccountId, Currency, ParticipantId};
use serde::Deserialize;

/// The demonstration network, used when no plan is given.
pub const DEMO: &str = include_str!("../../../../deploy/config/plan.toml");

/// A network to be.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Its name in certificates.
    pub name: String,
    /// Name of its log (C2SP checkpoint origin).
    pub log_origin: String,
    /// The rulebook's name.
    pub rulebook: String,
    /// The rulebook's version.
    pub rulebook_version: String,
    /// How many operator keys (n).
    pub operator_keys: u8,
    /// How many of them must sign (k).
    pub operator_threshold: u8,
    /// Currencies with exponent and custodian.
    pub currencies: Vec<PlannedCurrency>,
    /// Who takes part, custodians first.
    pub participants: Vec<PlannedParticipant>,
    /// Corridors between them.
    #[serde(default)]
    pub corridors: Vec<PlannedCorridor>,
}

/// A currency of the network.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedCurrency {
    /// ISO 4217.
    pub code: String,
    /// Digits after the decimal point.
    pub exponent: u8,
    /// Who holds its cash.
    pub custodian: u32,
}

/// A participant.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedParticipant {
    /// Its network id.
    pub id: u32,
    /// Its name for people.
    pub name: String,
    /// A short name for scripts; the id when absent.
    pub label: Option<String>,
    /// Where it is licensed.
    pub country: String,
    /// Its BIC.
    pub bic: String,
    /// Whether the genesis admits it as a custodian.
    #[serde(default)]
    pub custodian: bool,
    /// Accounts to open, with the minor units that its custodian funds at the beginning.
    #[serde(default)]
    pub balances: BTreeMap<String, u64>,
    /// Runs a gateway.
    pub gateway: Option<PlannedGateway>,
    /// Runs a quoting service for these pairs.
    #[serde(default)]
    pub fx: Vec<PlannedPair>,
}

/// A gateway's own customers, and how it answers in a demonstration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedGateway {
    /// Accounts of its book.
    pub customers: Vec<PlannedCustomer>,
    /// Settlement amounts held and then accepted.
    #[serde(default)]
    pub hold_amounts: Vec<u64>,
    /// How long a scripted hold lasts.
    pub hold_ms: Option<u64>,
    /// Settlement amounts rejected.
    #[serde(default)]
    pub reject_amounts: Vec<u64>,
    /// Settlement amounts never answered.
    #[serde(default)]
    pub silent_amounts: Vec<u64>,
}

/// A customer's account.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedCustomer {
    /// IBAN, account or phone number.
    pub account: String,
    /// Its currency.
    pub currency: String,
    /// Opening balance, minor units.
    #[serde(default)]
    pub balance: u64,
    /// Whose it is, for payee checks.
    pub name: Option<String>,
    /// Phone numbers and e-mail addresses that lead to it.
    #[serde(default)]
    pub aliases: Vec<String>,
}

/// A currency pair that a liquidity bank serves.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedPair {
    /// In which corridor.
    pub corridor: u32,
    /// Currency taken.
    pub from: String,
    /// Currency given.
    pub to: String,
    /// Who may ask.
    pub debtor_agents: Vec<u32>,
    /// Hundredths of a per cent off the mid rate.
    pub margin_bps: u32,
    /// Destination minor units for the payout partner.
    pub payout_fee: u64,
}

/// A corridor.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedCorridor {
    /// Its number.
    pub id: u32,
    /// Where the money comes from.
    pub from: PlannedEnd,
    /// Where it goes.
    pub to: PlannedEnd,
    /// Institution to institution, single-phase.
    #[serde(default)]
    pub institutional: bool,
    /// Least source amount.
    pub amount_min: u64,
    /// Greatest source amount.
    pub amount_max: u64,
    /// How long a transfer may stay pending.
    pub hold_seconds: u64,
    /// How soon a confirmation is owed.
    pub credit_sla_seconds: u64,
    /// Who may quote.
    #[serde(default)]
    pub liquidity_banks: Vec<u32>,
    /// How creditors are paid.
    #[serde(default)]
    pub payout_methods: Vec<String>,
    /// The operator's fee, minor units of the source currency.
    #[serde(default)]
    pub fee_flat: u64,
    /// ISO 20022 purpose codes allowed; none allows every code.
    #[serde(default)]
    pub purposes: Vec<String>,
    /// Personal data required by amount; nothing is required where there is none.
    #[serde(default)]
    pub travel_rules: Vec<PlannedTravelRule>,
}

/// Personal data that every transfer from an amount on must carry.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedTravelRule {
    /// Least source amount that it holds for, minor units.
    pub from_amount: u64,
    /// Words of `ledger_proof::operator::travel_field::ALL`.
    pub fields: Vec<String>,
}

/// One end of a corridor.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedEnd {
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// ISO 4217.
    pub currency: String,
}

impl Plan {
    /// Reads a plan file, or the demonstration plan when none is given.
    pub fn read(file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(file) = file else {
            return toml::from_str(DEMO).context("the built-in plan");
        };
        let shown = file.display();
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("{shown}: cannot be read; give a readable plan file"))?;
        toml::from_str(&text).with_context(|| format!("{shown}: is no plan"))
    }

    /// A participant by id.
    pub fn participant(&self, id: u32) -> anyhow::Result<&PlannedParticipant> {
        let found = self.participants.iter().find(|participant| participant.id == id);
        found.with_context(|| format!("participants: {id} is named but not planned; add it"))
    }
}

impl PlannedParticipant {
    /// The short name for scripts and folders.
    pub fn label(&self) -> String {
        self.label.clone().unwrap_or_else(|| self.id.to_string())
    }
}

/// The number of a planned account: owner × 1,000 + the currency's ISO 4217 number.
pub fn account(owner: ParticipantId, currency: Currency) -> AccountId {
    AccountId(u64::from(owner.0) * 1_000 + u64::from(currency.number()))
}

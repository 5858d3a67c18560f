//! What a participant may see of the network and of its own balances, over HTTP.
use axum::{Json, extract::State, response::Response};
use ledger_proof::operator::{TravelRule, travel_field};
use ledger_types::PayoutMethod;
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::{Caller, Scope};
use crate::{
    app::App,
    problem::{Code, Problem},
    run::ready,
};

/// An account on the ledger.
#[derive(Debug, Serialize, ToSchema)]
pub struct BalanceView {
    /// Account number.
    pub account: u64,
    /// ISO 4217.
    pub currency: String,
    /// What may still be debited.
    pub available: String,
    /// Reserved debits.
    pub debits_pending: String,
    /// Posted debits.
    pub debits_posted: String,
    /// Credits that wait for acceptance.
    pub credits_pending: String,
    /// Posted credits.
    pub credits_posted: String,
}

/// A corridor's rules.
#[derive(Debug, Serialize, ToSchema)]
pub struct CorridorView {
    /// Its number.
    pub corridor: u32,
    /// ISO 3166-1 alpha-2.
    pub source_country: String,
    /// ISO 3166-1 alpha-2.
    pub destination_country: String,
    /// The currency debited.
    pub source_currency: String,
    /// The currency credited.
    pub destination_currency: String,
    /// Least source amount.
    pub amount_min: String,
    /// Greatest source amount.
    pub amount_max: String,
    /// How long a transfer may stay pending.
    pub hold_ms: u64,
    /// How soon after settlement the credit is owed.
    pub credit_sla_ms: u64,
    /// `bank_account`, `wallet`, `cash_pickup`.
    pub payout_methods: Vec<String>,
    /// Purposes allowed; empty allows all.
    pub purposes: Vec<String>,
    /// What a transfer must say of debtor and creditor, by amount.
    pub travel_rules: Vec<TravelRuleView>,
    /// Between institutions only.
    pub institutional: bool,
}

/// Data that is required from a source amount on.
#[derive(Debug, Serialize, ToSchema)]
pub struct TravelRuleView {
    /// Least source amount that it holds for.
    pub from_amount: String,
    /// `debtor_name`, `debtor_address`, `relationship`, `source_of_funds`, …
    pub fields: Vec<String>,
}

/// A participant.
#[derive(Debug, Serialize, ToSchema)]
pub struct ParticipantView {
    /// Network id.
    pub participant: u32,
    /// For people.
    pub name: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// Empty if it has none.
    pub bic: String,
    /// Empty if it has none.
    pub lei: String,
    /// No new transfers either way.
    pub suspended: bool,
}

/// This participant's balances on the ledger, as of now.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/balances", tag = "network",
    responses((status = 200, description = "Every account", body = [BalanceView])))]
pub async fn balances(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<Vec<BalanceView>>, Problem> {
    caller.may(Scope::Read)?;
    let network = app.directory.current(&app.ledger).await?;
    let (balances, _) = app.ledger.balances(Some(app.me)).await.map_err(|error| {
        tracing::warn!(%error, "balances not read");
        Problem::new(Code::LedgerUnavailable, "no node of the ledger answers; try again")
    })?;
    let shown = balances.into_iter().map(|row| {
        let exponent = network.exponent(row.currency).unwrap_or(0);
        let units = |units: u128| decimal(units, exponent);
        BalanceView {
            account: row.account.0,
            currency: row.currency.to_string(),
            available: units(row.available()),
            debits_pending: units(row.debits_pending),
            debits_posted: units(row.debits_posted),
            credits_pending: units(row.credits_pending),
            credits_posted: units(row.credits_posted),
        }
    });
    Ok(Json(shown.collect()))
}

/// Corridors and their rules.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/corridors", tag = "network",
    responses((status = 200, description = "Every corridor", body = [CorridorView])))]
pub async fn corridors(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<Vec<CorridorView>>, Problem> {
    caller.may(Scope::Read)?;
    let network = app.directory.current(&app.ledger).await?;
    let shown = network.corridors.iter().map(|(terms, _)| {
        let exponent = network.exponent(terms.source_currency).unwrap_or(0);
        let allowed = |method: &PayoutMethod| terms.payout_methods & method.bit() != 0;
        let methods = PayoutMethod::ALL.into_iter().filter(allowed);
        CorridorView {
            corridor: terms.corridor.0,
            source_country: terms.source_country.to_string(),
            destination_country: terms.destination_country.to_string(),
            source_currency: terms.source_currency.to_string(),
            destination_currency: terms.destination_currency.to_string(),
            amount_min: decimal(u128::from(terms.amount_min), exponent),
            amount_max: decimal(u128::from(terms.amount_max), exponent),
            hold_ms: terms.hold_micros / 1_000,
            credit_sla_ms: terms.credit_sla_micros / 1_000,
            payout_methods: methods.map(|method| method.as_str().to_owned()).collect(),
            purposes: terms.purposes.iter().map(ToString::to_string).collect(),
            travel_rules: terms
                .travel_rules
                .iter()
                .map(|rule| travel_rule(rule, exponent))
                .collect(),
            institutional: terms.institutional,
        }
    });
    Ok(Json(shown.collect()))
}

/// Who takes part.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/participants", tag = "network",
    responses((status = 200, description = "Every participant", body = [ParticipantView])))]
pub async fn participants(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<Vec<ParticipantView>>, Problem> {
    caller.may(Scope::Read)?;
    let network = app.directory.current(&app.ledger).await?;
    let shown = network.participants.iter().map(|row| ParticipantView {
        participant: row.id.0,
        name: row.name.clone(),
        country: row.country.to_string(),
        bic: row.bic.clone(),
        lei: row.lei.clone(),
        suspended: row.suspended,
    });
    Ok(Json(shown.collect()))
}

/// Whether everything holds that serving needs; the same as on the health address.
pub async fn readiness(State(app): State<App>) -> Response {
    services_runtime::health::readyz(&ready::look(&app).await)
}

fn travel_rule(rule: &TravelRule, exponent: u8) -> TravelRuleView {
    let required = |(_, bit): &&(&str, u32)| rule.fields & bit != 0;
    TravelRuleView {
        from_amount: decimal(u128::from(rule.from_amount), exponent),
        fields: travel_field::ALL
            .iter()
            .filter(required)
            .map(|(word, _)| (*word).to_owned())
            .collect(),
    }
}

/// Balances exceed the 64 bits of an amount.
fn decimal(units: u128, exponent: u8) -> String {
    let unit = 10_u128.pow(u32::from(exponent.min(8)));
    if unit == 1 {
        return units.to_string();
    }
    let width = usize::from(exponent);
    format!("{}.{:0width$}", units / unit, units % unit)
}

//! What this gateway last heard of the network: participants, corridors, accounts; old news is no news.
use std::{
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use ledger_types::{CorridorId, Currency, Money, ParticipantId};
use proto::{LedgerClient, convert::Network};

use crate::{
    problem::{Code, Problem},
    routes::document::AMOUNT_DIGITS_MAX,
};

/// How long news is good.
const AGE_MAX: Duration = Duration::from_secs(20);

type Latest = Option<(Instant, Arc<Network>)>;

/// Shared news of the network.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    latest: Arc<RwLock<Latest>>,
}

impl Directory {
    /// Keeps news.
    pub fn set(&self, network: Network) {
        let latest = Some((Instant::now(), Arc::new(network)));
        *self.latest.write().unwrap_or_else(PoisonError::into_inner) = latest;
    }

    /// The news, unless it is old.
    #[must_use]
    pub fn fresh(&self) -> Option<Arc<Network>> {
        let latest = self.latest.read().unwrap_or_else(PoisonError::into_inner);
        latest.as_ref().filter(|(at, _)| at.elapsed() < AGE_MAX).map(|(_, news)| Arc::clone(news))
    }

    /// The news, asked for anew when it is old.
    ///
    /// # Errors
    /// `LEDGER_UNAVAILABLE` when no node answers.
    pub async fn current(&self, ledger: &LedgerClient) -> Result<Arc<Network>, Problem> {
        if let Some(news) = self.fresh() {
            return Ok(news);
        }
        match ledger.network().await {
            Ok(network) => self.set(network),
            Err(error) => {
                tracing::warn!(%error, "ledger does not answer");
                return Err(unavailable());
            }
        }
        self.fresh().ok_or_else(unavailable)
    }
}

fn unavailable() -> Problem {
    Problem::new(Code::LedgerUnavailable, "no node of the ledger answers; try again")
}

/// The corridor of two currencies from a country to a participant's country.
#[must_use]
pub fn corridor_between(
    network: &Network,
    from: ParticipantId,
    to: ParticipantId,
    currencies: (Currency, Currency),
) -> Option<CorridorId> {
    let (from, to) = (network.participant(from)?, network.participant(to)?);
    let fits = network.corridors.iter().filter(|(terms, _)| {
        terms.source_currency == currencies.0
            && terms.destination_currency == currencies.1
            && terms.source_country == from.country
            && terms.destination_country == to.country
    });
    fits.map(|(terms, _)| terms.corridor).min()
}

/// Reads a decimal amount by the network's exponent.
///
/// # Errors
/// When currency or amount break their rule.
pub fn money(
    network: &Network,
    field: &str,
    amount: &str,
    currency: &str,
) -> Result<Money, Problem> {
    let currency: Currency = currency
        .parse()
        .map_err(|error: ledger_types::ParseError| Problem::field(field, error.reason))?;
    let exponent = network.exponent(currency).ok_or_else(|| {
        Problem::field(field, "the currency is not one of this network")
            .because(ledger_types::StatusReason::known(b"AM03"))
    })?;
    let whole = amount.split('.').next().unwrap_or_default();
    if whole.len() > 1 && whole.starts_with('0') {
        return Err(Problem::field(field, "must be a plain decimal such as 500.00"));
    }
    if whole.len() > AMOUNT_DIGITS_MAX.saturating_sub(usize::from(exponent)) {
        return Err(Problem::field(field, "exceeds the range of an amount"));
    }
    let money = Money::parse(amount, currency, exponent)
        .map_err(|error| Problem::field(field, error.reason))?;
    if money.minor_units == 0 {
        return Err(Problem::field(field, "must be above 0")
            .because(ledger_types::StatusReason::known(b"AM01")));
    }
    Ok(money)
}

/// Prints an amount by the network's exponent, or ISO 4217's.
#[must_use]
pub fn decimal(network: Option<&Network>, minor_units: u64, currency: &str) -> String {
    let Ok(code) = currency.parse::<Currency>() else { return minor_units.to_string() };
    let exponent = network.and_then(|network| network.exponent(code)).or(code.exponent());
    Money::new(minor_units, code).decimal(exponent.unwrap_or(0)).to_string()
}

//! A quote that is registered once and drawn on by every question of a few seconds; it neither prices nor registers.
use ledger_proof::item::RegisterQuote;
use ledger_types::{ParticipantId, Rate, Timestamp};

/// What a standing quote is for: whatever else differs between two questions is only their amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Use {
    /// The place of the corridor's block in the settings.
    pub served: usize,
    /// Who asks.
    pub debtor_agent: ParticipantId,
    /// Which side of the exchange is fixed.
    pub destination_fixed: bool,
    /// Whether the payout partner's fee is paid.
    pub last_hop: bool,
}

/// At which price the bank exchanges now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Destination per source, the payout fee included.
    pub rate: Rate,
    /// The mid rate behind it.
    pub mid_rate: Rate,
    /// Of when.
    pub mid_at: Timestamp,
    /// The fee schedule shown with it.
    pub fee_schedule_version: u32,
}

/// A registered quote and what is left of it.
#[derive(Debug)]
pub struct Standing {
    quote: RegisterQuote,
    left: u64,
    renew_at: Timestamp,
    until: Timestamp,
}

impl Standing {
    /// Of a quote made at that time, which stands for so long.
    #[must_use]
    pub const fn new(quote: RegisterQuote, made_at: Timestamp, stands_micros: u64) -> Self {
        let left = quote.source_amount;
        let (renew_at, until) =
            (made_at.plus_micros(stands_micros / 2), made_at.plus_micros(stands_micros));
        Self { quote, left, renew_at, until }
    }

    /// Draws a source amount, if it still stands, at the price of now, and holds as much.
    pub fn draw(&mut self, offer: &Offer, source: u64, now: Timestamp) -> Option<&RegisterQuote> {
        let quote = &self.quote;
        let stated = Offer {
            rate: quote.rate,
            mid_rate: quote.mid_rate,
            mid_at: quote.mid_at,
            fee_schedule_version: quote.fee_schedule_version,
        };
        if stated != *offer || now >= self.until {
            return None;
        }
        self.left = self.left.checked_sub(source)?;
        Some(&self.quote)
    }

    /// Whether the next should be on its way, so that nobody waits for it.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> bool {
        now >= self.renew_at || self.left < self.quote.source_amount / 2
    }
}

#[cfg(test)]
mod tests;

//! When an account runs dry if money goes on leaving it as it did, and by when it must be topped up. It must never read
//! a clock or a table; amounts are integers and round towards the earlier time.

use time::{Duration, OffsetDateTime};

/// What left an account, less what came, over a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Minor units; below zero if more came than left.
    pub net_out: i128,
    /// Microseconds that this was seen over.
    pub over_micros: i64,
}

/// How long an account lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunOut {
    /// It is empty.
    Empty,
    /// As much or more comes than leaves, or nothing moves.
    Never,
    /// Then, if it goes on so.
    At(OffsetDateTime),
}

/// Farther away than this is not said: a week.
pub const HORIZON: Duration = Duration::days(7);

/// When what is available has left.
#[must_use]
pub fn run_out(available: i128, flow: Flow, now: OffsetDateTime) -> RunOut {
    if available <= 0 {
        return RunOut::Empty;
    }
    if flow.net_out <= 0 || flow.over_micros <= 0 {
        return RunOut::Never;
    }
    let micros = available
        .checked_mul(i128::from(flow.over_micros))
        .map_or(i128::MAX, |product| product / flow.net_out);
    let micros = i64::try_from(micros).unwrap_or(i64::MAX);
    let after = Duration::microseconds(micros);
    if after > HORIZON { RunOut::Never } else { RunOut::At(now.saturating_add(after)) }
}

/// The latest time at which money can still be brought: the custodian's last cut-off before the account runs dry, or
/// that moment itself if no cut-off comes before it. `cut_offs` are those to come, in order.
#[must_use]
pub fn latest_top_up(
    run_out: RunOut,
    cut_offs: &[OffsetDateTime],
    now: OffsetDateTime,
) -> Option<OffsetDateTime> {
    let dry = match run_out {
        RunOut::Never => return None,
        RunOut::Empty => return Some(now),
        RunOut::At(dry) => dry,
    };
    let before = cut_offs.iter().copied().filter(|cut_off| *cut_off > now && *cut_off <= dry);
    Some(before.max().unwrap_or(dry))
}

/// A side of an account's movements: what moved, and over which time it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    pub moved: i128,
    pub over_micros: i64,
}

/// The flow over a window, each side stretched to it from the time that it was seen over.
#[must_use]
pub fn flow(out: Side, back: Side, window_micros: i64) -> Flow {
    let stretched = |side: Side| match side.over_micros {
        over if over <= 0 => 0,
        over => side.moved.saturating_mul(i128::from(window_micros)) / i128::from(over),
    };
    Flow { net_out: stretched(out).saturating_sub(stretched(back)), over_micros: window_micros }
}

/// The value below which so many of a hundred lie, of values in order: the nearest rank.
#[must_use]
pub fn percentile(sorted: &[i64], percent: usize) -> Option<i64> {
    let rank = (sorted.len() * percent.min(100)).div_ceil(100);
    sorted.get(rank.max(1) - 1).copied()
}

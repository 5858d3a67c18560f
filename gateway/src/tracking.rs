//! Tracking for senders: what a link opens, how long it lasts and how much it may ask; it never gives a name, an account or a reason away.
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use governor::{Quota, RateLimiter, clock::DefaultClock, state::keyed::HashMapStateStore};
use hmac::{Hmac, KeyInit, Mac};
use ledger_proof::codec::Digest;
use ledger_types::TransferId;
use services_runtime::tickets::{Ticket, Tickets};
use sha2::{Digest as _, Sha256};
use tokio::sync::broadcast;

use crate::{settings, store::tracking::Usual};

pub mod costs;
pub mod page;
pub mod stage;
pub mod words;
pub mod zone;

#[cfg(test)]
mod tests;

const DOMAIN: &[u8] = b"causeway/tracking/v1";
/// Changes that a reader may be behind before it looks for itself.
const CHANGES_MAX: usize = 4_096;
/// How long a corridor's history is taken as it was counted.
const USUAL_AGE_MAX: Duration = Duration::from_secs(15);
/// Addresses that are remembered before those that did nothing lately are forgotten.
const ADDRESSES_MAX: usize = 10_000;
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// The token of a transfer: 160 bits in hexadecimal, unguessable without the secret.
#[must_use]
pub fn token(secret: &Digest, transfer: TransferId) -> String {
    // HMAC takes a key of any length, so this cannot fail for 32 bytes.
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    let mac = mac
        .chain_update(DOMAIN)
        .chain_update(transfer.debtor_agent.0.to_be_bytes())
        .chain_update(transfer.uetr.bytes());
    hex::encode(mac.finalize().into_bytes().get(..20).unwrap_or_default())
}

/// What of a token is stored.
#[must_use]
pub fn digest(token: &str) -> Digest {
    Sha256::digest(token.as_bytes()).into()
}

type Addresses = RateLimiter<IpAddr, HashMapStateStore<IpAddr>, DefaultClock>;

/// What transfers took lately, by corridor and payout method, and when that was looked up.
type Kept = HashMap<(i64, String), (Instant, Option<Usual>)>;

/// What links may ask of one gateway.
pub struct Tracking {
    /// How long a link lasts behind a transfer's end.
    pub lasts: time::Duration,
    /// How long one reader of events is served.
    pub reader_time_max: Duration,
    changes: broadcast::Sender<TransferId>,
    readers: Tickets<Digest>,
    addresses: Addresses,
    swept: Mutex<Instant>,
    miss_cost: NonZeroU32,
    usual: Mutex<Kept>,
}

impl std::fmt::Debug for Tracking {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Tracking").field("lasts", &self.lasts).finish_non_exhaustive()
    }
}

impl Tracking {
    /// With the limits of the settings.
    #[must_use]
    pub fn new(settings: &settings::Tracking) -> Self {
        let burst = settings.burst.max(NonZeroU32::MIN);
        let quota = Quota::per_second(settings.requests_per_s).allow_burst(burst);
        Self {
            lasts: time::Duration::days(settings.days_after_end.into()),
            reader_time_max: Duration::from_millis(settings.reader_time_ms_max),
            changes: broadcast::Sender::new(CHANGES_MAX),
            readers: Tickets::new(settings.readers_max, settings.token_readers_max),
            addresses: RateLimiter::hashmap(quota),
            swept: Mutex::new(Instant::now()),
            miss_cost: settings.miss_cost.min(burst),
            usual: Mutex::default(),
        }
    }

    /// Tells readers that a transfer, or what belongs to it, changed.
    pub fn changed(&self, transfer: TransferId) {
        // Without readers nobody hears it.
        let _unheard = self.changes.send(transfer);
    }

    /// What changes from here on.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<TransferId> {
        self.changes.subscribe()
    }

    /// A place for a reader of events, unless there are too many of this token or in all.
    #[must_use]
    pub fn reader(&self, token: Digest) -> Option<Ticket<Digest>> {
        self.readers.take(token)
    }

    /// Whether an address may ask once more.
    #[must_use]
    pub fn may_ask(&self, address: IpAddr) -> bool {
        self.forget();
        self.addresses.check_key(&network_of(address)).is_ok()
    }

    /// Forgets whoever did nothing lately, at most once a second however many come.
    fn forget(&self) {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if self.addresses.len() > ADDRESSES_MAX && swept.elapsed() > SWEEP_PAUSE {
            self.addresses.retain_recent();
            *swept = Instant::now();
        }
    }

    /// A token that names nothing costs its address more than one that does.
    pub fn missed(&self, address: IpAddr) {
        let address = network_of(address);
        let all = self.addresses.check_key_n(&address, self.miss_cost);
        if !matches!(all, Ok(Ok(()))) {
            // What is left is taken, so that the next waits.
            while self.addresses.check_key(&address).is_ok() {}
        }
    }

    /// A corridor's history as it was counted a moment ago.
    #[must_use]
    pub fn usual(&self, corridor: i64, payout_method: &str) -> Option<Option<Usual>> {
        let kept = self.usual.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, usual) = kept.get(&(corridor, payout_method.to_owned()))?;
        (at.elapsed() < USUAL_AGE_MAX).then_some(*usual)
    }

    /// Keeps a corridor's history for a moment.
    pub fn keep_usual(&self, corridor: i64, payout_method: &str, usual: Option<Usual>) {
        let mut kept = self.usual.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert((corridor, payout_method.to_owned()), (Instant::now(), usual));
    }
}

/// Who has one address of IPv6 has all of its /64.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => {
            let bits = six.to_bits() & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
        four @ IpAddr::V4(_) => four,
    }
}

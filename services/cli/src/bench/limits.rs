//! What this machine can do without a ledger: synced writes, signature checks, a bare map. It must
//! never be compared with another run's figures.

use std::collections::HashMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

use ledger_proof::signature::{verify, verifying_key};
use serde_json::{Value, json};

use super::ratio;
use crate::network::keys::Secret;

const FOR: Duration = Duration::from_millis(700);
const BLOCK_BYTES: usize = 1 << 20;
const ACCOUNTS: u64 = 10_000;

/// Operations per second of one thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Appending 1 MiB and fdatasync.
    pub fdatasync_per_second: f64,
    /// `verify_strict` over a 128-byte message.
    pub verify_per_second: f64,
    /// One insert of 128 bytes and two balance changes in a hash map.
    pub map_per_second: f64,
}

impl Limits {
    /// For the figures.
    #[must_use]
    pub(super) fn to_json(self) -> Value {
        json!({
            "fdatasync_1mib_per_second": self.fdatasync_per_second,
            "verify_strict_per_second": self.verify_per_second,
            "bare_map_per_second": self.map_per_second,
        })
    }
}

/// Measures each for under a second.
pub(super) fn measure() -> anyhow::Result<Limits> {
    Ok(Limits {
        fdatasync_per_second: fdatasync()?,
        verify_per_second: verification()?,
        map_per_second: map(),
    })
}

/// Repeats `step` for a while and gives its rate.
fn rate(mut step: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let (start, mut count) = (Instant::now(), 0_u32);
    while start.elapsed() < FOR {
        step()?;
        count += 1;
    }
    Ok(ratio(f64::from(count), start.elapsed().as_secs_f64()))
}

fn fdatasync() -> anyhow::Result<f64> {
    let mut file = tempfile::tempfile()?;
    let block = vec![7_u8; BLOCK_BYTES];
    rate(|| {
        file.write_all(&block)?;
        Ok(file.sync_data()?)
    })
}

fn verification() -> anyhow::Result<f64> {
    use ed25519_dalek::Signer as _;
    let key = Secret::generate()?.signing();
    let public = verifying_key(&key.verifying_key().to_bytes())
        .ok_or_else(|| anyhow::anyhow!("a random key is never weak"))?;
    let message = [3_u8; 128];
    let signature = key.sign(&message).to_bytes();
    rate(|| {
        anyhow::ensure!(verify(&public, &message, &signature), "the signature is its own");
        Ok(())
    })
}

fn map() -> f64 {
    let mut balances: HashMap<u64, u128> = (0..ACCOUNTS).map(|at| (at, 1 << 60)).collect();
    let mut rows: HashMap<u128, [u8; 128]> = HashMap::with_capacity(4_000_000);
    let mut id: u128 = 1;
    let step = || {
        // A full-period generator spreads ids and accounts.
        id = id.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645).wrapping_add(1);
        let low = u64::try_from(id & u128::from(u64::MAX)).unwrap_or(0);
        for account in [low % ACCOUNTS, (low >> 20) % ACCOUNTS] {
            if let Some(balance) = balances.get_mut(&account) {
                *balance += 1;
            }
        }
        rows.insert(id, [0; 128]);
        Ok(())
    };
    rate(step).unwrap_or(0.0)
}

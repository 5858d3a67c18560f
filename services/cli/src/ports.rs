//! Ports of this machine for what is to listen a moment later. It must never hold one open: who
//! asked starts the listener.

use std::net::TcpListener;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context as _;

/// Below those that Linux gives to outgoing connections (net.ipv4.ip_local_port_range starts at
/// 32,768), one of which could else take a port between this choice and its listener.
const PORTS: Range<u16> = 10_000..32_768;

/// How far apart two processes of neighbouring ids look.
const APART: u32 = 1_009;

/// How many ports this process looked at.
static LOOKED_AT: AtomicU32 = AtomicU32::new(0);

/// A port that nobody listens on now, and that this process did not give away lately.
///
/// # Errors
/// When all are taken.
pub fn free() -> anyhow::Result<u16> {
    let first = std::process::id().wrapping_mul(APART);
    PORTS
        .map(|_| first.wrapping_add(LOOKED_AT.fetch_add(1, Ordering::Relaxed)))
        .filter_map(|at| u16::try_from(at % u32::from(PORTS.end - PORTS.start)).ok())
        .map(|at| PORTS.start + at)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .context("no free port on this machine: end what listens on 10000 to 32767")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ports_are_given_once_and_passed_over_while_somebody_listens() {
        let first = free().unwrap();
        let held = TcpListener::bind(("127.0.0.1", first)).unwrap();
        let more: HashSet<_> = (0..100).map(|_| free().unwrap()).collect();
        assert_eq!(more.len(), 100);
        assert!(!more.contains(&first));
        assert!(more.iter().all(|port| PORTS.contains(port)));
        drop(held);
    }
}

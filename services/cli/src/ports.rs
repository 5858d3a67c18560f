//! Ports of this machine for what is to listen a moment later. It must never hold one open: who
//! asked starts the listener.

use std::net::TcpListener;
use std::ops::Range;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::Context as _;

/// Below those that Linux gives to outgoing connections (net.ipv4.ip_local_port_range starts at
/// 32,768), one of which could else take a port between this choice and its listener.
const PORTS: Range<u16> = 10_000..32_768;

/// Where this process looks next; another process begins somewhere else.
static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| AtomicU16::new(first(std::process::id())));

/// Processes that start together look far apart.
fn first(process: u32) -> u16 {
    let ports = u32::from(PORTS.end - PORTS.start);
    PORTS.start + u16::try_from(process.wrapping_mul(1_009) % ports).unwrap_or_default()
}

/// A port that nobody listens on now, and that this process did not give away lately.
///
/// # Errors
/// When all are taken.
pub fn free() -> anyhow::Result<u16> {
    let after = |port: u16| if port + 1 < PORTS.end { port + 1 } else { PORTS.start };
    PORTS
        .map(|_| NEXT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |port| Some(after(port))))
        .map(|port| port.unwrap_or_else(|port| port))
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

//! Bad networks: frames lost, late, out of order, doubled and bent, narrow lines, connections reset; the cluster must come back at once when it clears.
use std::time::Duration;

use super::{Family, Options, Quantiles, Report, choose::setup, cluster::Cluster, rig::Weather};

/// How long each weather stays.
const STAYS: Duration = Duration::from_secs(8);

/// What comes over the network.
#[derive(Clone, Copy, Debug)]
enum Sky {
    Frames(Weather),
    /// Of a hundred packets so many end their connection.
    Resets(u8),
    /// Frames no longer than this.
    Narrow(u32),
}

const CALM: Weather = Weather {
    lost: 0,
    doubled: 0,
    bent: 0,
    overtaken: 0,
    delay: Duration::ZERO,
    jitter: Duration::ZERO,
    bytes_per_s: 0,
};

/// Every weather; the first is the one that most networks have now and then.
const SKIES: [Sky; 9] = [
    Sky::Frames(Weather { lost: 50, ..CALM }),
    Sky::Frames(Weather {
        overtaken: 100,
        doubled: 50,
        bent: 20,
        delay: Duration::from_millis(2),
        jitter: Duration::from_millis(1),
        ..CALM
    }),
    Sky::Resets(1),
    Sky::Frames(Weather {
        delay: Duration::from_millis(30),
        jitter: Duration::from_millis(40),
        ..CALM
    }),
    Sky::Narrow(600),
    Sky::Frames(Weather { lost: 200, ..CALM }),
    Sky::Frames(Weather { delay: Duration::from_millis(200), ..CALM }),
    // A megabit a second.
    Sky::Frames(Weather { bytes_per_s: 125_000, ..CALM }),
    Sky::Frames(Weather { lost: 300, ..CALM }),
];

/// Lets `runs` weathers pass over a cluster, and judges it.
///
/// # Errors
/// When the cluster does not come back.
pub(super) async fn weather(options: &Options) -> anyhow::Result<Report> {
    let mut cluster = Cluster::start(setup(Family::Weather, options.seed)).await?;
    let (clients, pause_ms) = Family::Weather.load();
    cluster.load(clients, pause_ms);
    let (mut took, mut healed, mut elections) = (Vec::new(), Vec::new(), 0);
    for (run, sky) in (0..options.runs).zip(SKIES.iter().cycle()) {
        let before = cluster.term().await?;
        let since = cluster.now();
        let wires = cluster.rig.wires();
        match *sky {
            Sky::Frames(weather) => wires.weather(weather)?,
            Sky::Resets(of_a_hundred) => wires.reset(of_a_hundred)?,
            Sky::Narrow(mtu) => wires.narrow(mtu)?,
        }
        tokio::time::sleep(STAYS).await;
        took.extend(cluster.latencies(since));
        cluster.rig.wires().heal()?;
        let cleared = cluster.now();
        healed.push(cluster.served(cleared).await?);
        cluster.waits(cleared).await?;
        elections += cluster.term().await? - before;
        (options.progress)(run + 1);
    }
    let judged = cluster.verdict(Vec::new()).await?;
    Ok(Report {
        family: Family::Weather,
        seed: options.seed,
        faults: options.runs,
        elections,
        gap_us: Quantiles::of(took),
        healed_us: Quantiles::of(healed),
        ..judged
    })
}

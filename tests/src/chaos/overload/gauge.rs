//! What nodes use and count, read from outside: resident memory, and counters of their metrics page.
use std::path::Path;

use anyhow::Context as _;
use services_cli::bench::world::World;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Resident KiB of each node's process.
pub(super) fn memory(world: &World) -> anyhow::Result<Vec<u64>> {
    world.processes().into_iter().map(resident).collect()
}

fn resident(process: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let line = line.context("a process without resident memory")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// How many submits the nodes have seen, whatever they said to them.
pub(super) async fn submits(world: &World) -> anyhow::Result<u64> {
    let mut seen = 0;
    for node in 1..=world.processes().len() {
        let settings = world.folder.path.join(format!("nodes/{node}/node.toml"));
        let page = metrics(&settings).await?;
        let lines = page.lines().filter(|line| line.starts_with("causeway_ledger_submits_total"));
        let counts = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        seen += counts.sum::<u64>();
    }
    Ok(seen)
}

async fn metrics(settings: &Path) -> anyhow::Result<String> {
    let settings: toml::Table = std::fs::read_to_string(settings)?.parse()?;
    let address = settings.get("health_listen").and_then(toml::Value::as_str);
    let mut stream = TcpStream::connect(address.context("a node without metrics")?).await?;
    let request = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await?;
    let mut page = String::new();
    stream.read_to_string(&mut page).await?;
    Ok(page)
}

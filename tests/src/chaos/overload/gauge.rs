//! What nodes use and count, read from outside: resident memory, and counters of their metrics page.
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use services_cli::bench::world::World;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::memory::resident;

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// The most resident KiB that each node's process was seen with; a moment alone says little, since
/// memory rises until rows are flushed and falls after.
#[derive(Debug)]
pub(super) struct Memory {
    most: Arc<Mutex<Vec<u64>>>,
    looking: tokio::task::JoinHandle<()>,
}

impl Memory {
    /// Looks at the nodes from now on.
    pub(super) fn watch(world: &World) -> Self {
        let (most, processes) = (Arc::default(), world.processes());
        let seen: Arc<Mutex<Vec<u64>>> = Arc::clone(&most);
        let looking = tokio::spawn(async move {
            loop {
                // A process that ended is found by who asks it.
                let now = processes.iter().map(|process| resident(*process).unwrap_or(0)).collect();
                raise(&mut seen.lock().unwrap_or_else(PoisonError::into_inner), now);
                tokio::time::sleep(LOOK).await;
            }
        });
        Self { most, looking }
    }

    /// The most since this was asked last.
    pub(super) fn most(&self) -> Vec<u64> {
        std::mem::take(&mut *self.most.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

fn raise(most: &mut Vec<u64>, now: Vec<u64>) {
    most.resize(now.len(), 0);
    most.iter_mut().zip(now).for_each(|(most, now)| *most = now.max(*most));
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

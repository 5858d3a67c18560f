//! A network of its own: each node in a namespace, on one bridge or on a switch with weather, links cut by nft; nothing outside is touched.
use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};
use nix::sched::{CloneFlags, unshare};
use services_cli::admin::authority::Folder;

use super::{
    air::{Air, Weather},
    run,
};

/// The clients' own address in the network.
const CLIENTS: &str = "10.83.0.1";
/// The clients' device: a bridge, or their port of the switch.
const DOOR: &str = "cwclients";
/// How much a frame carries at most.
const MTU: u32 = 1_500;

/// The namespaces of a cluster's nodes; removed when dropped.
#[derive(Debug)]
pub(in super::super) struct Wires {
    names: Vec<String>,
    air: Option<Air>,
}

/// Runs `work` on a thread whose network is new and empty; what it starts stays in there.
pub(in super::super) fn isolated<T: Send + 'static, F: Future<Output = anyhow::Result<T>>>(
    work: impl FnOnce() -> F + Send + 'static,
) -> anyhow::Result<T> {
    let thread = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).context("no network namespace can be made")?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(work())
    });
    thread.join().map_err(|_| anyhow::anyhow!("the thread panicked"))?
}

impl Wires {
    /// In the present, empty network; with `weather` by a seed on a switch, else on a bridge.
    pub(super) fn new(nodes: usize, weather: Option<u64>) -> anyhow::Result<Self> {
        ip("link set lo up")?;
        let mut this = Self { names: Vec::new(), air: None };
        match weather {
            None => ip(&format!("link add {DOOR} type bridge"))?,
            Some(seed) => {
                let nodes = (0..nodes).map(|place| format!("cwnode{place}"));
                let ports: Vec<_> = [DOOR.to_owned()].into_iter().chain(nodes).collect();
                this.air = Some(Air::new(&ports, seed)?);
            }
        }
        ip(&format!("addr add {CLIENTS}/24 dev {DOOR}"))?;
        ip(&format!("link set {DOOR} up"))?;
        let id = std::process::id();
        for place in 0..nodes {
            let name = format!("causeway-{id}-{}-{place}", fastrand::u32(..));
            ip(&format!("netns add {name}"))?;
            this.names.push(name.clone());
            if this.air.is_some() {
                ip(&format!("link set cwnode{place} netns {name}"))?;
                ip(&format!("-n {name} link set cwnode{place} name wire"))?;
            } else {
                ip(&format!("link add cwnode{place} type veth peer name wire netns {name}"))?;
                ip(&format!("link set cwnode{place} master {DOOR} up"))?;
            }
            ip(&format!("-n {name} addr add {}/24 dev wire", address(place)))?;
            ip(&format!("-n {name} link set wire up"))?;
            ip(&format!("-n {name} link set lo up"))?;
            let chain = "add table inet causeway\n\
                         add chain inet causeway cut { type filter hook input priority 0; }\n";
            this.rules(place, chain)?;
        }
        Ok(this)
    }

    /// Writes the nodes' addresses where a network's folder has this machine's.
    pub(super) fn fit(&self, folder: &mut Folder) -> anyhow::Result<()> {
        let mut endpoints = Vec::new();
        for (place, endpoint) in folder.endpoints.iter().enumerate() {
            endpoints.push(endpoint.replace("localhost", &address(place)));
        }
        for place in 0..self.names.len() {
            let file = folder.path.join(format!("nodes/{}/node.toml", place + 1));
            let mut settings: toml::Table = std::fs::read_to_string(&file)?.parse()?;
            for name in ["client_listen", "peer_listen"] {
                let listen = settings.get(name).and_then(toml::Value::as_str);
                let listen = listen.context("no listener in the settings")?;
                let listen = listen.replace("127.0.0.1", &address(place));
                settings.insert(name.to_owned(), listen.into());
            }
            let nodes = settings.get_mut("nodes").and_then(toml::Value::as_array_mut);
            for (node, row) in nodes.context("no nodes in the settings")?.iter_mut().enumerate() {
                for name in ["client", "peer"] {
                    let uri = row.get(name).and_then(toml::Value::as_str).context("no address")?;
                    let uri = uri.replace("localhost", &address(node));
                    row.as_table_mut().context("no table")?.insert(name.to_owned(), uri.into());
                }
            }
            std::fs::write(&file, toml::to_string(&settings)?)?;
        }
        folder.endpoints = endpoints;
        Ok(())
    }

    pub(super) fn under(&self, place: usize) -> [String; 2] {
        ["nsenter".to_owned(), format!("--net=/run/netns/{}", self.names[place])]
    }

    /// Drops whatever one node sends to another.
    pub(in super::super) fn cut(&self, from: usize, to: usize) -> anyhow::Result<()> {
        self.drop_from(&address(from), to)
    }

    /// Drops whatever clients send to a node.
    pub(in super::super) fn cut_clients(&self, to: usize) -> anyhow::Result<()> {
        self.drop_from(CLIENTS, to)
    }

    fn drop_from(&self, source: &str, to: usize) -> anyhow::Result<()> {
        self.rules(to, &format!("add rule inet causeway cut ip saddr {source} drop\n"))
    }

    /// Sets what happens to frames, where there is a switch.
    pub(in super::super) fn weather(&self, weather: Weather) -> anyhow::Result<()> {
        self.air.as_ref().context("a bridge has no weather")?.set(weather);
        Ok(())
    }

    /// Ends so many of a hundred connections' packets with a reset.
    pub(in super::super) fn reset(&self, of_a_hundred: u8) -> anyhow::Result<()> {
        let rule = format!(
            "add rule inet causeway cut meta l4proto tcp numgen random mod 100 < {of_a_hundred} \
             reject with tcp reset\n"
        );
        (0..self.names.len()).try_for_each(|place| self.rules(place, &rule))
    }

    /// Lets frames be no longer than this.
    pub(in super::super) fn narrow(&self, mtu: u32) -> anyhow::Result<()> {
        ip(&format!("link set {DOOR} mtu {mtu}"))?;
        self.names.iter().try_for_each(|name| ip(&format!("-n {name} link set wire mtu {mtu}")))
    }

    /// Lets everything through again, whole and at once.
    pub(in super::super) fn heal(&self) -> anyhow::Result<()> {
        if let Some(air) = &self.air {
            air.set(Weather::default());
            self.narrow(MTU)?;
        }
        (0..self.names.len())
            .try_for_each(|place| self.rules(place, "flush chain inet causeway cut\n"))
    }

    fn rules(&self, place: usize, rules: &str) -> anyhow::Result<()> {
        let [program, namespace] = self.under(place);
        let mut command = Command::new(program);
        command.args([&namespace, "nft", "-f", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("nft cannot be started")?;
        child.stdin.take().context("nft takes no rules")?.write_all(rules.as_bytes())?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "nft: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

impl Drop for Wires {
    fn drop(&mut self) {
        for name in &self.names {
            // Whatever could not be removed is seen by `ip netns`.
            let _port = ip(&format!("-n {name} link del wire"));
            let _left = ip(&format!("netns del {name}"));
        }
        let _left = ip(&format!("link del {DOOR}"));
    }
}

/// A node's address in the network.
pub(in super::super) fn address(place: usize) -> String {
    format!("10.83.0.{}", 11 + place)
}

fn ip(arguments: &str) -> anyhow::Result<()> {
    run(Command::new("ip").args(arguments.split(' ')))
}

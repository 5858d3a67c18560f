//! `causeway network add-node`: one more node's folder, with an id that was never used. It must never start it or touch the
//! cluster.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};
use services_runtime::{settings, tls::Identity};
use time::OffsetDateTime;

use super::keys::Secret;
use super::pki::{ParticipantCa, PeerCa};
use super::settings::{Listen, node_settings, write};
use crate::admin::authority::Folder;
use crate::admin::operate::Said;
use crate::args::AddNode;
use crate::ports;

/// Makes the folder.
pub fn run(args: &AddNode) -> anyhow::Result<Said> {
    let path =
        args.folder.canonicalize().context("DIR: cannot be found; give a network's folder")?;
    let folder = Folder::read(&path)?;
    let mut nodes = others(&path)?;
    // Every id stands in the list of endpoints or has a folder, and neither ever shrinks.
    let endpoints = u64::try_from(folder.endpoints.len())?;
    let number = nodes.iter().map(|node| node.id).max().unwrap_or(0).max(endpoints) + 1;
    for lost in &args.without {
        anyhow::ensure!(
            nodes.iter().any(|node| node.id == *lost),
            "--without: {lost} is no node of this folder"
        );
    }
    nodes.retain(|node| !args.without.contains(&node.id));
    let host = args.hosts.first().context("--host: give at least one")?;
    let (client, peer, health) = (ports::free()?, ports::free()?, ports::free()?);
    let listen = Listen { number, client, peer, health };
    let uri = |port: u16| format!("https://{host}:{port}");
    let own = json!({ "id": number, "client": uri(listen.client), "peer": uri(listen.peer) });
    let mut rows: Vec<Value> = nodes
        .iter()
        .map(|node| json!({ "id": node.id, "client": node.client, "peer": node.peer }))
        .collect();
    rows.push(own);

    let now = OffsetDateTime::now_utc();
    let network = folder.genesis.network();
    let identity: Identity = format!("causeway://{network}/node/{number}").parse()?;
    let peer = PeerCa::read(&path)?.issue_peer(&args.hosts, &identity, now)?;
    let server = ParticipantCa::read(&path)?.issue_server(&args.hosts, &identity, now)?;
    let target = path.join(format!("nodes/{number}"));
    peer.write(&target.join("peer"))?;
    server.write(&target.join("server"))?;
    Secret::generate()?.write(&target.join("checkpoint.key"))?;
    write(&target.join("node.toml"), &node_settings(&path, &listen, &rows, true))?;
    // The endpoint's place is the node's id: one that is gone keeps its place.
    let endpoint = uri(listen.client);
    append_endpoint(&path, &endpoint, number)?;
    let text = format!(
        "made nodes/{number} (client {endpoint}, peer {})\nnext: add the endpoint as the {number}. of \
         `ledger` endpoints in gateways', fx' and reconciliation's settings, start `causeway ledger \
         --config {}`, then `causeway admin cluster add-learner` or `replace-node`",
        uri(listen.peer),
        target.join("node.toml").display()
    );
    let value = json!({ "node": number, "client": endpoint, "peer": uri(listen.peer) });
    Ok(Said::done(text, value))
}

/// What each node's own settings say of itself.
fn others(path: &Path) -> anyhow::Result<Vec<ledger_node::Node>> {
    let mut nodes = Vec::new();
    for found in fs::read_dir(path.join("nodes")).context("nodes: cannot be read")? {
        let file = found?.path().join("node.toml");
        let own: ledger_node::Settings =
            settings::load(&file).with_context(|| format!("{}: cannot be read", file.display()))?;
        nodes.extend(own.nodes.into_iter().filter(|node| node.id == own.node));
    }
    nodes.sort_by_key(|node| node.id);
    Ok(nodes)
}

fn append_endpoint(path: &Path, endpoint: &str, number: u64) -> anyhow::Result<()> {
    let file = path.join("network.json");
    let mut facts: Value = serde_json::from_slice(&fs::read(&file)?).context("network.json")?;
    let endpoints = facts.get_mut("endpoints").and_then(Value::as_array_mut);
    let endpoints = endpoints.context("network.json: has no endpoints")?;
    endpoints.push(json!(endpoint));
    anyhow::ensure!(u64::try_from(endpoints.len())? == number, "network.json: lacks an endpoint");
    let new = path.join("network.json.new");
    fs::write(&new, format!("{facts:#}\n"))?;
    fs::rename(&new, &file).context("network.json: cannot be written")
}

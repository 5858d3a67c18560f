//! `causeway network new`: lays out a network's folder. It must never overwrite a network that is
//! there: its keys could not be made again.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use services_runtime::tls::Identity;
use time::OffsetDateTime;

use super::pki::Pki;
use crate::args::NetworkNew;

/// What was made and where.
#[derive(Debug)]
pub struct Summary {
    folder: PathBuf,
    made: Vec<PathBuf>,
}

impl Summary {
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({ "folder": self.folder, "certificates": self.made })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "made a network in {}\n  ca (keep its keys offline)", self.folder.display())?;
        self.made.iter().try_for_each(|folder| write!(f, "\n  {}", folder.display()))
    }
}

pub fn run(args: &NetworkNew) -> anyhow::Result<Summary> {
    let pki = plan(args, OffsetDateTime::now_utc())?;
    // After the plan, so that a wrong argument leaves nothing behind.
    let folder = &args.folder;
    let shown = folder.display();
    std::fs::create_dir_all(folder).with_context(|| format!("{shown}: cannot be made"))?;
    let mut entries = folder.read_dir().with_context(|| format!("{shown}: cannot be read"))?;
    if entries.next().is_some() {
        bail!("{shown}: is not empty; give a new folder or remove what is there");
    }
    pki.write(folder)?;
    Ok(Summary { folder: folder.clone(), made: pki.folders().map(PathBuf::from).collect() })
}

/// Who gets what: `nodes/N/{peer,server}`, `participants/ID/{client,https}`, `fx/ID/{server,client}`
/// and `operator/client`.
fn plan(args: &NetworkNew, now: OffsetDateTime) -> anyhow::Result<Pki> {
    let identity = |role: &str, id: &str| -> anyhow::Result<Identity> {
        Ok(format!("causeway://{}/{role}/{id}", args.network).parse()?)
    };
    let hosts = args.hosts.as_slice();
    let mut pki = Pki::new(now)?;
    let nodes: usize = args.nodes.parse().context("--nodes: not a number; give 1, 3 or 5")?;
    for number in 1..=nodes {
        let node = identity("node", &number.to_string())?;
        let peer = pki.peer_ca.issue_peer(hosts, &node, now)?;
        pki.add(format!("nodes/{number}/peer"), peer);
        let server = pki.participant_ca.issue_server(hosts, &node, now)?;
        pki.add(format!("nodes/{number}/server"), server);
    }
    for id in &args.participants {
        let client = pki.participant_ca.issue_client(&identity("participant", id)?, now)?;
        pki.add(format!("participants/{id}/client"), client);
        let https = pki.participant_ca.issue_server(hosts, &identity("gateway", id)?, now)?;
        pki.add(format!("participants/{id}/https"), https);
    }
    for id in &args.fx {
        let server = pki.participant_ca.issue_server(hosts, &identity("fx", id)?, now)?;
        pki.add(format!("fx/{id}/server"), server);
        let client = pki.participant_ca.issue_client(&identity("participant", id)?, now)?;
        pki.add(format!("fx/{id}/client"), client);
    }
    let operator = pki.participant_ca.issue_client(&identity("operator", "operator")?, now)?;
    pki.add("operator/client", operator);
    let mut seen = HashSet::new();
    if let Some(twice) = pki.folders().find(|folder| !seen.insert(*folder)) {
        bail!("{}: is asked for twice; give each id once", twice.display());
    }
    Ok(pki)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::run;
    use crate::args::{Args, Command, Network, NetworkNew};

    fn parse(line: &[&str]) -> NetworkNew {
        let Command::Network(Network::New(new)) = Args::parse_from(line).command else {
            panic!("another command")
        };
        new
    }

    #[test]
    fn a_network_is_made_once_and_never_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("net");
        let shown = folder.to_str().unwrap();
        for (ids, expected) in [(["A", "../x"], "../x"), (["A", ".."], ".."), (["A", "A"], "twice")]
        {
            let [first, second] = ids.map(|id| format!("--participant={id}"));
            let wrong = ["causeway", "network", "new", shown, first.as_str(), second.as_str()];
            let refusal = run(&parse(&wrong)).unwrap_err().to_string();
            assert!(refusal.contains(expected), "{refusal}");
            assert!(!folder.exists(), "a refusal leaves nothing behind");
        }

        let line = ["causeway", "network", "new", shown, "--participant", "CWHKHKH0"];
        let summary = run(&parse(&line)).unwrap();
        assert_eq!(summary.to_json()["certificates"].as_array().unwrap().len(), 9);
        assert!(folder.join("participants/CWHKHKH0/https/key.pem").exists());
        assert!(run(&parse(&line)).unwrap_err().to_string().contains("is not empty"));
    }
}

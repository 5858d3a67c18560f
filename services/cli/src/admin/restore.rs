//! `causeway admin restore`: a new network that goes on from a backup up to a record. It must never write into the former
//! network's folder.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use ledger_node::{
    folder,
    restore::{self, Restoring},
};
use ledger_proof::{Genesis, genesis::NodeKey};
use ledger_types::ShortText;
use serde_json::json;
use time::OffsetDateTime;

use super::authority::Folder;
use super::offline::{facts, found};
use super::operate::{Said, bar};
use crate::args::{NetworkNew, operator::Operator};
use crate::network::new::{self, Secrets, timestamp};

/// Makes the new network, or says what it would keep.
pub fn run(command: &Operator) -> anyhow::Result<Said> {
    let Operator::Restore { backup, from, into, upto, nodes, hosts, database_url, dry_run } =
        command
    else {
        anyhow::bail!("is another command")
    };
    let from = Folder::read(from)?;
    let records = folder::records(backup)?;
    let last = upto.unwrap_or(u64::MAX).min(records.saturating_sub(1));
    if *dry_run {
        return preview(backup, last, records);
    }
    let new = NetworkNew {
        folder: into.clone(),
        plan: Some(from.path.join("plan.toml")),
        nodes: nodes.clone(),
        hosts: hosts.clone(),
        database_url: database_url.clone(),
        sdn: Some(from.path.join("screening/sdn.csv")),
        alt: Some(from.path.join("screening/alt.csv")),
    };
    restore(backup, &from, &new, last)
}

fn preview(backup: &Path, last: u64, records: u64) -> anyhow::Result<Said> {
    let (kept, at) = match restore::boundary(backup, last) {
        Ok(boundary) => boundary,
        Err(fault) => return found(fault),
    };
    let (lost, at) = (records - kept - 1, at.micros());
    let text = format!(
        "would keep records 0 to {kept}, the last entry that ends at or before record {last} \
         (microsecond {at}); {lost} later records of the backup would not be in the new network"
    );
    let value = json!({ "last_record": kept, "at_micros": at, "left_out": lost, "dry_run": true });
    Ok(Said::done(text, value))
}

fn restore(backup: &Path, from: &Folder, new: &NetworkNew, last: u64) -> anyhow::Result<Said> {
    let (begun, shown) = (Instant::now(), new.folder.display());
    let taken = new.folder.exists() && new.folder.read_dir()?.next().is_some();
    anyhow::ensure!(!taken, "--into: {shown} is not empty; give a new folder");
    let nodes: u64 = new.nodes.parse().context("--nodes: give 1, 3 or 5")?;
    let secrets = Secrets::read(&from.path, &from.plan, nodes)?;
    let stage = stage(&new.folder)?;
    let progress = bar("records applied again", last + 1)?;
    let mut done = |records| progress.set_position(records);
    let restoring = match Restoring::begin(backup, stage.path(), last, &mut done) {
        Ok(restoring) => restoring,
        Err(fault) => return found(fault),
    };
    progress.finish_and_clear();
    let replayed = restoring.replayed.clone();
    anyhow::ensure!(
        replayed.network == from.genesis.network(),
        "--from: is the folder of another network than the backup"
    );
    let (now, blobs) = (OffsetDateTime::now_utc(), restoring.blobs);
    let genesis = genesis(&restoring, &secrets, now)?;
    let founded = match restoring.found(&genesis) {
        Ok(founded) => founded,
        Err(fault) => return found(fault),
    };
    let made = new::establish(new, &from.plan, &secrets, &genesis, now)?;
    for node in 1..=nodes {
        let data = made.folder.join(format!("nodes/{node}/data"));
        restore::give(stage.path(), &data)
            .with_context(|| format!("{}: cannot be written", data.display()))?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let mut value = facts(&replayed);
    value["predecessor"] = json!(replayed.network.to_string());
    value["network"] = json!(founded.network.to_string());
    value["last_record"] = json!(replayed.records - 1);
    value["founding_record"] = json!(replayed.records);
    value["blobs"] = json!(blobs);
    value["seconds"] = json!(seconds);
    let text = format!(
        "network {} goes on from {} with records 0 to {}; record {} is its genesis, {blobs} sealed \
         blobs came along ({seconds:.1} s)\nnext: start every node of {shown}; envelopes must be \
         signed for the new network, and cursors beyond record {} must be set back",
        founded.network,
        replayed.network,
        replayed.records - 1,
        replayed.records,
        replayed.records - 1,
    );
    Ok(Said::done(text, value))
}

/// A folder beside the new one, so that what is copied lies on the same disk.
fn stage(into: &Path) -> anyhow::Result<tempfile::TempDir> {
    let parent = into.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.map_or_else(|| PathBuf::from("."), Path::to_owned);
    let made = tempfile::Builder::new().prefix(".causeway-restore-").tempdir_in(&parent);
    made.with_context(|| format!("{}: no folder can be made in it", parent.display()))
}

fn genesis(
    restoring: &Restoring,
    secrets: &Secrets,
    now: OffsetDateTime,
) -> anyhow::Result<Genesis> {
    let keys = secrets.public()?.nodes;
    let mut genesis = restoring.former.clone();
    genesis.founded_at = timestamp(now)?.max(restoring.replayed.at);
    genesis.log_origin = next_origin(&genesis.log_origin.to_string())?;
    genesis.node_keys =
        keys.into_iter().map(|(node, public_key)| NodeKey { node, public_key }).collect();
    genesis.predecessor = [restoring.predecessor()].into_iter().collect();
    Ok(genesis)
}

/// `log` becomes `log/2`, then `log/3`: two logs of one name with different trees would be fraud.
fn next_origin(former: &str) -> anyhow::Result<ShortText> {
    let (name, number) = match former.rsplit_once('/') {
        Some((name, number)) if number.parse::<u32>().is_ok() => (name, number.parse::<u32>()?),
        Some(_) | None => (former, 1),
    };
    let next = format!("{name}/{}", number.saturating_add(1));
    next.parse().with_context(|| format!("log_origin: {next} is too long; shorten the plan's"))
}

#[cfg(test)]
mod tests {
    use super::next_origin;

    #[test]
    fn each_restored_network_has_a_log_of_its_own_name() {
        let cases = [("a.test/log", "a.test/log/2"), ("a.test/log/2", "a.test/log/3")];
        for (former, next) in cases {
            assert_eq!(next_origin(former).unwrap().to_string(), next);
        }
        assert!(next_origin(&"a".repeat(34)).is_err());
    }
}

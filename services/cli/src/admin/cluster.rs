//! Membership from the command line: the leader is found, asked, and waited for. It must never change more than one member
//! at a time.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use proto::ledger::{
    AddLearnerRequest, GetClusterRequest, GetClusterResponse, GetStatusRequest, MemberRequest,
    MembershipResponse, TransferLeaderRequest, admin_client::AdminClient,
};
use serde_json::json;
use services_runtime::settings;
use tonic::{Code, Status, transport::Channel};

use super::authority::Folder;
use super::operate::{Said, refused};
use crate::args::operator::Cluster;
use crate::out;

/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long one node may take to say who leads.
const ASK: Duration = Duration::from_secs(1);
/// How long a leader is looked for.
const SEARCH: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(100);
/// A learner that lacks no more may vote.
const LAG_MAX: u64 = 100;
const OPERATOR: &str = "operator/client";

type Admin = AdminClient<Channel>;

/// Runs one command.
pub async fn run(command: &Cluster) -> anyhow::Result<Said> {
    match command {
        Cluster::Status { network } => status(&Folder::read(network)?).await,
        Cluster::AddLearner { network, node, peer } => {
            let folder = Folder::read(network)?;
            let peer = match peer {
                Some(peer) => peer.clone(),
                None => peer_of(&folder, *node)?,
            };
            said("added", *node, add_learner(&folder, *node, &peer).await)
        }
        Cluster::Promote { network, node } => {
            let folder = Folder::read(network)?;
            said("promoted", *node, promote(&folder, *node).await)
        }
        Cluster::Remove { network, node, dry_run } => {
            let folder = Folder::read(network)?;
            let word = if *dry_run { "could be removed" } else { "removed" };
            said(word, *node, remove(&folder, *node, *dry_run).await)
        }
        Cluster::TransferLeader { network, to } => {
            let folder = Folder::read(network)?;
            transfer(&folder, *to).await
        }
    }
}

fn said(
    done: &str,
    node: u64,
    result: anyhow::Result<Result<MembershipResponse, Status>>,
) -> anyhow::Result<Said> {
    let members = match result? {
        Ok(members) => members,
        Err(status) => return refused(&status),
    };
    let text = format!("node {node} {done}; voters {:?}", members.voters);
    let learners = &members.learners;
    Ok(Said::done(text, json!({ "node": node, "voters": members.voters, "learners": learners })))
}

/// The peer address that a node's settings state.
pub(crate) fn peer_of(folder: &Folder, node: u64) -> anyhow::Result<String> {
    let file = folder.path.join(format!("nodes/{node}/node.toml"));
    let own: ledger_node::Settings = settings::load(&file).with_context(|| {
        format!("{}: cannot be read; make it by `network add-node` or give --peer", file.display())
    })?;
    let found = own.nodes.into_iter().find(|row| row.id == node);
    Ok(found.context("the node's settings do not name it among `nodes`")?.peer)
}

/// A client of the node that leads.
pub(crate) async fn leader(folder: &Folder) -> anyhow::Result<(usize, Admin)> {
    let client = folder.client(OPERATOR, TIMEOUT)?;
    let until = Instant::now() + SEARCH;
    loop {
        for node in 1..=client.nodes() {
            let mut admin = client.admin(node)?;
            let asked = tokio::time::timeout(ASK, admin.get_status(GetStatusRequest {})).await;
            if let Ok(Ok(status)) = asked
                && status.get_ref().role == "leader"
            {
                return Ok((node, admin));
            }
        }
        anyhow::ensure!(Instant::now() < until, "no node says that it leads; see admin status");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Asks the leader, another one where it has changed meanwhile.
async fn ask<T, R>(folder: &Folder, call: impl Fn(Admin) -> R) -> anyhow::Result<Result<T, Status>>
where
    R: Future<Output = Result<tonic::Response<T>, Status>>,
{
    let until = Instant::now() + SEARCH;
    loop {
        let (_, admin) = leader(folder).await?;
        match call(admin).await {
            Ok(answer) => return Ok(Ok(answer.into_inner())),
            Err(status) if status.code() == Code::Unavailable && Instant::now() < until => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(status) => return Ok(Err(status)),
        }
    }
}

/// Members as the leader sees them.
pub(crate) async fn cluster(folder: &Folder) -> anyhow::Result<GetClusterResponse> {
    let call = |mut admin: Admin| async move { admin.get_cluster(GetClusterRequest {}).await };
    Ok(ask(folder, call).await??)
}

pub(crate) async fn add_learner(
    folder: &Folder,
    node: u64,
    peer: &str,
) -> anyhow::Result<Result<MembershipResponse, Status>> {
    let request = AddLearnerRequest { node, peer: peer.to_owned() };
    let call = |mut admin: Admin| {
        let request = request.clone();
        async move { admin.add_learner(request).await }
    };
    ask(folder, call).await
}

pub(crate) async fn promote(
    folder: &Folder,
    node: u64,
) -> anyhow::Result<Result<MembershipResponse, Status>> {
    let request = MemberRequest { node, dry_run: false };
    ask(folder, |mut admin: Admin| async move { admin.promote(request).await }).await
}

pub(crate) async fn remove(
    folder: &Folder,
    node: u64,
    dry_run: bool,
) -> anyhow::Result<Result<MembershipResponse, Status>> {
    let request = MemberRequest { node, dry_run };
    ask(folder, |mut admin: Admin| async move { admin.remove_node(request).await }).await
}

/// Hands leadership over and waits until it is there.
pub(crate) async fn transfer(folder: &Folder, to: u64) -> anyhow::Result<Said> {
    let until = Instant::now() + SEARCH;
    let request = TransferLeaderRequest { to };
    loop {
        let (leads, mut admin) = leader(folder).await?;
        if u64::try_from(leads)? == to {
            return Ok(Said::done(format!("node {to} leads"), json!({ "leader": to })));
        }
        if let Err(status) = admin.transfer_leader(request).await
            && status.code() != Code::Unavailable
        {
            return refused(&status);
        }
        anyhow::ensure!(Instant::now() < until, "node {to} does not lead yet; see cluster status");
        tokio::time::sleep(PAUSE * 5).await;
    }
}

async fn status(folder: &Folder) -> anyhow::Result<Said> {
    let cluster = cluster(folder).await?;
    let client = folder.client(OPERATOR, TIMEOUT)?;
    let mut table = out::table();
    table.set_header(["node", "peer", "vote", "role", "lacks", "silent", "records"]);
    let mut rows = Vec::new();
    for member in &cluster.members {
        let admin = usize::try_from(member.node).ok().and_then(|at| client.admin(at).ok());
        let own = match admin {
            None => None,
            Some(mut admin) => {
                let asked = tokio::time::timeout(ASK, admin.get_status(GetStatusRequest {})).await;
                asked.ok().and_then(Result::ok).map(tonic::Response::into_inner)
            }
        };
        let role = own.as_ref().map_or("unreachable", |own| own.role.as_str());
        let lacks = cluster.last_index.saturating_sub(member.matched_index);
        let silent = member.silent_ms.map_or("never heard".to_owned(), |ms| format!("{ms} ms"));
        let records = own.as_ref().map_or(String::new(), |own| own.records.to_string());
        let vote = if member.voter { "yes" } else { "no" };
        table.add_row([
            member.node.to_string(),
            member.peer.clone(),
            vote.to_owned(),
            role.to_owned(),
            lacks.to_string(),
            silent,
            records,
        ]);
        rows.push(json!({
            "node": member.node,
            "peer": member.peer,
            "voter": member.voter,
            "role": role,
            "lacks": lacks,
            "silent_ms": member.silent_ms,
            "records": own.map(|own| own.records),
        }));
    }
    let value = json!({
        "leader": cluster.leader,
        "term": cluster.term,
        "members": rows,
        "used_ids": cluster.used_ids,
    });
    let text = format!("{table}\nids used so far: {:?}", cluster.used_ids);
    Ok(Said::done(text, value))
}

/// Learner, voter, and the lost node out; each step is skipped where it is done.
pub(crate) async fn replace(
    folder: &Folder,
    old: u64,
    new: u64,
    wait: Duration,
) -> anyhow::Result<Said> {
    anyhow::ensure!(old != new, "NEW: a lost node comes back under a new id only; take the next");
    let (until, begun) = (Instant::now() + wait, Instant::now());
    let peer = peer_of(folder, new)?;
    if let Err(status) = add_learner(folder, new, &peer).await? {
        return refused(&status);
    }
    let bar = super::operate::bar("entries to catch up", 0)?;
    loop {
        let cluster = cluster(folder).await?;
        let row = cluster.members.iter().find(|row| row.node == new);
        let row = row.context("the new node is no member any more; see cluster status")?;
        bar.set_length(cluster.last_index);
        bar.set_position(row.matched_index);
        let lacks = cluster.last_index.saturating_sub(row.matched_index);
        if row.voter || (row.matched_index > 0 && lacks <= LAG_MAX) {
            break;
        }
        if Instant::now() > until {
            let reason = format!("node {new} still lacks {lacks} entries; is it running?");
            return Ok(Said::no(reason, json!({ "node": new, "lacks": lacks })));
        }
        tokio::time::sleep(PAUSE * 2).await;
    }
    bar.finish_and_clear();
    out::note(&format!("node {new} has caught up"));
    if let Err(status) = promote(folder, new).await? {
        return refused(&status);
    }
    let (leads, _) = leader(folder).await?;
    if u64::try_from(leads)? == old {
        transfer(folder, new).await?;
    }
    match remove(folder, old, false).await? {
        Err(status) if status.code() != Code::NotFound => return refused(&status),
        Err(_) | Ok(_) => {}
    }
    let seconds = begun.elapsed().as_secs_f64();
    let text = format!("node {new} stands for node {old}, which is out for ever ({seconds:.1} s)");
    Ok(Said::done(text, json!({ "old": old, "new": new, "seconds": seconds })))
}

//! Who replicates the ledger, changed one step at a time: every check stands before the log is touched; it moves no data.
use std::collections::BTreeSet;

use openraft::{
    ChangeMembers, Instant as _, RaftMetrics,
    async_runtime::watch::WatchReceiver,
    errors::{ClientWriteError, Fatal},
    impls::BasicNode,
};
use proto::ledger as wire;
use tonic::Status;

use super::super::{Api, unavailable};
use crate::raft::Types;

/// How many entries a learner may lack when it is given a vote.
const LAG_MAX: u64 = 1_000;
/// A member that answered the leader within this time counts as living.
const LIVING_MS: u64 = 2_000;

type Answer = Result<wire::MembershipResponse, Status>;

/// Members and how far each has come.
pub(super) async fn cluster(api: &Api) -> Result<wire::GetClusterResponse, Status> {
    let metrics = leading(api).await?;
    Ok(wire::GetClusterResponse {
        leader: api.node,
        term: metrics.current_term,
        last_index: metrics.last_log_index.unwrap_or(0),
        members: rows(&metrics),
        used_ids: api.used.ids().into_iter().collect(),
    })
}

/// Adds a node without a vote.
pub(super) async fn add_learner(api: &Api, node: u64, peer: &str) -> Answer {
    let metrics = leading(api).await?;
    if metrics.membership_config.get_node(&node).is_some_and(|known| known.addr == peer) {
        return Ok(answer(&metrics));
    }
    if node == 0 || api.used.ids().contains(&node) {
        return Err(Status::failed_precondition(format!(
            "node: {node} was used before, and an id is never used again; take the next free one"
        )));
    }
    if !peer.starts_with("https://") {
        let reason = "peer: must be https://host:port of the node's peer listener";
        return Err(Status::invalid_argument(reason));
    }
    if api.restored && metrics.purged.is_none() {
        // A new node of a restored network begins with a snapshot: its genesis founds nothing.
        purge(api).await?;
    }
    let added = api.raft.add_learner(node, BasicNode::new(peer), false).await;
    changed(api, added.map(drop).map_err(|error| error.api_error().cloned()))
}

/// Gives a learner a vote.
pub(super) async fn promote(api: &Api, request: &wire::MemberRequest) -> Answer {
    let metrics = leading(api).await?;
    let row = member(&metrics, request.node)?;
    if row.voter {
        return Ok(answer(&metrics));
    }
    let lag = metrics.last_log_index.unwrap_or(0).saturating_sub(row.matched_index);
    if lag > LAG_MAX || row.matched_index == 0 {
        let reason = format!("node: {} lacks {lag} entries; wait until it has them", row.node);
        return Err(Status::failed_precondition(reason));
    }
    if request.dry_run {
        return Ok(answer(&metrics));
    }
    // Durable before it can vote: until then the same id may be added again, if leadership changed.
    note(api, row.node)?;
    let change = ChangeMembers::AddVoterIds([row.node].into());
    let promoted = api.raft.change_membership(change, true).await;
    changed(api, promoted.map(drop).map_err(|error| error.api_error().cloned()))
}

/// Takes a node out.
pub(super) async fn remove(api: &Api, request: &wire::MemberRequest) -> Answer {
    let metrics = leading(api).await?;
    let row = member(&metrics, request.node)?;
    if row.node == api.node {
        return Err(Status::failed_precondition(
            "node: leads; hand leadership to another voter first (cluster transfer-leader)",
        ));
    }
    if row.voter {
        let rows = rows(&metrics);
        let staying = || rows.iter().filter(|other| other.voter && other.node != row.node);
        let lives = |other: &&wire::Member| other.silent_ms.is_some_and(|ms| ms <= LIVING_MS);
        if staying().filter(lives).count() * 2 <= staying().count() {
            return Err(Status::failed_precondition(
                "node: too few of the voters that would stay answer; bring them back first",
            ));
        }
    }
    if request.dry_run {
        return Ok(answer(&metrics));
    }
    note(api, row.node)?;
    let id: BTreeSet<u64> = [row.node].into();
    let change = match row.voter {
        true => ChangeMembers::RemoveVoters(id),
        false => ChangeMembers::RemoveNodes(id),
    };
    let removed = api.raft.change_membership(change, false).await;
    changed(api, removed.map(drop).map_err(|error| error.api_error().cloned()))
}

fn note(api: &Api, node: u64) -> Result<(), Status> {
    api.used.note([node]).map_err(|error| {
        tracing::error!(%error, "the list of node ids cannot be written");
        Status::internal("the list of node ids cannot be written here")
    })
}

/// Makes a snapshot and lets the log before it go.
async fn purge(api: &Api) -> Result<(), Status> {
    let stopping = |error: Fatal<Types>| Status::unavailable(error.to_string());
    api.raft.trigger().snapshot().await.map_err(stopping)?;
    let mut watched = api.raft.metrics();
    loop {
        let metrics = watched.borrow_watched().clone();
        if metrics.purged.is_some() {
            return Ok(());
        }
        if let Some(covered) = metrics.snapshot {
            api.raft.trigger().purge_log(covered.index).await.map_err(stopping)?;
        }
        let changed = tokio::time::timeout(api.submit_timeout, watched.changed()).await;
        if !matches!(changed, Ok(Ok(()))) {
            return Err(Status::unavailable("no snapshot was made in time; try again"));
        }
    }
}

async fn leading(api: &Api) -> Result<RaftMetrics<Types>, Status> {
    if !api.raft.is_leader() {
        let leader = api.raft.current_leader().await;
        return Err(unavailable("this node does not lead; ask the leader", false, leader));
    }
    Ok(api.raft.metrics().borrow_watched().clone())
}

fn rows(metrics: &RaftMetrics<Types>) -> Vec<wire::Member> {
    let membership = &metrics.membership_config;
    let voters: BTreeSet<u64> = membership.voter_ids().collect();
    let row = |(id, node): (&u64, &BasicNode)| {
        let own = *id == metrics.id;
        let matched = metrics.replication.as_ref().and_then(|rows| rows.get(id).copied().flatten());
        let heard = metrics.heartbeat.as_ref().and_then(|rows| rows.get(id).copied().flatten());
        let index = if own { metrics.last_log_index } else { matched.map(|at| at.index) };
        let silent = heard.map(|at| u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX));
        wire::Member {
            node: *id,
            peer: node.addr.clone(),
            voter: voters.contains(id),
            matched_index: index.unwrap_or(0),
            silent_ms: if own { Some(0) } else { silent },
        }
    };
    membership.nodes().map(row).collect()
}

fn member(metrics: &RaftMetrics<Types>, node: u64) -> Result<wire::Member, Status> {
    let found = rows(metrics).into_iter().find(|row| row.node == node);
    found.ok_or_else(|| Status::not_found(format!("node: {node} is no member; see cluster status")))
}

fn answer(metrics: &RaftMetrics<Types>) -> wire::MembershipResponse {
    let membership = metrics.membership_config.membership();
    wire::MembershipResponse {
        voters: membership.voter_ids().collect(),
        learners: membership.learner_ids().collect(),
    }
}

fn changed(api: &Api, result: Result<(), Option<ClientWriteError<Types>>>) -> Answer {
    match result {
        Ok(()) => Ok(answer(&api.raft.metrics().borrow_watched().clone())),
        Err(None) => Err(Status::unavailable("this node is stopping; see cluster status")),
        Err(Some(
            ClientWriteError::ForwardToLeader(forward)
            | ClientWriteError::LogEntryDiscarded(forward),
        )) => Err(unavailable("leadership changed; see cluster status", true, forward.leader_id)),
        Err(Some(ClientWriteError::ChangeMembershipError(error))) => {
            Err(Status::failed_precondition(error.to_string()))
        }
        Err(Some(ClientWriteError::PreconditionFailed(error))) => {
            Err(Status::failed_precondition(error.to_string()))
        }
    }
}

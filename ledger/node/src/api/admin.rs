//! The operator's view of one node: its role, its roots, membership, backups; it changes no money.
use std::fs;

use openraft::{ServerState, async_runtime::watch::WatchReceiver};
use proto::ledger::{self as wire, admin_server};
use tonic::{Request, Response, Status};

use super::{Api, Caller, unavailable};

mod backup;
mod members;

/// Clock ticks of `/proc/self/stat`, as Linux fixes them for user space.
const TICKS_PER_SECOND: u64 = 100;

#[tonic::async_trait]
impl admin_server::Admin for Api {
    type BackupStream = backup::Pieces;

    async fn get_status(
        &self,
        request: Request<wire::GetStatusRequest>,
    ) -> Result<Response<wire::GetStatusResponse>, Status> {
        self.caller(&request)?;
        let metrics = self.raft.metrics().borrow_watched().clone();
        let role = match metrics.state {
            ServerState::Leader => "leader",
            ServerState::Follower => "follower",
            ServerState::Candidate => "candidate",
            ServerState::Learner | ServerState::Shutdown => "learner",
        };
        Ok(Response::new(wire::GetStatusResponse {
            node: self.node,
            role: role.to_owned(),
            term: metrics.current_term,
            leader: metrics.current_leader.unwrap_or(0),
            applied_index: metrics.last_applied.map_or(0, |applied| applied.index),
            records: self.history.tip().records,
            network_id: self.verifier.network().0.to_vec().into(),
            bytes_written: bytes_written().unwrap_or(0),
            cpu_micros: cpu_micros().unwrap_or(0),
        }))
    }

    async fn get_root(
        &self,
        request: Request<wire::GetRootRequest>,
    ) -> Result<Response<wire::GetRootResponse>, Status> {
        self.caller(&request)?;
        let tip = self.history.tip().records;
        let records = match request.into_inner().records {
            0 => tip,
            asked => asked,
        };
        if records > tip {
            return Err(Status::out_of_range("records: is more than this node has"));
        }
        let history = self.history.clone();
        let root = tokio::task::spawn_blocking(move || history.root(records)).await;
        let root = root.map_err(|_| Status::unavailable("this node is stopping"))?;
        let root = root.map_err(|error| {
            tracing::error!(%error, "history cannot be read");
            Status::internal("history cannot be read here")
        })?;
        Ok(Response::new(wire::GetRootResponse { records, root: root.to_vec().into() }))
    }

    async fn transfer_leader(
        &self,
        request: Request<wire::TransferLeaderRequest>,
    ) -> Result<Response<wire::TransferLeaderResponse>, Status> {
        self.operator(&request)?;
        let to = request.into_inner().to;
        if !self.raft.is_leader() {
            let leader = self.raft.current_leader().await;
            return Err(unavailable("this node does not lead; ask the leader", false, leader));
        }
        if !self.raft.voter_ids().any(|voter| voter == to) {
            return Err(Status::invalid_argument("to: is not a voter"));
        }
        let sent = self.raft.trigger().transfer_leader(to).await;
        sent.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(Response::new(wire::TransferLeaderResponse {}))
    }

    async fn get_cluster(
        &self,
        request: Request<wire::GetClusterRequest>,
    ) -> Result<Response<wire::GetClusterResponse>, Status> {
        self.operator(&request)?;
        members::cluster(self).await.map(Response::new)
    }

    async fn add_learner(
        &self,
        request: Request<wire::AddLearnerRequest>,
    ) -> Result<Response<wire::MembershipResponse>, Status> {
        self.operator(&request)?;
        let request = request.into_inner();
        members::add_learner(self, request.node, &request.peer).await.map(Response::new)
    }

    async fn promote(
        &self,
        request: Request<wire::MemberRequest>,
    ) -> Result<Response<wire::MembershipResponse>, Status> {
        self.operator(&request)?;
        members::promote(self, request.get_ref()).await.map(Response::new)
    }

    async fn remove_node(
        &self,
        request: Request<wire::MemberRequest>,
    ) -> Result<Response<wire::MembershipResponse>, Status> {
        self.operator(&request)?;
        members::remove(self, request.get_ref()).await.map(Response::new)
    }

    async fn backup(
        &self,
        request: Request<wire::BackupRequest>,
    ) -> Result<Response<backup::Pieces>, Status> {
        self.operator(&request)?;
        backup::pieces(self, request.into_inner().has).await.map(Response::new)
    }
}

impl Api {
    fn operator<T>(&self, request: &Request<T>) -> Result<(), Status> {
        match self.caller(request)? {
            Caller::Operator => Ok(()),
            Caller::Participant(_) => Err(Status::permission_denied("only the operator may")),
        }
    }
}

/// Bytes that this process caused to be written.
fn bytes_written() -> Option<u64> {
    let io = fs::read_to_string("/proc/self/io").ok()?;
    io.lines().find_map(|line| line.strip_prefix("write_bytes: "))?.trim().parse().ok()
}

/// User and system time of this process.
fn cpu_micros() -> Option<u64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name in brackets may hold blanks; user and system time are fields 14 and 15.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let (user, system) = (fields.next()?.parse::<u64>().ok()?, fields.next()?.parse::<u64>().ok()?);
    Some((user + system) * (1_000_000 / TICKS_PER_SECOND))
}

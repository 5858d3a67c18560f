//! The answering side between nodes: every entry is verified before consensus may acknowledge it; it answers nodes only.
use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use openraft::{EntryPayload, Snapshot, raft::AppendEntriesResponse};
use proto::peer::{Frame, SnapshotPiece, peer_server};
use services_runtime::{error::Failure, shutdown::Shutdown, tls::require_role};
use tonic::{Request, Response, Status, Streaming};

use crate::{
    divergence::Pulse,
    error::halt,
    hello::{Greeter, Hello},
    history::{self, History},
    host,
    network::{Ballot, Frames, NODE_ROLE, frame, unframe},
    raft::{Append, Raft, get_append},
    room::Rooms,
    snapshot::{Folder, Snapshots},
    verify::{Added, Invalid, Keys, Verifier},
};

/// Append requests of one stream that are verified at one time.
const VERIFY_AHEAD: usize = 4;

/// Whether an append verifies; else how many of its entries do before the first that does not.
type Outcome = Result<(), (usize, Invalid)>;

/// The service of other nodes.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    /// Set once consensus has started; before, only hello is answered.
    pub(crate) raft: Arc<OnceLock<Raft>>,
    pub(crate) greeter: Greeter,
    pub(crate) records: History,
    pub(crate) rooms: Rooms,
    pub(crate) verifier: Verifier,
    pub(crate) added: Added,
    pub(crate) snapshots: Arc<Snapshots>,
    pub(crate) history: PathBuf,
    pub(crate) network: String,
    /// Ends append streams, which else would hold up the server's end.
    pub(crate) shutdown: Shutdown,
}

impl Service {
    fn admit<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let identity = require_role(request, &[NODE_ROLE]).map_err(Failure::into_status)?;
        if identity.network != self.network {
            return Err(Status::permission_denied("the certificate is of another network"));
        }
        Ok(())
    }

    fn raft(&self) -> Result<&Raft, Status> {
        self.raft.get().ok_or_else(|| Status::unavailable("this node is starting"))
    }
}

/// How a failure becomes a status.
pub(crate) trait IntoStatus {
    fn into_status(self) -> Status;
}

impl IntoStatus for Failure {
    fn into_status(self) -> Status {
        self.into()
    }
}

#[tonic::async_trait]
impl peer_server::Peer for Service {
    type AppendStreamStream = Frames;

    async fn append_stream(
        &self,
        request: Request<Streaming<Frame>>,
    ) -> Result<Response<Frames>, Status> {
        self.admit(&request)?;
        let ended = self.shutdown.token();
        let frames = request.into_inner().take_until(ended.clone().cancelled_owned());
        let raft = self.raft()?;
        let appends = verified(frames, self.verifier.clone(), self.added.clone(), raft.clone());
        let results = host::seeded(async { raft.stream_append(Box::pin(appends)) }).await;
        let answers = results.map(|result| match result {
            Ok(result) => frame(&result).map_err(|error| internal(&error)),
            Err(fatal) => Err(Status::unavailable(fatal.to_string())),
        });
        Ok(Response::new(Box::pin(answers.take_until(ended.cancelled_owned()))))
    }

    async fn vote(&self, request: Request<Frame>) -> Result<Response<Frame>, Status> {
        self.admit(&request)?;
        let ballot: Ballot = unframe(request.get_ref()).map_err(|error| malformed(&error))?;
        if let Some(folder) = ballot.folder {
            let (greeter, node) = (self.greeter.clone(), ballot.request.vote.leader_id.voted_for);
            let judged = host::blocking(move || greeter.judge_folder(node, &folder)).await;
            let judged = judged.ok_or_else(|| Status::unavailable("this node is stopping"))?;
            judged.map_err(|refusal| Status::permission_denied(refusal.to_string()))?;
        }
        let answer = match ballot.pre {
            true => self.raft()?.pre_vote(ballot.request).await,
            false => self.raft()?.vote(ballot.request).await,
        };
        let answer = answer.map_err(|error| Status::unavailable(error.to_string()))?;
        frame(&answer).map(Response::new).map_err(|error| internal(&error))
    }

    async fn transfer_leader(&self, request: Request<Frame>) -> Result<Response<Frame>, Status> {
        self.admit(&request)?;
        let message = unframe(request.get_ref()).map_err(|error| malformed(&error))?;
        let answer = self.raft()?.handle_transfer_leader(message).await;
        let answer = answer.map_err(|error| Status::unavailable(error.to_string()))?;
        frame(&answer).map(Response::new).map_err(|error| internal(&error))
    }

    async fn install_snapshot(
        &self,
        request: Request<Streaming<SnapshotPiece>>,
    ) -> Result<Response<Frame>, Status> {
        self.admit(&request)?;
        let folder = self.snapshots.begin().map_err(|error| internal(&error))?;
        let head = receive(request.into_inner(), Arc::clone(&folder)).await?;
        let (vote, meta) = serde_json::from_slice(&head).map_err(|error| malformed(&error))?;
        let snapshot = Snapshot { meta, snapshot: folder };
        let answer = self.raft()?.install_full_snapshot(vote, snapshot).await;
        let answer = answer.map_err(|error| Status::unavailable(error.to_string()))?;
        frame(&answer).map(Response::new).map_err(|error| internal(&error))
    }

    async fn list_segments(&self, request: Request<Frame>) -> Result<Response<Frame>, Status> {
        self.admit(&request)?;
        let files = history::list(&self.history).map_err(|error| internal(&error))?;
        frame(&files).map(Response::new).map_err(|error| internal(&error))
    }

    async fn hello(&self, request: Request<Frame>) -> Result<Response<Frame>, Status> {
        let identity = require_role(&request, &[NODE_ROLE]).map_err(Failure::into_status)?;
        self.admit(&request)?;
        let hello: Hello = unframe(request.get_ref()).map_err(|error| malformed(&error))?;
        if identity.id != hello.node.to_string() {
            return Err(Status::permission_denied("the certificate is another node's"));
        }
        let greeter = self.greeter.clone();
        // A node met for the first time is written down.
        let welcome = host::blocking(move || greeter.welcome(&hello)).await;
        let welcome = welcome.ok_or_else(|| Status::unavailable("this node is stopping"))?;
        frame(&welcome).map(Response::new).map_err(|error| internal(&error))
    }

    async fn pulse(&self, request: Request<Frame>) -> Result<Response<Frame>, Status> {
        self.admit(&request)?;
        let its: Pulse = unframe(request.get_ref()).map_err(|error| malformed(&error))?;
        let (history, at_micros) = (self.records.clone(), host::now().micros());
        let records = its.records.min(history.tip().records);
        let root = host::blocking(move || history.root(records)).await;
        let root = root.ok_or_else(|| Status::unavailable("this node is stopping"))?;
        let root = root.map_err(|error| internal(&error))?;
        let ours = Pulse { at_micros, records, root, room: self.rooms.own() };
        frame(&ours).map(Response::new).map_err(|error| internal(&error))
    }
}

/// Requests whose entries were verified, in order; ends at the first that could not be.
fn verified(
    frames: impl Stream<Item = Result<Frame, Status>> + Send + 'static,
    verifier: Verifier,
    added: Added,
    raft: Raft,
) -> impl Stream<Item = Append> + Send + 'static {
    let ahead = verifier.clone();
    let checked = frames
        .take_while(|frame| std::future::ready(frame.is_ok()))
        .filter_map(|frame| std::future::ready(frame.ok()))
        .map(move |frame| check(frame, ahead.clone()))
        .buffered(VERIFY_AHEAD);
    let settled = checked.then(move |(append, outcome)| {
        let (verifier, added, raft) = (verifier.clone(), added.clone(), raft.clone());
        async move { settle(append, outcome, &verifier, &added, &raft).await }
    });
    settled
        .take_while(|append| std::future::ready(append.is_some()))
        .filter_map(|append: Option<Append>| std::future::ready(append))
}

/// Decodes and verifies off the runtime's own threads.
async fn check(frame: Frame, verifier: Verifier) -> (Option<Append>, Outcome) {
    let append = match get_append(frame.data) {
        Ok(append) => append,
        Err(error) => halt("reading an append from the leader", &error),
    };
    if append.entries.is_empty() {
        return (Some(append), Ok(()));
    }
    let learned = learn(&append, &verifier).await;
    let checked = host::blocking(move || {
        let outcome = learned.map_err(|invalid| (0, invalid));
        let outcome = outcome.and_then(|()| verify(&append, &verifier, Keys::new()));
        (append, outcome)
    });
    match checked.await {
        Some((append, outcome)) => (Some(append), outcome),
        // The runtime is going down.
        None => (None, Ok(())),
    }
}

/// Learns the keys of every envelope; a missing one shows when it is needed.
async fn learn(append: &Append, verifier: &Verifier) -> Result<(), Invalid> {
    for payload in payloads(append) {
        let entry = ledger_proof::Entry::decode(payload).map_err(Invalid::Malformed)?;
        verifier.learn(&entry.envelopes).await?;
    }
    Ok(())
}

/// Verifies with the ledger's keys, those `added` before, and those that the append itself adds.
fn verify(append: &Append, verifier: &Verifier, mut added: Keys) -> Outcome {
    for (place, entry) in append.entries.iter().enumerate() {
        if let EntryPayload::Normal(payload) = &entry.payload {
            verifier.entry(payload, &mut added).map_err(|invalid| (place, invalid))?;
        }
    }
    Ok(())
}

fn payloads(append: &Append) -> impl Iterator<Item = &Bytes> {
    append.entries.iter().filter_map(|entry| match &entry.payload {
        EntryPayload::Normal(payload) => Some(payload.bytes()),
        EntryPayload::Blank | EntryPayload::Membership(_) => None,
    })
}

/// What is acknowledged of an append. A key may only be missing because the entry that adds it is
/// not applied here yet: then it stands in the log before the append.
async fn settle(
    append: Option<Append>,
    outcome: Outcome,
    verifier: &Verifier,
    added: &Added,
    raft: &Raft,
) -> Option<Append> {
    let append = append?;
    let Some(sound) = lacking(outcome)? else { return Some(append) };
    // Then the log ends where the leader's does, or consensus says that they differ.
    let ahead = Append {
        vote: append.vote,
        prev_log_id: append.prev_log_id,
        entries: append.entries[..sound].to_vec(),
        leader_commit: append.leader_commit,
    };
    match raft.append_entries(ahead).await.ok()? {
        AppendEntriesResponse::Success | AppendEntriesResponse::PartialSuccess(_) => {}
        // The leader looks for where its log and this one meet. Without entries there is nothing to
        // verify, and the answer is the same.
        AppendEntriesResponse::Conflict | AppendEntriesResponse::HigherVote(_) => {
            return Some(Append { entries: Vec::new(), ..append });
        }
    }
    let end = append.prev_log_id.map_or(0, |before| before.index + 1);
    let added = match added.keys(end).await {
        Ok(added) => added,
        Err(error) => {
            tracing::warn!(%error, "keys could not be looked for in the log");
            return None;
        }
    };
    // What was applied meanwhile is no longer among those.
    let outcome = match learn(&append, verifier).await {
        Ok(()) => verify(&append, verifier, added),
        Err(invalid) => Err((0, invalid)),
    };
    if lacking(outcome)?.is_some() {
        tracing::error!("an entry from the leader is signed with a key that this node lacks");
        return None;
    }
    Some(append)
}

/// How many entries verify before one whose key is missing; `None` for an end. A leader that sends
/// what does not verify is broken: this node stops rather than acknowledge.
fn lacking(outcome: Outcome) -> Option<Option<usize>> {
    match outcome {
        Ok(()) => Some(None),
        Err((sound, Invalid::KeyUnknown { .. })) => Some(Some(sound)),
        Err((_, Invalid::Stopped(_))) => None,
        Err((
            _,
            invalid @ (Invalid::Malformed(_)
            | Invalid::ValidUntil
            | Invalid::Network
            | Invalid::Blobs(_)
            | Invalid::Signature { .. }),
        )) => halt("verifying an entry from the leader", &invalid),
    }
}

/// Writes a snapshot's files; gives its head once all have come.
async fn receive(
    mut pieces: Streaming<SnapshotPiece>,
    folder: Arc<Folder>,
) -> Result<Bytes, Status> {
    let mut writer = Writer { folder, head: Bytes::new(), file: None };
    while let Some(piece) = pieces.message().await? {
        let written = host::blocking(move || {
            let ended = writer.take(&piece);
            (writer, ended)
        });
        let stopping = || Status::unavailable("this node is stopping");
        let (back, ended) = written.await.ok_or_else(stopping)?;
        writer = back;
        if ended.map_err(|error| internal(&error))? {
            return Ok(writer.head);
        }
    }
    Err(Status::aborted("the snapshot ended before its end"))
}

/// Writes the pieces of a snapshot.
struct Writer {
    folder: Arc<Folder>,
    head: Bytes,
    file: Option<fs::File>,
}

impl Writer {
    /// Takes a piece; `true` when it was the last.
    fn take(&mut self, piece: &SnapshotPiece) -> io::Result<bool> {
        match piece.file.as_str() {
            "head" => self.head = piece.data.clone(),
            "end" => {
                self.finish()?;
                return Ok(true);
            }
            "" => self.write(&piece.data)?,
            name => {
                self.finish()?;
                self.file = Some(create(&self.folder, name)?);
                self.write(&piece.data)?;
            }
        }
        Ok(false)
    }

    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        let file = self.file.as_mut().ok_or_else(|| io::Error::other("no file named"))?;
        file.write_all(data)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.file.take().map_or(Ok(()), |file| file.sync_all())
    }
}

fn create(folder: &Folder, name: &str) -> io::Result<fs::File> {
    let safe = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte))
    };
    let (root, rest) = match name.split_once('/') {
        Some(("state", rest)) => (folder.state(), rest),
        Some(("history", rest)) => (folder.history(), rest),
        Some(_) | None => return Err(io::Error::other("a snapshot's file is not in its folders")),
    };
    if !rest.split('/').all(safe) {
        return Err(io::Error::other("a snapshot's file has an unsafe name"));
    }
    let path = root.join(rest);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::File::create(path)
}

fn internal(error: &dyn std::fmt::Display) -> Status {
    tracing::warn!(%error, "a call from another node failed");
    Status::internal("failed here; see this node's log")
}

fn malformed(error: &dyn std::fmt::Display) -> Status {
    Status::invalid_argument(error.to_string())
}

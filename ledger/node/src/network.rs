//! The calling side between nodes: pipelined appends over one stream, votes, snapshots as files; it decides nothing.
mod send;

use std::{
    fmt, io,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{Stream, StreamExt, stream};
use openraft::{
    OptionalSend, RaftNetworkFactory,
    base::{BoxFuture, BoxStream},
    error::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable},
    impls::BasicNode,
    network::{
        Backoff, NetBackoff, NetSnapshot, NetStreamAppend, NetTransferLeader, NetVote, RPCOption,
    },
    raft::{
        SnapshotResponse, StreamAppendResult, TransferLeaderRequest, TransferLeaderResponse,
        VoteRequest, VoteResponse,
    },
};
use proto::peer::{Frame, peer_client};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use services_runtime::grpc::ClientLimits;
use tokio::time::{Instant, timeout};
use tonic::{Status, Streaming, transport::Channel};

#[cfg(feature = "simulation")]
use crate::simulation::{Bug, planted};
use crate::{
    divergence::Pulse,
    error::OrHalt,
    hello::{Greeter, Hello, Welcome},
    raft::{Append, Types, VoteOf, put_append},
    snapshot::Folder,
};

/// Requests and answers between nodes; an entry may hold an envelope and all its blobs.
pub(crate) const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// How long an append may stay unanswered before the stream counts as broken.
const APPEND_TIMEOUT: Duration = Duration::from_secs(5);
/// How long opening a stream may take.
const OPEN_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a node that cannot be reached is left alone.
const REOPEN_AFTER: Duration = Duration::from_millis(100);
/// How long a snapshot may take.
const SNAPSHOT_TIMEOUT_MS: u64 = 3_600_000;
/// The role of a node's certificate.
pub(crate) const NODE_ROLE: &str = "node";

type Client = peer_client::PeerClient<Channel>;
type Snapshot = openraft::type_config::alias::SnapshotOf<Types, Arc<Folder>>;

/// A vote or a pre-vote.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct Ballot {
    pub(crate) pre: bool,
    pub(crate) request: VoteRequest<Types>,
    /// The candidate's data folder: nobody votes for a disk that was wiped. Builds before this word
    /// said nothing.
    #[serde(default)]
    pub(crate) folder: Option<String>,
}

/// How nodes reach each other: a channel to an address, within limits.
#[derive(Clone)]
pub(crate) struct Dial(Arc<Dialer>);

type Dialer = dyn Fn(&str, &ClientLimits) -> Result<Channel, String> + Send + Sync;

impl Dial {
    pub(crate) fn new(
        dial: impl Fn(&str, &ClientLimits) -> Result<Channel, String> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(dial))
    }
}

impl fmt::Debug for Dial {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Dial")
    }
}

/// Makes a client per node.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) dial: Dial,
    /// Where history lies, of which snapshots send what the receiver lacks.
    pub(crate) history: PathBuf,
    pub(crate) greeter: Greeter,
}

/// Calls one node.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    node: u64,
    greeter: Greeter,
    channel: Result<Channel, String>,
    history: PathBuf,
}

impl Network {
    pub(crate) fn peer(&self, node: u64, address: &str, timeout_ms: Option<u64>) -> Peer {
        let mut limits = ClientLimits::default();
        limits.timeout_ms = timeout_ms.unwrap_or(limits.timeout_ms);
        let channel = (self.dial.0)(address, &limits);
        let (greeter, history) = (self.greeter.clone(), self.history.clone());
        Peer { node, greeter, channel, history }
    }
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, node: &BasicNode) -> Peer {
        self.peer(target, &node.addr, None)
    }

    async fn new_snapshot_client(&mut self, target: u64, node: &BasicNode) -> Peer {
        self.peer(target, &node.addr, Some(SNAPSHOT_TIMEOUT_MS))
    }
}

impl Peer {
    fn client(&self) -> Result<Client, Unreachable<Types>> {
        let channel = self.channel.clone().map_err(Unreachable::from_string)?;
        Ok(Client::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX))
    }

    async fn vote_call(
        &self,
        (pre, request): (bool, VoteRequest<Types>),
        option: &RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        let mut client = self.client()?;
        let folder = Some(self.greeter.folder().to_owned());
        let ballot = Ballot { pre, request, folder };
        let call = client.vote(frame(&ballot).map_err(network)?);
        let answer = timeout(option.hard_ttl(), call).await.map_err(network)?;
        unframe(&answer.map_err(unreachable)?.into_inner()).map_err(network)
    }

    /// Tells the node who we are and hears who it is.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn hello(&self) -> Result<Welcome, Status> {
        let client = self.client().map_err(|error| Status::unavailable(error.to_string()));
        let hello =
            frame(&self.greeter.hello()).map_err(|error| Status::internal(error.to_string()))?;
        let call = timeout(OPEN_TIMEOUT, async { client?.hello(hello).await });
        let answer = call.await.map_err(|_| Status::deadline_exceeded("no answer to hello"))??;
        unframe(&answer.into_inner()).map_err(|error| Status::internal(error.to_string()))
    }

    /// Nothing is sent to a node that must not take part, nor to one that refuses us.
    async fn greeted(&self) -> Result<Hello, Unreachable<Types>> {
        let welcome = self.hello().await.map_err(|status| Unreachable::new(&status))?;
        let refused = welcome.refusal.map_or_else(|| self.greeter.judge(&welcome.hello), Err);
        refused.map(|()| welcome.hello).map_err(|refusal| {
            metrics::counter!("causeway_ledger_alarms_total").increment(1);
            tracing::error!(node = self.node, %refusal, "nothing is sent to a node");
            Unreachable::new(&refusal)
        })
    }

    /// Exchanges clocks and roots: (asked at, its pulse).
    pub(crate) async fn pulse(&self, ours: &Pulse) -> Result<(Instant, Pulse), Status> {
        let client = self.client().map_err(|error| Status::unavailable(error.to_string()));
        let asked = Instant::now();
        let ours = frame(ours).map_err(|error| Status::internal(error.to_string()))?;
        let answer = client?.pulse(ours).await?.into_inner();
        let its = unframe(&answer).map_err(|error| Status::internal(error.to_string()))?;
        Ok((asked, its))
    }
}

impl NetBackoff<Types> for Peer {
    fn backoff(&self) -> Option<Backoff> {
        None
    }
}

impl NetVote<Types> for Peer {
    async fn vote(
        &mut self,
        request: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        self.vote_call((false, request), &option).await
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        self.vote_call((true, request), &option).await
    }
}

impl NetTransferLeader<Types> for Peer {
    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<Types>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types>, RPCError<Types>> {
        let mut client = self.client()?;
        let call = client.transfer_leader(frame(&request).map_err(network)?);
        let answer = timeout(option.hard_ttl(), call).await.map_err(network)?;
        unframe(&answer.map_err(unreachable)?.into_inner()).map_err(network)
    }
}

impl NetStreamAppend<Types> for Peer {
    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        _option: RPCOption,
    ) -> BoxFuture<
        's,
        Result<BoxStream<'s, Result<StreamAppendResult<Types>, RPCError<Types>>>, RPCError<Types>>,
    >
    where
        S: Stream<Item = Append> + OptionalSend + Unpin + 'static,
    {
        Box::pin(async move {
            let greeted = self.greeted().await;
            #[cfg(feature = "simulation")]
            if greeted.is_err() && planted(Bug::MinorityCommits) {
                let unseen = input.map(|request: Append| {
                    let last = request.entries.last().map(|entry| entry.log_id);
                    Ok(Ok(last.or(request.prev_log_id)))
                });
                let unseen: BoxStream<'s, _> = Box::pin(unseen);
                return Ok(unseen);
            }
            let greeted = paused(greeted).await?;
            let mut client = paused(self.client()).await?;
            let sent = Arc::new(AtomicU64::new(0));
            let vote = Arc::new(OnceLock::new());
            let (counted, under) = (Arc::clone(&sent), Arc::clone(&vote));
            let frames = input.map(move |request| {
                counted.fetch_add(1, Ordering::Relaxed);
                under.get_or_init(|| request.vote);
                Frame { data: put_append(&request).or_halt("encoding an append") }
            });
            let opened = timeout(OPEN_TIMEOUT, client.append_stream(frames)).await;
            let opened = opened.unwrap_or_else(|elapsed| Err(Status::from_error(elapsed.into())));
            let answers =
                paused(opened.map_err(|status| Unreachable::new(&status))).await?.into_inner();
            let (node, greeter) = (self.node, self.greeter.clone());
            let state = Some(Answers {
                answers,
                sent,
                heard: 0,
                node,
                process: greeted.process,
                greeter,
                vote,
            });
            let answers: BoxStream<'s, _> = Box::pin(stream::unfold(state, next_answer));
            Ok(answers)
        })
    }
}

/// A failure, after a pause: consensus opens a stream again at once, and waits only within one.
async fn paused<T>(opened: Result<T, Unreachable<Types>>) -> Result<T, Unreachable<Types>> {
    if opened.is_err() {
        tokio::time::sleep(REOPEN_AFTER).await;
    }
    opened
}

/// The answers to a stream of appends, in order.
struct Answers {
    answers: Streaming<Frame>,
    sent: Arc<AtomicU64>,
    heard: u64,
    node: u64,
    /// The process that answers.
    process: String,
    greeter: Greeter,
    /// Of the first request, which is every request's.
    vote: Arc<OnceLock<VoteOf>>,
}

impl Answers {
    /// Remembers what the node can never again be without.
    fn keep(&self, result: &StreamAppendResult<Types>) {
        if let (Ok(Some(upto)), Some(vote)) = (result, self.vote.get()) {
            self.greeter.acknowledged(self.node, &self.process, *vote, *upto);
        }
    }
}

type Answer = Result<StreamAppendResult<Types>, RPCError<Types>>;

async fn next_answer(state: Option<Answers>) -> Option<(Answer, Option<Answers>)> {
    let mut state = state?;
    loop {
        match timeout(APPEND_TIMEOUT, state.answers.message()).await {
            // Silence is right while nothing was asked.
            Err(_) if state.sent.load(Ordering::Relaxed) <= state.heard => {}
            Err(elapsed) => return Some((Err(network(elapsed)), None)),
            Ok(Ok(None)) => return None,
            Ok(Err(status)) => return Some((Err(unreachable(status)), None)),
            Ok(Ok(Some(answer))) => {
                state.heard += 1;
                return match unframe::<StreamAppendResult<Types>>(&answer) {
                    Ok(result) => {
                        state.keep(&result);
                        Some((Ok(result), Some(state)))
                    }
                    Err(error) => Some((Err(network(error)), None)),
                };
            }
        }
    }
}

impl NetSnapshot<Types> for Peer {
    type SnapshotData = Arc<Folder>;

    async fn full_snapshot(
        &mut self,
        vote: VoteOf,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        let mut client = self.client()?;
        let has = client.list_segments(Frame::default()).await.map_err(unreachable_snapshot)?;
        let has: Vec<(String, u64)> = unframe(&has.into_inner())
            .map_err(|error| StreamingError::Network(NetworkError::new(&error)))?;
        let head = serde_json::to_vec(&(vote, &snapshot.meta))
            .map_err(|error| StreamingError::Network(NetworkError::new(&error)))?;
        let pieces = send::pieces(head, snapshot.snapshot, self.history.clone(), has);
        let call = Box::pin(client.install_snapshot(pieces));
        let cancel = Box::pin(cancel);
        tokio::select! {
            closed = cancel => Err(StreamingError::Closed(closed)),
            answer = call => {
                let answer = answer.map_err(unreachable_snapshot)?.into_inner();
                unframe(&answer).map_err(|error| StreamingError::Network(NetworkError::new(&error)))
            }
        }
    }
}

/// A message as a frame.
pub(crate) fn frame<T: Serialize>(message: &T) -> io::Result<Frame> {
    Ok(Frame { data: serde_json::to_vec(message)?.into() })
}

/// A frame's message.
pub(crate) fn unframe<T: DeserializeOwned>(frame: &Frame) -> io::Result<T> {
    Ok(serde_json::from_slice(&frame.data)?)
}

pub(crate) type Frames = Pin<Box<dyn Stream<Item = Result<Frame, Status>> + Send>>;

fn network(error: impl std::error::Error + 'static) -> RPCError<Types> {
    RPCError::Network(NetworkError::new(&error))
}

fn unreachable(error: impl std::error::Error + 'static) -> RPCError<Types> {
    RPCError::Unreachable(Unreachable::new(&error))
}

fn unreachable_snapshot(status: Status) -> StreamingError<Types> {
    StreamingError::Unreachable(Unreachable::new(&status))
}

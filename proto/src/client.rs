//! A client of the ledger that follows the leader by itself; it resends only the same bytes and never signs.
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures_util::{Stream, StreamExt};
use ledger_types::{ParticipantId, TransferId};
use prost::Message;
use tokio::time::Instant;
use tonic::{
    Code, ConnectError, Status,
    metadata::{Ascii, MetadataValue},
    transport::Channel,
};

use crate::{
    convert::{self, Balance, Event, Network, Submitted, Transfer},
    ledger::{self as wire, admin_client::AdminClient, ledger_client},
    trace::TRACEPARENT_KEY,
};

/// The metadata key that tells whether a failed submit may have been appended.
pub const FATE_KEY: &str = "causeway-fate";
/// The value of [`FATE_KEY`]: certainly not in the log.
pub const FATE_NOT_APPENDED: &str = "not-appended";
/// The value of [`FATE_KEY`]: may be in the log.
pub const FATE_UNKNOWN: &str = "unknown";
/// The metadata key naming the leader's place in the client's endpoint list (node ids from 1).
pub const LEADER_KEY: &str = "causeway-leader";

/// The metadata key of a RESOURCE_EXHAUSTED: milliseconds after which to try again.
pub const RETRY_AFTER_KEY: &str = "retry-after-ms";

/// The metadata key of a submit: how many bytes its request has, so that a node that has no place
/// for them says so before it reads them.
pub const BYTES_KEY: &str = "causeway-bytes";

/// What is said of a node that did not answer.
const SILENT: &str = "no answer in time";

/// Larger requests go in chunks.
const UNARY_BYTES_MAX: usize = 1 << 20;
const CHUNK_BYTES: usize = 64 << 10;
/// Answers of 8,190 outcomes and more fit.
const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// How long a node may be silent before another is asked: longer than an election takes, shorter
/// than people notice. Each further attempt of a request waits twice as long, so that a slow
/// ledger is not asked ever more often.
const SILENCE: Duration = Duration::from_secs(1);
/// The doubling ends here.
const SILENCE_MAX: Duration = Duration::from_secs(8);
/// What a line carries in a second at least; larger envelopes get so much more time.
const LINE_BYTES_PER_S: usize = 1 << 20;
const RETRY_PAUSE: Duration = Duration::from_millis(25);
/// The longest pause before another node is asked, without the jitter: elections are short.
const TURN_PAUSE_MAX: Duration = Duration::from_millis(100);
/// The longest pause before an overloaded ledger is tried again, without the jitter.
const BUSY_PAUSE_MAX: Duration = Duration::from_secs(1);

/// A submit that says how large it is.
#[must_use]
pub fn announced(request: wire::SubmitRequest) -> tonic::Request<wire::SubmitRequest> {
    let bytes = u64::try_from(request.encoded_len()).unwrap_or(u64::MAX);
    let mut request = tonic::Request::new(request);
    request.metadata_mut().insert(BYTES_KEY, bytes.into());
    request
}

/// A request that says which span it is part of.
fn within<T>(
    mut request: tonic::Request<T>,
    span: &Option<MetadataValue<Ascii>>,
) -> tonic::Request<T> {
    if let Some(span) = span {
        request.metadata_mut().insert(TRACEPARENT_KEY, span.clone());
    }
    request
}

/// Why the ledger gave no outcome.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The request can never succeed as it is; it changed nothing.
    #[error("refused before the log: {0}")]
    Malformed(String),
    /// Signature, key or certificate is not accepted; it changed nothing.
    #[error("not authenticated: {0}")]
    Unauthenticated(String),
    /// The caller may not do this; it changed nothing.
    #[error("not permitted: {0}")]
    Forbidden(String),
    /// There is no such thing, or the caller is no party to it.
    #[error("not found: {0}")]
    NotFound(String),
    /// The question has more than one answer.
    #[error("ambiguous: {0}")]
    Ambiguous(String),
    /// No node took it in time; it changed nothing, and may be tried again.
    #[error("ledger unavailable, nothing was appended: {0}")]
    NotAppended(String),
    /// The ledger had no room for it in time; it changed nothing, and may be tried again.
    #[error("ledger busy, nothing was appended: {0}")]
    Busy(String),
    /// It may have been appended: resend the same bytes, or resolve after `valid_until`.
    #[error("outcome unknown: {0}")]
    Unknown(String),
    /// The answer has no meaning to this version.
    #[error("unreadable answer")]
    Unreadable(#[source] convert::Error),
}

/// A cheap handle; clones share connections and what is known of the leader.
#[derive(Clone, Debug)]
pub struct LedgerClient {
    channels: Arc<[Channel]>,
    leader: Arc<AtomicUsize>,
    timeout: Duration,
}

impl LedgerClient {
    /// A client over one channel per node, in the order of node ids from 1, whose calls may take
    /// `timeout`, retries included.
    ///
    /// # Panics
    /// When there is no channel.
    #[must_use]
    pub fn new(channels: Vec<Channel>, timeout: Duration) -> Self {
        assert!(!channels.is_empty(), "a ledger has at least one node");
        Self { channels: channels.into(), leader: Arc::new(AtomicUsize::new(0)), timeout }
    }

    /// Submits an envelope and waits for its outcomes, following the leader and resending the same
    /// bytes until the time is over.
    ///
    /// # Errors
    /// [`Error::NotAppended`] only when no attempt can have reached the log.
    pub async fn submit(&self, envelope: Vec<u8>, blobs: Vec<Vec<u8>>) -> Result<Submitted, Error> {
        self.submit_within(envelope, blobs, None).await
    }

    /// Submits as part of a span, which the node is told as a W3C `traceparent`.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    pub async fn submit_within(
        &self,
        envelope: Vec<u8>,
        blobs: Vec<Vec<u8>>,
        traceparent: Option<String>,
    ) -> Result<Submitted, Error> {
        let span = traceparent.and_then(|text| text.parse().ok());
        let request = wire::SubmitRequest {
            envelope: envelope.into(),
            blobs: blobs.into_iter().map(Into::into).collect(),
        };
        let deadline = Instant::now() + self.timeout;
        let (mut unknown, mut pauses) = (false, Pauses::default());
        let mut silences = silences(request.envelope.len());
        loop {
            let at = self.leader.load(Ordering::Relaxed);
            let left = deadline.saturating_duration_since(Instant::now());
            let left = left.min(silences.next().unwrap_or(SILENCE_MAX));
            let failure = match self.submit_once(at, request.clone(), &span, left).await {
                Ok(response) => return response.try_into().map_err(Error::Unreadable),
                Err(status) => status,
            };
            unknown |= fate_unknown(&failure);
            if !retryable(&failure) {
                return Err(final_error(&failure, unknown));
            }
            let pause = self.turn(at, &failure, &mut pauses);
            if Instant::now() + pause >= deadline {
                return Err(final_error(&failure, unknown));
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// A transfer the caller is party to.
    ///
    /// # Errors
    /// [`Error::NotFound`], or why no node answered.
    pub async fn transfer(&self, id: TransferId) -> Result<Transfer, Error> {
        let request = wire::GetTransferRequest {
            debtor_agent: id.debtor_agent.0,
            uetr: id.uetr.bytes().to_vec().into(),
        };
        let response = self
            .read(|mut client| {
                let request = request.clone();
                async move { client.get_transfer(request).await }
            })
            .await?;
        let transfer = response.transfer.ok_or_else(|| Error::NotFound(id.to_string()))?;
        transfer.try_into().map_err(Error::Unreadable)
    }

    /// Balances of one participant, or of all for the operator, with the number of records applied
    /// when they were read.
    ///
    /// # Errors
    /// Why no node answered.
    pub async fn balances(
        &self,
        participant: Option<ParticipantId>,
    ) -> Result<(Vec<Balance>, u64), Error> {
        let request = wire::GetBalancesRequest {
            participant: participant.map_or(0, |id| id.0),
            all: participant.is_none(),
        };
        let response =
            self.read(|mut client| async move { client.get_balances(request).await }).await?;
        let balances = response.balances.into_iter().map(Balance::try_from);
        Ok((balances.collect::<Result<_, _>>().map_err(Error::Unreadable)?, response.records))
    }

    /// Participants, corridors, currencies and accounts.
    ///
    /// # Errors
    /// Why no node answered.
    pub async fn network(&self) -> Result<Network, Error> {
        let request = wire::GetNetworkRequest {};
        let response =
            self.read(|mut client| async move { client.get_network(request).await }).await?;
        response.try_into().map_err(Error::Unreadable)
    }

    /// Events from a number on, from any node. The stream ends with an error when its node goes;
    /// open it again from the next number.
    ///
    /// # Errors
    /// When no node opens the stream.
    pub async fn events(
        &self,
        from: u64,
        all: bool,
    ) -> Result<impl Stream<Item = Result<Event, Error>> + Send + Unpin + use<>, Error> {
        let mut last = Status::unavailable("no endpoints");
        for offset in 0..self.channels.len() {
            let at = self.leader.load(Ordering::Relaxed) + offset;
            match self.client(at).events(wire::EventsRequest { from, all }).await {
                Ok(response) => {
                    return Ok(response.into_inner().map(|event| {
                        event
                            .map_err(|status| final_error(&status, false))
                            .and_then(|event| event.try_into().map_err(Error::Unreadable))
                    }));
                }
                Err(status) => last = status,
            }
        }
        Err(final_error(&last, false))
    }

    /// The operator's calls to one node, by its id from 1.
    ///
    /// # Errors
    /// When there is no such node.
    pub fn admin(&self, node: usize) -> Result<AdminClient<Channel>, Error> {
        let channel = node.checked_sub(1).and_then(|at| self.channels.get(at));
        let channel = channel.ok_or_else(|| Error::NotFound(format!("node {node}")))?;
        Ok(AdminClient::new(channel.clone()))
    }

    /// How many nodes the client knows.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.channels.len()
    }

    async fn submit_once(
        &self,
        at: usize,
        request: wire::SubmitRequest,
        span: &Option<MetadataValue<Ascii>>,
        left: Duration,
    ) -> Result<wire::SubmitResponse, Status> {
        let mut client = self.client(at);
        let call = async {
            if request.encoded_len() <= UNARY_BYTES_MAX {
                return client.submit(within(announced(request), span)).await;
            }
            let encoded: bytes::Bytes = request.encode_to_vec().into();
            let cuts = (0..encoded.len()).step_by(CHUNK_BYTES);
            let chunks: Vec<_> = cuts
                .map(|from| encoded.slice(from..encoded.len().min(from + CHUNK_BYTES)))
                .map(|data| wire::SubmitChunk { data })
                .collect();
            let chunks = tonic::Request::new(futures_util::stream::iter(chunks));
            client.submit_chunks(within(chunks, span)).await
        };
        match tokio::time::timeout(left, call).await {
            Ok(response) => response.map(tonic::Response::into_inner),
            Err(_) => Err(Status::unavailable(SILENT)),
        }
    }

    async fn read<T, F, R>(&self, call: F) -> Result<T, Error>
    where
        F: Fn(ledger_client::LedgerClient<Channel>) -> R,
        R: Future<Output = Result<tonic::Response<T>, Status>>,
    {
        let deadline = Instant::now() + self.timeout;
        let (mut pauses, mut silences) = (Pauses::default(), silences(0));
        loop {
            let at = self.leader.load(Ordering::Relaxed);
            let left = deadline.saturating_duration_since(Instant::now());
            let left = left.min(silences.next().unwrap_or(SILENCE_MAX));
            let failure = match tokio::time::timeout(left, call(self.client(at))).await {
                Ok(Ok(response)) => return Ok(response.into_inner()),
                Ok(Err(status)) => status,
                Err(_) => Status::unavailable(SILENT),
            };
            if !retryable(&failure) {
                return Err(final_error(&failure, false));
            }
            let pause = self.turn(at, &failure, &mut pauses);
            if Instant::now() + pause >= deadline {
                return Err(final_error(&failure, false));
            }
            tokio::time::sleep(pause).await;
        }
    }

    fn client(&self, at: usize) -> ledger_client::LedgerClient<Channel> {
        let channel = &self.channels[at % self.channels.len()];
        ledger_client::LedgerClient::new(channel.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// Where to go next and how long to wait: an overloaded leader still leads, and is left alone
    /// for longer each time.
    fn turn(&self, from: usize, failure: &Status, pauses: &mut Pauses) -> Duration {
        if failure.code() != Code::ResourceExhausted {
            self.follow(from, failure);
            return pauses.turn.next().unwrap_or(TURN_PAUSE_MAX);
        }
        // Added, not the greater: else all that were refused together come back together.
        retry_after(failure) + pauses.busy.next().unwrap_or(BUSY_PAUSE_MAX)
    }

    /// Goes to the leader that the answer names, else to the next node.
    fn follow(&self, from: usize, failure: &Status) {
        let named = failure
            .metadata()
            .get(LEADER_KEY)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.parse::<usize>().ok())
            .and_then(|node| node.checked_sub(1));
        let next = named.unwrap_or(from.wrapping_add(1));
        let _lost_race =
            self.leader.compare_exchange(from, next, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// Pauses between the attempts of one request, jittered so that those refused together don't come
/// back together.
struct Pauses {
    /// Before another node is asked.
    turn: ExponentialBackoff,
    /// Before an overloaded ledger is asked again.
    busy: ExponentialBackoff,
}

impl Default for Pauses {
    fn default() -> Self {
        let growing = |longest| {
            ExponentialBuilder::default()
                .with_min_delay(RETRY_PAUSE)
                .with_max_delay(longest)
                .with_jitter()
                .without_max_times()
                .build()
        };
        Self { turn: growing(TURN_PAUSE_MAX), busy: growing(BUSY_PAUSE_MAX) }
    }
}

/// How long each attempt of a request of so many bytes waits, one after the other.
fn silences(bytes: usize) -> impl Iterator<Item = Duration> {
    let sent = Duration::from_secs(u64::try_from(bytes / LINE_BYTES_PER_S).unwrap_or(u64::MAX));
    std::iter::successors(Some(SILENCE), |silence| Some((*silence * 2).min(SILENCE_MAX)))
        .map(move |silence| silence + sent)
}

/// What the refusal asks for, if it is sensible.
fn retry_after(status: &Status) -> Duration {
    let asked = status.metadata().get(RETRY_AFTER_KEY).and_then(|value| value.to_str().ok());
    let asked = asked.and_then(|value| value.parse().ok()).map(Duration::from_millis);
    asked.unwrap_or_default().min(BUSY_PAUSE_MAX)
}

/// Whether another attempt with the same bytes may succeed.
fn retryable(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable
            | Code::Cancelled
            | Code::Unknown
            | Code::Internal
            | Code::ResourceExhausted
            | Code::Aborted
    )
}

/// Whether the failed attempt may have reached the log: all but what the node rules out.
fn fate_unknown(status: &Status) -> bool {
    let fate = status.metadata().get(FATE_KEY).and_then(|value| value.to_str().ok());
    match fate {
        Some(fate) => fate != FATE_NOT_APPENDED,
        None => match status.code() {
            // A connection that was not made never carried the request.
            Code::Unavailable => !connect_failed(status),
            Code::InvalidArgument
            | Code::Unauthenticated
            | Code::PermissionDenied
            | Code::ResourceExhausted
            | Code::FailedPrecondition
            | Code::NotFound => false,
            Code::Ok
            | Code::Cancelled
            | Code::Unknown
            | Code::DeadlineExceeded
            | Code::AlreadyExists
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Internal
            | Code::DataLoss => true,
        },
    }
}

/// Whether there was no connection to write the request to.
fn connect_failed(status: &Status) -> bool {
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        if error.is::<ConnectError>() {
            return true;
        }
        source = error.source();
    }
    false
}

fn final_error(status: &Status, unknown: bool) -> Error {
    let message = status.message().to_owned();
    match status.code() {
        Code::InvalidArgument | Code::OutOfRange => Error::Malformed(message),
        Code::Unauthenticated => Error::Unauthenticated(message),
        Code::PermissionDenied | Code::Unimplemented => Error::Forbidden(message),
        Code::NotFound => Error::NotFound(message),
        Code::FailedPrecondition | Code::AlreadyExists => Error::Ambiguous(message),
        Code::ResourceExhausted if !unknown && !fate_unknown(status) => Error::Busy(message),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => {
            if unknown || fate_unknown(status) {
                Error::Unknown(message)
            } else {
                Error::NotAppended(message)
            }
        }
    }
}

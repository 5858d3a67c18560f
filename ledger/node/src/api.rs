//! The service of participants: submit, linearizable reads, events; who calls decides what is shown, never what is booked.
mod admin;
mod door;
mod traced;
mod view;

pub(crate) use door::Door;
use traced::Traced;

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use ledger_proof::{Envelope, ItemKind};
use ledger_types::{ParticipantId, TransferId};
use openraft::ReadPolicy;
use prost::Message;
use proto::{
    client::{FATE_KEY, FATE_NOT_APPENDED, FATE_UNKNOWN, LEADER_KEY, RETRY_AFTER_KEY},
    convert,
    ledger::{self as wire, ledger_server},
};
use services_runtime::{tls::require_role, trace::Tracer};
use tokio::time::timeout;
use tonic::{Code, Request, Response, Status, Streaming, metadata::MetadataValue};

#[cfg(feature = "simulation")]
use crate::simulation::{Bug, planted};
use crate::{
    apply::{Apply, Stopped},
    error::Error,
    events::{Events, Reader, Source},
    history::{Cursor, History},
    host,
    machine::Machine,
    members::Used,
    peer::IntoStatus,
    propose::{Answered, Failure, Place, Proposer, Shares},
    raft::Raft,
    verify::{Invalid, Verified, Verifier},
};

/// A submit may carry 8,190 items and their blobs.
const REQUEST_BYTES_MAX: usize = 48 << 20;
/// What is sent whole: it is read before it has a place, so that larger ones must come in chunks.
pub(crate) const MESSAGE_BYTES_MAX: usize = 2 << 20;
/// How long reading waits for history to catch up with apply.
const HISTORY_TIMEOUT: Duration = Duration::from_secs(5);
/// What a full queue needs to get shorter: a few entries.
const RETRY_AFTER_MS: u64 = 100;
/// Disks do not get room so soon.
const ROOM_AFTER_MS: u64 = 1_000;

/// The services of participants and the operator.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) node: u64,
    pub(crate) network: String,
    pub(crate) raft: Raft,
    pub(crate) apply: Apply,
    pub(crate) verifier: Verifier,
    pub(crate) proposer: Proposer,
    /// Who may read how much at one time.
    pub(crate) reads: Shares,
    /// Who may follow how many streams.
    pub(crate) streams: Shares,
    pub(crate) history: History,
    pub(crate) source: Source,
    pub(crate) machine: Machine,
    pub(crate) used: Used,
    /// The genesis file, for backups.
    pub(crate) genesis: Bytes,
    /// The genesis names a predecessor.
    pub(crate) restored: bool,
    pub(crate) history_folder: PathBuf,
    pub(crate) submit_timeout: Duration,
    pub(crate) tracer: Tracer,
}

/// Who a certificate speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Participant(ParticipantId),
    Operator,
}

impl Caller {
    const fn id(self) -> ParticipantId {
        match self {
            Self::Participant(id) => id,
            Self::Operator => ParticipantId::OPERATOR,
        }
    }
}

impl Api {
    fn caller<T>(&self, request: &Request<T>) -> Result<Caller, Status> {
        let identity =
            require_role(request, &["participant", "operator"]).map_err(IntoStatus::into_status)?;
        if identity.network != self.network {
            return Err(Status::permission_denied("the certificate is of another network"));
        }
        match identity.role.as_str() {
            "operator" => Ok(Caller::Operator),
            _ => identity.id.parse().map(Caller::Participant).map_err(|_| {
                Status::unauthenticated("the certificate's id must be a participant's number")
            }),
        }
    }

    /// A place in the queue, before the costly checks; consensus decides who leads again.
    async fn place<T>(&self, request: &Request<T>, bytes: usize) -> Result<Place, Status> {
        let caller = self.caller(request)?;
        let given = request.extensions().get::<door::Given>().and_then(door::Given::take);
        let place = match given {
            Some(mut place) => place.reach(bytes).then_some(place).ok_or(Failure::Full),
            // Who connects, not who claims to have signed: nobody can use up another's share.
            None if self.raft.is_leader() => self.proposer.place(caller.id(), bytes),
            None => Err(Failure::NotLeader(self.raft.current_leader().await)),
        };
        count(place.as_ref().err());
        place.map_err(|refused| failure(&refused))
    }

    /// A place for a read, before consensus is asked.
    fn reading(&self, caller: Caller) -> Result<Place, Status> {
        self.reads.place(caller.id(), 0).ok_or_else(|| failure(&Failure::Full))
    }

    async fn submit_whole(
        &self,
        request: Request<wire::SubmitRequest>,
    ) -> Result<Response<wire::SubmitResponse>, Status> {
        let submit = request.get_ref();
        let bytes = submit.envelope.len() + submit.blobs.iter().map(Bytes::len).sum::<usize>();
        let asked = traced::asked(&self.tracer, &request);
        let place = self.place(&request, bytes).await?;
        let wire::SubmitRequest { envelope, blobs } = request.into_inner();
        self.submit_bytes(envelope, blobs, place, asked).await
    }

    async fn submit_bytes(
        &self,
        envelope: Bytes,
        blobs: Vec<Bytes>,
        place: Place,
        asked: Option<traced::Asked>,
    ) -> Result<Response<wire::SubmitResponse>, Status> {
        let verified = self.verified(place.caller(), envelope, blobs).await?;
        let traced = Traced::new(&self.tracer, self.verifier.network(), asked, &verified);
        let submitted = self.proposed(verified, place).await;
        if let Some(traced) = traced {
            traced.finish(&self.tracer, self.node, submitted.as_ref());
        }
        Ok(Response::new(submitted?.into()))
    }

    async fn proposed(
        &self,
        verified: Verified,
        place: Place,
    ) -> Result<convert::Submitted, Status> {
        let answered = timeout(self.submit_timeout, self.proposer.submit(verified, place)).await;
        let unknown = Failure::Unknown(None);
        let answered = answered.unwrap_or(Err(unknown)).map_err(|error| failure(&error))?;
        self.submitted(answered).await
    }

    async fn verified(
        &self,
        caller: ParticipantId,
        envelope: Bytes,
        blobs: Vec<Bytes>,
    ) -> Result<Verified, Status> {
        let learned = self.verifier.learn(&[&envelope]).await.map_err(|error| invalid(&error))?;
        if !learned {
            // The key may have been added by an entry that a new leader has yet to apply.
            self.linearize().await?;
            self.verifier.learn(&[&envelope]).await.map_err(|error| invalid(&error))?;
        }
        self.verifier.check(caller, envelope, blobs).await.map_err(|error| invalid(&error))
    }

    async fn submitted(&self, answered: Answered) -> Result<convert::Submitted, Status> {
        let answer = answered.answer;
        let Some((first, count)) = answer.resent else {
            let outcomes = answer.outcomes.into_iter().map(view::outcome).collect();
            let (envelope_refused, at) = (answer.refused_whole, answered.at);
            return Ok(convert::Submitted { outcomes, envelope_refused, at, resent: false });
        };
        let end = first + u64::from(count);
        let mut tip = self.history.watch();
        let reached = timeout(HISTORY_TIMEOUT, tip.wait_for(|tip| tip.records >= end)).await;
        drop(reached.map_err(|_| Status::unavailable("history lags behind; ask again"))?);
        let mut cursor = Cursor::new(self.history.clone());
        let read = host::blocking(move || view::resent(&mut cursor, first, count));
        read.await.ok_or_else(|| stopped(&Stopped))?.map_err(|error| {
            tracing::error!(%error, "stored outcomes cannot be read");
            Status::internal("the stored outcomes cannot be read here")
        })
    }

    /// Waits until this node, as leader, has applied everything that was committed by now.
    async fn linearize(&self) -> Result<(), Status> {
        #[cfg(feature = "simulation")]
        if planted(Bug::ReadStale) {
            return Ok(());
        }
        let read = self.raft.ensure_linearizable(ReadPolicy::ReadIndex);
        let read = timeout(self.submit_timeout, read).await;
        let read = read.map_err(|_| unavailable("no quorum answered", false, None))?;
        read.map(drop).map_err(|error| {
            let leader = error.forward_to_leader().and_then(|forward| forward.leader_id);
            unavailable("this node does not lead; go to the leader", false, leader)
        })
    }
}

#[tonic::async_trait]
impl ledger_server::Ledger for Api {
    type EventsStream = Events;

    async fn submit(
        &self,
        request: Request<wire::SubmitRequest>,
    ) -> Result<Response<wire::SubmitResponse>, Status> {
        self.submit_whole(request).await
    }

    async fn submit_chunks(
        &self,
        request: Request<Streaming<wire::SubmitChunk>>,
    ) -> Result<Response<wire::SubmitResponse>, Status> {
        let asked = traced::asked(&self.tracer, &request);
        let mut place = self.place(&request, 0).await?;
        let mut chunks = request.into_inner();
        let mut bytes = Vec::new();
        while let Some(chunk) = chunks.message().await? {
            if bytes.len() + chunk.data.len() > REQUEST_BYTES_MAX {
                return Err(Status::invalid_argument("envelope: is too long; send fewer items"));
            }
            if !place.grow(chunk.data.len()) {
                return Err(failure(&Failure::Full));
            }
            bytes.extend_from_slice(&chunk.data);
        }
        let request = wire::SubmitRequest::decode(Bytes::from(bytes))
            .map_err(|_| Status::invalid_argument("chunks: are no SubmitRequest"))?;
        self.submit_bytes(request.envelope, request.blobs, place, asked).await
    }

    async fn resolve(
        &self,
        request: Request<wire::SubmitRequest>,
    ) -> Result<Response<wire::SubmitResponse>, Status> {
        self.caller(&request)?;
        let envelope = Envelope::decode(&request.get_ref().envelope);
        let kind = envelope.map_err(|error| invalid(&Invalid::Malformed(error)))?.kind;
        if kind != ItemKind::Resolve {
            return Err(Status::invalid_argument("kind: must be resolve; use Submit for others"));
        }
        self.submit_whole(request).await
    }

    async fn get_transfer(
        &self,
        request: Request<wire::GetTransferRequest>,
    ) -> Result<Response<wire::GetTransferResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let uetr = convert::uetr(&request.uetr)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let debtor_agent = ParticipantId(request.debtor_agent);
        let _place = self.reading(caller)?;
        self.linearize().await?;
        let found = self.apply.ask(move |ledger, store| match debtor_agent {
            ParticipantId::OPERATOR => view::transfers(ledger, store, uetr),
            debtor_agent => view::transfer(ledger, store, TransferId { debtor_agent, uetr })
                .map(|found| found.into_iter().collect()),
        });
        let mut found = found.await.map_err(|error| stopped(&error))?.map_err(unreadable)?;
        found.retain(|transfer| match caller {
            Caller::Operator => true,
            Caller::Participant(id) => {
                [transfer.id.debtor_agent, transfer.creditor_agent].contains(&id)
            }
        });
        let ambiguous = "uetr: names more than one transfer; give the debtor agent too";
        match found.len() {
            0 => Err(Status::not_found("no such transfer that you are party to")),
            1 => Ok(Response::new(wire::GetTransferResponse {
                transfer: found.pop().map(Into::into),
            })),
            _ => Err(Status::failed_precondition(ambiguous)),
        }
    }

    async fn get_balances(
        &self,
        request: Request<wire::GetBalancesRequest>,
    ) -> Result<Response<wire::GetBalancesResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let whose = match (caller, request.all, request.participant) {
            (Caller::Operator, true, _) => None,
            (Caller::Operator, false, asked) => Some(ParticipantId(asked)),
            (Caller::Participant(own), false, asked) if asked == 0 || asked == own.0 => Some(own),
            (Caller::Participant(_), _, _) => {
                return Err(Status::permission_denied("only the operator sees others' balances"));
            }
        };
        let _place = self.reading(caller)?;
        self.linearize().await?;
        let (balances, records) = self
            .apply
            .ask(move |ledger, _| (view::balances(ledger, whose), ledger.records()))
            .await
            .map_err(|error| stopped(&error))?;
        let balances = balances.into_iter().map(Into::into).collect();
        Ok(Response::new(wire::GetBalancesResponse { balances, records }))
    }

    async fn get_network(
        &self,
        request: Request<wire::GetNetworkRequest>,
    ) -> Result<Response<wire::GetNetworkResponse>, Status> {
        let _place = self.reading(self.caller(&request)?)?;
        self.linearize().await?;
        let network = self.apply.ask(|ledger, _| view::network(ledger)).await;
        Ok(Response::new(network.map_err(|error| stopped(&error))?.into()))
    }

    async fn events(
        &self,
        request: Request<wire::EventsRequest>,
    ) -> Result<Response<Events>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let reader = match (caller, request.all) {
            (Caller::Operator, _) => Reader::Operator,
            (Caller::Participant(id), false) => Reader::Participant(id),
            (Caller::Participant(_), true) => {
                return Err(Status::permission_denied("only the operator reads the whole stream"));
            }
        };
        let place = self.streams.place(caller.id(), 0).ok_or_else(|| failure(&Failure::Full))?;
        Ok(Response::new(self.source.stream(reader, request.from, place)))
    }
}

/// Counts a submit that was given a place, or what it was refused for.
fn count(refused: Option<&Failure>) {
    let outcome = match refused {
        None => "taken",
        Some(Failure::Full) => "full",
        Some(_) => "elsewhere",
    };
    metrics::counter!("causeway_ledger_submits_total", "outcome" => outcome).increment(1);
}

fn failure(failure: &Failure) -> Status {
    let message = failure.to_string();
    match failure {
        Failure::NotLeader(leader) => unavailable(&message, false, *leader),
        Failure::Clock => unavailable(&message, false, None),
        Failure::Unknown(leader) => unavailable(&message, true, *leader),
        Failure::Full => exhausted(message, RETRY_AFTER_MS),
        Failure::NoRoom => exhausted(message, ROOM_AFTER_MS),
    }
}

fn exhausted(message: String, retry_after_ms: u64) -> Status {
    let mut status = fated(Status::new(Code::ResourceExhausted, message), FATE_NOT_APPENDED);
    status.metadata_mut().insert(RETRY_AFTER_KEY, MetadataValue::from(retry_after_ms));
    status
}

fn unavailable(message: &str, unknown: bool, leader: Option<u64>) -> Status {
    let fate = if unknown { FATE_UNKNOWN } else { FATE_NOT_APPENDED };
    let mut status = fated(Status::unavailable(message), fate);
    if let Some(leader) = leader {
        status.metadata_mut().insert(LEADER_KEY, MetadataValue::from(leader));
    }
    status
}

fn fated(mut status: Status, fate: &'static str) -> Status {
    status.metadata_mut().insert(FATE_KEY, MetadataValue::from_static(fate));
    status
}

fn invalid(invalid: &Invalid) -> Status {
    let message = invalid.to_string();
    let status = match invalid {
        Invalid::Malformed(_) | Invalid::ValidUntil | Invalid::Network | Invalid::Blobs(_) => {
            Status::invalid_argument(message)
        }
        Invalid::Signature { .. } | Invalid::KeyUnknown { .. } => Status::unauthenticated(message),
        Invalid::Stopped(error) => return stopped(error),
    };
    fated(status, FATE_NOT_APPENDED)
}

fn stopped(error: &Stopped) -> Status {
    fated(Status::unavailable(error.to_string()), FATE_UNKNOWN)
}

#[expect(clippy::needless_pass_by_value, reason = "given to map_err")]
fn unreadable(error: Error) -> Status {
    tracing::error!(%error, "the state cannot be read");
    Status::internal("the state cannot be read here")
}

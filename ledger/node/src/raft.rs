//! The types that consensus is instantiated with, and the bytes of its entries in log and network; it interprets no payload.
use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::{Buf, Bytes};
use ledger_core::Answer;
use ledger_proof::{Digest, Item};
use ledger_types::Timestamp;
use openraft::{EntryPayload, LogId, raft::AppendEntriesRequest};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[cfg(not(feature = "simulation"))]
type Runtime = openraft::TokioRuntime;
/// Draws election times from the simulation's seed.
#[cfg(feature = "simulation")]
type Runtime = openraft_rt::deterministic_rng::DeterministicRng<openraft::TokioRuntime>;

openraft::declare_raft_types!(
    /// Consensus over [`Payload`]s, with standard Raft's one leader per term.
    pub(crate) Types:
        D = Payload,
        R = Reply,
        NodeId = u64,
        Node = openraft::impls::BasicNode,
        LeaderId = openraft::impls::leader_id_std::LeaderId<u64, u64>,
        AsyncRuntime = Runtime,
);

pub(crate) type Entry = openraft::type_config::alias::EntryOf<Types>;
pub(crate) type LogIdOf = openraft::type_config::alias::LogIdOf<Types>;
pub(crate) type VoteOf = openraft::type_config::alias::VoteOf<Types>;
pub(crate) type StoredMembership = openraft::type_config::alias::StoredMembershipOf<Types>;
pub(crate) type SnapshotMeta = openraft::type_config::alias::SnapshotMetaOf<Types>;
pub(crate) type Append = AppendEntriesRequest<Types>;
pub(crate) type Raft = openraft::Raft<Types, crate::machine::Machine>;

/// An entry's bytes (`ledger_proof::Entry`) as they came in, with what verifying them decoded.
#[derive(Clone, Default)]
pub(crate) struct Payload {
    bytes: Bytes,
    decoded: Arc<Mutex<Option<Decoded>>>,
}

/// What an entry decodes to, kept from verifying to applying.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) commands: Vec<DecodedCommand>,
    pub(crate) blob_digests: Vec<Digest>,
}

/// What an envelope decodes to.
#[derive(Debug)]
pub(crate) struct DecodedCommand {
    pub(crate) items: Vec<Item>,
    pub(crate) item_hashes: Vec<Digest>,
}

impl Payload {
    pub(crate) fn new(bytes: Bytes, decoded: Option<Decoded>) -> Self {
        Self { bytes, decoded: Arc::new(Mutex::new(decoded)) }
    }

    pub(crate) const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(crate) fn keep(&self, decoded: Decoded) {
        *self.decoded.lock().unwrap_or_else(PoisonError::into_inner) = Some(decoded);
    }

    pub(crate) fn take(&self) -> Option<Decoded> {
        self.decoded.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} bytes", self.bytes.len())
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} bytes", self.bytes.len())
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

// openraft demands serde of its application data; neither log nor network uses it.
impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.bytes)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<u8>::deserialize(deserializer).map(|bytes| Self::new(bytes.into(), None))
    }
}

/// What applying an entry answers, on the node that proposed it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Reply {
    #[serde(skip)]
    pub(crate) at: Timestamp,
    #[serde(skip)]
    pub(crate) answers: Vec<Answer>,
}

const BLANK: u8 = 0;
const NORMAL: u8 = 1;
const MEMBERSHIP: u8 = 2;

/// Appends term ‖ index ‖ kind ‖ body.
pub(crate) fn put_entry(entry: &Entry, out: &mut Vec<u8>) -> io::Result<()> {
    out.extend_from_slice(&entry.log_id.leader_id.term.to_be_bytes());
    out.extend_from_slice(&entry.log_id.index.to_be_bytes());
    match &entry.payload {
        EntryPayload::Blank => out.push(BLANK),
        EntryPayload::Normal(payload) => {
            out.push(NORMAL);
            out.extend_from_slice(payload.bytes());
        }
        EntryPayload::Membership(membership) => {
            out.push(MEMBERSHIP);
            serde_json::to_writer(out, &membership)?;
        }
    }
    Ok(())
}

/// Reads an entry; a payload stays a slice of `bytes`.
pub(crate) fn get_entry(mut bytes: Bytes) -> io::Result<Entry> {
    let term = bytes.try_get_u64().map_err(io::Error::other)?;
    let index = bytes.try_get_u64().map_err(io::Error::other)?;
    let payload = match bytes.try_get_u8().map_err(io::Error::other)? {
        BLANK => EntryPayload::Blank,
        NORMAL => EntryPayload::Normal(Payload::new(bytes, None)),
        MEMBERSHIP => EntryPayload::Membership(serde_json::from_slice(&bytes)?),
        _ => return Err(io::Error::other("unknown kind of log entry")),
    };
    Ok(Entry { log_id: LogId::new_term_index(term, index), payload })
}

/// How much of a bound an entry takes.
pub(crate) fn entry_length(entry: &Entry) -> usize {
    match &entry.payload {
        EntryPayload::Normal(payload) => payload.bytes().len() + 17,
        EntryPayload::Blank | EntryPayload::Membership(_) => 64,
    }
}

/// An append-entries request: length-prefixed head as JSON, then length-prefixed entries.
pub(crate) fn put_append(request: &Append) -> io::Result<Bytes> {
    let size: usize = request.entries.iter().map(|entry| entry_length(entry) + 4).sum();
    let mut out = Vec::with_capacity(size + 512);
    let head = (&request.vote, &request.prev_log_id, &request.leader_commit);
    prefixed(&mut out, |out| serde_json::to_writer(out, &head).map_err(io::Error::from))?;
    for entry in &request.entries {
        prefixed(&mut out, |out| put_entry(entry, out))?;
    }
    Ok(out.into())
}

/// Reads an append-entries request.
pub(crate) fn get_append(mut bytes: Bytes) -> io::Result<Append> {
    let (vote, prev_log_id, leader_commit) = serde_json::from_slice(&slice(&mut bytes)?)?;
    let mut entries = Vec::new();
    while bytes.has_remaining() {
        entries.push(get_entry(slice(&mut bytes)?)?);
    }
    Ok(Append { vote, prev_log_id, entries, leader_commit })
}

fn prefixed(out: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> io::Result<()> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    put(out)?;
    let length = u32::try_from(out.len() - start - 4).map_err(io::Error::other)?;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

fn slice(bytes: &mut Bytes) -> io::Result<Bytes> {
    let length = bytes.try_get_u32().map_err(io::Error::other)?;
    let length = usize::try_from(length).map_err(io::Error::other)?;
    if length > bytes.len() {
        return Err(io::Error::other("append-entries request ends too early"));
    }
    Ok(bytes.split_to(length))
}

//! Too much of everything: bytes, streams, resets, handshakes that never end.
use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use proto::ledger::{SubmitChunk, SubmitRequest, ledger_client::LedgerClient};
use services_cli::bench::world::World;
use tests::say;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{timeout, timeout_at},
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring::default_provider,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
        version::TLS13,
    },
};
use tonic::Code;

use super::{leader, to_leader};

const RESETS: u32 = 20_000;
const STREAMS: u32 = 1_000;
/// All but the 256 that may be open at one time.
const STREAMS_OVER_MIN: usize = 1_000 - 256;
const SILENT: usize = 500;
const FRAMES: u32 = 50_000;
const ANSWER: Duration = Duration::from_secs(5);
/// What is silent is ended by then: its handshake, its first bytes, or its answer to a ping.
const SILENCE_MAX: Duration = Duration::from_secs(25);

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;
const END_STREAM: u8 = 1;

/// A floor of requests for those who flood: `:path` and content type of a call that takes a body.
const LEDGER: (&str, &str) = ("/causeway.ledger.v1.Ledger/SubmitChunks", "application/grpc");
pub(super) const GATEWAY: (&str, &str) = ("/v1/transfers", "application/json");

/// HTTP/2 by hand, for what a well-behaved client never sends.
pub(super) struct Wire(TlsStream<TcpStream>);

impl Wire {
    /// Connects with the certificate of a folder, or with none.
    pub(super) async fn connect(
        endpoint: &str,
        ca: &Path,
        certificate: Option<&Path>,
    ) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match certificate {
            Some(folder) => {
                let chain = CertificateDer::from_pem_file(folder.join("certificate.pem")).unwrap();
                let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
                config.with_client_auth_cert(vec![chain], key).unwrap()
            }
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = TcpStream::connect(address(endpoint)).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        let mut wire = Self(stream);
        wire.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await?;
        wire.frame(SETTINGS, 0, 0, &[]).await?;
        wire.0.flush().await?;
        // In TLS 1.3 the server's refusal comes after the client's side has ended its handshake.
        let mut first = [0; 9];
        wire.0.read_exact(&mut first).await?;
        let rest = usize::from(first[1]) << 8 | usize::from(first[2]);
        wire.0.read_exact(&mut vec![0; rest]).await?;
        Ok(wire)
    }

    async fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.extend_from_slice(payload);
        self.0.write_all(&frame).await
    }

    /// A request's headers, its body to follow: a POST.
    async fn request(&mut self, stream: u32, to: (&str, &str)) -> io::Result<()> {
        self.frame(HEADERS, END_HEADERS, stream, &head(to)).await
    }

    /// Sends the same frame again and again; says how many went out before the connection ended,
    /// and whether it did.
    async fn flood(&mut self, (kind, stream): (u8, u32), payload: &[u8]) -> (u32, bool) {
        for sent in 0..FRAMES {
            // Nobody reads, so a server that answers each would be blocked by its own answers.
            let frame = timeout(ANSWER, self.frame(kind, 0, stream, payload)).await;
            if !matches!(frame, Ok(Ok(()))) {
                return (sent, true);
            }
        }
        let flushed = timeout(ANSWER, self.0.flush()).await;
        let ended = !matches!(flushed, Ok(Ok(()))) || self.leaves().await;
        (FRAMES, ended)
    }

    /// The next frame's kind, flags and stream, or that the connection ended; none where it is silent for so long.
    async fn next(&mut self, patience: Duration) -> Option<io::Result<(u8, u8, u32)>> {
        timeout(patience, self.read()).await.ok()
    }

    async fn read(&mut self) -> io::Result<(u8, u8, u32)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        self.0.read_exact(&mut vec![0; usize::try_from(length).unwrap()]).await?;
        Ok((head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]])))
    }

    /// Whether the connection is ended, by a word or without one, before it is silent.
    async fn leaves(&mut self) -> bool {
        while let Some(frame) = self.next(Duration::from_secs(1)).await {
            if !matches!(frame, Ok((kind, ..)) if kind != GOAWAY) {
                return true;
            }
        }
        false
    }
}

/// An HPACK block without a table: POST, https, path, authority, content type.
fn head((path, kind): (&str, &str)) -> Vec<u8> {
    let mut block = vec![0x83, 0x87];
    for (name, value) in [(&[0x04][..], path), (&[0x01], "localhost"), (&[0x0f, 0x10], kind)] {
        block.extend_from_slice(name);
        block.push(u8::try_from(value.len()).unwrap());
        block.extend_from_slice(value.as_bytes());
    }
    block
}

fn address(endpoint: &str) -> &str {
    endpoint.trim_start_matches("https://")
}

/// Whom to flood, and how to get in.
#[derive(Clone, Debug)]
pub(super) struct Door {
    pub(super) endpoint: String,
    pub(super) ca: PathBuf,
    pub(super) certificate: Option<PathBuf>,
    pub(super) call: (&'static str, &'static str),
}

impl Door {
    /// The leader's, as a participant.
    pub(super) async fn node(world: &World) -> Self {
        let folder = world.folder.path.join("participants/11/client");
        let endpoint = world.folder.endpoints[leader(world).await - 1].clone();
        Self { endpoint, ca: folder.join("ca.pem"), certificate: Some(folder), call: LEDGER }
    }

    async fn wire(&self) -> io::Result<Wire> {
        Wire::connect(&self.endpoint, &self.ca, self.certificate.as_deref()).await
    }
}

/// Everything that is too much, one after the other.
pub(super) async fn all(door: &Door) {
    streams(door).await;
    rapid_reset(door).await;
    frames(door).await;
    silent(door).await;
}

/// Requests beyond every bound, whole and in chunks.
pub(super) async fn oversize(world: &World) {
    let channel = to_leader(world, "participants/11/client").await;
    let mut client = LedgerClient::new(channel).max_encoding_message_size(128 << 20);
    let envelope = vec![0; 49 << 20];
    let whole = SubmitRequest { envelope: envelope.into(), blobs: Vec::new() };
    let status = client.submit(whole).await.unwrap_err();
    let refused = [Code::OutOfRange, Code::ResourceExhausted, Code::InvalidArgument];
    assert!(refused.contains(&status.code()), "{status:?}");
    let data = bytes::Bytes::from(vec![0; 64 << 10]);
    let chunks =
        futures_util::stream::iter((0..900).map(move |_| SubmitChunk { data: data.clone() }));
    let status = client.submit_chunks(chunks).await.unwrap_err();
    assert!(refused.contains(&status.code()), "{status:?}");
    for nonsense in [vec![], vec![0xff; 1_000], vec![0; 112]] {
        let request = SubmitRequest { envelope: nonsense.into(), blobs: Vec::new() };
        assert_eq!(client.submit(request).await.unwrap_err().code(), Code::InvalidArgument);
    }
}

/// More calls on one connection than are allowed at one time: all but those are over at once, refused
/// or answered without their bodies.
async fn streams(door: &Door) {
    let mut wire = door.wire().await.unwrap();
    for stream in 0..STREAMS {
        if wire.request(stream * 2 + 1, door.call).await.is_err() {
            break;
        }
    }
    let _ended = wire.0.flush().await;
    let (mut over, mut left) = (BTreeSet::new(), false);
    while !left && over.len() < STREAMS_OVER_MIN {
        let Some(frame) = wire.next(SILENCE_MAX).await else { break };
        // Of a connection that is ended with bytes of ours unread, not even the GOAWAY may arrive.
        let (kind, flags, stream) = frame.unwrap_or((GOAWAY, 0, 0));
        left = kind == GOAWAY;
        if kind == RST_STREAM || matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0 {
            over.insert(stream);
        }
    }
    let count = over.len();
    say(&format!("of {STREAMS} open calls {count} or more were over; connection ended: {left}"));
    assert!(left || count >= STREAMS_OVER_MIN, "{count}");
}

/// Calls opened and taken back without a pause: the connection is ended, or all of it is bounded.
async fn rapid_reset(door: &Door) {
    let mut wire = door.wire().await.unwrap();
    let mut sent = 0;
    for stream in 0..RESETS {
        let both = async {
            wire.request(stream * 2 + 1, door.call).await?;
            wire.frame(RST_STREAM, 0, stream * 2 + 1, &8_u32.to_be_bytes()).await
        };
        // Nobody reads, so a server that answers each would be blocked by its own answers.
        if !matches!(timeout(ANSWER, both).await, Ok(Ok(()))) {
            break;
        }
        sent += 1;
    }
    let flushed = timeout(ANSWER, wire.0.flush()).await;
    let closed = !matches!(flushed, Ok(Ok(()))) || wire.leaves().await;
    say(&format!("{sent} calls were opened and reset; connection ended: {closed}"));
}

/// Frames that cost little to send and much to keep: none is kept, or the connection ends.
async fn frames(door: &Door) {
    let mut open = door.wire().await.unwrap();
    // Headers that never end.
    open.frame(HEADERS, 0, 1, &head(door.call)).await.unwrap();
    let (sent, ended) = open.flood((CONTINUATION, 1), &[0x00; 64]).await;
    assert!(ended, "{sent} CONTINUATION frames");
    say(&format!("CONTINUATION: connection ended by {sent} frames or after"));
    let mut open = door.wire().await.unwrap();
    open.request(1, door.call).await.unwrap();
    let (sent, ended) = open.flood((DATA, 1), &[]).await;
    say(&format!("empty DATA: {sent} frames, connection ended: {ended}"));
    let mut open = door.wire().await.unwrap();
    let (sent, ended) = open.flood((SETTINGS, 0), &[0, 3, 0, 0, 0, 100]).await;
    say(&format!("SETTINGS: {sent} frames, connection ended: {ended}"));
    let mut open = door.wire().await.unwrap();
    let (sent, ended) = open.flood((PING, 0), &[7; 8]).await;
    say(&format!("PING: {sent} frames, connection ended: {ended}"));
}

/// Connections that say nothing, or stop within the handshake, or in the middle of a request.
async fn silent(door: &Door) {
    let mut held = Vec::new();
    let mut half = Vec::new();
    for at in 0..SILENT {
        match at % 4 {
            0 | 1 => {
                let mut stream = TcpStream::connect(address(&door.endpoint)).await.unwrap();
                if at % 2 == 0 {
                    stream.write_all(&[0x16, 3, 1, 2, 0, 1]).await.unwrap();
                }
                half.push(stream);
            }
            _ => {
                let mut wire = door.wire().await.unwrap();
                if at % 4 == 3 {
                    // Headers whose end is never sent.
                    wire.frame(HEADERS, 0, 1, &head(door.call)).await.unwrap();
                    wire.0.flush().await.unwrap();
                }
                held.push(wire);
            }
        }
    }
    timeout(ANSWER, door.wire()).await.expect("others still get in").unwrap();
    // The listener ends them by itself.
    let until = tokio::time::Instant::now() + SILENCE_MAX;
    for mut stream in half {
        let ended = timeout_at(until, drained(&mut stream)).await;
        assert!(ended.is_ok(), "a handshake without end");
    }
    for mut wire in held {
        assert!(timeout_at(until, drained(&mut wire.0)).await.is_ok(), "silence without end");
    }
}

/// Reads until the other side ends the connection.
async fn drained(stream: &mut (impl tokio::io::AsyncRead + Unpin)) {
    let mut bytes = [0; 256];
    while matches!(stream.read(&mut bytes).await, Ok(1..)) {}
}

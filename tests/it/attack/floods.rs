//! Too much of everything: bytes, streams, resets, handshakes that never end.
use std::{io, path::Path, sync::Arc, time::Duration};

use proto::ledger::{SubmitChunk, SubmitRequest, ledger_client::LedgerClient};
use services_cli::bench::world::World;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
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

use super::{leader, say, to_leader};

const RESETS: u32 = 20_000;
const STREAMS: u32 = 1_000;
const HALF_OPEN: usize = 50;
const ANSWER: Duration = Duration::from_secs(5);

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;
const END_HEADERS: u8 = 4;

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
        wire.frame(4, 0, 0, &[]).await?;
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

    /// A request's headers, its body to follow: POST to a call of the ledger.
    async fn request(&mut self, stream: u32) -> io::Result<()> {
        let path = b"/causeway.ledger.v1.Ledger/SubmitChunks";
        let mut block = vec![0x83, 0x87, 0x04, u8::try_from(path.len()).unwrap()];
        block.extend_from_slice(path);
        block.extend_from_slice(&[0x01, 9]);
        block.extend_from_slice(b"localhost");
        block.extend_from_slice(&[0x0f, 0x10, 16]);
        block.extend_from_slice(b"application/grpc");
        self.frame(HEADERS, END_HEADERS, stream, &block).await
    }

    /// The kinds of the frames that come until there are none.
    async fn kinds(&mut self) -> Vec<u8> {
        let mut kinds = Vec::new();
        let mut head = [0; 9];
        while let Ok(Ok(_)) = timeout(Duration::from_secs(1), self.0.read_exact(&mut head)).await {
            kinds.push(head[3]);
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            if self.0.read_exact(&mut payload).await.is_err() {
                break;
            }
        }
        kinds
    }
}

fn address(endpoint: &str) -> &str {
    endpoint.trim_start_matches("https://")
}

async fn wire(world: &World) -> Wire {
    let folder = world.folder.path.join("participants/11/client");
    let endpoint = &world.folder.endpoints[leader(world).await - 1];
    Wire::connect(endpoint, &folder.join("ca.pem"), Some(&folder)).await.unwrap()
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

/// More calls on one connection than are allowed at one time.
pub(super) async fn streams(world: &World) {
    let mut wire = wire(world).await;
    for stream in 0..STREAMS {
        wire.request(stream * 2 + 1).await.unwrap();
    }
    wire.0.flush().await.unwrap();
    let kinds = wire.kinds().await;
    let refused = kinds.iter().filter(|kind| **kind == RST_STREAM).count();
    let closed = kinds.contains(&GOAWAY);
    say(&format!("of {STREAMS} open calls {refused} were refused; connection ended: {closed}"));
    assert!(closed || refused >= usize::try_from(STREAMS - 256).unwrap());
}

/// Calls opened and taken back without a pause: the connection is ended, or all of it is bounded.
pub(super) async fn rapid_reset(world: &World) {
    let mut wire = wire(world).await;
    let mut sent = 0;
    for stream in 0..RESETS {
        let both = async {
            wire.request(stream * 2 + 1).await?;
            wire.frame(RST_STREAM, 0, stream * 2 + 1, &8_u32.to_be_bytes()).await
        };
        // Nobody reads, so a server that answers each would be blocked by its own answers.
        if !matches!(timeout(ANSWER, both).await, Ok(Ok(()))) {
            break;
        }
        sent += 1;
    }
    let flushed = timeout(ANSWER, wire.0.flush()).await;
    let closed = !matches!(flushed, Ok(Ok(()))) || wire.kinds().await.contains(&GOAWAY);
    say(&format!("{sent} calls were opened and reset; connection ended: {closed}"));
}

/// Connections that never say anything, and some that stop within the handshake.
pub(super) async fn half_open(world: &World) {
    let endpoint = world.folder.endpoints[leader(world).await - 1].clone();
    let mut held = Vec::new();
    for at in 0..HALF_OPEN {
        let mut stream = TcpStream::connect(address(&endpoint)).await.unwrap();
        if at % 2 == 0 {
            stream.write_all(&[0x16, 3, 1, 2, 0, 1]).await.unwrap();
        }
        held.push(stream);
    }
    let folder = world.folder.path.join("participants/11/client");
    let ca = folder.join("ca.pem");
    let connected = Wire::connect(&endpoint, &ca, Some(&folder));
    timeout(ANSWER, connected).await.expect("others still get in").unwrap();
    // The listener ends them by itself.
    for mut stream in held {
        let ended = timeout(Duration::from_secs(15), stream.read(&mut [0; 64])).await;
        assert!(matches!(ended, Ok(Ok(_) | Err(_))), "a handshake without end");
    }
}

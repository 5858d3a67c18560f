//! Tests over certificates made on the spot: identities, who is let in, who is refused, reload.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Extension;
use axum::http::Uri;
use axum::routing::post;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SanType,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::Channel;
use tower::ServiceExt as _;

use super::watch::Watched;
use super::{
    ClientTls, Files, HttpsFiles, HttpsTls, Identity, IdentityError, ListenerLimits, Peer,
    ServerTls, certificate_identity, http_client, incoming, install_default_provider,
};
use crate::grpc::{self, ClientLimits, ServerLimits};
use crate::shutdown::Shutdown;

const NODE: &str = "causeway://net/node/1";
const PARTICIPANT: &str = "causeway://net/participant/7";

struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issue(&self, uris: &[&str]) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
        let uris = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap()));
        params.subject_alt_names.extend(uris);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    /// Files named `name` in `folder`, trusting `trusted`.
    fn write(&self, folder: &TempDir, name: &str, uris: &[&str], trusted: &Self) -> Files {
        let path = |end: &str| folder.path().join(format!("{name}{end}"));
        let (certificate, key) = self.issue(uris);
        std::fs::write(path(".crt"), certificate.pem()).unwrap();
        std::fs::write(path(".key"), key.serialize_pem()).unwrap();
        std::fs::write(path(".ca"), trusted.0.pem()).unwrap();
        Files { certificate: path(".crt"), key: path(".key"), ca: path(".ca"), revoked: None }
    }
}

async fn serve(tls: Arc<ServerTls>, limits: ListenerLimits, shutdown: &Shutdown) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let who = post(async |Extension(peer): Extension<Peer>| peer.identity.to_string());
    let routes = Routes::from(axum::Router::new().route("/who", who));
    let connections = incoming(listener, tls, &limits, shutdown);
    let token = shutdown.token();
    shutdown.spawn("server", async move {
        grpc::server(&ServerLimits::default())
            .add_routes(routes)
            .serve_with_incoming_shutdown(connections, token.cancelled_owned())
            .await
    });
    address
}

fn channel(files: Files, address: SocketAddr, role: &'static str) -> Channel {
    let tls = ClientTls::load(files).unwrap();
    tls.channel(&format!("https://{address}"), role, &ClientLimits::default()).unwrap()
}

async fn ask(channel: Channel) -> Result<String, String> {
    let request = axum::http::Request::post("/who").body(tonic::body::Body::default()).unwrap();
    let answer = channel.oneshot(request).await.map_err(|error| crate::error::chain(&error))?;
    let body = axum::body::to_bytes(axum::body::Body::new(answer.into_body()), 1024).await;
    Ok(String::from_utf8(body.unwrap().to_vec()).unwrap())
}

#[test]
fn an_identity_is_stated_once_and_well_formed() {
    let long = "x".repeat(65);
    let ca = Ca::new();
    let missing = Err(IdentityError::Missing);
    let malformed = |uri: &str| Err(IdentityError::Malformed { uri: uri.to_owned() });
    let node = Identity { network: "net".into(), role: "node".into(), id: "1".into() };
    let too_long = format!("causeway://net/node/{long}");
    let cases: [(&[&str], Result<Identity, IdentityError>); 9] = [
        (&[NODE], Ok(node.clone())),
        (&["https://example.org/x", NODE], Ok(node)),
        (&[], missing),
        (&[NODE, PARTICIPANT], Err(IdentityError::Ambiguous)),
        (&["causeway://net/node"], malformed("causeway://net/node")),
        (&["causeway://net//1"], malformed("causeway://net//1")),
        (&["causeway://net/node/.."], malformed("causeway://net/node/..")),
        (&["causeway://net/node/1/2"], malformed("causeway://net/node/1/2")),
        (&[&too_long], malformed(&too_long)),
    ];
    for (uris, expected) in cases {
        assert_eq!(certificate_identity(ca.issue(uris).0.der()), expected, "{uris:?}");
    }
    assert_eq!(NODE.parse::<Identity>().unwrap().to_string(), NODE);
}

#[tokio::test]
async fn only_a_certificate_of_the_ca_with_an_identity_is_let_in() {
    let (folder, shutdown, ca, other) =
        (tempfile::tempdir().unwrap(), Shutdown::new(), Ca::new(), Ca::new());
    let server = ServerTls::load(ca.write(&folder, "server", &[NODE], &ca)).unwrap();
    let address = serve(server, ListenerLimits::default(), &shutdown).await;

    let good = ca.write(&folder, "good", &[PARTICIPANT], &ca);
    assert_eq!(ask(channel(good.clone(), address, "node")).await.unwrap(), PARTICIPANT);

    let refused = [
        ("client of another CA", other.write(&folder, "other", &[PARTICIPANT], &ca), "node"),
        ("client without identity", ca.write(&folder, "nobody", &[], &ca), "node"),
        ("server of another CA", ca.write(&folder, "wary", &[PARTICIPANT], &other), "node"),
        ("server of another role", good, "fx"),
    ];
    for (case, files, role) in refused {
        assert!(ask(channel(files, address, role)).await.is_err(), "{case}");
    }
    for (identity, is_it) in [(NODE, true), ("causeway://net/node/2", false)] {
        let files = ca.write(&folder, &format!("to-{is_it}"), &[PARTICIPANT], &ca);
        let tls = ClientTls::load(files).unwrap();
        let address = format!("https://{address}");
        let limits = ClientLimits::default();
        let channel = tls.channel_to(&address, &identity.parse().unwrap(), &limits).unwrap();
        assert_eq!(ask(channel).await.is_ok(), is_it, "{identity}");
    }
    shutdown.cancel();
}

#[tokio::test]
async fn a_client_without_certificate_or_with_tls_1_2_is_refused() {
    let (folder, shutdown, ca) = (tempfile::tempdir().unwrap(), Shutdown::new(), Ca::new());
    let files = ca.write(&folder, "server", &[NODE], &ca);
    let server = ServerTls::load(files.clone()).unwrap();
    let address = serve(server, ListenerLimits::default(), &shutdown).await;
    let roots = super::files::read_roots(&files.ca).unwrap();
    let no_certificate = |version: &'static rustls::SupportedProtocolVersion| {
        rustls::ClientConfig::builder_with_provider(super::provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(Arc::clone(&roots))
            .with_no_client_auth()
    };
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let connector = tokio_rustls::TlsConnector::from(Arc::new(no_certificate(version)));
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let name = "localhost".try_into().unwrap();
        let refused = match connector.connect(name, stream).await {
            Err(_) => true,
            // In TLS 1.3 the refusal comes after the client's part of the handshake.
            Ok(mut stream) => tokio::io::AsyncReadExt::read_u8(&mut stream).await.is_err(),
        };
        assert!(refused, "{version:?}");
    }
    shutdown.cancel();
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed() {
    let (folder, shutdown, ca) = (tempfile::tempdir().unwrap(), Shutdown::new(), Ca::new());
    let files = ca.write(&folder, "server", &[NODE], &ca);
    let limits = ListenerLimits { connections_max: 1, ..ListenerLimits::default() };
    let address = serve(ServerTls::load(files.clone()).unwrap(), limits, &shutdown).await;
    let first = channel(files.clone(), address, "node");
    ask(first.clone()).await.unwrap();
    assert!(ask(channel(files, address, "node")).await.is_err());
    ask(first).await.unwrap();
    shutdown.cancel();
}

#[tokio::test]
async fn a_reload_picks_the_new_certificate() {
    let (folder, shutdown, ca) = (tempfile::tempdir().unwrap(), Shutdown::new(), Ca::new());
    let files = ca.write(&folder, "server", &[NODE], &ca);
    let server = ServerTls::load(files.clone()).unwrap();
    let address = serve(Arc::clone(&server), ListenerLimits::default(), &shutdown).await;
    let client =
        ClientTls::load(ca.write(&folder, "client", &["causeway://net/node/2"], &ca)).unwrap();
    let uri: Uri = format!("http://{address}").parse().unwrap();
    let served = async || {
        let stream = client.connect(&uri, "node").await.unwrap();
        certificate_identity(&stream.get_ref().1.peer_certificates().unwrap()[0]).unwrap().id
    };

    let mut watched = Watched::new(files.paths());
    assert!(watched.poll(|| server.reload()).unwrap(), "the first poll loads");
    assert!(!watched.poll(|| server.reload()).unwrap(), "nothing changed");
    assert_eq!(served().await, "1");

    std::fs::write(&files.key, "not a key").unwrap();
    assert!(watched.poll(|| server.reload()).is_err());
    assert_eq!(served().await, "1", "the old certificate serves on");

    ca.write(&folder, "server", &["causeway://net/node/renewed"], &ca);
    assert!(watched.poll(|| server.reload()).unwrap());
    assert_eq!(served().await, "renewed");
    shutdown.cancel();
}

#[tokio::test]
async fn https_is_trusted_by_its_ca_only() {
    install_default_provider();
    let (folder, ca, other) = (tempfile::tempdir().unwrap(), Ca::new(), Ca::new());
    let files = ca.write(&folder, "gateway", &[], &ca);
    let strange = other.write(&folder, "strange", &[], &other);
    let https = HttpsFiles { certificate: files.certificate, key: files.key };
    let tls = HttpsTls::load(https.under(Path::new("ignored, as paths are absolute"))).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::Router::new().route("/", axum::routing::get(async || "hello"));
    let server = axum_server::from_tcp_rustls(listener, tls.config()).unwrap();
    tokio::spawn(server.serve(app.into_make_service()));

    let get =
        async |ca: &Path| http_client(ca).unwrap().get(format!("https://{address}/")).send().await;
    assert_eq!(get(&files.ca).await.unwrap().text().await.unwrap(), "hello");
    assert!(get(&strange.ca).await.is_err());
}

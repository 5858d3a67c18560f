//! gRPC over simulated TCP: who is at the other end is known by its host's name, as a certificate would say it.
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{Stream, stream};
use hyper_util::rt::TokioIo;
use services_runtime::{
    grpc::ClientLimits,
    tls::{Identity, Peer},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::{Channel, Endpoint, Uri, server::Connected};
use turmoil::net::{TcpListener, TcpStream};

/// Where nodes hear other nodes, and clients.
pub(super) const PEERS: u16 = 7_201;
pub(super) const CLIENTS: u16 = 7_101;

/// A connection with who is at its other end.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    peer: Peer,
}

/// A channel to `http://host:port`.
pub(super) fn dial(address: &str, limits: &ClientLimits) -> Result<Channel, String> {
    let endpoint = Endpoint::from_shared(address.to_owned()).map_err(|error| error.to_string())?;
    let connector = tower::service_fn(|uri: Uri| async move {
        let host = uri.host().unwrap_or_default().to_owned();
        let port = uri.port_u16().unwrap_or_default();
        TcpStream::connect((host.as_str(), port)).await.map(TokioIo::new)
    });
    Ok(limits.apply(endpoint).connect_with_connector_lazy(connector))
}

/// Connections to a port of this host.
pub(super) async fn incoming(
    port: u16,
    network: String,
) -> io::Result<impl Stream<Item = io::Result<Wire>> + Send + 'static> {
    let listener = TcpListener::bind(("0.0.0.0", port)).await?;
    Ok(stream::unfold((listener, network), |(listener, network)| async move {
        let accepted = listener.accept().await.map(|(stream, address)| {
            let name = turmoil::reverse_lookup(address.ip()).unwrap_or_default();
            let (role, id) = name.split_once('-').unwrap_or(("", ""));
            let identity =
                Identity { network: network.clone(), role: role.to_owned(), id: id.to_owned() };
            Wire { stream, peer: Peer { address, identity: Arc::new(identity) } }
        });
        Some((accepted, (listener, network)))
    }))
}

impl Connected for Wire {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

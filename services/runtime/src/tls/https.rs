//! The HTTPS side of a public listener, for axum-server: a server certificate, no client's, with
//! hot reload. Callers are known by what they send, never by their connection.

use std::sync::Arc;
use std::time::Duration;

use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;

use super::files::{HttpsFiles, read_chain, read_key};
use super::watch::watch;
use super::{Error, provider};
use crate::shutdown::Shutdown;

#[derive(Clone, Debug)]
pub struct HttpsTls {
    files: HttpsFiles,
    config: RustlsConfig,
}

impl HttpsTls {
    pub fn load(files: HttpsFiles) -> Result<Self, Error> {
        let config = RustlsConfig::from_config(https_config(&files)?);
        Ok(Self { files, config })
    }

    /// Reads the files again; on an error the old certificate stays.
    pub fn reload(&self) -> Result<(), Error> {
        self.config.reload_from_config(https_config(&self.files)?);
        Ok(())
    }

    /// Reloads by itself when a file changes, looking `every` so often.
    pub fn watch(&self, every: Duration, shutdown: &Shutdown) {
        let (tls, token) = (self.clone(), shutdown.token());
        shutdown.spawn("https-watch", async move {
            watch(tls.files.paths(), every, token, || tls.reload()).await;
            Ok::<_, Error>(())
        });
    }

    /// For `axum_server::from_tcp_rustls` or `bind_rustls`; clones follow a reload.
    #[must_use]
    pub fn config(&self) -> RustlsConfig {
        self.config.clone()
    }
}

fn https_config(files: &HttpsFiles) -> Result<Arc<ServerConfig>, Error> {
    let certificate = |source| Error::Certificate { file: files.certificate.clone(), source };
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(certificate)?
        .with_no_client_auth()
        .with_single_cert(read_chain(&files.certificate)?, read_key(&files.key)?)
        .map_err(certificate)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

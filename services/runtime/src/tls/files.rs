//! Where certificates and keys lie, and how they are read from PEM. A key's bytes must never reach
//! a message.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::Deserialize;

use super::Error;

/// Own certificate chain and key, and the one CA that the other side must be signed by.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub ca: PathBuf,
}

/// Certificate chain and key of a server whose clients need no certificate.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct HttpsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Files {
    /// Reads relative paths from `folder`, usually the settings file's own.
    #[must_use]
    pub fn under(&self, folder: &Path) -> Self {
        Self {
            certificate: folder.join(&self.certificate),
            key: folder.join(&self.key),
            ca: folder.join(&self.ca),
        }
    }

    pub(super) fn paths(&self) -> Vec<PathBuf> {
        vec![self.certificate.clone(), self.key.clone(), self.ca.clone()]
    }
}

impl HttpsFiles {
    /// Reads relative paths from `folder`, usually the settings file's own.
    #[must_use]
    pub fn under(&self, folder: &Path) -> Self {
        Self { certificate: folder.join(&self.certificate), key: folder.join(&self.key) }
    }

    pub(super) fn paths(&self) -> Vec<PathBuf> {
        vec![self.certificate.clone(), self.key.clone()]
    }
}

pub(super) fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let what = "certificate";
    let failed = |source| Error::Pem { file: file.to_owned(), what, source };
    let chain = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(failed)?;
    if chain.is_empty() {
        return Err(Error::Empty { file: file.to_owned(), what });
    }
    Ok(chain)
}

pub(super) fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_file(file).map_err(|source| Error::Pem {
        file: file.to_owned(),
        what: "private key",
        source,
    })
}

pub(super) fn read_roots(file: &Path) -> Result<Arc<RootCertStore>, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in read_chain(file)? {
        roots
            .add(certificate)
            .map_err(|source| Error::Ca { file: file.to_owned(), source: Box::new(source) })?;
    }
    Ok(Arc::new(roots))
}

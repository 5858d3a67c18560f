//! Where certificates and keys lie, and how they are read from PEM. A key's bytes must never reach
//! a message.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use serde::Deserialize;
use x509_parser::prelude::{CertificateRevocationList, FromDer as _, X509Certificate};

use super::Error;

/// Own certificate chain and key, and the one CA that the other side must be signed by.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub ca: PathBuf,
    /// The CA's revocation lists (PEM): who stands on one is refused. What a list says holds for ever,
    /// also past its `nextUpdate`: a late list must not let anybody in again. `None` checks nothing.
    #[serde(default)]
    pub revoked: Option<PathBuf>,
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
            revoked: self.revoked.as_ref().map(|file| folder.join(file)),
        }
    }

    pub(super) fn paths(&self) -> Vec<PathBuf> {
        let always = [&self.certificate, &self.key, &self.ca];
        always.into_iter().chain(&self.revoked).cloned().collect()
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
    if let Some(ends) = chain.first().and_then(ends) {
        metrics::gauge!("tls_certificate_not_after_seconds", "file" => file.display().to_string())
            .set(ends);
    }
    Ok(chain)
}

/// When a certificate ends, Unix time.
fn ends(certificate: &CertificateDer<'_>) -> Option<f64> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    // Up to the year 2106.
    u32::try_from(certificate.validity().not_after.timestamp()).ok().map(f64::from)
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

/// Serial numbers of revoked certificates, as the certificates state them.
pub(super) type Serials = HashSet<Vec<u8>>;

/// What a CA took back.
#[derive(Default)]
pub(super) struct Revoked {
    pub(super) lists: Vec<CertificateRevocationListDer<'static>>,
    pub(super) serials: Serials,
}

/// A file that is named must hold a list, lest a misspelt name let everybody in.
pub(super) fn read_revoked(file: Option<&PathBuf>) -> Result<Revoked, Error> {
    let Some(file) = file else { return Ok(Revoked::default()) };
    let what = "revocation list";
    let lists = CertificateRevocationListDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|source| Error::Pem { file: file.clone(), what, source })?;
    if lists.is_empty() {
        return Err(Error::Empty { file: file.clone(), what });
    }
    let mut serials = Serials::new();
    for list in &lists {
        let (_, list) = CertificateRevocationList::from_der(list)
            .map_err(|source| Error::Revoked { file: file.clone(), source: Box::new(source) })?;
        serials.extend(list.iter_revoked_certificates().map(|row| row.raw_serial().to_vec()));
    }
    Ok(Revoked { lists, serials })
}

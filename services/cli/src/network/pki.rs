//! Certificates of a network: two CAs, of peers and of participants, and what they issue. It must
//! never read a clock or write to disk but in `write`; the caller gives the time.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType,
};
use services_runtime::tls::Identity;
use time::{Duration, OffsetDateTime};

mod revoked;
#[cfg(test)]
mod tests;

/// The file of a CA's revocation list, beside its certificate wherever that is trusted.
pub const REVOKED: &str = "revoked.pem";
/// What a renewal keeps of the certificate before, so that it can be revoked.
const FORMER: &str = "certificate.former.pem";

const CA_VALIDITY: Duration = Duration::days(3650);
const VALIDITY: Duration = Duration::days(365);
/// A machine whose clock is a little behind must accept what was just made.
const CLOCK_SKEW: Duration = Duration::minutes(10);

const KEY_MODE: u32 = 0o600;
const CERTIFICATE_MODE: u32 = 0o644;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no certificate can be made for {subject}")]
    Issue {
        subject: String,
        #[source]
        source: rcgen::Error,
    },
    #[error("{}: cannot be read; give a network's folder with its `ca`", file.display())]
    Read {
        file: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{}: cannot be written; the file must be absent and the folder writable", file.display())]
    Write {
        file: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Signs the certificates between the ledger's nodes.
#[derive(Debug)]
pub struct PeerCa(Authority);

/// Signs the certificates of everyone else who connects, and of the servers that they connect to.
#[derive(Debug)]
pub struct ParticipantCa(Authority);

impl PeerCa {
    /// Reads it from a network's folder.
    pub fn read(network: &Path) -> Result<Self, Error> {
        Authority::read(&network.join("ca/peer")).map(Self)
    }

    pub fn new(now: OffsetDateTime) -> Result<Self, Error> {
        Authority::new("Causeway peer CA", now).map(Self)
    }

    /// A node both calls and answers its peers, so one certificate does both.
    pub fn issue_peer(
        &self,
        hosts: &[String],
        identity: &Identity,
        now: OffsetDateTime,
    ) -> Result<Credentials, Error> {
        let usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        self.0.issue(hosts, identity, usages, now)
    }

    /// The list of what it revoked so far and of these serial numbers.
    pub fn revoke(&self, serials: &[Vec<u8>], now: OffsetDateTime) -> Result<String, Error> {
        self.0.revoke(serials, now)
    }

    #[must_use]
    pub fn credentials(&self) -> Credentials {
        self.0.credentials()
    }
}

impl ParticipantCa {
    /// Reads it from a network's folder.
    pub fn read(network: &Path) -> Result<Self, Error> {
        Authority::read(&network.join("ca/participant")).map(Self)
    }

    pub fn new(now: OffsetDateTime) -> Result<Self, Error> {
        Authority::new("Causeway participant CA", now).map(Self)
    }

    /// For a listener that is reached under `hosts`, each a DNS name or an address.
    pub fn issue_server(
        &self,
        hosts: &[String],
        identity: &Identity,
        now: OffsetDateTime,
    ) -> Result<Credentials, Error> {
        self.0.issue(hosts, identity, vec![ExtendedKeyUsagePurpose::ServerAuth], now)
    }

    /// The list of what it revoked so far and of these serial numbers.
    pub fn revoke(&self, serials: &[Vec<u8>], now: OffsetDateTime) -> Result<String, Error> {
        self.0.revoke(serials, now)
    }

    /// Names no host, so that it can never serve as a server's.
    pub fn issue_client(
        &self,
        identity: &Identity,
        now: OffsetDateTime,
    ) -> Result<Credentials, Error> {
        self.0.issue(&[], identity, vec![ExtendedKeyUsagePurpose::ClientAuth], now)
    }

    #[must_use]
    pub fn credentials(&self) -> Credentials {
        self.0.credentials()
    }
}

/// A certificate, its key, the CA to trust and what that CA revoked, as PEM.
#[derive(Clone)]
pub struct Credentials {
    pub certificate: String,
    pub key: String,
    pub ca: String,
    pub revoked: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// Writes `certificate.pem`, `key.pem` (for its owner only), `ca.pem` and `revoked.pem` into
    /// `folder`; overwrites nothing.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        fs::create_dir_all(folder)
            .map_err(|source| Error::Write { file: folder.to_owned(), source })?;
        write_new(&folder.join("key.pem"), &self.key, KEY_MODE)?;
        write_new(&folder.join("certificate.pem"), &self.certificate, CERTIFICATE_MODE)?;
        write_new(&folder.join("ca.pem"), &self.ca, CERTIFICATE_MODE)?;
        write_new(&folder.join(REVOKED), &self.revoked, CERTIFICATE_MODE)
    }
}

impl Credentials {
    /// Puts new credentials in the place of those in `folder`. Key and certificate change one after
    /// the other, and a service that reads between the two keeps the old until it reads again.
    pub fn replace(&self, folder: &Path) -> Result<(), Error> {
        let (current, former) = (folder.join("certificate.pem"), folder.join(FORMER));
        fs::copy(current, &former).map_err(|source| Error::Write { file: former, source })?;
        let new = [
            ("key.pem", &self.key, KEY_MODE),
            ("certificate.pem", &self.certificate, CERTIFICATE_MODE),
        ];
        for (name, text, mode) in new {
            write_beside(&folder.join(name), text, mode)?;
        }
        new.iter().try_for_each(|(name, _, _)| put_in_place(&folder.join(name)))
    }
}

/// Puts a CA's list in the place of the one before.
pub fn write_list(file: &Path, list: &str) -> Result<(), Error> {
    write_beside(file, list, CERTIFICATE_MODE)?;
    put_in_place(file)
}

fn fresh(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

fn write_beside(file: &Path, text: &str, mode: u32) -> Result<(), Error> {
    let fresh = fresh(file);
    if fresh.exists() {
        fs::remove_file(&fresh).map_err(|source| Error::Write { file: file.to_owned(), source })?;
    }
    write_new(&fresh, text, mode)
}

fn put_in_place(file: &Path) -> Result<(), Error> {
    fs::rename(fresh(file), file).map_err(|source| Error::Write { file: file.to_owned(), source })
}

fn write_new(file: &Path, text: &str, mode: u32) -> Result<(), Error> {
    let failed = |source| Error::Write { file: file.to_owned(), source };
    // The mode is set at creation: a key is never readable by others, not even for a moment.
    let mut open =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(file).map_err(failed)?;
    open.write_all(text.as_bytes()).map_err(failed)
}

/// What a network starts with: both CAs and the credentials by the folder they belong in.
#[derive(Debug)]
pub struct Pki {
    pub peer_ca: PeerCa,
    pub participant_ca: ParticipantCa,
    issued: Vec<(PathBuf, Credentials)>,
}

impl Pki {
    pub fn new(now: OffsetDateTime) -> Result<Self, Error> {
        Ok(Self {
            peer_ca: PeerCa::new(now)?,
            participant_ca: ParticipantCa::new(now)?,
            issued: Vec::new(),
        })
    }

    /// Keeps `credentials` to be written into `folder`, relative to the network's.
    pub fn add(&mut self, folder: impl Into<PathBuf>, credentials: Credentials) {
        self.issued.push((folder.into(), credentials));
    }

    /// Writes the CAs into `folder/ca/peer` and `folder/ca/participant` and what was added.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        self.peer_ca.credentials().write(&folder.join("ca/peer"))?;
        self.participant_ca.credentials().write(&folder.join("ca/participant"))?;
        self.issued
            .iter()
            .try_for_each(|(relative, credentials)| credentials.write(&folder.join(relative)))
    }

    /// The folders of what was added, in that order.
    pub fn folders(&self) -> impl Iterator<Item = &Path> {
        self.issued.iter().map(|(folder, _)| folder.as_path())
    }
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
    revoked: String,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl Authority {
    fn new(name: &str, now: OffsetDateTime) -> Result<Self, Error> {
        let failed = |source| Error::Issue { subject: name.to_owned(), source };
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        (params.not_before, params.not_after) = (now - CLOCK_SKEW, now + CA_VALIDITY);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
        let certificate = params.self_signed(&key).map_err(failed)?.pem();
        let issuer = Issuer::new(params, key);
        let revoked = revoked::list(&issuer, "", &[], now).map_err(failed)?;
        Ok(Self { issuer, certificate, revoked })
    }

    fn read(folder: &Path) -> Result<Self, Error> {
        let read = |name: &str| {
            let file = folder.join(name);
            fs::read_to_string(&file).map_err(|source| Error::Read { file, source })
        };
        let (certificate, key) = (read("certificate.pem")?, read("key.pem")?);
        let subject = || folder.display().to_string();
        let failed = |source| Error::Issue { subject: subject(), source };
        let key = KeyPair::from_pem(&key).map_err(failed)?;
        let issuer = Issuer::from_ca_cert_pem(&certificate, key).map_err(failed)?;
        // A network of before there were lists has none.
        let revoked = match folder.join(REVOKED).exists() {
            true => read(REVOKED)?,
            false => {
                let none = revoked::list(&issuer, "", &[], OffsetDateTime::UNIX_EPOCH);
                none.map_err(failed)?
            }
        };
        Ok(Self { issuer, certificate, revoked })
    }

    fn revoke(&self, serials: &[Vec<u8>], now: OffsetDateTime) -> Result<String, Error> {
        let subject = "revocation list".to_owned();
        let list = revoked::list(&self.issuer, &self.revoked, serials, now);
        list.map_err(|source| Error::Issue { subject, source })
    }

    fn issue(
        &self,
        hosts: &[String],
        identity: &Identity,
        usages: Vec<ExtendedKeyUsagePurpose>,
        now: OffsetDateTime,
    ) -> Result<Credentials, Error> {
        let uri = identity.to_string();
        let failed = |source| Error::Issue { subject: uri.clone(), source };
        let mut params = CertificateParams::new(hosts).map_err(failed)?;
        let name = uri.as_str().try_into().map_err(failed)?;
        params.subject_alt_names.push(SanType::URI(name));
        params.distinguished_name = common_name(&identity.id);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = usages;
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = (now - CLOCK_SKEW, now + VALIDITY);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok(Credentials {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            ca: self.certificate.clone(),
            revoked: self.revoked.clone(),
        })
    }

    fn credentials(&self) -> Credentials {
        Credentials {
            ca: self.certificate.clone(),
            revoked: self.revoked.clone(),
            key: self.issuer.key().serialize_pem(),
            certificate: self.certificate.clone(),
        }
    }
}

fn common_name(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

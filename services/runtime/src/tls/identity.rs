//! Who a certificate speaks for: the URI `causeway://<network>/<role>/<id>` among its alternative
//! names. It must never give an identity that the certificate doesn't state exactly once.

use std::fmt;
use std::str::FromStr;

use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

const SCHEME: &str = "causeway://";
/// A network's id is 32 bytes in hexadecimal; nothing is longer.
const PART_LENGTH_MAX: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    pub network: String,
    pub role: String,
    pub id: String,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    #[error("the certificate cannot be parsed")]
    Certificate,
    #[error("the certificate states no causeway:// URI; issue it with one")]
    Missing,
    #[error("the certificate states more than one causeway:// URI; issue it with one")]
    Ambiguous,
    #[error(
        "{uri:?} is not causeway://<network>/<role>/<id> with parts of 1 to 64 letters, digits, \
         '-', '_' or '.', not beginning with '.'"
    )]
    Malformed { uri: String },
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}/{}", self.network, self.role, self.id)
    }
}

impl FromStr for Identity {
    type Err = IdentityError;

    fn from_str(uri: &str) -> Result<Self, IdentityError> {
        let parts: Vec<_> = uri.strip_prefix(SCHEME).unwrap_or_default().split('/').collect();
        match parts[..] {
            [network, role, id] if [network, role, id].into_iter().all(valid_part) => {
                Ok(Self { network: network.into(), role: role.into(), id: id.into() })
            }
            _ => Err(IdentityError::Malformed { uri: uri.to_owned() }),
        }
    }
}

/// No part begins with a dot, so that each may name a folder.
fn valid_part(part: &str) -> bool {
    (1..=PART_LENGTH_MAX).contains(&part.len())
        && !part.starts_with('.')
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

pub fn certificate_identity(certificate: &CertificateDer<'_>) -> Result<Identity, IdentityError> {
    let (_, parsed) =
        X509Certificate::from_der(certificate).map_err(|_| IdentityError::Certificate)?;
    let names = parsed.subject_alternative_name().map_err(|_| IdentityError::Certificate)?;
    let names = names.map(|extension| extension.value.general_names.as_slice()).unwrap_or_default();
    let mut uris = names.iter().filter_map(|name| {
        if let GeneralName::URI(uri) = name {
            uri.starts_with(SCHEME).then_some(*uri)
        } else {
            None
        }
    });
    match (uris.next(), uris.next()) {
        (None, _) => Err(IdentityError::Missing),
        (Some(uri), None) => uri.parse(),
        (Some(_), Some(_)) => Err(IdentityError::Ambiguous),
    }
}

/// The serial number as the certificate states it.
pub(super) fn certificate_serial(
    certificate: &CertificateDer<'_>,
) -> Result<Vec<u8>, IdentityError> {
    let parsed = X509Certificate::from_der(certificate);
    let (_, parsed) = parsed.map_err(|_| IdentityError::Certificate)?;
    Ok(parsed.raw_serial().to_vec())
}

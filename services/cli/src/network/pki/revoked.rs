//! A CA's revocation list: the certificates that no longer count. It must never let one count again.

use rcgen::{
    CertificateRevocationListParams, Issuer, KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber,
};
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{CertificateRevocationList, FromDer as _};

/// Services hold a list for good past its end; the date only tells people when to look at it.
const VALIDITY: Duration = Duration::days(3650);

/// The list that stood so far (PEM) with further serial numbers, signed anew; an empty one at first.
pub(super) fn list(
    issuer: &Issuer<'_, KeyPair>,
    former: &str,
    serials: &[Vec<u8>],
    now: OffsetDateTime,
) -> Result<String, rcgen::Error> {
    let (number, mut revoked) = read(former).ok_or(rcgen::Error::CouldNotParseCertificate)?;
    for serial in serials {
        if revoked.iter().all(|row| row.serial_number.as_ref() != serial.as_slice()) {
            revoked.push(row(serial, now));
        }
    }
    let params = CertificateRevocationListParams {
        this_update: now,
        next_update: now + VALIDITY,
        crl_number: SerialNumber::from(number + 1),
        issuing_distribution_point: None,
        revoked_certs: revoked,
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(issuer)?.pem()
}

fn row(serial: &[u8], at: OffsetDateTime) -> RevokedCertParams {
    RevokedCertParams {
        serial_number: SerialNumber::from_slice(serial),
        revocation_time: at,
        reason_code: None,
        invalidity_date: None,
    }
}

/// Its number and entries; none of either where there is no list yet.
fn read(pem: &str) -> Option<(u64, Vec<RevokedCertParams>)> {
    if pem.is_empty() {
        return Some((0, Vec::new()));
    }
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).ok()?;
    let (_, list) = CertificateRevocationList::from_der(&pem.contents).ok()?;
    let number = list.crl_number().and_then(|number| u64::try_from(number).ok())?;
    let rows = list.iter_revoked_certificates().map(|found| {
        let at = OffsetDateTime::from_unix_timestamp(found.revocation_date.timestamp());
        Some(row(found.raw_serial(), at.ok()?))
    });
    Some((number, rows.collect::<Option<_>>()?))
}

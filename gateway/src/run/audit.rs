//! Follows the audit log's chain from its first row to its last; it changes nothing.
use crate::{
    security::audit::Head,
    store::{self, Store},
};

const PAGE: i64 = 1_000;

/// Why a log is not what was written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store failed.
    #[error("the audit log can't be read")]
    Store(#[source] store::Error),
    /// A row is not what its digest says, or does not follow the one before.
    #[error("the audit log is broken at row {0}: it was changed, or a row before it is missing")]
    Broken(i64),
    /// What was noted elsewhere is not there.
    #[error("the audit log does not hold row {0} as it was noted: it was cut or written anew")]
    Missing(i64),
}

/// The number of rows and the last digest in hexadecimal.
///
/// # Errors
/// Where the chain breaks, or that a row which was noted elsewhere is not there.
pub async fn verify(store: &Store, noted: Option<&(i64, String)>) -> Result<(i64, String), Error> {
    let mut head = Head::default();
    let mut found = noted.is_none();
    loop {
        let rows = store.audit_list(head.number, PAGE).await.map_err(Error::Store)?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            head = head.follow(&row.covered(), &row.digest).ok_or(Error::Broken(row.number))?;
            let here = |(number, digest): &(i64, String)| {
                *number == head.number && *digest == hex::encode(head.digest)
            };
            found |= noted.is_some_and(here);
        }
    }
    match noted {
        Some((number, _)) if !found => Err(Error::Missing(*number)),
        _ => Ok((head.number, hex::encode(head.digest))),
    }
}

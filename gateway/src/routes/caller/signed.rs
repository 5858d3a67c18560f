//! Requests of an API key that has a public key: each is signed, and comes once; a body is what its digest says.
use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, request::Parts},
};
use futures_util::{StreamExt as _, stream};
use ledger_proof::codec::Digest;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    app::App,
    problem::{Code, Problem},
    security::{
        failures::Failure,
        signature::{Message, Wrong, claims, content_digest, verify},
    },
};

/// Lets a request pass that is signed by the key's own key, once.
///
/// # Errors
/// `SIGNATURE_REQUIRED` or `SIGNATURE_INVALID`.
pub(super) async fn signed(
    app: &App,
    parts: &Parts,
    api_key: Uuid,
    public: &[u8],
) -> Result<(), Problem> {
    let refuse = |wrong: Wrong| {
        app.security.failures.count(Failure::Signature);
        match wrong {
            Wrong::Missing => {
                let detail = "signature-input, signature: the API key's requests must be signed";
                Problem::new(Code::SignatureRequired, detail)
            }
            Wrong::Invalid(why) => Problem::new(Code::SignatureInvalid, why),
        }
    };
    let message = Message { method: &parts.method, uri: &parts.uri, headers: &parts.headers };
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let unusable = Wrong::Invalid("the API key's public key is unusable; set another");
    let public: Digest = public.try_into().map_err(|_| refuse(unusable))?;
    let signed = verify(&message, &public, &api_key.to_string(), now).map_err(refuse)?;
    let nonce = Sha256::digest(signed.nonce.as_bytes());
    let over_at = OffsetDateTime::from_unix_timestamp(signed.over_at);
    let over_at = over_at.map_err(|error| Problem::internal(&error))?;
    if !app.store.signature_nonce_take(api_key, &nonce, over_at).await? {
        return Err(refuse(Wrong::Invalid("nonce: it was used before; sign anew with another")));
    }
    Ok(())
}

/// Checks a body against what `Content-Digest` says of it, if it says SHA-256.
///
/// # Errors
/// When it is another's.
pub fn digested(headers: &HeaderMap, body: &Bytes) -> Result<(), Problem> {
    match content_digest(headers) {
        Some(stated) if stated.as_slice() != Sha256::digest(body).as_slice() => {
            Err(another(headers))
        }
        Some(_) | None => Ok(()),
    }
}

fn another(headers: &HeaderMap) -> Problem {
    let code = if claims(headers) { Code::SignatureInvalid } else { Code::BodyMalformed };
    Problem::new(code, "content-digest: it is not the body's; send the body that it was made of")
}

/// The same of a body that is read while it comes: one that is another's breaks off at its end.
pub fn digested_stream(headers: &HeaderMap, body: Body) -> Body {
    let Some(stated) = content_digest(headers) else { return body };
    let begun = (body.into_data_stream(), Some(Sha256::new()));
    let pieces = stream::unfold(begun, move |(mut pieces, sum)| async move {
        let mut sum = sum?;
        match pieces.next().await {
            Some(Ok(piece)) => {
                sum.update(&piece);
                Some((Ok(piece), (pieces, Some(sum))))
            }
            Some(Err(error)) => Some((Err(error), (pieces, None))),
            None => {
                let other = sum.finalize().as_slice() != stated.as_slice();
                let why = "the body is not the one of its content-digest";
                other.then(|| (Err(axum::Error::new(why)), (pieces, None)))
            }
        }
    });
    Body::from_stream(pieces)
}

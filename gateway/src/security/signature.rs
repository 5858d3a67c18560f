//! Signatures of HTTP requests (RFC 9421) by ed25519, and digests of their bodies (RFC 9530): what a signature covers and whether it holds; it keeps no key and no nonce.
use std::borrow::Cow;

use axum::http::{HeaderMap, Method, Uri};
use ed25519_dalek::{Signature, VerifyingKey};
use ledger_proof::codec::Digest;
use sfv::{Dictionary, InnerList, ListEntry, ListSerializer, Parser};

#[cfg(test)]
mod tests;

/// How far `created` may lie from this clock, either way.
pub const AGE_S_MAX: i64 = 300;
/// The longest nonce.
const NONCE_CHARS_MAX: usize = 128;
/// The one algorithm (RFC 9421, section 3.3.6).
const ALGORITHM: &str = "ed25519";

/// A request as far as a signature can cover it.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its target.
    pub uri: &'a Uri,
    /// Its fields.
    pub headers: &'a HeaderMap,
}

/// Why a request is not taken for signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It has no signature.
    Missing,
    /// It has one that does not hold; what is wrong and what to do.
    Invalid(&'static str),
}

/// A signature that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// May come once.
    pub nonce: String,
    /// Unix seconds from which on nothing with this nonce would be taken.
    pub over_at: i64,
}

/// Verifies the signature that names `keyid`.
///
/// # Errors
/// What is missing or wrong.
pub fn verify(message: &Message<'_>, key: &Digest, keyid: &str, now: i64) -> Result<Signed, Wrong> {
    let inputs = dictionary(message.headers, "signature-input")?;
    let signatures = dictionary(message.headers, "signature")?;
    let named = inputs.iter().find_map(|(label, entry)| match entry {
        ListEntry::InnerList(list) if text(list, "keyid") == Some(keyid) => Some((label, list)),
        ListEntry::InnerList(_) | ListEntry::Item(_) => None,
    });
    let (label, list) =
        named.ok_or(Wrong::Invalid("keyid: no signature names this API key by its id"))?;
    let signed = parameters(list, now)?;
    covers(message, list)?;
    let base = base(message, list)?;
    let bytes = match signatures.get(label) {
        Some(ListEntry::Item(item)) => item.bare_item.as_byte_sequence(),
        Some(ListEntry::InnerList(_)) | None => None,
    };
    let bytes = bytes.and_then(|bytes| Signature::from_slice(bytes).ok());
    let signature = bytes.ok_or(Wrong::Invalid("signature: must be 64 bytes under the label"))?;
    let key = VerifyingKey::from_bytes(key);
    let key =
        key.map_err(|_| Wrong::Invalid("the API key's public key is unusable; set another"))?;
    key.verify_strict(base.as_bytes(), &signature)
        .map_err(|_| Wrong::Invalid("signature: it is not of this request by this key"))?;
    Ok(signed)
}

/// A field as a dictionary (RFC 9651); its lines are one.
fn dictionary(headers: &HeaderMap, name: &str) -> Result<Dictionary, Wrong> {
    let value = field(headers, name).ok_or(Wrong::Missing)?;
    let wrong = |_| Wrong::Invalid("signature-input, signature: must be dictionaries (RFC 9651)");
    Parser::new(&*value).parse().map_err(wrong)
}

fn text<'a>(list: &'a InnerList, name: &str) -> Option<&'a str> {
    list.params.get(name)?.as_string().map(sfv::StringRef::as_str)
}

/// `created`, `expires`, `nonce` and `alg` (section 2.3).
fn parameters(list: &InnerList, now: i64) -> Result<Signed, Wrong> {
    let time = |name: &str| list.params.get(name)?.as_integer().map(i64::from);
    let created = time("created").ok_or(Wrong::Invalid("created: must be Unix seconds"))?;
    if now.abs_diff(created) > AGE_S_MAX.unsigned_abs() {
        return Err(Wrong::Invalid("created: must be within 5 minutes of now; sign anew"));
    }
    if list.params.contains_key("expires") && time("expires").is_none_or(|at| at <= now) {
        return Err(Wrong::Invalid("expires: it is over; sign anew"));
    }
    if list.params.contains_key("alg") && text(list, "alg") != Some(ALGORITHM) {
        return Err(Wrong::Invalid("alg: must be ed25519"));
    }
    let nonce = text(list, "nonce").filter(|text| (1..=NONCE_CHARS_MAX).contains(&text.len()));
    let nonce = nonce.ok_or(Wrong::Invalid("nonce: must be 1 to 128 characters, used once"))?;
    Ok(Signed { nonce: nonce.to_owned(), over_at: created.saturating_add(AGE_S_MAX + 1) })
}

/// Whether what matters is covered: another request must not pass under the same signature.
fn covers(message: &Message<'_>, list: &InnerList) -> Result<(), Wrong> {
    let has = |name: &str| {
        list.items.iter().any(|item| {
            item.params.is_empty()
                && item.bare_item.as_string().is_some_and(|own| own.as_str() == name)
        })
    };
    let bodiless = [Method::GET, Method::HEAD, Method::DELETE].contains(message.method);
    let required = [
        ("@method", true, "must cover @method"),
        ("@path", true, "must cover @path"),
        ("@query", message.uri.query().is_some(), "must cover @query, as there is one"),
        ("content-digest", !bodiless, "must cover content-digest, also of an empty body"),
        (
            "idempotency-key",
            message.headers.contains_key("idempotency-key"),
            "must cover idempotency-key, as there is one",
        ),
    ];
    // What stands for the whole target covers its parts.
    let whole = has("@target-uri") || has("@request-target");
    for (name, needed, what) in required {
        let part = matches!(name, "@path" | "@query") && whole;
        if needed && !part && !has(name) {
            return Err(Wrong::Invalid(what));
        }
    }
    if !bodiless && content_digest(message.headers).is_none() {
        return Err(Wrong::Invalid("content-digest: must hold sha-256 (RFC 9530)"));
    }
    Ok(())
}

/// The signature base (section 2.5): a line per component, then the parameters.
fn base(message: &Message<'_>, list: &InnerList) -> Result<String, Wrong> {
    let mut base = String::new();
    let mut seen = Vec::new();
    for item in &list.items {
        let name = item.bare_item.as_string().map(sfv::StringRef::as_str);
        let name = name.filter(|_| item.params.is_empty());
        let name = name.ok_or(Wrong::Invalid("signature-input: components take no parameters"))?;
        if seen.contains(&name) {
            return Err(Wrong::Invalid("signature-input: a component stands there twice"));
        }
        seen.push(name);
        let value = component(message, name)
            .ok_or(Wrong::Invalid("signature-input: a component that the request lacks"))?;
        base.push_str(&format!("\"{name}\": {value}\n"));
    }
    let mut parameters = ListSerializer::new();
    let mut inner = parameters.inner_list();
    inner.items(&list.items);
    inner.finish().parameters(&list.params);
    let parameters = parameters.finish().unwrap_or_default();
    base.push_str(&format!("\"@signature-params\": {parameters}"));
    Ok(base)
}

/// The value of a component: derived (section 2.2) or a field (section 2.1).
fn component<'a>(message: &'a Message<'_>, name: &str) -> Option<Cow<'a, str>> {
    let uri = message.uri;
    let path = if uri.path().is_empty() { "/" } else { uri.path() };
    let query = uri.query();
    let target = || query.map_or(path.to_owned(), |query| format!("{path}?{query}"));
    Some(match name {
        "@method" => message.method.as_str().into(),
        "@path" => path.into(),
        "@query" => format!("?{}", query.unwrap_or_default()).into(),
        "@authority" => authority(message)?.into(),
        "@scheme" => "https".into(),
        "@request-target" => target().into(),
        "@target-uri" => format!("https://{}{}", authority(message)?, target()).into(),
        derived if derived.starts_with('@') => return None,
        field_name if field_name.bytes().any(|byte| byte.is_ascii_uppercase()) => return None,
        field_name => field(message.headers, field_name)?,
    })
}

/// The host that was asked, in lower case and without the default port.
fn authority(message: &Message<'_>) -> Option<String> {
    let named = message.uri.authority().map(|authority| Cow::from(authority.as_str()));
    let host = named.or_else(|| field(message.headers, "host"))?.to_ascii_lowercase();
    Some(host.strip_suffix(":443").map_or_else(|| host.clone(), str::to_owned))
}

/// Every line of a field, joined as one value; none where a line is no visible ASCII.
fn field<'a>(headers: &'a HeaderMap, name: &str) -> Option<Cow<'a, str>> {
    let mut lines = headers.get_all(name).iter().map(|line| line.to_str().map(str::trim).ok());
    let first = lines.next()??;
    let rest = lines.collect::<Option<Vec<_>>>()?;
    if rest.is_empty() {
        return Some(first.into());
    }
    Some([&[first], rest.as_slice()].concat().join(", ").into())
}

/// SHA-256 of the body as `Content-Digest` states it (RFC 9530, section 2); none where it states none.
#[must_use]
pub fn content_digest(headers: &HeaderMap) -> Option<Digest> {
    let value = field(headers, "content-digest")?;
    let stated: Dictionary = Parser::new(&*value).parse().ok()?;
    match stated.get("sha-256")? {
        ListEntry::Item(item) => item.bare_item.as_byte_sequence()?.try_into().ok(),
        ListEntry::InnerList(_) => None,
    }
}

/// Whether a request says that it is signed.
#[must_use]
pub fn claims(headers: &HeaderMap) -> bool {
    headers.contains_key("signature-input")
}

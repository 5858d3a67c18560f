//! JSON bodies as the OpenAPI document describes them, and nothing else; it knows no resource.
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};
use serde_json::{Number, Value};

/// The fields that are lists; anywhere else a list could only pose as an object, its values in the
/// order of the fields.
const LISTS: [&str; 3] = ["address", "events", "scopes"];

/// Reads a body.
///
/// # Errors
/// Names the place that does not fit: a field missing, unknown, given twice or of another type.
pub fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let read = serde_json::from_slice(bytes).map_err(|error| format!("body: {error}"))?;
    let shape: Value = serde_json::from_slice(bytes).map_err(|error| format!("body: {error}"))?;
    match list_as_object(&shape, "") {
        Some(place) => Err(format!("body{place}: must be no list")),
        None => Ok(read),
    }
}

/// A whole number however JSON writes it: `7`, `7.0` and `7e0` are one number.
///
/// # Errors
/// When it is no number, not whole, or beyond its range.
pub fn whole<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    let Some(number) = Option::<Number>::deserialize(from)? else { return Ok(None) };
    let text = number.to_string();
    let digits = text.strip_suffix(".0").unwrap_or(&text);
    let whole = digits.parse().map_err(|_| D::Error::custom("must be a whole number below 2^32"));
    whole.map(Some)
}

/// The first list where none may be.
fn list_as_object(value: &Value, place: &str) -> Option<String> {
    match value {
        Value::Array(_) => Some(place.to_owned()),
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, field)| !(field.is_array() && LISTS.contains(&name.as_str())))
            .find_map(|(name, field)| list_as_object(field, &format!("{place}.{name}"))),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

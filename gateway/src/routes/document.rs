//! What /openapi.json says beyond each handler's own words: every problem of every resource, which fields go together, the network's currencies; it serves nothing.
use std::collections::BTreeMap;

use ledger_types::Country;
use proto::convert::Network;
use serde_json::{Value, json};

use crate::transfers::{order::ADDRESS_LINE_CHARS_MAX, recalls::REJECT_REASONS};

/// Digits of an amount, minor units included: what is below 10¹⁸ fits every book and column.
pub const AMOUNT_DIGITS_MAX: usize = 18;

/// Forms of parameters, by name.
const PATTERNS: [(&str, &str); 5] = [
    ("case", "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"),
    ("token", "^[0-9a-f]{40}$"),
    ("message", "^(pacs\\.00[248]|camt\\.054)$"),
    ("uetr", "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"),
    ("Idempotency-Key", "^(\"[!#-~]{1,255}\"|[!#-~]{1,255})$"),
];

/// Adds to what the handlers say of themselves.
///
/// # Errors
/// When the document is no JSON, which only a mistake in this crate makes it.
pub fn complete(api: &utoipa::openapi::OpenApi) -> Result<Value, serde_json::Error> {
    let mut document = serde_json::to_value(api)?;
    let paths = document.pointer_mut("/paths").and_then(Value::as_object_mut);
    for (path, methods) in paths.into_iter().flatten() {
        for (method, operation) in methods.as_object_mut().into_iter().flatten() {
            problems(path, method, operation);
            parameters(operation);
            name(operation);
        }
    }
    if let Some(body) = document.pointer_mut("/paths/~1v1~1iso20022/post/requestBody/content") {
        // Whatever comes is answered by a pacs.002: no schema tells right from wrong here.
        *body = json!({ "application/xml": {} });
    }
    if let Some(required) = document.pointer_mut("/paths/~1v1~1iso20022/post/requestBody/required")
    {
        *required = Value::Bool(false);
    }
    if let Some(body) = document.pointer_mut("/paths/~1v1~1batches/post/requestBody/content") {
        // What is wrong in a row is told by the row's outcome.
        *body = json!({ "text/csv": {}, "application/x-ndjson": {}, "application/xml": {} });
    }
    if let Some(schemas) = document.pointer_mut("/components/schemas") {
        fields_that_go_together(schemas);
    }
    Ok(document)
}

/// The document of a network whose currencies are known: which an amount takes, and their decimals.
#[must_use]
pub fn of_network(document: &Value, network: &Network) -> Value {
    let mut document = document.clone();
    let mut currencies: BTreeMap<u8, Vec<String>> = BTreeMap::new();
    for row in &network.currencies {
        currencies.entry(row.exponent).or_default().push(row.currency.to_string());
    }
    let all: Vec<_> = currencies.values().flatten().cloned().collect();
    if let Some(place) = document.pointer_mut("/components/schemas/AmountBody") {
        let each = currencies.iter().map(|(exponent, codes)| amount(*exponent, codes));
        *place = json!({ "description": "An amount.", "oneOf": each.collect::<Vec<_>>() });
    }
    let other = "/components/schemas/QuoteBody/properties/other_currency";
    if let Some(place) = document.pointer_mut(other).and_then(Value::as_object_mut) {
        let codes = all.iter().map(|code| json!(code)).chain([Value::Null]);
        place.insert("enum".to_owned(), codes.collect());
    }
    document
}

fn amount(exponent: u8, currencies: &[String]) -> Value {
    json!({
        "type": "object",
        "required": ["amount", "currency"],
        "properties": {
            "amount": { "type": "string", "pattern": plain_decimal(exponent) },
            "currency": { "type": "string", "enum": currencies },
        },
        "additionalProperties": false,
    })
}

/// A plain decimal above 0 with at most so many decimals.
fn plain_decimal(exponent: u8) -> String {
    let exponent = usize::from(exponent);
    let more = AMOUNT_DIGITS_MAX.saturating_sub(exponent + 1);
    if exponent == 0 {
        return format!("^[1-9][0-9]{{0,{more}}}$");
    }
    // Below 1: the first digit that is not 0 stands behind so many zeros.
    let first = |zeros: usize| format!("0{{{zeros}}}[1-9][0-9]{{0,{}}}", exponent - zeros - 1);
    let below: Vec<_> = (0..exponent).map(first).collect();
    format!("^([1-9][0-9]{{0,{more}}}(\\.[0-9]{{1,{exponent}}})?|0\\.({}))$", below.join("|"))
}

/// What each resource may say no with, by its nature.
fn problems(path: &str, method: &str, operation: &mut Value) {
    let has = |name: &str| operation.get(name).is_some();
    let (body, post) = (has("requestBody"), method == "post");
    let transfer = path.contains("{uetr}");
    let key = operation.pointer("/security/0").is_none();
    let iso = path.ends_with("/iso20022");
    let mut said: Vec<(u16, &str)> = vec![
        (408, "REQUEST_TIMEOUT"),
        (500, "INTERNAL_ERROR: its log says why"),
        (429, "TOO_MANY_REQUESTS or RATE_LIMIT_EXCEEDED: come again"),
        (503, "STORE_, LEDGER_ or ISSUER_UNAVAILABLE, or LEDGER_BUSY: come again"),
    ];
    if key {
        said.push((
            401,
            "API_KEY_MISSING, API_KEY_UNKNOWN, TOKEN_INVALID or SIGNATURE_REQUIRED, _INVALID",
        ));
        said.push((403, "SCOPE_MISSING or FOUR_EYES_REQUIRED"));
    }
    if has("parameters") || body {
        said.push((400, "A field, the query, the path, a header or the body breaks its rule"));
    }
    if path.contains('{') {
        said.push((404, "What the path names is not there"));
    }
    if transfer || post {
        said.push((409, "UETR_AMBIGUOUS, REQUEST_IN_PROGRESS or APPROVAL_DECIDED"));
    }
    if body {
        said.push((413, "BODY_TOO_LARGE"));
        said.push((415, "MEDIA_TYPE_UNSUPPORTED"));
    }
    if post && !iso {
        said.push((422, "Refused for ever: by a rule, a partner or the ledger"));
    }
    if post {
        said.push((502, "LEDGER_REFUSED_REQUEST"));
    }
    let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
    if let Some(responses) = responses {
        for (status, description) in said {
            responses.insert(status.to_string(), problem(status, description));
        }
    }
}

fn problem(status: u16, description: &str) -> Value {
    let mut response = json!({
        "description": description,
        "content": {
            "application/problem+json": { "schema": { "$ref": "#/components/schemas/ProblemBody" } },
        },
    });
    let header = match status {
        401 => Some(("WWW-Authenticate", json!({ "type": "string", "enum": ["Bearer"] }))),
        429 | 503 => Some(("Retry-After", json!({ "type": "integer", "minimum": 0 }))),
        _ => None,
    };
    if let (Some((name, schema)), Some(place)) = (header, response.as_object_mut()) {
        place.insert("headers".to_owned(), json!({ name: { "required": true, "schema": schema } }));
    }
    response
}

/// Handlers have names within their file; a generated client's functions need one in all.
fn name(operation: &mut Value) {
    let word = |place: &str| operation.pointer(place)?.as_str().map(str::to_owned);
    if let (Some(group), Some(own)) = (word("/tags/0"), word("/operationId")) {
        operation["operationId"] = json!(format!("{group}_{}", own.trim_end_matches('_')));
    }
}

/// A parameter that is absent is left out: there is no null in a path, a query or a header.
fn parameters(operation: &mut Value) {
    let list = operation.get_mut("parameters").and_then(Value::as_array_mut);
    for parameter in list.into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap_or_default();
        let pattern = PATTERNS.iter().find(|row| row.0 == name).map(|row| row.1);
        if let Some(schema) = parameter.get_mut("schema").and_then(Value::as_object_mut) {
            if let Some(pattern) = pattern {
                schema.insert("pattern".to_owned(), json!(pattern));
            }
            if let Some(Value::Array(types)) = schema.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [kind] = types.as_slice() {
                    let kind = kind.clone();
                    schema.insert("type".to_owned(), kind);
                }
            }
            // Formats say less than the bounds do, and there is none for 32 bits without a sign.
            if schema.get("type").is_some_and(|kind| kind == "integer") {
                schema.remove("format");
            }
        }
    }
}

/// What each answer to a recall takes beside itself.
fn answers() -> Value {
    let absent = json!({ "type": "null" });
    json!([
        {
            "required": ["answer", "return_uetr"],
            "properties": {
                "answer": { "enum": ["accepted"] },
                "return_uetr": { "type": "string" },
                "promised_at": absent,
            },
        },
        {
            "required": ["answer", "reason"],
            "properties": {
                "answer": { "enum": ["rejected"] },
                "reason": { "enum": services_iso20022::codes::all(REJECT_REASONS) },
                "return_uetr": absent,
                "return": absent,
                "promised_at": absent,
            },
        },
        {
            "required": ["answer", "promised_at"],
            "properties": {
                "answer": { "enum": ["pending"] },
                "promised_at": { "type": "string" },
                "reason": absent,
                "return_uetr": absent,
                "return": absent,
            },
        },
    ])
}

/// One way to name a payee; an account is never checked without a name.
fn payees() -> Value {
    let ways = [
        ("account", ["phone", "email"]),
        ("phone", ["account", "email"]),
        ("email", ["account", "phone"]),
    ];
    let way = |(own, others): (&str, [&str; 2])| {
        let mut rule = json!({ "required": [own], "properties": { own: { "type": "string" } } });
        for other in others {
            rule["properties"][other] = json!({ "type": "null" });
        }
        if own == "account" {
            // Something to see in each: a blank is none.
            let visible = "[^\\s\\x00-\\x1f\\x7f-\\x9f]";
            rule["required"] = json!(["account", "name"]);
            rule["properties"]["account"]["pattern"] = json!(visible);
            rule["properties"]["name"] = json!({ "type": "string", "pattern": visible });
        }
        rule
    };
    Value::Array(ways.into_iter().map(way).collect())
}

/// Rules between fields, and lists too long for an attribute.
fn fields_that_go_together(schemas: &mut Value) {
    let given = |field: &str, kind: &str| json!({ "required": [field], "properties": { field: { "type": kind } } });
    let mut add = |schema: &str, name: &str, rule: Value| {
        if let Some(place) = schemas.get_mut(schema).and_then(Value::as_object_mut) {
            place.insert(name.to_owned(), rule);
        }
    };
    add(
        "OrderBody",
        "anyOf",
        json!([
            given("instructed_amount", "object"),
            given("interbank_settlement_amount", "object"),
            given("quote", "string"),
        ]),
    );
    let only = |field: &str, other: &str| {
        let properties = json!({ field: { "type": "object" }, other: { "type": "null" } });
        json!({ "required": [field], "properties": properties })
    };
    add(
        "QuoteBody",
        "oneOf",
        json!([
            only("source_amount", "destination_amount"),
            only("destination_amount", "source_amount"),
        ]),
    );
    add("AnswerBody", "oneOf", answers());
    add("PayeeCheckBody", "oneOf", payees());
    let pair = json!({
        "required": ["creditor_agent", "other_currency"],
        "properties": {
            "creditor_agent": { "type": "string" },
            "other_currency": { "type": "string" },
        },
    });
    add("QuoteBody", "anyOf", json!([given("corridor", "integer"), pair]));
    if let Some(line) = schemas.pointer_mut("/Person/properties/address/items") {
        line["maxLength"] = json!(ADDRESS_LINE_CHARS_MAX);
        line["pattern"] = json!("^[^\\x00-\\x1f\\x7f-\\x9f]*$");
    }
    let codes = Country::all().map(|country| json!(country.as_str())).chain([Value::Null]);
    if let Some(country) = schemas.pointer_mut("/Person/properties/country") {
        country["enum"] = codes.collect();
    }
}

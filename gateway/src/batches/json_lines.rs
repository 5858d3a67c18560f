//! JSON lines: one order of `POST /v1/transfers` a line; it knows no network.
use std::io::{BufRead, BufReader, Read};

use super::{
    ROW_BYTES_MAX,
    read::{Failure, Put, Row, digest},
};
use crate::{
    problem::{Code, Problem},
    routes::body,
    transfers::order::OrderBody,
};

/// Reads to the end; empty lines are no rows.
///
/// # Errors
/// A line that is too long, or bytes that break off.
pub fn read(source: impl Read, put: &mut Put<'_>) -> Result<(), Failure> {
    let mut source = BufReader::new(source);
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        let most = u64::try_from(ROW_BYTES_MAX).unwrap_or(u64::MAX);
        let read = source.by_ref().take(most).read_until(b'\n', &mut line);
        if read.map_err(|_| Failure::Broken)? == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') && line.len() >= ROW_BYTES_MAX {
            return Err(Failure::malformed("body: a line exceeds 64 KiB; shorten it"));
        }
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        number += 1;
        if !put(row(number, text)) {
            return Err(Failure::Gone);
        }
    }
}

fn row(number: u32, text: &[u8]) -> Row {
    let order: Result<OrderBody, Problem> = body::json(text).map_err(|detail| problem(&detail));
    let reference = match &order {
        Ok(order) => order.end_to_end_id.clone(),
        Err(_) => reference(text),
    };
    Row {
        number,
        digest: digest([text]),
        order: order.map(Box::new).map_err(Box::new),
        reference,
        instruction_id: None,
        payment_id: None,
    }
}

/// A field that is unknown or missing stands in front, as in every other problem.
fn problem(detail: &str) -> Problem {
    let named = detail.split_once("field `").and_then(|(_, rest)| rest.split_once('`'));
    match named {
        Some((field, _)) => Problem::new(Code::BodyMalformed, format!("{field}: {detail}")),
        None => Problem::new(Code::BodyMalformed, detail),
    }
}

/// The reference of a row that is no order, if it is an object that has one.
fn reference(text: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(text).ok()?;
    value["end_to_end_id"].as_str().map(str::to_owned)
}

//! A pain.001.001.09 as rows: each credit transfer an order, with what its payment information says for all; it knows no XML.
use std::io::{BufReader, Read};

use ledger_types::StatusReason;
use serde_json::{Value, json};
use services_iso20022::{
    Refusal,
    pain001::{Row as Message, Rows},
};

use super::read::{Failure, Own, Put, Row, digest};
use crate::{
    problem::{Code, Problem},
    routes::iso::order_body,
    transfers::order::OrderBody,
};

/// Cheques and drafts are no transfers.
const METHODS: [&str; 2] = ["TRF", "TRA"];

/// Reads to the end, compares the message's totals, and gives what it says of itself.
///
/// # Errors
/// What is no pain.001.001.09, breaks off, or does not add up.
pub fn read(source: impl Read, own: &Own, put: &mut Put<'_>) -> Result<Value, Failure> {
    let mut rows = Rows::open(BufReader::new(source)).map_err(|error| failed(&error))?;
    if let Some(finding) = rows.findings().first() {
        return Err(Failure::malformed(format!("{}: {}", finding.path, finding.text)));
    }
    while let Some(message) = rows.next_row().map_err(|error| failed(&error))? {
        if !put(row(&message, own)) {
            return Err(Failure::Gone);
        }
    }
    if let Some(differs) = rows.refusals().into_iter().next() {
        let problem = Problem::new(Code::BatchTotalsDiffer, differs.text).because(differs.reason);
        return Err(Failure::Refused(Box::new(problem)));
    }
    let group = rows.group();
    Ok(json!({
        "message_id": group.message_id,
        "created_at": group.created_at,
        "number_of_transactions": group.number_of_transactions,
    }))
}

fn failed(refusal: &Refusal) -> Failure {
    let code = match refusal.reason.as_str() {
        "AM19" => Code::BatchTooLarge,
        _ => Code::BatchUnreadable,
    };
    let problem = Problem::new(code, refusal.text.clone()).because(refusal.reason);
    Failure::Refused(Box::new(problem))
}

fn row(message: &Message, own: &Own) -> Row {
    let transfer = &message.transfer;
    let body = order_body(transfer);
    let text = serde_json::to_vec(&body).unwrap_or_default();
    let rest = format!("{:?}", (&message.payment, &message.equivalent_amount, &message.findings));
    Row {
        number: message.number,
        digest: digest([text.as_slice(), rest.as_bytes()]),
        order: judge(message, own).map(|()| Box::new(body)).map_err(Box::new),
        reference: transfer.end_to_end_id.clone(),
        instruction_id: transfer.instruction_id.clone(),
        payment_id: message.payment.payment_information_id.clone(),
    }
}

/// What only the message says of the row.
fn judge(message: &Message, own: &Own) -> Result<(), Problem> {
    if let Some(finding) = message.findings.first() {
        return Err(Problem::field(&finding.path, &finding.text));
    }
    let method = message.payment.method.as_deref().unwrap_or_default();
    if !METHODS.contains(&method) {
        return Err(Problem::field("PmtInf/PmtMtd", "must be TRF or TRA"));
    }
    let date = message.payment.requested_execution_date.as_deref().unwrap_or_default();
    if date.get(..10).is_some_and(|date| date > own.latest_date.as_str()) {
        let reason = "is in the future, and rows are sent at once: send it that day";
        let problem = Problem::field("PmtInf/ReqdExctnDt", reason);
        return Err(problem.because(StatusReason::known(b"DT01")));
    }
    let agent = message.transfer.debtor_agent.as_ref().and_then(|agent| agent.bic.as_deref());
    if agent.is_some_and(|bic| !same_bic(bic, &own.bic)) {
        let reason = "is not this gateway's participant: send it to its own";
        return Err(Problem::field("PmtInf/DbtrAgt", reason).because(StatusReason::known(b"AGNT")));
    }
    if message.equivalent_amount.is_some() {
        return Err(Problem::field("Amt/EqvtAmt", "is not taken: give InstdAmt"));
    }
    Ok(())
}

/// Eight characters name the head office, which XXX does too.
fn same_bic(one: &str, other: &str) -> bool {
    let parsed = |text: &str| text.parse::<ledger_types::Bic>().ok();
    parsed(one).is_some() && parsed(one) == parsed(other)
}

/// An amount in the currency that the creditor gets fixes what arrives; REST has a field for each.
#[must_use]
pub fn by_currency(mut body: OrderBody, arrives: impl FnOnce(&OrderBody) -> bool) -> OrderBody {
    if body.interbank_settlement_amount.is_none() && arrives(&body) {
        body.interbank_settlement_amount = body.instructed_amount.take();
    }
    body
}

//! ISO 20022 over HTTP: an instruction in, always an answer of the same standard out; the XML itself lives in its own crate.
mod life_cycle;
mod messages;
mod recalls;
pub mod rendered;

use std::collections::BTreeSet;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use ledger_types::{Bic, CreditTransferStatus, Currency, Rejection, StatusReason, Uetr};
use proto::convert::Network;
use services_iso20022::{
    Inbound, Refusal, decimal_text,
    life_cycle::{Instruction, instruction},
    pacs002::{Statement, answer},
    pacs008::{
        Account, AccountIdentification, CreditTransfer, OtherId, Party, PartyIdentification,
        PostalAddress,
    },
    policy, read, verdict,
};
use time::OffsetDateTime;

use super::{
    Body,
    caller::{Caller, Scope},
};
use crate::{
    app::App,
    clock::rfc3339,
    personal::Person,
    problem::{Code, Problem},
    sealing::random,
    store::transfers::Row,
    transfers::{
        Created, create,
        known::known,
        order::{
            ADDRESS_LINE_CHARS_MAX, ADDRESS_LINES_MAX, AmountBody, Maker, OrderBody,
            read as read_order,
        },
        view::iso_status,
    },
};

/// Send an instruction, with or without head.001.001.02. A pacs.008.001.08 (a transfer), pacs.004.001.09
/// (a return) and pacs.028.001.03 (a question) are answered by a pacs.002.001.10, a camt.056.001.08 (a
/// recall) by a camt.029.001.09, and what is refused for its form by a pacs.002.
///
/// # Errors
/// Only when no answer about the message can be given: no key, no store, no ledger.
#[utoipa::path(post, path = "/v1/iso20022", tag = "iso20022",
    request_body(content = String, content_type = "application/xml"),
    responses((status = 200, description = "A pacs.002 or camt.029 with any status, RJCT included",
            content_type = "application/xml", body = String)))]
pub async fn receive(
    State(app): State<App>,
    caller: Caller,
    body: Body,
) -> Result<Response, Problem> {
    let inbound = read(&body.0);
    let asked = instruction(&inbound);
    caller.may(scope(asked.as_ref().ok()))?;
    body.labelled(&["application/xml", "text/xml"], "+xml")?;
    let maker = caller.maker();
    caller.to_the_end(async move { take(&app, &inbound, asked, maker).await }).await
}

/// Does what a message asks for.
async fn take(
    app: &App,
    inbound: &Inbound,
    asked: Result<Instruction, Refusal>,
    maker: Maker,
) -> Result<Response, Problem> {
    let network = app.directory.current(&app.ledger).await?;
    let judged = asked.and_then(|asked| match asked {
        // A credit transfer has checks that come before the usage rules.
        Instruction::CreditTransfer => Ok(asked),
        Instruction::Return(_)
        | Instruction::StatusRequest(_)
        | Instruction::Recall(_)
        | Instruction::RecallAnswer(_) => usage(app, inbound).map(|()| asked),
    });
    let answered = match judged {
        Err(refusal) => Report::refused(refusal),
        Ok(Instruction::CreditTransfer) => credit_transfer(app, &network, inbound, maker).await?,
        Ok(Instruction::Return(message)) => life_cycle::returned(app, &network, &message).await?,
        Ok(Instruction::StatusRequest(message)) => {
            match life_cycle::asked(app, &network, &message, inbound.app_hdr.is_some()).await? {
                Ok(response) => return Ok(response),
                Err(refusal) => Report::refused(refusal),
            }
        }
        Ok(Instruction::Recall(message)) => {
            match life_cycle::recalled(app, &network, &message, inbound.app_hdr.is_some()).await? {
                Ok(response) => return Ok(response),
                Err(refusal) => Report::refused(refusal),
            }
        }
        Ok(Instruction::RecallAnswer(message)) => recalls::answered(app, &message).await?,
    };
    report(app, &network, inbound, answered)
}

/// What a caller must be able to do: as by REST.
fn scope(asked: Option<&Instruction>) -> Scope {
    match asked {
        Some(Instruction::Return(_) | Instruction::RecallAnswer(_)) => Scope::Decide,
        Some(Instruction::StatusRequest(_)) => Scope::Read,
        Some(Instruction::CreditTransfer | Instruction::Recall(_)) | None => Scope::Send,
    }
}

async fn credit_transfer(
    app: &App,
    network: &Network,
    inbound: &Inbound,
    maker: Maker,
) -> Result<Report, Problem> {
    match judge(app, network, inbound) {
        Err(refusal) => Ok(Report::refused(refusal)),
        Ok(()) => Report::of_result(transfer(app, network, inbound, maker).await),
    }
}

/// The usage rules of this gateway's profile, if it has one; warnings are only logged.
fn usage(app: &App, inbound: &Inbound) -> Result<(), Refusal> {
    let Some(profile) = app.profile else { return Ok(()) };
    let violations = policy::judge(inbound, profile);
    let warned = violations.iter().filter(|own| own.severity == policy::Severity::Warn);
    let warned: BTreeSet<&str> = warned.map(|own| own.rule.id).collect();
    if !warned.is_empty() {
        tracing::info!(profile = profile.as_str(), rules = ?warned, "usage rules warn");
    }
    policy::refusal(&violations).map_or(Ok(()), Err)
}

/// What a pacs.002 says.
struct Report {
    status: CreditTransferStatus,
    reasons: Vec<Refusal>,
    accepted_at: Option<OffsetDateTime>,
    record: Option<i64>,
}

impl Report {
    fn refused(refusal: Refusal) -> Self {
        let status = CreditTransferStatus::Rejected;
        Self { status, reasons: vec![refusal], accepted_at: None, record: None }
    }

    /// An end of the message, or a problem that is none: RJCT would be taken for it.
    fn of_result(result: Result<Row, Problem>) -> Result<Self, Problem> {
        match result {
            Ok(row) => Ok(Self::of(&row)),
            Err(problem)
                if problem.status.is_server_error() || problem.is(Code::RequestInProgress) =>
            {
                Err(problem)
            }
            Err(problem) => Ok(Self::refused(refusal(&problem))),
        }
    }

    fn of(row: &Row) -> Self {
        let status = match iso_status(row) {
            "PDNG" => CreditTransferStatus::Pending,
            "ACSP" => CreditTransferStatus::SettlementInProcess,
            "ACSC" => CreditTransferStatus::SettlementCompleted,
            "CANC" | "RJCT" => CreditTransferStatus::Rejected,
            confirmed => ledger_types::ConfirmationStatus::ALL
                .into_iter()
                .find(|status| status.as_str() == confirmed)
                .map_or(CreditTransferStatus::SettlementCompleted, CreditTransferStatus::Confirmed),
        };
        let rejected = status == CreditTransferStatus::Rejected;
        let reason = row.reason.as_deref().and_then(|reason| reason.parse().ok());
        let refusal = || Refusal {
            reason: reason.unwrap_or(StatusReason::known(b"NARR")),
            text: row.refusal.clone().unwrap_or_else(|| row.status.clone()),
        };
        Self {
            status,
            reasons: rejected.then(refusal).into_iter().collect(),
            accepted_at: row.submitted_at.filter(|_| !rejected),
            record: row.record,
        }
    }
}

fn refusal(problem: &Problem) -> Refusal {
    let text = format!("{}: {}", problem.code, problem.detail);
    Refusal { reason: problem.reason, text }
}

fn judge(app: &App, network: &Network, inbound: &Inbound) -> Result<(), Refusal> {
    let bics: BTreeSet<Bic> =
        network.participants.iter().filter_map(|row| row.bic.parse().ok()).collect();
    let served: BTreeSet<Currency> = network.currencies.iter().map(|row| row.currency).collect();
    let known = |bic: &Bic| bics.contains(bic);
    let serves = |currency: Currency| served.contains(&currency) && !currency.precious_metal();
    verdict(inbound, &known, &serves)?;
    usage(app, inbound)?;
    let debtor_agent = inbound
        .message
        .credit_transfers
        .first()
        .and_then(|transfer| transfer.debtor_agent.as_ref())
        .and_then(|agent| agent.bic.as_deref())
        .and_then(|bic| crate::transfers::order::agent(network, bic));
    if debtor_agent == Some(app.me) {
        return Ok(());
    }
    Err(Refusal {
        reason: StatusReason::known(b"AGNT"),
        text: "DbtrAgt: is not this gateway's participant: send it to its own".to_owned(),
    })
}

/// The transfer of a message; one that was sent before is answered as it stands.
async fn transfer(
    app: &App,
    network: &Network,
    inbound: &Inbound,
    maker: Maker,
) -> Result<Row, Problem> {
    let missing = || Problem::field("CdtTrfTxInf", "must be given once");
    let message = inbound.message.credit_transfers.first().ok_or_else(missing)?;
    let mut order = read_order(order_body(message), network)?;
    order.maker = Some(maker);
    if let Some(known) = known(app, &order).await? {
        return known;
    }
    match create::create(app, &order).await {
        Ok(Created::Recorded(row) | Created::Durable(row)) => Ok(*row),
        // The same message may have come twice at once: the first is then the answer to both.
        Err(problem) if problem.code == Rejection::UetrReused.code() => {
            known(app, &order).await?.unwrap_or(Err(problem))
        }
        Err(problem) => Err(problem),
    }
}

/// A credit transfer as an order, in REST's fields.
#[must_use]
pub fn order_body(message: &CreditTransfer) -> OrderBody {
    let amount = |amount: &services_iso20022::Amount| AmountBody {
        amount: plain(amount),
        currency: amount.currency.clone(),
    };
    let creditor_agent = message.creditor_agent.as_ref().and_then(|agent| agent.bic.clone());
    let (debtor, creditor) = (message.debtor.as_ref(), message.creditor.as_ref());
    let other = |party: &Option<Party>| party.as_ref().map(|party| person(Some(party), None));
    let remittance = message.remittance_text();
    OrderBody {
        uetr: message.uetr.clone(),
        end_to_end_id: message.end_to_end_id.clone(),
        creditor_agent: creditor_agent.unwrap_or_default(),
        corridor: None,
        quote: message.quote_id().map(str::to_owned),
        instructed_amount: message.instructed_amount.as_ref().map(amount),
        interbank_settlement_amount: message.interbank_settlement_amount.as_ref().map(amount),
        payout_method: payout_method(message).to_owned(),
        purpose: message
            .purpose
            .as_ref()
            .map_or_else(|| "OTHR".to_owned(), |purpose| purpose.as_str().to_owned()),
        debtor: person(debtor, message.debtor_account.as_ref()),
        creditor: person(creditor, message.creditor_account.as_ref()),
        ultimate_debtor: other(&message.ultimate_debtor),
        initiating_party: other(&message.initiating_party),
        ultimate_creditor: other(&message.ultimate_creditor),
        relationship: message.regulatory_text("RELATIONSHIP"),
        source_of_funds: message.regulatory_text("SOURCE_OF_FUNDS"),
        remittance_information: (!remittance.is_empty()).then_some(remittance),
    }
}

/// XSD decimals may have a sign and zeros at both ends, which REST's amounts have not.
fn plain(amount: &services_iso20022::Amount) -> String {
    let decimal = amount.decimal().map(|own| decimal_text(own.digits, own.scale));
    decimal.unwrap_or_else(|_| amount.value.clone())
}

/// A phone number as account is a wallet, no account is cash.
fn payout_method(message: &CreditTransfer) -> &'static str {
    let account = message.creditor_account.as_ref().and_then(account_number);
    match account {
        None => "cash_pickup",
        Some(number) if number.starts_with('+') => "wallet",
        Some(_) => "bank_account",
    }
}

fn account_number(account: &Account) -> Option<String> {
    let proxy = account.proxy.clone();
    match account.identification.as_ref() {
        Some(AccountIdentification::Iban(iban)) => Some(iban.clone()),
        Some(AccountIdentification::Other(other)) => other.id.clone().or(proxy),
        None => proxy,
    }
}

fn person(party: Option<&Party>, account: Option<&Account>) -> Person {
    let address = party.and_then(|party| party.postal_address.as_ref());
    let (birth, identifier) = match party.and_then(|party| party.identification.as_ref()) {
        Some(PartyIdentification::Private { birth, others }) => (birth.as_ref(), first_id(others)),
        Some(PartyIdentification::Organisation { any_bic, lei, others }) => {
            (None, lei.clone().or_else(|| first_id(others)).or_else(|| any_bic.clone()))
        }
        None => (None, None),
    };
    Person {
        name: party.and_then(|party| party.name.clone()).unwrap_or_default(),
        account: account.and_then(account_number),
        address: address.map(address_lines).unwrap_or_default(),
        country: address
            .and_then(|address| address.country.clone())
            .or_else(|| party.and_then(|party| party.country_of_residence.clone())),
        date_of_birth: birth.and_then(|birth| birth.date.clone()),
        place_of_birth: birth.and_then(|birth| birth.city.clone()),
        national_identifier: identifier,
        customer_identification: None,
    }
}

fn first_id(others: &[OtherId]) -> Option<String> {
    others.first().and_then(|other| other.id.clone())
}

/// The address as lines: what belongs together shares one, and all are packed when they are many.
fn address_lines(address: &PostalAddress) -> Vec<String> {
    let groups = [
        vec![&address.department, &address.sub_department],
        vec![&address.street_name, &address.building_number, &address.building_name],
        vec![&address.floor, &address.room, &address.post_box],
        vec![&address.post_code, &address.town_name, &address.town_location_name],
        vec![&address.district_name, &address.country_sub_division],
    ];
    let mut lines = address.address_lines.clone();
    for group in groups {
        lines.extend(packed(group.into_iter().flatten()));
    }
    if lines.len() > ADDRESS_LINES_MAX { packed(lines.iter()) } else { lines }
}

/// Parts, none of them longer than a line, in as few lines as their order allows.
fn packed<'a>(parts: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line)
                if line.chars().count() + 1 + part.chars().count() <= ADDRESS_LINE_CHARS_MAX =>
            {
                line.push(' ');
                line.push_str(part);
            }
            Some(_) | None => lines.push(part.clone()),
        }
    }
    lines
}

fn report(
    app: &App,
    network: &Network,
    inbound: &Inbound,
    report: Report,
) -> Result<Response, Problem> {
    let statement = report.statement(app, network)?;
    let text = answer(inbound, &statement).map_err(|error| Problem::internal(&error))?;
    Ok(xml(text))
}

impl Report {
    fn statement(self, app: &App, network: &Network) -> Result<Statement, Problem> {
        Ok(Statement {
            message_id: message_id()?,
            created_at: rfc3339(OffsetDateTime::now_utc()),
            status: self.status,
            reasons: self.reasons,
            accepted_at: self.accepted_at.map(rfc3339),
            clearing_system_reference: self.record.map(|record| record.to_string()),
            instructing_agent_bic: own_bic(app, network),
        })
    }
}

fn own_bic(app: &App, network: &Network) -> Option<String> {
    network.participant(app.me).map(|row| row.bic.clone()).filter(|bic| !bic.is_empty())
}

fn message_id() -> Result<String, Problem> {
    let id = Uetr::from_random(random().map_err(|error| Problem::internal(&error))?);
    Ok(id.to_string().replace('-', ""))
}

fn xml(text: String) -> Response {
    (StatusCode::OK, [(header::CONTENT_TYPE, "application/xml")], text).into_response()
}

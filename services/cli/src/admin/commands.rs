//! The operator's commands as the command line gives them: found, fund, status, balances, api-key.
//! It must never print a secret but the API key it was asked for.

use std::time::Duration;

use anyhow::Context as _;
use ledger_proof::{Item, item::Fund};
use ledger_types::{Currency, Money, ParticipantId};
use proto::{LedgerClient, ledger::GetStatusRequest};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::authority::Folder;
use super::{console, gateways};
use crate::args::Admin;
use crate::network::{founding, plan::account};
use crate::{Answer, out};

const TIMEOUT: Duration = Duration::from_secs(10);
const OPERATOR: &str = "operator/client";

/// Runs one command.
pub fn run(command: &Admin, as_json: bool) -> anyhow::Result<Answer> {
    if let Admin::Operator(command) = command {
        return super::operate::run(command, as_json);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no async runtime can be started")?;
    let (text, value) = runtime.block_on(dispatch(command))?;
    if as_json {
        out::json(&value)
    } else {
        out::line(&text)
    }
    Ok(Answer::Done)
}

async fn dispatch(command: &Admin) -> anyhow::Result<(String, Value)> {
    match command {
        Admin::Found { network } => {
            let folder = Folder::read(network)?;
            let records = found(&folder).await?;
            Ok((format!("founded: {records} records"), json!({ "records": records })))
        }
        Admin::Fund { network, participant, currency, amount, reference } => {
            let folder = Folder::read(network)?;
            let funded = fund(&folder, *participant, currency, amount, reference).await?;
            Ok((format!("funded, record {funded}"), json!({ "record": funded })))
        }
        Admin::Status { network } => {
            let folder = Folder::read(network)?;
            status(&folder.client(OPERATOR, TIMEOUT)?).await
        }
        Admin::Balances { network } => {
            let folder = Folder::read(network)?;
            balances(&folder).await
        }
        Admin::Operator(_) => anyhow::bail!("is run elsewhere"),
        Admin::ApiKey { config, scopes, owner, expires_in } => {
            let owner = owner.as_deref();
            let (id, secret) = gateways::api_key_of(config, scopes, owner, *expires_in).await?;
            Ok((secret.clone(), json!({ "id": id, "api_key": secret })))
        }
        Admin::ConsoleAccount { file, name, role, of } => {
            let password = console::account(file, name, role, *of)?;
            Ok((password.clone(), json!({ "name": name, "password": password })))
        }
        Admin::ApiKeyList { config } => gateways::list(config).await,
        Admin::ApiKeyRotate { config, overlap, id } => gateways::rotate(config, id, *overlap).await,
        Admin::ApiKeyRevoke { config, id } => gateways::revoke(config, id).await,
        Admin::AuditVerify { config, expect } => {
            gateways::audit_verify(config, expect.as_deref()).await
        }
    }
}

/// Sends the operator's first commands and the custodians' first fundings; gives the number of
/// records then.
pub async fn found(folder: &Folder) -> anyhow::Result<u64> {
    let client = folder.client(OPERATOR, Duration::from_secs(30))?;
    let mut records = 0;
    for items in founding::commands(&folder.plan, &folder.public_keys()?)? {
        records = submit(folder, &client, ParticipantId::OPERATOR, &items).await?;
    }
    for (custodian, items) in founding::fundings(&folder.plan, today())? {
        records = submit(folder, &client, custodian, &items).await?;
    }
    Ok(records)
}

async fn submit(
    folder: &Folder,
    client: &LedgerClient,
    author: ParticipantId,
    items: &[Item],
) -> anyhow::Result<u64> {
    let submitted = folder.submit(client, author, items).await?;
    Ok(submitted.outcomes.last().map_or(0, |last| last.sequence + 2))
}

/// The custodian of a currency signs that it received cash for a participant.
pub async fn fund(
    folder: &Folder,
    participant: u32,
    currency: &str,
    amount: &str,
    reference: &str,
) -> anyhow::Result<u64> {
    let currency: Currency = currency.parse()?;
    let row = folder.genesis.currencies.iter().find(|row| row.currency == currency);
    let row = row.with_context(|| format!("currency: {currency} is not one of the network's"))?;
    let amount = Money::parse(amount, currency, row.exponent)?.minor_units;
    let item = Item::Fund(Fund {
        nonce: founding::nonce()?,
        account: account(ParticipantId(participant), currency),
        currency,
        amount,
        value_date: today(),
        bank_reference: reference.parse()?,
    });
    let client = folder.client(OPERATOR, TIMEOUT)?;
    let submitted = folder.submit(&client, row.custodian, &[item]).await?;
    Ok(submitted.outcomes.first().map_or(0, |outcome| outcome.sequence))
}

/// Every node's role and tip.
pub async fn status(client: &LedgerClient) -> anyhow::Result<(String, Value)> {
    let mut table = out::table();
    table.set_header(["node", "role", "term", "leader", "applied", "records"]);
    let mut rows = Vec::new();
    for node in 1..=client.nodes() {
        let answer = client.admin(node)?.get_status(GetStatusRequest {}).await;
        let Ok(answer) = answer else {
            table.add_row([node.to_string(), "unreachable".to_owned()]);
            rows.push(json!({ "node": node, "role": "unreachable" }));
            continue;
        };
        let row = answer.into_inner();
        table.add_row([
            row.node.to_string(),
            row.role.clone(),
            row.term.to_string(),
            row.leader.to_string(),
            row.applied_index.to_string(),
            row.records.to_string(),
        ]);
        rows.push(json!({
            "node": row.node,
            "role": row.role,
            "term": row.term,
            "leader": row.leader,
            "applied_index": row.applied_index,
            "records": row.records,
        }));
    }
    Ok((table.to_string(), json!({ "nodes": rows })))
}

async fn balances(folder: &Folder) -> anyhow::Result<(String, Value)> {
    let (balances, records) = folder.client(OPERATOR, TIMEOUT)?.balances(None).await?;
    let mut table = out::table();
    table.set_header(["account", "owner", "currency", "available", "debits pending", "custody"]);
    let mut rows = Vec::new();
    for row in balances {
        let available = if row.custody { 0 } else { row.available() };
        table.add_row([
            row.account.to_string(),
            row.owner.to_string(),
            row.currency.to_string(),
            available.to_string(),
            row.debits_pending.to_string(),
            row.custody.to_string(),
        ]);
        rows.push(json!({
            "account": row.account.0,
            "owner": row.owner.0,
            "currency": row.currency.to_string(),
            "available": available.to_string(),
            "debits_pending": row.debits_pending.to_string(),
            "debits_posted": row.debits_posted.to_string(),
            "credits_posted": row.credits_posted.to_string(),
            "custody": row.custody,
        }));
    }
    Ok((table.to_string(), json!({ "records": records, "balances": rows })))
}

/// Makes an API key of no named owner in a gateway's store.
pub async fn api_key(config: &std::path::Path, scopes: &[String]) -> anyhow::Result<String> {
    Ok(gateways::api_key_of(config, scopes, None, None).await?.1)
}

/// Today as yyyymmdd, UTC.
fn today() -> u32 {
    let date = OffsetDateTime::now_utc().date();
    let year = u32::try_from(date.year()).unwrap_or(0);
    year * 10_000 + u32::from(u8::from(date.month())) * 100 + u32::from(date.day())
}

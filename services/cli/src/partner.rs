//! `causeway send`, `track` and `events`: a partner's work at its gateway, from a terminal. It must
//! never look past the gateway.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::args::{Events, Gateway, Send, Track};
use crate::wallet::{Seen, Wallet};
use crate::{Answer, out};

/// How long an order is sent again while the gateway is away.
const PATIENCE: Duration = Duration::from_secs(15);
/// For how long a follower's question waits for an event.
const WAIT_S: u64 = 20;
/// Events of one request.
const PAGE: usize = 500;

/// What is shown of a transfer, in this order.
const SHOWN: [&str; 14] = [
    "status",
    "iso_status",
    "reason",
    "refusal",
    "direction",
    "debtor_agent",
    "creditor_agent",
    "instructed_amount",
    "interbank_settlement_amount",
    "return_of",
    "deadline",
    "ledger_final_at",
    "beneficiary_credited_at",
    "tracking_path",
];

/// Sends an order or a message.
pub fn send(args: &Send, as_json: bool) -> anyhow::Result<Answer> {
    let text = read(&args.order)?;
    let wallet = wallet(&args.gateway)?;
    block_on(async {
        if text.trim_start().starts_with('<') {
            anyhow::ensure!(!args.dry_run, "--dry-run: needs an order (JSON), not a message");
            return message(&wallet, &text).await;
        }
        let mut order: Value = serde_json::from_str(&text)
            .with_context(|| format!("{}: is no JSON object", args.order.display()))?;
        anyhow::ensure!(order.is_object(), "{}: is no JSON object", args.order.display());
        if args.dry_run {
            return price(&wallet, &order, as_json).await;
        }
        if order["uetr"].is_null() {
            order["uetr"] = json!(fresh_uetr()?);
        }
        let (status, body) = wallet.create(&order, PATIENCE).await?;
        if !status.is_success() {
            return Ok(refused(&body, as_json));
        }
        let uetr = order["uetr"].as_str().context("uetr: must be a string")?;
        follow(&wallet, uetr, args.wait, as_json).await
    })
}

/// Shows one transfer.
pub fn track(args: &Track, as_json: bool) -> anyhow::Result<Answer> {
    let wallet = wallet(&args.gateway)?;
    block_on(follow(&wallet, &args.uetr, args.wait, as_json))
}

/// Prints events.
pub fn events(args: &Events) -> anyhow::Result<Answer> {
    let wallet = wallet(&args.gateway)?;
    block_on(async {
        let mut after = args.after;
        let wait = if args.follow { WAIT_S } else { 0 };
        loop {
            let path = format!("/v1/events?after={after}&limit={PAGE}&wait_s={wait}");
            let (status, body) = wallet.send(Method::GET, &path, None, None).await?;
            anyhow::ensure!(status.is_success(), "{status}: {body}");
            let rows = body.as_array().context("the gateway gave no list of events")?;
            for row in rows {
                out::json(row);
                after = row["number"].as_u64().context("an event has no number")?;
            }
            if rows.len() < PAGE && !args.follow {
                return Ok(Answer::Done);
            }
        }
    })
}

pub(crate) fn block_on(
    work: impl Future<Output = anyhow::Result<Answer>>,
) -> anyhow::Result<Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no async runtime can be started")?;
    runtime.block_on(work)
}

fn read(file: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).context("standard input: is no text")?;
        return Ok(text);
    }
    let shown = file.display();
    std::fs::read_to_string(file)
        .with_context(|| format!("{shown}: cannot be read; give a readable file, or - for input"))
}

fn wallet(args: &Gateway) -> anyhow::Result<Wallet> {
    wallet_of(args, "api_key")
}

/// The gateway, with one of a demonstration's keys or the key that was given.
pub(crate) fn wallet_of(args: &Gateway, name: &str) -> anyhow::Result<Wallet> {
    if let Some(file) = &args.info {
        let shown = file.display();
        let info: Value = serde_json::from_str(&read(file)?)
            .with_context(|| format!("{shown}: is not what a demonstration writes by --info"))?;
        let gateway = &info["gateways"][&args.label];
        let field = |name: &str| {
            let value = gateway[name].as_str().map(str::to_owned);
            value.with_context(|| format!("{shown}: has no gateway {}; see --as", args.label))
        };
        return Wallet::new(Path::new(&field("ca")?), field("url")?, field(name)?);
    }
    let missing = |flag: &'static str, variable: &'static str| {
        move || format!("--{flag}: is missing; give it, or {variable}, or --info FILE")
    };
    let url = args.gateway.clone().with_context(missing("gateway", "CAUSEWAY_GATEWAY"))?;
    let ca = args.ca.clone().with_context(missing("ca", "CAUSEWAY_CA"))?;
    let key = args.api_key.clone().with_context(missing("api-key", "CAUSEWAY_API_KEY"))?;
    Wallet::new(&ca, url.trim_end_matches('/').to_owned(), key)
}

pub(crate) fn fresh_uetr() -> anyhow::Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).context("the system gives no randomness")?;
    Ok(ledger_types::Uetr::from_random(random).to_string())
}

async fn message(wallet: &Wallet, text: &str) -> anyhow::Result<Answer> {
    let answer = wallet.iso20022(text).await?;
    out::line(answer.trim_end());
    Ok(if answer.contains("<TxSts>RJCT<") { Answer::No } else { Answer::Done })
}

/// A quote for the order's amount, which nobody is bound to take.
async fn price(wallet: &Wallet, order: &Value, as_json: bool) -> anyhow::Result<Answer> {
    let corridor = match order["corridor"].as_u64() {
        Some(corridor) => corridor,
        None => only_corridor(wallet, order).await?,
    };
    let mut asked = json!({ "corridor": corridor });
    for (from, to) in [
        ("interbank_settlement_amount", "destination_amount"),
        ("instructed_amount", "source_amount"),
    ] {
        if order[from].is_object() {
            asked[to] = order[from].clone();
            break;
        }
    }
    let key = fresh_uetr()?;
    let (status, body) = wallet.send(Method::POST, "/v1/quotes", Some(&key), Some(&asked)).await?;
    if !status.is_success() {
        return Ok(refused(&body, as_json));
    }
    if as_json {
        out::json(&body);
    } else {
        let fields = ["id", "source_amount", "debtor_fees", "destination_amount", "submit_by"];
        out::line(&table(&body, &fields));
        out::line("nothing was sent; give the quote\u{2019}s id with the order to use it");
    }
    Ok(Answer::Done)
}

/// The corridor that the order's one currency names.
async fn only_corridor(wallet: &Wallet, order: &Value) -> anyhow::Result<u64> {
    let (_, corridors) = wallet.send(Method::GET, "/v1/corridors", None, None).await?;
    let wanted = [
        ("destination_currency", &order["interbank_settlement_amount"]["currency"]),
        ("source_currency", &order["instructed_amount"]["currency"]),
    ];
    let rows = corridors.as_array().map(Vec::as_slice).unwrap_or_default();
    let fits =
        |row: &&Value| wanted.iter().all(|(side, code)| code.is_null() || row[side] == **code);
    let mut found = rows.iter().filter(fits).filter_map(|row| row["corridor"].as_u64());
    match (found.next(), found.next()) {
        (Some(corridor), None) => Ok(corridor),
        (_, _) => anyhow::bail!(
            "corridor: several or none fit the order\u{2019}s currency; give its number"
        ),
    }
}

async fn follow(
    wallet: &Wallet,
    uetr: &str,
    seconds: u64,
    as_json: bool,
) -> anyhow::Result<Answer> {
    wallet.follow(uetr, Duration::from_secs(seconds), Seen::ended).await;
    let Some(seen) = wallet.look(uetr).await? else {
        out::note(&format!("{uetr}: this gateway knows no such transfer"));
        return Ok(Answer::No);
    };
    let timeline = wallet.timeline(uetr).await?;
    if as_json {
        let mut body = seen.body.clone();
        body["timeline"] = timeline;
        out::json(&body);
    } else {
        out::line(&format!("{uetr}\n{}", table(&seen.body, &SHOWN)));
        out::line(&events_table(&timeline));
    }
    let failed = seen.ended() && seen.status != "CREDITED";
    Ok(if failed { Answer::No } else { Answer::Done })
}

pub(crate) fn refused(body: &Value, as_json: bool) -> Answer {
    if as_json {
        out::json(body);
    } else {
        let word = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let (code, reason, detail) = (word("code"), word("reason"), word("detail"));
        out::note(&format!("refused: {code} ({reason}): {detail}\nread docs/errors/{code}.md"));
    }
    Answer::No
}

fn table(body: &Value, fields: &[&str]) -> String {
    let mut table = out::table();
    for field in fields {
        let shown = text(&body[field]);
        if !shown.is_empty() {
            table.add_row([(*field).to_owned(), shown]);
        }
    }
    table.to_string()
}

fn events_table(timeline: &Value) -> String {
    let mut table = out::table();
    for line in timeline.as_array().map(Vec::as_slice).unwrap_or_default() {
        table.add_row(
            ["at", "event", "iso_status", "reason", "record"].map(|name| text(&line[name])),
        );
    }
    table.to_string()
}

/// A field as people read it: an amount with its currency.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Object(fields) => match (fields.get("amount"), fields.get("currency")) {
            (Some(Value::String(amount)), Some(Value::String(code))) => format!("{code} {amount}"),
            (_, _) => value.to_string(),
        },
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => value.to_string(),
    }
}

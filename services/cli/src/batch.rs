//! `causeway batch`: sends a file of many transfers and shows what becomes of its rows. It must never
//! read a row itself: what a file means is the gateway's word.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use gateway::batches::REJECTS;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::args::batch::{Batch, BatchMode, BatchSend};
use crate::wallet::Wallet;
use crate::{Answer, out, partner};

/// How long a gateway may be away before its sender gives up.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(500);
const PIECE: usize = 1 << 20;

/// Sends, shows or lists.
pub(crate) fn run(command: &Batch, as_json: bool) -> anyhow::Result<Answer> {
    match command {
        Batch::Send(args) => {
            let wallet = partner::wallet_of(&args.gateway, "api_key")?;
            partner::block_on(send(args, &wallet, as_json))
        }
        Batch::Status(args) => {
            let wallet = partner::wallet_of(&args.gateway, "api_key")?;
            partner::block_on(async { show(&look(&wallet, &args.id).await?, as_json) })
        }
        Batch::Rejects(args) => {
            let wallet = partner::wallet_of(&args.gateway, "api_key")?;
            partner::block_on(rejects(&wallet, &args.id))
        }
    }
}

async fn send(args: &BatchSend, wallet: &Wallet, as_json: bool) -> anyhow::Result<Answer> {
    let kind = kind(&args.file)?;
    let key = match &args.key {
        Some(key) => key.clone(),
        None if args.again => {
            let key = partner::fresh_uetr()?;
            out::note(&format!("if it breaks off, go on with --again --key {key}"));
            key
        }
        None => digest(&args.file)?,
    };
    let mode = match args.mode {
        BatchMode::BestEffort => "best_effort",
        BatchMode::AllOrNothing => "all_or_nothing",
    };
    let path = format!("/v1/batches?mode={mode}&again={}", args.again);
    let bar = ProgressBar::new_spinner().with_message("sending the file");
    bar.enable_steady_tick(Duration::from_millis(200));
    let (status, body) = upload(wallet, &args.file, &path, (&key, kind)).await?;
    bar.finish_and_clear();
    if !status.is_success() {
        return Ok(partner::refused(&body, as_json));
    }
    let id = body["id"].as_str().context("the gateway gave no id")?.to_owned();
    if args.no_wait {
        return show(&body, as_json);
    }
    out::note(&format!("batch {id}"));
    show(&follow(wallet, &id).await?, as_json)
}

/// Sends the file until the gateway has it: what came before is not taken twice.
async fn upload(
    wallet: &Wallet,
    file: &Path,
    path: &str,
    (key, kind): (&str, &str),
) -> anyhow::Result<(StatusCode, Value)> {
    let until = Instant::now() + PATIENCE;
    loop {
        let shown = file.display();
        let body = tokio::fs::File::open(file)
            .await
            .with_context(|| format!("{shown}: cannot be read"))?;
        match wallet.upload(path, key, kind, body.into()).await {
            Ok((status, body)) if !again(status) => return Ok((status, body)),
            Ok((status, body)) if Instant::now() >= until => {
                anyhow::bail!("no answer in time: {status} {body}");
            }
            Err(error) if Instant::now() >= until => return Err(error),
            Ok(_) | Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

fn again(status: StatusCode) -> bool {
    let again = [
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::CONFLICT,
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    again.contains(&status)
}

/// Looks until no row can change any more.
async fn follow(wallet: &Wallet, id: &str) -> anyhow::Result<Value> {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} rows  {msg}")?;
    let bar = ProgressBar::new(0).with_style(style);
    let mut until = Instant::now() + PATIENCE;
    loop {
        let begun = Instant::now();
        match look(wallet, id).await {
            Ok(seen) => {
                until = Instant::now() + PATIENCE;
                let (rows, open) = (number(&seen, "rows"), number(&seen, "open"));
                bar.set_length(rows);
                bar.set_position(rows.saturating_sub(open));
                bar.set_message(format!("{}, {} rows/s", seen["state"], seen["rows_per_second"]));
                let processing = matches!(seen["state"].as_str(), Some("receiving" | "processing"));
                if !processing && open == 0 {
                    bar.finish_and_clear();
                    return Ok(seen);
                }
            }
            Err(error) if Instant::now() >= until => return Err(error),
            Err(_) => {}
        }
        // Counting a long batch is work for the gateway.
        tokio::time::sleep(PAUSE.max(begun.elapsed() * 5)).await;
    }
}

fn number(seen: &Value, name: &str) -> u64 {
    seen[name].as_u64().unwrap_or(0)
}

async fn look(wallet: &Wallet, id: &str) -> anyhow::Result<Value> {
    let path = format!("/v1/batches/{id}");
    let (status, body) = wallet.send(Method::GET, &path, None, None).await?;
    anyhow::ensure!(status.is_success(), "{path}: {status} {body}");
    Ok(body)
}

async fn rejects(wallet: &Wallet, id: &str) -> anyhow::Result<Answer> {
    let (status, text) = wallet.document(&format!("/v1/batches/{id}/rejects")).await?;
    anyhow::ensure!(status.is_success(), "{id}: {status} {text}");
    out::bytes(text.as_bytes());
    Ok(if text.lines().nth(1).is_some() { Answer::No } else { Answer::Done })
}

fn show(seen: &Value, as_json: bool) -> anyhow::Result<Answer> {
    if as_json {
        out::json(seen);
    } else {
        let mut table = out::table();
        for name in ["id", "form", "mode", "state", "code", "detail", "rows", "open"] {
            if !seen[name].is_null() {
                table.add_row([name.to_owned(), seen[name].to_string().replace('"', "")]);
            }
        }
        let counts = seen["counts"].as_object().context("the gateway gave no counts")?;
        for (status, rows) in counts {
            table.add_row([status.clone(), rows.to_string()]);
        }
        out::line(&table.to_string());
    }
    let rejected = REJECTS.iter().any(|status| !seen["counts"][status].is_null());
    Ok(if rejected || seen["state"] == "refused" { Answer::No } else { Answer::Done })
}

fn kind(file: &Path) -> anyhow::Result<&'static str> {
    match file.extension().and_then(|ending| ending.to_str()) {
        Some("csv") => Ok("text/csv"),
        Some("jsonl" | "ndjson") => Ok("application/x-ndjson"),
        Some("xml") => Ok("application/xml"),
        Some(_) | None => {
            anyhow::bail!("{}: must end in .csv, .jsonl, .ndjson or .xml", file.display())
        }
    }
}

/// The file's SHA-256, read piece by piece.
fn digest(file: &Path) -> anyhow::Result<String> {
    let unread = || format!("{}: cannot be read", file.display());
    let mut source = File::open(file).with_context(unread)?;
    let (mut digest, mut piece) = (Sha256::new(), vec![0; PIECE]);
    loop {
        let read = source.read(&mut piece).with_context(unread)?;
        if read == 0 {
            return Ok(hex::encode(digest.finalize()));
        }
        digest.update(&piece[..read]);
    }
}

//! `causeway listen`: a gateway's webhooks on a terminal while somebody integrates. It must never
//! leave its endpoint behind when it is ended by Ctrl-C.

use std::time::Duration;

use anyhow::Context as _;
use gateway::webhooks::signature::Verifier;
use reqwest::Method;
use serde_json::{Value, json};
use services_runtime::receive::{Call, receive};
use time::OffsetDateTime;
use tokio::{net::TcpListener, sync::mpsc};

use crate::args::Listen;
use crate::wallet::Wallet;
use crate::{Answer, out, partner};

/// How long a forwarded message may take.
const FORWARD_MAX: Duration = Duration::from_secs(10);
/// The headers that a receiver verifies.
const HEADERS: [&str; 4] = ["content-type", "webhook-id", "webhook-timestamp", "webhook-signature"];

/// Receives until Ctrl-C, or so many messages.
pub fn run(args: &Listen) -> anyhow::Result<Answer> {
    let wallet = partner::wallet_of(&args.gateway, "manage_key")?;
    partner::block_on(listen(args, &wallet))
}

async fn listen(args: &Listen, wallet: &Wallet) -> anyhow::Result<Answer> {
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("--listen: {} cannot be listened on", args.listen))?;
    let own = format!("http://{}/", listener.local_addr()?);
    let url = args.public_url.clone().unwrap_or(own);
    let asked = json!({ "url": url, "events": args.events, "after": args.after });
    let (status, made) = wallet.send(Method::POST, "/v1/webhooks", None, Some(&asked)).await?;
    anyhow::ensure!(status.is_success(), "the gateway made no endpoint: {status} {made}");
    let path = format!("/v1/webhooks/{}", made["id"].as_str().context("it has no id")?);
    let secret = made["secret"].as_str().and_then(Verifier::parse);
    out::note(&format!("listening at {url}; Ctrl-C removes the endpoint"));
    let ended = match secret {
        Some(verifier) => take(args, listener, &verifier).await,
        None => Err(anyhow::anyhow!("the gateway gave no secret that can be read")),
    };
    let (status, body) = wallet.send(Method::DELETE, &path, None, None).await?;
    anyhow::ensure!(status.is_success(), "{path}: not removed: {status} {body}");
    ended
}

async fn take(args: &Listen, listener: TcpListener, verifier: &Verifier) -> anyhow::Result<Answer> {
    let client = services_runtime::tls::http_builder().timeout(FORWARD_MAX).build()?;
    let (calls, mut queue) = mpsc::channel(64);
    let serving = tokio::spawn(receive(listener, calls));
    let mut left = args.count.unwrap_or(usize::MAX);
    while left > 0 {
        let call = tokio::select! {
            interrupted = tokio::signal::ctrl_c() => {
                interrupted.context("signals cannot be listened to")?;
                break;
            }
            call = queue.recv() => call,
        };
        let Some(call) = call else { break };
        let status = one(args, &client, verifier, &call).await;
        let _gone = call.answer.send(status);
        if (200..300).contains(&status) {
            left -= 1;
        }
    }
    drop(queue);
    // The last answer is on its way; a connection that stays open is not waited for.
    let _served = tokio::time::timeout(Duration::from_secs(1), serving).await;
    Ok(Answer::Done)
}

/// Verifies, prints and passes on one message, and gives the status of its answer.
async fn one(args: &Listen, client: &reqwest::Client, verifier: &Verifier, call: &Call) -> u16 {
    let header = |name: &str| call.headers.get(name).map(String::as_str).unwrap_or_default();
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    if !verifier.verify(id, timestamp, header("webhook-signature"), &call.body, now) {
        out::note(&format!("{id}: the signature is wrong; refused"));
        return 401;
    }
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    out::json(&json!({ "webhook_id": id, "message": body }));
    let Some(forward) = &args.forward else { return 204 };
    let mut request = client.post(forward).body(call.body.to_vec());
    for name in HEADERS {
        request = request.header(name, header(name));
    }
    match request.send().await {
        Ok(answer) => answer.status().as_u16(),
        Err(error) => {
            out::note(&format!("{id}: {forward} does not answer: {error}"));
            502
        }
    }
}

//! One signed call to core banking: bounded time, bounded answer, no redirect; it knows no transfer and keeps nothing.
use std::{sync::Arc, time::Instant};

use reqwest::{Certificate, Client, Method, RequestBuilder, Url, redirect::Policy};
use std::time::Duration;
use tokio::sync::Semaphore;

use services_runtime::trace;

use super::{
    breaker::Breaker,
    protocol::{Operation, Word, read},
};
use crate::{
    Error, clock, measure,
    settings::Banking,
    webhooks::signature::{Secret, header},
};

const USER_AGENT: &str = concat!("causeway/", env!("CARGO_PKG_VERSION"));
/// No answer of the protocol is as long.
const ANSWER_BYTES_MAX: usize = 16 << 10;

/// Calls one bank.
#[derive(Debug)]
pub struct Line {
    client: Client,
    base: Url,
    secret: Secret,
    timeout: Duration,
    slots: Arc<Semaphore>,
    breaker: Breaker,
}

impl Line {
    /// As the settings say.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub fn new(settings: &Banking) -> Result<Self, Error> {
        let wrong = |field, why| Error::Banking { field, why };
        let mut base = settings.url.clone();
        if !base.ends_with('/') {
            base.push('/');
        }
        let base = Url::parse(&base).map_err(|_| wrong("url", "must be https://host/path"))?;
        let scheme = base.scheme() == "https" || (base.scheme() == "http" && settings.allow_http);
        if !scheme || base.query().is_some() || !base.username().is_empty() {
            return Err(wrong("url", "must be https://host/path, without user and query"));
        }
        let text = super::read_file("banking.secret", &settings.secret)?;
        let secret = std::str::from_utf8(&text).ok().and_then(|text| Secret::parse(text.trim()));
        let secret =
            secret.ok_or_else(|| wrong("secret", "the file must hold whsec_… or whsk_…"))?;
        let timeout = Duration::from_millis(settings.timeout_ms.max(1));
        let mut client = services_runtime::tls::http_builder()
            .user_agent(USER_AGENT)
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(timeout)
            .timeout(timeout)
            .pool_max_idle_per_host(8);
        if let Some(file) = &settings.ca {
            let pem = super::read_file("banking.ca", file)?;
            let unusable = || wrong("ca", "the file must hold certificates in PEM");
            let roots = Certificate::from_pem_bundle(&pem).map_err(|_| unusable())?;
            if roots.is_empty() {
                return Err(unusable());
            }
            client = client.tls_certs_only(roots);
        }
        let unusable = |_| wrong("ca", "give CA certificates, here or in the system");
        Ok(Self {
            client: client.build().map_err(unusable)?,
            base,
            secret,
            timeout,
            slots: Arc::new(Semaphore::new(settings.concurrency_max.max(1))),
            breaker: Breaker::new(
                settings.failures_max,
                Duration::from_millis(settings.pause_ms.max(1)),
            ),
        })
    }

    /// Whether a call would be spared now.
    pub fn spared(&self) -> bool {
        self.breaker.spares(Instant::now())
    }

    /// Asks the bank to do something.
    pub async fn ask(&self, operation: Operation, key: &str, body: &[u8]) -> Word {
        self.call(Method::POST, operation.as_str(), key, body).await.0
    }

    /// Asks the bank to say something, and gives its answer beside what it comes to.
    pub async fn tell(&self, operation: Operation, key: &str, body: &[u8]) -> (Word, Vec<u8>) {
        self.call(Method::POST, operation.as_str(), key, body).await
    }

    /// Asks what became of a key.
    pub async fn look(&self, key: &str) -> Word {
        self.call(Method::GET, &format!("operations/{key}"), key, b"").await.0
    }

    async fn call(&self, method: Method, path: &str, key: &str, body: &[u8]) -> (Word, Vec<u8>) {
        let nothing = |word| (word, Vec::new());
        let looked = method == Method::GET;
        let label = path.split('/').next().unwrap_or_default().to_owned();
        let Ok(url) = self.base.join(path) else { return nothing(Word::Unknown("no URL")) };
        if !self.breaker.lets_through(Instant::now()) {
            measure::banking_call(label, "spared", Duration::ZERO);
            return nothing(Word::Spared);
        }
        let slot = tokio::time::timeout(self.timeout, self.slots.acquire()).await;
        let Ok(Ok(_slot)) = slot else {
            return nothing(Word::Unknown("too many calls at one time"));
        };
        let begun = Instant::now();
        // A second since the epoch is no secret; the body names the operation, so that a signature
        // serves no other.
        let timestamp = clock::now().micros() / 1_000_000;
        let timestamp = i64::try_from(timestamp).unwrap_or(i64::MAX);
        let mut request = self.client.request(method, url);
        if let Some(context) = trace::current() {
            request = request.header(trace::TRACEPARENT, context.traceparent());
        }
        let request = request
            .header("content-type", "application/json")
            .header("idempotency-key", format!("\"{key}\""))
            .header("webhook-id", key)
            .header("webhook-timestamp", timestamp)
            .header(
                "webhook-signature",
                header(std::slice::from_ref(&self.secret), key, timestamp, body),
            )
            .body(body.to_vec());
        let (word, said) = match answer(request).await {
            Ok((http, answer)) => (read(http, &answer, key, looked), answer),
            Err(why) => nothing(Word::Unknown(why)),
        };
        let outcome = match word {
            Word::Done => "done",
            Word::Refused(_) => "refused",
            Word::NeverSeen => "never_seen",
            Word::Unknown(_) | Word::Spared => "unknown",
        };
        self.breaker.note(!matches!(word, Word::Unknown(_)), Instant::now());
        measure::banking_call(label, outcome, begun.elapsed());
        (word, said)
    }
}

/// Status and body; the addresses in a cause stay inside.
async fn answer(request: RequestBuilder) -> Result<(u16, Vec<u8>), &'static str> {
    let failure = |error: reqwest::Error| {
        if error.is_timeout() {
            "no answer in time"
        } else if error.is_connect() {
            "no connection: the name, the port or the certificate is not good"
        } else {
            "the connection broke off"
        }
    };
    let mut response = request.send().await.map_err(failure)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failure)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err("an answer longer than any of the protocol");
        }
        body.extend_from_slice(&chunk);
    }
    Ok((response.status().as_u16(), body))
}

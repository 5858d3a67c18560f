//! A partner wallet's view of its gateway over HTTPS: send, look, act. It must never look past the
//! gateway.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

/// How often a transfer is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(30);

/// How long the upload of a file may take.
const UPLOAD_MAX: Duration = Duration::from_secs(3_600);

/// One gateway and the key that opens it.
#[derive(Clone, Debug)]
pub struct Wallet {
    client: Client,
    /// `https://host:port`.
    pub url: String,
    api_key: String,
}

/// What a look at a transfer says.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The API's state word.
    pub status: String,
    /// The whole answer.
    pub body: Value,
}

impl Seen {
    /// Whether it stands where it will stay, but for a return.
    #[must_use]
    pub fn ended(&self) -> bool {
        matches!(self.status.as_str(), "CREDITED" | "REJECTED" | "EXPIRED" | "CANCELLED" | "BURNED")
    }

    /// Whether the money moved on the ledger.
    #[must_use]
    pub fn settled(&self) -> bool {
        matches!(self.status.as_str(), "SETTLED" | "CREDITED")
    }
}

impl Wallet {
    /// Trusts one CA and holds an API key.
    pub fn new(ca: &Path, url: String, api_key: String) -> anyhow::Result<Self> {
        let client = services_runtime::tls::http_client(ca)?;
        Ok(Self { client, url, api_key })
    }

    /// Sends an order; a 503 or a broken connection changed nothing or is known by its key, so the
    /// same is sent again until `patience` is over.
    pub async fn create(
        &self,
        order: &Value,
        patience: Duration,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let key = order["uetr"].as_str().context("an order has a UETR")?;
        let until = Instant::now() + patience;
        loop {
            match self.send(Method::POST, "/v1/transfers", Some(key), Some(order)).await {
                Ok((status, body)) if !again(status) => return Ok((status, body)),
                Ok((status, body)) if Instant::now() >= until => {
                    anyhow::bail!("no answer in time: {status} {body}");
                }
                Err(error) if Instant::now() >= until => return Err(error),
                Ok(_) | Err(_) => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }

    /// Asks for a firm quote.
    pub async fn quote(&self, key: &str, asked: &Value) -> anyhow::Result<(StatusCode, Value)> {
        self.send(Method::POST, "/v1/quotes", Some(key), Some(asked)).await
    }

    /// Sends a pacs.008 and gives the pacs.002.
    pub async fn iso20022(&self, message: &str) -> anyhow::Result<String> {
        let answer = self
            .client
            .post(format!("{}/v1/iso20022", self.url))
            .bearer_auth(&self.api_key)
            .header("content-type", "application/xml")
            .body(message.to_owned())
            .send()
            .await
            .context("the gateway does not answer")?;
        answer.text().await.context("the gateway's answer breaks off")
    }

    /// Acts on a transfer: `cancel`, `return` and so on.
    pub async fn act(
        &self,
        uetr: &str,
        action: &str,
        body: &Value,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let path = format!("/v1/transfers/{uetr}/{action}");
        // A return has a UETR of its own, and a transfer may have several.
        let key = format!("{action}-{}", body["uetr"].as_str().unwrap_or(uetr));
        self.send(Method::POST, &path, Some(&key), Some(body)).await
    }

    /// Looks at a transfer.
    pub async fn look(&self, uetr: &str) -> anyhow::Result<Option<Seen>> {
        let path = format!("/v1/transfers/{uetr}");
        let (status, body) = self.send(Method::GET, &path, None, None).await?;
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        anyhow::ensure!(status.is_success(), "{path}: {status} {body}");
        let status = body["status"].as_str().unwrap_or_default().to_owned();
        Ok(Some(Seen { status, body }))
    }

    /// Looks until `enough` says so or time is over; gives the last look.
    pub async fn follow(
        &self,
        uetr: &str,
        patience: Duration,
        mut enough: impl FnMut(&Seen) -> bool,
    ) -> Seen {
        let until = Instant::now() + patience;
        let mut last = Seen::default();
        while Instant::now() < until {
            if let Ok(Some(seen)) = self.look(uetr).await {
                last = seen;
                if enough(&last) {
                    break;
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        last
    }

    /// A transfer's timeline.
    pub async fn timeline(&self, uetr: &str) -> anyhow::Result<Value> {
        let path = format!("/v1/transfers/{uetr}/timeline");
        Ok(self.send(Method::GET, &path, None, None).await?.1)
    }

    /// Whether the gateway is ready.
    pub async fn ready(&self) -> bool {
        let answer = self.client.get(format!("{}/readyz", self.url)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Sends a file under an Idempotency-Key; its body is read while it is sent.
    pub async fn upload(
        &self,
        path: &str,
        key: &str,
        kind: &str,
        body: reqwest::Body,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let request = self
            .client
            .post(format!("{}{path}", self.url))
            .bearer_auth(&self.api_key)
            .header("idempotency-key", format!("\"{key}\""))
            .header("content-type", kind)
            .timeout(UPLOAD_MAX)
            .body(body);
        let answer = request.send().await.context("the gateway does not answer")?;
        let status = answer.status();
        let text = answer.text().await.context("the gateway's answer breaks off")?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// Gets a document as it is.
    pub async fn document(&self, path: &str) -> anyhow::Result<(StatusCode, String)> {
        let request = self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.api_key);
        let answer = request.send().await.context("the gateway does not answer")?;
        let status = answer.status();
        Ok((status, answer.text().await.context("the gateway's answer breaks off")?))
    }

    /// Sends one request and gives its status and body.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let mut request =
            self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.api_key);
        if let Some(key) = key {
            request = request.header("idempotency-key", format!("\"{key}\""));
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.context("the gateway does not answer")?;
        let status = answer.status();
        let text = answer.text().await.context("the gateway's answer breaks off")?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }
}

/// Whether the same request is to be sent again: nothing was kept, or it is still being answered.
fn again(status: StatusCode) -> bool {
    matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::CONFLICT)
}

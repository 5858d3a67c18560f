//! Sends one message to one endpoint: guarded addresses, no redirect, bounded time, nothing read of an answer but its status; it keeps no state.
use std::{net::SocketAddr, sync::Arc, time::Duration};

use ipnet::IpNet;
use reqwest::{
    Certificate, Client,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};

use super::{
    address::{permitted, url},
    signature::{Secret, header},
};
use crate::{Error, settings};
use services_runtime::trace::TRACEPARENT;

const USER_AGENT: &str = concat!("causeway/", env!("CARGO_PKG_VERSION"));

/// A message that is to be signed.
#[derive(Clone, Debug)]
pub struct Message {
    /// The same whenever it is sent.
    pub id: String,
    /// Of this attempt, Unix seconds.
    pub timestamp: i64,
    /// JSON.
    pub body: Vec<u8>,
    /// The span it is part of (W3C).
    pub traceparent: Option<String>,
}

/// Sends.
#[derive(Clone, Debug)]
pub struct Sender {
    client: Client,
    settings: Arc<settings::Webhooks>,
}

impl Sender {
    /// With the settings' bounds.
    ///
    /// # Errors
    /// When the CA file or the client is unusable.
    pub fn new(settings: &settings::Webhooks) -> Result<Self, Error> {
        let settings = Arc::new(settings.clone());
        let timeout = Duration::from_millis(settings.timeout_ms);
        let mut client = services_runtime::tls::http_builder()
            .user_agent(USER_AGENT)
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(timeout)
            .timeout(timeout)
            .pool_max_idle_per_host(4)
            .dns_resolver(Arc::new(Guard { allowed: settings.allow_networks.clone() }));
        if let Some(file) = &settings.ca {
            let unread = |source| Error::File { field: "webhooks.ca", file: file.clone(), source };
            let pem = std::fs::read(file).map_err(unread)?;
            let roots = Certificate::from_pem_bundle(&pem).map_err(Error::Webhooks)?;
            client = client.tls_certs_only(roots);
        }
        Ok(Self { client: client.build().map_err(Error::Webhooks)?, settings })
    }

    /// Sends a message and gives the answer's status.
    ///
    /// # Errors
    /// Why there is none, in words that an endpoint's owner may read.
    pub async fn post(
        &self,
        to: &str,
        secrets: &[Secret],
        message: &Message,
    ) -> Result<u16, String> {
        let url = url(to, &self.settings).map_err(|reason| format!("url: {reason}"))?;
        let signature = header(secrets, &message.id, message.timestamp, &message.body);
        let mut request = self.client.post(url);
        if let Some(span) = &message.traceparent {
            request = request.header(TRACEPARENT, span);
        }
        let sent = request
            .header("content-type", "application/json")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", message.timestamp)
            .header("webhook-signature", signature)
            .body(message.body.clone())
            .send()
            .await;
        // The answer's body is dropped unread: nobody can make this gateway hold it.
        sent.map(|answer| answer.status().as_u16()).map_err(|error| failure(&error))
    }
}

/// Why nothing came back; addresses and inner causes stay inside.
fn failure(error: &reqwest::Error) -> String {
    let chain = services_runtime::error::chain(error);
    let words = if chain.contains(REFUSED) {
        REFUSED
    } else if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection: the name, the port or the certificate is not good"
    } else {
        "the connection broke off"
    };
    words.to_owned()
}

const REFUSED: &str = "the name has no address that may be used";

/// Resolves names to permitted addresses alone: what was checked is what is dialled, so that a
/// name that answers differently the second time gains nothing.
#[derive(Debug)]
struct Guard {
    allowed: Vec<IpNet>,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.allowed.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let good: Vec<SocketAddr> =
                found.filter(|address| permitted(address.ip(), &allowed)).collect();
            if good.is_empty() {
                return Err(REFUSED.into());
            }
            Ok(Box::new(good.into_iter()) as Addrs)
        })
    }
}

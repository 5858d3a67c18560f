//! Access tokens of an OAuth2 issuer: its keys are fetched from a file or an https URL, kept for a while and fetched anew when a token names another; it judges nothing itself.
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use jsonwebtoken::jwk::JwkSet;
use reqwest::{Certificate, Client, Url, redirect::Policy};
use tokio::sync::OnceCell;

use crate::{
    Error,
    problem::{Code, Problem},
    security::token::{self, Refusal},
    settings,
};

/// Keys of a token that names an unknown one are fetched no more often.
const AGAIN_MIN: Duration = Duration::from_secs(5);
const FETCH_TIME_MAX: Duration = Duration::from_secs(5);
/// The largest set of keys.
const BYTES_MAX: usize = 1 << 20;

/// An issuer and its keys.
#[derive(Debug)]
pub struct Tokens {
    settings: settings::Oauth,
    source: Source,
    known: Mutex<Option<(Instant, Arc<JwkSet>)>>,
    /// One fetch at one time.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
enum Source {
    File(PathBuf),
    Https { url: Box<Url>, client: OnceCell<Client> },
}

impl Tokens {
    /// With the settings' issuer.
    ///
    /// # Errors
    /// When `security.oauth.jwks` is neither a path nor an https URL.
    pub fn new(settings: &settings::Oauth) -> Result<Self, Error> {
        token::install_provider();
        let source = match settings.jwks.parse::<Url>() {
            Ok(url) if url.scheme() == "https" => {
                Source::Https { url: Box::new(url), client: OnceCell::new() }
            }
            Ok(_) => return Err(Error::Jwks),
            Err(_) => Source::File(PathBuf::from(&settings.jwks)),
        };
        Ok(Self {
            settings: settings.clone(),
            source,
            known: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
        })
    }

    /// Whom a token speaks for.
    ///
    /// # Errors
    /// `TOKEN_INVALID`, or `ISSUER_UNAVAILABLE` when no keys are to be had.
    pub async fn client(&self, token: &str) -> Result<token::Client, Problem> {
        let fresh = Duration::from_secs(self.settings.refresh_s);
        let mut keys = self.keys(fresh).await?;
        let mut judged = token::judge(token, &keys, &self.settings);
        if judged == Err(Refusal::KeyUnknown) {
            keys = self.keys(AGAIN_MIN).await?;
            judged = token::judge(token, &keys, &self.settings);
        }
        judged.map_err(|refusal| {
            let why = match refusal {
                Refusal::KeyUnknown => "kid names no key of the issuer",
                Refusal::Wrong(why) => why,
            };
            Problem::new(Code::TokenInvalid, format!("authorization: {why}; get a new token"))
        })
    }

    /// The issuer's keys, at most so old; older ones where no newer are to be had.
    async fn keys(&self, age_max: Duration) -> Result<Arc<JwkSet>, Problem> {
        if let Some(keys) = self.younger(age_max) {
            return Ok(keys);
        }
        let _one = self.fetching.lock().await;
        if let Some(keys) = self.younger(age_max) {
            return Ok(keys);
        }
        let fetched = self.fetch().await;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match fetched {
            Ok(keys) => {
                let keys = Arc::new(keys);
                *known = Some((Instant::now(), Arc::clone(&keys)));
                Ok(keys)
            }
            Err(cause) => {
                tracing::warn!(cause, "the issuer's keys cannot be had");
                let old = known.as_ref().map(|(_, keys)| Arc::clone(keys));
                let none = || Problem::new(Code::IssuerUnavailable, "authorization: try again");
                old.ok_or_else(none)
            }
        }
    }

    fn younger(&self, age_max: Duration) -> Option<Arc<JwkSet>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let young = known.as_ref().filter(|(at, _)| at.elapsed() < age_max);
        young.map(|(_, keys)| Arc::clone(keys))
    }

    async fn fetch(&self) -> Result<JwkSet, String> {
        let bytes = match &self.source {
            Source::File(file) => tokio::fs::read(file).await.map_err(|error| error.to_string())?,
            Source::Https { url, client } => {
                let make = async || client_of(&self.settings);
                let client = client.get_or_try_init(make).await?;
                body(client, url).await?
            }
        };
        serde_json::from_slice(&bytes).map_err(|error| error.to_string())
    }
}

fn client_of(settings: &settings::Oauth) -> Result<Client, String> {
    let mut client = services_runtime::tls::http_builder()
        .no_proxy()
        .https_only(true)
        .redirect(Policy::none())
        .timeout(FETCH_TIME_MAX);
    if let Some(file) = &settings.ca {
        let pem = std::fs::read(file).map_err(|error| error.to_string())?;
        let roots = Certificate::from_pem_bundle(&pem).map_err(|error| error.to_string())?;
        client = client.tls_certs_only(roots);
    }
    client.build().map_err(|error| error.to_string())
}

async fn body(client: &Client, url: &Url) -> Result<Vec<u8>, String> {
    let answer = client.get(url.clone()).send().await.map_err(|error| error.to_string())?;
    if !answer.status().is_success() {
        return Err(format!("answered {}", answer.status().as_u16()));
    }
    let mut answer = answer;
    let mut bytes = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(|error| error.to_string())? {
        bytes.extend_from_slice(&part);
        if bytes.len() > BYTES_MAX {
            return Err("more than 1 MiB".to_owned());
        }
    }
    Ok(bytes)
}

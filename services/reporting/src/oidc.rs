//! Sign-in by an OpenID Connect provider: authorization code with PKCE, state and nonce, all bound to one browser. It
//! must never keep a token of the provider, nor believe a claim before its signature is verified.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::{Response, Uri};
use openidconnect::{
    AccessTokenHash, AdditionalClaims, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, IdTokenFields, IssuerUrl, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, Scope, StandardErrorResponse, StandardTokenResponse,
    TokenResponse as _, UserInfoClaims,
    core::{
        CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType,
        CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreRevocableToken,
        CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
    },
    url::Url,
};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use services_office::Actor;
use tokio::sync::Mutex as AsyncMutex;

use crate::{Error, settings};

/// Where the provider sends people back to.
pub const CALLBACK: &str = "/sign-in/oidc/back";
/// How long somebody may stay at the provider.
const WAIT: Duration = Duration::from_secs(10 * 60);
/// Sign-ins that have begun; beyond it the oldest is forgotten.
const WAITING_MAX: usize = 10_000;
/// What was discovered is asked for again after this time, so that keys may change.
const KNOWN_FOR: Duration = Duration::from_secs(5 * 60);
const ANSWER_BYTES_MAX: usize = 1 << 20;
const TIMEOUT: Duration = Duration::from_secs(10);
/// Signatures that are believed: none that a client's own secret makes.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 7] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Claims that are none of OpenID Connect's own.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(transparent)]
struct Own(Map<String, Value>);

impl AdditionalClaims for Own {}

type Fields = IdTokenFields<
    Own,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Client = openidconnect::Client<
    Own,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Why somebody is not signed in.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("the provider did not answer: {0}")]
    Provider(String),
    #[error("no sign-in of this browser waits for this answer, or it took too long")]
    Unasked,
    #[error("the provider's answer is not to be believed: {0}")]
    Unbelievable(String),
    #[error("the provider says no: {0}")]
    Denied(String),
    #[error("the provider names nobody: claim {0} is missing")]
    Nameless(String),
    #[error("none of the person's groups may sign in here")]
    Ungranted,
}

/// A sign-in that has begun.
struct Waiting {
    nonce: Nonce,
    verifier: PkceCodeVerifier,
    next: String,
    since: Instant,
}

/// The provider, as it was discovered.
pub struct Provider {
    settings: settings::Oidc,
    redirect: RedirectUrl,
    http: reqwest::Client,
    known: AsyncMutex<Option<(Instant, CoreProviderMetadata)>>,
    waiting: Mutex<HashMap<String, Waiting>>,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Provider").field("issuer", &self.settings.issuer).finish_non_exhaustive()
    }
}

/// Where to send a browser, and what it is known by when it comes back.
#[derive(Debug)]
pub struct Begun {
    pub url: Url,
    pub state: String,
}

async fn send(client: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, Answer> {
    let (parts, body) = request.into_parts();
    let url = Uri::to_string(&parts.uri);
    let asked = client.request(parts.method, url).headers(parts.headers).body(body);
    let mut answer = asked.send().await.map_err(Answer::Failed)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(Answer::Failed)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > ANSWER_BYTES_MAX {
            return Err(Answer::TooLong);
        }
    }
    let mut response = Response::new(bytes);
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    Ok(response)
}

/// Why a request to the provider failed.
#[derive(Debug, thiserror::Error)]
enum Answer {
    #[error("a request failed")]
    Failed(#[source] reqwest::Error),
    #[error("an answer has over {ANSWER_BYTES_MAX} bytes")]
    TooLong,
}

fn told(error: &(dyn std::error::Error + 'static)) -> String {
    services_runtime::error::chain(error)
}

impl Provider {
    /// A provider that is discovered at the first sign-in, so that one that is away keeps nobody else out.
    ///
    /// # Errors
    /// Naming the setting that is wrong.
    pub fn new(settings: settings::Oidc, origin: &str) -> Result<Self, Error> {
        let wrong = |field, reason: &dyn std::fmt::Display| Error::Settings {
            field,
            reason: reason.to_string(),
        };
        let redirect = RedirectUrl::new(format!("{origin}{CALLBACK}"))
            .map_err(|error| wrong("public_url", &error))?;
        let http = match &settings.ca {
            Some(ca) => services_runtime::tls::http_client(ca).map_err(Error::Tls)?,
            // Its address is on loopback: the settings' check says so.
            None => services_runtime::tls::http_builder()
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .timeout(TIMEOUT)
                .build()
                .map_err(|error| wrong("oidc.issuer", &error))?,
        };
        let (known, waiting) = (AsyncMutex::new(None), Mutex::new(HashMap::new()));
        Ok(Self { settings, redirect, http, known, waiting })
    }

    /// What the button says.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    async fn client(&self, now: Instant) -> Result<Client, Refusal> {
        let mut known = self.known.lock().await;
        let fresh = known.as_ref().filter(|(at, _)| now.saturating_duration_since(*at) < KNOWN_FOR);
        let metadata = if let Some((_, metadata)) = fresh {
            metadata.clone()
        } else {
            let issuer = IssuerUrl::new(self.settings.issuer.clone())
                .map_err(|error| Refusal::Provider(told(&error)))?;
            let http = |request| send(self.http.clone(), request);
            let found = CoreProviderMetadata::discover_async(issuer, &http)
                .await
                .map_err(|error| Refusal::Provider(told(&error)))?;
            *known = Some((now, found.clone()));
            found
        };
        drop(known);
        let secret = self.settings.client_secret.as_ref();
        let secret = secret.map(|secret| ClientSecret::new(secret.expose_secret().to_owned()));
        let id = ClientId::new(self.settings.client_id.clone());
        Ok(Client::from_provider_metadata(metadata, id, secret)
            .set_redirect_uri(self.redirect.clone()))
    }

    /// Sends somebody to the provider; `next` is where he goes afterwards.
    ///
    /// # Errors
    /// When the provider does not answer.
    pub async fn begin(&self, next: String, now: Instant) -> Result<Begun, Refusal> {
        let client = self.client(now).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut asked = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .set_pkce_challenge(challenge);
        for scope in &self.settings.scopes {
            asked = asked.add_scope(Scope::new(scope.clone()));
        }
        let (url, state, nonce) = asked.url();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, one| now.saturating_duration_since(one.since) < WAIT);
        if waiting.len() >= WAITING_MAX {
            let oldest = waiting.iter().min_by_key(|(_, one)| one.since);
            if let Some(state) = oldest.map(|(state, _)| state.clone()) {
                waiting.remove(&state);
            }
        }
        waiting.insert(state.secret().clone(), Waiting { nonce, verifier, next, since: now });
        Ok(Begun { url, state: state.into_secret() })
    }

    /// Judges what the provider sent back, and says who it is and where he wanted to go.
    ///
    /// # Errors
    /// Why nobody is signed in.
    pub async fn finish(
        &self,
        state: &str,
        code: String,
        now: Instant,
    ) -> Result<(Actor, String), Refusal> {
        let began = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(state);
        let began = began.filter(|one| now.saturating_duration_since(one.since) < WAIT);
        let Waiting { nonce, verifier, next, .. } = began.ok_or(Refusal::Unasked)?;
        let client = self.client(now).await?;
        let http = |request| send(self.http.clone(), request);
        let unbelievable =
            |error: &(dyn std::error::Error + 'static)| Refusal::Unbelievable(told(error));
        let answer = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| unbelievable(&error))?
            .set_pkce_verifier(verifier)
            .request_async(&http)
            .await
            .map_err(|error| Refusal::Provider(told(&error)))?;
        let token = answer.id_token();
        let token = token.ok_or_else(|| Refusal::Unbelievable("it has no ID token".to_owned()))?;
        let judge = client.id_token_verifier().set_allowed_algs(ALGORITHMS);
        let claims = token.claims(&judge, &nonce).map_err(|error| unbelievable(&error))?;
        if let Some(expected) = claims.access_token_hash() {
            let algorithm = token.signing_alg().map_err(|error| unbelievable(&error))?;
            let key = token.signing_key(&judge).map_err(|error| unbelievable(&error))?;
            let found = AccessTokenHash::from_token(answer.access_token(), algorithm, key)
                .map_err(|error| unbelievable(&error))?;
            if found != *expected {
                return Err(Refusal::Unbelievable("at_hash is another token's".to_owned()));
            }
        }
        let mut own = serde_json::to_value(claims).unwrap_or_default();
        // Providers that keep groups out of the ID token have them at the userinfo endpoint.
        if own.get(&self.settings.groups_claim).is_none()
            && let Ok(asked) =
                client.user_info(answer.access_token().clone(), Some(claims.subject().clone()))
        {
            let more: UserInfoClaims<Own, CoreGenderClaim> = asked
                .request_async(&http)
                .await
                .map_err(|error| Refusal::Provider(told(&error)))?;
            if let (Some(own), Ok(Value::Object(more))) =
                (own.as_object_mut(), serde_json::to_value(&more))
            {
                more.into_iter().for_each(|(name, value)| {
                    own.entry(name).or_insert(value);
                });
            }
        }
        Ok((self.person(&own)?, next))
    }

    /// Who it is by verified claims, and what he may do.
    fn person(&self, claims: &Value) -> Result<Actor, Refusal> {
        let nameless = || Refusal::Nameless(self.settings.name_claim.clone());
        let name = claims[&self.settings.name_claim].as_str().ok_or_else(nameless)?;
        let groups = match &claims[&self.settings.groups_claim] {
            Value::Array(all) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Value::String(one) => vec![one.clone()],
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
        };
        let grant = self.settings.grant(&groups).ok_or(Refusal::Ungranted)?;
        Actor::new(name, grant.role, grant.participant).map_err(|_| nameless())
    }
}

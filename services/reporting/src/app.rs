//! What every request shares, and what a page says when it was refused. It must never know a route.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use governor::{DefaultKeyedRateLimiter, Quota};
use services_office::Office;
use services_runtime::health::Checks;
use tokio::sync::{Mutex, Semaphore};

use crate::{
    Error,
    access::Need,
    desk::Desk,
    figures::Figures,
    oidc::Provider,
    sessions::Sessions,
    settings::{Account, Accounts, Settings, SignIn},
    store::{self, Store, party::Parties},
};

/// Passwords that are verified at one time: each takes 19 MiB and a core.
const HASHING_MAX: usize = 2;

/// Figures, and when they were made.
pub type Fresh = (Instant, Arc<Figures>);

/// What requests share; clones are handles.
#[derive(Clone, Debug)]
pub struct App(Arc<Inner>);

#[derive(Debug)]
pub struct Inner {
    /// As an Origin header says it.
    pub origin: String,
    pub office: Office,
    pub store: Store,
    /// By participant.
    pub parties: BTreeMap<u32, Parties>,
    pub sessions: Sessions,
    /// By name.
    pub accounts: BTreeMap<String, Account>,
    pub oidc: Option<Provider>,
    pub tries: Tries,
    pub hashing: Semaphore,
    pub checks: Checks,
    pub desk: Desk,
    /// The overview's figures by participant, and when they were made.
    pub figures: Mutex<HashMap<Option<u32>, Fresh>>,
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    /// Everything that settings ask for; nothing is connected before it is used.
    ///
    /// # Errors
    /// Naming the setting or file that is wrong.
    pub fn new(settings: &Settings, checks: Checks) -> Result<Self, Error> {
        settings.check()?;
        let origin = settings.origin()?;
        let accounts = match &settings.accounts {
            Some(file) => Accounts::load(file)?.accounts,
            None => Vec::new(),
        };
        let named = |own: Account| (own.name.trim().to_lowercase(), own);
        let mut parties = BTreeMap::new();
        for own in &settings.party_stores {
            parties.insert(own.participant, Parties::new(own).map_err(Error::Store)?);
        }
        let oidc = settings.oidc.clone();
        Ok(Self(Arc::new(Inner {
            office: Office::new(&settings.database_url, settings.rules.clone())
                .map_err(Error::Office)?,
            store: Store::new(&settings.database_url).map_err(Error::Store)?,
            parties,
            sessions: Sessions::new(settings.sessions),
            accounts: accounts.into_iter().map(named).collect(),
            oidc: oidc.map(|oidc| Provider::new(oidc, &origin)).transpose()?,
            tries: Tries::new(settings.sign_in),
            hashing: Semaphore::new(HASHING_MAX),
            checks,
            desk: Desk::new(&settings.database_url, settings.reports.as_ref())?,
            figures: Mutex::new(HashMap::new()),
            origin,
        })))
    }
}

/// How often an address, and a name, may try to sign in.
#[derive(Debug)]
pub struct Tries {
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    names: DefaultKeyedRateLimiter<String>,
}

impl Tries {
    #[must_use]
    pub fn new(settings: SignIn) -> Self {
        let every = Duration::from_secs(settings.every_s.max(1).into());
        let burst = NonZeroU32::new(settings.burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(every)
            .unwrap_or(Quota::per_minute(NonZeroU32::MIN))
            .allow_burst(burst);
        Self {
            addresses: DefaultKeyedRateLimiter::keyed(quota),
            names: DefaultKeyedRateLimiter::keyed(quota),
        }
    }

    /// Whether another try is allowed.
    #[must_use]
    pub fn allows(&self, address: IpAddr, name: &str) -> bool {
        self.addresses.retain_recent();
        self.names.retain_recent();
        let name: String = name.chars().take(100).collect();
        let (address, name) = (self.addresses.check_key(&address), self.names.check_key(&name));
        address.is_ok() && name.is_ok()
    }
}

/// Why a request was not answered with its page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub status: StatusCode,
    /// For scripts and support; codes stay.
    pub code: &'static str,
    pub text: String,
    pub next: &'static str,
}

impl Told {
    #[must_use]
    pub fn refused(need: Need) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            code: "FORBIDDEN",
            text: need.refusal().to_owned(),
            next: "ask somebody whose role allows it",
        }
    }

    #[must_use]
    pub fn not_found(what: &str, id: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            code: "NOT_FOUND",
            text: format!("there is no {what} {id}"),
            next: "go back to the list",
        }
    }

    #[must_use]
    pub fn invalid(field: &str, reason: &str) -> Self {
        Self {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            code: "INVALID",
            text: format!("{field}: {reason}"),
            next: "correct the field",
        }
    }

    /// A form that came from elsewhere, or whose session has ended since.
    #[must_use]
    pub fn foreign() -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            code: "FOREIGN_REQUEST",
            text: "the form was not sent by a page of this session".to_owned(),
            next: "open the page again and send the form from there",
        }
    }

    #[must_use]
    pub fn signed_out() -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            code: "SIGNED_OUT",
            text: "your session has ended; nothing was changed".to_owned(),
            next: "sign in again, then send the form again",
        }
    }

    /// A failure of this service, whose cause is for the log alone.
    #[must_use]
    pub fn broken() -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            code: "INTERNAL",
            text: "the page could not be made".to_owned(),
            next: "try again; if it stays so, tell the operator",
        }
    }
}

impl From<services_office::Error> for Told {
    fn from(error: services_office::Error) -> Self {
        use services_office::Error as Of;
        let status = match &error {
            Of::Forbidden { .. } => StatusCode::FORBIDDEN,
            Of::NotFound { .. } => StatusCode::NOT_FOUND,
            Of::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Of::Stale { .. }
            | Of::State { .. }
            | Of::SamePerson { .. }
            | Of::Exists { .. }
            | Of::Day { .. }
            | Of::NotRecorded { .. } => StatusCode::CONFLICT,
            Of::Pull { .. } | Of::File { .. } | Of::Document(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Of::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        if status.is_server_error() {
            let cause = services_runtime::error::chain(&error);
            tracing::warn!(cause, "the office failed");
        }
        Self { status, code: error.code(), text: error.to_string(), next: error.next_step() }
    }
}

impl From<store::Error> for Told {
    fn from(error: store::Error) -> Self {
        let cause = services_runtime::error::chain(&error);
        tracing::warn!(cause, "the database failed");
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code: "DATABASE",
            text: "the database did not answer in time".to_owned(),
            next: "try again in a moment; narrow the search if it was wide",
        }
    }
}

impl From<askama::Error> for Told {
    fn from(error: askama::Error) -> Self {
        tracing::error!(cause = %error, "a template failed");
        Self::broken()
    }
}

impl IntoResponse for Told {
    /// Without a page: whoever guards the routes makes one of it, as only he knows who asks.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

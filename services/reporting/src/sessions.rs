//! Who is signed in: tokens that open a session, for a while. It must never hold a token itself, only its digest, nor
//! read a clock.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use services_office::Actor;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::settings;

type Digest = [u8; 32];

/// A person who is signed in.
#[derive(Clone)]
pub struct Session {
    pub actor: Actor,
    /// By what he signed in: `oidc` or `local`.
    pub by: &'static str,
    /// What each of his forms holds.
    pub csrf: Arc<str>,
    began: Instant,
    seen: Instant,
}

impl fmt::Debug for Session {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Session").field("actor", &self.actor).finish_non_exhaustive()
    }
}

impl Session {
    /// Whether a form came from one of his pages.
    #[must_use]
    pub fn made(&self, token: &str) -> bool {
        self.csrf.as_bytes().ct_eq(token.as_bytes()).into()
    }
}

/// Every session of this process; a restart ends them all.
#[derive(Debug)]
pub struct Sessions {
    limits: settings::Sessions,
    open: Mutex<HashMap<Digest, Session>>,
}

/// 32 random bytes as text; none when the system gives no randomness.
#[must_use]
pub fn secret() -> Option<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

fn digest(token: &str) -> Digest {
    Sha256::digest(token.as_bytes()).into()
}

impl Sessions {
    #[must_use]
    pub fn new(limits: settings::Sessions) -> Self {
        Self { limits, open: Mutex::new(HashMap::new()) }
    }

    /// Opens a session and gives the token of its cookie; beyond the greatest number the person's oldest ends.
    #[must_use]
    pub fn open(&self, actor: Actor, by: &'static str, now: Instant) -> Option<String> {
        let (token, csrf) = (secret()?, secret()?);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, session| self.lives(session, now));
        let own = |session: &Session| session.actor.name() == actor.name();
        while open.values().filter(|session| own(session)).count() >= self.limits.per_person_max {
            let oldest = open.iter().filter(|(_, session)| own(session));
            let oldest = oldest.min_by_key(|(_, session)| session.began).map(|(token, _)| *token);
            let Some(oldest) = oldest else { break };
            open.remove(&oldest);
        }
        let session = Session { actor, by, csrf: csrf.into(), began: now, seen: now };
        open.insert(digest(&token), session);
        Some(token)
    }

    /// The session that a token opens; it has been used now.
    #[must_use]
    pub fn find(&self, token: &str, now: Instant) -> Option<Session> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let digest = digest(token);
        let session = open.get_mut(&digest)?;
        if !self.lives(session, now) {
            open.remove(&digest);
            return None;
        }
        session.seen = now;
        Some(session.clone())
    }

    /// Ends a session.
    pub fn close(&self, token: &str) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&digest(token));
    }

    fn lives(&self, session: &Session, now: Instant) -> bool {
        let since = |then: Instant| now.saturating_duration_since(then);
        since(session.seen) < Duration::from_secs(self.limits.idle_s.into())
            && since(session.began) < Duration::from_secs(self.limits.absolute_s.into())
    }
}

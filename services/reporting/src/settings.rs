//! What a console needs to be told, and who may sign in. It reads no file but that of local accounts.

use std::{collections::BTreeSet, fmt, net::SocketAddr, path::Path, path::PathBuf};

use openidconnect::url::{Host, Url};
use secrecy::SecretString;
use serde::Deserialize;
use services_office::Role;
use services_runtime::{http::HttpLimits, tls::HttpsFiles};

use crate::{Error, password};

/// The settings of one console.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Serves HTTPS there.
    pub listen: SocketAddr,
    /// Serves health and metrics on loopback; absent serves none.
    pub health_listen: Option<SocketAddr>,
    /// How browsers reach it: `https://host` or `https://host:port`. Requests that another page sends are refused by it.
    pub public_url: String,
    /// Certificate and key.
    pub https: HttpsFiles,
    /// Limits of the listener.
    #[serde(default)]
    pub listener: HttpLimits,
    /// That of reconciliation and the office.
    pub database_url: String,
    /// As the office judges; the two must be told the same.
    #[serde(default)]
    pub rules: services_office::Rules,
    /// Sign-in by the house's own provider; absent: local accounts alone.
    pub oidc: Option<Oidc>,
    /// A file of local accounts; absent: none.
    pub accounts: Option<PathBuf>,
    #[serde(default)]
    pub sessions: Sessions,
    #[serde(default)]
    pub sign_in: SignIn,
    /// Where personal data of a participant may be opened; absent: nobody opens any.
    #[serde(default)]
    pub party_stores: Vec<PartyStore>,
    /// Who signs reports that are made here; absent: none is made.
    pub reports: Option<Reports>,
}

/// Whose signature reports bear.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reports {
    /// A key of the console's own: 64 hexadecimal digits, its seed.
    pub signing_key: PathBuf,
    /// As manifests name it: a word.
    #[serde(default = "signer")]
    pub signer: String,
}

/// How long a session lives.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sessions {
    /// Seconds without a request after which it ends: 60 to 86,400.
    pub idle_s: u32,
    /// Seconds after which it ends in any case: at least `idle_s`, at most 86,400.
    pub absolute_s: u32,
    /// Sessions of one person at one time, 1 to 20; a new one ends the oldest.
    pub per_person_max: usize,
}

/// How often somebody may try.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SignIn {
    /// Tries of one address, and of one name, at once.
    pub burst: u32,
    /// Seconds until one of them comes back.
    pub every_s: u32,
}

/// An OpenID Connect provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// Its issuer, from which everything else is discovered; `http` on loopback alone.
    pub issuer: String,
    pub client_id: String,
    /// Absent for a public client, which PKCE protects alone.
    pub client_secret: Option<SecretString>,
    /// The CA of the provider's certificate; needed for `https`.
    pub ca: Option<PathBuf>,
    /// On the button.
    #[serde(default = "provider")]
    pub name: String,
    /// Asked for beside `openid`.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// The claim of the ID token that names a person here.
    #[serde(default = "name_claim")]
    pub name_claim: String,
    /// The claim that lists groups.
    #[serde(default = "groups_claim")]
    pub groups_claim: String,
    /// What a group grants; of several that a person has, the first in this list counts.
    pub grants: Vec<Grant>,
}

/// What members of a group may do.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    pub group: String,
    pub role: Role,
    /// For whom they work; absent: for the whole network.
    pub participant: Option<u32>,
}

/// Local accounts, as their file has them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    #[serde(default)]
    pub accounts: Vec<Account>,
}

/// A person with a password.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    pub name: String,
    /// A PHC string of argon2id.
    pub password: String,
    pub role: Role,
    pub participant: Option<u32>,
}

impl fmt::Debug for Account {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Account").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The party store of a participant's gateway.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartyStore {
    pub participant: u32,
    /// The gateway's database.
    pub database_url: String,
    /// The gateway's schema: `a-z`, `0-9` and `_`.
    pub schema: String,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { idle_s: 15 * 60, absolute_s: 10 * 3_600, per_person_max: 3 }
    }
}

impl Default for SignIn {
    fn default() -> Self {
        Self { burst: 10, every_s: 15 }
    }
}

fn signer() -> String {
    "console".to_owned()
}

fn provider() -> String {
    "single sign-on".to_owned()
}

fn scopes() -> Vec<String> {
    vec!["profile".to_owned()]
}

fn name_claim() -> String {
    "preferred_username".to_owned()
}

fn groups_claim() -> String {
    "groups".to_owned()
}

fn wrong(field: &'static str, reason: impl Into<String>) -> Error {
    Error::Settings { field, reason: reason.into() }
}

impl Settings {
    /// What `public_url` makes of an Origin header.
    ///
    /// # Errors
    /// When it is none.
    pub fn origin(&self) -> Result<String, Error> {
        let url = Url::parse(&self.public_url).ok().filter(|url| url.scheme() == "https");
        let plain = url.filter(|url| url.path() == "/" && url.query().is_none());
        plain
            .map(|url| url.origin().ascii_serialization())
            .ok_or_else(|| wrong("public_url", "write https://host or https://host:port"))
    }

    /// Refuses what no console can run with.
    ///
    /// # Errors
    /// Naming the field and what to write.
    pub fn check(&self) -> Result<(), Error> {
        self.origin()?;
        let Sessions { idle_s, absolute_s, per_person_max } = self.sessions;
        if !(60..=86_400).contains(&idle_s) {
            return Err(wrong("sessions.idle_s", "must be 60 to 86400"));
        }
        if absolute_s < idle_s || absolute_s > 86_400 {
            return Err(wrong("sessions.absolute_s", "must be idle_s to 86400"));
        }
        if !(1..=20).contains(&per_person_max) {
            return Err(wrong("sessions.per_person_max", "must be 1 to 20"));
        }
        if self.sign_in.burst == 0 || self.sign_in.every_s == 0 {
            return Err(wrong("sign_in", "burst and every_s must be at least 1"));
        }
        if self.oidc.is_none() && self.accounts.is_none() {
            return Err(wrong("accounts", "nobody could sign in: give [oidc] or accounts"));
        }
        self.oidc.as_ref().map_or(Ok(()), Oidc::check)?;
        let mut stores = BTreeSet::new();
        for store in &self.party_stores {
            if !stores.insert(store.participant) {
                return Err(wrong("party_stores.participant", "stands there twice"));
            }
            let letter =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            let length = store.schema.len();
            if !(1..=63).contains(&length) || !store.schema.bytes().all(letter) {
                return Err(wrong("party_stores.schema", "must be 1 to 63 of a-z, 0-9 and _"));
            }
        }
        Ok(())
    }
}

impl Oidc {
    fn check(&self) -> Result<(), Error> {
        let issuer = Url::parse(&self.issuer).map_err(|_| wrong("oidc.issuer", "is no URL"))?;
        let here = match issuer.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        match issuer.scheme() {
            "https" if self.ca.is_none() => {
                return Err(wrong("oidc.ca", "name the CA that the provider's certificate is of"));
            }
            "https" => {}
            "http" if here => {}
            _ => return Err(wrong("oidc.issuer", "must be https, or http on loopback")),
        }
        if self.grants.is_empty() {
            return Err(wrong("oidc.grants", "nobody could sign in: name a group and its role"));
        }
        self.grants.iter().try_for_each(|own| may_be("oidc.grants", own.role, own.participant))
    }

    /// What a person of these groups may do.
    #[must_use]
    pub fn grant(&self, groups: &[String]) -> Option<&Grant> {
        self.grants.iter().find(|grant| groups.contains(&grant.group))
    }
}

/// Which roles a person can have, and for whom.
fn may_be(field: &'static str, role: Role, participant: Option<u32>) -> Result<(), Error> {
    match (role, participant) {
        (Role::Service, _) => Err(wrong(field, "service is no person's role")),
        (Role::Operator, Some(_)) => Err(wrong(field, "an operator works for the whole network")),
        (Role::Compliance, None) => Err(wrong(field, "compliance works for one participant")),
        (Role::Operator | Role::BackOffice | Role::Compliance | Role::Auditor, _) => Ok(()),
    }
}

impl Accounts {
    /// Reads local accounts.
    ///
    /// # Errors
    /// Naming the file, and the account or field that is wrong; never a password.
    pub fn load(file: &Path) -> Result<Self, Error> {
        let unreadable = |reason: String| Error::Accounts { file: file.to_owned(), reason };
        let text = std::fs::read_to_string(file).map_err(|error| unreadable(error.to_string()))?;
        // The parser's own words would quote the line, and with it a hash.
        let read: Self =
            toml::from_str(&text).map_err(|error| unreadable(error.message().to_owned()))?;
        let mut names = BTreeSet::new();
        for own in &read.accounts {
            let name = own.name.trim().to_lowercase();
            let named = |reason: &str| unreadable(format!("account {name}: {reason}"));
            if name.is_empty() || name.chars().count() > 100 {
                return Err(unreadable("name: must have 1 to 100 letters".to_owned()));
            }
            if !names.insert(name.clone()) {
                return Err(named("stands there twice"));
            }
            if !password::readable(&own.password) {
                return Err(named("password: is no PHC string of argon2id"));
            }
            may_be("role", own.role, own.participant).map_err(|error| named(&error.to_string()))?;
        }
        Ok(read)
    }
}

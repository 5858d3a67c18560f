//! Forms as they come in: read only when they hold the token of the session that they are sent in. It must never leave
//! that to a handler.

use std::{collections::HashMap, str::FromStr};

use axum::{
    extract::{FromRequest, FromRequestParts, Multipart, Query, Request},
    http::request::Parts,
};
use services_office::Actor;
use time::OffsetDateTime;

use crate::{
    app::{App, Told},
    sessions::Session,
};

/// What every form holds.
pub(crate) const TOKEN: &str = "csrf";

/// Who is signed in. The guard has judged him.
impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = Told;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Told> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Told::signed_out)
    }
}

/// Named values of a query or a form; an empty one is absent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(HashMap<String, String>);

impl Fields {
    pub(crate) fn of(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        // A password is every letter of it.
        let plain = |name: &str, value: String| match name {
            "password" => value,
            _ => value.trim().to_owned(),
        };
        let pairs = pairs.into_iter().map(|(name, value)| (plain(&name, value), name));
        let pairs = pairs.map(|(value, name)| (name, value));
        Self(pairs.filter(|(_, value)| !value.is_empty()).collect())
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// As a form shows it again.
    pub(crate) fn shown(&self, name: &str) -> String {
        self.text(name).unwrap_or_default().to_owned()
    }

    /// What must be there.
    pub(crate) fn needed(&self, name: &'static str) -> Result<&str, Told> {
        self.text(name).ok_or_else(|| Told::invalid(name, "is missing"))
    }

    /// A value of a form of its own, if it is there.
    pub(crate) fn read<T: FromStr>(
        &self,
        name: &'static str,
        form: &str,
    ) -> Result<Option<T>, Told> {
        let wrong = |text: &str| Told::invalid(name, &format!("{text} is no {form}"));
        self.text(name).map(|text| text.parse().map_err(|_| wrong(text))).transpose()
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        self.text(name).is_some()
    }

    /// The same as a query, without one of its values.
    pub(crate) fn query(&self, without: &str) -> String {
        let mut pairs: Vec<_> = self.0.iter().filter(|(name, _)| *name != without).collect();
        pairs.sort();
        let mut out = String::new();
        for (name, value) in pairs {
            let value: String =
                openidconnect::url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
            out.push_str(&format!("&{name}={value}"));
        }
        out
    }
}

/// The query of a page.
impl<S: Send + Sync> FromRequestParts<S> for Fields {
    type Rejection = Told;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Told> {
        let wrong = |_| Told::invalid("query", "cannot be read");
        let Query(pairs) = Query::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(wrong)?;
        Ok(Self::of(pairs))
    }
}

/// A form of the session that sends it.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) session: Session,
    pub(crate) fields: Fields,
    /// Its file, with its name.
    pub(crate) file: Option<(String, Vec<u8>)>,
    pub(crate) now: OffsetDateTime,
}

impl Sent {
    pub(crate) fn actor(&self) -> &Actor {
        &self.session.actor
    }

    /// Which break, and which version of it was seen.
    pub(crate) fn version(&self) -> Result<i32, Told> {
        let version = self.fields.read("version", "number")?;
        version.ok_or_else(|| Told::invalid("version", "is missing: open the page again"))
    }
}

impl FromRequest<App> for Sent {
    type Rejection = Told;

    async fn from_request(request: Request, state: &App) -> Result<Self, Told> {
        let session = request.extensions().get::<Session>().cloned();
        let session = session.ok_or_else(Told::signed_out)?;
        let kind = request.headers().get(axum::http::header::CONTENT_TYPE);
        let many = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/form-data"));
        let (fields, file) = if many {
            parts(request, state, &session).await?
        } else {
            (pairs(request, state).await?, None)
        };
        let token = fields.text(TOKEN).unwrap_or_default();
        if !session.made(token) {
            return Err(Told::foreign());
        }
        Ok(Self { session, fields, file, now: OffsetDateTime::now_utc() })
    }
}

/// The fields of a form without a file.
pub(crate) async fn pairs(request: Request, state: &App) -> Result<Fields, Told> {
    let form = axum::Form::<Vec<(String, String)>>::from_request(request, state).await;
    let wrong = |_| Told::invalid("form", "cannot be read, or is too long");
    Ok(Fields::of(form.map_err(wrong)?.0))
}

/// The fields of a form with a file; nothing is read of a file before the token was right.
async fn parts(
    request: Request,
    state: &App,
    session: &Session,
) -> Result<(Fields, Option<(String, Vec<u8>)>), Told> {
    let wrong = || Told::invalid("file", "cannot be read, or is over 32 MiB");
    let mut form = Multipart::from_request(request, state).await.map_err(|_| wrong())?;
    let (mut pairs, mut file) = (Vec::new(), None);
    while let Some(part) = form.next_field().await.map_err(|_| wrong())? {
        let name = part.name().unwrap_or_default().to_owned();
        let Some(named) = part.file_name().map(str::to_owned) else {
            let value = part.text().await.map_err(|_| wrong())?;
            if name == TOKEN && !session.made(&value) {
                return Err(Told::foreign());
            }
            pairs.push((name, value));
            continue;
        };
        if !pairs.iter().any(|(name, _)| name == TOKEN) {
            return Err(Told::foreign());
        }
        let bytes = part.bytes().await.map_err(|_| wrong())?;
        if !named.is_empty() {
            file = Some((named, bytes.into()));
        }
    }
    Ok((Fields::of(pairs), file))
}

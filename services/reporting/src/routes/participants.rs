//! Who takes part: names and codes for all, accounts and keys for those who may see them.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Html,
};

use super::frame::{Frame, page as shown};
use crate::{
    app::{App, Told},
    sessions::Session,
    store::participants::{KeyRow, ParticipantRow},
    view,
};

#[derive(Template)]
#[template(path = "participants.html")]
struct List {
    frame: Frame,
    rows: Vec<ParticipantRow>,
}

struct Account {
    account: u64,
    currency: String,
    posted: String,
    reserved: String,
    cap: String,
    available: String,
}

struct Key {
    row: KeyRow,
    added_at: String,
}

#[derive(Template)]
#[template(path = "participant.html")]
struct One {
    frame: Frame,
    row: ParticipantRow,
    /// Whether the actor sees what is the participant's own.
    own: bool,
    accounts: Vec<Account>,
    keys: Vec<Key>,
}

pub(super) async fn list(State(app): State<App>, session: Session) -> Result<Html<String>, Told> {
    let rows = app.store.participants().await?;
    let frame = Frame::new(Some(&session), "participants", "Participants");
    shown(&List { frame, rows })
}

pub(super) async fn one(
    State(app): State<App>,
    session: Session,
    Path(id): Path<u32>,
) -> Result<Html<String>, Told> {
    let rows = app.store.participants().await?;
    let row = rows.into_iter().find(|row| row.participant == id);
    let row = row.ok_or_else(|| Told::not_found("participant", &id.to_string()))?;
    let own = session.actor.participant().is_none_or(|own| own == id);
    let (mut accounts, mut keys) = (Vec::new(), Vec::new());
    if own {
        accounts = app.store.liquidity(Some(id)).await?;
        keys = app.store.keys(id).await?;
    }
    let title = if row.name.is_empty() { format!("Participant {id}") } else { row.name.clone() };
    shown(&One {
        frame: Frame::new(Some(&session), "participants", &title),
        accounts: accounts
            .into_iter()
            .map(|row| Account {
                account: row.account,
                posted: view::money(row.posted, row.exponent),
                reserved: view::money(row.reserved, row.exponent),
                cap: view::money(row.cap, row.exponent),
                available: view::money(row.available(), row.exponent),
                currency: row.currency,
            })
            .collect(),
        keys: keys
            .into_iter()
            .map(|row| Key { added_at: view::precisely(row.added_at), row })
            .collect(),
        row,
        own,
    })
}

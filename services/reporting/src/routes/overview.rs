//! The first page: liquidity, flow, finality, breaks, how far the tables are; and the page that says how the console is
//! worked.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use askama::Template;
use axum::{extract::State, response::Html};
use time::OffsetDateTime;

use super::{
    form::Fields,
    frame::{Frame, PLACES, Place, page as shown},
};
use crate::{
    app::{App, Told},
    figures::{FINALITY, Figures, PACE, Rows, figures},
    sessions::Session,
    store::overview::TRANSFERS_MAX,
    view,
};

/// Figures are made at most this often, however many look.
const FRESH: Duration = Duration::from_secs(5);
const LIVE_S: u32 = 10;

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    frame: Frame,
    figures: Arc<Figures>,
    live: bool,
    at: String,
}

#[derive(Template)]
#[template(path = "help.html")]
struct Help {
    frame: Frame,
    places: [Place; 8],
}

pub(super) async fn page(
    State(app): State<App>,
    session: Session,
    fields: Fields,
) -> Result<Html<String>, Told> {
    let figures = fresh(&app, session.actor.participant()).await?;
    let live = fields.is("live");
    let mut frame = Frame::new(Some(&session), "overview", "Overview");
    frame.refresh = live.then_some(LIVE_S);
    let at = view::when(figures.at);
    shown(&Page { frame, figures, live, at })
}

pub(super) async fn help(session: Session) -> Result<Html<String>, Told> {
    shown(&Help { frame: Frame::new(Some(&session), "", "Help"), places: PLACES })
}

/// Figures that are fresh, made once for all who look at the same time.
async fn fresh(app: &App, own: Option<u32>) -> Result<Arc<Figures>, Told> {
    let mut known = app.figures.lock().await;
    if let Some((_, figures)) = known.get(&own).filter(|(at, _)| at.elapsed() < FRESH) {
        return Ok(Arc::clone(figures));
    }
    let made = Arc::new(made(app, own).await?);
    known.insert(own, (Instant::now(), Arc::clone(&made)));
    Ok(made)
}

async fn made(app: &App, own: Option<u32>) -> Result<Figures, Told> {
    let (store, now) = (&app.store, OffsetDateTime::now_utc());
    let liquidity = store.liquidity(own).await?;
    let accounts: Vec<u64> = liquidity.iter().map(|row| row.account).collect();
    // A time after the last record has no record, and nothing is behind it.
    let moved = match store.first_record(now - PACE).await? {
        Some(from) => store.moved(&accounts, from).await?,
        None => Vec::new(),
    };
    let pace = match store.first_record(now - FINALITY).await? {
        Some(from) => store.pace(own, from).await?,
        None => Vec::new(),
    };
    let (ages, tip) = (store.ages(own, now).await?, store.tip().await?);
    let truncated = i64::try_from(pace.len()).is_ok_and(|count| count >= TRANSFERS_MAX);
    Ok(figures(&Rows {
        liquidity: &liquidity,
        moved: &moved,
        pace: &pace,
        ages: &ages,
        tip,
        calendars: app.office.calendars(),
        now,
        truncated,
    }))
}

//! Server time of every page of the console, by role, over so many transfers, on the database of CAUSEWAY_TEST_DATABASE_URL,
//! which it fills first if it is empty. It judges by one bound, and knows a page by its address alone.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::float_arithmetic,
    reason = "a bench says what it saw, and ends where it cannot"
)]
use std::{
    collections::BTreeSet,
    process::ExitCode,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use services_office::{Actor, Role};
use services_reporting::{
    access::Need,
    app::App,
    routes::{self, SESSION, table},
};
use tower::ServiceExt as _;

#[path = "pages/fill.rs"]
mod fill;
#[path = "pages/questions.rs"]
mod questions;

/// Transfers, unless TRANSFERS says otherwise.
const TRANSFERS: i64 = 10_000_000;
/// What each page keeps below.
const BOUND: Duration = Duration::from_millis(200);
/// Times that each address is asked for after the first.
const TIMES: usize = 10;

/// Who asks: for the whole network; for a member with one transfer in twenty; with one in ten thousand, who sent one in five
/// thousand; and with a hundred that are long ago.
const PEOPLE: [(&str, Role, Option<u32>); 8] = [
    ("operator", Role::Operator, None),
    ("back office", Role::BackOffice, None),
    ("back office of 101", Role::BackOffice, Some(101)),
    ("back office of 141", Role::BackOffice, Some(141)),
    ("back office of 142", Role::BackOffice, Some(142)),
    ("compliance of 101", Role::Compliance, Some(101)),
    ("auditor", Role::Auditor, None),
    ("auditor of 101", Role::Auditor, Some(101)),
];

/// What one address took.
struct Took {
    who: &'static str,
    path: String,
    status: StatusCode,
    bytes: usize,
    first: Duration,
    median: Duration,
    worst: Duration,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Ok(url) = std::env::var("CAUSEWAY_TEST_DATABASE_URL") else {
        println!("CAUSEWAY_TEST_DATABASE_URL names no database: nothing is measured");
        return ExitCode::SUCCESS;
    };
    let transfers = std::env::var("TRANSFERS").ok().and_then(|text| text.parse().ok());
    let everything = std::env::var_os("EVERYTHING").is_some();
    fill::filled(&url, transfers.unwrap_or(TRANSFERS)).await;
    let folder = tempfile::tempdir().unwrap();
    let (app, samples) = questions::console(&url, folder.path()).await;
    println!("{}", samples.said);
    let mut slow = 0;
    let mut asked = BTreeSet::new();
    println!("| page | slowest for | first, ms | median, ms | worst, ms |\n|---|---|---|---|---|");
    for route in table().into_iter().filter(|route| route.method == Method::GET) {
        let mut all = Vec::new();
        for (who, role, participant) in PEOPLE {
            if route.need == Need::Open || !route.need.met_by(role, participant) {
                continue;
            }
            let actor = Actor::new(who, role, participant).unwrap();
            let token = app.sessions.open(actor, "local", Instant::now()).unwrap();
            for path in questions::paths(route.path, &samples) {
                all.push(took(&app, who, path, &token).await);
            }
        }
        slow += all.iter().filter(|took| took.median >= BOUND).count();
        all.sort_by_key(|took| std::cmp::Reverse(took.median));
        let shown = if everything { all.len() } else { 1 };
        for took in all.iter().take(shown) {
            said(route.path, took);
        }
        if !all.is_empty() {
            asked.insert(route.path);
        }
    }
    println!("{} routes were asked; {slow} addresses took {BOUND:?} or more", asked.len());
    if slow == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn said(route: &str, took: &Took) {
    let millis = |time: Duration| time.as_secs_f64() * 1_000.0;
    let (first, median, worst) = (millis(took.first), millis(took.median), millis(took.worst));
    let Took { who, path, status, bytes, .. } = took;
    let asked = if path == route { String::new() } else { format!(" `{path}`") };
    let status = status.as_u16();
    println!(
        "| `{route}` | {who}{asked} ({status}, {bytes} bytes) | {first:.1} | {median:.1} | {worst:.1} |"
    );
}

async fn took(app: &App, who: &'static str, path: String, token: &str) -> Took {
    let mut times = Vec::new();
    let (mut status, mut bytes) = (StatusCode::OK, 0);
    for _ in 0..=TIMES {
        // Figures that were made for another are no measure.
        app.figures.lock().await.clear();
        let cookie = format!("{SESSION}={token}");
        let request = Request::builder().uri(&path).header(header::COOKIE, cookie);
        let request = request.body(Body::empty()).unwrap();
        let begun = Instant::now();
        let answer = routes::router(app).oneshot(request).await.unwrap();
        status = answer.status();
        bytes = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap().len();
        times.push(begun.elapsed());
    }
    assert!(!status.is_server_error(), "{who} {path}: {status}");
    let first = times.remove(0);
    times.sort_unstable();
    Took { who, path, status, bytes, first, median: times[TIMES / 2], worst: times[TIMES - 1] }
}

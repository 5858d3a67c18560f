//! The office's loop: takes in what lies in the watched folder, reads the ledger's rows forward, compares. It must
//! never end because one file is bad or the database is away.

use std::time::{Duration, Instant};

use serde_json::json;
use services_runtime::{
    health,
    retry::{self, BackoffBuilder},
    shutdown::Shutdown,
};
use time::OffsetDateTime;
use tracing::{info, warn};

use crate::{
    Office, Settings,
    actor::Actor,
    error::Error,
    inbox::Inbox,
    pull::{Became, Pull},
    store::{Imported, Matched},
};

/// What must hold before an office is ready: its tables take what is written, and the last round went through.
pub const CONDITIONS: [&str; 2] = [DATABASE, ROUND];
const DATABASE: &str = "database";
const ROUND: &str = "round";
/// The longest pause after a round that failed.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Why the office stopped.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    #[error("health_listen: health cannot be served")]
    Health(#[source] health::Error),
    #[error("the office cannot start")]
    Start(#[source] Error),
}

/// What one round did.
#[derive(Clone, Debug, Default)]
pub struct Round {
    pub imported: Vec<Imported>,
    pub movements: u64,
    pub matched: Matched,
}

/// Runs until shutdown.
///
/// # Errors
/// When the settings are unusable; a database that is away is waited for.
pub async fn run(
    settings: Settings,
    health: Option<health::State>,
    shutdown: Shutdown,
) -> Result<(), Ended> {
    if let (Some(state), Some(address)) = (&health, settings.health_listen) {
        health::serve(address, state.clone(), &shutdown).await.map_err(Ended::Health)?;
    }
    let inbox = settings.inbox().map_err(Ended::Start)?;
    let office = Office::new(&settings.database_url, settings.rules).map_err(Ended::Start)?;
    let set = |condition, met| {
        if let Some(health) = &health {
            health.set(condition, met);
        }
    };
    let poll = Duration::from_millis(settings.poll_ms);
    let mut delays = retry::forever().build();
    let mut migrated = false;
    loop {
        let work = async {
            if !migrated {
                office.migrate().await?;
                migrated = true;
                set(DATABASE, true);
                if let Some(inbox) = &inbox {
                    settings
                        .pull
                        .iter()
                        .for_each(|pull| keep_pulling(&office, pull, inbox, &shutdown));
                }
            }
            office.round(inbox.as_ref(), OffsetDateTime::now_utc()).await
        };
        let begun = Instant::now();
        let round = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            round = work => round,
        };
        let pause = match round {
            Ok(round) => {
                set(ROUND, true);
                told(&round);
                delays = retry::forever().build();
                // A book of millions must not keep the database busy with nothing else.
                poll.max(begun.elapsed() * 4)
            }
            Err(failure) => {
                set(ROUND, false);
                let pause = delays.next().unwrap_or(PAUSE_MAX);
                let error = services_runtime::error::chain(&failure);
                warn!(error, ?pause, "a round of the office failed, trying again");
                pause
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Fetches from a server beside the rounds, until shutdown.
fn keep_pulling(office: &Office, pull: &Pull, inbox: &Inbox, shutdown: &Shutdown) {
    let (office, pull, inbox) = (office.clone(), pull.clone(), inbox.clone());
    let ends = shutdown.token();
    tokio::spawn(async move { ends.run_until_cancelled(office.pull_on(&pull, &inbox)).await });
}

/// Never an account or an amount.
fn told(round: &Round) {
    for file in &round.imported {
        let (digest, verdict) = (&file.digest, file.verdict);
        info!(
            digest,
            verdict,
            entries = file.entries,
            findings = file.findings_count,
            "file judged"
        );
    }
    if round.matched.changed() {
        let Matched { matches, dissolved, opened, closed, back, compared } = round.matched;
        info!(compared, matches, dissolved, opened, closed, back, "books compared");
    }
}

impl Office {
    /// Fetches from a server for ever. One that refuses us is asked no sooner than at its time, lest it lock us out.
    async fn pull_on(&self, pull: &Pull, inbox: &Inbox) {
        loop {
            let server = pull.name.as_str();
            match self.pull(pull, inbox, OffsetDateTime::now_utc(), false).await {
                Ok(files) => {
                    let count = |became| files.iter().filter(|file| file.became == became).count();
                    let (fetched, too_large) = (count(Became::Fetched), count(Became::TooLarge));
                    if fetched + too_large > 0 {
                        info!(server, fetched, too_large, "statements fetched");
                    }
                }
                Err(failure) => {
                    let error = services_runtime::error::chain(&failure);
                    warn!(server, error, every_s = pull.every_s, "not fetched, trying again");
                }
            }
            tokio::time::sleep(Duration::from_secs(pull.every_s)).await;
        }
    }

    /// One round: files, the ledger's rows, matching.
    ///
    /// # Errors
    /// When the database or the folder fails; what was done before stays done.
    pub async fn round(&self, inbox: Option<&Inbox>, now: OffsetDateTime) -> Result<Round, Error> {
        let mut round = Round::default();
        if let Some(inbox) = inbox {
            round.imported = self.take_in(inbox, now).await?;
        }
        round.movements = self.ledger_read().await?;
        round.matched = self.match_all(now).await?;
        Ok(round)
    }

    /// Takes in every file that waits. A file is put away after its outcome is kept: what a crash leaves in `incoming`
    /// is known again by its digest and ends in `refused` as a copy, which says where the first is.
    async fn take_in(&self, inbox: &Inbox, now: OffsetDateTime) -> Result<Vec<Imported>, Error> {
        let actor = Actor::service();
        let mut all = Vec::new();
        for file in inbox.waiting()? {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let bytes = match inbox.read(&file, self.rules.file_bytes_max) {
                Ok(bytes) => bytes,
                Err(failure) => {
                    let text = failure.to_string();
                    let findings = json!({ "verdict": "refused", "findings": [{ "code": "FILE", "text": text }] });
                    inbox.put_away(&file, Some(&format!("{findings:#}\n")))?;
                    continue;
                }
            };
            let imported = self.statement_import(&actor, &name, bytes, None, now).await?;
            let findings = serde_json::to_string_pretty(&imported).unwrap_or_default();
            let refused = (imported.verdict == "refused").then_some(findings);
            inbox.put_away(&file, refused.as_deref())?;
            all.push(imported);
        }
        Ok(all)
    }
}

//! `causeway office journal`: the three messages of a journal's comparison as files. It must never send a row that was not
//! asked for.

use std::{fs, path::Path};

use anyhow::Context as _;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use services_office::{
    error::Error,
    journal::{self, Digest, Rows, Scope, Wanted, read},
    store::{Answered, Compared},
};

use super::{At, tables, value};
use crate::args::office::{Journal, JournalFile};
use crate::{Answer, out};

/// What a participant does without the office's database; nothing for the others.
pub(super) fn offline(command: &Journal, as_json: bool) -> Option<anyhow::Result<Answer>> {
    match command {
        Journal::Digest { journal, account, currency, day } => {
            let scope =
                Scope { account: account.clone(), currency: currency.clone(), day: day.clone() };
            Some(digest(journal, scope, as_json))
        }
        Journal::Rows { journal, wanted } => Some(rows(journal, wanted, as_json)),
        Journal::Compare { .. } | Journal::Take { .. } | Journal::List { .. } => None,
    }
}

fn digest(file: &JournalFile, scope: Scope, as_json: bool) -> anyhow::Result<Answer> {
    let own = read_day(&file.file, &scope)?;
    let digest = journal::digest(scope, &own.rows);
    let text = format!(
        "{} rows in {} buckets; credits {}, debits {}; {} rows of other days left out",
        digest.rows,
        1_u32 << digest.bits,
        digest.credits,
        digest.debits,
        own.of_other_days
    );
    hand_out(&digest, file.out.as_deref(), as_json, &text)
}

fn rows(file: &JournalFile, wanted: &Path, as_json: bool) -> anyhow::Result<Answer> {
    let wanted: Wanted = message(wanted)?;
    let own = read_day(&file.file, &wanted.scope)?;
    let answer = journal::answer(&wanted, &own.rows)?;
    let text = format!("{} of {} rows travel", answer.rows.len(), own.rows.len());
    hand_out(&answer, file.out.as_deref(), as_json, &text)
}

fn read_day(file: &Path, scope: &Scope) -> anyhow::Result<read::Day> {
    let bytes = fs::read(file).with_context(|| file.display().to_string())?;
    let day = scope.date()?;
    Ok(read::journal(&bytes, &scope.currency, day)?)
}

/// A message to its file, with a word to whoever runs the command; without a file the message itself.
fn hand_out(
    message: &impl Serialize,
    file: Option<&Path>,
    as_json: bool,
    text: &str,
) -> anyhow::Result<Answer> {
    let Some(file) = file else {
        out::line(&serde_json::to_string(message)?);
        return Ok(Answer::Done);
    };
    fs::write(file, serde_json::to_string(message)?).with_context(|| file.display().to_string())?;
    if as_json {
        out::json(&json!({ "text": text, "out": file }));
    } else {
        out::line(text);
    }
    Ok(Answer::Done)
}

fn message<T: DeserializeOwned>(file: &Path) -> anyhow::Result<T> {
    let shown = file.display().to_string();
    let text = fs::read_to_string(file).with_context(|| shown.clone())?;
    let wrong = |error: serde_json::Error| Error::File { path: shown, reason: error.to_string() };
    Ok(serde_json::from_str(&text).map_err(wrong)?)
}

impl At {
    pub(super) async fn journal(&self, command: &Journal) -> anyhow::Result<Answer> {
        match command {
            Journal::Digest { .. } | Journal::Rows { .. } => Ok(Answer::Done),
            Journal::Compare { digest, out } => self.journal_compare(digest, out.as_deref()).await,
            Journal::Take { rows } => self.journal_take(rows).await,
            Journal::List { limit } => {
                let rows = self.office.journal_list(&self.actor, *limit).await?;
                self.say(&json!({ "journals": value(&rows)? }), || tables::journals(&rows));
                Ok(Answer::Done)
            }
        }
    }

    /// The answer is no where rows are wanted.
    async fn journal_compare(&self, file: &Path, out: Option<&Path>) -> anyhow::Result<Answer> {
        let digest: Digest = message(file)?;
        let compared = self.office.journal_compare(&self.actor, &digest, self.now).await?;
        let Compared { rows, ledger_rows, buckets, differing, wanted, .. } = &compared;
        let text = format!(
            "{rows} rows of the journal, {ledger_rows} of the ledger: {differing} of {buckets} buckets differ"
        );
        if let (Some(wanted), Some(file)) = (wanted, out) {
            fs::write(file, serde_json::to_string(wanted)?)
                .with_context(|| file.display().to_string())?;
        }
        self.say(&value(&compared)?, || text);
        Ok(if wanted.is_none() { Answer::Done } else { Answer::No })
    }

    async fn journal_take(&self, file: &Path) -> anyhow::Result<Answer> {
        let rows: Rows = message(file)?;
        let answered = self.office.journal_take(&self.actor, &rows, self.now).await?;
        let Answered { rows, matched, .. } = &answered;
        self.say(&value(&answered)?, || {
            format!(
                "{rows} rows taken: {} breaks opened, {} closed",
                matched.opened, matched.closed
            )
        });
        Ok(Answer::Done)
    }
}

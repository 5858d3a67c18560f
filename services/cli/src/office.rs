//! `causeway office`: the back office from a terminal. It must never judge what the office answers.

use std::{fs, path::Path};

use anyhow::Context as _;
use serde_json::{Value, json};
use services_office::{
    Actor, Office, Settings,
    breaks::Resolution,
    bridge::Leg,
    correction::{Kind, Proposal},
    error::Error,
    inbox::Inbox,
    pull::Pull,
    store::{Attachment, BreakFilter, Close, NewAccount},
    take,
};
use time::OffsetDateTime;

use crate::args::Service;
use crate::args::office::{
    Accounts, Breaks, Command, Day, Desk, Filter, Maps, Office as Args, Propose, Statements, Which,
    WhichDay,
};
use crate::{Answer, out, services};

mod journal;
mod tables;

/// Who acts, where, when.
struct At {
    office: Office,
    actor: Actor,
    now: OffsetDateTime,
    json: bool,
    pulls: Vec<Pull>,
    inbox: Option<Inbox>,
}

pub(crate) fn run(args: &Args, json: bool) -> anyhow::Result<Answer> {
    if matches!(args.command, Command::Run) {
        let config = args.desk.config.as_deref().context("office run: give --config FILE")?;
        return services::run(Service::Office, config);
    }
    if let Command::Journal(command) = &args.command
        && let Some(answer) = journal::offline(command, json)
    {
        return answer.or_else(|failure| told(failure, json));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let at = open(&args.desk, json).await?;
        let answer = match &args.command {
            Command::Run => Ok(Answer::Done),
            Command::Match => at.compare().await,
            Command::Pull { dry_run, server } => at.pull(*dry_run, server.as_deref()).await,
            Command::Accounts(command) => at.accounts(command).await,
            Command::Maps(command) => at.maps(command).await,
            Command::Statements(command) => at.statements(command).await,
            Command::Journal(command) => at.journal(command).await,
            Command::Breaks(command) => at.breaks(command).await,
            Command::Day(command) => at.day(command).await,
        };
        answer.or_else(|failure| told(failure, json))
    })
}

/// An act that was not done: its code and what to do next. A day that stays open is an answer of no.
fn told(failure: anyhow::Error, json: bool) -> anyhow::Result<Answer> {
    let Some(error) = failure.downcast_ref::<Error>() else { return Err(failure) };
    let (code, next) = (error.code(), error.next_step());
    if json {
        out::json(&json!({ "error": code, "text": error.to_string(), "next": next }));
    }
    let no = matches!(error, Error::Day { .. });
    if no {
        out::note(&format!("{code}: {error}: {next}"));
        return Ok(Answer::No);
    }
    Err(failure.context(format!("{code}: {next}")))
}

async fn open(desk: &Desk, json: bool) -> anyhow::Result<At> {
    let settings: Settings = match (&desk.config, &desk.database) {
        (Some(config), _) => services_runtime::settings::load(config)
            .with_context(|| format!("{}: cannot be used", config.display()))?,
        (None, Some(database)) => Settings::of(database.clone()),
        (None, None) => anyhow::bail!("give --config FILE or --database URL"),
    };
    let inbox = settings.inbox()?;
    let office = Office::new(&settings.database_url, settings.rules)?;
    office.migrate().await?;
    let actor = Actor::new(&desk.actor, desk.role.parse()?, desk.of)?;
    Ok(At { office, actor, now: OffsetDateTime::now_utc(), json, pulls: settings.pull, inbox })
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(file).with_context(|| file.display().to_string())
}

fn base(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn value<T: serde::Serialize>(of: &T) -> anyhow::Result<Value> {
    serde_json::to_value(of).context("the answer is no JSON")
}

impl At {
    fn say(&self, value: &Value, text: impl FnOnce() -> String) {
        if self.json { out::json(value) } else { out::line(&text()) }
    }

    fn done(&self, value: &Value) -> Answer {
        self.say(value, || "done".to_owned());
        Answer::Done
    }

    async fn compare(&self) -> anyhow::Result<Answer> {
        let round = self.office.round(None, self.now).await?;
        let matched = value(&round.matched)?;
        let said = json!({ "movements": round.movements, "matched": matched });
        self.say(&said, || {
            format!("{} movements of the ledger are new; {matched}", round.movements)
        });
        Ok(Answer::Done)
    }

    /// Each server by itself: one that is not reached keeps no other away.
    async fn pull(&self, dry_run: bool, server: Option<&str>) -> anyhow::Result<Answer> {
        let inbox = self.inbox.as_ref().context("office pull: the settings name no inbox")?;
        let asked = |pull: &&Pull| server.is_none_or(|name| name == pull.name);
        let servers: Vec<&Pull> = self.pulls.iter().filter(asked).collect();
        anyhow::ensure!(!servers.is_empty(), "office pull: the settings name no such server");
        let (mut files, mut failures) = (Vec::new(), Vec::new());
        for pull in servers {
            match self.office.pull(pull, inbox, self.now, dry_run).await {
                Ok(pulled) => files.extend(pulled),
                Err(failure @ Error::Pull { .. }) => failures.push(failure),
                Err(failure) => return Err(failure.into()),
            }
        }
        let told =
            |failure: &Error| json!({ "error": failure.code(), "text": failure.to_string() });
        let failed: Vec<Value> = failures.iter().map(told).collect();
        self.say(&json!({ "files": value(&files)?, "failures": failed }), || {
            tables::pulled(&files)
        });
        for failure in &failures {
            out::note(&format!("{failure}: {}", failure.next_step()));
        }
        Ok(if failures.is_empty() { Answer::Done } else { Answer::No })
    }

    async fn accounts(&self, command: &Accounts) -> anyhow::Result<Answer> {
        match command {
            Accounts::List => {
                let rows = self.office.accounts(&self.actor).await?;
                self.say(
                    &json!({ "accounts": rows.iter().map(tables::account).collect::<Vec<_>>() }),
                    || tables::accounts(&rows),
                );
                Ok(Answer::Done)
            }
            Accounts::Add {
                identification,
                currency,
                leg,
                participant,
                ledger_account,
                compared,
                value_date_days,
                search_days,
                charges_max,
            } => {
                let leg = Leg::of(leg).with_context(|| {
                    format!("--leg: {leg} is none of custodian, participant, journal")
                })?;
                let new = NewAccount {
                    compared: compared.clone(),
                    value_date_days: *value_date_days,
                    search_days: *search_days,
                    charges_max: *charges_max,
                    ..NewAccount::of(identification, currency, leg, *participant, *ledger_account)
                };
                let account = self.office.account_put(&self.actor, &new, self.now).await?;
                Ok(self.done(&json!({ "account": account })))
            }
        }
    }

    async fn maps(&self, command: &Maps) -> anyhow::Result<Answer> {
        match command {
            Maps::List => {
                let rows = self.office.maps().await?;
                let said =
                    rows.iter().map(|row| json!({ "name": row.name, "revision": row.revision }));
                let said: Vec<Value> = said.collect();
                self.say(&json!({ "maps": said }), || {
                    rows.iter()
                        .map(|row| format!("{} (revision {})", row.name, row.revision))
                        .collect::<Vec<_>>()
                        .join("\n")
                });
                Ok(Answer::Done)
            }
            Maps::Save { name, file } => {
                let map = crate::statement::map(file)?;
                let revision = self.office.map_save(&self.actor, name, &map, self.now).await?;
                Ok(self.done(&json!({ "name": name, "revision": revision })))
            }
        }
    }

    async fn statements(&self, command: &Statements) -> anyhow::Result<Answer> {
        match command {
            Statements::Import { files, map } => {
                let mut answer = Answer::Done;
                for file in files {
                    let (name, bytes) = (base(file), read(file)?);
                    let map = map.as_deref();
                    let imported = self
                        .office
                        .statement_import(&self.actor, &name, bytes, map, self.now)
                        .await?;
                    if imported.verdict == "refused" {
                        answer = Answer::No;
                    }
                    self.say(&value(&imported)?, || tables::imported(&imported));
                }
                Ok(answer)
            }
            Statements::List { limit, refused: true } => {
                let rows = self.office.refused_list(&self.actor, *limit).await?;
                self.say(&json!({ "refused": value(&rows)? }), || tables::refused(&rows));
                Ok(Answer::Done)
            }
            Statements::List { limit, refused: false } => {
                let rows = self.office.statement_list(&self.actor, None, *limit).await?;
                self.say(&json!({ "statements": value(&rows)? }), || tables::statements(&rows));
                Ok(Answer::Done)
            }
            Statements::Show { statement, original } => {
                let row = self.office.statement_fetch(&self.actor, *statement).await?;
                if let Some(file) = original {
                    let (_, bytes) =
                        self.office.statement_original(&self.actor, *statement).await?;
                    fs::write(file, bytes).with_context(|| file.display().to_string())?;
                }
                let said = value(&row)?;
                self.say(&said, || format!("{said:#}"));
                Ok(Answer::Done)
            }
        }
    }

    /// The version that the caller saw, or as it is.
    async fn which(&self, which: &Which) -> anyhow::Result<(i64, i32)> {
        let version = match which.seen {
            Some(version) => version,
            None => self.office.break_show(&self.actor, which.id).await?.row.version,
        };
        Ok((which.id, version))
    }

    fn filter(&self, filter: &Filter) -> BreakFilter {
        BreakFilter {
            all: filter.all,
            currency: filter.currency.clone(),
            cause: filter.cause.clone(),
            owner: filter.owner.clone(),
            overdue_at: filter.overdue.then_some(self.now),
            after: None,
            limit: filter.limit,
        }
    }

    async fn breaks(&self, command: &Breaks) -> anyhow::Result<Answer> {
        let (office, actor, now) = (&self.office, &self.actor, self.now);
        let said = match command {
            Breaks::List(filter) => {
                let rows = office.break_list(actor, &self.filter(filter)).await?;
                self.say(&json!({ "breaks": value(&rows)? }), || tables::breaks(&rows, now));
                return Ok(Answer::Done);
            }
            Breaks::Show { id } => {
                let shown = value(&office.break_show(actor, *id).await?)?;
                self.say(&shown, || format!("{shown:#}"));
                return Ok(Answer::Done);
            }
            Breaks::Export(filter) => {
                out::bytes(&office.break_export(actor, &self.filter(filter)).await?);
                return Ok(Answer::Done);
            }
            Breaks::Import { file, dry_run } => return self.import(file, *dry_run).await,
            Breaks::Propose(propose) => return self.propose(propose).await,
            Breaks::Assign { which, to } => {
                let which = self.which(which).await?;
                office.break_assign(actor, which, to.as_deref(), now).await?;
                json!({ "break": which.0, "owner": to })
            }
            Breaks::Comment { id, text } => {
                office.break_comment(actor, *id, text, now).await?;
                json!({ "break": id })
            }
            Breaks::Attach { id, file } => {
                let attachment = Attachment { name: base(file), bytes: read(file)? };
                let attachment = office.break_attach(actor, *id, &attachment, now).await?;
                json!({ "break": id, "attachment": attachment })
            }
            Breaks::Approve(which) => {
                office.break_approve(actor, self.which(which).await?, now).await?;
                json!({ "break": which.id, "state": "approved" })
            }
            Breaks::Refuse(which) => {
                office.break_refuse(actor, self.which(which).await?, now).await?;
                json!({ "break": which.id, "state": "open" })
            }
            Breaks::Record { correction, uetr } => {
                let record = office.correction_record(actor, *correction, *uetr, now).await?;
                json!({ "correction": correction, "record": record })
            }
            Breaks::Close { which, resolution } => {
                let word = Resolution::of(resolution)
                    .with_context(|| format!("--resolution: {resolution} is none of corrected, written_off, accepted, no_break"))?;
                office.break_close(actor, self.which(which).await?, word, now).await?;
                json!({ "break": which.id, "state": "closed" })
            }
            Breaks::Reopen { which, note } => {
                office.break_reopen(actor, self.which(which).await?, note, now).await?;
                json!({ "break": which.id, "state": "open" })
            }
        };
        Ok(self.done(&said))
    }

    async fn propose(&self, own: &Propose) -> anyhow::Result<Answer> {
        let kind = Kind::of(&own.kind).with_context(|| {
            let all = Kind::ALL.map(Kind::as_str).join(", ");
            format!("--kind: {} is none of {all}", own.kind)
        })?;
        let proposal = Proposal {
            account: own.account,
            owner: own.owner,
            withdrawal: own.withdrawal,
            reason: own.reason.clone(),
            uetr: None,
        };
        let which = self.which(&own.which).await?;
        let proposed = self
            .office
            .break_propose(&self.actor, which, kind, (&proposal, &own.note), self.now)
            .await?;
        if let (Some(file), Some(item)) = (&own.item, &proposed.item) {
            fs::write(file, item).with_context(|| file.display().to_string())?;
        }
        let item = proposed.item.as_deref().map(hex::encode);
        Ok(self.done(&json!({ "correction": proposed.correction, "item": item })))
    }

    async fn import(&self, file: &Path, dry_run: bool) -> anyhow::Result<Answer> {
        let bytes = read(file)?;
        let preview = if dry_run {
            self.office.break_import_preview(&self.actor, &bytes).await?
        } else {
            self.office.break_import(&self.actor, &bytes, self.now).await?
        };
        let done = !dry_run && preview.refusals.is_empty();
        let mut said = value(&preview)?;
        said["done"] = json!(done);
        self.say(&said, || tables::preview(&preview, done));
        Ok(if preview.refusals.is_empty() { Answer::Done } else { Answer::No })
    }

    async fn day(&self, command: &Day) -> anyhow::Result<Answer> {
        let date = |which: &WhichDay| {
            take::date(&which.day)
                .with_context(|| format!("{}: is no date, write YYYY-MM-DD", which.day))
        };
        let close = |which: &WhichDay, up_to: Option<i64>| -> anyhow::Result<Close> {
            Ok(Close { currency: which.currency.clone(), day: date(which)?, up_to })
        };
        let (office, actor, now) = (&self.office, &self.actor, self.now);
        let row = match command {
            Day::Preview { which, up_to } => {
                office.day_preview(actor, &close(which, *up_to)?, now).await?
            }
            Day::Close { which, up_to } => {
                office.day_close(actor, &close(which, *up_to)?, now).await?
            }
            Day::Show { which, documents } => {
                let row = office.day_show(actor, &which.currency, date(which)?).await?;
                if let Some(folder) = documents {
                    fs::create_dir_all(folder)?;
                    for document in
                        office.day_documents(actor, &which.currency, date(which)?).await?
                    {
                        fs::write(folder.join(&document.name), &document.bytes)?;
                    }
                }
                row
            }
        };
        let said = value(&row)?;
        self.say(&said, || tables::day(&row));
        Ok(Answer::Done)
    }
}

//! The operator's commands on nodes and data: what each says, and with which status it ends. It must never hide a failed
//! check behind a status of done.

use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tonic::{Code, Status};

use super::authority::Folder;
use super::{backup, cluster, offline, rotate};
use crate::args::operator::Operator;
use crate::{Answer, out};

/// What a command says, and its answer.
#[derive(Debug)]
pub struct Said {
    /// For people.
    pub text: String,
    /// For scripts.
    pub value: Value,
    /// Whether the answer is yes.
    pub answer: Answer,
}

impl Said {
    /// It was done.
    pub fn done(text: String, value: Value) -> Self {
        Self { text, value, answer: Answer::Done }
    }

    /// The answer is no.
    pub fn no(text: String, value: Value) -> Self {
        Self { text, value, answer: Answer::No }
    }

    /// Prints it.
    pub fn print(&self, as_json: bool) -> Answer {
        if as_json {
            out::json(&self.value);
        } else {
            out::line(&self.text);
        }
        self.answer
    }
}

/// A refusal is an answer of no; anything else is a failure.
pub(crate) fn refused(status: &Status) -> anyhow::Result<Said> {
    match status.code() {
        Code::FailedPrecondition | Code::NotFound => {
            let text = status.message().to_owned();
            Ok(Said::no(format!("refused: {text}"), json!({ "refused": text })))
        }
        Code::InvalidArgument => anyhow::bail!("{}", status.message()),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated => anyhow::bail!("{}: {}", status.code(), status.message()),
    }
}

/// A bar on standard error, where that is a terminal.
pub(crate) fn bar(what: &str, length: u64) -> anyhow::Result<ProgressBar> {
    let bar = ProgressBar::new(length);
    let style = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} {msg} {eta}");
    bar.set_style(style.context("the progress bar's own template")?);
    bar.set_message(what.to_owned());
    Ok(bar)
}

/// Runs one command.
pub fn run(command: &Operator, as_json: bool) -> anyhow::Result<Answer> {
    Ok(dispatch(command)?.print(as_json))
}

fn dispatch(command: &Operator) -> anyhow::Result<Said> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("no async runtime can be started")?;
    match command {
        Operator::Cluster(command) => runtime.block_on(cluster::run(command)),
        Operator::ReplaceNode { network, old, new, wait } => {
            let folder = Folder::read(network)?;
            let wait = Duration::from_secs(*wait);
            runtime.block_on(cluster::replace(&folder, *old, *new, wait))
        }
        Operator::Backup { network, to, node } => {
            let folder = Folder::read(network)?;
            runtime.block_on(backup::run(&folder, to, *node))
        }
        Operator::VerifyData { folder, deep } => offline::verify(folder, *deep),
        Operator::Replay { folder } => offline::replay(folder),
        Operator::Restore { .. } => super::restore::run(command),
        Operator::RotateKey { network, participant, retire } => {
            let folder = Folder::read(network)?;
            runtime.block_on(rotate::run(&folder, *participant, *retire))
        }
    }
}

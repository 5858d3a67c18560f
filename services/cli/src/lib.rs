//! The commands behind the one binary, `causeway`. It must never hold what a service does; it
//! parses, starts and prints.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

pub mod args;
pub mod network;
mod out;

use std::process::ExitCode;

use args::{Args, Command};
use clap::CommandFactory as _;

/// How a command ended; scripts read it from the exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Done,
    /// The command did its work and the answer is no.
    No,
}

/// Runs one command. A command that can't do its work never looks like an answer of no: it exits
/// with the status of unusable input.
#[must_use]
pub fn run(args: Args) -> ExitCode {
    match dispatch(args) {
        Ok(Answer::Done) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(error) => {
            out::error(&error);
            ExitCode::from(2)
        }
    }
}

fn dispatch(args: Args) -> anyhow::Result<Answer> {
    match args.command {
        Command::Network(args::Network::New(new)) => {
            let summary = network::new::run(&new)?;
            if args.json {
                out::json(&summary.to_json());
            } else {
                out::line(&summary.to_string());
            }
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "causeway", &mut script);
            out::bytes(&script);
        }
    }
    Ok(Answer::Done)
}

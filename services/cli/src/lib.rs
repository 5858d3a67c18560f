//! The commands behind the one binary, `causeway`. It must never hold what a service does; it
//! parses, starts and prints.

pub mod admin;
pub mod args;
mod batch;
pub mod bench;
pub mod demo;
mod ending;
mod iso;
pub mod listen;
pub mod network;
mod office;
pub mod out;
pub mod partner;
pub mod ports;
mod reconciliation;
mod report;
mod services;
mod statement;
pub mod wallet;

use std::process::ExitCode;

use args::{Args, Command, Service};
use clap::CommandFactory as _;

/// How a command ended; scripts read it from the exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Done,
    /// The command did its work and the answer is no.
    No,
    /// What was judged is refused, not merely wanting.
    Refused,
}

/// Runs one command. A command that can't do its work never looks like an answer of no: it exits
/// with the status of unusable input.
#[must_use]
pub fn run(args: Args) -> ExitCode {
    match dispatch(args) {
        Ok(Answer::Done) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Ok(Answer::Refused) => ExitCode::from(2),
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
        Command::Network(args::Network::AddNode(add)) => {
            return Ok(network::grow::run(&add)?.print(args.json));
        }
        Command::Network(args::Network::Revoke(revoke)) => {
            return Ok(network::revoke::run(&revoke)?.print(args.json));
        }
        Command::Network(args::Network::Renew(renew)) => {
            return Ok(network::renew::run(&renew)?.print(args.json));
        }
        Command::Bench(bench) => return bench::run(&bench, args.json),
        Command::Demo(demo) => return demo::run(&demo, args.json),
        Command::Ledger(config) => return services::run(Service::Ledger, &config.config),
        Command::Gateway(config) => return services::run(Service::Gateway, &config.config),
        Command::Fx(config) => return services::run(Service::Fx, &config.config),
        Command::Reconciliation(own) => return reconciliation::run(&own, args.json),
        Command::Reporting(config) => return services::run(Service::Reporting, &config.config),
        Command::Send(send) => return partner::send(&send, args.json),
        Command::Track(track) => return partner::track(&track, args.json),
        Command::Events(events) => return partner::events(&events),
        Command::Batch(command) => return batch::run(&command, args.json),
        Command::Listen(args) => return listen::run(&args),
        Command::Iso(args::Iso::Check(check)) => return iso::check(&check, args.json),
        Command::Statement(args::statement::Statement::Check(check)) => {
            return statement::check(&check, args.json);
        }
        Command::Office(office) => return office::run(&office, args.json),
        Command::Report(command) => return report::run(&command, args.json),
        Command::Verify(args::report::Verify::Report(verify)) => {
            return report::verify(&verify, args.json);
        }
        Command::Admin(command) => return admin::commands::run(&command, args.json),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "causeway", &mut script);
            out::bytes(&script);
        }
    }
    Ok(Answer::Done)
}

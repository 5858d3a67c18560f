//! `faulty`: the program `causeway` with places where it crashes or errs on command; it must never be installed.
use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    // Reads the variable FAILPOINTS; what it says holds until the end.
    let _scenario = fail::FailScenario::setup();
    services_runtime::tls::install_default_provider();
    services_cli::run(services_cli::args::Args::parse())
}

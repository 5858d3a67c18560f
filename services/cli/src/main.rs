//! The binary `causeway`: reads the command line and runs it. It must never do more.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    services_runtime::tls::install_default_provider();
    services_cli::run(services_cli::args::Args::parse())
}

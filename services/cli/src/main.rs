//! The binary `causeway`: reads the command line and runs it. It must never do more.

use std::process::ExitCode;

use clap::Parser as _;

/// RocksDB's buffers and a ledger's threads leave the C library's arenas full of holes: a node under
/// load grew to twice of what it held. This one gives pages back, to Rust and to C++.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    services_runtime::tls::install_default_provider();
    services_cli::run(services_cli::args::Args::parse())
}

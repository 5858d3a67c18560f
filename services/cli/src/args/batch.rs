//! Files of many transfers on the command line. It must never know how a file is sent.

use std::path::PathBuf;

use clap::Subcommand;

use super::Gateway;

pub(super) const EXAMPLES: &str = "\
Examples:
  causeway batch send payroll.csv --info demo.json --as HK
      send a file and wait until every row came to an end; the same file again is the same batch
  causeway batch send payroll.xml --mode all_or_nothing
  causeway batch status 5a2ad8e4-7f5a-4f0e-9d86-0d3a4d2c9b10
  causeway batch rejects 5a2ad8e4-7f5a-4f0e-9d86-0d3a4d2c9b10 > rejects.csv

Exit status 1: the batch was refused, or money of some rows did not move.";

#[derive(Debug, Subcommand)]
pub enum Batch {
    /// Send a file: CSV (.csv), JSON lines (.jsonl, .ndjson) or a pain.001 (.xml).
    Send(BatchSend),
    /// Show how far a batch is.
    Status(BatchOne),
    /// Print the rows whose money did not move, as CSV.
    Rejects(BatchOne),
}

/// How rows hang together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum BatchMode {
    /// Each row for itself.
    BestEffort,
    /// One row that is refused refuses all; to 8,190 rows.
    AllOrNothing,
}

#[derive(Debug, clap::Args)]
pub struct BatchSend {
    /// The file; its ending says how it is written.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub gateway: Gateway,
    /// How rows hang together.
    #[arg(long, value_enum, default_value = "best_effort")]
    pub mode: BatchMode,
    /// The Idempotency-Key; absent: a digest of the file, so that a file is never sent twice; with --again a fresh one.
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Pay a file once more whose rows were all sent lately; it is refused otherwise.
    #[arg(long)]
    pub again: bool,
    /// Return when every row is at the gateway, and do not wait for their ends.
    #[arg(long)]
    pub no_wait: bool,
}

#[derive(Debug, clap::Args)]
pub struct BatchOne {
    /// The batch's id, as it was shown when it was sent.
    #[arg(value_name = "ID")]
    pub id: String,
    #[command(flatten)]
    pub gateway: Gateway,
}

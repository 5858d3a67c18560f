//! The words of `causeway statement`. It must never know how a file is judged.

use std::path::PathBuf;

use clap::Subcommand;

const CHECK_EXAMPLES: &str = "\
Examples:
  causeway statement check camt053.xml
  causeway statement check --json monday.sta tuesday.sta
      MT940 or MT942; one JSON object a file and line, second copies found
  causeway statement check --map example-bank.toml movements.csv
      CSV, under a column map as docs/statements.md describes it
  causeway statement check --json - < camt053.xml | jq .verdict

Exit status, of the worst file:
  0  ok: nothing is wrong
  1  findings: it can be taken, and somebody should look
  2  refused, wrong usage or unreadable input";

#[derive(Debug, Subcommand)]
pub enum Statement {
    /// Say what a statement holds, whether its arithmetic holds, and what is wrong.
    #[command(after_help = CHECK_EXAMPLES)]
    Check(StatementCheck),
}

#[derive(Debug, clap::Args)]
pub struct StatementCheck {
    /// Statements: camt.052, camt.053, camt.054, MT940, MT942 or CSV; - reads standard input.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// How CSV files are written (TOML or JSON); absent: columns by their own names.
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,
}

//! The words of `causeway reconciliation`. It must never know what a sweep compares.

use std::path::PathBuf;

use clap::Subcommand;

const EXAMPLES: &str = "\
Examples:
  causeway reconciliation --config reconciliation.toml
  causeway reconciliation sweep --config reconciliation.toml
  causeway reconciliation sweep --database \"$DATABASE_URL\" --json
      without the ledger: the columns against the cursor, the tables against the columns
  causeway reconciliation rebuild --config reconciliation.toml
      says what it would do; with --yes it does it
  causeway reconciliation rebuild --database \"$DATABASE_URL\" --from-columns --yes

Exit status:
  0  done; the tables tie out
  1  the tables do not tie out; nothing was rebuilt
  2  wrong usage, or the database or the ledger cannot be read";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Reconciliation {
    /// The service's settings (TOML): follow the ledger until told to stop.
    #[arg(long, value_name = "FILE", required = true)]
    pub config: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compare the tables with the ledger, every row and every column.
    Sweep(Sweep),
    /// Make schema ledger anew from record 0, and no other schema.
    Rebuild(Rebuild),
}

/// What is looked at.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct Tables {
    /// The service's settings (TOML): the database, and the ledger beside it.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The database alone.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct Sweep {
    #[command(flatten)]
    pub tables: Tables,
}

#[derive(Debug, clap::Args)]
pub struct Rebuild {
    #[command(flatten)]
    pub tables: Tables,
    /// Take the records that are stored, not those of the ledger.
    #[arg(long)]
    pub from_columns: bool,
    /// Do it; without it, only say what would be done.
    #[arg(long)]
    pub yes: bool,
}

//! What is measured, as it is asked for on the command line. It must never know how.

pub(super) const EXAMPLES: &str = "\
Examples:
  causeway bench --workload direct --batch 8190 --transfers 500000
  causeway bench --json --workload two-phase --nodes 3 --batch 1000 --clients 4
  causeway bench --json --workload operator --transfers 600000
  causeway bench --workload reconciliation --rate 1000 --seconds 30 --transfers 1000000";

/// What the benchmark sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Workload {
    /// Single-phase transfers between institutions.
    Direct,
    /// Submit, then accept.
    TwoPhase,
    /// Backup, verify-data, replay, restore and replace-node on a ledger of so many single-phase
    /// transfers that goes on working.
    Operator,
    /// Remittances over REST through two gateways, at --rate for --seconds.
    Remittances,
    /// How far the tables are behind single-phase transfers at --rate for --seconds, and how fast
    /// they catch up after --transfers more.
    Reconciliation,
    /// GET of a transfer at a gateway, by --clients for --seconds.
    StatusReads,
}

impl Workload {
    /// Its word on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::TwoPhase => "two-phase",
            Self::Operator => "operator",
            Self::Remittances => "remittances",
            Self::Reconciliation => "reconciliation",
            Self::StatusReads => "status-reads",
        }
    }
}

#[derive(Debug, clap::Args)]
pub struct Bench {
    /// What is sent.
    #[arg(long, value_enum, default_value = "direct")]
    pub workload: Workload,
    /// How many nodes, each its own process.
    #[arg(long, default_value_t = 3)]
    pub nodes: u64,
    /// How many transfers.
    #[arg(long, default_value_t = 100_000)]
    pub transfers: usize,
    /// Items of one envelope, 1 to 8190.
    #[arg(long, default_value_t = 8_190)]
    pub batch: usize,
    /// Envelopes in flight, or connections that read.
    #[arg(long, default_value_t = 2)]
    pub clients: usize,
    /// Remittances or transfers a second, 1 to 10000; reconciliation takes up to 100000.
    #[arg(long, default_value_t = 300)]
    pub rate: u32,
    /// How long remittances are sent, or status is read.
    #[arg(long, default_value_t = 30)]
    pub seconds: u64,
}

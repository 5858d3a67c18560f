//! The operator's night on the command line: membership, replacement, backup, restore, checks, keys. It must never know
//! how a command does its work.

use std::path::PathBuf;

use clap::Subcommand;

const REPLACE_EXAMPLES: &str = "\
Example, node 2 of three is lost:
  causeway network add-node ./net --without 2      makes nodes/4
  causeway ledger --config ./net/nodes/4/node.toml  on the new machine
  causeway admin replace-node ./net 2 4

Exit status 1: a check stands against it, or the new node did not catch up in time; nothing was undone,
and the same command goes on where it stopped.";

const BACKUP_EXAMPLES: &str = "\
Examples:
  causeway admin backup ./net /backups/net
      the first time everything, later only what is new
  causeway admin backup ./net /backups/net --node 3
      from a follower, to spare the leader

Exit status 1: the folder holds another network's backup.";

const VERIFY_EXAMPLES: &str = "\
Examples:
  causeway admin verify-data /backups/net
      every file's SHA-256, every record's number and leaf hash, the root
  causeway admin verify-data --deep ./net/nodes/3/data
      a stopped node's data; everything applied again, and the state's rows compared too

Exit status 1: something differs; it says where.";

const REPLAY_EXAMPLES: &str = "\
Example, a new build on a copy of production:
  causeway-new admin replay /backups/net

Exit status 1: a record differs; it names the first.";

const RESTORE_EXAMPLES: &str = "\
Examples:
  causeway admin restore /backups/net --from ./net --into ./net2 --dry-run
      what would be kept, and where the records end
  causeway admin restore /backups/net --from ./net --into ./net2 --upto 120000
      a network of its own with everything up to record 120,000

Keys are copied from the former network's folder; certificates are made anew. Then start every node.
Exit status 1: the backup is damaged, or no entry ends there.";

const KEY_EXAMPLES: &str = "\
Example:
  causeway admin rotate-key ./net 101
      adds a new signing key and puts it in place; restart the participant's services
  causeway admin rotate-key ./net 101 --retire
      retires the former key once nothing signs with it any more";

/// The operator's commands on nodes and data.
#[derive(Debug, Subcommand)]
pub enum Operator {
    /// Who replicates the ledger.
    #[command(subcommand)]
    Cluster(Cluster),
    /// Put a new node in the place of a lost one: learner, voter, and the lost one out.
    #[command(after_help = REPLACE_EXAMPLES)]
    ReplaceNode {
        /// The network's folder.
        #[arg(value_name = "DIR")]
        network: PathBuf,
        /// The node that is lost.
        old: u64,
        /// The new node, of `causeway network add-node`; its id was never used.
        new: u64,
        /// How long the new node may take to start and catch up.
        #[arg(long, value_name = "SECONDS", default_value_t = 3_600)]
        wait: u64,
    },
    /// Copy state and history from a running node into a folder, which may hold a former copy.
    #[command(after_help = BACKUP_EXAMPLES)]
    Backup {
        /// The network's folder.
        #[arg(value_name = "DIR")]
        network: PathBuf,
        /// Where to write.
        #[arg(value_name = "BACKUP")]
        to: PathBuf,
        /// From which node; the first that answers when absent.
        #[arg(long)]
        node: Option<usize>,
    },
    /// Check a backup, or a stopped node's data folder.
    #[command(after_help = VERIFY_EXAMPLES)]
    VerifyData {
        /// The folder.
        #[arg(value_name = "DATA")]
        folder: PathBuf,
        /// Apply everything again and compare the state's rows too.
        #[arg(long)]
        deep: bool,
    },
    /// Apply a history through this build and compare every record.
    #[command(after_help = REPLAY_EXAMPLES)]
    Replay {
        /// A backup, or a stopped node's data folder.
        #[arg(value_name = "DATA")]
        folder: PathBuf,
    },
    /// Make a new network that goes on from a backup.
    #[command(after_help = RESTORE_EXAMPLES)]
    Restore {
        /// The backup.
        #[arg(value_name = "BACKUP")]
        backup: PathBuf,
        /// The former network's folder, for plan and keys.
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
        /// The new network's folder, absent or empty.
        #[arg(long, value_name = "DIR")]
        into: PathBuf,
        /// The last record to keep; the last entry that ends at or before it is taken.
        #[arg(long, value_name = "RECORD")]
        upto: Option<u64>,
        /// How many nodes: 1, 3 or 5.
        #[arg(long, default_value = "3", value_parser = ["1", "3", "5"])]
        nodes: String,
        /// A DNS name or address by which the servers are reached; repeat for more.
        #[arg(long = "host", value_name = "HOST", default_values = ["localhost", "127.0.0.1", "::1"])]
        hosts: Vec<String>,
        /// The database of gateways and reconciliation.
        #[arg(long, env = "DATABASE_URL", default_value = "postgres://localhost/causeway")]
        #[arg(hide_env_values = true)]
        database_url: String,
        /// Say what would be kept, and make nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Change a participant's signing key while it works: add and put in place, later retire.
    #[command(after_help = KEY_EXAMPLES)]
    RotateKey {
        /// The network's folder.
        #[arg(value_name = "DIR")]
        network: PathBuf,
        /// The participant's network id.
        participant: u32,
        /// Retire the former key.
        #[arg(long)]
        retire: bool,
    },
}

/// Membership, one step at a time.
#[derive(Debug, Subcommand)]
pub enum Cluster {
    /// Show members, votes, and how far each has come.
    Status {
        /// The network's folder.
        #[arg(value_name = "DIR")]
        network: PathBuf,
    },
    /// Add a node that receives the log without a vote.
    #[command(after_help = "Example:\n  causeway admin cluster add-learner ./net 4")]
    AddLearner {
        /// The network's folder.
        #[arg(value_name = "DIR")]
        network: PathBuf,
        /// Its id, never used before.
        node: u64,
        /// Its peer listener, https://host:port; from its settings when absent.
        #[arg(long, value_name = "URL")]
        peer: Option<String>,
    },
    /// Give a learner that has caught up a vote.
    #[command(after_help = "Example:\n  causeway admin cluster promote ./net 4")]
    Promote {
        /// The network's folder.
        #[arg(value_name = "DIR")]
        network: PathBuf,
        /// Which.
        node: u64,
    },
    /// Take a node out for ever; its id is never used again.
    #[command(after_help = "Example:\n  causeway admin cluster remove ./net 2 --dry-run")]
    Remove {
        /// The network's folder.
        #[arg(value_name = "DIR")]
        network: PathBuf,
        /// Which.
        node: u64,
        /// Only say whether it could be done.
        #[arg(long)]
        dry_run: bool,
    },
    /// Hand leadership to a voter.
    #[command(after_help = "Example:\n  causeway admin cluster transfer-leader ./net 3")]
    TransferLeader {
        /// The network's folder.
        #[arg(value_name = "DIR")]
        network: PathBuf,
        /// To whom.
        to: u64,
    },
}

//! The command line: what can be typed and how it is explained. It must never know how a command
//! does its work.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

pub mod batch;
pub mod bench;
pub mod office;
pub mod operator;
pub mod reconciliation;
pub mod report;
pub mod statement;

const EXIT_STATUS: &str = "\
Exit status:
  0  done
  1  the answer is no
  2  wrong usage or unreadable input";

const NETWORK_NEW_EXAMPLES: &str = "\
Examples:
  causeway network new ./net
      the demonstration network: three nodes, four wallets, two liquidity banks
  causeway network new ./net --plan my-network.toml --nodes 5
      a network of your own
  causeway network new ./net --host ledger.example.org --host 192.0.2.10
      servers that are reached by name and address from other machines";

const ADD_NODE_EXAMPLES: &str = "\
Examples:
  causeway network add-node ./net
      a fourth node of three
  causeway network add-node ./net --without 2 --host ledger4.example.org
      one that takes the place of node 2, which is lost";

const RENEW_EXAMPLES: &str = "\
Examples:
  causeway network renew ./net --dry-run
  causeway network renew ./net --within 366
      every certificate that ends within a year";

const REVOKE_EXAMPLES: &str = "\
Examples:
  causeway network revoke ./net ./net/participants/HK/client/certificate.former.pem
      what was replaced by causeway network renew
  causeway network revoke ./net ./net/participants/HK/client/certificate.pem
      shuts Hong Kong out until its certificate is renewed";

const DEMO_EXAMPLES: &str = "\
Examples:
  causeway demo
      runs until Ctrl-C and says how to reach the gateways
  causeway demo --once --json --transfers 200
      ends after the summary; the last line is one JSON object";

const SEND_EXAMPLES: &str = "\
Examples:
  causeway send order.json --info demo.json --as HK
      send through a gateway of a running demonstration and wait for the end
  causeway send order.json --dry-run
      what it would cost, at the gateway named by CAUSEWAY_GATEWAY, CAUSEWAY_CA, CAUSEWAY_API_KEY
  causeway send --wait 0 - < pacs008.xml
      a message from standard input; prints the pacs.002

Exit status 1: refused, or it ended without a credit.";

const TRACK_EXAMPLES: &str = "\
Example:
  causeway track 8a562c67-ca16-48ba-b074-65581be6f001 --info demo.json --as PH --wait 30

Exit status 1: the gateway knows no such transfer, or it ended without a credit.";

const EVENTS_EXAMPLES: &str = "\
Examples:
  causeway events --info demo.json --as HK
  causeway events --after 120 --follow | jq .data.state";

const LISTEN_EXAMPLES: &str = "\
Examples:
  causeway listen --info demo.json --as HK
  causeway listen --info demo.json --event transfer.settled --forward http://127.0.0.1:8080/hooks
      passes each verified message on, and the answer's status back

The gateway must allow the address: webhooks.allow_http and webhooks.allow_networks, as a demonstration
does, or --public-url of a tunnel. The key needs the scope manage.";
const ISO_CHECK_EXAMPLES: &str = "\
Examples:
  causeway iso check pacs008.xml
  causeway iso check --profile sr2026 --json - < pacs008.xml
      a message from standard input, under the usage rules of the release of 2026

Exit status:
  0  ok: nothing is wrong
  1  findings: it is taken, with warnings
  2  refused, wrong usage or unreadable input";

#[derive(Debug, Parser)]
#[command(
    name = "causeway",
    version,
    about = "Cross-border remittance settlement on a replicated ledger",
    after_help = EXIT_STATUS,
    arg_required_else_help = true
)]
pub struct Args {
    /// Print one JSON object as the last line of standard output.
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make and inspect networks.
    #[command(subcommand)]
    Network(Network),
    /// Run a whole network on this machine and send remittances across it.
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(Demo),
    /// Measure the ledger on this machine, beside the machine's own limits.
    #[command(after_help = bench::EXAMPLES)]
    Bench(bench::Bench),
    /// Run one replica of the ledger.
    Ledger(Config),
    /// Run a participant's gateway.
    Gateway(Config),
    /// Run a liquidity bank's quoting service.
    Fx(Config),
    /// Write the ledger's stream to Postgres; compare the tables with it, make them anew.
    Reconciliation(reconciliation::Reconciliation),
    /// Run the console: the office and the ledger's tables in a browser.
    Reporting(Config),
    /// Send a remittance through a gateway: an order (JSON) or a pacs.008 (XML).
    #[command(after_help = SEND_EXAMPLES)]
    Send(Send),
    /// Show where a transfer stands and what happened to it.
    #[command(after_help = TRACK_EXAMPLES)]
    Track(Track),
    /// Print a gateway's events, one JSON object a line.
    #[command(after_help = EVENTS_EXAMPLES)]
    Events(Events),
    /// Send a file of many transfers, and see what became of its rows.
    #[command(subcommand, after_help = batch::EXAMPLES)]
    Batch(batch::Batch),
    /// Print a gateway's webhooks while you integrate, verified, one JSON object a line.
    #[command(after_help = LISTEN_EXAMPLES)]
    Listen(Listen),
    /// Messages of ISO 20022, without a network.
    #[command(subcommand)]
    Iso(Iso),
    /// Account statements, without a database.
    #[command(subcommand)]
    Statement(statement::Statement),
    /// The back office: statements, breaks, business days.
    Office(office::Office),
    /// Reports for managers and regulators, signed.
    #[command(subcommand)]
    Report(report::Report),
    /// Check what somebody signed, without a database or a network.
    #[command(subcommand)]
    Verify(report::Verify),
    /// The operator's and custodians' commands.
    #[command(subcommand)]
    Admin(Admin),
    /// Print a completion script for a shell.
    #[command(
        after_help = "Example:\n  causeway completions bash > /etc/bash_completion.d/causeway"
    )]
    Completions { shell: Shell },
}

/// The services that run until they are told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    Ledger,
    Gateway,
    Fx,
    Reconciliation,
    Reporting,
    Office,
}

impl Service {
    /// Its word on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ledger => "ledger",
            Self::Gateway => "gateway",
            Self::Fx => "fx",
            Self::Reconciliation => "reconciliation",
            Self::Reporting => "reporting",
            Self::Office => "office",
        }
    }
}

#[derive(Debug, clap::Args)]
pub struct Demo {
    /// End after the summary.
    #[arg(long)]
    pub once: bool,
    /// How many transfers; from 40 on, every end at least twice.
    #[arg(long, default_value_t = 40)]
    pub transfers: usize,
    /// Write how to reach the network as JSON to a file.
    #[arg(long, value_name = "FILE")]
    pub info: Option<PathBuf>,
    /// Use this database instead of a private Postgres.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
}

/// Which gateway, and the right to use it.
#[derive(Debug, clap::Args)]
pub struct Gateway {
    /// The gateway's address, https://host:port.
    #[arg(long, env = "CAUSEWAY_GATEWAY", value_name = "URL")]
    pub gateway: Option<String>,
    /// The CA of its certificate (PEM).
    #[arg(long, env = "CAUSEWAY_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// The API key; the environment keeps it out of the process list.
    #[arg(long, env = "CAUSEWAY_API_KEY", hide_env_values = true, value_name = "KEY")]
    pub api_key: Option<String>,
    /// Take the three from what a demonstration wrote by its --info.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["gateway", "ca", "api_key"])]
    pub info: Option<PathBuf>,
    /// Which of the demonstration's gateways.
    #[arg(long = "as", value_name = "LABEL", default_value = "HK", requires = "info")]
    pub label: String,
}

#[derive(Debug, clap::Args)]
pub struct Send {
    /// The order, as docs/api.md describes it, or a pacs.008; - reads standard input.
    #[arg(value_name = "FILE")]
    pub order: PathBuf,
    #[command(flatten)]
    pub gateway: Gateway,
    /// Ask what it would cost and send nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// How long to wait for the end; 0 does not wait.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub wait: u64,
}

#[derive(Debug, clap::Args)]
pub struct Track {
    /// The transfer's UETR.
    pub uetr: String,
    #[command(flatten)]
    pub gateway: Gateway,
    /// Wait for the end, at most this long.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub wait: u64,
}

#[derive(Debug, clap::Args)]
pub struct Events {
    #[command(flatten)]
    pub gateway: Gateway,
    /// Start behind this number.
    #[arg(long, default_value_t = 0)]
    pub after: u64,
    /// Go on until Ctrl-C.
    #[arg(long)]
    pub follow: bool,
}

#[derive(Debug, Subcommand)]
pub enum Iso {
    /// Say what a message is, where it departs from its XSD and which usage rules it breaks.
    #[command(after_help = ISO_CHECK_EXAMPLES)]
    Check(IsoCheck),
}

/// Which usage rules of CBPR+.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum IsoProfile {
    /// In force: unstructured addresses are a warning.
    Current,
    /// The release of 2026, deferred: unstructured addresses are refused.
    Sr2026,
}

#[derive(Debug, clap::Args)]
pub struct IsoCheck {
    /// The message, with or without its header; - reads standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The usage rules.
    #[arg(long, value_enum, default_value = "current")]
    pub profile: IsoProfile,
}

#[derive(Debug, clap::Args)]
pub struct Listen {
    #[command(flatten)]
    pub gateway: Gateway,
    /// Where to receive.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0")]
    pub listen: std::net::SocketAddr,
    /// How the gateway reaches it, if not at that address.
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Only this type; repeat for more.
    #[arg(long = "event", value_name = "TYPE")]
    pub events: Vec<String>,
    /// Start behind this event number; absent: with what comes.
    #[arg(long)]
    pub after: Option<u64>,
    /// Pass each message on, headers and all.
    #[arg(long, value_name = "URL")]
    pub forward: Option<String>,
    /// End after so many messages.
    #[arg(long, value_name = "COUNT")]
    pub count: Option<usize>,
}

#[derive(Debug, clap::Args)]
pub struct Config {
    /// The service's settings (TOML).
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

#[derive(Debug, Subcommand)]
pub enum Admin {
    /// Send a new network's first commands: participants, accounts, corridors, funding.
    Found {
        /// The network's folder.
        #[arg(value_name = "DIR")]
        network: PathBuf,
    },
    /// Sign, as the currency's custodian, that cash was received for a participant.
    #[command(after_help = "Example:\n  causeway admin fund ./net 101 HKD 5000.00 BANK-REF-7")]
    Fund {
        /// The network's folder.
        #[arg(value_name = "DIR")]
        network: PathBuf,
        /// The participant's network id.
        participant: u32,
        /// ISO 4217.
        currency: String,
        /// A decimal such as 5000.00.
        amount: String,
        /// The custodian's reference; used once a day.
        reference: String,
    },
    /// Show every node's role and tip.
    Status {
        /// The network's folder.
        #[arg(value_name = "DIR")]
        network: PathBuf,
    },
    /// Show every account's balances, minor units.
    Balances {
        /// The network's folder.
        #[arg(value_name = "DIR")]
        network: PathBuf,
    },
    /// Give a person a local account of the console, or another password, and print the password once.
    #[command(
        after_help = "Example:\n  causeway admin console-account accounts.toml ana --role back-office --of 101\n\nRestart the console: it reads its accounts when it starts."
    )]
    ConsoleAccount {
        /// The console's file of accounts; made if it is absent.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The name to sign in with.
        name: String,
        /// operator, back-office, compliance or auditor.
        #[arg(long)]
        role: String,
        /// The participant that the person works for; absent: the whole network.
        #[arg(long, value_name = "ID")]
        of: Option<u32>,
    },
    /// Make an API key of a gateway and print it once.
    ApiKey {
        /// The gateway's settings.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// read, send, decide, manage, approve or audit; repeat for more.
        #[arg(long = "scope", default_values = ["read", "send", "decide"])]
        scopes: Vec<String>,
        /// Who will hold it; without one it is nobody's second pair of eyes.
        #[arg(long, value_name = "NAME")]
        owner: Option<String>,
        /// Days after which it ends; absent: it does not end by itself.
        #[arg(long, value_name = "DAYS")]
        expires_in: Option<u16>,
    },
    /// List a gateway's API keys; no secrets.
    ApiKeyList {
        /// The gateway's settings.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Give an API key a new secret and print it once; the former one opens beside it for a while.
    ApiKeyRotate {
        /// The gateway's settings.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Seconds for which the former secret opens too.
        #[arg(long, value_name = "SECONDS", default_value_t = 86_400)]
        overlap: u64,
        /// The key's id.
        id: String,
    },
    /// Take an API key back for ever.
    ApiKeyRevoke {
        /// The gateway's settings.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The key's id.
        id: String,
    },
    /// Follow the chain of a gateway's audit log from its first row to its last.
    AuditVerify {
        /// The gateway's settings.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// What was noted elsewhere, as NUMBER:DIGEST: the log must hold that row still.
        #[arg(long, value_name = "NUMBER:DIGEST")]
        expect: Option<String>,
    },
    #[command(flatten)]
    Operator(operator::Operator),
}

#[derive(Debug, Subcommand)]
pub enum Network {
    /// Make a new network in DIR, which must be absent or empty.
    #[command(after_help = NETWORK_NEW_EXAMPLES)]
    New(NetworkNew),
    /// Make the folder of one more node: keys, certificates, settings. It joins by `admin`.
    #[command(after_help = ADD_NODE_EXAMPLES)]
    AddNode(AddNode),
    /// Issue certificates anew before they end; running services take them by themselves.
    #[command(after_help = RENEW_EXAMPLES)]
    Renew(Renew),
    /// Take certificates back: nobody who reads the network's lists speaks to their holders again.
    #[command(after_help = REVOKE_EXAMPLES)]
    Revoke(Revoke),
}

#[derive(Debug, clap::Args)]
pub struct Revoke {
    /// The network's folder, with its `ca`.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// The certificates (PEM); what `renew` replaced lies beside the new as certificate.former.pem.
    #[arg(value_name = "CERTIFICATE", required = true)]
    pub certificates: Vec<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct AddNode {
    /// The network's folder.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// A node that is lost, which the new one need not hear from; repeat for more.
    #[arg(long, value_name = "NODE")]
    pub without: Vec<u64>,
    /// A DNS name or address by which it is reached; repeat for more.
    #[arg(long = "host", value_name = "HOST", default_values = ["localhost", "127.0.0.1", "::1"])]
    pub hosts: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub struct Renew {
    /// The network's folder, with its `ca`.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Only those that end within this many days.
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    pub within: u32,
    /// Only say which.
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, clap::Args)]
pub struct NetworkNew {
    /// Where to write.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// What the network is made of (TOML); the demonstration network when absent.
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// How many ledger nodes: 1, 3 or 5.
    #[arg(long, default_value = "3", value_parser = ["1", "3", "5"])]
    pub nodes: String,
    /// A DNS name or address by which the servers are reached; repeat for more.
    #[arg(long = "host", value_name = "HOST", default_values = ["localhost", "127.0.0.1", "::1"])]
    pub hosts: Vec<String>,
    /// The database of gateways and reconciliation.
    #[arg(long, env = "DATABASE_URL", default_value = "postgres://localhost/causeway")]
    #[arg(hide_env_values = true)]
    pub database_url: String,
    /// A sanctions list in the OFAC sdn.csv format; a fictional one when absent.
    #[arg(long, value_name = "FILE")]
    pub sdn: Option<PathBuf>,
    /// Its aliases in the OFAC alt.csv format; a fictional one when absent.
    #[arg(long, value_name = "FILE")]
    pub alt: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::Args;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn usage_errors_have_status_2_and_help_has_0() {
        let cases: [(&[&str], i32); 5] = [
            (&["causeway", "network", "new", "--help"], 0),
            (&["causeway", "--version"], 0),
            (&["causeway"], 2),
            (&["causeway", "network", "new"], 2),
            (&["causeway", "network", "new", "d", "--nodes", "4"], 2),
        ];
        for (line, status) in cases {
            assert_eq!(Args::try_parse_from(line).unwrap_err().exit_code(), status, "{line:?}");
        }
    }
}

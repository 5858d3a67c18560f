//! The words of `causeway office`. It must never know what an act does.

use std::path::PathBuf;

use clap::Subcommand;

const EXAMPLES: &str = "\
Examples:
  causeway office run --config office.toml
  causeway office accounts add HK-CUSTODY HKD --leg custodian --participant 1 --ledger-account 1
  causeway office statements import --database \"$DATABASE_URL\" monday.xml tuesday.sta
  causeway office pull --config office.toml --dry-run
  causeway office breaks list --json --overdue
  causeway office breaks propose 12 --kind ask-servicer --note 'asked by telephone'
  causeway office breaks export > breaks.csv; causeway office breaks import --dry-run breaks.csv
  causeway office journal digest journal.csv --account 1010-HKD --currency HKD --day 2026-11-25 --out digest.json
  causeway office journal compare digest.json --out wanted.json
  causeway office journal rows journal.csv --wanted wanted.json --out rows.json
  causeway office journal take rows.json
  causeway office day close HKD 2026-11-25

Exit status:
  0  done
  1  the answer is no: a file was refused, a server was not reached, a journal differs, a day stays open, an edited row is stale
  2  wrong usage, unreadable input, or the act was not done";

/// How the office is reached, and who acts.
#[derive(Debug, clap::Args)]
pub struct Desk {
    /// The office's settings (TOML), as docs/back-office.md describes them.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The database instead, with the usual rules.
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database: Option<String>,
    /// Who acts; history names him.
    #[arg(long, global = true, env = "CAUSEWAY_ACTOR", default_value = "clerk")]
    pub actor: String,
    /// back-office, compliance, operator or auditor.
    #[arg(long, global = true, env = "CAUSEWAY_ROLE", default_value = "back-office")]
    pub role: String,
    /// Works for one participant, and sees no other's rows.
    #[arg(long, global = true, value_name = "ID")]
    pub of: Option<u32>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Office {
    #[command(flatten)]
    pub desk: Desk,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch the folder, read the ledger's rows and compare, until told to stop.
    Run,
    /// Read the ledger's rows and compare, once.
    Match,
    /// Look at the servers of the settings once, and fetch statements that are new and whole.
    Pull {
        /// Tell what would be fetched, and fetch nothing.
        #[arg(long)]
        dry_run: bool,
        /// This one only, by its name in the settings.
        #[arg(long, value_name = "NAME")]
        server: Option<String>,
    },
    /// Which account of a statement is which of the ledger.
    #[command(subcommand)]
    Accounts(Accounts),
    /// How servicers write their CSV.
    #[command(subcommand)]
    Maps(Maps),
    /// Statements taken in.
    #[command(subcommand)]
    Statements(Statements),
    /// A participant's own journal beside the ledger, by digests: only rows that may differ travel.
    #[command(subcommand)]
    Journal(Journal),
    /// What does not tie out.
    #[command(subcommand)]
    Breaks(Breaks),
    /// Business days.
    #[command(subcommand)]
    Day(Day),
}

#[derive(Debug, Subcommand)]
pub enum Accounts {
    List,
    /// Keep an account.
    Add {
        /// As statements or journals name it: an IBAN or another number.
        identification: String,
        currency: String,
        /// custodian, participant or journal.
        #[arg(long)]
        leg: String,
        #[arg(long, value_name = "ID")]
        participant: u32,
        #[arg(long, value_name = "NUMBER")]
        ledger_account: u64,
        /// Which messages state every movement once: statement, report or notification.
        #[arg(long, default_value = "statement")]
        compared: String,
        #[arg(long, default_value_t = 0)]
        value_date_days: i16,
        #[arg(long, default_value_t = 2)]
        search_days: i16,
        /// The largest difference that counts as a charge, minor units.
        #[arg(long, default_value_t = 0)]
        charges_max: u64,
    },
}

#[derive(Debug, Subcommand)]
pub enum Maps {
    List,
    /// Save a column map (TOML or JSON) under a name.
    Save {
        name: String,
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub enum Statements {
    /// Take files in, each whole or not at all.
    Import {
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// The saved column map of CSV files.
        #[arg(long, value_name = "NAME")]
        map: Option<String>,
    },
    List {
        #[arg(long, default_value_t = 100)]
        limit: i64,
        /// Files that were kept out instead.
        #[arg(long)]
        refused: bool,
    },
    Show {
        statement: i64,
        /// Write the original there, byte for byte.
        #[arg(long, value_name = "FILE")]
        original: Option<PathBuf>,
    },
}

/// The journal's file: CSV with columns reference, amount, direction, value_date, or one JSON object a line.
#[derive(Debug, clap::Args)]
pub struct JournalFile {
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where the message goes; absent: standard output.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Journal {
    /// The participant: digest the journal of a day; needs no database.
    Digest {
        #[command(flatten)]
        journal: JournalFile,
        /// As the office's account of leg journal is identified.
        #[arg(long)]
        account: String,
        #[arg(long)]
        currency: String,
        /// YYYY-MM-DD: rows of other value dates are left out.
        #[arg(long)]
        day: String,
    },
    /// The office: compare a digest with the ledger, and say which buckets' rows are wanted.
    Compare {
        #[arg(value_name = "DIGEST")]
        digest: PathBuf,
        /// Where what is wanted goes, if anything is; `--json` says it too.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// The participant: the rows of the wanted buckets; needs no database.
    Rows {
        #[command(flatten)]
        journal: JournalFile,
        #[arg(long, value_name = "FILE")]
        wanted: PathBuf,
    },
    /// The office: take those rows; each difference becomes a break of leg journal.
    Take {
        #[arg(value_name = "ROWS")]
        rows: PathBuf,
    },
    List {
        #[arg(long, default_value_t = 100)]
        limit: i64,
    },
}

/// Which break, and which version of it was seen.
#[derive(Debug, clap::Args)]
pub struct Which {
    #[arg(value_name = "BREAK")]
    pub id: i64,
    /// The version that was seen; absent: as it is.
    #[arg(long, value_name = "VERSION")]
    pub seen: Option<i32>,
}

#[derive(Debug, clap::Args)]
pub struct Filter {
    /// Closed ones too.
    #[arg(long)]
    pub all: bool,
    #[arg(long)]
    pub currency: Option<String>,
    #[arg(long)]
    pub cause: Option<String>,
    #[arg(long)]
    pub owner: Option<String>,
    #[arg(long)]
    pub overdue: bool,
    #[arg(long, default_value_t = 1_000)]
    pub limit: i64,
}

#[derive(Debug, Subcommand)]
pub enum Breaks {
    List(Filter),
    Show {
        #[arg(value_name = "BREAK")]
        id: i64,
    },
    Assign {
        #[command(flatten)]
        which: Which,
        /// Absent: nobody.
        #[arg(long)]
        to: Option<String>,
    },
    Comment {
        #[arg(value_name = "BREAK")]
        id: i64,
        text: String,
    },
    Attach {
        #[arg(value_name = "BREAK")]
        id: i64,
        file: PathBuf,
    },
    /// Propose a correction; another person must approve it.
    Propose(Propose),
    Approve(Which),
    /// Refuse what another proposed, or withdraw one's own.
    Refuse(Which),
    /// Record that the ledger did what an approved correction says.
    Record {
        correction: i64,
        /// The return's own UETR, for a correction of kind return.
        #[arg(long)]
        uetr: Option<uuid::Uuid>,
    },
    Close {
        #[command(flatten)]
        which: Which,
        /// corrected, written_off, accepted or no_break.
        #[arg(long)]
        resolution: String,
    },
    Reopen {
        #[command(flatten)]
        which: Which,
        #[arg(long)]
        note: String,
    },
    /// Print breaks as CSV, to be edited and imported.
    Export(Filter),
    /// Take an edited table back: all of it, or nothing.
    Import {
        file: PathBuf,
        /// Say what would change, and change nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, clap::Args)]
pub struct Propose {
    #[command(flatten)]
    pub which: Which,
    /// fund, withdraw-paid, withdraw-failed, return, ask-servicer, write-off or accept.
    #[arg(long)]
    pub kind: String,
    #[arg(long)]
    pub note: String,
    /// fund: the ledger account to be credited.
    #[arg(long, value_name = "NUMBER")]
    pub account: Option<u64>,
    /// withdraw-paid, withdraw-failed: whose withdrawal.
    #[arg(long, value_name = "ID")]
    pub owner: Option<u32>,
    #[arg(long)]
    pub withdrawal: Option<uuid::Uuid>,
    /// withdraw-failed: an ISO 20022 reason.
    #[arg(long)]
    pub reason: Option<String>,
    /// Write the item to be signed there.
    #[arg(long, value_name = "FILE")]
    pub item: Option<PathBuf>,
}

/// Which day.
#[derive(Debug, clap::Args)]
pub struct WhichDay {
    pub currency: String,
    /// YYYY-MM-DD.
    pub day: String,
}

#[derive(Debug, Subcommand)]
pub enum Day {
    /// Say what closing it would say, and change nothing.
    Preview {
        #[command(flatten)]
        which: WhichDay,
        /// The last record of the day; absent: the last before the cut-off.
        #[arg(long, value_name = "RECORD")]
        up_to: Option<i64>,
    },
    Close {
        #[command(flatten)]
        which: WhichDay,
        #[arg(long, value_name = "RECORD")]
        up_to: Option<i64>,
    },
    Show {
        #[command(flatten)]
        which: WhichDay,
        /// Write its documents into a folder.
        #[arg(long, value_name = "FOLDER")]
        documents: Option<PathBuf>,
    },
}

//! The words of `causeway report` and `causeway verify`. It must never know what a report holds.

use std::path::PathBuf;

use clap::Subcommand;
use ledger_types::Money;
use services_reports::{
    Kind,
    kind::{local, travel_field},
    write::Format,
};
use time::{Date, macros::format_description};

const MAKE_EXAMPLES: &str = "\
Examples:
  causeway report make corridors --database postgres://causeway@127.0.0.1/causeway \\
      --key operator/keys/1.key --out reports/ --from 2026-03-01 --to 2026-03-31 --zone Asia/Manila
  causeway report make covered --currency PHP --above 50000000 --zone Asia/Manila …
      settled transfers of more than PHP 500,000.00; --above counts minor units
  causeway report make liquidity --records 120000 …
      as it was at record 119999; the same bytes whenever it is made
  causeway report make thresholds --gateway postgres://gateway@127.0.0.1/bank --schema gateway_my --network genesis.bin \\
      --participant 103 --currency MYR --least 2500000 --zone Asia/Kuala_Lumpur --key participants/MY/signing.key
      a participant's own: days on which a customer of it moved MYR 25,000.00 or more

Writes NAME.csv and NAME.xlsx, or what --format says (csv, xlsx, pdf, parquet), and NAME.report, which is signed and names the
others; replaces none.";

const VERIFY_EXAMPLES: &str = "\
Examples:
  causeway verify report reports/corridors-120000.report --network genesis.bin
  causeway verify report liquidity-120000.report --key 5f3c… --root 9a01…
      a key that you were given, and a root that you have from elsewhere

Needs no database and no network. Exit status:
  0  signature, files and root hold
  1  something does not: it says which
  2  unreadable";

#[derive(Debug, Subcommand)]
pub enum Report {
    /// Say which reports there are.
    List,
    /// Make a report, signed.
    #[command(after_help = MAKE_EXAMPLES)]
    Make(Box<Make>),
}

#[derive(Debug, clap::Args)]
pub struct Make {
    /// Which report; `causeway report list` names them.
    pub report: Kind,
    /// The database of schemas ledger and office.
    #[arg(
        long,
        value_name = "URL",
        env = "DATABASE_URL",
        hide_env_values = true,
        required_unless_present = "gateway"
    )]
    pub database: Option<String>,
    /// The database of a participant's own gateway, for reports that are made of it.
    #[arg(long, value_name = "URL", hide_env_values = true, requires_all = ["schema", "network"])]
    pub gateway: Option<String>,
    /// The gateway's schema in it.
    #[arg(long, value_name = "NAME", requires = "gateway")]
    pub schema: Option<String>,
    /// The network's genesis, or its folder: which network the gateway is of.
    #[arg(long, value_name = "FILE", requires = "gateway")]
    pub network: Option<PathBuf>,
    /// The root over the records that count, as the participant knows it from elsewhere, in hexadecimal.
    #[arg(long, value_name = "HEX", requires_all = ["gateway", "records"])]
    pub root: Option<String>,
    /// The signing key: 32 bytes in hexadecimal.
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// Who signs, as the manifest says it: a word without spaces.
    #[arg(long, value_name = "NAME", default_value = "causeway")]
    pub signer: String,
    /// The folder that the files go to.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub out: PathBuf,
    /// Formats of the file: csv, xlsx, pdf, parquet.
    #[arg(long, value_name = "FORMAT", value_delimiter = ',', default_value = "csv,xlsx")]
    pub format: Vec<Format>,
    /// The first day, YYYY-MM-DD.
    #[arg(long, value_name = "DAY", value_parser = day)]
    pub from: Option<Date>,
    /// The last day, YYYY-MM-DD.
    #[arg(long, value_name = "DAY", value_parser = day)]
    pub to: Option<Date>,
    /// Whose days: an IANA time zone.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub zone: String,
    /// Only what this participant is party to, or its accounts.
    #[arg(long, value_name = "ID")]
    pub participant: Option<u32>,
    /// Only this currency.
    #[arg(long, value_name = "CODE")]
    pub currency: Option<String>,
    /// Minor units that a covered transfer, or a person's day, exceeds.
    #[arg(long, value_name = "UNITS")]
    pub above: Option<u64>,
    /// Minor units that a person's day reaches.
    #[arg(long, value_name = "UNITS")]
    pub least: Option<u64>,
    /// Count only what was paid out in cash towards it.
    #[arg(long)]
    pub cash: bool,
    /// Data that should have travelled, such as debtor_name,debtor_address.
    #[arg(long, value_name = "FIELD", value_delimiter = ',', value_parser = travel_field)]
    pub required: Vec<&'static str>,
    /// What 200 USD are in money that is sent, such as HKD=1560.00,MYR=890.00: cost at that amount is told.
    #[arg(long, value_name = "CODE=AMOUNT", value_delimiter = ',', value_parser = local)]
    pub usd200: Vec<Money>,
    /// Records from 0 that count; absent: all.
    #[arg(long, value_name = "COUNT")]
    pub records: Option<u64>,
    /// Acts of the office that count, or screenings of the gateway; absent: all.
    #[arg(long, value_name = "COUNT")]
    pub acts: Option<i64>,
}

#[derive(Debug, Subcommand)]
pub enum Verify {
    /// Check a report's signature, files and root.
    #[command(after_help = VERIFY_EXAMPLES)]
    Report(VerifyReport),
}

#[derive(Debug, clap::Args)]
pub struct VerifyReport {
    /// The signed manifest; the files that it names lie beside it.
    #[arg(value_name = "FILE")]
    pub manifest: PathBuf,
    /// The network's genesis: one of its operator's keys must have signed, and the report be of it.
    #[arg(long, value_name = "FILE", required_unless_present = "key")]
    pub network: Option<PathBuf>,
    /// A public key that may have signed, in hexadecimal.
    #[arg(long, value_name = "HEX")]
    pub key: Vec<String>,
    /// The root over the same number of records, as known from elsewhere, in hexadecimal.
    #[arg(long, value_name = "HEX")]
    pub root: Option<String>,
}

fn day(text: &str) -> Result<Date, String> {
    Date::parse(text, format_description!("[year]-[month]-[day]"))
        .map_err(|_| format!("{text} is no day such as 2026-03-31"))
}

//! Why there is no report. It must never hold a figure.

/// A report that is not made, or not believed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something that was asked.
    #[error("{field}: {reason}")]
    Invalid { field: &'static str, reason: String },
    /// The tables do not reach as far as is asked.
    #[error(
        "records: schema ledger holds {holds} records, and {wanted} are asked for; wait for reconciliation, or name fewer"
    )]
    Behind { holds: u64, wanted: u64 },
    /// The same of the office.
    #[error("acts: schema office holds {holds} acts, and {wanted} are asked for; name fewer")]
    OfficeBehind { holds: i64, wanted: i64 },
    /// The gateway has not seen as many records.
    #[error(
        "records: the gateway has seen {holds} records, and {wanted} are asked for; wait for it, or name fewer"
    )]
    GatewayBehind { holds: u64, wanted: u64 },
    /// It has not screened as often.
    #[error("acts: the gateway keeps {holds} screenings, and {wanted} are asked for; name fewer")]
    ScreeningsBehind { holds: i64, wanted: i64 },
    /// More than whoever asks can take.
    #[error(
        "rows: there are more than {rows_max}; ask for fewer days, one currency or one participant"
    )]
    TooLong { rows_max: usize },
    /// The columns of the records do not make the root that the tables were written with.
    #[error("the records in the tables are not the ledger's: run `causeway reconciliation sweep`")]
    Altered,
    /// The database.
    #[error("the database: {statement} failed")]
    Database {
        statement: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A row that this version can't read.
    #[error("the database: column {0} is unreadable")]
    Unreadable(&'static str),
    /// A file could not be made of a table.
    #[error("{format}: the file can't be written: {reason}")]
    Format { format: &'static str, reason: String },
    /// A text that is no manifest of a report.
    #[error("the manifest: {0}")]
    Manifest(String),
}

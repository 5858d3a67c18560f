//! Transfers as this gateway knows them: rows that follow the ledger's records and never go back.
use std::{borrow::Cow, collections::HashSet};

use ledger_types::{ParticipantId, Timestamp, TransferId, Uetr};
use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Connection, Error, Store, big,
    groups::{Group, in_order},
    parties::{NewParty, party_part},
    statement::Statement,
    unsigned,
};
use crate::clock;

/// A transfer's row.
#[derive(Clone, Debug, FromRow)]
pub struct Row {
    /// Place in this store, for cursors.
    pub id: i64,
    /// Who submitted it.
    pub debtor_agent: i64,
    /// Its reference.
    pub uetr: Uuid,
    /// Who decides.
    pub creditor_agent: i64,
    /// Whether this gateway submitted it.
    pub outgoing: bool,
    /// The transfer that it returns.
    pub return_of: Option<Uuid>,
    /// Its corridor.
    pub corridor: i64,
    /// QUEUED, or the ledger's state.
    pub status: String,
    /// ISO reason of its end.
    pub reason: Option<String>,
    /// Name of the refusal.
    pub refusal: Option<String>,
    /// The record of the last change.
    pub record: Option<i64>,
    /// What the debtor is debited, minor units.
    pub instructed_amount: Option<i64>,
    /// Its currency.
    pub instructed_currency: Option<String>,
    /// Interbank settlement amount, minor units.
    pub amount: i64,
    /// Its currency.
    pub currency: String,
    /// What core banking was asked to reserve.
    pub reserved_amount: i64,
    /// How the creditor is paid.
    pub payout_method: String,
    /// Why the debtor pays.
    pub purpose: String,
    /// The debtor's own reference.
    pub end_to_end_id: Option<String>,
    /// Quotes used.
    pub quotes: Vec<Uuid>,
    /// When it expires.
    pub deadline: Option<OffsetDateTime>,
    /// Until when it is held.
    pub held_until: Option<OffsetDateTime>,
    /// Why it is held.
    pub hold_reason: Option<String>,
    /// When this gateway first knew of it.
    pub created_at: OffsetDateTime,
    /// When the ledger took it.
    pub submitted_at: Option<OffsetDateTime>,
    /// Ledger-final.
    pub settled_at: Option<OffsetDateTime>,
    /// When it ended without settling.
    pub ended_at: Option<OffsetDateTime>,
    /// ACCC, CPUC, ACWP or BLCK.
    pub confirmation: Option<String>,
    /// When that was recorded.
    pub confirmed_at: Option<OffsetDateTime>,
    /// Beneficiary-credited.
    pub credited_at: Option<OffsetDateTime>,
    /// The creditor agent's own decision.
    pub decision: Option<String>,
    /// Whether core banking is done with it.
    pub booked: bool,
    /// SHA-256 of its tracking token.
    pub tracking_sha256: Option<Vec<u8>>,
}

impl Row {
    /// Its identity; `None` if the row was tampered with.
    #[must_use]
    pub fn transfer(&self) -> Option<TransferId> {
        identity(self.debtor_agent, self.uetr)
    }

    /// Interbank settlement amount.
    #[must_use]
    pub fn settlement_amount(&self) -> u64 {
        unsigned(self.amount)
    }
}

/// A participant's id as stored.
#[must_use]
pub fn participant(stored: i64) -> ParticipantId {
    ParticipantId(u32::try_from(stored).unwrap_or(0))
}

/// A transfer that this gateway learns of.
#[derive(Clone, Debug)]
pub struct New {
    /// Its identity.
    pub transfer: TransferId,
    /// Who decides.
    pub creditor_agent: ParticipantId,
    /// Whether this gateway submits it.
    pub outgoing: bool,
    /// The transfer that it returns.
    pub return_of: Option<Uetr>,
    /// Its corridor.
    pub corridor: u32,
    /// QUEUED; REJECTED if it is refused here, AWAITING_APPROVAL if it is parked.
    pub status: &'static str,
    /// ISO reason of a refusal.
    pub reason: Option<String>,
    /// Name of the refusal.
    pub refusal: Option<String>,
    /// Minor units debited and their currency.
    pub instructed: Option<(u64, String)>,
    /// Minor units credited and their currency.
    pub settlement: (u64, String),
    /// What core banking reserves.
    pub reserved_amount: u64,
    /// How the creditor is paid.
    pub payout_method: &'static str,
    /// Why the debtor pays.
    pub purpose: String,
    /// The debtor's own reference.
    pub end_to_end_id: Option<String>,
    /// Quotes used.
    pub quotes: Vec<Uuid>,
    /// SHA-256 of its tracking token.
    pub tracking_sha256: Option<Vec<u8>>,
    /// The span of who asks for it.
    pub traceparent: Option<String>,
}

/// Inserts transfers; gives those whose identity was not known.
///
/// # Errors
/// When the statement fails.
pub async fn transfer_insert(
    connection: &mut Connection,
    new: &[New],
) -> Result<HashSet<TransferId>, Error> {
    let mut statement = Statement::default();
    transfer_part(&mut statement, new)?;
    Ok(transfers(statement.fetch(connection).await?))
}

/// The same with their personal data.
///
/// # Errors
/// When the statement fails.
pub async fn transfer_learn(
    connection: &mut Connection,
    new: &[New],
    parties: &[NewParty],
) -> Result<(), Error> {
    let mut statement = Statement::default();
    transfer_part(&mut statement, new)?;
    party_part(&mut statement, parties);
    statement.execute(connection).await?;
    Ok(())
}

fn transfer_part(statement: &mut Statement, new: &[New]) -> Result<(), Error> {
    let (agents, uetrs) = ids(new.iter().map(|row| row.transfer));
    let mut instructed = Vec::with_capacity(new.len());
    let (mut amounts, mut reserved) = (Vec::with_capacity(new.len()), Vec::new());
    for row in new {
        let amount = row.instructed.as_ref().map(|(amount, _)| *amount);
        instructed.push(amount.map(|amount| big("instructed_amount", amount)).transpose()?);
        amounts.push(big("amount", row.settlement.0)?);
        reserved.push(big("reserved_amount", row.reserved_amount)?);
    }
    let texts = |of: fn(&New) -> Option<&str>| new.iter().map(of).collect::<Vec<_>>();
    let quotes = |row: &New| row.quotes.iter().map(Uuid::to_string).collect::<Vec<_>>().join(",");
    statement.part(
        "transfer_made",
        // An array of arrays is no list of lists in SQL, so quotes come as text.
        "INSERT INTO transfer (debtor_agent, uetr, creditor_agent, outgoing, return_of, corridor,
            status, reason, refusal, instructed_amount, instructed_currency, amount, currency,
            reserved_amount, payout_method, purpose, end_to_end_id, quotes, tracking_sha256,
            traceparent, ended_at, booked)
         SELECT c.debtor_agent, c.uetr, c.creditor_agent, c.outgoing, c.return_of, c.corridor,
            c.status, c.reason, c.refusal, c.instructed_amount, c.instructed_currency, c.amount,
            c.currency, c.reserved_amount, c.payout_method, c.purpose, c.end_to_end_id,
            string_to_array(c.quotes, ',')::uuid[], c.tracking_sha256, c.traceparent,
            CASE WHEN c.status = 'REJECTED' THEN now() END,
            c.status IN ('REJECTED', 'AWAITING_APPROVAL')
         FROM unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::boolean[], $5::uuid[],
            $6::bigint[], $7::text[], $8::text[], $9::text[], $10::bigint[], $11::text[],
            $12::bigint[], $13::text[], $14::bigint[], $15::text[], $16::text[], $17::text[],
            $18::text[], $19::bytea[], $20::text[])
            WITH ORDINALITY AS c (debtor_agent, uetr, creditor_agent, outgoing, return_of, corridor,
                status, reason, refusal, instructed_amount, instructed_currency, amount, currency,
                reserved_amount, payout_method, purpose, end_to_end_id, quotes, tracking_sha256,
                traceparent, place)
         ORDER BY c.place
         ON CONFLICT (uetr, debtor_agent) DO NOTHING
         RETURNING debtor_agent, uetr",
    )
    .bind(agents)
    .bind(uetrs)
    .bind(new.iter().map(|row| i64::from(row.creditor_agent.0)).collect::<Vec<_>>())
    .bind(new.iter().map(|row| row.outgoing).collect::<Vec<_>>())
    .bind(new.iter().map(|row| row.return_of.map(uuid)).collect::<Vec<_>>())
    .bind(new.iter().map(|row| i64::from(row.corridor)).collect::<Vec<_>>())
    .bind(texts(|row| Some(row.status)))
    .bind(texts(|row| row.reason.as_deref()))
    .bind(texts(|row| row.refusal.as_deref()))
    .bind(instructed)
    .bind(texts(|row| row.instructed.as_ref().map(|(_, currency)| currency.as_str())))
    .bind(amounts)
    .bind(texts(|row| Some(&row.settlement.1)))
    .bind(reserved)
    .bind(texts(|row| Some(row.payout_method)))
    .bind(texts(|row| Some(&row.purpose)))
    .bind(texts(|row| row.end_to_end_id.as_deref()))
    .bind(new.iter().map(quotes).collect::<Vec<_>>())
    .bind(new.iter().map(|row| row.tracking_sha256.as_deref()).collect::<Vec<_>>())
    .bind(texts(|row| row.traceparent.as_deref()));
    Ok(())
}

/// Takes back transfers that were inserted in this SQL transaction.
///
/// # Errors
/// When the statement fails.
pub async fn transfer_forget(
    connection: &mut Connection,
    transfers: impl Iterator<Item = TransferId>,
) -> Result<(), Error> {
    let (agents, uetrs) = ids(transfers);
    if agents.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "DELETE FROM transfer t USING unnest($1::bigint[], $2::uuid[]) AS c (debtor_agent, uetr)
         WHERE t.uetr = c.uetr AND t.debtor_agent = c.debtor_agent",
    )
    .bind(agents)
    .bind(uetrs)
    .execute(connection)
    .await?;
    Ok(())
}

/// Identities as two columns.
pub(crate) fn ids(transfers: impl Iterator<Item = TransferId>) -> (Vec<i64>, Vec<Uuid>) {
    transfers.map(|id| (i64::from(id.debtor_agent.0), uuid(id.uetr))).unzip()
}

/// Identities of rows.
fn transfers(rows: Vec<(i64, Uuid)>) -> HashSet<TransferId> {
    rows.into_iter().filter_map(|(agent, uetr)| identity(agent, uetr)).collect()
}

/// An identity as stored; none if the row was tampered with.
pub(crate) fn identity(debtor_agent: i64, uetr: Uuid) -> Option<TransferId> {
    let uetr = Uetr::from_bytes(*uetr.as_bytes()).ok()?;
    Some(TransferId { debtor_agent: participant(debtor_agent), uetr })
}

/// A new line of a timeline.
#[derive(Clone, Debug)]
pub struct Line {
    /// Whose.
    pub transfer: TransferId,
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: Cow<'static, str>,
    /// ISO status.
    pub iso_status: &'static str,
    /// ISO reason.
    pub reason: Option<String>,
    /// The ledger's record.
    pub record: Option<i64>,
}

impl Line {
    /// Something that happens here and now.
    #[must_use]
    pub fn now(
        transfer: TransferId,
        event: impl Into<Cow<'static, str>>,
        iso_status: &'static str,
    ) -> Self {
        let (event, at) = (event.into(), clock::now());
        Self { transfer, at, event, iso_status, reason: None, record: None }
    }

    /// The same with an ISO reason.
    #[must_use]
    pub fn because(self, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }
}

/// Adds lines to timelines, in order.
///
/// # Errors
/// When the statement fails.
pub async fn timeline_insert(connection: &mut Connection, lines: &[Line]) -> Result<(), Error> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut statement = Statement::default();
    timeline_part(&mut statement, lines);
    statement.execute(connection).await?;
    Ok(())
}

/// The same as a part of a statement.
pub fn timeline_part(statement: &mut Statement, lines: &[Line]) {
    let (agents, uetrs) = ids(lines.iter().map(|line| line.transfer));
    statement
        .part(
            "timeline_made",
            "INSERT INTO timeline (debtor_agent, uetr, at, event, iso_status, reason, record)
         SELECT debtor_agent, uetr, at, event, iso_status, reason, record
         FROM unnest($1::bigint[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[],
            $6::text[], $7::bigint[]) WITH ORDINALITY
            AS c (debtor_agent, uetr, at, event, iso_status, reason, record, place)
         ORDER BY place",
        )
        .bind(agents)
        .bind(uetrs)
        .bind(lines.iter().map(|line| clock::calendar_or_epoch(line.at)).collect::<Vec<_>>())
        .bind(lines.iter().map(|line| &*line.event).collect::<Vec<_>>())
        .bind(lines.iter().map(|line| line.iso_status).collect::<Vec<_>>())
        .bind(lines.iter().map(|line| line.reason.as_deref()).collect::<Vec<_>>())
        .bind(lines.iter().map(|line| line.record).collect::<Vec<_>>());
}

/// A line of a timeline.
#[derive(Clone, Debug, FromRow)]
pub struct TimelineRow {
    /// When.
    pub at: OffsetDateTime,
    /// What.
    pub event: String,
    /// ISO status.
    pub iso_status: String,
    /// ISO reason.
    pub reason: Option<String>,
    /// The ledger's record.
    pub record: Option<i64>,
}

/// Those of these transfers that are here.
///
/// # Errors
/// When the statement fails.
pub async fn transfer_known(
    connection: &mut Connection,
    asked: Vec<TransferId>,
) -> Result<HashSet<TransferId>, Error> {
    if asked.is_empty() {
        return Ok(HashSet::new());
    }
    let (agents, uetrs) = ids(asked.into_iter());
    let known: Vec<(i64, Uuid)> = sqlx::query_as(
        "SELECT t.debtor_agent, t.uetr
         FROM unnest($1::bigint[], $2::uuid[]) AS c (debtor_agent, uetr)
         JOIN transfer t ON t.debtor_agent = c.debtor_agent AND t.uetr = c.uetr",
    )
    .bind(agents)
    .bind(uetrs)
    .fetch_all(connection)
    .await?;
    Ok(transfers(known))
}

/// Writes decisions about incoming transfers; gives those that had none before and were in time.
///
/// # Errors
/// When the statement fails.
pub async fn transfer_decide(
    connection: &mut Connection,
    decisions: &[(TransferId, &str)],
) -> Result<HashSet<TransferId>, Error> {
    let mut statement = Statement::default();
    decide_part(&mut statement, decisions);
    Ok(transfers(statement.fetch(connection).await?))
}

/// The same as a part of a statement, by the name of [`FIRST`].
pub fn decide_part(statement: &mut Statement, decisions: &[(TransferId, &str)]) {
    let (agents, uetrs) = ids(decisions.iter().map(|(transfer, _)| *transfer));
    statement
        .part(
            FIRST,
            "UPDATE transfer t SET decision = c.decision
             FROM unnest($1::bigint[], $2::uuid[], $3::text[]) AS c (debtor_agent, uetr, decision)
             WHERE t.debtor_agent = c.debtor_agent AND t.uetr = c.uetr
                AND NOT t.outgoing AND t.status = 'PENDING'
                AND (t.decision IS NULL OR t.decision = 'hold')
             RETURNING t.debtor_agent, t.uetr",
        )
        .bind(agents)
        .bind(uetrs)
        .bind(decisions.iter().map(|(_, word)| *word).collect::<Vec<_>>());
}

/// The part of a statement that gives those for whom something is done for the first time.
pub const FIRST: &str = "first";

/// Notes that core banking is done with transfers; gives those of which that was not noted before.
///
/// # Errors
/// When the statement fails.
pub async fn transfer_book(
    connection: &mut Connection,
    done: &[TransferId],
) -> Result<HashSet<TransferId>, Error> {
    let mut statement = Statement::default();
    book_part(&mut statement, done);
    Ok(transfers(statement.fetch(connection).await?))
}

/// The same as a part of a statement, by the name of [`FIRST`]. What a row must be comes with what is asked: a constant
/// would have all that are not booked read for it (decisions/0034).
pub fn book_part(statement: &mut Statement, done: &[TransferId]) {
    let (agents, uetrs) = ids(done.iter().copied());
    statement
        .part(
            FIRST,
            "UPDATE transfer t SET booked = NOT c.was
             FROM unnest($1::bigint[], $2::uuid[], $3::boolean[]) AS c (debtor_agent, uetr, was)
             WHERE t.debtor_agent = c.debtor_agent AND t.uetr = c.uetr AND t.booked = c.was
             RETURNING t.debtor_agent, t.uetr",
        )
        .bind(agents)
        .bind(uetrs)
        .bind(vec![false; done.len()]);
}

#[derive(FromRow)]
struct Found {
    place: i64,
    #[sqlx(flatten)]
    row: Row,
}

#[derive(Debug)]
pub(super) struct Fetching;

impl Group for Fetching {
    type Item = (Uetr, Option<ParticipantId>);
    type Answer = Vec<Row>;

    async fn run(
        connection: &mut Connection,
        items: &[Self::Item],
    ) -> Result<Vec<Vec<Row>>, Error> {
        let found: Vec<Found> = sqlx::query_as(
            "SELECT c.place, t.* FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY
                AS c (of_uetr, of_agent, place)
             JOIN transfer t ON t.uetr = c.of_uetr
                AND (c.of_agent IS NULL OR t.debtor_agent = c.of_agent)",
        )
        .bind(items.iter().map(|(uetr, _)| uuid(*uetr)).collect::<Vec<_>>())
        .bind(items.iter().map(|(_, id)| id.map(|id| i64::from(id.0))).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
        Ok(in_order(items.len(), found.into_iter().map(|found| (found.place, found.row))))
    }
}

impl Store {
    /// Transfers of a UETR, of one debtor agent if it is named.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn transfer_fetch(
        &self,
        uetr: Uetr,
        debtor_agent: Option<ParticipantId>,
    ) -> Result<Vec<Row>, Error> {
        self.groups.transfers.ask((uetr, debtor_agent)).await
    }

    /// Transfers after a place in the store, at most `limit`.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn transfer_list(
        &self,
        after: i64,
        status: Option<&str>,
        limit: i64,
    ) -> Result<Vec<Row>, Error> {
        Ok(sqlx::query_as(
            "SELECT * FROM transfer WHERE id > $1 AND ($2::text IS NULL OR status = $2)
             ORDER BY id LIMIT $3",
        )
        .bind(after)
        .bind(status)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?)
    }

    /// The transfer of a tracking token's digest.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn transfer_tracked(&self, token_sha256: &[u8]) -> Result<Option<Row>, Error> {
        Ok(sqlx::query_as("SELECT * FROM transfer WHERE tracking_sha256 = $1")
            .bind(token_sha256)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// A transfer's timeline.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn timeline_fetch(&self, row: &Row) -> Result<Vec<TimelineRow>, Error> {
        Ok(sqlx::query_as(
            "SELECT at, event, iso_status, reason, record FROM timeline
             WHERE debtor_agent = $1 AND uetr = $2 ORDER BY at, id",
        )
        .bind(row.debtor_agent)
        .bind(row.uetr)
        .fetch_all(&self.pool)
        .await?)
    }

    /// Incoming transfers that wait for this gateway's decision, held ones included.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn transfer_undecided(&self) -> Result<Vec<Row>, Error> {
        Ok(sqlx::query_as(
            "SELECT * FROM transfer WHERE NOT outgoing AND status = 'PENDING'
                AND (decision IS NULL OR decision = 'hold') AND NOT booked ORDER BY id",
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Transfers that core banking has yet to capture, release or credit.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn transfer_unbooked(&self) -> Result<Vec<Row>, Error> {
        Ok(sqlx::query_as(
            "SELECT * FROM transfer WHERE NOT booked AND status NOT IN ('QUEUED', 'PENDING')
             ORDER BY id",
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Transfers that return a given one of this gateway's.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn transfer_returns(&self, original: Uuid) -> Result<Vec<Row>, Error> {
        Ok(sqlx::query_as("SELECT * FROM transfer WHERE return_of = $1 ORDER BY id")
            .bind(original)
            .fetch_all(&self.pool)
            .await?)
    }
}

/// A UETR as the store's type.
#[must_use]
pub fn uuid(uetr: Uetr) -> Uuid {
    Uuid::from_bytes(uetr.bytes())
}

//! What records do to transfers, many at a time: each change once, in order, with its line of the timeline; it decides nothing.
use std::{collections::HashMap, time::Duration};

use ledger_types::{Timestamp, TransferId};
use sqlx::FromRow;
use time::OffsetDateTime;

use super::{Connection, Error, big, statement::Statement, transfers::ids};
use crate::clock;

/// A change that a record made to a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Reserved on the ledger.
    Pending {
        /// When it expires.
        deadline: Timestamp,
    },
    /// The creditor agent reviews.
    Held {
        /// Why.
        reason: String,
        /// Until when.
        until: Timestamp,
    },
    /// Final.
    Settled,
    /// Ended without settling: REJECTED, EXPIRED, CANCELLED or BURNED.
    Ended {
        /// The state.
        status: &'static str,
        /// ISO reason.
        reason: Option<String>,
        /// Name of the refusal, if the ledger refused it.
        refusal: Option<String>,
    },
    /// The creditor agent's word after settlement.
    Confirmed {
        /// ACCC, CPUC, ACWP or BLCK.
        status: &'static str,
        /// Whether the creditor has the money.
        credited: bool,
    },
}

impl Change {
    /// The word in the timeline, the ISO status and the reason.
    fn words(&self) -> (&'static str, &'static str, Option<&str>) {
        match self {
            Self::Pending { .. } => ("pending", "ACSP", None),
            Self::Held { reason, .. } => ("held", "ACSP", Some(reason)),
            Self::Settled => ("ledger_final", "ACSC", None),
            Self::Ended { status, reason, .. } => {
                let (word, iso) = match *status {
                    "CANCELLED" => ("cancelled", "CANC"),
                    "EXPIRED" => ("expired", "RJCT"),
                    "BURNED" => ("burned", "RJCT"),
                    _ => ("rejected", "RJCT"),
                };
                (word, iso, reason.as_deref())
            }
            Self::Confirmed { status, credited: true } => ("beneficiary_credited", status, None),
            Self::Confirmed { status, credited: false } => ("confirmed", status, None),
        }
    }

    /// Its word in the statement.
    const fn kind(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Held { .. } => "held",
            Self::Settled => "settled",
            Self::Ended { .. } => "ended",
            Self::Confirmed { .. } => "confirmed",
        }
    }

    /// The state it leads to; none when the state stays.
    const fn status(&self) -> Option<&'static str> {
        match self {
            Self::Pending { .. } => Some("PENDING"),
            Self::Settled => Some("SETTLED"),
            Self::Ended { status, .. } => Some(status),
            Self::Confirmed { credited: true, .. } => Some("CREDITED"),
            Self::Held { .. } | Self::Confirmed { .. } => None,
        }
    }

    fn reason(&self) -> Option<&str> {
        match self {
            Self::Held { reason, .. } => Some(reason),
            Self::Ended { reason, .. } => reason.as_deref(),
            Self::Confirmed { status, .. } => Some(status),
            Self::Pending { .. } | Self::Settled => None,
        }
    }

    fn refusal(&self) -> Option<&str> {
        match self {
            Self::Ended { refusal, .. } => refusal.as_deref(),
            Self::Pending { .. } | Self::Held { .. } | Self::Settled | Self::Confirmed { .. } => {
                None
            }
        }
    }

    /// Until when the transfer is held or may wait.
    fn until(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Held { until, .. } => clock::calendar(*until),
            Self::Pending { deadline } => clock::calendar(*deadline),
            Self::Settled | Self::Ended { .. } | Self::Confirmed { .. } => None,
        }
    }
}

/// A change, and which record tells it.
#[derive(Clone, Debug)]
pub struct Told {
    /// Of which transfer.
    pub transfer: TransferId,
    /// What changes.
    pub change: Change,
    /// Replicated time.
    pub at: Timestamp,
    /// The record's number; 0: none.
    pub record: u64,
    /// Whether its money is moved in the same SQL transaction.
    pub booked: bool,
}

/// A change that was applied for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Which transfer.
    pub transfer: TransferId,
    /// Whether this gateway submitted the transfer.
    pub outgoing: bool,
    /// Its corridor.
    pub corridor: i64,
    /// What changed.
    pub change: Change,
    /// When this gateway first knew of the transfer.
    pub created_at: OffsetDateTime,
    /// How long after this gateway first knew of the transfer.
    pub after: Duration,
    /// The span of who asked for it.
    pub traceparent: Option<String>,
}

/// Applies changes in order and writes them to the timelines; gives those that were not applied
/// before.
///
/// # Errors
/// When a statement fails.
pub async fn transfer_changes(
    connection: &mut Connection,
    told: &[Told],
) -> Result<Vec<Changed>, Error> {
    let mut changed = Vec::with_capacity(told.len());
    for wave in waves(told) {
        changed.extend(apply(connection, &wave).await?);
    }
    Ok(changed)
}

/// No transfer twice in one statement: its second change goes with the second wave.
fn waves(told: &[Told]) -> Vec<Vec<&Told>> {
    let mut seen: HashMap<TransferId, usize> = HashMap::new();
    let mut waves: Vec<Vec<&Told>> = Vec::new();
    for one in told {
        let at = seen.entry(one.transfer).and_modify(|at| *at += 1).or_default();
        match waves.get_mut(*at) {
            Some(wave) => wave.push(one),
            None => waves.push(vec![one]),
        }
    }
    waves
}

#[derive(FromRow)]
struct ChangedRow {
    place: i32,
    outgoing: bool,
    created_at: OffsetDateTime,
    corridor: i64,
    traceparent: Option<String>,
}

async fn apply(connection: &mut Connection, wave: &[&Told]) -> Result<Vec<Changed>, Error> {
    let mut rows = update(connection, wave).await?;
    rows.sort_unstable_by_key(|row| row.place);
    let mut left: Vec<Option<&Told>> = wave.iter().copied().map(Some).collect();
    let mut changed = Vec::with_capacity(rows.len());
    for row in rows {
        let at = usize::try_from(row.place).ok();
        let Some(told) = at.and_then(|at| left.get_mut(at)).and_then(Option::take) else {
            continue;
        };
        // The ledger's clock may be behind this machine's.
        let after = clock::calendar_or_epoch(told.at) - row.created_at;
        changed.push(Changed {
            transfer: told.transfer,
            outgoing: row.outgoing,
            corridor: row.corridor,
            change: told.change.clone(),
            created_at: row.created_at,
            after: Duration::try_from(after).unwrap_or_default(),
            traceparent: row.traceparent,
        });
    }
    deadlines_set(connection, left.into_iter().flatten()).await?;
    Ok(changed)
}

fn record(told: &Told) -> Result<Option<i64>, Error> {
    (told.record != 0).then(|| big("record", told.record)).transpose()
}

/// Where an outcome, which comes without a deadline, was written before the record with it.
async fn deadlines_set(
    connection: &mut Connection,
    left: impl Iterator<Item = &Told>,
) -> Result<(), Error> {
    let dated = |told: &&Told| match told.change {
        Change::Pending { deadline } => deadline != Timestamp::ZERO,
        Change::Held { .. } | Change::Settled | Change::Ended { .. } | Change::Confirmed { .. } => {
            false
        }
    };
    let dated: Vec<&Told> = left.filter(dated).collect();
    if dated.is_empty() {
        return Ok(());
    }
    let (agents, uetrs) = ids(dated.iter().map(|told| told.transfer));
    sqlx::query(
        "UPDATE transfer t SET deadline = c.deadline
         FROM unnest($1::bigint[], $2::uuid[], $3::timestamptz[])
            AS c (debtor_agent, uetr, deadline)
         WHERE t.debtor_agent = c.debtor_agent AND t.uetr = c.uetr AND t.status = 'PENDING'
            AND c.deadline IS NOT NULL AND t.deadline IS DISTINCT FROM c.deadline",
    )
    .bind(agents)
    .bind(uetrs)
    .bind(dated.iter().map(|told| told.change.until()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// Updates transfers and adds the lines of those that change to their timelines.
async fn update(connection: &mut Connection, wave: &[&Told]) -> Result<Vec<ChangedRow>, Error> {
    let (agents, uetrs) = ids(wave.iter().map(|told| told.transfer));
    let records = wave.iter().map(|told| record(told)).collect::<Result<Vec<_>, _>>()?;
    let changes = || wave.iter().map(|told| &told.change);
    let words = || changes().map(Change::words);
    let mut statement = Statement::default();
    statement.part(
        "changed",
        "UPDATE transfer t SET
            status = coalesce(c.status, t.status),
            record = c.record,
            deadline = CASE WHEN c.kind = 'pending' THEN coalesce(c.until, t.deadline)
                ELSE t.deadline END,
            submitted_at = CASE WHEN c.kind = 'pending' THEN c.at
                WHEN c.kind = 'settled' THEN coalesce(t.submitted_at, c.at)
                ELSE t.submitted_at END,
            settled_at = CASE WHEN c.kind = 'settled' THEN c.at ELSE t.settled_at END,
            hold_reason = CASE WHEN c.kind = 'held' THEN c.reason ELSE t.hold_reason END,
            held_until = CASE WHEN c.kind = 'held' THEN c.until ELSE t.held_until END,
            reason = CASE WHEN c.kind = 'ended' THEN c.reason ELSE t.reason END,
            refusal = CASE WHEN c.kind = 'ended' THEN c.refusal ELSE t.refusal END,
            ended_at = CASE WHEN c.kind = 'ended' THEN c.at ELSE t.ended_at END,
            confirmation = CASE WHEN c.kind = 'confirmed' THEN c.reason ELSE t.confirmation END,
            confirmed_at = CASE WHEN c.kind = 'confirmed' THEN c.at ELSE t.confirmed_at END,
            credited_at = CASE WHEN c.status = 'CREDITED' THEN c.at ELSE t.credited_at END,
            booked = t.booked OR c.booked
         FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[],
            $7::timestamptz[], $8::timestamptz[], $9::bigint[], $10::text[], $11::text[],
            $12::text[], $13::boolean[])
            WITH ORDINALITY AS c (debtor_agent, uetr, kind, status, reason, refusal, at, until,
                record, event, iso_status, because, booked, place)
         WHERE t.debtor_agent = c.debtor_agent AND t.uetr = c.uetr AND CASE c.kind
            WHEN 'pending' THEN t.status = 'QUEUED'
            WHEN 'held' THEN t.status = 'PENDING' AND t.held_until IS DISTINCT FROM c.until
            WHEN 'confirmed' THEN t.status = 'SETTLED' AND t.confirmation IS DISTINCT FROM c.reason
            ELSE t.status IN ('QUEUED', 'PENDING') END
         RETURNING (c.place - 1)::integer AS place, t.outgoing, t.created_at, t.corridor,
            t.traceparent, c.debtor_agent, c.uetr, c.at, c.event, c.iso_status, c.because,
            c.record",
    );
    statement
        .bind(agents)
        .bind(uetrs)
        .bind(changes().map(Change::kind).collect::<Vec<_>>())
        .bind(changes().map(Change::status).collect::<Vec<_>>())
        .bind(changes().map(Change::reason).collect::<Vec<_>>())
        .bind(changes().map(Change::refusal).collect::<Vec<_>>())
        .bind(wave.iter().map(|told| clock::calendar_or_epoch(told.at)).collect::<Vec<_>>())
        .bind(changes().map(Change::until).collect::<Vec<_>>())
        .bind(records)
        .bind(words().map(|(event, _, _)| event).collect::<Vec<_>>())
        .bind(words().map(|(_, iso_status, _)| iso_status).collect::<Vec<_>>())
        .bind(words().map(|(_, _, reason)| reason).collect::<Vec<_>>())
        .bind(wave.iter().map(|told| told.booked).collect::<Vec<_>>());
    statement.part(
        "told",
        "INSERT INTO timeline (debtor_agent, uetr, at, event, iso_status, reason, record)
         SELECT debtor_agent, uetr, at, event, iso_status, because, record FROM changed
         ORDER BY place",
    );
    let shown = "SELECT place, outgoing, created_at, corridor, traceparent FROM changed";
    statement.part("shown", shown);
    statement.fetch(connection).await
}

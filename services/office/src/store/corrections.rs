//! Corrections: proposed by one person, decided by another, and recorded once the ledger has the very item.

use serde_json::{Value, json};
use sqlx::{PgConnection, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Act, MovementRow, Office, act, breaks, column, commit, failed, movements, unreadable};
use crate::{
    actor::Actor,
    bridge::day_number,
    correction::{self, Facts, Kind, Proposal},
    error::Error,
};

/// A correction and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct CorrectionRow {
    pub correction: i64,
    pub kind: String,
    pub note: String,
    pub draft: Value,
    /// The item to be signed, hexadecimal: exact bytes, as docs/format.md has them.
    pub item: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    pub proposed_at: OffsetDateTime,
    pub proposed_by: String,
    /// `approved`, `refused` or `withdrawn`.
    pub decision: Option<String>,
    pub decided_by: Option<String>,
    /// The ledger's record of the item.
    pub record: Option<i64>,
}

/// A new correction.
#[derive(Clone, Debug)]
pub struct Proposed {
    pub correction: i64,
    /// The bytes to be signed, for a correction that moves money and that the office can write.
    pub item: Option<Vec<u8>>,
}

impl Office {
    /// Proposes a correction of an open break. One that moves money carries the item that somebody must sign; the
    /// office signs nothing.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming what the correction needs, [`Error::Stale`], [`Error::State`] if one is proposed already.
    pub async fn break_propose(
        &self,
        actor: &Actor,
        (id, version): (i64, i32),
        kind: Kind,
        (proposal, note): (&Proposal, &str),
        now: OffsetDateTime,
    ) -> Result<Proposed, Error> {
        actor.may_judge()?;
        let note = note.trim();
        if note.is_empty() || note.chars().count() > 4_000 {
            let reason = "say why, in 1 to 4,000 letters".to_owned();
            return Err(Error::Invalid { field: "note", reason });
        }
        let mut transaction = self.begin().await?;
        let own = breaks::locked(&mut transaction, actor, id, Some(version)).await?;
        if own.state != "open" {
            return Err(breaks::wrong_state(&own));
        }
        let movements = movements::of_break(&mut transaction, id).await?;
        let draft = correction::draft(kind, &facts(&movements)?, proposal)?;
        let row = sqlx::query(
            "INSERT INTO office.corrections (break, kind, note, draft, item, proposed_at, proposed_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING correction",
        )
        .bind(id)
        .bind(kind.as_str())
        .bind(note)
        .bind(&draft.shown)
        .bind(&draft.item)
        .bind(now)
        .bind(actor.name())
        .fetch_one(&mut *transaction)
        .await
        .map_err(failed("propose a correction"))?;
        let correction: i64 = column(&row, "correction")?;
        state(&mut transaction, id, "proposed").await?;
        let detail = json!({ "correction": correction, "kind": kind.as_str() });
        let line =
            Act { verb: "propose", subject: "break", id: id.to_string(), detail, actor, now };
        act(&mut transaction, line).await?;
        commit(transaction).await?;
        Ok(Proposed { correction, item: draft.item })
    }

    /// Approves what another person proposed.
    ///
    /// # Errors
    /// [`Error::SamePerson`], [`Error::State`] if nothing is proposed, [`Error::Stale`].
    pub async fn break_approve(
        &self,
        actor: &Actor,
        (id, version): (i64, i32),
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        self.decide(actor, (id, version), "approved", now).await
    }

    /// Refuses what another person proposed, or withdraws what one proposed oneself; the break is open again.
    ///
    /// # Errors
    /// As [`Office::break_approve`], but never for the same person.
    pub async fn break_refuse(
        &self,
        actor: &Actor,
        (id, version): (i64, i32),
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        self.decide(actor, (id, version), "refused", now).await
    }

    async fn decide(
        &self,
        actor: &Actor,
        (id, version): (i64, i32),
        decision: &'static str,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        actor.may_judge()?;
        let mut transaction = self.begin().await?;
        let own = breaks::locked(&mut transaction, actor, id, Some(version)).await?;
        if own.state != "proposed" {
            return Err(breaks::wrong_state(&own));
        }
        let proposed = list(&mut transaction, id).await?;
        let last = proposed.into_iter().rfind(|row| row.decision.is_none());
        let last = last.ok_or_else(|| breaks::wrong_state(&own))?;
        let same = last.proposed_by == actor.name();
        let decision = match (decision, same) {
            ("approved", true) => {
                return Err(Error::SamePerson { id: last.correction, by: last.proposed_by });
            }
            ("refused", true) => "withdrawn",
            (decision, _) => decision,
        };
        sqlx::query(
            "INSERT INTO office.decisions (correction, proposed_by, decision, decided_at, decided_by)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(last.correction)
        .bind(&last.proposed_by)
        .bind(decision)
        .bind(now)
        .bind(actor.name())
        .execute(&mut *transaction)
        .await
        .map_err(failed("decide a correction"))?;
        state(&mut transaction, id, if decision == "approved" { "approved" } else { "open" })
            .await?;
        let detail = json!({ "correction": last.correction, "decision": decision });
        let line = Act { verb: "decide", subject: "break", id: id.to_string(), detail, actor, now };
        act(&mut transaction, line).await?;
        commit(transaction).await
    }

    /// Records that the ledger did what an approved correction says: it has a record of that very item. For a return, of
    /// one that returns the original; `uetr` is the return's own.
    ///
    /// # Errors
    /// [`Error::NotRecorded`] while there is none, [`Error::State`] without approval.
    pub async fn correction_record(
        &self,
        actor: &Actor,
        correction: i64,
        uetr: Option<Uuid>,
        now: OffsetDateTime,
    ) -> Result<i64, Error> {
        actor.may_act()?;
        let mut transaction = self.begin().await?;
        let row = sqlx::query("SELECT break FROM office.corrections WHERE correction = $1")
            .bind(correction)
            .fetch_optional(&mut *transaction)
            .await
            .map_err(failed("read a correction"))?;
        let missing = || Error::NotFound { what: "correction", id: correction.to_string() };
        let id: i64 = column(&row.ok_or_else(missing)?, "break")?;
        breaks::locked(&mut transaction, actor, id, None).await?;
        let all = list(&mut transaction, id).await?;
        let own = all.into_iter().find(|row| row.correction == correction).ok_or_else(missing)?;
        if let Some(record) = own.record {
            return Ok(record);
        }
        if own.decision.as_deref() != Some("approved") {
            let state = own.decision.unwrap_or_else(|| "not decided".to_owned());
            return Err(Error::State { what: "correction", id: correction, state });
        }
        let sequence = recorded(&mut transaction, correction, uetr).await?;
        let sequence = sequence.ok_or(Error::NotRecorded { id: correction })?;
        sqlx::query(
            "INSERT INTO office.results (correction, sequence, recorded_at) VALUES ($1, $2, $3)",
        )
        .bind(correction)
        .bind(sequence)
        .bind(now)
        .execute(&mut *transaction)
        .await
        .map_err(failed("keep a correction's record"))?;
        let detail = json!({ "correction": correction, "record": sequence });
        let line = Act { verb: "record", subject: "break", id: id.to_string(), detail, actor, now };
        act(&mut transaction, line).await?;
        commit(transaction).await?;
        Ok(sequence)
    }
}

/// The record whose signed item is the correction's, found by what the item is about.
async fn recorded(
    connection: &mut PgConnection,
    correction: i64,
    uetr: Option<Uuid>,
) -> Result<Option<i64>, Error> {
    let row = sqlx::query("SELECT item, draft FROM office.corrections WHERE correction = $1")
        .bind(correction)
        .fetch_one(&mut *connection)
        .await
        .map_err(failed("read a correction"))?;
    let (item, draft): (Option<Vec<u8>>, Value) = (column(&row, "item")?, column(&row, "draft")?);
    let original = draft["original_uetr"].as_str().and_then(|text| Uuid::parse_str(text).ok());
    let subject = match (&item, uetr) {
        (Some(bytes), _) => correction::subject(bytes),
        (None, Some(uetr)) => Some((1, uetr.as_bytes().to_vec())),
        (None, None) => None,
    };
    let Some((kind, subject)) = subject else { return Ok(None) };
    let rows = sqlx::query(
        "WITH about AS (
            SELECT p.* FROM ledger.transfers t JOIN ledger.postings p ON p.sequence = t.submit_sequence
            WHERE $1::smallint = 1 AND t.uetr = $2
            UNION ALL SELECT p.* FROM ledger.postings p
            WHERE p.subject_kind <> 1 AND p.subject_kind = $1::smallint AND p.subject = $2)
         SELECT DISTINCT r.sequence, r.item FROM about p
            JOIN ledger.records r ON r.sequence IN (p.sequence, p.decided_sequence)
         WHERE p.state <> 'pending' ORDER BY r.sequence",
    )
    .bind(kind)
    .bind(&subject)
    .fetch_all(connection)
    .await
    .map_err(failed("look for the ledger's record"))?;
    for row in &rows {
        let signed: Option<Vec<u8>> = column(row, "item")?;
        let found = match (&item, signed) {
            (Some(item), Some(signed)) => *item == signed,
            (None, Some(signed)) => original.is_some() && correction::returns(&signed) == original,
            (_, None) => false,
        };
        if found {
            return Ok(Some(column(row, "sequence")?));
        }
    }
    Ok(None)
}

/// What the statement says of a break, else the ledger.
fn facts(movements: &[MovementRow]) -> Result<Facts, Error> {
    let statement = movements.iter().find(|row| row.book == "statement");
    let own = statement.or_else(|| movements.first()).ok_or_else(|| unreadable("movements"))?;
    let ledger = movements.iter().find(|row| row.book == "ledger").unwrap_or(own);
    Ok(Facts {
        currency: own.currency.clone(),
        amount: own.amount,
        value_date: day_number(own.value_date),
        servicer_reference: own.servicer_reference.clone(),
        uetr: ledger.uetr.or(own.uetr),
    })
}

async fn state(connection: &mut PgConnection, id: i64, state: &'static str) -> Result<(), Error> {
    sqlx::query("UPDATE office.breaks SET state = $2, version = version + 1 WHERE break = $1")
        .bind(id)
        .bind(state)
        .execute(connection)
        .await
        .map_err(failed("keep a break's state"))?;
    Ok(())
}

pub(super) async fn list(
    connection: &mut PgConnection,
    id: i64,
) -> Result<Vec<CorrectionRow>, Error> {
    let rows = sqlx::query(
        "SELECT c.correction, c.kind, c.note, c.draft, c.item, c.proposed_at, c.proposed_by, d.decision, d.decided_by,
            r.sequence
         FROM office.corrections c LEFT JOIN office.decisions d USING (correction)
            LEFT JOIN office.results r USING (correction)
         WHERE c.break = $1 ORDER BY c.correction",
    )
    .bind(id)
    .fetch_all(connection)
    .await
    .map_err(failed("list corrections"))?;
    let own = |row: &PgRow| {
        Ok(CorrectionRow {
            correction: column(row, "correction")?,
            kind: column(row, "kind")?,
            note: column(row, "note")?,
            draft: column(row, "draft")?,
            item: column::<Option<Vec<u8>>>(row, "item")?.map(hex::encode),
            proposed_at: column(row, "proposed_at")?,
            proposed_by: column(row, "proposed_by")?,
            decision: column(row, "decision")?,
            decided_by: column(row, "decided_by")?,
            record: column(row, "sequence")?,
        })
    };
    rows.iter().map(own).collect()
}

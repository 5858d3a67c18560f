//! Who takes part, with its accounts, and the keys that records added and retired.

use std::collections::BTreeMap;

use ledger_proof::{Field as _, Item, operator::KeyKind, record::SharedPart, signature::key_id};
use sqlx::{Row as _, postgres::PgRow};
use time::OffsetDateTime;

use super::{Error, Store, each, moment, participant, query};

/// Participants of one page.
const PARTICIPANTS_MAX: i64 = 500;
/// Records of keys that are read: the newest.
const KEY_RECORDS_MAX: i64 = 5_000;

/// A participant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipantRow {
    pub participant: u32,
    pub country: String,
    pub bic: String,
    pub lei: String,
    pub clearing_member: String,
    pub name: String,
    pub suspended: bool,
}

/// A key that a record added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    pub participant: u32,
    /// `signing` or `sealing`.
    pub kind: &'static str,
    /// Hexadecimal.
    pub key: String,
    /// The record that added it.
    pub added: i64,
    pub added_at: Option<OffsetDateTime>,
    /// The record that retired it.
    pub retired: Option<i64>,
}

impl Store {
    /// Participants that an actor sees: all are known to all; accounts are not.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn participants(&self) -> Result<Vec<ParticipantRow>, Error> {
        let rows = sqlx::query(
            "SELECT participant, country, bic, lei, clearing_member, name, suspended FROM ledger.participants
             ORDER BY participant LIMIT $1",
        )
        .bind(PARTICIPANTS_MAX)
        .fetch_all(&self.pool)
        .await;
        each(rows, "read participants", |row| {
            Ok(ParticipantRow {
                participant: participant(row, "participant")?,
                country: row.try_get("country")?,
                bic: row.try_get("bic")?,
                lei: row.try_get("lei")?,
                clearing_member: row.try_get("clearing_member")?,
                name: row.try_get("name")?,
                suspended: row.try_get("suspended")?,
            })
        })
    }

    /// How participants are called, for pages that name many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn names(&self) -> Result<BTreeMap<u32, String>, Error> {
        let rows = self.participants().await?;
        Ok(rows.into_iter().map(|row| (row.participant, row.name)).collect())
    }

    /// The keys of one participant, newest first. Keys of the founding stand in the genesis record and not here.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn keys(&self, of: u32) -> Result<Vec<KeyRow>, Error> {
        // With exactly the words of the partial index.
        let text =
            "SELECT sequence, at_micros, shared, item FROM ledger.records WHERE kind IN (34, 35)
             ORDER BY sequence DESC LIMIT $1";
        let rows = query(text.to_owned()).bind(KEY_RECORDS_MAX).fetch_all(&self.pool).await;
        let records = each(rows, "read records of keys", |row: &PgRow| {
            let (shared, item): (Option<Vec<u8>>, Option<Vec<u8>>) =
                (row.try_get("shared")?, row.try_get("item")?);
            let (sequence, at): (i64, i64) = (row.try_get("sequence")?, row.try_get("at_micros")?);
            Ok((sequence, at, shared.unwrap_or_default(), item.unwrap_or_default()))
        })?;
        let mut retired: BTreeMap<[u8; 8], i64> = BTreeMap::new();
        let mut keys = Vec::new();
        for (sequence, at, shared, item) in &records {
            let done = SharedPart::from_bytes(shared).is_ok_and(|shared| shared.outcome == 0);
            let Some(item) = Item::from_bytes(item).ok().filter(|_| done) else { continue };
            if let Item::RetireKey(body) = &item
                && body.participant.0 == of
            {
                retired.insert(body.key.0, *sequence);
            }
            if let Item::AddKey(body) = &item
                && body.participant.0 == of
            {
                let key = key_id(body.kind, &body.public_key);
                keys.push(KeyRow {
                    participant: of,
                    kind: match body.kind {
                        KeyKind::Signing => "signing",
                        KeyKind::Sealing => "sealing",
                    },
                    key: hex::encode(key.0),
                    added: *sequence,
                    added_at: moment(*at),
                    retired: retired.get(&key.0).copied(),
                });
            }
        }
        Ok(keys)
    }
}

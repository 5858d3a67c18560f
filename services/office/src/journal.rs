//! A participant's own journal of one account and day beside the ledger, compared by digests so that only rows that may
//! differ travel: three messages, each a file. It must never know a table, nor whose rows it digests.
//!
//! [`digest`] stands for all rows of a day by one digest for each bucket; [`Digest::differing`] names the buckets that are
//! not equal on the other side; [`answer`] gives their rows, and [`Rows::check`] holds them to what was promised.

use std::collections::{BTreeMap, BTreeSet};

use services_iso20022::statement::money;
use sha2::{Digest as _, Sha256};
use time::Date;

use crate::{day::decimal, error::Error, take::date};

pub mod read;

/// The version of all three messages; another is refused.
const VERSION: u32 = 1;
/// Bytes kept of a bucket's SHA-256: two different buckets are held for equal once in 2^128.
const KEPT: usize = 16;
/// Rows of a bucket, on average, at most.
const ROWS_OF_BUCKET: usize = 32;
/// The most buckets, as a power of two.
const BITS_MAX: u8 = 16;

/// One booking of an account, as its statement would say it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// A transfer's UETR in lower case, or the servicer's reference.
    pub reference: String,
    /// Minor units.
    pub amount: u64,
    pub credit: bool,
    pub value_date: Date,
}

impl Row {
    /// What is digested: equal rows have equal bytes, and no other row has them.
    fn canonical(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.reference.len() + 32);
        let length = u32::try_from(self.reference.len()).unwrap_or(u32::MAX);
        bytes.extend(length.to_be_bytes());
        bytes.extend(self.reference.as_bytes());
        bytes.extend(self.amount.to_be_bytes());
        bytes.push(if self.credit { b'C' } else { b'D' });
        bytes.extend(self.value_date.to_julian_day().to_be_bytes());
        bytes
    }

    /// Rows of one reference lie in one bucket, whatever else differs.
    #[must_use]
    pub fn bucket(&self, bits: u8) -> u32 {
        let digest = Sha256::digest(self.reference.as_bytes());
        let first = digest.iter().take(4).fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte));
        if bits == 0 { 0 } else { first >> (32 - u32::from(bits.min(BITS_MAX))) }
    }
}

/// A row as it is written in a message.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowText {
    pub reference: String,
    /// A decimal of the currency.
    pub amount: String,
    /// CRDT or DBIT, as the account's statement says it.
    pub direction: String,
    pub value_date: String,
}

/// Of which account and day a message speaks.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Scope {
    /// As the office's account of leg `journal` is identified.
    pub account: String,
    pub currency: String,
    /// YYYY-MM-DD.
    pub day: String,
}

impl Scope {
    /// The day.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is none.
    pub fn date(&self) -> Result<Date, Error> {
        date(&self.day)
            .ok_or_else(|| invalid("day", format!("{} is no date: write YYYY-MM-DD", self.day)))
    }
}

/// The first message: what all rows of a day come to.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digest {
    pub journal: u32,
    pub scope: Scope,
    pub rows: u64,
    /// Decimals of the currency.
    pub credits: String,
    pub debits: String,
    /// There are 2^bits buckets.
    pub bits: u8,
    /// The buckets' digests in hexadecimal, one after the other.
    pub buckets: String,
}

/// The second message: which buckets are not equal.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    pub journal: u32,
    pub scope: Scope,
    /// SHA-256 of the digest that was compared.
    pub digest: String,
    pub bits: u8,
    pub buckets: Vec<u32>,
}

/// The third message: the rows of those buckets.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    pub journal: u32,
    pub scope: Scope,
    pub digest: String,
    pub rows: Vec<RowText>,
}

/// Stands for the rows of a day.
#[must_use]
pub fn digest(scope: Scope, rows: &[Row]) -> Digest {
    let bits = bits(rows.len());
    let sum = |credit: bool| -> i128 {
        rows.iter().filter(|row| row.credit == credit).map(|row| i128::from(row.amount)).sum()
    };
    let exponent = money::exponent(&scope.currency).unwrap_or(0);
    Digest {
        journal: VERSION,
        rows: u64::try_from(rows.len()).unwrap_or(u64::MAX),
        credits: decimal(sum(true), exponent),
        debits: decimal(sum(false), exponent),
        bits,
        buckets: hex::encode(buckets(rows, bits).concat()),
        scope,
    }
}

/// The fewest buckets that hold few enough rows each.
fn bits(rows: usize) -> u8 {
    (0..BITS_MAX).find(|bits| rows <= ROWS_OF_BUCKET << bits).unwrap_or(BITS_MAX)
}

/// The digest of each bucket's rows, in any order.
#[must_use]
pub fn buckets(rows: &[Row], bits: u8) -> Vec<[u8; KEPT]> {
    let mut all: Vec<Vec<&Row>> = vec![Vec::new(); 1 << bits];
    for row in rows {
        if let Some(own) = usize::try_from(row.bucket(bits)).ok().and_then(|at| all.get_mut(at)) {
            own.push(row);
        }
    }
    all.iter_mut().map(|own| bucket(own)).collect()
}

fn bucket(rows: &mut [&Row]) -> [u8; KEPT] {
    rows.sort_unstable();
    let mut hash = Sha256::new();
    for row in rows {
        hash.update(row.canonical());
    }
    let mut kept = [0; KEPT];
    kept.iter_mut().zip(hash.finalize()).for_each(|(own, byte)| *own = byte);
    kept
}

impl Digest {
    /// What its reader may rely on.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the field.
    pub fn check(&self) -> Result<(), Error> {
        version(self.journal)?;
        self.scope.date()?;
        if self.bits > BITS_MAX {
            return Err(invalid("bits", format!("{} is over {BITS_MAX}", self.bits)));
        }
        let letters = (KEPT * 2) << self.bits;
        if self.buckets.len() != letters {
            let reason = format!("has {} letters, not {letters}", self.buckets.len());
            return Err(invalid("buckets", reason));
        }
        self.promised().map(drop)
    }

    /// SHA-256 of all that it promises: its name in the other messages.
    #[must_use]
    pub fn id(&self) -> [u8; 32] {
        let Scope { account, currency, day } = &self.scope;
        let parts = [account, currency, day, &self.credits, &self.debits, &self.buckets];
        let mut hash = Sha256::new();
        hash.update(b"causeway journal 1");
        hash.update(self.rows.to_be_bytes());
        hash.update([self.bits]);
        for part in parts {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }

    /// The buckets' digests.
    ///
    /// # Errors
    /// [`Error::Invalid`] if they are no hexadecimal.
    pub fn promised(&self) -> Result<Vec<[u8; KEPT]>, Error> {
        let bytes = hex::decode(&self.buckets)
            .map_err(|_| invalid("buckets", "is no hexadecimal".to_owned()))?;
        Ok(bytes.as_chunks::<KEPT>().0.to_vec())
    }

    /// The buckets in which these rows are not what was promised.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the buckets are no hexadecimal.
    pub fn differing(&self, rows: &[Row]) -> Result<BTreeSet<u32>, Error> {
        let pairs = self.promised()?.into_iter().zip(buckets(rows, self.bits));
        let numbered = (0_u32..).zip(pairs);
        Ok(numbered.filter(|(_, (own, other))| own != other).map(|(at, _)| at).collect())
    }

    /// The second message.
    #[must_use]
    pub fn wanted(&self, buckets: &BTreeSet<u32>) -> Wanted {
        Wanted {
            journal: VERSION,
            scope: self.scope.clone(),
            digest: hex::encode(self.id()),
            bits: self.bits,
            buckets: buckets.iter().copied().collect(),
        }
    }
}

/// The third message: the rows of the wanted buckets.
///
/// # Errors
/// [`Error::Invalid`] if these rows are not what the digest was made of.
pub fn answer(wanted: &Wanted, rows: &[Row]) -> Result<Rows, Error> {
    version(wanted.journal)?;
    let own = digest(wanted.scope.clone(), rows);
    if hex::encode(own.id()) != wanted.digest {
        let reason =
            "the journal is another than the one that was digested: digest it again".to_owned();
        return Err(invalid("journal", reason));
    }
    let asked: BTreeSet<u32> = wanted.buckets.iter().copied().collect();
    let travels = rows.iter().filter(|row| asked.contains(&row.bucket(wanted.bits)));
    let exponent = money::exponent(&wanted.scope.currency).unwrap_or(0);
    Ok(Rows {
        journal: VERSION,
        scope: wanted.scope.clone(),
        digest: wanted.digest.clone(),
        rows: travels.map(|row| text(row, exponent)).collect(),
    })
}

fn text(row: &Row, exponent: u8) -> RowText {
    RowText {
        reference: row.reference.clone(),
        amount: decimal(i128::from(row.amount), exponent),
        direction: if row.credit { "CRDT" } else { "DBIT" }.to_owned(),
        value_date: row.value_date.to_string(),
    }
}

impl Rows {
    /// The rows, once they are what the digest promised of the buckets that were asked for, and of no other.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the row or the bucket.
    pub fn check(&self, digest: &Digest, asked: &BTreeSet<u32>) -> Result<Vec<Row>, Error> {
        version(self.journal)?;
        if self.scope != digest.scope {
            return Err(invalid("scope", "is another than the digest's".to_owned()));
        }
        let day = self.scope.date()?;
        let mut by_bucket: BTreeMap<u32, Vec<Row>> = BTreeMap::new();
        for (number, text) in (1_usize..).zip(&self.rows) {
            let row = read::row(text, &self.scope.currency)
                .map_err(|reason| invalid("rows", format!("row {number}: {reason}")))?;
            let bucket = row.bucket(digest.bits);
            if row.value_date != day || !asked.contains(&bucket) {
                let reason = format!(
                    "row {number}: lies in bucket {bucket} of {}, which was not asked for",
                    row.value_date
                );
                return Err(invalid("rows", reason));
            }
            by_bucket.entry(bucket).or_default().push(row);
        }
        let promised = digest.promised()?;
        for at in asked {
            let rows = by_bucket.get(at).map(Vec::as_slice).unwrap_or_default();
            let mut own: Vec<&Row> = rows.iter().collect();
            let held = usize::try_from(*at).ok().and_then(|at| promised.get(at));
            if held != Some(&bucket(&mut own)) {
                let reason = format!("bucket {at}: its rows are not those that were digested");
                return Err(invalid("rows", reason));
            }
        }
        Ok(by_bucket.into_values().flatten().collect())
    }
}

fn version(given: u32) -> Result<(), Error> {
    if given == VERSION {
        return Ok(());
    }
    Err(invalid("journal", format!("version {given} is not known here: {VERSION} is")))
}

pub(crate) fn invalid(field: &'static str, reason: String) -> Error {
    Error::Invalid { field, reason }
}

#[cfg(test)]
mod tests;

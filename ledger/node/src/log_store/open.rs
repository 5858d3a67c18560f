//! Opening the log: every entry must follow the one before, and nothing promised may be missing; it never repairs, it refuses.
use std::path::Path;

use ledger_proof::Digest;
use serde::de::DeserializeOwned;

use super::{COMMITTED, Meta, PURGED, TABLE, VOTE, chained, is_entry, key, split};
use crate::{
    Error,
    guard::{Guard, Promise},
    raft::{LogIdOf, get_entry},
    rows::{Kind, Rows},
};

/// Where a log and its guard lie, and whose they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// The database's folder.
    pub(crate) folder: &'a Path,
    /// The high-water file.
    pub(crate) guard: &'a Path,
    /// The data folder's own name.
    pub(crate) owner: &'a str,
}

/// A log that was found whole.
pub(super) struct Found {
    pub(super) rows: Rows,
    pub(super) meta: Meta,
    pub(super) guard: Guard,
}

/// The log as read: its last entry, the chain up to it, and the chain at the promised entry.
struct Walk {
    last: Option<LogIdOf>,
    chain: Digest,
    promised: Option<(LogIdOf, Digest)>,
}

pub(super) fn open(place: &Place<'_>) -> Result<Found, Error> {
    let guard = Guard::open(place.guard)?;
    let rows = Rows::open(place.folder, Kind::Log).map_err(Error::rows("opening the log"))?;
    let purged: Option<(LogIdOf, Digest)> = read(&rows, PURGED)?;
    let mut meta = Meta {
        vote: read(&rows, VOTE)?,
        committed: read(&rows, COMMITTED)?,
        purged: purged.map(|(purged, _)| purged),
        last: None,
    };
    let promised = guard.as_ref().and_then(|guard| guard.promise().last);
    let walk = walk(&rows, purged, promised)?;
    meta.last = walk.last;
    let guard = match guard {
        Some(guard) => {
            kept(guard.promise(), &meta, &walk, place.owner)?;
            guard
        }
        None if meta.last.is_none() && meta.vote.is_none() => Guard::create(
            place.guard,
            Promise { folder: place.owner.to_owned(), ..Promise::default() },
        )?,
        None => return Err(damaged("the log, whose high-water file is missing")),
    };
    let mut found = Found { rows, meta, guard };
    // What was written and not yet promised when the process ended is promised now.
    let promise = Promise {
        folder: place.owner.to_owned(),
        vote: found.meta.vote,
        last: found.meta.last,
        chain: walk.chain,
    };
    found.guard.save(promise).map_err(Error::file(place.guard))?;
    Ok(found)
}

/// Follows the chain from the first entry to the last.
fn walk(
    rows: &Rows,
    purged: Option<(LogIdOf, Digest)>,
    promised: Option<LogIdOf>,
) -> Result<Walk, Error> {
    let mut walk = Walk {
        last: purged.map(|(purged, _)| purged),
        chain: purged.map_or([0; 32], |(_, chain)| chain),
        promised: purged.filter(|(purged, _)| promised == Some(*purged)),
    };
    let mut broken = None;
    let scanned = rows.scan(TABLE, &key(0), |row_key, row| {
        if !is_entry(row_key) {
            return Ok(false);
        }
        let (chain, bytes) = split(row)?;
        let log_id = get_entry(bytes.to_vec().into())?.log_id;
        let next = walk.last.map_or(0, |last| last.index + 1);
        if row_key != key(log_id.index)
            || log_id.index != next
            || chained(&walk.chain, bytes) != chain
        {
            broken = Some(next);
            return Ok(false);
        }
        (walk.last, walk.chain) = (Some(log_id), chain);
        if promised == Some(log_id) {
            walk.promised = Some((log_id, chain));
        }
        Ok(true)
    });
    scanned.map_err(Error::rows("reading the log"))?;
    match broken {
        Some(index) => Err(damaged(&format!("the log, whose entry {index} does not follow"))),
        None => Ok(walk),
    }
}

/// Whether all that was promised is there.
fn kept(promise: &Promise, meta: &Meta, walk: &Walk, owner: &str) -> Result<(), Error> {
    if promise.folder != owner {
        return Err(damaged("the high-water file, which is another folder's"));
    }
    if promise.vote > meta.vote {
        return Err(damaged("the log, which lacks a vote that was given"));
    }
    let Some(promised) = promise.last else { return Ok(()) };
    // Purged since, with everything before.
    if meta.purged.is_some_and(|purged| purged.index > promised.index) {
        return Ok(());
    }
    match walk.promised {
        Some((_, chain)) if chain == promise.chain => Ok(()),
        Some(_) => Err(damaged("the log, whose entries are not those that were acknowledged")),
        None => Err(damaged("the log, which lacks entries that were acknowledged")),
    }
}

fn read<T: DeserializeOwned>(rows: &Rows, key: &[u8]) -> Result<Option<T>, Error> {
    let row = rows.get(TABLE, key).map_err(Error::rows("reading the log's meta rows"))?;
    row.map(|row| serde_json::from_slice(&row))
        .transpose()
        .map_err(|_| damaged("a meta row of the log"))
}

fn damaged(what: &str) -> Error {
    Error::Damaged { what: what.to_owned() }
}

//! Movements of customers' accounts, many in one statement: each once, in order, and never past what an account has; no amount is read to be written back.
use std::collections::{HashMap, HashSet};

use ledger_types::{StatusReason, TransferId};
use sqlx::FromRow;

use super::Movement;
use crate::store::{Connection, Error, groups::in_order, transfers::ids};

/// What stands of a transfer whose money is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It settled: the money is taken.
    Captured,
    /// It ended otherwise: the money is given back.
    Released,
}

impl End {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Captured => "captured",
            Self::Released => "released",
        }
    }
}

/// Whether it was done by this call, or stood before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// By this call.
    Now,
    /// Before it.
    Before,
}

/// Which side of a transfer is moved.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side {
    /// Money of the debtor is set aside.
    Debit,
    /// The creditor gets it.
    Credit,
}

/// Why an account `l`, left-joined to what is asked `a`, can't be used; NULL if it can.
macro_rules! usable {
    () => {
        "CASE WHEN l.account IS NULL THEN 'AC01' WHEN l.status = 'closed' THEN 'AC04'
            WHEN l.status <> 'open' THEN 'AC06' WHEN l.currency <> a.currency THEN 'AC11' END"
    };
}

/// What waits for those who move money apart from the writer, and lets the writer's own go on together.
macro_rules! turn {
    () => {
        "turn AS MATERIALIZED
            (SELECT pg_advisory_xact_lock_shared(hashtext(current_schema() || ' book')))"
    };
}

/// Of an account with several movements each has what those before it leave; an account is locked before it
/// is judged, all in one order, and changes by what was entered.
macro_rules! put {
    ($kind:literal, $state:literal, $room:literal, $refused:expr, $short:literal, $change:literal) => {
        concat!(
            "WITH ", turn!(), ",
             a AS (SELECT a.* FROM turn, unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[],
                $5::bigint[]) WITH ORDINALITY
                AS a (debtor_agent, uetr, account, currency, amount, place)),
             l AS MATERIALIZED (SELECT account, currency, status, ", $room, " AS room
                FROM book_account WHERE account IN (SELECT account FROM a)
                ORDER BY account FOR UPDATE),
             known AS MATERIALIZED (SELECT a.*, coalesce((SELECT s.state <> 'released'
                FROM book_entry s WHERE s.debtor_agent = a.debtor_agent AND s.uetr = a.uetr
                    AND s.kind = '",
            $kind,
            "'), false) AS stands FROM a),
             judged AS (SELECT a.*, l.room, CASE WHEN NOT a.stands THEN coalesce(",
            $refused,
            ", CASE WHEN l.room < sum(a.amount) FILTER (WHERE NOT a.stands)
                OVER (PARTITION BY a.account ORDER BY a.place) THEN '",
            $short,
            "' END) END AS refused
                FROM known a LEFT JOIN l ON l.account = a.account),
             entered AS (INSERT INTO book_entry (debtor_agent, uetr, kind, account, amount, state)
                SELECT debtor_agent, uetr, '", $kind, "', account, amount, '", $state, "'
                FROM judged WHERE refused IS NULL AND NOT stands
                ON CONFLICT (debtor_agent, uetr, kind) DO UPDATE
                    SET account = excluded.account, amount = excluded.amount, state = excluded.state
                    WHERE book_entry.state = 'released'
                RETURNING debtor_agent, uetr, account, amount),
             changed AS (UPDATE book_account b SET ", $change, " FROM (SELECT account,
                sum(amount)::bigint AS amount FROM entered GROUP BY account) e
                WHERE b.account = e.account)
             SELECT place, refused, room, (debtor_agent, uetr) IN (SELECT debtor_agent, uetr
                FROM entered) AS entered FROM judged"
        )
    };
}

const SET_ASIDE: &str = put!(
    "debit",
    "reserved",
    "balance - reserved",
    usable!(),
    "AM04",
    "reserved = b.reserved + e.amount"
);

/// Settled money is owed: an account that was closed or blocked meanwhile gets it too.
const CREDIT: &str = put!(
    "credit",
    "credited",
    "9223372036854775807 - balance",
    "CASE WHEN l.account IS NULL THEN 'AC01' END",
    "AM02",
    "balance = b.balance + e.amount"
);

/// What an entry must be comes with what is asked, so that its key alone finds it (decisions/0034).
const END: &str = concat!(
    "WITH ",
    turn!(),
    ",
     a AS MATERIALIZED (SELECT a.*, 'debit' AS kind, 'reserved' AS was
        FROM turn, unnest($1::bigint[], $2::uuid[], $3::text[]) AS a (debtor_agent, uetr, state)),
     ended AS (UPDATE book_entry e SET state = a.state FROM a
        WHERE e.debtor_agent = a.debtor_agent AND e.uetr = a.uetr AND e.kind = a.kind
            AND e.state = a.was
        RETURNING e.account, e.amount, e.state)
     UPDATE book_account b SET reserved = b.reserved - e.amount, balance = b.balance - e.captured
     FROM (SELECT account, sum(amount)::bigint AS amount,
            coalesce(sum(amount) FILTER (WHERE state = 'captured'), 0)::bigint AS captured
        FROM ended GROUP BY account ORDER BY account) e
     WHERE b.account = e.account"
);

const CHECK: &str = concat!(
    "SELECT a.place, ",
    usable!(),
    " AS refused, false AS entered, NULL::bigint AS room
     FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS a (account, currency, place)
     LEFT JOIN book_account l ON l.account = a.account"
);

/// Lets nobody else move money until the end of this SQL transaction, which is not the writer's: so no two
/// wait for each other's accounts.
///
/// # Errors
/// When the statement fails.
pub(super) async fn alone(connection: &mut Connection) -> Result<(), Error> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext(current_schema() || ' book'))")
        .execute(connection)
        .await?;
    Ok(())
}

/// Does what is asked of each transfer, in order, in two statements at most; of each that is refused the ISO
/// reason.
///
/// # Errors
/// When a statement fails.
pub(super) async fn put(
    connection: &mut Connection,
    side: Side,
    all: &[(TransferId, &Movement)],
) -> Result<Vec<Result<Done, StatusReason>>, Error> {
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let mut firsts = HashMap::new();
    let first = all.iter().filter(|(id, _)| {
        let next = firsts.len();
        *firsts.entry(*id).or_insert(next) == next
    });
    let asked: Vec<(TransferId, &Movement)> = first.copied().collect();
    let mut judged = judged(connection, side, &asked).await?;
    let late = late(&asked, &judged);
    if !late.is_empty() {
        let again: Vec<_> = late.iter().filter_map(|at| asked.get(*at).copied()).collect();
        // The accounts are locked: what there is room for still fits.
        for (at, anew) in late.into_iter().zip(self::judged(connection, side, &again).await?) {
            if let Some(own) = judged.get_mut(at) {
                *own = anew;
            }
        }
    }
    let mut told: Vec<Option<Judged>> = judged.into_iter().map(Some).collect();
    let mut done: Vec<Result<Done, StatusReason>> = Vec::with_capacity(told.len());
    let answer = |(id, _): &(TransferId, &Movement)| {
        let at = firsts.get(id).copied()?;
        match told.get_mut(at)?.take() {
            Some(own) => done.push(own.told()),
            // The second of one transfer stands by the first, or is refused with it.
            None => return Some(done.get(at)?.map(|_| Done::Before)),
        }
        done.get(at).copied()
    };
    all.iter().map(answer).map(|own| own.ok_or(Error::Unanswered)).collect()
}

/// Which of what was judged to be too much is not: what was refused before it takes no room.
fn late(asked: &[(TransferId, &Movement)], judged: &[Judged]) -> Vec<usize> {
    let mut rooms: HashMap<&str, i64> = HashMap::new();
    let mut late = Vec::new();
    for (at, ((_, of), judged)) in asked.iter().zip(judged).enumerate() {
        let Some(room) = judged.room else { continue };
        let left = rooms.entry(&of.account).or_insert(room);
        if (judged.entered || judged.is_short()) && of.amount <= *left {
            *left -= of.amount;
            late.extend((!judged.entered).then_some(at));
        }
    }
    late
}

/// Takes or gives back what is set aside for transfers; nothing of one for which nothing is.
///
/// # Errors
/// When the statement fails.
pub(super) async fn end(
    connection: &mut Connection,
    all: &[(TransferId, End)],
) -> Result<(), Error> {
    if all.is_empty() {
        return Ok(());
    }
    // One transfer twice in one statement would end by chance.
    let mut seen = HashSet::new();
    let first = all.iter().filter(|(transfer, _)| seen.insert(*transfer)).collect::<Vec<_>>();
    let (agents, uetrs) = ids(first.iter().map(|(transfer, _)| *transfer));
    sqlx::query(END)
        .bind(agents)
        .bind(uetrs)
        .bind(first.iter().map(|(_, end)| end.as_str()).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// Whether accounts can be credited, else the ISO reason.
///
/// # Errors
/// When the statement fails.
pub(super) async fn check(
    connection: &mut Connection,
    all: &[Movement],
) -> Result<Vec<Result<(), StatusReason>>, Error> {
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Placed> = sqlx::query_as(CHECK)
        .bind(all.iter().map(|of| of.account.as_str()).collect::<Vec<_>>())
        .bind(all.iter().map(|of| of.currency.as_str()).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
    let judged = placed(rows, all.len());
    Ok(judged.into_iter().map(|judged| judged.told().map(drop)).collect())
}

/// What one statement says of one movement.
#[derive(Clone, Debug, Default, FromRow)]
struct Judged {
    refused: Option<String>,
    entered: bool,
    /// What the account had room for before all of it; none without an account.
    room: Option<i64>,
}

impl Judged {
    fn is_short(&self) -> bool {
        self.refused.as_deref().is_some_and(|reason| reason.starts_with("AM"))
    }

    fn told(self) -> Result<Done, StatusReason> {
        match self.refused {
            Some(reason) => Err(reason.parse().unwrap_or(StatusReason::known(b"NARR"))),
            None if self.entered => Ok(Done::Now),
            None => Ok(Done::Before),
        }
    }
}

#[derive(FromRow)]
struct Placed {
    place: i64,
    #[sqlx(flatten)]
    row: Judged,
}

fn placed(rows: Vec<Placed>, all: usize) -> Vec<Judged> {
    let rows = in_order(all, rows.into_iter().map(|row| (row.place, row.row)));
    rows.into_iter().map(|own| own.into_iter().next().unwrap_or_default()).collect()
}

async fn judged(
    connection: &mut Connection,
    side: Side,
    all: &[(TransferId, &Movement)],
) -> Result<Vec<Judged>, Error> {
    let (agents, uetrs) = ids(all.iter().map(|(transfer, _)| *transfer));
    let text = match side {
        Side::Debit => SET_ASIDE,
        Side::Credit => CREDIT,
    };
    let rows: Vec<Placed> = sqlx::query_as(text)
        .bind(agents)
        .bind(uetrs)
        .bind(all.iter().map(|(_, of)| of.account.as_str()).collect::<Vec<_>>())
        .bind(all.iter().map(|(_, of)| of.currency.as_str()).collect::<Vec<_>>())
        .bind(all.iter().map(|(_, of)| of.amount).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
    Ok(placed(rows, all.len()))
}

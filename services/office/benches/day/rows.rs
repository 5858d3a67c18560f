//! The day as reconciliation would have written it: accounts, records, entries, transfers and postings by COPY. Of records it makes
//! number, kind and time alone, for the office reads no more of a transfer's.
use std::fmt::Write as _;

use sqlx::PgPool;
use time::Date;

use super::plan::{ACCOUNTS, MEMBERS, Plan, ledger_account, owner, parties};

/// Payments of an entry: submits, accepts, the entry itself.
const GROUP: usize = 100;
const GROUP_RECORDS: usize = 2 * GROUP + 1;
const PIECE: usize = 50_000;

pub(crate) async fn written(pool: &PgPool, plan: &Plan, day: Date) {
    founded(pool).await;
    let at = day.midnight().assume_utc().unix_timestamp() * 1_000_000 + 3_600_000_000;
    let (mut records, mut entries, mut transfers, mut postings) = Default::default();
    let mut rows = Files {
        records: &mut records,
        entries: &mut entries,
        transfers: &mut transfers,
        postings: &mut postings,
    };
    for (group, payments) in plan.payments.chunks(GROUP).enumerate() {
        rows.group(group, payments, at + i64::try_from(group).unwrap() * 1_000_000);
    }
    for (table, file) in [
        ("ledger.records (sequence, kind, at_micros, salts)", records),
        ("ledger.entries", entries),
        ("ledger.transfers", transfers),
        ("ledger.postings", postings),
    ] {
        copied(pool, table, &file).await;
    }
    sqlx::query(
        "UPDATE ledger.cursor SET next_sequence = (SELECT max(sequence) + 1 FROM ledger.records)",
    )
    .execute(pool)
    .await
    .unwrap();
    sqlx::raw_sql("ANALYZE").execute(pool).await.unwrap();
}

async fn founded(pool: &PgPool) {
    let mut accounts = "7\t1\tHKD\tt\tf\t0\n8\t1\tUSD\tt\tf\t0\n".to_owned();
    let mut participants = "1\tHK\tCWCUHKH0\t\t\tTest Custodian\tf\n".to_owned();
    for at in 0..ACCOUNTS + MEMBERS {
        let currency = if at < ACCOUNTS { "HKD" } else { "USD" };
        writeln!(accounts, "{}\t{}\t{currency}\tf\tf\t0", ledger_account(at), owner(at)).unwrap();
    }
    for at in 0..MEMBERS {
        let id = owner(2 * at);
        writeln!(participants, "{id}\tHK\tCWMEHKH0\t\t\tDay Member {id}\tf").unwrap();
    }
    for (party, account) in parties() {
        writeln!(accounts, "{account}\t{party}\tHKD\tf\tf\t0").unwrap();
        writeln!(participants, "{party}\tHK\tCWPAHKH0\t\t\tDay Party {party}\tf").unwrap();
    }
    copied(pool, "ledger.currencies", "HKD\t2\t1\t7\nUSD\t2\t1\t8\n").await;
    copied(pool, "ledger.participants", &participants).await;
    copied(pool, "ledger.accounts", &accounts).await;
}

/// Rows as COPY reads them.
struct Files<'a> {
    records: &'a mut String,
    entries: &'a mut String,
    transfers: &'a mut String,
    postings: &'a mut String,
}

impl Files<'_> {
    fn group(&mut self, group: usize, payments: &[super::plan::Payment], at: i64) {
        let first = 1 + group * GROUP_RECORDS;
        let (accepted, last) = (first + payments.len(), first + 2 * payments.len());
        for sequence in first..accepted {
            writeln!(self.records, "{sequence}\t1\t{at}\t").unwrap();
        }
        for sequence in accepted..last {
            writeln!(self.records, "{sequence}\t2\t{at}\t").unwrap();
        }
        writeln!(self.records, "{last}\t129\t{at}\t").unwrap();
        writeln!(self.entries, "{}\t{first}\t{last}\t{at}\t\\\\x{group:064x}", group + 1).unwrap();
        for (place, own) in payments.iter().enumerate() {
            let (sequence, decided) = (first + place, accepted + place);
            let (kept, other) = (ledger_account(own.account), u64::from(own.party) * 10);
            let (debit, credit) = if own.credit { (other, kept) } else { (kept, other) };
            let (debtor, creditor) = (debit / 10, credit / 10);
            let (uetr, amount) = (own.uetr.simple(), own.amount);
            writeln!(
                self.transfers,
                "{debtor}\t\\\\x{uetr}\t{creditor}\t1\t2\t0\tNARR\t{amount}\tHKD\t0\t0\t0\t{sequence}\t{at}\t{decided}\t{at}\t0\t0\t"
            )
            .unwrap();
            writeln!(
                self.postings,
                "{sequence}\t0\t1\t{debtor}\t\\\\x{uetr}\t1\t{debit}\t{credit}\tHKD\t{amount}\tposted\t{decided}"
            )
            .unwrap();
        }
    }
}

async fn copied(pool: &PgPool, table: &str, file: &str) {
    let mut connection = pool.acquire().await.unwrap();
    let mut copy = connection.copy_in_raw(&format!("COPY {table} FROM STDIN")).await.unwrap();
    for piece in file.as_bytes().chunks(PIECE) {
        copy.send(piece).await.unwrap();
    }
    copy.finish().await.unwrap();
}

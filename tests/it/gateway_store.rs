//! The gateway's store against a real Postgres.
use std::{sync::Arc, time::Duration};

use ledger_types::{Money, ParticipantId, PayoutMethod, Timestamp, TransferId, Uetr};

use futures_util::future::join_all;
use gateway::{
    api_key_create,
    banking::{CoreBanking, Customer, Reserved},
    clock,
    routes::caller::{Scope, secret_digest},
    sealing::random,
    settings::{Account, Database},
    store::{
        Store,
        book::{Book, Movement, set_aside, set_aside_apart},
        changes::{Change, Told, transfer_changes},
        commit,
        events::{EventRow, event_keep},
        keep::Keep,
        keys::NewKey,
        leaving::Stays,
        outbox::{Carried, EnvelopeRow, NewItem, OutboxRow, Said, outbox_holds, outbox_insert},
        parties::NewParty,
        quotes::{QuoteRow, quote_return},
        transfers::{Line, New, transfer_book, transfer_decide, transfer_insert},
    },
};
use sqlx::{Connection, PgConnection};
use tests::postgres::Postgres;

/// The store, and the server that goes with the last who holds it.
struct Fixture {
    store: Store,
    url: String,
    _postgres: Arc<Postgres>,
}

async fn fixture() -> Fixture {
    let postgres = Postgres::shared().unwrap();
    let url = postgres.database().await.unwrap();
    let database = Database { url: url.clone(), schema: "gateway".to_owned(), connections_max: 4 };
    Fixture {
        store: Store::open(&database, Arc::new(Stays)).await.unwrap(),
        url,
        _postgres: postgres,
    }
}

fn transfer() -> TransferId {
    let uetr = Uetr::from_random(random().unwrap());
    TransferId { debtor_agent: ParticipantId(11), uetr }
}

fn new(transfer: TransferId, outgoing: bool) -> New {
    New {
        transfer,
        creditor_agent: ParticipantId(12),
        outgoing,
        return_of: None,
        corridor: 1,
        status: "QUEUED",
        reason: None,
        refusal: None,
        instructed: Some((50_000, "HKD".to_owned())),
        settlement: (403_790, "PHP".to_owned()),
        reserved_amount: 0,
        payout_method: "wallet",
        purpose: "GIFT".to_owned(),
        end_to_end_id: None,
        quotes: vec![],
        tracking_sha256: None,
        traceparent: None,
    }
}

#[tokio::test]
async fn a_transfer_only_goes_forward() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let id = transfer();
    let at = clock::now();
    let mut transaction = store.begin().await.unwrap();
    let twice = [new(id, false), new(id, false)];
    assert_eq!(transfer_insert(&mut transaction, &twice).await.unwrap().len(), 1);
    assert!(transfer_insert(&mut transaction, &twice).await.unwrap().is_empty());
    let deadline = at.plus_micros(60_000_000);
    let ended = |status| Change::Ended { status, reason: None, refusal: None };
    let cases = [
        (Change::Pending { deadline: Timestamp::ZERO }, true, "PENDING"),
        (Change::Pending { deadline }, false, "PENDING"),
        (Change::Held { reason: "G002".to_owned(), until: deadline }, true, "PENDING"),
        (Change::Settled, true, "SETTLED"),
        (Change::Settled, false, "SETTLED"),
        (Change::Pending { deadline }, false, "SETTLED"),
        (ended("EXPIRED"), false, "SETTLED"),
        (Change::Confirmed { status: "ACWP", credited: false }, true, "SETTLED"),
        (Change::Confirmed { status: "CPUC", credited: true }, true, "CREDITED"),
        (Change::Confirmed { status: "CPUC", credited: true }, false, "CREDITED"),
    ];
    let told = |change: &Change| Told {
        transfer: id,
        change: change.clone(),
        at,
        record: 7,
        booked: false,
    };
    for (change, changed, _) in &cases {
        let done = transfer_changes(&mut transaction, &[told(change)]).await.unwrap();
        assert_eq!(!done.is_empty(), *changed, "{change:?}");
    }
    // The same of another all at once: each change finds what the one before left.
    let other = transfer();
    transfer_insert(&mut transaction, &[new(other, false)]).await.unwrap();
    let all: Vec<Told> =
        cases.iter().map(|(change, ..)| Told { transfer: other, ..told(change) }).collect();
    let done = transfer_changes(&mut transaction, &all).await.unwrap();
    let done: Vec<_> = done.into_iter().map(|done| done.change).collect();
    let meant: Vec<_> =
        cases.iter().filter(|case| case.1).map(|(change, ..)| change.clone()).collect();
    assert_eq!(done, meant);
    assert!(transfer_decide(&mut transaction, &[(id, "accept")]).await.unwrap().is_empty());
    assert_eq!(transfer_book(&mut transaction, &[id, other]).await.unwrap().len(), 2);
    assert!(transfer_book(&mut transaction, &[id, other]).await.unwrap().is_empty());
    commit(transaction).await.unwrap();
    let row = store.transfer_fetch(id.uetr, None).await.unwrap().remove(0);
    assert_eq!(row.status, "CREDITED");
    assert_eq!(row.deadline.map(clock::from_calendar), Some(deadline));
    assert_eq!(store.timeline_fetch(&row).await.unwrap().len(), 5);
}

#[tokio::test]
async fn the_outbox_survives_and_answers_a_repeat_with_the_same_bytes() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let (id, kind) = (transfer(), ledger_proof::ItemKind::Accept);
    let mut transaction = store.begin().await.unwrap();
    let item = |fingerprint, bytes: &[u8]| NewItem {
        kind,
        transfer: id,
        fingerprint: [fingerprint; 32],
        item: bytes.to_vec(),
        blob: None,
        traceparent: None,
    };
    let first = outbox_insert(&mut transaction, &[item(1, b"first")]).await.unwrap().remove(0);
    let both = [item(2, b"other"), item(1, b"again")];
    let both = outbox_insert(&mut transaction, &both).await.unwrap();
    let [other, again] = <[_; 2]>::try_from(both).unwrap();
    commit(transaction).await.unwrap();
    assert_eq!((again.id, again.item.as_slice()), (first.id, &b"first"[..]));
    let request = ledger_types::RequestId(random().unwrap());
    let items = [other.id, first.id];
    let sent = EnvelopeRow {
        request: sqlx::types::Uuid::from_bytes(request.0),
        bytes: b"bytes".to_vec(),
        valid_until: clock::calendar_or_epoch(clock::now()),
    };
    let forgotten = OutboxRow { item: b"forgotten".to_vec(), ..other.clone() };
    let carried = Carried::new(sent.clone(), [&first, &forgotten].into_iter());
    // The place is another's: neither the envelope nor the item that is there is kept with it.
    assert!(store.envelope_insert(carried.clone()).await.unwrap_err().forgotten());
    let here = store.outbox_here(&carried.items).await.unwrap();
    assert_eq!(here.into_iter().collect::<Vec<_>>(), [first.id]);
    assert!(store.envelope_open(Duration::ZERO).await.unwrap().is_empty());
    let carried = Carried::new(sent, [&other, &first].into_iter());
    // A commit whose answer was lost is repeated.
    store.envelope_insert(carried.clone()).await.unwrap();
    store.envelope_insert(carried).await.unwrap();
    assert!(store.outbox_open(Duration::ZERO).await.unwrap().is_empty());
    let envelope = store.envelope_open(Duration::ZERO).await.unwrap().remove(0);
    let rows = store.envelope_items(envelope.request).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), items);
    let said = Said {
        request: envelope.request,
        done: vec![(first.id, None), (other.id, Some("NOT_PARTY".to_owned()))],
        told: vec![],
    };
    assert!(store.envelope_answered(said).await.unwrap().is_empty());
    assert!(store.envelope_open(Duration::ZERO).await.unwrap().is_empty());
    let mut transaction = store.begin().await.unwrap();
    for (fingerprint, holds) in [(1, true), (2, false)] {
        let held = outbox_holds(&mut transaction, kind, id, &[fingerprint; 32]).await.unwrap();
        assert_eq!(held, holds, "{fingerprint}");
    }
}

/// Sets money aside as the transfer that needs it does, or tells the ISO reason why not.
async fn aside(
    store: &Store,
    book: &Book,
    id: TransferId,
    customer: Customer<'_>,
) -> Result<(), String> {
    let of = match book.reserve(id, customer).await {
        Ok(Reserved::WithTransfer(of)) => of,
        other => panic!("the book sets aside with the transfer: {other:?}"),
    };
    let mut transaction = store.begin().await.unwrap();
    let done = set_aside(&mut transaction, &[(id, &of)]).await.unwrap().remove(0);
    commit(transaction).await.unwrap();
    done.map_err(|reason| reason.to_string())
}

fn account(account: &str, status: &str) -> Account {
    Account {
        account: account.to_owned(),
        currency: "HKD".to_owned(),
        balance: 1_000,
        status: status.to_owned(),
        name: None,
        aliases: vec![],
    }
}

#[tokio::test]
async fn many_on_one_account_never_take_more_than_it_has() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let accounts = [account("one", "open"), account("other", "open"), account("shut", "blocked")];
    let book = Book::open(store.clone(), &accounts).await.unwrap();
    let twice = transfer();
    let asked = [
        (transfer(), "one", 400, None),
        // Too much, and what comes behind it is not.
        (transfer(), "one", 700, Some("AM04")),
        (twice, "one", 300, None),
        (twice, "one", 300, Some("AM05")),
        (transfer(), "one", 200, None),
        (transfer(), "one", 101, Some("AM04")),
        (transfer(), "one", 100, None),
        (transfer(), "one", 1, Some("AM04")),
        (transfer(), "shut", 1, Some("AC06")),
        (transfer(), "none", 1, Some("AC01")),
        (transfer(), "other", 1_000, None),
    ];
    let mut named = Vec::new();
    for (id, account, amount, _) in asked {
        let customer = Customer {
            account: Some(account),
            payout_method: PayoutMethod::BankAccount,
            money: Money::new(amount, "HKD".parse().unwrap()),
        };
        let Ok(Reserved::WithTransfer(of)) = book.reserve(id, customer).await else {
            panic!("the book sets aside with the transfer")
        };
        named.push((id, of));
    }
    let named: Vec<_> = named.iter().map(|(id, of)| (*id, of)).collect();
    let mut transaction = store.begin().await.unwrap();
    let done = set_aside(&mut transaction, &named).await.unwrap();
    commit(transaction).await.unwrap();
    for ((_, account, amount, refusal), done) in asked.into_iter().zip(done) {
        let done = done.err().map(|reason| reason.to_string());
        assert_eq!(done.as_deref(), refusal, "{account} {amount}");
    }
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT account, balance, reserved FROM gateway.book_account ORDER BY account",
    )
    .fetch_all(&mut PgConnection::connect(&fixture.url).await.unwrap())
    .await
    .unwrap();
    let rows = rows.iter().map(|(account, balance, reserved)| (&**account, *balance, *reserved));
    let expected = [("ONE", 1_000, 1_000), ("OTHER", 1_000, 1_000), ("SHUT", 1_000, 0)];
    assert_eq!(rows.collect::<Vec<_>>(), expected);
    // However many are too much, they cost no more statements: else they would hold up everybody.
    let (_, of) = named[0];
    let many: Vec<_> = (0..8_190).map(|_| (transfer(), of)).collect();
    let mut transaction = store.begin().await.unwrap();
    let done = set_aside(&mut transaction, &many).await.unwrap();
    commit(transaction).await.unwrap();
    assert!(done.len() == 8_190 && done.iter().all(Result::is_err));
}

/// Two who move money of the same accounts in another order, of whom one is not the writer, both come to their end.
#[tokio::test]
async fn who_moves_money_apart_from_the_writer_waits_for_no_one_who_waits_for_it() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let accounts = [account("one", "open"), account("other", "open")];
    let book = Book::open(store.clone(), &accounts).await.unwrap();
    let customer = |account| Customer {
        account: Some(account),
        payout_method: PayoutMethod::BankAccount,
        money: Money::new(1, "HKD".parse().unwrap()),
    };
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..20 {
        let (book, store, customer) = (book.clone(), store.clone(), customer);
        tasks.spawn(async move {
            for account in ["other", "one"] {
                book.credit(transfer(), customer(account)).await.unwrap();
            }
            let (first, second) = (transfer(), transfer());
            let mut asked = Vec::new();
            for (id, account) in [(first, "one"), (second, "other")] {
                let Ok(Reserved::WithTransfer(of)) = book.reserve(id, customer(account)).await
                else {
                    panic!("the book sets aside with the transfer")
                };
                asked.push((id, of));
            }
            let mut transaction = store.begin().await.unwrap();
            for (id, of) in &asked {
                let done = set_aside_apart(&mut transaction, &[(*id, of)]).await.unwrap();
                assert_eq!(done, [Ok(())], "{number}");
            }
            commit(transaction).await.unwrap();
            book.capture(first).await.unwrap();
            book.release(second).await.unwrap();
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let rows: Vec<(i64, i64)> =
        sqlx::query_as("SELECT balance, reserved FROM gateway.book_account ORDER BY account")
            .fetch_all(&mut PgConnection::connect(&fixture.url).await.unwrap())
            .await
            .unwrap();
    assert_eq!(rows, [(1_000, 0), (1_020, 0)]);
}

#[tokio::test]
async fn the_book_moves_money_once() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let accounts = [account("100 200", "open"), account("closed", "closed")];
    let book = Book::open(store.clone(), &accounts).await.unwrap();
    let customer = |account, amount, currency: &str| Customer {
        account: Some(account),
        payout_method: PayoutMethod::BankAccount,
        money: Money::new(amount, currency.parse().unwrap()),
    };
    let cases = [
        ("100200", 600, "HKD", None),
        ("100200", 600, "HKD", Some("AM04")),
        ("nobody", 1, "HKD", Some("AC01")),
        ("closed", 1, "HKD", Some("AC04")),
        ("100200", 1, "PHP", Some("AC11")),
    ];
    let mut reserved = None;
    for (account, amount, currency, refusal) in cases {
        let id = transfer();
        let done = aside(store, &book, id, customer(account, amount, currency)).await;
        assert_eq!(done.err().as_deref(), refusal, "{account} {amount} {currency}");
        reserved = reserved.or(refusal.is_none().then_some(id));
    }
    let id = reserved.unwrap();
    let again = || aside(store, &book, id, customer("100200", 600, "HKD"));
    assert_eq!(again().await, Err("AM05".to_owned()));
    // What was given back can be set aside again, under the same name.
    book.release(id).await.unwrap();
    assert_eq!(again().await, Ok(()));
    book.capture(id).await.unwrap();
    book.capture(id).await.unwrap();
    book.release(id).await.unwrap();
    let back = transfer();
    assert!(!book.credited(back).await.unwrap());
    book.credit(back, customer("100200", 50, "HKD")).await.unwrap();
    book.credit(back, customer("100200", 50, "HKD")).await.unwrap();
    assert!(book.credited(back).await.unwrap());
    let mut connection = PgConnection::connect(&fixture.url).await.unwrap();
    let row: (i64, i64) = sqlx::query_as(
        "SELECT balance, reserved FROM gateway.book_account WHERE account = '100200'",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(row, (450, 0));
}

#[tokio::test]
async fn keys_are_kept_as_digests_and_the_cursor_is_fenced() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let secret = api_key_create(store, &[Scope::Read]).await.unwrap();
    let key = store.api_key_fetch(secret_digest(&secret)).await.unwrap().unwrap();
    assert_eq!(key.scopes, ["read"]);
    assert!(store.api_key_fetch(secret_digest("other")).await.unwrap().is_none());
    let begun = |fingerprint: u8| {
        let (api_key, key) = (key.id, "k".to_owned());
        NewKey { api_key, key, fingerprint: vec![fingerprint], uetr: None }
    };
    let two = tokio::join!(store.idempotency_begin(begun(1)), store.idempotency_begin(begun(1)));
    let taken = [two.0.unwrap(), two.1.unwrap()].iter().filter(|known| known.is_none()).count();
    assert_eq!(taken, 1, "one of two at once has the key");
    let (first, late) = (Uetr::from_random([1; 16]), Uetr::from_random([2; 16]));
    assert_eq!(store.idempotency_name(key.id, "k", first).await.unwrap(), Some(first));
    assert_eq!(store.idempotency_name(key.id, "k", late).await.unwrap(), Some(first));
    store.idempotency_sweep().await.unwrap();
    assert!(store.idempotency_begin(begun(1)).await.unwrap().is_some(), "cut off");
    store.idempotency_forget(key.id, "k").await.unwrap();
    assert_eq!(store.idempotency_name(key.id, "k", late).await.unwrap(), None);
    assert!(store.idempotency_begin(begun(2)).await.unwrap().is_none());
    let mut transaction = store.begin().await.unwrap();
    let at = time::OffsetDateTime::UNIX_EPOCH;
    let event = EventRow { number: 1, sequence: 40, at, data: serde_json::json!({}) };
    assert!(event_keep(&mut transaction, &[event], (0, 1)).await.unwrap());
    assert!(!event_keep(&mut transaction, &[], (0, 1)).await.unwrap());
    commit(transaction).await.unwrap();
    assert_eq!(store.cursor_fetch().await.unwrap(), 1);
    assert_eq!(store.event_list(0, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_quote_is_for_the_first_order_that_names_it() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let [id, one, other, nothing] =
        [1, 2, 3, 4].map(|byte| sqlx::types::Uuid::from_bytes([byte; 16]));
    let quote = QuoteRow {
        id,
        corridor: 1,
        source_currency: "HKD".to_owned(),
        source_amount: 500,
        destination_currency: "PHP".to_owned(),
        destination_amount: 4_000,
        hops: sqlx::types::Json(Vec::new()),
        submit_by: time::OffsetDateTime::now_utc(),
        used_by: None,
    };
    store.quote_insert(quote).await.unwrap();
    let both = tokio::join!(store.quote_take(id, one), store.quote_take(id, other));
    let (first, second) = (both.0.unwrap(), both.1.unwrap());
    assert!(first != second, "one of two at once has it");
    for (uetr, its) in [(one, first), (other, second)] {
        assert_eq!(store.quote_take(id, uetr).await.unwrap(), its, "however often it asks");
    }
    assert!(!store.quote_take(nothing, one).await.unwrap());
    let (its, not) = if first { (one, other) } else { (other, one) };
    let give_back = async |uetr| {
        let mut transaction = store.begin().await.unwrap();
        quote_return(&mut transaction, id, uetr).await.unwrap();
        commit(transaction).await.unwrap();
    };
    give_back(not).await;
    assert_eq!(store.quote_fetch(id).await.unwrap().unwrap().used_by, Some(its));
    give_back(its).await;
    assert!(store.quote_take(id, not).await.unwrap(), "given back");
}

/// What goes together in one SQL transaction fails together, and is then done without what is at
/// fault.
#[tokio::test]
async fn one_at_fault_harms_no_other() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let secret = api_key_create(store, &[Scope::Read]).await.unwrap();
    let known = store.api_key_fetch(secret_digest(&secret)).await.unwrap().unwrap().id;
    let nobody = sqlx::types::Uuid::from_bytes([9; 16]);
    let begun = (0..40_u8).map(|number| {
        let api_key = if number % 10 == 3 { nobody } else { known };
        let key = NewKey { api_key, key: number.to_string(), fingerprint: vec![], uetr: None };
        store.idempotency_begin(key)
    });
    let account = Account {
        account: "100200".to_owned(),
        currency: "HKD".to_owned(),
        balance: 1_000,
        status: "open".to_owned(),
        name: None,
        aliases: vec![],
    };
    let book = Book::open(store.clone(), &[account]).await.unwrap();
    let customer = || Customer {
        account: Some("100200"),
        payout_method: PayoutMethod::BankAccount,
        money: Money::new(100, "HKD".parse().unwrap()),
    };
    let kept = (0..13).map(|number| {
        let book = &book;
        async move {
            // One of them exceeds what a column holds, and two have one Idempotency-Key.
            let id = transfer();
            let Ok(Reserved::WithTransfer(of)) = book.reserve(id, customer()).await else {
                panic!("the book sets aside with the transfer");
            };
            let reserved_amount = if number == 5 { u64::MAX } else { 100 };
            let new = New { reserved_amount, ..new(id, true) };
            let key = format!("kept {}", if number == 8 { 7 } else { number });
            let key = NewKey { api_key: known, key, fingerprint: vec![], uetr: Some(id.uetr) };
            store.transfer_keep(Keep { key: Some(key), ..keep(new, of) }).await
        }
    });
    let (begun, kept) = tokio::join!(join_all(begun), join_all(kept));
    let failed: Vec<usize> = (0..40).filter(|number| begun[*number].is_err()).collect();
    assert_eq!(failed, [3, 13, 23, 33]);
    let failed: Vec<usize> = (0..13).filter(|number| kept[*number].is_err()).collect();
    assert_eq!(failed, [5, 8]);
    assert!(kept[8].as_ref().is_err_and(|error| error.taken("idempotency")));
    let done = kept.iter().filter(|kept| matches!(kept, Ok(Ok(Some(_))))).count();
    assert_eq!(done, 10, "as much as there is, whatever failed beside it");
    let refused = kept.into_iter().flatten().filter_map(Result::err);
    assert_eq!(refused.map(|reason| reason.to_string()).collect::<Vec<_>>(), ["AM04"]);
    // A transfer is kept with its money, or not at all.
    let (transfers, items, keys): (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM gateway.transfer), (SELECT count(*) FROM gateway.open_item),
            (SELECT count(*) FROM gateway.idempotency i JOIN gateway.transfer t USING (uetr))",
    )
    .fetch_one(&mut PgConnection::connect(&fixture.url).await.unwrap())
    .await
    .unwrap();
    assert_eq!((transfers, items, keys), (10, 10, 10));
}

/// A transfer with all that belongs to it.
fn keep(new: New, of: Movement) -> Keep {
    let transfer = new.transfer;
    Keep {
        new,
        key: None,
        quote: None,
        party: NewParty { transfer, personal: None, sealed_error: None },
        set_aside: Some(of),
        line: Line::now(transfer, "received", "ACTC"),
        item: NewItem {
            kind: ledger_proof::ItemKind::Submit,
            transfer,
            fingerprint: [0; 32],
            item: b"item".to_vec(),
            blob: None,
            traceparent: None,
        },
    }
}

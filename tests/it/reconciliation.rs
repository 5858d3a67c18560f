//! The store of reconciliation against a real Postgres, fed by the ledger's own core.
use std::collections::{BTreeMap, HashMap};

use arrayvec::ArrayVec;
use ed25519_dalek::SigningKey;
use ledger_core::{Command, Ledger, Output};
use ledger_proof::{
    Digest, Field, Frontier, Genesis, Item, Part, Record as LedgerRecord, RecordKind,
    genesis::{Custodian, GenesisCurrency},
    item::{
        Accept, Cancel, Confirm, Fund, Hold, Leg, LegKind, Link, Reject, Resolve, Submit, Withdraw,
        WithdrawFailed, WithdrawPaid,
    },
    operator::{AddKey, Admit, KeyKind, OpenAccount, SetCorridor, SetScreeningPolicy},
    record::{SharedPart, part_digest},
    signature::{self, Request},
    tree::leaf_hash,
};
use ledger_types::{
    AccountId, ConfirmationStatus, CorridorId, Currency, ParticipantId, PayoutMethod, Purpose,
    RequestId, ShortText, StatusReason, Timestamp, Uetr, WithdrawalId,
};
use proto::convert::RecordEvent;
use services_reconciliation::{
    Store,
    record::Record,
    store::{Balances, Batch, Error, Writer},
    summary,
};
use tests::postgres::Postgres;

use crate::gateway_faults::forgetful;

mod many;
mod overlap;
mod rebuild;
mod roles;
mod running;
mod sweep;

const CUSTODIAN: ParticipantId = ParticipantId(1);
const DEBTOR_AGENT: ParticipantId = ParticipantId(10);
const CREDITOR_AGENT: ParticipantId = ParticipantId(20);
const CUSTODY: AccountId = AccountId(1);
const DEBTOR_ACCOUNT: AccountId = AccountId(1_001);
const CREDITOR_ACCOUNT: AccountId = AccountId(u64::MAX);
const SECOND: u64 = 1_000_000;

/// The core with everything that it ever recorded.
struct World {
    ledger: Ledger,
    now: Timestamp,
    requests: u8,
    items: HashMap<Digest, Vec<u8>>,
    records: Vec<LedgerRecord>,
}

impl World {
    fn found() -> Self {
        let hkd = currency();
        let genesis = Genesis {
            version: 1,
            founded_at: Timestamp::from_micros(SECOND),
            log_origin: text("test.example/log"),
            rulebook: text("Test rulebook"),
            rulebook_version: text("1"),
            rulebook_digest: [7; 32],
            operator_threshold: 1,
            operator_keys: list([key(ParticipantId::OPERATOR).verifying_key().to_bytes()]),
            currencies: list([GenesisCurrency {
                currency: hkd,
                exponent: 2,
                custodian: CUSTODIAN,
                custody_account: CUSTODY,
            }]),
            custodians: list([Custodian {
                participant: CUSTODIAN,
                country: "HK".parse().unwrap(),
                bic: text("CWHKHKH0"),
                name: text("Test custodian"),
                signing_key: key(CUSTODIAN).verifying_key().to_bytes(),
            }]),
            node_keys: ArrayVec::new(),
            predecessor: ArrayVec::new(),
        };
        let (ledger, out) = Ledger::found(&genesis);
        Self {
            ledger,
            now: genesis.founded_at,
            requests: 0,
            items: HashMap::new(),
            records: out.records,
        }
    }

    /// Signs items as one envelope and applies it as one entry; gives the refusals' numbers.
    fn send(&mut self, author: ParticipantId, items: &[Item]) -> Vec<u16> {
        self.requests += 1;
        let bytes: Vec<Vec<u8>> = items.iter().map(Field::to_bytes).collect();
        let request = Request {
            network: self.ledger.network(),
            author,
            request: RequestId([self.requests; 16]),
            valid_until: self.now.plus_micros(60 * SECOND),
            kind: items[0].kind(),
            all_or_nothing: false,
        };
        let envelope = signature::sign(&request, &bytes, &[&key(author)]);
        self.items.extend(bytes.into_iter().map(|bytes| (leaf_hash(&bytes), bytes)));
        let command = Command::decode(&envelope).unwrap();
        let out = self.apply(&[command]);
        let outcomes = &out.answers[0].outcomes;
        outcomes.iter().map(|outcome| outcome.rejection.map_or(0, |r| r.number())).collect()
    }

    fn apply(&mut self, commands: &[Command<'_>]) -> Output {
        self.now = self.now.plus_micros(SECOND);
        // Nothing is ever evicted here, so what is not in memory does not exist.
        let mut missing = Vec::new();
        self.ledger.missing(commands, &mut missing);
        missing.iter().for_each(|key| self.ledger.load(key, None).unwrap());
        let mut out = Output::default();
        self.ledger.apply(self.now, commands, &mut out);
        self.records.extend(out.records.iter().cloned());
        out
    }

    /// The operator's stream, from record 0.
    fn events(&self) -> Vec<RecordEvent> {
        self.records.iter().map(|record| self.event(record)).collect()
    }

    fn event(&self, record: &LedgerRecord) -> RecordEvent {
        let opened = Part::ALL.into_iter().filter(|part| !record.parts[part.index()].is_empty());
        let bytes = |part: Part| record.parts[part.index()].clone();
        let item = match record.kind {
            RecordKind::Item(_) => {
                let shared = SharedPart::from_bytes(&bytes(Part::Shared)).unwrap();
                Some(self.items[&shared.item_hash].clone().into())
            }
            RecordKind::Expiry
            | RecordKind::Entry
            | RecordKind::Genesis
            | RecordKind::EnvelopeRefusal => None,
        };
        RecordEvent {
            sequence: record.sequence,
            kind: record.kind,
            at: record.at,
            number: record.sequence,
            parts: opened.map(|part| (part, record.salt(part), bytes(part).into())).collect(),
            digests: Part::ALL.map(|part| part_digest(record.salt(part).as_ref(), &bytes(part))),
            blob: None,
            item,
        }
    }

    fn root(&self) -> Digest {
        let mut frontier = Frontier::default();
        self.records.iter().for_each(|record| frontier.push(record.leaf_hash()));
        frontier.root()
    }

    fn balances(&self) -> BTreeMap<AccountId, Balances> {
        let rows = self.ledger.accounts().map(|(id, account)| {
            let balances = Balances {
                debits_pending: account.debits_pending,
                debits_posted: account.debits_posted,
                credits_pending: account.credits_pending,
                credits_posted: account.credits_posted,
            };
            (id, balances)
        });
        rows.collect()
    }
}

fn key(participant: ParticipantId) -> SigningKey {
    SigningKey::from_bytes(&[u8::try_from(participant.0 + 1).unwrap(); 32])
}

fn list<T, const N: usize, const M: usize>(values: [T; M]) -> ArrayVec<T, N> {
    values.into_iter().collect()
}

fn text(text: &str) -> ShortText {
    text.parse().unwrap()
}

fn currency() -> Currency {
    "HKD".parse().unwrap()
}

fn uetr(name: u8) -> Uetr {
    Uetr::from_random([name; 16])
}

fn reason(code: &[u8; 4]) -> StatusReason {
    StatusReason::known(code)
}

fn transfer(world: &World, name: u8, amount: u64, single_phase: bool) -> Submit {
    Submit {
        nonce: [name; 32],
        uetr: uetr(name),
        creditor_agent: CREDITOR_AGENT,
        corridor: CorridorId(1),
        single_phase,
        payout_method: PayoutMethod::BankAccount,
        purpose: Purpose::known(b"INTC"),
        deadline: world.now.plus_micros(60 * SECOND),
        fee_schedule_version: 0,
        screening_policy_version: 1,
        blob_digest: [0; 32],
        commitment: [0; 32],
        quotes: ArrayVec::new(),
        legs: list([Leg {
            kind: LegKind::Principal,
            currency: currency(),
            debit_account: DEBTOR_ACCOUNT,
            credit_account: CREDITOR_ACCOUNT,
            amount,
        }]),
        links: ArrayVec::new(),
        document_digests: ArrayVec::new(),
        sealed_for: ArrayVec::new(),
    }
}

fn accept(name: u8) -> Item {
    let (debtor_agent, uetr) = (DEBTOR_AGENT, uetr(name));
    Item::Accept(Accept { nonce: [name; 32], debtor_agent, uetr, reference: text("ref") })
}

/// Participants, accounts, a corridor between institutions, and cash.
fn set_up(world: &mut World) {
    let operator = ParticipantId::OPERATOR;
    let members = [DEBTOR_AGENT, CREDITOR_AGENT];
    let admit = |participant| {
        Item::Admit(Admit {
            nonce: [1; 32],
            participant,
            country: "HK".parse().unwrap(),
            bic: text("CWHKHKH0"),
            lei: ShortText::EMPTY,
            clearing_member: ShortText::EMPTY,
            name: text("Test member"),
        })
    };
    let add_key = |participant| {
        let public_key = key(participant).verifying_key().to_bytes();
        Item::AddKey(AddKey { nonce: [2; 32], participant, kind: KeyKind::Signing, public_key })
    };
    let open = |(account, owner)| {
        Item::OpenAccount(OpenAccount {
            nonce: [3; 32],
            account,
            owner,
            currency: currency(),
            standing_acceptance: true,
        })
    };
    let accounts = [(DEBTOR_ACCOUNT, DEBTOR_AGENT), (CREDITOR_ACCOUNT, CREDITOR_AGENT)];
    let policy = SetScreeningPolicy { nonce: [4; 32], version: 1, digest: [4; 32] };
    let corridor = SetCorridor {
        nonce: [5; 32],
        corridor: CorridorId(1),
        version: 1,
        institutional: true,
        source_country: "HK".parse().unwrap(),
        destination_country: "HK".parse().unwrap(),
        source_currency: currency(),
        destination_currency: currency(),
        amount_min: 1,
        amount_max: 1_000_000_000,
        hold_micros: 30 * SECOND,
        credit_sla_micros: SECOND,
        open_quotes_max: 1,
        payout_methods: 1,
        screening_policy_version: 1,
        liquidity_banks: ArrayVec::new(),
        purposes: ArrayVec::new(),
        travel_rules: ArrayVec::new(),
        regulator: operator,
    };
    assert_eq!(world.send(operator, &members.map(admit)), [0, 0]);
    assert_eq!(world.send(operator, &members.map(add_key)), [0, 0]);
    assert_eq!(world.send(operator, &accounts.map(open)), [0, 0]);
    assert_eq!(world.send(operator, &[Item::SetScreeningPolicy(policy)]), [0]);
    assert_eq!(world.send(operator, &[Item::SetCorridor(corridor)]), [0]);
    let fund = Item::Fund(Fund {
        nonce: [6; 32],
        account: DEBTOR_ACCOUNT,
        currency: currency(),
        amount: 100_000,
        value_date: 20_260_101,
        bank_reference: text("STATEMENT 1"),
    });
    assert_eq!(world.send(CUSTODIAN, std::slice::from_ref(&fund)), [0]);
    // The first answer again: nothing moves.
    assert_eq!(world.send(CUSTODIAN, &[fund]), [0]);
}

/// One transfer to every end, with repeats, and both ends of a withdrawal.
fn live(world: &mut World) {
    let hour = world.now.plus_micros(3_600 * SECOND);
    let submits: Vec<Item> =
        (1..=5).map(|name| Item::Submit(transfer(world, name, 1_000, false))).collect();
    assert_eq!(world.send(DEBTOR_AGENT, &submits), [0; 5]);
    assert_eq!(world.send(DEBTOR_AGENT, &submits), [0; 5]);
    assert_eq!(world.send(CREDITOR_AGENT, &[accept(1), accept(2)]), [0, 0]);
    assert_eq!(world.send(CREDITOR_AGENT, &[accept(1)]), [0]);
    let (nonce, debtor_agent) = ([9; 32], DEBTOR_AGENT);
    let confirm = |status| {
        let (uetr, reference) = (uetr(1), text("booked"));
        Item::Confirm(Confirm { nonce, debtor_agent, uetr, status, confirmed_at: hour, reference })
    };
    let (posted, credited) =
        (ConfirmationStatus::AcceptedWithoutPosting, ConfirmationStatus::Credited);
    for status in [posted, credited, posted] {
        assert_eq!(world.send(CREDITOR_AGENT, &[confirm(status)]), [0]);
    }
    let until = world.now.plus_micros(5 * SECOND);
    let reason_held = reason(b"G002");
    let hold = Hold { nonce, debtor_agent, uetr: uetr(3), reason: reason_held, until };
    assert_eq!(world.send(CREDITOR_AGENT, &[Item::Hold(hold)]), [0]);
    let reject = Reject { nonce, debtor_agent, uetr: uetr(3), reason: reason(b"AC04") };
    assert_eq!(world.send(CREDITOR_AGENT, &[Item::Reject(reject)]), [0]);
    let cancel = Cancel { nonce, uetr: uetr(4), reason: reason(b"CUST") };
    assert_eq!(world.send(DEBTOR_AGENT, &[Item::Cancel(cancel)]), [0]);
    let above = Item::Submit(transfer(world, 6, 900_000, false));
    assert_eq!(world.send(DEBTOR_AGENT, &[above]), [50]);
    let at_once = Item::Submit(transfer(world, 7, 2_500, true));
    assert_eq!(world.send(DEBTOR_AGENT, &[at_once]), [0]);
    let burn = Item::Resolve(Resolve { nonce, uetr: uetr(8) });
    assert_eq!(world.send(DEBTOR_AGENT, &[burn]), [0]);

    let mut back = transfer(world, 9, 400, true);
    back.creditor_agent = DEBTOR_AGENT;
    back.purpose = Purpose::known(b"FOCR");
    back.links = list([Link { uetr: uetr(2), amount: 400 }]);
    back.legs[0].debit_account = CREDITOR_ACCOUNT;
    back.legs[0].credit_account = DEBTOR_ACCOUNT;
    assert_eq!(world.send(CREDITOR_AGENT, &[Item::Return(back)]), [0]);

    let withdraw = |name: u8| {
        let (withdrawal, account) = (WithdrawalId([name; 16]), DEBTOR_ACCOUNT);
        let (currency, amount) = (currency(), 700);
        Item::Withdraw(Withdraw { nonce: [name; 32], withdrawal, account, currency, amount })
    };
    assert_eq!(world.send(DEBTOR_AGENT, &[withdraw(1), withdraw(2), withdraw(3)]), [0, 0, 0]);
    let (owner, bank_reference) = (DEBTOR_AGENT, text("PAID 1"));
    let withdrawal = WithdrawalId([1; 16]);
    let paid = WithdrawPaid { nonce, owner, withdrawal, bank_reference };
    assert_eq!(world.send(CUSTODIAN, &[Item::WithdrawPaid(paid)]), [0]);
    let withdrawal = WithdrawalId([2; 16]);
    let failed = WithdrawFailed { nonce, owner, withdrawal, reason: reason(b"AC04") };
    assert_eq!(world.send(CUSTODIAN, &[Item::WithdrawFailed(failed)]), [0]);

    // Transfer 5 finds nobody.
    world.now = world.now.plus_micros(60 * SECOND);
    world.apply(&[]);
    let open = Item::Submit(transfer(world, 10, 333, false));
    assert_eq!(world.send(DEBTOR_AGENT, &[open]), [0]);
}

fn records(world: &World) -> Vec<Record> {
    world.events().into_iter().map(|event| Record::read(event).unwrap()).collect()
}

fn batches(records: &[Record], length: usize) -> impl Iterator<Item = Batch> {
    records.chunks(length).map(|records| Batch::new(records.to_vec()))
}

async fn filled(database_url: &str, records: &[Record], batch: usize) -> Store {
    let store = Store::new(database_url).unwrap();
    store.migrate().await.unwrap();
    let writer = Writer::new(store.clone(), store.claim(None).await.unwrap());
    writer.write_all(batches(records, batch)).await.unwrap();
    store
}

#[tokio::test]
async fn tables_equal_the_ledger_and_themselves() {
    let postgres = Postgres::shared().unwrap();
    let mut world = World::found();
    set_up(&mut world);
    live(&mut world);
    let records = records(&world);
    let mut dumps = Vec::new();
    for batch in [1, 7, records.len()] {
        let store = filled(&postgres.database().await.unwrap(), &records, batch).await;
        let (balances, written) = store.balances().await.unwrap();
        assert_eq!(written, u64::try_from(records.len()).unwrap());
        assert_eq!(balances, world.balances());
        let summary = summary(store.pool()).await.unwrap();
        assert_eq!(summary.records, written);
        let root: String = world.root().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(summary.root_hex, root);
        assert_eq!(summary.conservation, BTreeMap::from([("HKD".to_owned(), "0".to_owned())]));
        let states = [
            ("PENDING", 1),
            ("SETTLED", 3),
            ("CREDITED", 1),
            ("REJECTED", 2),
            ("EXPIRED", 1),
            ("CANCELLED", 1),
            ("BURNED", 1),
        ];
        assert_eq!(summary.states, BTreeMap::from(states));
        dumps.push(dump(&store).await);
    }
    assert!(dumps.iter().all(|dump| *dump == dumps[0]), "batches of another size differ");
    let transfers = &dumps[0]["transfers"];
    assert!(transfers.contains("ACCC") && transfers.contains(",400,"), "{transfers}");
}

#[tokio::test]
async fn gaps_other_reconcilers_and_changes_are_refused() {
    let postgres = Postgres::shared().unwrap();
    let mut world = World::found();
    set_up(&mut world);
    let records = records(&world);
    let (first, rest) = records.split_at(5);
    let store = filled(&postgres.database().await.unwrap(), first, 5).await;
    let held = &store.claim(None).await.unwrap();

    let gap = store.write(held, &rest[1..]).await.unwrap_err();
    assert!(matches!(gap, Error::Gap { expected: 5, found: 6 }), "{gap}");
    let again = store.write(held, first).await.unwrap_err();
    assert!(matches!(again, Error::Gap { expected: 5, found: 0 }), "{again}");
    let hole = [rest[0].clone(), rest[2].clone()];
    let gap = store.write(held, &hole).await.unwrap_err();
    assert!(matches!(gap, Error::Gap { expected: 6, found: 7 }), "{gap}");

    let other = store.claim(None).await.unwrap();
    assert_eq!(other.next_sequence, 5);
    let fenced = store.write(held, rest).await.unwrap_err();
    assert!(matches!(fenced, Error::Fenced { .. }) && !fenced.transient(), "{fenced}");
    assert!(matches!(store.claim(Some(held.epoch)).await, Err(Error::Fenced { .. })));
    assert_eq!(store.claim(Some(other.epoch)).await.unwrap(), other);
    let cursor = store.write(&other, rest).await.unwrap();
    assert_eq!(cursor.next_sequence, u64::try_from(records.len()).unwrap());
    assert_eq!(cursor.frontier.root(), world.root());
    assert_eq!(cursor.network, Some(world.ledger.network().0));

    for statement in [
        "UPDATE ledger.records SET kind = 0",
        "DELETE FROM ledger.records",
        "TRUNCATE ledger.records CASCADE",
    ] {
        let refused = sqlx::raw_sql(statement).execute(store.pool()).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{statement}: {refused}");
    }
}

#[tokio::test]
async fn a_lost_database_is_transient_and_loses_nothing() {
    let Some((postgres, url)) = forgetful().await else { return };
    let mut world = World::found();
    set_up(&mut world);
    let records = records(&world);
    let (first, rest) = records.split_at(5);
    let store = filled(&url, first, 5).await;
    // The claim waits for the disk, and takes along what was written before it.
    let held = store.claim(None).await.unwrap();
    assert_eq!(held.next_sequence, 5);
    let (second, third) = rest.split_at(3);
    let ahead = store.write(&held, second).await.unwrap();
    postgres.crash().unwrap();
    let away = store.write(&ahead, third).await.unwrap_err();
    assert!(away.transient(), "{away:?}");
    postgres.resume().unwrap();
    let gone = store.write(&ahead, third).await.unwrap_err();
    assert!(matches!(gone, Error::Forgotten { written: 8, found: 5 }), "{gone}");
    assert!(gone.transient());
    let cursor = store.claim(Some(held.epoch)).await.unwrap();
    assert_eq!(cursor, held);
    store.write(&cursor, rest).await.unwrap();
    assert_eq!(store.balances().await.unwrap().0, world.balances());
}

#[test]
fn a_forged_record_is_not_read() {
    let mut world = World::found();
    set_up(&mut world);
    let event = world.events().into_iter().find(|event| event.item.is_some()).unwrap();
    assert!(Record::read(event.clone()).is_ok());
    let mut part = event.clone();
    part.parts[0].2 = part.parts[0].2.iter().map(|byte| byte ^ 1).collect();
    assert!(Record::read(part).is_err());
    let mut withheld = event.clone();
    withheld.parts.pop();
    assert!(Record::read(withheld).is_err());
    let mut item = event.clone();
    item.item = None;
    assert!(Record::read(item).is_err());
    let mut salt = event;
    salt.parts[0].1 = Some([0; 32]);
    assert!(Record::read(salt).is_err());
}

/// Every table but the cursor's epoch, as text.
async fn dump(store: &Store) -> BTreeMap<&'static str, String> {
    let mut tables = BTreeMap::new();
    for table in [
        "records",
        "entries",
        "currencies",
        "participants",
        "accounts",
        "balances",
        "transfers",
        "postings",
        "recalls",
    ] {
        let statement = format!(
            "SELECT COALESCE(string_agg(r::text, E'\\n' ORDER BY r::text), '') FROM ledger.{table} r"
        );
        let text: String = sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
            .fetch_one(store.pool())
            .await
            .unwrap();
        tables.insert(table, text);
    }
    tables
}

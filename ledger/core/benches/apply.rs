//! The pure parts of a transfer's way through the ledger, timed apart: verify, decode, apply, hash. It opens no file and no connection.
use arrayvec::ArrayVec;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ed25519_dalek::SigningKey;
use ledger_core::{Command, Ledger, Output};
use ledger_proof::{
    Envelope, Field, Frontier, Genesis, Item, ItemKind,
    envelope::signed_bytes,
    genesis::{Custodian, GenesisCurrency},
    item::{Fund, Leg, LegKind, Submit},
    operator::{AddKey, Admit, KeyKind, OpenAccount, SetCorridor},
    signature::{Request, sign, verify},
    tree::sha256,
};
use ledger_types::{
    AccountId, CorridorId, Currency, ParticipantId, PayoutMethod, RequestId, ShortText, Timestamp,
    Uetr,
};

/// Items of one envelope, as many as fit.
const ITEMS: u32 = 8_190;
const ACCOUNTS: u64 = 10_000;
const CUSTODIAN: ParticipantId = ParticipantId(1);
const DEBTOR: ParticipantId = ParticipantId(10);
const CREDITOR: ParticipantId = ParticipantId(20);
const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

fn key(id: ParticipantId) -> SigningKey {
    SigningKey::from_bytes(&sha256(&[&id.0.to_be_bytes()]))
}

fn public(id: ParticipantId) -> [u8; 32] {
    key(id).verifying_key().to_bytes()
}

fn text(text: &str) -> ShortText {
    text.parse().expect("short text")
}

fn currency() -> Currency {
    "HKD".parse().expect("a currency")
}

fn account(owner: ParticipantId, number: u64) -> AccountId {
    AccountId(u64::from(owner.0) * 1_000_000 + number)
}

fn nonce(number: u64) -> [u8; 32] {
    sha256(&[&number.to_be_bytes()])
}

fn genesis() -> Genesis {
    let currency = GenesisCurrency {
        currency: currency(),
        exponent: 2,
        custodian: CUSTODIAN,
        custody_account: AccountId(1),
    };
    let custodian = Custodian {
        participant: CUSTODIAN,
        country: "HK".parse().expect("a country"),
        bic: text("CWCUHKH0"),
        name: text("Bench Custodian"),
        signing_key: public(CUSTODIAN),
    };
    Genesis {
        version: 1,
        founded_at: START,
        log_origin: text("causeway.test/bench"),
        rulebook: text("Bench rulebook"),
        rulebook_version: text("1"),
        rulebook_digest: [0; 32],
        operator_threshold: 1,
        operator_keys: [public(ParticipantId::OPERATOR)].into_iter().collect(),
        currencies: [currency].into_iter().collect(),
        custodians: [custodian].into_iter().collect(),
        node_keys: ArrayVec::new(),
        predecessor: ArrayVec::new(),
    }
}

/// Signs items as envelopes of as many as fit.
fn envelopes(author: ParticipantId, name: u8, items: &[Item]) -> Vec<Vec<u8>> {
    let chunks = items.chunks(usize::try_from(ITEMS).expect("small"));
    let sealed = (0_u8..).zip(chunks).map(|(number, items)| {
        let request = Request {
            network: genesis().network(),
            author,
            request: RequestId([name, number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            valid_until: START.plus_micros(3_600_000_000),
            kind: items.first().map_or(ItemKind::Submit, Item::kind),
            all_or_nothing: false,
        };
        let bytes: Vec<Vec<u8>> = items.iter().map(Field::to_bytes).collect();
        sign(&request, &bytes, &[&key(author)])
    });
    sealed.collect()
}

/// A network of two institutions with ten thousand accounts each.
fn founded() -> Ledger {
    let (mut ledger, mut out) = Ledger::found(&genesis());
    let members = [DEBTOR, CREDITOR];
    let admits = members.map(|participant| {
        let country = "HK".parse().expect("a country");
        let (lei, clearing_member) = (ShortText::EMPTY, ShortText::EMPTY);
        let (bic, name) = (ShortText::EMPTY, text("Bench Institution"));
        let nonce = nonce(0);
        Item::Admit(Admit { nonce, participant, country, bic, lei, clearing_member, name })
    });
    let keys = members.map(|participant| {
        let (kind, public_key) = (KeyKind::Signing, public(participant));
        Item::AddKey(AddKey { nonce: nonce(0), participant, kind, public_key })
    });
    let accounts = members.map(|owner| {
        let open = |number| OpenAccount {
            nonce: nonce(number),
            account: account(owner, number),
            owner,
            currency: currency(),
            standing_acceptance: true,
        };
        (0..ACCOUNTS).map(|number| Item::OpenAccount(open(number))).collect::<Vec<_>>()
    });
    let funds = (0..ACCOUNTS).map(|number| {
        Item::Fund(Fund {
            nonce: nonce(number),
            account: account(DEBTOR, number),
            currency: currency(),
            amount: 1_000_000_000,
            value_date: 20_260_101,
            bank_reference: text(&format!("BENCH-{number}")),
        })
    });
    let operator = [&admits[..], &keys[..], &accounts.concat()[..], &[corridor()][..]];
    let operator = (0_u8..).zip(operator);
    let mut signed: Vec<Vec<u8>> = operator
        .flat_map(|(name, items)| envelopes(ParticipantId::OPERATOR, name, items))
        .collect();
    signed.extend(envelopes(CUSTODIAN, 0, &funds.collect::<Vec<_>>()));
    for bytes in &signed {
        apply(&mut ledger, &[Command::decode(bytes).expect("an envelope")], &mut out);
        let refused = out.answers.iter().flat_map(|answer| &answer.outcomes);
        assert!(refused.clone().all(|outcome| outcome.rejection.is_none()), "all is done");
    }
    ledger
}

fn corridor() -> Item {
    Item::SetCorridor(SetCorridor {
        nonce: nonce(0),
        corridor: CorridorId(1),
        version: 1,
        institutional: true,
        source_country: "HK".parse().expect("a country"),
        destination_country: "HK".parse().expect("a country"),
        source_currency: currency(),
        destination_currency: currency(),
        amount_min: 1,
        amount_max: u64::MAX,
        hold_micros: 10_000_000,
        credit_sla_micros: 60_000_000,
        open_quotes_max: 1,
        payout_methods: PayoutMethod::BankAccount.bit(),
        screening_policy_version: 0,
        liquidity_banks: ArrayVec::new(),
        purposes: ArrayVec::new(),
        travel_rules: ArrayVec::new(),
        regulator: ParticipantId::OPERATOR,
    })
}

/// Single-phase transfers between accounts that follow no order.
fn transfers() -> Vec<Item> {
    let transfer = |number: u64| {
        let random = nonce(number + ACCOUNTS);
        let (mut uetr, mut places) = ([0; 16], [0; 8]);
        uetr.copy_from_slice(&random[..16]);
        places.copy_from_slice(&random[16..24]);
        let place = u64::from_be_bytes(places);
        let leg = Leg {
            kind: LegKind::Principal,
            currency: currency(),
            debit_account: account(DEBTOR, place % ACCOUNTS),
            credit_account: account(CREDITOR, place / ACCOUNTS % ACCOUNTS),
            amount: 1,
        };
        Item::Submit(Submit {
            nonce: random,
            uetr: Uetr::from_random(uetr),
            creditor_agent: CREDITOR,
            corridor: CorridorId(1),
            single_phase: true,
            payout_method: PayoutMethod::BankAccount,
            purpose: "INTC".parse().expect("a purpose"),
            deadline: Timestamp::from_micros(u64::MAX),
            fee_schedule_version: 0,
            screening_policy_version: 0,
            blob_digest: [0; 32],
            commitment: [0; 32],
            quotes: ArrayVec::new(),
            legs: [leg].into_iter().collect(),
            links: ArrayVec::new(),
            document_digests: ArrayVec::new(),
            sealed_for: ArrayVec::new(),
        })
    };
    (0..u64::from(ITEMS)).map(transfer).collect()
}

fn apply(ledger: &mut Ledger, commands: &[Command<'_>], out: &mut Output) {
    let mut missing = Vec::new();
    ledger.missing(commands, &mut missing);
    for key in missing {
        ledger.load(&key, None).expect("a row's key");
    }
    out.clear();
    ledger.apply(START, commands, out);
}

fn path_of_an_envelope(criterion: &mut Criterion) {
    let bytes = envelopes(DEBTOR, 0, &transfers()).swap_remove(0);
    let envelope = Envelope::decode(&bytes).expect("an envelope");
    let message = signed_bytes(envelope.header_bytes);
    let (key, signature) = (key(DEBTOR).verifying_key(), envelope.signatures[0].bytes);
    criterion.bench_function("verify one signature", |bencher| {
        bencher.iter(|| assert!(verify(&key, &message, &signature)));
    });
    let mut group = criterion.benchmark_group("8190 transfers");
    group.throughput(Throughput::Elements(u64::from(ITEMS))).sample_size(20);
    group.bench_function("decode", |bencher| bencher.iter(|| Command::decode(&bytes)));
    let ledger = founded();
    let command = [Command::decode(&bytes).expect("an envelope")];
    let fresh = || (ledger.clone(), Output::default());
    group.bench_function("apply", |bencher| {
        bencher.iter_batched(
            fresh,
            |(mut ledger, mut out)| {
                apply(&mut ledger, &command, &mut out);
                (ledger, out)
            },
            BatchSize::LargeInput,
        );
    });
    let (mut ledger, mut out) = fresh();
    apply(&mut ledger, &command, &mut out);
    group.bench_function("hash records", |bencher| {
        bencher.iter(|| {
            let mut frontier = Frontier::default();
            out.records.iter().for_each(|record| frontier.push(record.leaf_hash()));
            frontier.root()
        });
    });
    group.finish();
}

criterion_group!(benches, path_of_an_envelope);
criterion_main!(benches);

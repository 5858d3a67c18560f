//! Frozen vectors: bytes that can never change.
use alloc::{format, string::String, vec, vec::Vec};
use core::fmt::Write;

use arrayvec::ArrayVec;
use ed25519_dalek::SigningKey;
use expect_test::expect_file;
use ledger_types::{
    AccountId, CaseId, ConfirmationStatus, CorridorId, KeyId, NetworkId, ParticipantId,
    PayoutMethod, QuoteId, RecallAnswer, RequestId, ShortText, Timestamp, Uetr, WithdrawalId,
};

use crate::{
    DecodeError, Envelope, Field, Genesis, Item, Part, Record, RecordKind,
    entry::Entry,
    envelope::{self, Header},
    genesis::{Custodian, GenesisCurrency, NodeKey},
    item, operator, record,
    signature::{self, Request},
};

mod standards;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string");
        text
    })
}

fn text(text: &str) -> ShortText {
    text.parse().expect("short text")
}

fn uetr() -> Uetr {
    "8a562c67-ca16-48ba-b074-65581be6f001".parse().expect("a UETR")
}

fn leg(kind: item::LegKind) -> item::Leg {
    item::Leg {
        kind,
        currency: "HKD".parse().expect("a currency"),
        debit_account: AccountId(10_344),
        credit_account: AccountId(20_344),
        amount: 50_000,
    }
}

fn submit() -> item::Submit {
    item::Submit {
        nonce: [1; 32],
        uetr: uetr(),
        creditor_agent: ParticipantId(11),
        corridor: CorridorId(1),
        single_phase: false,
        payout_method: PayoutMethod::Wallet,
        purpose: "GIFT".parse().expect("a purpose"),
        deadline: Timestamp::from_micros(1_800_000_000_000_000),
        fee_schedule_version: 3,
        screening_policy_version: 2,
        blob_digest: [4; 32],
        commitment: [5; 32],
        quotes: [QuoteId([6; 16])].into_iter().collect(),
        legs: [leg(item::LegKind::Principal), leg(item::LegKind::Fee)].into_iter().collect(),
        links: [item::Link { uetr: uetr(), amount: 7 }].into_iter().collect(),
        document_digests: [[8; 32]].into_iter().collect(),
        sealed_for: [KeyId([9; 8])].into_iter().collect(),
    }
}

fn participant_items() -> Vec<Item> {
    let (nonce, uetr, debtor_agent) = ([1; 32], uetr(), ParticipantId(10));
    let reason = "AC04".parse().expect("a reason");
    let (reference, until) = (text("REF-1"), Timestamp::from_micros(1_800_000_000_000_000));
    let currency = "HKD".parse().expect("a currency");
    let (account, amount, bank_reference) = (AccountId(10_344), 50_000, text("BANK-1"));
    let (withdrawal, owner) = (WithdrawalId([3; 16]), ParticipantId(10));
    let status = ConfirmationStatus::Credited;
    let rate = "8.07580".parse().expect("a rate");
    vec![
        Item::Submit(submit()),
        Item::Accept(item::Accept { nonce, debtor_agent, uetr, reference }),
        Item::Hold(item::Hold { nonce, debtor_agent, uetr, reason, until }),
        Item::Reject(item::Reject { nonce, debtor_agent, uetr, reason }),
        Item::Confirm(item::Confirm {
            nonce,
            debtor_agent,
            uetr,
            status,
            confirmed_at: until,
            reference,
        }),
        Item::Cancel(item::Cancel { nonce, uetr, reason }),
        Item::Return(submit()),
        Item::Resolve(item::Resolve { nonce, uetr }),
        Item::RegisterQuote(item::RegisterQuote {
            nonce,
            quote: QuoteId([6; 16]),
            debtor_agent,
            corridor: CorridorId(1),
            destination_fixed: false,
            reusable: false,
            source_account: AccountId(20_344),
            destination_account: AccountId(20_608),
            source_currency: currency,
            destination_currency: "PHP".parse().expect("a currency"),
            source_amount: 50_000,
            destination_amount: 403_790,
            rate,
            payout_fee: 2_000,
            mid_rate: rate,
            mid_source: text("ECB"),
            mid_at: until,
            submit_by: until,
            hold_until: until,
            fee_schedule_version: 3,
        }),
        Item::Fund(item::Fund {
            nonce,
            account,
            currency,
            amount,
            value_date: 20_261_123,
            bank_reference,
        }),
        Item::Withdraw(item::Withdraw { nonce, withdrawal, account, currency, amount }),
        Item::WithdrawPaid(item::WithdrawPaid { nonce, owner, withdrawal, bank_reference }),
        Item::WithdrawFailed(item::WithdrawFailed { nonce, owner, withdrawal, reason }),
    ]
}

/// Kinds that were given a layout later; their vectors stand in a file of their own.
fn recall_items() -> Vec<Item> {
    let (nonce, uetr, case) = ([1; 32], uetr(), CaseId([2; 16]));
    let at = Timestamp::from_micros(1_800_000_000_000_000);
    let answer = |answer, reason: &str, returns: Option<Uetr>, promised_at| {
        Item::AnswerRecall(item::AnswerRecall {
            nonce,
            debtor_agent: ParticipantId(10),
            uetr,
            case,
            answer,
            reason: reason.parse().expect("a reason"),
            returns: returns.into_iter().collect(),
            promised_at,
        })
    };
    vec![
        Item::Recall(item::Recall {
            nonce,
            uetr,
            case,
            reason: "DUPL".parse().expect("a reason"),
            amount: 50_000,
            answer_by: at,
        }),
        answer(RecallAnswer::Accepted, "FOCR", Some(uetr), Timestamp::ZERO),
        answer(RecallAnswer::Rejected, "CUST", None, Timestamp::ZERO),
        answer(RecallAnswer::Pending, "NARR", None, at),
    ]
}

fn operator_items() -> Vec<Item> {
    let (nonce, participant, currency) =
        ([1; 32], ParticipantId(10), "HKD".parse().expect("a currency"));
    let country = "HK".parse().expect("a country");
    let mut items = vec![
        Item::Admit(operator::Admit {
            nonce,
            participant,
            country,
            bic: text("CWHKHKH0"),
            lei: ShortText::EMPTY,
            clearing_member: text("HK001"),
            name: text("Test Wallet"),
        }),
        Item::Suspend(operator::Suspend { nonce, participant, suspended: true }),
        Item::AddKey(operator::AddKey {
            nonce,
            participant,
            kind: operator::KeyKind::Sealing,
            public_key: [2; 32],
        }),
        Item::RetireKey(operator::RetireKey { nonce, participant, key: KeyId([3; 8]) }),
        Item::OpenAccount(operator::OpenAccount {
            nonce,
            account: AccountId(10_344),
            owner: participant,
            currency,
            standing_acceptance: true,
        }),
        Item::SetCap(operator::SetCap {
            nonce,
            account: AccountId(10_344),
            net_debit_cap: 1_000,
            collateral_reference: text("PLEDGE-1"),
        }),
    ];
    items.extend(operator_rules());
    items
}

fn operator_rules() -> [Item; 3] {
    let nonce = [1; 32];
    let fee = operator::Fee {
        payer: operator::FeePayer::DebtorAgent,
        payee_account: AccountId(344),
        flat: 500,
        basis_points: 25,
        amount_min: 100,
        amount_max: 10_000,
    };
    [
        Item::SetCorridor(operator::SetCorridor {
            nonce,
            corridor: CorridorId(1),
            version: 1,
            institutional: false,
            source_country: "HK".parse().expect("a country"),
            destination_country: "PH".parse().expect("a country"),
            source_currency: "HKD".parse().expect("a currency"),
            destination_currency: "PHP".parse().expect("a currency"),
            amount_min: 100,
            amount_max: 800_000,
            hold_micros: 30_000_000,
            credit_sla_micros: 60_000_000,
            open_quotes_max: 3,
            payout_methods: 3,
            screening_policy_version: 2,
            liquidity_banks: [ParticipantId(20)].into_iter().collect(),
            purposes: ["GIFT".parse().expect("a purpose")].into_iter().collect(),
            travel_rules: [operator::TravelRule { from_amount: 0, fields: 0x3ff }]
                .into_iter()
                .collect(),
            regulator: ParticipantId(0),
        }),
        Item::SetFeeSchedule(operator::SetFeeSchedule {
            nonce,
            corridor: CorridorId(1),
            version: 1,
            fees: [fee].into_iter().collect(),
        }),
        Item::SetScreeningPolicy(operator::SetScreeningPolicy {
            nonce,
            version: 1,
            digest: [7; 32],
        }),
    ]
}

fn public_key(seed: u8) -> [u8; 32] {
    SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes()
}

fn genesis() -> Genesis {
    Genesis {
        version: 1,
        founded_at: Timestamp::from_micros(1_700_000_000_000_000),
        log_origin: text("causeway.example/vectors"),
        rulebook: text("Example rulebook"),
        rulebook_version: text("2026-11"),
        rulebook_digest: [1; 32],
        operator_threshold: 1,
        operator_keys: [public_key(2)].into_iter().collect(),
        currencies: [GenesisCurrency {
            currency: "XAU".parse().expect("a currency"),
            exponent: 4,
            custodian: ParticipantId(1),
            custody_account: AccountId(1_959),
        }]
        .into_iter()
        .collect(),
        custodians: [Custodian {
            participant: ParticipantId(1),
            country: "HK".parse().expect("a country"),
            bic: text("CWCUHKH0"),
            name: text("Example Custodian"),
            signing_key: public_key(3),
        }]
        .into_iter()
        .collect(),
        node_keys: [NodeKey { node: 1, public_key: public_key(4) }].into_iter().collect(),
        predecessor: ArrayVec::new(),
    }
}

fn signed(items: &[Item]) -> Vec<u8> {
    let key = SigningKey::from_bytes(&[11; 32]);
    let request = Request {
        network: NetworkId([12; 32]),
        author: ParticipantId(10),
        request: RequestId([13; 16]),
        valid_until: Timestamp::from_micros(1_800_000_000_000_000),
        kind: items[0].kind(),
        all_or_nothing: false,
    };
    let bytes: Vec<Vec<u8>> = items.iter().map(Field::to_bytes).collect();
    signature::sign(&request, &bytes, &[&key])
}

#[test]
fn items_keep_their_bytes() {
    let mut out = String::new();
    for item in participant_items().into_iter().chain(operator_items()) {
        let bytes = item.to_bytes();
        assert_eq!(Item::from_bytes(&bytes), Ok(item.clone()), "it reads back");
        assert_eq!(Item::from_bytes(&bytes[..bytes.len() - 1]), Err(DecodeError::Short));
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(Item::from_bytes(&longer), Err(DecodeError::Trailing));
        writeln!(out, "{:?} {} {}", item.kind(), bytes.len(), hex(&bytes)).expect("a string");
    }
    expect_file!["../vectors/items.txt"].assert_eq(&out);
}

#[test]
fn recalls_and_their_answers_keep_their_bytes() {
    let mut out = String::new();
    for item in recall_items() {
        let bytes = item.to_bytes();
        assert_eq!(Item::from_bytes(&bytes), Ok(item.clone()), "it reads back");
        assert_eq!(Item::from_bytes(&bytes[..bytes.len() - 1]), Err(DecodeError::Short));
        writeln!(out, "{:?} {} {}", item.kind(), bytes.len(), hex(&bytes)).expect("a string");
    }
    let case = CaseId([2; 16]);
    let asked = record::RecallDetail { case };
    let returns = [uetr()].into_iter().collect();
    let said = record::AnswerRecallDetail { case, answer: RecallAnswer::Accepted, returns };
    out.push_str(&lines(&[
        ("recall_detail", asked.to_bytes()),
        ("answer_recall_detail", said.to_bytes()),
    ]));
    expect_file!["../vectors/recalls.txt"].assert_eq(&out);
}

#[test]
fn envelope_entry_genesis_and_records_keep_their_bytes() {
    let envelope = signed(&participant_items()[1..2]);
    let entry = Entry {
        stamp: Timestamp::from_micros(1_700_000_000_000_001),
        envelopes: vec![&envelope],
        blobs: vec![b"blob"],
    };
    let mut entry_bytes = Vec::new();
    entry.put(&mut entry_bytes);
    assert_eq!(Entry::decode(&entry_bytes), Ok(entry));
    let record = Record {
        kind: RecordKind::Item(crate::ItemKind::Accept),
        sequence: 42,
        at: Timestamp::from_micros(1_700_000_000_000_001),
        nonce: Some([1; 32]),
        parts: [b"shared".to_vec(), b"debtor".to_vec(), vec![], vec![], vec![], vec![]],
    };
    assert_eq!(Record::from_bytes(&record.to_bytes()), Ok(record.clone()));
    assert_eq!(record.leaf_data().len(), 210);
    let genesis = genesis();
    assert_eq!(Genesis::read(&genesis.to_bytes()), Ok(genesis.clone()));
    let rows = [
        ("envelope", envelope.clone()),
        ("signed_bytes", envelope::signed_bytes(&envelope[..envelope::HEADER_LENGTH])),
        ("entry", entry_bytes),
        ("record", record.to_bytes()),
        ("leaf_data", record.leaf_data()),
        ("salt_shared", record.salt(Part::Shared).expect("salted").to_vec()),
        ("leaf_hash", record.leaf_hash().to_vec()),
        ("genesis", genesis.to_bytes()),
        ("network_id", genesis.network().0.to_vec()),
    ];
    expect_file!["../vectors/containers.txt"].assert_eq(&lines(&rows));
}

#[test]
fn parts_of_records_keep_their_bytes() {
    let shared = record::SharedPart {
        outcome: 6,
        state: 4,
        reason: "ED05".parse().expect("a reason"),
        author: ParticipantId(10),
        request: RequestId([13; 16]),
        item: 7,
        item_hash: [14; 32],
        debtor_agent: ParticipantId(10),
        subject: uetr().bytes(),
        creditor_agent: ParticipantId(11),
        corridor: CorridorId(1),
        amount: 1_234,
        currency: "HKD".parse().expect("a currency"),
        deadline: Timestamp::from_micros(1_700_000_000_000_001),
        first_sequence: 41,
        links: [item::Link { uetr: uetr(), amount: 5 }].into_iter().collect(),
        detail: record::Detail(vec![1, 2, 3]),
    };
    let party = record::PartyPart {
        participant: ParticipantId(10),
        number: 9,
        legs: [leg(item::LegKind::Principal)].into_iter().collect(),
        detail: record::Detail(vec![4]),
    };
    let refusal = record::RefusalPart {
        outcome: 3,
        author: ParticipantId(10),
        request: RequestId([13; 16]),
        envelope_digest: [15; 32],
    };
    let entry = record::EntryRecord {
        entry: 1,
        first_sequence: 1,
        last_sequence: 2,
        accounts_digest: [16; 32],
        previous_digest: [17; 32],
    };
    let rows = [
        ("shared", shared.to_bytes()),
        ("party", party.to_bytes()),
        ("refusal", refusal.to_bytes()),
        ("entry_record", entry.to_bytes()),
    ];
    assert_eq!(record::SharedPart::from_bytes(&rows[0].1), Ok(shared));
    expect_file!["../vectors/parts.txt"].assert_eq(&lines(&rows));
}

#[test]
fn details_of_records_keep_their_bytes() {
    let reference = text("REF 1");
    let rows = [
        (
            "submit_detail",
            record::SubmitDetail {
                single_phase: true,
                payout_method: PayoutMethod::Wallet,
                purpose: "GIFT".parse().expect("a purpose"),
                commitment: [1; 32],
                blob_digest: [2; 32],
                sealed_for: [KeyId([3; 8])].into_iter().collect(),
                document_digests: [[4; 32]].into_iter().collect(),
            }
            .to_bytes(),
        ),
        (
            "debtor_detail",
            record::DebtorDetail {
                instructed_amount: 1_234,
                instructed_currency: "HKD".parse().expect("a currency"),
                quotes: [QuoteId([5; 16])].into_iter().collect(),
            }
            .to_bytes(),
        ),
        ("liquidity_detail", record::LiquidityDetail { quote: QuoteId([5; 16]) }.to_bytes()),
        (
            "confirm_detail",
            record::ConfirmDetail { status: ConfirmationStatus::PickedUp, reference }.to_bytes(),
        ),
        ("accept_detail", record::AcceptDetail { reference }.to_bytes()),
        (
            "fund_detail",
            record::FundDetail {
                account: AccountId(6),
                value_date: 20_261_124,
                bank_reference: reference,
            }
            .to_bytes(),
        ),
        ("withdraw_detail", record::WithdrawDetail { account: AccountId(6) }.to_bytes()),
        ("paid_detail", record::PaidDetail { bank_reference: reference }.to_bytes()),
    ];
    expect_file!["../vectors/details.txt"].assert_eq(&lines(&rows));
}

/// `name length hex` of each row.
fn lines(rows: &[(&str, Vec<u8>)]) -> String {
    rows.iter().map(|(name, bytes)| format!("{name} {} {}\n", bytes.len(), hex(bytes))).collect()
}

#[test]
fn a_genesis_is_refused_for_each_broken_rule() {
    type Break = (&'static str, fn(&mut Genesis));
    let breaks: [Break; 14] = [
        ("version", |genesis| genesis.version = 2),
        ("log_origin", |genesis| genesis.log_origin = ShortText::EMPTY),
        ("operator_threshold", |genesis| genesis.operator_threshold = 0),
        ("operator_threshold", |genesis| genesis.operator_threshold = 2),
        ("operator_keys", |genesis| genesis.operator_keys.push(public_key(2))),
        ("operator_keys", |genesis| genesis.operator_keys[0] = [0; 32]),
        ("signing_key", |genesis| genesis.custodians[0].signing_key = public_key(2)),
        ("public_key", |genesis| genesis.node_keys[0].public_key = public_key(3)),
        ("node_keys", |genesis| genesis.node_keys[0].node = 0),
        ("currencies", |genesis| genesis.currencies.clear()),
        ("custody_account", |genesis| {
            let row = GenesisCurrency {
                currency: "XAU".parse().expect("a currency"),
                ..genesis.currencies[0].clone()
            };
            genesis.currencies[0].currency = "HKD".parse().expect("a currency");
            genesis.currencies[0].exponent = 2;
            genesis.currencies.push(row);
        }),
        ("exponent", |genesis| genesis.currencies[0].exponent = 9),
        ("custodian", |genesis| genesis.currencies[0].custodian = ParticipantId(2)),
        ("custodians", |genesis| genesis.custodians.push(genesis.custodians[0].clone())),
    ];
    for (field, change) in breaks {
        let mut genesis = genesis();
        change(&mut genesis);
        let refused = Genesis::read(&genesis.to_bytes()).expect_err(field);
        let refused = format!("{refused}");
        assert!(refused.starts_with(field), "{field}: {refused}");
    }
}

#[test]
fn an_envelope_is_refused_for_each_broken_field() {
    let good = signed(&participant_items()[1..2]);
    let parsed = Envelope::decode(&good).expect("well-formed");
    assert!(parsed.items_root_matches());
    let key = SigningKey::from_bytes(&[11; 32]).verifying_key();
    let message = envelope::signed_bytes(parsed.header_bytes);
    assert!(signature::verify(&key, &message, &parsed.signatures[0].bytes));
    for (at, what) in [(1, "version"), (75, "flags"), (79, "reserved"), (71, "kind"), (72, "count")]
    {
        let mut bad = good.clone();
        bad[at] ^= 0xff;
        assert!(Envelope::decode(&bad).is_err(), "{what}");
    }
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        let accepted = Envelope::decode(&bad).is_ok_and(|envelope| {
            let message = envelope::signed_bytes(envelope.header_bytes);
            let signature = &envelope.signatures[0];
            envelope.items_root_matches()
                && signature.key == signature::key_id(operator::KeyKind::Signing, key.as_bytes())
                && signature::verify(&key, &message, &signature.bytes)
        });
        assert!(!accepted, "byte {at} is covered by the signature");
    }
    let header = Header::from_bytes(&good[..112]).expect("a header");
    assert_eq!(header.to_bytes().len(), envelope::HEADER_LENGTH);
}

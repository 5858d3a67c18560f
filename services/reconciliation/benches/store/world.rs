//! Records of an endless working day, as a ledger would stream them: quotes, submits, accepts, confirmations; it keeps no books.
use ledger_proof::{
    codec::{Digest, Field},
    genesis::{Custodian, Genesis, GenesisCurrency},
    item::{Accept, Confirm, Fund, Item, Leg, LegKind, RegisterQuote, Submit},
    operator::{Admit, OpenAccount},
    record::{
        Detail, EntryRecord, Part, PartyPart, RecordKind, SharedPart, SubmitDetail, part_digest,
        salt,
    },
    tree::{leaf_hash, sha256},
};
use ledger_types::{
    AccountId, ConfirmationStatus, CorridorId, Currency, ParticipantId, PayoutMethod, Purpose,
    QuoteId, Rate, RequestId, ShortText, StatusReason, Timestamp, TransferState, Uetr,
};
use proto::convert::RecordEvent;

const CUSTODIAN: ParticipantId = ParticipantId(1);
const LIQUIDITY: ParticipantId = ParticipantId(2);
/// Members from this number on.
const MEMBERS: u32 = 10;
const MEMBERS_COUNT: u32 = 20;
/// Transfers of one entry.
const GROUP: u64 = 100;
const ENTRY_MICROS: u64 = 100_000;

/// What the streams are made from.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) events: Vec<RecordEvent>,
    now: Timestamp,
    entry: u64,
    entry_begun: u64,
    random: u64,
}

/// What an item's record says openly.
struct Outcome {
    author: ParticipantId,
    debtor_agent: ParticipantId,
    creditor_agent: ParticipantId,
    subject: [u8; 16],
    amount: u64,
    currency: Currency,
    state: u8,
    detail: Vec<u8>,
    parties: Vec<(Part, ParticipantId, Vec<Leg>)>,
}

impl World {
    /// The founding, members with accounts and cash, and so many transfers, all confirmed but the last.
    pub(crate) fn of(transfers: u64) -> Self {
        let now = Timestamp::from_micros(1_780_000_000_000_000);
        let mut world = Self { events: Vec::new(), now, entry: 0, entry_begun: 1, random: 7 };
        world.found();
        world.members();
        let groups = transfers.div_ceil(GROUP);
        for group in 0..groups + 2 {
            let numbers = |group: u64| group * GROUP..((group + 1) * GROUP).min(transfers);
            if group < groups {
                numbers(group).for_each(|number| world.quoted(number));
                numbers(group).for_each(|number| world.submitted(number));
            }
            if (1..=groups).contains(&group) {
                numbers(group - 1).for_each(|number| world.accepted(number));
            }
            if group >= 2 {
                numbers(group - 2).for_each(|number| world.confirmed(number));
            }
            world.entry_ends();
        }
        world
    }

    fn found(&mut self) {
        let currency = |code, custody_account| GenesisCurrency {
            currency: code,
            exponent: 2,
            custodian: CUSTODIAN,
            custody_account,
        };
        let genesis = Genesis {
            version: 1,
            founded_at: self.now,
            log_origin: text("bench.example/log"),
            rulebook: text("Bench rulebook"),
            rulebook_version: text("1"),
            rulebook_digest: [7; 32],
            operator_threshold: 1,
            operator_keys: [[1; 32]].into_iter().collect(),
            currencies: [currency(hkd(), AccountId(1)), currency(php(), AccountId(2))]
                .into_iter()
                .collect(),
            custodians: [Custodian {
                participant: CUSTODIAN,
                country: "HK".parse().unwrap(),
                bic: text("CWHKHKH0"),
                name: text("Bench custodian"),
                signing_key: [2; 32],
            }]
            .into_iter()
            .collect(),
            node_keys: Default::default(),
            predecessor: Default::default(),
        };
        self.push(RecordKind::Genesis, None, [(Part::Shared, genesis.to_bytes())], None);
    }

    fn members(&mut self) {
        let operator = ParticipantId::OPERATOR;
        let members = [LIQUIDITY].into_iter().chain((0..MEMBERS_COUNT).map(member));
        for participant in members.collect::<Vec<_>>() {
            let admit = Admit {
                nonce: self.digest(),
                participant,
                country: "HK".parse().unwrap(),
                bic: text("CWHKHKH0"),
                lei: ShortText::EMPTY,
                clearing_member: ShortText::EMPTY,
                name: text("Bench member"),
            };
            self.item(Item::Admit(admit), plain(operator, participant));
            for currency in [hkd(), php()] {
                let open = OpenAccount {
                    nonce: self.digest(),
                    account: account(participant, currency),
                    owner: participant,
                    currency,
                    standing_acceptance: false,
                };
                self.item(Item::OpenAccount(open), plain(operator, participant));
                let fund = Fund {
                    nonce: self.digest(),
                    account: account(participant, currency),
                    currency,
                    amount: 1 << 50,
                    value_date: 20_260_601,
                    bank_reference: text(&format!("CASH {} {currency}", participant.0)),
                };
                self.item(Item::Fund(fund), plain(CUSTODIAN, participant));
            }
        }
        self.entry_ends();
    }

    fn quoted(&mut self, number: u64) {
        let parties = parties(number);
        let quote = RegisterQuote {
            nonce: self.digest(),
            quote: QuoteId(name(number, 3)),
            debtor_agent: parties.0,
            corridor: CorridorId(1),
            destination_fixed: true,
            reusable: false,
            source_account: account(LIQUIDITY, hkd()),
            destination_account: account(LIQUIDITY, php()),
            source_currency: hkd(),
            destination_currency: php(),
            source_amount: 55_500,
            destination_amount: 400_000,
            rate: Rate::new(720_721, 5).unwrap(),
            payout_fee: 500,
            mid_rate: Rate::new(721_500, 5).unwrap(),
            mid_source: text("bench"),
            mid_at: self.now,
            submit_by: self.now.plus_micros(30_000_000),
            hold_until: self.now.plus_micros(60_000_000),
            fee_schedule_version: 1,
        };
        let outcome = Outcome {
            subject: quote.quote.0,
            parties: vec![
                (Part::Debtor, parties.0, Vec::new()),
                (Part::Liquidity1, LIQUIDITY, Vec::new()),
            ],
            ..plain(LIQUIDITY, parties.0)
        };
        self.item(Item::RegisterQuote(quote), outcome);
    }

    fn submitted(&mut self, number: u64) {
        let (debtor, creditor) = parties(number);
        let legs = legs(number);
        let submit = Submit {
            nonce: self.digest(),
            uetr: uetr(number),
            creditor_agent: creditor,
            corridor: CorridorId(1),
            single_phase: false,
            payout_method: PayoutMethod::BankAccount,
            purpose: Purpose::known(b"GIFT"),
            deadline: self.now.plus_micros(60_000_000),
            fee_schedule_version: 1,
            screening_policy_version: 1,
            blob_digest: self.digest(),
            commitment: self.digest(),
            quotes: [QuoteId(name(number, 3))].into_iter().collect(),
            legs: legs.into_iter().collect(),
            links: Default::default(),
            document_digests: Default::default(),
            sealed_for: Default::default(),
        };
        let detail = SubmitDetail {
            single_phase: false,
            payout_method: submit.payout_method,
            purpose: submit.purpose,
            commitment: submit.commitment,
            blob_digest: submit.blob_digest,
            sealed_for: submit.sealed_for.clone(),
            document_digests: submit.document_digests.clone(),
        };
        let state = TransferState::Pending.code();
        let outcome =
            Outcome { detail: detail.to_bytes(), ..of_transfer(number, debtor, state, true) };
        self.item(Item::Submit(submit), outcome);
    }

    fn accepted(&mut self, number: u64) {
        let (debtor_agent, creditor) = parties(number);
        let (nonce, uetr) = (self.digest(), uetr(number));
        let accept = Accept { nonce, debtor_agent, uetr, reference: text("OK 123456") };
        let state = TransferState::Settled.code();
        self.item(Item::Accept(accept), of_transfer(number, creditor, state, true));
    }

    fn confirmed(&mut self, number: u64) {
        let (debtor_agent, creditor) = parties(number);
        let confirm = Confirm {
            nonce: self.digest(),
            debtor_agent,
            uetr: uetr(number),
            status: ConfirmationStatus::Credited,
            confirmed_at: self.now,
            reference: text("BOOKED 123456"),
        };
        let state = TransferState::Credited.code();
        self.item(Item::Confirm(confirm), of_transfer(number, creditor, state, false));
    }

    fn item(&mut self, item: Item, outcome: Outcome) {
        let (bytes, kind) = (item.to_bytes(), RecordKind::Item(item.kind()));
        let shared = SharedPart {
            outcome: 0,
            state: outcome.state,
            reason: StatusReason::known(b"NARR"),
            author: outcome.author,
            request: RequestId([9; 16]),
            item: 0,
            item_hash: leaf_hash(&bytes),
            debtor_agent: outcome.debtor_agent,
            subject: outcome.subject,
            creditor_agent: outcome.creditor_agent,
            corridor: CorridorId(1),
            amount: outcome.amount,
            currency: outcome.currency,
            deadline: self.now.plus_micros(60_000_000),
            first_sequence: 0,
            links: Default::default(),
            detail: Detail(outcome.detail),
        };
        let number = self.sequence();
        let party = |(part, participant, legs): (Part, ParticipantId, Vec<Leg>)| {
            let (legs, detail) = (legs.into_iter().collect(), Detail::default());
            (part, PartyPart { participant, number, legs, detail }.to_bytes())
        };
        let parts = [(Part::Shared, shared.to_bytes())];
        let parts: Vec<_> =
            parts.into_iter().chain(outcome.parties.into_iter().map(party)).collect();
        self.push(kind, Some(*item.nonce()), parts, Some(bytes));
    }

    fn entry_ends(&mut self) {
        self.entry += 1;
        let entry = EntryRecord {
            entry: self.entry,
            first_sequence: self.entry_begun,
            last_sequence: self.sequence(),
            accounts_digest: self.digest(),
            previous_digest: self.digest(),
        };
        self.push(RecordKind::Entry, None, [(Part::Shared, entry.to_bytes())], None);
        self.entry_begun = self.sequence();
        self.now = self.now.plus_micros(ENTRY_MICROS);
    }

    fn push(
        &mut self,
        kind: RecordKind,
        nonce: Option<Digest>,
        parts: impl IntoIterator<Item = (Part, Vec<u8>)>,
        item: Option<Vec<u8>>,
    ) {
        let mut digests = [[0; 32]; 6];
        let mut opened = Vec::new();
        for (part, bytes) in parts {
            let salt = nonce.as_ref().map(|nonce| salt(nonce, kind, part));
            digests[part.index()] = part_digest(salt.as_ref(), &bytes);
            opened.push((part, salt, bytes.into()));
        }
        let sequence = self.sequence();
        self.events.push(RecordEvent {
            sequence,
            kind,
            at: self.now,
            number: sequence,
            parts: opened,
            digests,
            blob: None,
            item: item.map(Into::into),
        });
    }

    fn sequence(&self) -> u64 {
        u64::try_from(self.events.len()).unwrap()
    }

    /// Bytes that compress as little as real digests do.
    fn digest(&mut self) -> Digest {
        self.random += 1;
        sha256(&[&self.random.to_be_bytes()])
    }
}

fn plain(author: ParticipantId, about: ParticipantId) -> Outcome {
    Outcome {
        author,
        debtor_agent: author,
        creditor_agent: about,
        subject: [0; 16],
        amount: 0,
        currency: "XXX".parse().unwrap(),
        state: 0,
        detail: Vec::new(),
        parties: vec![(Part::Creditor, about, Vec::new())],
    }
}

fn of_transfer(number: u64, author: ParticipantId, state: u8, moves: bool) -> Outcome {
    let (debtor_agent, creditor_agent) = parties(number);
    let of = |participant| -> Vec<Leg> {
        let own = [account(participant, hkd()), account(participant, php())];
        let touches =
            |leg: &Leg| own.contains(&leg.debit_account) || own.contains(&leg.credit_account);
        if moves { legs(number).into_iter().filter(touches).collect() } else { Vec::new() }
    };
    let mut parties = vec![
        (Part::Debtor, debtor_agent, of(debtor_agent)),
        (Part::Creditor, creditor_agent, of(creditor_agent)),
    ];
    if moves {
        parties.push((Part::Liquidity1, LIQUIDITY, of(LIQUIDITY)));
    }
    Outcome {
        author,
        debtor_agent,
        creditor_agent,
        subject: uetr(number).bytes(),
        amount: 400_000,
        currency: php(),
        state,
        detail: Vec::new(),
        parties,
    }
}

fn legs(number: u64) -> Vec<Leg> {
    let (debtor, creditor) = parties(number);
    let leg = |kind, currency, from, to, amount| Leg {
        kind,
        currency,
        debit_account: account(from, currency),
        credit_account: account(to, currency),
        amount,
    };
    vec![
        leg(LegKind::Principal, hkd(), debtor, LIQUIDITY, 55_500),
        leg(LegKind::Principal, php(), LIQUIDITY, creditor, 400_000),
        leg(LegKind::Fee, hkd(), debtor, LIQUIDITY, 150),
        leg(LegKind::PayoutFee, php(), LIQUIDITY, creditor, 500),
    ]
}

fn parties(number: u64) -> (ParticipantId, ParticipantId) {
    let debtor = u32::try_from(number % u64::from(MEMBERS_COUNT)).unwrap();
    (member(debtor), member((debtor + 1 + debtor % 7) % MEMBERS_COUNT))
}

fn member(number: u32) -> ParticipantId {
    ParticipantId(MEMBERS + number)
}

fn account(owner: ParticipantId, currency: Currency) -> AccountId {
    AccountId(u64::from(owner.0) * 10 + u64::from(currency == php()))
}

/// As random as a UUIDv4, and the same each time.
fn name(number: u64, salt: u8) -> [u8; 16] {
    let digest = sha256(&[&number.to_be_bytes(), &[salt]]);
    digest[..16].try_into().unwrap()
}

fn uetr(number: u64) -> Uetr {
    Uetr::from_random(name(number, 1))
}

fn text(text: &str) -> ShortText {
    text.parse().unwrap()
}

fn hkd() -> Currency {
    "HKD".parse().unwrap()
}

fn php() -> Currency {
    "PHP".parse().unwrap()
}

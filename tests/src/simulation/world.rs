//! The simulated network's participants and what they sign; keys are made of names, and all of it is made up.
use arrayvec::ArrayVec;
use ed25519_dalek::SigningKey;
use ledger_proof::{
    Digest, Field, Genesis, Item,
    genesis::{Custodian, GenesisCurrency},
    item::{Accept, Cancel, Fund, Leg, LegKind, Reject, Submit},
    operator::{AddKey, Admit, KeyKind, OpenAccount, SetCorridor},
    signature::{self, Request},
    tree::sha256,
};
use ledger_types::{
    AccountId, CorridorId, Currency, ParticipantId, PayoutMethod, RequestId, ShortText, Timestamp,
    Uetr,
};

pub(super) const CUSTODIAN: ParticipantId = ParticipantId(1);
/// Both send and both receive.
pub(super) const BANKS: [ParticipantId; 2] = [ParticipantId(10), ParticipantId(11)];
/// Accounts of each bank.
pub(super) const ACCOUNTS: u64 = 2;
/// What each account holds at the beginning: so little that some transfers are refused.
pub(super) const FUNDED: u64 = 2_000;
/// How long a pending transfer waits.
pub(super) const HOLD_MICROS: u64 = 1_500_000;
pub(super) const FOUNDED_AT: u64 = 1_700_000_000_000_000;
const DAY_MICROS: u64 = 86_400_000_000;

fn text(text: &str) -> ShortText {
    text.parse().expect("a short text")
}

pub(super) fn currency() -> Currency {
    "HKD".parse().expect("a currency")
}

fn key(owner: ParticipantId) -> SigningKey {
    SigningKey::from_bytes(&sha256(&[b"simulation", &owner.to_bytes()]))
}

pub(super) fn account(owner: ParticipantId, at: u64) -> AccountId {
    AccountId(u64::from(owner.0) * 1_000 + at)
}

pub(super) fn genesis() -> Genesis {
    Genesis {
        version: 1,
        founded_at: Timestamp::from_micros(FOUNDED_AT),
        log_origin: text("causeway.test/simulation"),
        rulebook: text("Test rulebook"),
        rulebook_version: text("1"),
        rulebook_digest: [7; 32],
        operator_threshold: 1,
        operator_keys: [key(ParticipantId::OPERATOR).verifying_key().to_bytes()]
            .into_iter()
            .collect(),
        currencies: [GenesisCurrency {
            currency: currency(),
            exponent: 2,
            custodian: CUSTODIAN,
            custody_account: AccountId(1),
        }]
        .into_iter()
        .collect(),
        custodians: [Custodian {
            participant: CUSTODIAN,
            country: "HK".parse().expect("a country"),
            bic: text("CWCUHKH0"),
            name: text("Test Custodian"),
            signing_key: key(CUSTODIAN).verifying_key().to_bytes(),
        }]
        .into_iter()
        .collect(),
        node_keys: ArrayVec::new(),
        predecessor: ArrayVec::new(),
    }
}

/// An envelope and what it says.
#[derive(Clone, Debug)]
pub(super) struct Envelope {
    pub(super) author: ParticipantId,
    pub(super) request: RequestId,
    pub(super) items: Vec<Item>,
    pub(super) bytes: Vec<u8>,
}

/// Signs for everybody, with fresh names that follow from a counter.
#[derive(Debug, Default)]
pub(super) struct Pen {
    next: u64,
}

impl Pen {
    pub(super) fn fresh(&mut self) -> Digest {
        self.next += 1;
        sha256(&[b"fresh", &self.next.to_be_bytes()])
    }

    pub(super) fn uetr(&mut self) -> Uetr {
        let fresh = self.fresh();
        Uetr::from_random(fresh[..16].try_into().expect("16 bytes"))
    }

    pub(super) fn envelope(&mut self, author: ParticipantId, items: Vec<Item>) -> Envelope {
        let fresh = self.fresh();
        let request = RequestId(fresh[16..].try_into().expect("16 bytes"));
        let head = Request {
            network: genesis().network(),
            author,
            request,
            valid_until: Timestamp::from_micros(FOUNDED_AT + DAY_MICROS / 2),
            kind: items[0].kind(),
            all_or_nothing: false,
        };
        let encoded: Vec<Vec<u8>> = items.iter().map(Field::to_bytes).collect();
        let bytes = signature::sign(&head, &encoded, &[&key(author)]);
        Envelope { author, request, items, bytes }
    }

    /// What founds the network, one after the other.
    pub(super) fn founding(&mut self) -> Vec<Envelope> {
        let operator = ParticipantId::OPERATOR;
        let admissions = BANKS.map(|id| admit(self.fresh(), id)).to_vec();
        let keys = BANKS.map(|id| add_key(self.fresh(), id)).to_vec();
        let mut accounts = Vec::new();
        let mut fundings = Vec::new();
        for owner in BANKS {
            for at in 0..ACCOUNTS {
                accounts.push(open(self.fresh(), owner, at));
                fundings.push(fund(self.fresh(), owner, at));
            }
        }
        let corridor = corridor(self.fresh());
        vec![
            self.envelope(operator, admissions),
            self.envelope(operator, keys),
            self.envelope(operator, accounts),
            self.envelope(operator, vec![corridor]),
            self.envelope(CUSTODIAN, fundings),
        ]
    }

    /// A transfer between two of the banks' accounts.
    pub(super) fn submit(
        &mut self,
        uetr: Uetr,
        (from, to): (AccountId, AccountId),
        creditor_agent: ParticipantId,
        amount: u64,
        single_phase: bool,
    ) -> Item {
        let leg = Leg {
            kind: LegKind::Principal,
            currency: currency(),
            debit_account: from,
            credit_account: to,
            amount,
        };
        Item::Submit(Submit {
            nonce: self.fresh(),
            uetr,
            creditor_agent,
            corridor: CorridorId(1),
            single_phase,
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
    }

    pub(super) fn accept(&mut self, debtor_agent: ParticipantId, uetr: Uetr) -> Item {
        let (nonce, reference) = (self.fresh(), ShortText::EMPTY);
        Item::Accept(Accept { nonce, debtor_agent, uetr, reference })
    }

    pub(super) fn reject(&mut self, debtor_agent: ParticipantId, uetr: Uetr) -> Item {
        let (nonce, reason) = (self.fresh(), "AC04".parse().expect("a reason"));
        Item::Reject(Reject { nonce, debtor_agent, uetr, reason })
    }

    pub(super) fn cancel(&mut self, uetr: Uetr) -> Item {
        let (nonce, reason) = (self.fresh(), "CUST".parse().expect("a reason"));
        Item::Cancel(Cancel { nonce, uetr, reason })
    }
}

fn admit(nonce: Digest, participant: ParticipantId) -> Item {
    Item::Admit(Admit {
        nonce,
        participant,
        country: "HK".parse().expect("a country"),
        bic: ShortText::EMPTY,
        lei: ShortText::EMPTY,
        clearing_member: ShortText::EMPTY,
        name: text("Test Bank"),
    })
}

fn add_key(nonce: Digest, participant: ParticipantId) -> Item {
    let public_key = key(participant).verifying_key().to_bytes();
    Item::AddKey(AddKey { nonce, participant, kind: KeyKind::Signing, public_key })
}

fn open(nonce: Digest, owner: ParticipantId, at: u64) -> Item {
    let account = account(owner, at);
    let currency = currency();
    Item::OpenAccount(OpenAccount { nonce, account, owner, currency, standing_acceptance: true })
}

fn fund(nonce: Digest, owner: ParticipantId, at: u64) -> Item {
    let account = account(owner, at);
    Item::Fund(Fund {
        nonce,
        account,
        currency: currency(),
        amount: FUNDED,
        value_date: 20_231_114,
        bank_reference: text(&format!("REF{}", account.0)),
    })
}

fn corridor(nonce: Digest) -> Item {
    Item::SetCorridor(SetCorridor {
        nonce,
        corridor: CorridorId(1),
        version: 1,
        institutional: true,
        source_country: "HK".parse().expect("a country"),
        destination_country: "HK".parse().expect("a country"),
        source_currency: currency(),
        destination_currency: currency(),
        amount_min: 1,
        amount_max: 1_000_000,
        hold_micros: HOLD_MICROS,
        credit_sla_micros: HOLD_MICROS,
        open_quotes_max: 1,
        payout_methods: PayoutMethod::BankAccount.bit(),
        screening_policy_version: 0,
        liquidity_banks: ArrayVec::new(),
        purposes: ArrayVec::new(),
        travel_rules: ArrayVec::new(),
        regulator: ParticipantId::OPERATOR,
    })
}

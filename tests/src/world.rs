//! The participants of clusters under faults and what they sign; all of it is made up.
use arrayvec::ArrayVec;
use ledger_proof::{
    Digest, Item,
    item::{Accept, Cancel, Fund, Leg, LegKind, Reject, Submit},
    operator::OpenAccount,
    tree::sha256,
};
use ledger_types::{
    AccountId, CorridorId, Currency, ParticipantId, PayoutMethod, RequestId, ShortText, Timestamp,
    Uetr,
};

pub(crate) const CUSTODIAN: ParticipantId = ParticipantId(1);
/// Both send and both receive.
pub(crate) const BANKS: [ParticipantId; 2] = [ParticipantId(10), ParticipantId(11)];
/// Accounts of each bank.
pub(crate) const ACCOUNTS: u64 = 2;
/// What each account holds at the beginning: so little that some transfers are refused.
pub(crate) const FUNDED: u64 = 2_000;
/// The same where amounts must be so large that only integers hold them: beyond 2⁵³.
#[cfg(feature = "simulation")]
pub(crate) const FUNDED_LARGE: u64 = 40_000_000_000_000_001;
/// How long a pending transfer waits.
pub(crate) const HOLD_MICROS: u64 = 2_000_000;

pub(crate) fn text(text: &str) -> ShortText {
    text.parse().expect("a short text")
}

pub(crate) fn currency() -> Currency {
    "HKD".parse().expect("a currency")
}

pub(crate) fn account(owner: ParticipantId, at: u64) -> AccountId {
    AccountId(u64::from(owner.0) * 1_000 + at)
}

/// An envelope and what it says.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    pub(crate) author: ParticipantId,
    pub(crate) request: RequestId,
    pub(crate) items: Vec<Item>,
    pub(crate) bytes: Vec<u8>,
}

/// Signs items for their author under a request.
pub(crate) type Sign = Box<dyn Fn(ParticipantId, RequestId, &[Item]) -> Vec<u8> + Send>;

/// Writes for everybody, with fresh names that follow from a seed.
pub(crate) struct Pen {
    seed: u64,
    next: u64,
    /// What each account holds at the beginning.
    pub(crate) funded: u64,
    sign: Sign,
}

impl std::fmt::Debug for Pen {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Pen({}, {})", self.seed, self.next)
    }
}

impl Pen {
    pub(crate) fn new(seed: u64, funded: u64, sign: Sign) -> Self {
        Self { seed, next: 0, funded, sign }
    }

    pub(crate) fn fresh(&mut self) -> Digest {
        self.next += 1;
        sha256(&[b"fresh", &self.seed.to_be_bytes(), &self.next.to_be_bytes()])
    }

    pub(crate) fn uetr(&mut self) -> Uetr {
        let fresh = self.fresh();
        Uetr::from_random(fresh[..16].try_into().expect("16 bytes"))
    }

    pub(crate) fn envelope(&mut self, author: ParticipantId, items: Vec<Item>) -> Envelope {
        let fresh = self.fresh();
        let request = RequestId(fresh[16..].try_into().expect("16 bytes"));
        let bytes = (self.sign)(author, request, &items);
        Envelope { author, request, items, bytes }
    }

    /// What opens the banks' accounts and funds them, one after the other.
    pub(crate) fn accounts(&mut self) -> [Envelope; 2] {
        let mut accounts = Vec::new();
        let mut fundings = Vec::new();
        for owner in BANKS {
            for at in 0..ACCOUNTS {
                accounts.push(open(self.fresh(), owner, at));
                fundings.push(fund(self.fresh(), owner, at, self.funded));
            }
        }
        [self.envelope(ParticipantId::OPERATOR, accounts), self.envelope(CUSTODIAN, fundings)]
    }

    /// A transfer between two of the banks' accounts.
    pub(crate) fn submit(
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

    pub(crate) fn accept(&mut self, debtor_agent: ParticipantId, uetr: Uetr) -> Item {
        let (nonce, reference) = (self.fresh(), ShortText::EMPTY);
        Item::Accept(Accept { nonce, debtor_agent, uetr, reference })
    }

    pub(crate) fn reject(&mut self, debtor_agent: ParticipantId, uetr: Uetr) -> Item {
        let (nonce, reason) = (self.fresh(), "AC04".parse().expect("a reason"));
        Item::Reject(Reject { nonce, debtor_agent, uetr, reason })
    }

    pub(crate) fn cancel(&mut self, uetr: Uetr) -> Item {
        let (nonce, reason) = (self.fresh(), "CUST".parse().expect("a reason"));
        Item::Cancel(Cancel { nonce, uetr, reason })
    }
}

fn open(nonce: Digest, owner: ParticipantId, at: u64) -> Item {
    let account = account(owner, at);
    let currency = currency();
    Item::OpenAccount(OpenAccount { nonce, account, owner, currency, standing_acceptance: true })
}

fn fund(nonce: Digest, owner: ParticipantId, at: u64, amount: u64) -> Item {
    let account = account(owner, at);
    Item::Fund(Fund {
        nonce,
        account,
        currency: currency(),
        amount,
        value_date: 20_231_114,
        bank_reference: text(&format!("REF{}", account.0)),
    })
}

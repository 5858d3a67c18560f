//! The participants of clusters under faults and who signs for them; all of it is made up.
use ledger_proof::{Digest, Item, tree::sha256};
use ledger_types::{
    AccountId, CorridorId, Currency, ParticipantId, RequestId, ShortText, Timestamp, Uetr,
};

#[path = "world/items.rs"]
pub(crate) mod items;

pub(crate) const CUSTODIAN: ParticipantId = ParticipantId(1);
/// Both send and both receive.
pub(crate) const BANKS: [ParticipantId; 2] = [ParticipantId(10), ParticipantId(11)];
/// Exchanges the one currency for the other; nobody else may quote.
pub(crate) const LIQUIDITY: ParticipantId = ParticipantId(20);
/// Accounts of each bank that hold money from the beginning.
pub(crate) const ACCOUNTS: u64 = 2;
/// A bank's account in the other currency.
pub(crate) const FOREIGN: u64 = 10;
/// Where the operator gets its fees.
pub(crate) const FEES: AccountId = AccountId(7);
/// Within one currency. It is founded before the clients come, and nobody changes it.
pub(crate) const DIRECT: CorridorId = CorridorId(1);
/// From the one currency to the other, at a quote and for a fee.
pub(crate) const EXCHANGE: CorridorId = CorridorId(2);
/// What each account holds at the beginning: so little that some transfers are refused.
pub(crate) const FUNDED: u64 = 2_000;
/// The same where amounts must be so large that only integers hold them: beyond 2⁵³.
#[cfg(feature = "simulation")]
pub(crate) const FUNDED_LARGE: u64 = 40_000_000_000_000_001;
/// How many times that the liquidity bank holds, so that it is hardly ever short: whose shortage
/// is told where several are short is left to the ledger's own tests.
const LIQUID: u64 = 100;
/// How long a pending transfer waits.
pub(crate) const HOLD_MICROS: u64 = 2_000_000;
/// How long one waits that is exchanged: none of these expires while a cluster is judged, so that
/// whether a hold ends before its deadline follows from the corridor, and not from the time.
pub(crate) const LONG_HOLD_MICROS: u64 = 10 * DAY_MICROS;
pub(crate) const DAY_MICROS: u64 = 86_400_000_000;

pub(crate) fn text(text: &str) -> ShortText {
    text.parse().expect("a short text")
}

pub(crate) fn currency() -> Currency {
    "HKD".parse().expect("a currency")
}

/// The other currency.
pub(crate) fn foreign() -> Currency {
    "USD".parse().expect("a currency")
}

pub(crate) fn account(owner: ParticipantId, at: u64) -> AccountId {
    AccountId(u64::from(owner.0) * 1_000 + at)
}

/// By which the custodian knows the money that an account holds from the beginning.
pub(crate) fn opening_reference(account: AccountId) -> ShortText {
    text(&format!("REF{}", account.0))
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
    /// A time after everything that clients do, and at most a day after they begin.
    pub(crate) later: Timestamp,
    sign: Sign,
}

impl std::fmt::Debug for Pen {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Pen({}, {})", self.seed, self.next)
    }
}

impl Pen {
    /// Writes from the time `begun` on.
    pub(crate) fn new(seed: u64, funded: u64, begun: Timestamp, sign: Sign) -> Self {
        Self { seed, next: 0, funded, later: begun.plus_micros(DAY_MICROS), sign }
    }

    pub(crate) fn fresh(&mut self) -> Digest {
        self.next += 1;
        sha256(&[b"fresh", &self.seed.to_be_bytes(), &self.next.to_be_bytes()])
    }

    /// Sixteen bytes for a name that nobody has used.
    pub(crate) fn name(&mut self) -> [u8; 16] {
        let fresh = self.fresh();
        fresh[..16].try_into().expect("16 bytes")
    }

    pub(crate) fn uetr(&mut self) -> Uetr {
        Uetr::from_random(self.name())
    }

    pub(crate) fn envelope(&mut self, author: ParticipantId, items: Vec<Item>) -> Envelope {
        let request = RequestId(self.name());
        let bytes = (self.sign)(author, request, &items);
        Envelope { author, request, items, bytes }
    }

    /// What clients need beside a founded network, one after the other: accounts with money, and
    /// the corridor of exchanges with its fees.
    pub(crate) fn opening(&mut self) -> Vec<Envelope> {
        let mut accounts = vec![self.open(FEES, ParticipantId::OPERATOR, currency())];
        let mut fundings = Vec::new();
        for owner in BANKS {
            for at in 0..ACCOUNTS {
                accounts.push(self.open(account(owner, at), owner, currency()));
                fundings.push(self.opened(account(owner, at), currency(), self.funded));
            }
            accounts.push(self.open(account(owner, FOREIGN), owner, foreign()));
        }
        for (at, held) in [(0, currency()), (FOREIGN, foreign())] {
            accounts.push(self.open(account(LIQUIDITY, at), LIQUIDITY, held));
            fundings.push(self.opened(account(LIQUIDITY, at), held, self.funded * LIQUID));
        }
        let corridor = self.corridor(EXCHANGE, 1, (1, u64::MAX));
        let fees = self.fees(1, 1);
        let operator = ParticipantId::OPERATOR;
        vec![
            self.envelope(operator, accounts),
            self.envelope(CUSTODIAN, fundings),
            self.envelope(operator, vec![corridor]),
            self.envelope(operator, vec![fees]),
        ]
    }

    fn opened(&mut self, account: AccountId, currency: Currency, amount: u64) -> Item {
        self.fund(account, currency, amount, opening_reference(account))
    }
}

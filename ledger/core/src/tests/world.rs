//! A small network to try commands on: who takes part, and a text form in which one line is one command.
use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use arrayvec::ArrayVec;
use ed25519_dalek::SigningKey;
use ledger_proof::{
    Digest, Field, Genesis, Item,
    genesis::{Custodian, GenesisCurrency},
    item::{self, Leg, LegKind, Link, RegisterQuote, Submit},
    operator::{self, FeePayer, KeyKind},
    signature,
    tree::sha256,
};
use ledger_types::{
    AccountId, ConfirmationStatus, CorridorId, Currency, KeyId, ParticipantId, PayoutMethod,
    QuoteId, RequestId, ShortText, Timestamp, Uetr, WithdrawalId,
};

use crate::{Answer, Command, Ledger, Outcome, Output};

pub(super) const START: u64 = 1_700_000_000_000_000;
pub(super) const SECOND: u64 = 1_000_000;
pub(super) const CUSTODIAN: ParticipantId = ParticipantId(1);
pub(super) const DEBTOR: ParticipantId = ParticipantId(10);
pub(super) const CREDITOR: ParticipantId = ParticipantId(11);
pub(super) const BANK: ParticipantId = ParticipantId(20);
pub(super) const BANK2: ParticipantId = ParticipantId(21);
pub(super) const RETAIL: CorridorId = CorridorId(1);
pub(super) const DIRECT: CorridorId = CorridorId(2);
pub(super) const GOLD: CorridorId = CorridorId(3);
const OPERATOR: ParticipantId = ParticipantId::OPERATOR;

/// A ledger with participants, and what the tests remember of it.
pub(super) struct World {
    pub(super) ledger: Ledger,
    pub(super) now: Timestamp,
    pub(super) out: Output,
    pub(super) nonce: u64,
}

pub(super) fn text(text: &str) -> ShortText {
    text.parse().expect("short text")
}

pub(super) fn currency(code: &str) -> Currency {
    code.parse().expect("a currency")
}

/// A key made of a name; only for tests.
pub(super) fn key(name: &str) -> SigningKey {
    SigningKey::from_bytes(&sha256(&[name.as_bytes()]))
}

pub(super) fn uetr(name: &str) -> Uetr {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&sha256(&[name.as_bytes()])[..16]);
    Uetr::from_random(bytes)
}

pub(super) fn quote_id(name: &str) -> QuoteId {
    QuoteId(uetr(name).bytes())
}

/// Account numbers: participant × 1,000 + currency number.
pub(super) fn account(owner: ParticipantId, code: &str) -> AccountId {
    AccountId(u64::from(owner.0) * 1_000 + u64::from(currency(code).number()))
}

pub(super) fn sealing_key(participant: ParticipantId) -> Digest {
    sha256(&[b"sealing", &participant.to_bytes()])
}

pub(super) fn genesis() -> Genesis {
    let row = |code: &str, exponent| GenesisCurrency {
        currency: currency(code),
        exponent,
        custodian: CUSTODIAN,
        custody_account: account(CUSTODIAN, code),
    };
    Genesis {
        version: 1,
        founded_at: Timestamp::from_micros(START),
        log_origin: text("causeway.test/core"),
        rulebook: text("Test rulebook"),
        rulebook_version: text("1"),
        rulebook_digest: [7; 32],
        operator_threshold: 2,
        operator_keys: ["op-1", "op-2", "op-3"]
            .map(|name| key(name).verifying_key().to_bytes())
            .into_iter()
            .collect(),
        currencies: [row("HKD", 2), row("PHP", 2), row("USD", 2), row("XAU", 4)]
            .into_iter()
            .collect(),
        custodians: [Custodian {
            participant: CUSTODIAN,
            country: "HK".parse().expect("a country"),
            bic: text("CWCUHKH0"),
            name: text("Test Custodian"),
            signing_key: key("1").verifying_key().to_bytes(),
        }]
        .into_iter()
        .collect(),
        node_keys: ArrayVec::new(),
        predecessor: ArrayVec::new(),
    }
}

impl World {
    /// The genesis alone.
    pub(super) fn bare() -> Self {
        let (ledger, out) = Ledger::found(&genesis());
        Self { ledger, now: Timestamp::from_micros(START), out, nonce: 0 }
    }

    /// Participants, accounts, three corridors, fees and money.
    pub(super) fn new() -> Self {
        let mut world = Self::bare();
        for (id, country) in [(DEBTOR, "HK"), (CREDITOR, "PH"), (BANK, "SG"), (BANK2, "SG")] {
            world.admit(id, country);
        }
        for owner in [OPERATOR, DEBTOR, CREDITOR, BANK, BANK2] {
            for code in ["HKD", "PHP", "USD", "XAU"] {
                world.open(owner, code, owner != CREDITOR || code == "HKD");
            }
        }
        world.operate(Item::SetScreeningPolicy(operator::SetScreeningPolicy {
            nonce: [0; 32],
            version: 1,
            digest: [1; 32],
        }));
        world.corridor(RETAIL, "HKD", "PHP", false);
        world.corridor(DIRECT, "HKD", "HKD", true);
        world.corridor(GOLD, "XAU", "HKD", true);
        world.operate(Item::SetFeeSchedule(operator::SetFeeSchedule {
            nonce: [0; 32],
            corridor: RETAIL,
            version: 1,
            fees: [operator::Fee {
                payer: FeePayer::DebtorAgent,
                payee_account: account(OPERATOR, "HKD"),
                flat: 500,
                basis_points: 0,
                amount_min: 0,
                amount_max: 10_000,
            }]
            .into_iter()
            .collect(),
        }));
        world.fund(DEBTOR, "HKD", 1_000_000);
        world.fund(BANK, "PHP", 10_000_000);
        world.fund(BANK, "USD", 1_000_000);
        world.fund(BANK2, "PHP", 10_000_000);
        world
    }

    fn admit(&mut self, id: ParticipantId, country: &str) {
        self.operate(Item::Admit(operator::Admit {
            nonce: [0; 32],
            participant: id,
            country: country.parse().expect("a country"),
            bic: ShortText::EMPTY,
            lei: ShortText::EMPTY,
            clearing_member: ShortText::EMPTY,
            name: text(&format!("Participant {id}")),
        }));
        let signing = key(&id.to_string()).verifying_key().to_bytes();
        let keys = [(KeyKind::Signing, signing), (KeyKind::Sealing, sealing_key(id))];
        for (kind, public_key) in keys {
            let nonce = [0; 32];
            self.operate(Item::AddKey(operator::AddKey {
                nonce,
                participant: id,
                kind,
                public_key,
            }));
        }
    }

    fn open(&mut self, owner: ParticipantId, code: &str, standing_acceptance: bool) {
        self.operate(Item::OpenAccount(operator::OpenAccount {
            nonce: [0; 32],
            account: account(owner, code),
            owner,
            currency: currency(code),
            standing_acceptance,
        }));
    }

    fn corridor(&mut self, id: CorridorId, from: &str, to: &str, institutional: bool) {
        self.operate(Item::SetCorridor(corridor_terms(id, from, to, institutional)));
    }

    pub(super) fn fund(&mut self, owner: ParticipantId, code: &str, amount: u64) {
        self.nonce += 1;
        let item = Item::Fund(item::Fund {
            nonce: self.fresh(),
            account: account(owner, code),
            currency: currency(code),
            amount,
            value_date: 20_261_123,
            bank_reference: text(&format!("REF{}", self.nonce)),
        });
        let outcome = self.send(CUSTODIAN, item);
        assert_eq!(outcome.rejection, None, "funding");
    }

    /// A nonce never used before.
    pub(super) fn fresh(&mut self) -> Digest {
        self.nonce += 1;
        sha256(&[&self.nonce.to_be_bytes()])
    }

    /// Signs by the operator's threshold and expects success.
    pub(super) fn operate(&mut self, item: Item) {
        let outcome = self.send(OPERATOR, item.clone());
        assert_eq!(outcome.rejection, None, "{item:?}");
    }

    /// Sends one item in its own envelope.
    pub(super) fn send(&mut self, author: ParticipantId, item: Item) -> Outcome {
        let answer = self.send_all(author, &[item], false);
        answer.outcomes[0]
    }

    /// Sends items in one envelope under a fresh request.
    pub(super) fn send_all(
        &mut self,
        author: ParticipantId,
        items: &[Item],
        together: bool,
    ) -> Answer {
        self.nonce += 1;
        let mut request = [0; 16];
        request[8..].copy_from_slice(&self.nonce.to_be_bytes());
        let bytes = self.envelope(author, items, together, RequestId(request), 60);
        let answer = self.apply(&bytes);
        for outcome in &answer.outcomes {
            let reason = outcome.rejection.map(ledger_types::Rejection::reason);
            assert!(reason.is_none() || reason == outcome.reason, "a refusal gives its own reason");
        }
        answer
    }

    pub(super) fn envelope(
        &self,
        author: ParticipantId,
        items: &[Item],
        all_or_nothing: bool,
        request: RequestId,
        valid_seconds: u64,
    ) -> Vec<u8> {
        let names = match author {
            OPERATOR => vec!["op-1".to_string(), "op-2".to_string()],
            other => vec![other.to_string()],
        };
        let keys: Vec<SigningKey> = names.iter().map(|name| key(name)).collect();
        let request = signature::Request {
            network: self.ledger.network(),
            author,
            request,
            valid_until: self.now.plus_micros(valid_seconds * SECOND),
            kind: items[0].kind(),
            all_or_nothing,
        };
        let bytes: Vec<Vec<u8>> = items.iter().map(Field::to_bytes).collect();
        signature::sign(&request, &bytes, &keys.iter().collect::<Vec<_>>())
    }

    /// Applies one envelope as its own entry.
    pub(super) fn apply(&mut self, envelope: &[u8]) -> Answer {
        let command = Command::decode(envelope).expect("a well-formed envelope");
        self.apply_commands(&[command]);
        self.out.answers.last().cloned().expect("one answer per command")
    }

    pub(super) fn apply_commands(&mut self, commands: &[Command<'_>]) {
        let mut missing = Vec::new();
        self.ledger.missing(commands, &mut missing);
        for key in missing {
            self.ledger.load(&key, None).expect("a row key");
        }
        self.out.clear();
        self.ledger.apply(self.now, commands, &mut self.out);
    }

    /// Lets time pass and applies a tick.
    pub(super) fn wait(&mut self, seconds: u64) {
        self.now = self.now.plus_micros(seconds * SECOND);
        self.apply_commands(&[]);
    }

    /// Runs a script of `command | expectation` lines; the expectation is the state or the name of
    /// the refusal, `ok` for neither, and `again` for a repeated answer.
    pub(super) fn check(&mut self, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (command, expected) = line.split_once('|').expect("command | expectation");
            let answer = self.line(command.trim());
            assert_eq!(answer, expected.trim(), "in line: {line}");
        }
    }

    /// One line as an envelope of its own.
    pub(super) fn script_envelope(&mut self, line: &str) -> Vec<u8> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (author, item) = self.item(&words);
        self.nonce += 1;
        let mut request = [1; 16];
        request[8..].copy_from_slice(&self.nonce.to_be_bytes());
        self.envelope(author, &[item], false, RequestId(request), 60)
    }

    fn line(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words[0] == "wait" {
            self.wait(words[1].parse().expect("seconds"));
            return "ok".into();
        }
        let (author, item) = self.item(&words);
        describe(&self.send(author, item))
    }

    fn item(&mut self, words: &[&str]) -> (ParticipantId, Item) {
        let (verb, name) = (words[0], words[1]);
        let salt = words.iter().find(|word| word.starts_with('#')).copied().unwrap_or("");
        let nonce = sha256(&[verb.as_bytes(), name.as_bytes(), salt.as_bytes()]);
        let (debtor_agent, uetr) = (DEBTOR, uetr(name));
        let reason = "AC04".parse().expect("a reason");
        match verb {
            "submit" => (DEBTOR, Item::Submit(self.retail(name, 50_000, 403_790, nonce))),
            "accept" => {
                let reference = text(name);
                (CREDITOR, Item::Accept(item::Accept { nonce, debtor_agent, uetr, reference }))
            }
            "accept-by-debtor" | "accept-by-bank" => {
                let reference = text(name);
                let author = if verb == "accept-by-bank" { BANK } else { DEBTOR };
                (author, Item::Accept(item::Accept { nonce, debtor_agent, uetr, reference }))
            }
            "hold" => {
                let until = self.now.plus_micros(SECOND);
                (CREDITOR, Item::Hold(item::Hold { nonce, debtor_agent, uetr, reason, until }))
            }
            "reject" => {
                (CREDITOR, Item::Reject(item::Reject { nonce, debtor_agent, uetr, reason }))
            }
            "cancel" => (DEBTOR, Item::Cancel(item::Cancel { nonce, uetr, reason })),
            "resolve" => (DEBTOR, Item::Resolve(item::Resolve { nonce, uetr })),
            "confirm" => (CREDITOR, self.confirm(name, words[2], nonce)),
            "recall" => (DEBTOR, self.recall(words, nonce)),
            "answer-recall" => (CREDITOR, self.answer_recall(words, nonce)),
            "return" => (CREDITOR, Item::Return(self.give_back(name, words[2], words[3], nonce))),
            "quote" => (BANK, Item::RegisterQuote(self.quote(name, 50_000, 403_790))),
            "withdraw" => (DEBTOR, self.withdrawal(name, words[2], nonce)),
            "paid" => {
                let (owner, withdrawal) = (DEBTOR, WithdrawalId(uetr.bytes()));
                let bank_reference = text(name);
                let item = item::WithdrawPaid { nonce, owner, withdrawal, bank_reference };
                (CUSTODIAN, Item::WithdrawPaid(item))
            }
            "failed" => {
                let (owner, withdrawal) = (DEBTOR, WithdrawalId(uetr.bytes()));
                let item = item::WithdrawFailed { nonce, owner, withdrawal, reason };
                (CUSTODIAN, Item::WithdrawFailed(item))
            }
            other => panic!("unknown command {other}"),
        }
    }

    fn withdrawal(&mut self, name: &str, amount: &str, nonce: Digest) -> Item {
        Item::Withdraw(item::Withdraw {
            nonce,
            withdrawal: WithdrawalId(uetr(name).bytes()),
            account: account(DEBTOR, "HKD"),
            currency: currency("HKD"),
            amount: amount.parse().expect("minor units"),
        })
    }

    fn confirm(&mut self, name: &str, status: &str, nonce: Digest) -> Item {
        Item::Confirm(item::Confirm {
            nonce,
            debtor_agent: DEBTOR,
            uetr: uetr(name),
            status: ConfirmationStatus::ALL
                .into_iter()
                .find(|known| known.as_str() == status)
                .expect("a status"),
            confirmed_at: Timestamp::from_micros(START),
            reference: text(name),
        })
    }

    /// A single-use quote HKD → PHP for the debtor agent.
    pub(super) fn quote(&mut self, name: &str, source: u64, destination: u64) -> RegisterQuote {
        RegisterQuote {
            nonce: sha256(&[b"quote", name.as_bytes()]),
            quote: quote_id(name),
            debtor_agent: DEBTOR,
            corridor: RETAIL,
            destination_fixed: false,
            reusable: false,
            source_account: account(BANK, "HKD"),
            destination_account: account(BANK, "PHP"),
            source_currency: currency("HKD"),
            destination_currency: currency("PHP"),
            source_amount: source,
            destination_amount: destination,
            rate: "8.0758".parse().expect("a rate"),
            payout_fee: 2_000,
            mid_rate: "8.1".parse().expect("a rate"),
            mid_source: text("TEST"),
            mid_at: Timestamp::from_micros(START),
            submit_by: self.now.plus_micros(20 * SECOND),
            hold_until: self.now.plus_micros(60 * SECOND),
            fee_schedule_version: 1,
        }
    }

    /// A retail transfer by the quote of the same name.
    pub(super) fn retail(
        &self,
        name: &str,
        source: u64,
        destination: u64,
        nonce: Digest,
    ) -> Submit {
        let leg = |kind, code: &str, from, to, amount| Leg {
            kind,
            currency: currency(code),
            debit_account: account(from, code),
            credit_account: account(to, code),
            amount,
        };
        Submit {
            nonce,
            uetr: uetr(name),
            creditor_agent: CREDITOR,
            corridor: RETAIL,
            single_phase: false,
            payout_method: PayoutMethod::Wallet,
            purpose: "GIFT".parse().expect("a purpose"),
            deadline: Timestamp::from_micros(START + 3_600 * SECOND),
            fee_schedule_version: 1,
            screening_policy_version: 1,
            blob_digest: [2; 32],
            commitment: [3; 32],
            quotes: [quote_id(name)].into_iter().collect(),
            legs: [
                leg(LegKind::Principal, "HKD", DEBTOR, BANK, source),
                leg(LegKind::Principal, "PHP", BANK, CREDITOR, destination),
                leg(LegKind::Fee, "HKD", DEBTOR, OPERATOR, 500),
                leg(LegKind::PayoutFee, "PHP", BANK, CREDITOR, 2_000),
            ]
            .into_iter()
            .collect(),
            links: ArrayVec::new(),
            document_digests: ArrayVec::new(),
            sealed_for: [sealing_id(DEBTOR), sealing_id(CREDITOR)].into_iter().collect(),
        }
    }

    /// A single-phase transfer HKD → HKD between institutions.
    pub(super) fn direct(&self, name: &str, amount: u64) -> Submit {
        let mut item = self.retail(name, 1, 1, sha256(&[name.as_bytes()]));
        item.corridor = DIRECT;
        item.single_phase = true;
        item.fee_schedule_version = 0;
        item.screening_policy_version = 0;
        (item.blob_digest, item.commitment) = ([0; 32], [0; 32]);
        item.quotes.clear();
        item.sealed_for.clear();
        item.legs = [Leg {
            kind: LegKind::Principal,
            currency: currency("HKD"),
            debit_account: account(DEBTOR, "HKD"),
            credit_account: account(CREDITOR, "HKD"),
            amount,
        }]
        .into_iter()
        .collect();
        item
    }

    fn give_back(&mut self, name: &str, of: &str, amount: &str, nonce: Digest) -> Submit {
        let amount: u64 = amount.parse().expect("minor units");
        let mut quote = self.quote(name, amount, amount / 8);
        quote.debtor_agent = CREDITOR;
        quote.rate = "0.125".parse().expect("a rate");
        core::mem::swap(&mut quote.source_account, &mut quote.destination_account);
        core::mem::swap(&mut quote.source_currency, &mut quote.destination_currency);
        quote.payout_fee = 0;
        let registered = self.send(BANK, Item::RegisterQuote(quote));
        assert_eq!(registered.rejection, None, "a quote for the return");
        let mut item = self.retail(name, 0, 0, nonce);
        item.creditor_agent = DEBTOR;
        item.single_phase = true;
        item.links = [Link { uetr: uetr(of), amount }].into_iter().collect();
        item.legs = [("PHP", CREDITOR, BANK, amount), ("HKD", BANK, DEBTOR, amount / 8)]
            .map(|(code, from, to, amount)| Leg {
                kind: LegKind::Principal,
                currency: currency(code),
                debit_account: account(from, code),
                credit_account: account(to, code),
                amount,
            })
            .into_iter()
            .collect();
        item
    }

    /// What may still be debited, and what is reserved.
    pub(super) fn balance(&self, owner: ParticipantId, code: &str) -> (u128, u128) {
        let account = self.ledger.account(account(owner, code)).expect("an account");
        (account.credits_posted - account.debits_posted, account.debits_pending)
    }
}

pub(super) fn sealing_id(participant: ParticipantId) -> KeyId {
    signature::key_id(KeyKind::Sealing, &sealing_key(participant))
}

pub(super) fn corridor_terms(
    corridor: CorridorId,
    from: &str,
    to: &str,
    institutional: bool,
) -> operator::SetCorridor {
    operator::SetCorridor {
        nonce: [0; 32],
        corridor,
        version: 1,
        institutional,
        source_country: "HK".parse().expect("a country"),
        destination_country: "PH".parse().expect("a country"),
        source_currency: currency(from),
        destination_currency: currency(to),
        amount_min: 100,
        amount_max: 800_000,
        hold_micros: 30 * SECOND,
        credit_sla_micros: 60 * SECOND,
        open_quotes_max: 3,
        payout_methods: PayoutMethod::Wallet.bit() | PayoutMethod::BankAccount.bit(),
        screening_policy_version: u32::from(!institutional),
        liquidity_banks: [BANK].into_iter().collect(),
        purposes: if institutional {
            ArrayVec::new()
        } else {
            ["GIFT".parse().expect("a purpose")].into_iter().collect()
        },
        travel_rules: [operator::TravelRule { from_amount: 0, fields: u32::from(!institutional) }]
            .into_iter()
            .collect(),
        regulator: ParticipantId::OPERATOR,
    }
}

/// An outcome as one word.
pub(super) fn describe(outcome: &Outcome) -> String {
    match (outcome.rejection, outcome.first_sequence, outcome.state) {
        (Some(rejection), None, _) => rejection.code().into(),
        (Some(rejection), Some(_), _) => format!("again {}", rejection.code()),
        (None, Some(_), Some(state)) => format!("again {}", state.as_str()),
        (None, Some(_), None) => "again".into(),
        (None, None, Some(state)) => state.as_str().into(),
        (None, None, None) => "ok".into(),
    }
}

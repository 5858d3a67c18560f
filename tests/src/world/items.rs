//! Items of every kind as participants and the operator sign them, each with a fresh nonce; whether one is allowed is not known here.
use ledger_proof::{
    Digest, Item,
    item::{
        Accept, AnswerRecall, Cancel, Confirm, Fund, Hold, Leg, LegKind, Link, Recall,
        RegisterQuote, Reject, Resolve, Submit, Withdraw, WithdrawFailed, WithdrawPaid,
    },
    operator::{
        AddKey, Admit, Fee, FeePayer, KeyKind, OpenAccount, RetireKey, SetCap, SetCorridor,
        SetFeeSchedule, SetScreeningPolicy, Suspend,
    },
};
use ledger_types::{
    AccountId, CaseId, ConfirmationStatus, CorridorId, Currency, KeyId, ParticipantId,
    PayoutMethod, QuoteId, Rate, RecallAnswer, ShortText, StatusReason, Timestamp, Uetr,
    WithdrawalId,
};

use super::{
    DIRECT, EXCHANGE, FEES, FOREIGN, HOLD_MICROS, LIQUIDITY, LONG_HOLD_MICROS, Pen, account,
    currency, foreign, text,
};

/// A transfer's name: whose it is, and its UETR.
pub(crate) type Name = (ParticipantId, Uetr);

/// What a liquidity bank offers: the terms of a quote that differ from one to the other.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) quote: QuoteId,
    /// Who may use it.
    pub(crate) debtor_agent: ParticipantId,
    /// The currency taken; the other one is given.
    pub(crate) taken: Currency,
    /// Any uses by rate until `source_amount` is drawn, instead of one exact use.
    pub(crate) reusable: bool,
    pub(crate) source_amount: u64,
    pub(crate) payout_fee: u64,
}

impl Offer {
    /// What the bank gives its customer's creditor for an amount: a reusable quote's rate gives
    /// the payout fee too.
    pub(crate) fn given(&self, source_amount: u64) -> u64 {
        exchanged(self.taken, source_amount) - if self.reusable { self.payout_fee } else { 0 }
    }

    /// Where the bank takes and where it gives.
    pub(crate) fn accounts(&self) -> (AccountId, AccountId) {
        let (own, abroad) = (account(LIQUIDITY, 0), account(LIQUIDITY, FOREIGN));
        if self.taken == currency() { (own, abroad) } else { (abroad, own) }
    }
}

/// What an amount of a currency is in the other one. There is one rate in this world, two abroad
/// for one at home, so that whoever judges needs no arithmetic of rates; amounts abroad are even.
pub(crate) fn exchanged(taken: Currency, amount: u64) -> u64 {
    if taken == currency() { amount * 2 } else { amount / 2 }
}

/// The currency that is given for one that is taken.
fn other(taken: Currency) -> Currency {
    if taken == currency() { foreign() } else { currency() }
}

fn rate(taken: Currency) -> Rate {
    let rate = if taken == currency() { "2" } else { "0.5" };
    rate.parse().expect("a rate")
}

fn reason(code: &str) -> StatusReason {
    code.parse().expect("a reason")
}

fn leg(kind: LegKind, currency: Currency, accounts: (AccountId, AccountId), amount: u64) -> Leg {
    let (debit_account, credit_account) = accounts;
    Leg { kind, currency, debit_account, credit_account, amount }
}

/// What participants say of transfers.
impl Pen {
    /// A transfer between two accounts of one currency.
    pub(crate) fn submit(
        &mut self,
        uetr: Uetr,
        accounts: (AccountId, AccountId),
        creditor_agent: ParticipantId,
        amount: u64,
        single_phase: bool,
    ) -> Item {
        let mut submit = self.transfer(uetr, creditor_agent, DIRECT);
        submit.single_phase = single_phase;
        submit.legs.push(leg(LegKind::Principal, currency(), accounts, amount));
        Item::Submit(submit)
    }

    /// A transfer from the one currency to the other at a quote: `fees` are the version of the
    /// fee schedule and what it takes.
    pub(crate) fn exchange(
        &mut self,
        uetr: Uetr,
        (from, creditor_agent): (AccountId, ParticipantId),
        (offer, source_amount): (&Offer, u64),
        (version, fee): (u32, u64),
        single_phase: bool,
    ) -> Item {
        let ((takes, gives), to) = (offer.accounts(), account(creditor_agent, FOREIGN));
        let mut submit = self.transfer(uetr, creditor_agent, EXCHANGE);
        submit.single_phase = single_phase;
        submit.fee_schedule_version = version;
        submit.quotes.push(offer.quote);
        let given = offer.given(source_amount);
        submit.legs.extend([
            leg(LegKind::Principal, currency(), (from, takes), source_amount),
            leg(LegKind::Principal, foreign(), (gives, to), given),
            leg(LegKind::Fee, currency(), (from, FEES), fee),
            leg(LegKind::PayoutFee, foreign(), (gives, to), offer.payout_fee),
        ]);
        Item::Submit(submit)
    }

    /// The return of so much of a transfer to its debtor agent, exchanged back at an offer where
    /// one is given.
    pub(crate) fn give_back(
        &mut self,
        uetr: Uetr,
        (debtor_agent, original): Name,
        (from, to): (AccountId, AccountId),
        amount: u64,
        offer: Option<&Offer>,
    ) -> Item {
        let corridor = if offer.is_some() { EXCHANGE } else { DIRECT };
        let mut submit = self.transfer(uetr, debtor_agent, corridor);
        submit.single_phase = true;
        submit.purpose = "FOCR".parse().expect("a return reason");
        submit.links.push(Link { uetr: original, amount });
        let principal =
            |currency, accounts, amount| leg(LegKind::Principal, currency, accounts, amount);
        if let Some(offer) = offer {
            let (takes, gives) = offer.accounts();
            submit.quotes.push(offer.quote);
            submit.legs.push(principal(foreign(), (from, takes), amount));
            submit.legs.push(principal(currency(), (gives, to), offer.given(amount)));
        } else {
            submit.legs.push(principal(currency(), (from, to), amount));
        }
        Item::Return(submit)
    }

    fn transfer(
        &mut self,
        uetr: Uetr,
        creditor_agent: ParticipantId,
        corridor: CorridorId,
    ) -> Submit {
        Submit {
            nonce: self.fresh(),
            uetr,
            creditor_agent,
            corridor,
            single_phase: false,
            payout_method: PayoutMethod::BankAccount,
            purpose: "INTC".parse().expect("a purpose"),
            deadline: Timestamp::from_micros(u64::MAX),
            fee_schedule_version: 0,
            screening_policy_version: 0,
            blob_digest: [0; 32],
            commitment: [0; 32],
            quotes: Default::default(),
            legs: Default::default(),
            links: Default::default(),
            document_digests: Default::default(),
            sealed_for: Default::default(),
        }
    }

    pub(crate) fn accept(&mut self, debtor_agent: ParticipantId, uetr: Uetr) -> Item {
        let (nonce, reference) = (self.fresh(), ShortText::EMPTY);
        Item::Accept(Accept { nonce, debtor_agent, uetr, reference })
    }

    pub(crate) fn hold(&mut self, (debtor_agent, uetr): Name, until: Timestamp) -> Item {
        let (nonce, reason) = (self.fresh(), reason("NARR"));
        Item::Hold(Hold { nonce, debtor_agent, uetr, reason, until })
    }

    pub(crate) fn reject(&mut self, debtor_agent: ParticipantId, uetr: Uetr) -> Item {
        let (nonce, reason) = (self.fresh(), reason("AC04"));
        Item::Reject(Reject { nonce, debtor_agent, uetr, reason })
    }

    pub(crate) fn cancel(&mut self, uetr: Uetr) -> Item {
        let (nonce, reason) = (self.fresh(), reason("CUST"));
        Item::Cancel(Cancel { nonce, uetr, reason })
    }

    pub(crate) fn confirm(
        &mut self,
        (debtor_agent, uetr): Name,
        status: ConfirmationStatus,
    ) -> Item {
        let (nonce, confirmed_at) = (self.fresh(), self.later);
        let reference = ShortText::EMPTY;
        Item::Confirm(Confirm { nonce, debtor_agent, uetr, status, confirmed_at, reference })
    }

    pub(crate) fn resolve(&mut self, uetr: Uetr) -> Item {
        Item::Resolve(Resolve { nonce: self.fresh(), uetr })
    }

    pub(crate) fn recall(
        &mut self,
        (uetr, case): (Uetr, CaseId),
        amount: u64,
        answer_by: Timestamp,
    ) -> Item {
        let (nonce, reason) = (self.fresh(), reason("DUPL"));
        Item::Recall(Recall { nonce, uetr, case, reason, amount, answer_by })
    }

    /// An answer to a recall, which names a return if it is accepted, and `returns` says so.
    pub(crate) fn answer_recall(
        &mut self,
        (debtor_agent, uetr): Name,
        case: CaseId,
        answer: RecallAnswer,
        returns: Option<Uetr>,
    ) -> Item {
        let pending = answer == RecallAnswer::Pending;
        Item::AnswerRecall(AnswerRecall {
            nonce: self.fresh(),
            debtor_agent,
            uetr,
            case,
            answer,
            reason: reason("NARR"),
            returns: returns.into_iter().collect(),
            promised_at: if pending { self.later } else { Timestamp::ZERO },
        })
    }
}

/// What the liquidity bank, owners and the custodian say.
impl Pen {
    /// A quote as it is offered, which gives so much more than it may.
    pub(crate) fn quote(&mut self, offer: &Offer, version: u32, too_much: u64) -> Item {
        let (source_account, destination_account) = offer.accounts();
        let exact = if offer.reusable { 0 } else { offer.given(offer.source_amount) };
        Item::RegisterQuote(RegisterQuote {
            nonce: self.fresh(),
            quote: offer.quote,
            debtor_agent: offer.debtor_agent,
            corridor: EXCHANGE,
            destination_fixed: false,
            reusable: offer.reusable,
            source_account,
            destination_account,
            source_currency: offer.taken,
            destination_currency: other(offer.taken),
            source_amount: offer.source_amount,
            destination_amount: exact + too_much,
            rate: rate(offer.taken),
            payout_fee: offer.payout_fee,
            mid_rate: rate(offer.taken),
            mid_source: text("TEST"),
            mid_at: Timestamp::ZERO,
            submit_by: Timestamp::from_micros(u64::MAX),
            hold_until: Timestamp::from_micros(u64::MAX),
            fee_schedule_version: version,
        })
    }

    pub(crate) fn fund(
        &mut self,
        account: AccountId,
        currency: Currency,
        amount: u64,
        bank_reference: ShortText,
    ) -> Item {
        let (nonce, value_date) = (self.fresh(), 20_231_114);
        Item::Fund(Fund { nonce, account, currency, amount, value_date, bank_reference })
    }

    pub(crate) fn withdraw(
        &mut self,
        withdrawal: WithdrawalId,
        (account, currency): (AccountId, Currency),
        amount: u64,
    ) -> Item {
        Item::Withdraw(Withdraw { nonce: self.fresh(), withdrawal, account, currency, amount })
    }

    pub(crate) fn paid(&mut self, owner: ParticipantId, withdrawal: WithdrawalId) -> Item {
        let (nonce, bank_reference) = (self.fresh(), text("PAID"));
        Item::WithdrawPaid(WithdrawPaid { nonce, owner, withdrawal, bank_reference })
    }

    pub(crate) fn failed(&mut self, owner: ParticipantId, withdrawal: WithdrawalId) -> Item {
        let (nonce, reason) = (self.fresh(), reason("AC04"));
        Item::WithdrawFailed(WithdrawFailed { nonce, owner, withdrawal, reason })
    }
}

/// What the operator says.
impl Pen {
    pub(crate) fn admit(&mut self, participant: ParticipantId, name: &str) -> Item {
        Item::Admit(Admit {
            nonce: self.fresh(),
            participant,
            country: "HK".parse().expect("a country"),
            bic: ShortText::EMPTY,
            lei: ShortText::EMPTY,
            clearing_member: ShortText::EMPTY,
            name: text(name),
        })
    }

    pub(crate) fn suspend(&mut self, participant: ParticipantId, suspended: bool) -> Item {
        Item::Suspend(Suspend { nonce: self.fresh(), participant, suspended })
    }

    pub(crate) fn add_key(
        &mut self,
        participant: ParticipantId,
        kind: KeyKind,
        public_key: Digest,
    ) -> Item {
        Item::AddKey(AddKey { nonce: self.fresh(), participant, kind, public_key })
    }

    pub(crate) fn retire_key(&mut self, participant: ParticipantId, key: KeyId) -> Item {
        Item::RetireKey(RetireKey { nonce: self.fresh(), participant, key })
    }

    pub(crate) fn open(
        &mut self,
        account: AccountId,
        owner: ParticipantId,
        currency: Currency,
    ) -> Item {
        let nonce = self.fresh();
        let standing_acceptance = true;
        Item::OpenAccount(OpenAccount { nonce, account, owner, currency, standing_acceptance })
    }

    pub(crate) fn cap(&mut self, account: AccountId, net_debit_cap: u64, pledge: &str) -> Item {
        let (nonce, collateral_reference) = (self.fresh(), text(pledge));
        Item::SetCap(SetCap { nonce, account, net_debit_cap, collateral_reference })
    }

    /// A corridor's terms: within one currency, or from the one to the other.
    pub(crate) fn corridor(
        &mut self,
        corridor: CorridorId,
        version: u32,
        (amount_min, amount_max): (u64, u64),
    ) -> Item {
        let exchange = corridor == EXCHANGE;
        let country = || "HK".parse().expect("a country");
        Item::SetCorridor(SetCorridor {
            nonce: self.fresh(),
            corridor,
            version,
            institutional: true,
            source_country: country(),
            destination_country: country(),
            source_currency: currency(),
            destination_currency: if exchange { foreign() } else { currency() },
            amount_min,
            amount_max,
            hold_micros: if exchange { LONG_HOLD_MICROS } else { HOLD_MICROS },
            credit_sla_micros: HOLD_MICROS,
            // Quotes stay open for ever here, and nobody counts them.
            open_quotes_max: u32::MAX,
            payout_methods: PayoutMethod::BankAccount.bit(),
            screening_policy_version: 0,
            liquidity_banks: exchange.then_some(LIQUIDITY).into_iter().collect(),
            purposes: Default::default(),
            travel_rules: Default::default(),
            regulator: ParticipantId::OPERATOR,
        })
    }

    /// A fee schedule of one flat fee, which the debtor agent pays.
    pub(crate) fn fees(&mut self, version: u32, flat: u64) -> Item {
        let fee = Fee {
            payer: FeePayer::DebtorAgent,
            payee_account: FEES,
            flat,
            basis_points: 0,
            amount_min: 0,
            amount_max: flat,
        };
        let (nonce, fees) = (self.fresh(), [fee].into_iter().collect());
        Item::SetFeeSchedule(SetFeeSchedule { nonce, corridor: EXCHANGE, version, fees })
    }

    pub(crate) fn policy(&mut self, version: u32) -> Item {
        let digest = self.fresh();
        Item::SetScreeningPolicy(SetScreeningPolicy { nonce: self.fresh(), version, digest })
    }
}

//! Money in and out of the network: fund, withdraw, paid, failed, each against the custody account.
use alloc::vec::Vec;

use arrayvec::ArrayVec;
use ledger_proof::{
    DecodeError, Digest, Field, Part, Reader,
    item::{Fund, Leg, LegKind, Withdraw, WithdrawFailed, WithdrawPaid},
    record::{FundDetail, PaidDetail, WithdrawDetail},
    tree::sha256,
};
use ledger_types::{AccountId, Currency, ParticipantId, Rejection, WithdrawalId};

use crate::{
    account::Movement,
    ledger::Ledger,
    output::{Outcome, Output},
    record::{Draft, Origin, Party},
    table::{Key, Row},
};

/// SHA-256 of (custodian, value date, bank reference): unique for ever.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct FundKey(Digest);

/// A funding that was booked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FundRow {
    item_hash: Digest,
    sequence: u64,
}

/// (owner, withdrawal id).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct WithdrawalKey {
    pub(crate) owner: ParticipantId,
    pub(crate) withdrawal: WithdrawalId,
}

/// A withdrawal and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Withdrawal {
    item_hash: Digest,
    sequence: u64,
    leg: Leg,
    /// The custodian's answer: its item's hash and record; zero while none.
    answer_hash: Digest,
    answer_sequence: u64,
}

impl FundKey {
    pub(crate) fn of(custodian: ParticipantId, item: &Fund) -> Self {
        let (custodian, date) = (custodian.to_bytes(), item.value_date.to_bytes());
        Self(sha256(&[&custodian, &date, item.bank_reference.as_bytes()]))
    }
}

impl Ledger {
    pub(crate) fn fund(&mut self, item: &Fund, origin: &Origin, out: &mut Output) -> Outcome {
        let key = FundKey::of(origin.author, item);
        let owner = self.owner(item.account).unwrap_or(ParticipantId::OPERATOR);
        let mut draft = Draft::between(origin.author, owner);
        (draft.amount, draft.currency) = (item.amount, item.currency);
        draft.detail = FundDetail {
            account: item.account,
            value_date: item.value_date,
            bank_reference: item.bank_reference,
        }
        .to_bytes();
        let booked = self.fundings.get(&key);
        if let Some(row) = booked.filter(|row| row.item_hash == origin.item_hash) {
            draft.first_sequence = Some(row.sequence);
            let draft = draft.party(Part::Debtor, origin.author);
            return self.record(out, origin, draft);
        }
        let leg = match self.check_fund(item, origin.author, booked.is_some()) {
            Ok(leg) => leg,
            Err(rejection) => return self.refuse_cash(draft, rejection, origin, out),
        };
        // After this point it must succeed.
        self.move_legs(core::slice::from_ref(&leg), Movement::Post);
        let row = FundRow { item_hash: origin.item_hash, sequence: self.next_sequence };
        self.fundings.set(key, Some(row));
        self.record_cash(draft, leg, origin, out)
    }

    fn check_fund(
        &self,
        item: &Fund,
        author: ParticipantId,
        booked: bool,
    ) -> Result<Leg, Rejection> {
        if item.amount == 0 {
            return Err(Rejection::AmountZero);
        }
        let custody = self.custody(item.currency, author)?;
        if booked {
            return Err(Rejection::FundReferenceReused);
        }
        let account = self.accounts.get(&item.account).ok_or(Rejection::AccountUnknown)?;
        if account.custody {
            return Err(Rejection::AccountNotOwned);
        }
        if account.currency != item.currency {
            return Err(Rejection::CurrencyMismatch);
        }
        Ok(leg(item.currency, custody, item.account, item.amount))
    }

    pub(crate) fn withdraw(
        &mut self,
        item: &Withdraw,
        origin: &Origin,
        out: &mut Output,
    ) -> Outcome {
        let key = WithdrawalKey { owner: origin.author, withdrawal: item.withdrawal };
        let mut draft = Draft::between(origin.author, origin.author);
        draft.subject = item.withdrawal.0;
        (draft.amount, draft.currency) = (item.amount, item.currency);
        draft.detail = WithdrawDetail { account: item.account }.to_bytes();
        let row = self.withdrawals.get(&key);
        if let Some(row) = row.filter(|row| row.item_hash == origin.item_hash) {
            draft.first_sequence = Some(row.sequence);
            let draft = draft.party(Part::Debtor, origin.author);
            return self.record(out, origin, draft);
        }
        let leg = match self.check_withdraw(item, origin.author, row.is_some()) {
            Ok(leg) => leg,
            Err(rejection) => return self.refuse_cash(draft, rejection, origin, out),
        };
        // After this point it must succeed.
        self.move_legs(core::slice::from_ref(&leg), Movement::Reserve);
        let row = Withdrawal {
            item_hash: origin.item_hash,
            sequence: self.next_sequence,
            leg: leg.clone(),
            answer_hash: [0; 32],
            answer_sequence: 0,
        };
        self.withdrawals.set(key, Some(row));
        self.record_cash(draft, leg, origin, out)
    }

    fn check_withdraw(
        &self,
        item: &Withdraw,
        author: ParticipantId,
        taken: bool,
    ) -> Result<Leg, Rejection> {
        if taken {
            return Err(Rejection::WithdrawalReused);
        }
        if self.participants.get(&author).is_none_or(|row| row.suspended) {
            return Err(Rejection::AuthorSuspended);
        }
        if item.amount == 0 {
            return Err(Rejection::AmountZero);
        }
        let account = self.accounts.get(&item.account).ok_or(Rejection::AccountUnknown)?;
        if account.owner != author || account.custody {
            return Err(Rejection::AccountNotOwned);
        }
        if account.currency != item.currency {
            return Err(Rejection::CurrencyMismatch);
        }
        if !account.covers(u128::from(item.amount)) {
            return Err(Rejection::InsufficientFunds);
        }
        let row = self.genesis.currencies.iter().find(|row| row.currency == item.currency);
        let custody = row.ok_or(Rejection::CurrencyUnknown)?.custody_account;
        Ok(leg(item.currency, item.account, custody, item.amount))
    }

    pub(crate) fn withdraw_paid(
        &mut self,
        item: &WithdrawPaid,
        origin: &Origin,
        out: &mut Output,
    ) -> Outcome {
        let key = WithdrawalKey { owner: item.owner, withdrawal: item.withdrawal };
        let mut draft = Draft::between(origin.author, item.owner);
        draft.detail = PaidDetail { bank_reference: item.bank_reference }.to_bytes();
        self.answer_withdrawal(key, draft, Movement::PostPending, origin, out)
    }

    pub(crate) fn withdraw_failed(
        &mut self,
        item: &WithdrawFailed,
        origin: &Origin,
        out: &mut Output,
    ) -> Outcome {
        let key = WithdrawalKey { owner: item.owner, withdrawal: item.withdrawal };
        let mut draft = Draft::between(origin.author, item.owner);
        draft.reason = Some(item.reason);
        self.answer_withdrawal(key, draft, Movement::Void, origin, out)
    }

    fn answer_withdrawal(
        &mut self,
        key: WithdrawalKey,
        mut draft: Draft,
        movement: Movement,
        origin: &Origin,
        out: &mut Output,
    ) -> Outcome {
        draft.subject = key.withdrawal.0;
        let Some(row) = self.withdrawals.get(&key).cloned() else {
            return self.refuse_cash(draft, Rejection::WithdrawalUnknown, origin, out);
        };
        (draft.amount, draft.currency) = (row.leg.amount, row.leg.currency);
        if let Err(rejection) = self.custody(row.leg.currency, origin.author) {
            return self.refuse_cash(draft, rejection, origin, out);
        }
        if row.answer_sequence != 0 && row.answer_hash == origin.item_hash {
            draft.first_sequence = Some(row.answer_sequence);
            let draft = draft.party(Part::Debtor, origin.author);
            return self.record(out, origin, draft);
        }
        if row.answer_sequence != 0 {
            return self.refuse_cash(draft, Rejection::WithdrawalNotPending, origin, out);
        }
        // After this point it must succeed.
        self.move_legs(core::slice::from_ref(&row.leg), movement);
        let (item_hash, sequence) = (origin.item_hash, self.next_sequence);
        self.withdrawals.change(&key, |row| {
            row.answer_hash = item_hash;
            row.answer_sequence = sequence;
        });
        self.record_cash(draft, row.leg, origin, out)
    }

    fn custody(&self, currency: Currency, author: ParticipantId) -> Result<AccountId, Rejection> {
        let row = self.genesis.currencies.iter().find(|row| row.currency == currency);
        let row = row.ok_or(Rejection::CurrencyUnknown)?;
        if row.custodian == author {
            Ok(row.custody_account)
        } else {
            Err(Rejection::CustodianMismatch)
        }
    }

    fn refuse_cash(
        &mut self,
        mut draft: Draft,
        rejection: Rejection,
        origin: &Origin,
        out: &mut Output,
    ) -> Outcome {
        draft.rejection = Some(rejection);
        draft.reason = Some(rejection.reason());
        let draft = draft.party(Part::Debtor, origin.author);
        self.record(out, origin, draft)
    }

    /// Tells author, owner and custodian of one leg.
    fn record_cash(
        &mut self,
        mut draft: Draft,
        leg: Leg,
        origin: &Origin,
        out: &mut Output,
    ) -> Outcome {
        let legs: ArrayVec<Leg, 8> = [leg.clone()].into_iter().collect();
        let owners = [self.owner(leg.debit_account), self.owner(leg.credit_account)];
        let other = owners.into_iter().flatten().find(|owner| *owner != origin.author);
        let author = Party {
            part: Part::Debtor,
            participant: origin.author,
            legs: legs.clone(),
            detail: Vec::new(),
        };
        draft.add(author);
        if let Some(participant) = other {
            draft.add(Party { part: Part::Creditor, participant, legs, detail: Vec::new() });
        }
        self.record(out, origin, draft)
    }
}

const fn leg(currency: Currency, debit: AccountId, credit: AccountId, amount: u64) -> Leg {
    Leg { kind: LegKind::Principal, currency, debit_account: debit, credit_account: credit, amount }
}

impl Field for FundKey {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.get().map(Self)
    }
}

impl Field for FundRow {
    fn put(&self, out: &mut Vec<u8>) {
        self.item_hash.put(out);
        self.sequence.put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { item_hash: reader.get()?, sequence: reader.get()? })
    }
}

impl Field for WithdrawalKey {
    fn put(&self, out: &mut Vec<u8>) {
        self.owner.put(out);
        self.withdrawal.put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { owner: reader.get()?, withdrawal: reader.get()? })
    }
}

impl Field for Withdrawal {
    fn put(&self, out: &mut Vec<u8>) {
        self.item_hash.put(out);
        self.sequence.put(out);
        self.leg.put(out);
        self.answer_hash.put(out);
        self.answer_sequence.put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            item_hash: reader.get()?,
            sequence: reader.get()?,
            leg: reader.get()?,
            answer_hash: reader.get()?,
            answer_sequence: reader.get()?,
        })
    }
}

impl Row for FundRow {
    fn hot(&self) -> bool {
        false
    }
}

impl Row for Withdrawal {
    fn hot(&self) -> bool {
        false
    }
}

impl Key for FundKey {
    const HOT: u8 = 0x08;
    const COLD: Option<u8> = Some(0x88);
}

impl Key for WithdrawalKey {
    const HOT: u8 = 0x09;
    const COLD: Option<u8> = Some(0x89);
}

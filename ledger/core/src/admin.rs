//! The operator's commands: admission, keys, accounts, caps, corridors, fees; none of them moves or makes money.
use ledger_proof::{
    Item,
    operator::{
        AddKey, Admit, Fee, FeePayer, KeyKind, OpenAccount, RetireKey, SetCap, SetCorridor,
        SetFeeSchedule, SetScreeningPolicy, Suspend,
    },
    signature::{key_id, verifying_key},
};
use ledger_types::{Bic, Lei, ParticipantId, Rejection};

use crate::{
    account::Account,
    ledger::Ledger,
    participant::{Key, Participant},
    rows::{FeeKey, PolicyKey},
};

/// Active keys of one kind that a participant may have, so that rotation needs no pause.
const KEYS_ACTIVE_MAX: usize = 2;
/// Active keys that the operator may have (n of k of n).
const OPERATOR_KEYS_MAX: usize = 16;
/// 100 % in basis points.
const BASIS_POINTS_MAX: u32 = 10_000;

impl Ledger {
    /// Carries out one operator's command, or says why not.
    pub(crate) fn administer(&mut self, item: &Item) -> Result<(), Rejection> {
        match item {
            Item::Admit(item) => self.admit(item),
            Item::Suspend(item) => self.suspend(item),
            Item::AddKey(item) => self.add_key(item),
            Item::RetireKey(item) => self.retire_key(item),
            Item::OpenAccount(item) => self.open_account(item),
            Item::SetCap(item) => self.set_cap(item),
            Item::SetCorridor(item) => self.set_corridor(item),
            Item::SetFeeSchedule(item) => self.set_fee_schedule(item),
            Item::SetScreeningPolicy(item) => self.set_screening_policy(item),
            Item::Submit(_)
            | Item::Accept(_)
            | Item::Hold(_)
            | Item::Reject(_)
            | Item::Confirm(_)
            | Item::Cancel(_)
            | Item::Return(_)
            | Item::Recall(_)
            | Item::AnswerRecall(_)
            | Item::Resolve(_)
            | Item::RegisterQuote(_)
            | Item::Fund(_)
            | Item::Withdraw(_)
            | Item::WithdrawPaid(_)
            | Item::WithdrawFailed(_) => Err(Rejection::NotParty),
        }
    }

    fn admit(&mut self, item: &Admit) -> Result<(), Rejection> {
        if item.participant == ParticipantId::OPERATOR {
            return Err(Rejection::ParticipantUnknown);
        }
        let bic = item.bic.as_str();
        let lei = item.lei.as_str();
        if item.name.as_bytes().is_empty()
            || (!bic.is_empty() && bic.parse::<Bic>().is_err())
            || (!lei.is_empty() && lei.parse::<Lei>().is_err())
        {
            return Err(Rejection::AttributeInvalid);
        }
        let mut row = Participant::admitted(item);
        if let Some(old) = self.participants.get(&item.participant) {
            (row.suspended, row.records) = (old.suspended, old.records);
        }
        self.participants.set(item.participant, Some(row));
        Ok(())
    }

    fn suspend(&mut self, item: &Suspend) -> Result<(), Rejection> {
        self.participants.get(&item.participant).ok_or(Rejection::ParticipantUnknown)?;
        self.participants.change(&item.participant, |row| row.suspended = item.suspended);
        Ok(())
    }

    fn add_key(&mut self, item: &AddKey) -> Result<(), Rejection> {
        let operator = item.participant == ParticipantId::OPERATOR;
        if !operator {
            self.participants.get(&item.participant).ok_or(Rejection::ParticipantUnknown)?;
        }
        let valid = match item.kind {
            KeyKind::Signing => verifying_key(&item.public_key).is_some(),
            KeyKind::Sealing => item.public_key != [0; 32],
        };
        if !valid {
            return Err(Rejection::KeyInvalid);
        }
        let id = key_id(item.kind, &item.public_key);
        if self.keys.get(&id).is_some() {
            return Err(Rejection::KeyExists);
        }
        let most = if operator { OPERATOR_KEYS_MAX } else { KEYS_ACTIVE_MAX };
        if self.active_keys(item.participant, item.kind) >= most {
            return Err(Rejection::KeysTooMany);
        }
        self.keys.set(id, Some(Key::new(item.participant, item.kind, item.public_key)));
        Ok(())
    }

    fn retire_key(&mut self, item: &RetireKey) -> Result<(), Rejection> {
        let key = self
            .keys
            .get(&item.key)
            .filter(|key| key.participant == item.participant && !key.retired)
            .ok_or(Rejection::KeyUnknown)?;
        // Only signing keys count towards the threshold.
        let signs = key.kind == KeyKind::Signing;
        let operator = item.participant == ParticipantId::OPERATOR && signs;
        let left = self.active_keys(item.participant, key.kind).saturating_sub(1);
        if operator && left < usize::from(self.genesis.operator_threshold) {
            return Err(Rejection::KeysTooFew);
        }
        self.keys.change(&item.key, |key| key.retired = true);
        Ok(())
    }

    fn active_keys(&self, participant: ParticipantId, kind: KeyKind) -> usize {
        self.keys
            .iter()
            .filter(|(_, key)| key.participant == participant && key.kind == kind && !key.retired)
            .count()
    }

    fn open_account(&mut self, item: &OpenAccount) -> Result<(), Rejection> {
        if item.owner != ParticipantId::OPERATOR {
            self.participants.get(&item.owner).ok_or(Rejection::ParticipantUnknown)?;
        }
        self.exponent(item.currency).ok_or(Rejection::CurrencyUnknown)?;
        if self.accounts.get(&item.account).is_some() {
            return Err(Rejection::AccountExists);
        }
        let mut account = Account::new(item.owner, item.currency);
        account.standing_acceptance = item.standing_acceptance;
        self.accounts.set(item.account, Some(account));
        self.touched.push(item.account);
        Ok(())
    }

    fn set_cap(&mut self, item: &SetCap) -> Result<(), Rejection> {
        let account = self.accounts.get(&item.account).ok_or(Rejection::AccountUnknown)?;
        if account.custody {
            return Err(Rejection::AccountNotOwned);
        }
        if item.net_debit_cap > 0 && item.collateral_reference.as_bytes().is_empty() {
            return Err(Rejection::CollateralMissing);
        }
        let cap = u128::from(item.net_debit_cap);
        if account.debits_pending + account.debits_posted > account.credits_posted + cap {
            return Err(Rejection::CapBelowUse);
        }
        self.accounts.change(&item.account, |account| {
            account.net_debit_cap = item.net_debit_cap;
            account.collateral_reference = item.collateral_reference;
        });
        self.touched.push(item.account);
        Ok(())
    }

    fn set_corridor(&mut self, item: &SetCorridor) -> Result<(), Rejection> {
        let version = self.corridors.get(&item.corridor).map_or(0, |row| row.version);
        if item.corridor.0 == 0 || item.amount_min > item.amount_max || item.hold_micros == 0 {
            return Err(Rejection::CorridorTermsInvalid);
        }
        for currency in [item.source_currency, item.destination_currency] {
            self.exponent(currency).ok_or(Rejection::CurrencyUnknown)?;
        }
        let regulator = Some(item.regulator).filter(|id| *id != ParticipantId::OPERATOR);
        for participant in item.liquidity_banks.iter().copied().chain(regulator) {
            self.participants.get(&participant).ok_or(Rejection::ParticipantUnknown)?;
        }
        let policy = PolicyKey(item.screening_policy_version);
        let none = item.institutional && item.screening_policy_version == 0;
        if !none && self.screening_policies.get(&policy).is_none() {
            return Err(Rejection::ScreeningPolicyUnknown);
        }
        if item.version != version + 1 {
            return Err(Rejection::VersionNotNext);
        }
        self.corridors.set(item.corridor, Some(item.clone()));
        Ok(())
    }

    fn set_fee_schedule(&mut self, item: &SetFeeSchedule) -> Result<(), Rejection> {
        let corridor = self.corridors.get(&item.corridor).ok_or(Rejection::CorridorUnknown)?;
        for fee in &item.fees {
            self.check_fee(fee, corridor)?;
        }
        let key = FeeKey(item.corridor);
        let version = self.fee_schedules.get(&key).map_or(0, |row| row.version);
        if item.version != version + 1 {
            return Err(Rejection::VersionNotNext);
        }
        self.fee_schedules.set(key, Some(item.clone()));
        Ok(())
    }

    fn check_fee(&self, fee: &Fee, corridor: &SetCorridor) -> Result<(), Rejection> {
        let currency = match fee.payer {
            FeePayer::DebtorAgent => corridor.source_currency,
            FeePayer::CreditorAgent => corridor.destination_currency,
        };
        let payee = self.accounts.get(&fee.payee_account).ok_or(Rejection::AccountUnknown)?;
        if payee.owner != ParticipantId::OPERATOR
            || payee.currency != currency
            || fee.amount_min > fee.amount_max
            || fee.basis_points > BASIS_POINTS_MAX
        {
            return Err(Rejection::FeeTermsInvalid);
        }
        Ok(())
    }

    fn set_screening_policy(&mut self, item: &SetScreeningPolicy) -> Result<(), Rejection> {
        let last = item.version.checked_sub(1).ok_or(Rejection::VersionNotNext)?;
        let follows = last == 0 || self.screening_policies.get(&PolicyKey(last)).is_some();
        if !follows || self.screening_policies.get(&PolicyKey(item.version)).is_some() {
            return Err(Rejection::VersionNotNext);
        }
        self.screening_policies.set(PolicyKey(item.version), Some(item.clone()));
        Ok(())
    }
}

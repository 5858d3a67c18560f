//! What the operator sets in the model: who takes part, with which keys, accounts and terms; it moves no money.
use ledger_proof::{
    operator::{
        AddKey, Admit, KeyKind, OpenAccount, RetireKey, SetCap, SetCorridor, SetFeeSchedule,
        Suspend,
    },
    signature::key_id,
};
use ledger_types::ParticipantId;

use super::{Account, Expected, Model, Money};
use crate::world::{DIRECT, currency, foreign};

/// A key of a participant; retired ones stay, as none may come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    owner: ParticipantId,
    kind: Option<KeyKind>,
    active: bool,
}

/// The terms in force in the corridor of exchanges, and the screening policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Terms {
    corridor: u32,
    pub(super) amount_max: u64,
    pub(super) schedule: u32,
    pub(super) fee: u64,
    policy: u32,
}

impl Model {
    pub(super) fn admit(&mut self, admit: &Admit) -> Expected {
        // The only attribute that anybody gives here is the name.
        let named = !admit.name.as_str().is_empty();
        if named {
            self.admitted.insert(admit.participant);
        }
        Expected::done_if(named)
    }

    pub(super) fn suspend(&mut self, suspend: &Suspend) -> Expected {
        let known = self.takes_part(suspend.participant);
        if known && suspend.suspended {
            self.suspended.insert(suspend.participant);
        } else {
            self.suspended.remove(&suspend.participant);
        }
        Expected::done_if(known)
    }

    /// Keys are sixteen at most for the operator, and two of a kind for others. Clients add keys
    /// only for those whom they saw admitted, since a founding's keys are not in every history.
    pub(super) fn add_key(&mut self, added: &AddKey) -> Expected {
        let (owner, kind) = (added.participant, Some(added.kind));
        let operator = owner == ParticipantId::OPERATOR;
        let same = |key: &&Key| key.owner == owner && key.kind == kind && key.active;
        let most = if operator { 16 } else { 2 };
        let id = key_id(added.kind, &added.public_key);
        let fits = (operator || self.takes_part(owner))
            && !self.keys.contains_key(&id)
            && self.keys.values().filter(same).count() < most;
        if fits {
            self.keys.insert(id, Key { owner, kind, active: true });
        }
        Expected::done_if(fits)
    }

    pub(super) fn retire_key(&mut self, retired: &RetireKey) -> Expected {
        let owner = retired.participant;
        // The operator's first key stands in the genesis, which is in no history.
        let genesis = Key { owner, kind: None, active: true };
        let key = match owner {
            ParticipantId::OPERATOR => Some(self.keys.entry(retired.key).or_insert(genesis)),
            _ => self.keys.get_mut(&retired.key),
        };
        let key = key.filter(|key| key.active && key.owner == owner);
        let fits = key.is_some();
        if let Some(key) = key {
            key.active = false;
        }
        Expected::done_if(fits)
    }

    pub(super) fn open(&mut self, open: &OpenAccount) -> Expected {
        let owner = open.owner;
        let fits = (owner == ParticipantId::OPERATOR || self.takes_part(owner))
            && [currency(), foreign()].contains(&open.currency)
            && !self.accounts.contains_key(&open.account);
        if fits {
            let (currency, money) = (open.currency, Money::default());
            self.accounts.insert(open.account, Account { owner, currency, cap: 0, money });
        }
        Expected::done_if(fits)
    }

    pub(super) fn set_cap(&mut self, set: &SetCap) -> Expected {
        let Some(account) = self.accounts.get_mut(&set.account) else { return Expected::Refused };
        let pledged = set.net_debit_cap == 0 || !set.collateral_reference.as_str().is_empty();
        let before = std::mem::replace(&mut account.cap, u128::from(set.net_debit_cap));
        let fits = pledged && !account.short(0);
        if !fits {
            account.cap = before;
        }
        Expected::done_if(fits)
    }

    pub(super) fn set_corridor(&mut self, set: &SetCorridor) -> Expected {
        if set.corridor == DIRECT {
            return Expected::Done(None);
        }
        let fits = set.amount_min <= set.amount_max && set.version == self.terms.corridor + 1;
        if fits {
            (self.terms.corridor, self.terms.amount_max) = (set.version, set.amount_max);
        }
        Expected::done_if(fits)
    }

    /// Every schedule has one flat fee, which the debtor agent pays.
    pub(super) fn set_fees(&mut self, set: &SetFeeSchedule) -> Expected {
        let fits = set.version == self.terms.schedule + 1;
        if fits {
            self.terms.schedule = set.version;
            self.terms.fee = set.fees.iter().map(|fee| fee.flat).sum();
        }
        Expected::done_if(fits)
    }

    /// The founding sets the first, which not every history shows.
    pub(super) fn set_policy(&mut self, version: u32) -> Expected {
        let fits = version == self.terms.policy + 1 || (self.terms.policy == 0 && version == 2);
        if fits {
            self.terms.policy = version;
        }
        Expected::done_if(fits)
    }
}

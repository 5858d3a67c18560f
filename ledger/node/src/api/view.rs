//! The ledger's rows and records in the words of the wire; it reads only and checks no rights.
use std::io;

use ledger_core::{Account, Ledger};
use ledger_proof::{
    Field, Part, RecordKind,
    operator::KeyKind,
    record::{RefusalPart, SharedPart},
};
use ledger_types::{
    AccountId, KeyId, ParticipantId, Rejection, StatusReason, Timestamp, TransferId, TransferState,
    Uetr,
};
use proto::convert::{
    Balance, CurrencyTerms, Network, Outcome, Participant, PublicAccount, Submitted, Transfer,
};

use crate::{Error, history::Cursor, state_store::StateStore};

/// A core outcome.
pub(super) fn outcome(outcome: ledger_core::Outcome) -> Outcome {
    Outcome {
        sequence: outcome.sequence,
        rejection: outcome.rejection,
        state: outcome.state,
        reason: outcome.reason,
        first_sequence: outcome.first_sequence,
    }
}

/// The outcomes of an envelope that was answered before, from its records.
pub(super) fn resent(cursor: &mut Cursor, first: u64, count: u32) -> io::Result<Submitted> {
    let mut submitted = Submitted {
        outcomes: Vec::new(),
        envelope_refused: false,
        at: Timestamp::ZERO,
        resent: true,
    };
    for sequence in first..first + u64::from(count) {
        let record = cursor.record(sequence)?;
        let shared = &record.parts[Part::Shared.index()];
        submitted.at = record.at;
        submitted.outcomes.push(match record.kind {
            RecordKind::EnvelopeRefusal => {
                submitted.envelope_refused = true;
                let part = RefusalPart::from_bytes(shared).map_err(io::Error::other)?;
                let rejection = Rejection::from_number(part.outcome);
                let reason = rejection.map(Rejection::reason);
                Outcome { sequence, rejection, state: None, reason, first_sequence: None }
            }
            RecordKind::Item(_) | RecordKind::Expiry | RecordKind::Entry | RecordKind::Genesis => {
                let part = SharedPart::from_bytes(shared).map_err(io::Error::other)?;
                Outcome {
                    sequence,
                    rejection: Rejection::from_number(part.outcome),
                    state: TransferState::from_code(part.state),
                    reason: Some(part.reason).filter(|reason| *reason != no_reason()),
                    first_sequence: (part.first_sequence != 0).then_some(part.first_sequence),
                }
            }
        });
    }
    Ok(submitted)
}

/// What a record states where there is no reason.
const fn no_reason() -> StatusReason {
    StatusReason::known(b"NARR")
}

/// A transfer, in memory or stored.
pub(super) fn transfer(
    ledger: &Ledger,
    store: &StateStore,
    id: TransferId,
) -> Result<Option<Transfer>, Error> {
    if let Some(row) = ledger.transfer(&id) {
        return Ok(Some(transfer_view(id, row)));
    }
    let row = store.row(&Ledger::transfer_key(&id))?;
    let row = row.map(|row| Ledger::decode_transfer(&row)).transpose().map_err(Error::State)?;
    Ok(row.map(|row| transfer_view(id, &row)))
}

/// Every participant's transfer of a UETR.
pub(super) fn transfers(
    ledger: &Ledger,
    store: &StateStore,
    uetr: Uetr,
) -> Result<Vec<Transfer>, Error> {
    let mut found = Vec::new();
    for (debtor_agent, _) in ledger.participants() {
        found.extend(transfer(ledger, store, TransferId { debtor_agent, uetr })?);
    }
    Ok(found)
}

fn transfer_view(id: TransferId, row: &ledger_core::Transfer) -> Transfer {
    Transfer {
        id,
        creditor_agent: row.creditor_agent,
        corridor: row.corridor,
        state: row.state,
        reason: row.reason,
        rejection: row.rejection,
        amount: row.amount,
        currency: row.currency,
        deadline: row.deadline,
        submitted_at: row.submitted_at,
        decided_at: row.decided_at,
        confirmed_at: row.confirmed_at,
        confirmation: row.confirmation,
        submit_sequence: row.submit_sequence,
        decided_sequence: row.decided_sequence,
        held_until: row.held_until,
        returned: row.returned,
    }
}

/// Balances by account number, of one participant or of all.
pub(super) fn balances(ledger: &Ledger, whose: Option<ParticipantId>) -> Vec<Balance> {
    let asked = |account: &Account| whose.is_none_or(|whose| whose == account.owner);
    let found = ledger.accounts().filter(|(_, account)| asked(account));
    let mut balances: Vec<Balance> = found.map(|(id, account)| balance(id, account)).collect();
    balances.sort_unstable_by_key(|balance| balance.account);
    balances
}

fn balance(account: AccountId, row: &Account) -> Balance {
    Balance {
        account,
        owner: row.owner,
        currency: row.currency,
        debits_pending: row.debits_pending,
        debits_posted: row.debits_posted,
        credits_pending: row.credits_pending,
        credits_posted: row.credits_posted,
        net_debit_cap: row.net_debit_cap,
        custody: row.custody,
        standing_acceptance: row.standing_acceptance,
    }
}

/// What every participant may know.
pub(super) fn network(ledger: &Ledger) -> Network {
    let mut participants: Vec<Participant> =
        ledger.participants().map(|(id, row)| participant(ledger, id, row)).collect();
    participants.sort_unstable_by_key(|participant| participant.id);
    let corridors = ledger.corridors().map(|(terms, fees)| (terms.clone(), fees.cloned()));
    let mut corridors: Vec<_> = corridors.collect();
    corridors.sort_unstable_by_key(|(terms, _)| terms.corridor);
    let currencies = ledger.genesis().currencies.iter().map(|row| CurrencyTerms {
        currency: row.currency,
        exponent: row.exponent,
        custodian: row.custodian,
        custody_account: row.custody_account,
    });
    let accounts = ledger.accounts().map(|(account, row)| PublicAccount {
        account,
        owner: row.owner,
        currency: row.currency,
        standing_acceptance: row.standing_acceptance,
    });
    let mut accounts: Vec<PublicAccount> = accounts.collect();
    accounts.sort_unstable_by_key(|account| account.account);
    let (id, currencies) = (ledger.network(), currencies.collect());
    Network { id, participants, corridors, currencies, accounts }
}

fn participant(ledger: &Ledger, id: ParticipantId, row: &ledger_core::Participant) -> Participant {
    let active = |kind: KeyKind| {
        let own = ledger
            .keys()
            .filter(move |(_, key)| key.participant == id && key.kind == kind && !key.retired);
        let mut keys: Vec<(KeyId, [u8; 32])> =
            own.map(|(key, row)| (key, row.public_key)).collect();
        keys.sort_unstable_by_key(|(key, _)| *key);
        keys.into_iter().map(|(_, key)| key).collect()
    };
    Participant {
        id,
        name: row.name.to_string(),
        country: row.country,
        bic: row.bic.to_string(),
        lei: row.lei.to_string(),
        clearing_member: row.clearing_member.to_string(),
        suspended: row.suspended,
        sealing_keys: active(KeyKind::Sealing),
        signing_keys: active(KeyKind::Signing),
    }
}

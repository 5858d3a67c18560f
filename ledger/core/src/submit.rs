//! Submit: refusals in a fixed order, then every leg reserved or posted at once; returns share its parts.
use ledger_proof::{
    Field, Part,
    item::{Leg, LegKind, Submit},
    operator::SetCorridor,
    record::{DebtorDetail, LiquidityDetail, SubmitDetail},
};
use ledger_types::{ParticipantId, Rejection, Timestamp, TransferId, TransferState};

use crate::{
    account::Movement,
    fees::fee_legs,
    ledger::Ledger,
    output::{Outcome, Output},
    quote::Quote,
    record::{Draft, Origin, Party},
    transfer::{Transfer, TransferKey, principal},
};

const ABSENT: [u8; 32] = [0; 32];

/// The rules that a submit's legs are checked under.
pub(crate) struct Rules<'a> {
    pub(crate) corridor: &'a SetCorridor,
    /// A return runs from destination to source currency.
    pub(crate) reversed: bool,
}

impl Ledger {
    pub(crate) fn submit(&mut self, item: &Submit, origin: &Origin, out: &mut Output) -> Outcome {
        let id = TransferId { debtor_agent: origin.author, uetr: item.uetr };
        if let Some(answer) = self.identity_taken(id, item, origin, out) {
            return answer;
        }
        let checked = self.check_submit(item, origin);
        self.book(id, item, origin, checked, out)
    }

    /// Answers for an identity that exists: the first answer again, or a refusal naming it.
    pub(crate) fn identity_taken(
        &mut self,
        id: TransferId,
        item: &Submit,
        origin: &Origin,
        out: &mut Output,
    ) -> Option<Outcome> {
        let row = self.transfers.get(&TransferKey(id))?;
        let mut draft = Draft::between(id.debtor_agent, item.creditor_agent);
        draft.subject = id.uetr.bytes();
        draft.first_sequence = Some(row.submit_sequence);
        if row.item_hash == origin.item_hash {
            draft.rejection = row.rejection;
            draft.state = Some(match row.rejection {
                Some(_) => TransferState::Rejected,
                None if row.decided_sequence == row.submit_sequence => TransferState::Settled,
                None => TransferState::Pending,
            });
        } else {
            draft.state = Some(row.state);
            draft.rejection = Some(match row.state {
                TransferState::Burned => Rejection::TransferBurned,
                TransferState::Pending
                | TransferState::Settled
                | TransferState::Credited
                | TransferState::Rejected
                | TransferState::Expired
                | TransferState::Cancelled => Rejection::UetrReused,
            });
        }
        let draft = draft.party(Part::Debtor, id.debtor_agent);
        Some(self.record(out, origin, draft))
    }

    /// Writes the outcome of a checked submit or return. After the check it must succeed.
    pub(crate) fn book(
        &mut self,
        id: TransferId,
        item: &Submit,
        origin: &Origin,
        checked: Result<(), Rejection>,
        out: &mut Output,
    ) -> Outcome {
        let at = self.time;
        let mut row = Transfer::submitted(item, origin.item_hash, at, self.next_sequence);
        if let Err(rejection) = checked {
            row.rejection = Some(rejection);
            row.reason = Some(rejection.reason());
            row.decide(TransferState::Rejected, at, self.next_sequence);
            let mut draft = self.submit_draft(id, item, &row);
            draft.rejection = Some(rejection);
            let draft = draft.party(Part::Debtor, id.debtor_agent);
            self.transfer_set(id, Some(row));
            return self.record(out, origin, draft);
        }
        row.deadline = self.deadline(item);
        for (at, quote) in item.quotes.iter().enumerate() {
            let drawn = principal(item).nth(at).map_or(0, |leg| leg.amount);
            self.quotes.change(quote, |row| row.drawn += drawn);
        }
        if item.single_phase {
            self.move_legs(&item.legs, Movement::Post);
            row.decide(TransferState::Settled, at, self.next_sequence);
        } else {
            self.move_legs(&item.legs, Movement::Reserve);
            row.legs.clone_from(&item.legs);
        }
        let draft = self.submit_draft(id, item, &row);
        let draft = self.submit_parties(draft, id, item);
        self.transfer_set(id, Some(row));
        self.record(out, origin, draft)
    }

    fn check_submit(&self, item: &Submit, origin: &Origin) -> Result<(), Rejection> {
        let author = origin.author;
        if self.participants.get(&author).is_none_or(|row| row.suspended) {
            return Err(Rejection::DebtorAgentSuspended);
        }
        let creditor_agent = self.participants.get(&item.creditor_agent);
        let creditor_agent = creditor_agent.ok_or(Rejection::CreditorAgentUnknown)?;
        if creditor_agent.suspended {
            return Err(Rejection::CreditorAgentSuspended);
        }
        let corridor = self.corridors.get(&item.corridor).ok_or(Rejection::CorridorUnknown)?;
        self.check_terms(item, corridor)?;
        self.check_sealed(item, corridor, author)?;
        let rules = Rules { corridor, reversed: false };
        self.check_legs(item, &rules, author)?;
        let source = item.legs.first().map_or(0, |leg| leg.amount);
        if source < corridor.amount_min {
            return Err(Rejection::AmountBelowMinimum);
        }
        if source > corridor.amount_max {
            return Err(Rejection::AmountAboveMaximum);
        }
        self.check_standing_acceptance(item)?;
        self.check_quotes(item, author)?;
        self.check_fees(item)?;
        self.check_funds(&item.legs, author, item.creditor_agent)
    }

    fn check_terms(&self, item: &Submit, corridor: &SetCorridor) -> Result<(), Rejection> {
        if item.single_phase && !corridor.institutional {
            return Err(Rejection::SinglePhaseForbidden);
        }
        if !corridor.purposes.is_empty() && !corridor.purposes.contains(&item.purpose) {
            return Err(Rejection::PurposeNotAllowed);
        }
        if !corridor.institutional && corridor.payout_methods & item.payout_method.bit() == 0 {
            return Err(Rejection::PayoutMethodNotAllowed);
        }
        if item.screening_policy_version != corridor.screening_policy_version {
            return Err(Rejection::ScreeningPolicyStale);
        }
        if item.deadline <= self.time {
            return Err(Rejection::DeadlinePassed);
        }
        Ok(())
    }

    fn check_sealed(
        &self,
        item: &Submit,
        corridor: &SetCorridor,
        author: ParticipantId,
    ) -> Result<(), Rejection> {
        let sealed = item.blob_digest != ABSENT && item.commitment != ABSENT;
        let source = item.legs.first().map_or(0, |leg| leg.amount);
        let due = |rule: &ledger_proof::operator::TravelRule| {
            rule.fields != 0 && source >= rule.from_amount
        };
        if !sealed && corridor.travel_rules.iter().any(due) {
            return Err(Rejection::SealedDataMissing);
        }
        let regulator = corridor.regulator;
        let readers = [author, item.creditor_agent, regulator];
        let readable = readers.into_iter().all(|reader| {
            reader == ParticipantId::OPERATOR || self.sealed_for(reader, &item.sealed_for)
        });
        if sealed && !readable {
            return Err(Rejection::SealingKeyMissing);
        }
        Ok(())
    }

    /// Shape, currencies, accounts and owners of the legs.
    pub(crate) fn check_legs(
        &self,
        item: &Submit,
        rules: &Rules<'_>,
        author: ParticipantId,
    ) -> Result<(), Rejection> {
        if item.legs.iter().any(|leg| leg.amount == 0) {
            return Err(Rejection::AmountZero);
        }
        let principals = principal(item).count();
        let in_order = item.legs.iter().take(principals).all(|leg| leg.kind == LegKind::Principal);
        if principals != item.quotes.len() + 1 || !in_order {
            return Err(Rejection::LegsMalformed);
        }
        let (first, last) = ends(item).ok_or(Rejection::LegsMalformed)?;
        let corridor = rules.corridor;
        let (from, to) = match rules.reversed {
            false => (corridor.source_currency, corridor.destination_currency),
            true => (corridor.destination_currency, corridor.source_currency),
        };
        if first.currency != from || last.currency != to {
            return Err(Rejection::CurrencyMismatch);
        }
        for leg in &item.legs {
            for account in [leg.debit_account, leg.credit_account] {
                let account = self.accounts.get(&account).ok_or(Rejection::AccountUnknown)?;
                if account.currency != leg.currency {
                    return Err(Rejection::CurrencyMismatch);
                }
                if account.custody {
                    return Err(Rejection::AccountNotOwned);
                }
            }
            if leg.debit_account == leg.credit_account {
                return Err(Rejection::LegsMalformed);
            }
        }
        if self.owner(first.debit_account) != Some(author)
            || self.owner(last.credit_account) != Some(item.creditor_agent)
        {
            return Err(Rejection::AccountNotOwned);
        }
        Ok(())
    }

    fn check_standing_acceptance(&self, item: &Submit) -> Result<(), Rejection> {
        let standing = ends(item)
            .and_then(|(_, last)| self.accounts.get(&last.credit_account))
            .is_some_and(|account| account.standing_acceptance);
        if item.single_phase && !standing {
            return Err(Rejection::StandingAcceptanceMissing);
        }
        Ok(())
    }

    /// The chain of quotes that bridges the legs' currencies.
    pub(crate) fn check_quotes(
        &self,
        item: &Submit,
        author: ParticipantId,
    ) -> Result<(), Rejection> {
        let (first, last) = ends(item).ok_or(Rejection::LegsMalformed)?;
        if item.quotes.is_empty() && first.currency != last.currency {
            return Err(Rejection::QuoteChainBroken);
        }
        if item.quotes.first() == item.quotes.get(1) && !item.quotes.is_empty() {
            return Err(Rejection::QuoteChainBroken);
        }
        for (at, id) in item.quotes.iter().enumerate() {
            let quote = self.quotes.get(id).ok_or(Rejection::QuoteUnknown)?;
            let mut pair = principal(item).skip(at);
            let (Some(into), Some(out_of)) = (pair.next(), pair.next()) else {
                return Err(Rejection::LegsMalformed);
            };
            self.check_quote(quote, item, author, into, out_of)?;
        }
        Ok(())
    }

    fn check_quote(
        &self,
        quote: &Quote,
        item: &Submit,
        author: ParticipantId,
        into: &Leg,
        out_of: &Leg,
    ) -> Result<(), Rejection> {
        let terms = &quote.terms;
        if terms.debtor_agent != author || terms.corridor != item.corridor {
            return Err(Rejection::QuoteNotYours);
        }
        if quote.closed || terms.submit_by < self.time {
            return Err(Rejection::QuoteExpired);
        }
        let corridor = self.corridors.get(&item.corridor).ok_or(Rejection::CorridorUnknown)?;
        if !corridor.liquidity_banks.contains(&quote.liquidity_bank) {
            return Err(Rejection::LiquidityBankNotAllowed);
        }
        if self.participants.get(&quote.liquidity_bank).is_none_or(|row| row.suspended) {
            return Err(Rejection::LiquidityBankSuspended);
        }
        if into.currency != terms.source_currency || out_of.currency != terms.destination_currency {
            return Err(Rejection::QuoteChainBroken);
        }
        if into.credit_account != terms.source_account
            || out_of.debit_account != terms.destination_account
        {
            return Err(Rejection::QuoteAmountMismatch);
        }
        let exponents = self.exponents(into, out_of)?;
        quote.check_use(into.amount, out_of.amount, exponents)
    }

    pub(crate) fn exponents(&self, into: &Leg, out_of: &Leg) -> Result<(u8, u8), Rejection> {
        let source = self.exponent(into.currency).ok_or(Rejection::CurrencyMismatch)?;
        let destination = self.exponent(out_of.currency).ok_or(Rejection::CurrencyMismatch)?;
        Ok((source, destination))
    }

    /// The legs after the principal ones: the schedule's fees, then the quotes' payout fees.
    fn check_fees(&self, item: &Submit) -> Result<(), Rejection> {
        let schedule = self.fee_schedules.get(&crate::rows::FeeKey(item.corridor));
        if item.fee_schedule_version != schedule.map_or(0, |schedule| schedule.version) {
            return Err(Rejection::FeeScheduleStale);
        }
        let (first, last) = ends(item).ok_or(Rejection::LegsMalformed)?;
        let fees = schedule.map(|schedule| fee_legs(schedule, first, last)).unwrap_or_default();
        let payout_fees = item.quotes.iter().filter_map(|id| {
            let terms = &self.quotes.get(id)?.terms;
            (terms.payout_fee > 0).then_some(Leg {
                kind: LegKind::PayoutFee,
                currency: terms.destination_currency,
                debit_account: terms.destination_account,
                credit_account: last.credit_account,
                amount: terms.payout_fee,
            })
        });
        let principals = item.quotes.len() + 1;
        if item.legs.iter().skip(principals).cloned().eq(fees.into_iter().chain(payout_fees)) {
            Ok(())
        } else {
            Err(Rejection::FeeLegsWrong)
        }
    }

    /// The earliest of the item's deadline, the corridor's hold time and the quotes' holds.
    fn deadline(&self, item: &Submit) -> Timestamp {
        let hold = self.corridors.get(&item.corridor).map_or(0, |corridor| corridor.hold_micros);
        let quotes = item.quotes.iter().filter_map(|id| self.quotes.get(id));
        quotes
            .map(|quote| quote.terms.hold_until)
            .chain([self.time.plus_micros(hold)])
            .fold(item.deadline, Timestamp::min)
    }

    fn submit_draft(&self, id: TransferId, item: &Submit, row: &Transfer) -> Draft {
        let mut draft = Draft::between(id.debtor_agent, item.creditor_agent);
        draft.subject = id.uetr.bytes();
        draft.state = Some(row.state);
        draft.reason = row.reason;
        draft.corridor = item.corridor;
        (draft.amount, draft.currency) = (row.amount, row.currency);
        draft.deadline = row.deadline;
        draft.links.clone_from(&item.links);
        draft.detail = SubmitDetail {
            single_phase: item.single_phase,
            payout_method: item.payout_method,
            purpose: item.purpose,
            commitment: item.commitment,
            blob_digest: item.blob_digest,
            sealed_for: item.sealed_for.clone(),
            document_digests: item.document_digests.clone(),
        }
        .to_bytes();
        draft
    }

    fn submit_parties(&self, mut draft: Draft, id: TransferId, item: &Submit) -> Draft {
        let debtor = DebtorDetail {
            instructed_amount: item.legs.first().map_or(0, |leg| leg.amount),
            instructed_currency: item.legs.first().map_or(draft.currency, |leg| leg.currency),
            quotes: item.quotes.clone(),
        };
        let party = |part, participant, detail| Party {
            part,
            participant,
            legs: self.legs_of(&item.legs, participant),
            detail,
        };
        draft.add(party(Part::Debtor, id.debtor_agent, debtor.to_bytes()));
        draft.add(party(Part::Creditor, item.creditor_agent, alloc::vec::Vec::new()));
        for (quote_id, part) in item.quotes.iter().zip([Part::Liquidity1, Part::Liquidity2]) {
            if let Some(quote) = self.quotes.get(quote_id) {
                let detail = LiquidityDetail { quote: *quote_id }.to_bytes();
                draft.add(party(part, quote.liquidity_bank, detail));
            }
        }
        draft.operator_legs = self.legs_of(&item.legs, ParticipantId::OPERATOR);
        draft
    }
}

/// The first and the last principal leg.
pub(crate) fn ends(item: &Submit) -> Option<(&Leg, &Leg)> {
    principal(item).next().zip(principal(item).next_back())
}

//! A plan as genesis and as the operator's first commands; it signs nothing and sends nothing.
use anyhow::Context as _;
use arrayvec::ArrayVec;
use ledger_proof::{
    Genesis, Item,
    codec::Digest,
    genesis::{Custodian, GenesisCurrency, NodeKey},
    item::Fund,
    operator::{
        AddKey, Admit, Fee, FeePayer, KeyKind, OpenAccount, SetCorridor, SetFeeSchedule,
        SetScreeningPolicy, TravelRule, travel_field,
    },
    tree::sha256,
};
use ledger_types::{
    AccountId, CorridorId, Currency, ParticipantId, PayoutMethod, Purpose, ShortText, Timestamp,
};

use super::plan::{Plan, PlannedCorridor, PlannedParticipant, PlannedTravelRule, account};

/// Public keys by owner.
#[derive(Clone, Debug)]
pub struct PublicKeys {
    /// The operator's ed25519 keys.
    pub operator: Vec<Digest>,
    /// Each participant's (id, ed25519, X25519).
    pub participants: Vec<(u32, Digest, Digest)>,
    /// Each node's ed25519 key.
    pub nodes: Vec<(u64, Digest)>,
}

impl PublicKeys {
    fn of(&self, participant: u32) -> anyhow::Result<(Digest, Digest)> {
        let found = self.participants.iter().find(|(id, _, _)| *id == participant);
        found
            .map(|(_, signing, sealing)| (*signing, *sealing))
            .with_context(|| format!("participant {participant} has no keys"))
    }
}

/// The genesis of a plan.
pub fn genesis(plan: &Plan, keys: &PublicKeys, founded_at: Timestamp) -> anyhow::Result<Genesis> {
    let mut currencies = Vec::new();
    for row in &plan.currencies {
        let currency: Currency = row.code.parse()?;
        let custodian = ParticipantId(row.custodian);
        currencies.push(GenesisCurrency {
            currency,
            exponent: row.exponent,
            custodian,
            custody_account: account(custodian, currency),
        });
    }
    currencies.sort_by_key(|row| row.currency);
    let mut custodians = Vec::new();
    for participant in plan.participants.iter().filter(|participant| participant.custodian) {
        custodians.push(Custodian {
            participant: ParticipantId(participant.id),
            country: participant.country.parse()?,
            bic: participant.bic.parse()?,
            name: participant.name.parse()?,
            signing_key: keys.of(participant.id)?.0,
        });
    }
    custodians.sort_by_key(|bank| bank.participant);
    let node_keys = keys
        .nodes
        .iter()
        .map(|(node, public_key)| NodeKey { node: *node, public_key: *public_key });
    let genesis = Genesis {
        version: 1,
        founded_at,
        log_origin: plan.log_origin.parse()?,
        rulebook: plan.rulebook.parse()?,
        rulebook_version: plan.rulebook_version.parse()?,
        rulebook_digest: sha256(&[plan.rulebook.as_bytes(), plan.rulebook_version.as_bytes()]),
        operator_threshold: plan.operator_threshold,
        operator_keys: keys.operator.iter().copied().collect(),
        currencies: currencies.into_iter().collect(),
        custodians: custodians.into_iter().collect(),
        node_keys: node_keys.collect(),
        predecessor: ArrayVec::new(),
    };
    let bytes = ledger_proof::Field::to_bytes(&genesis);
    Genesis::read(&bytes).map_err(|error| anyhow::anyhow!("the plan makes no genesis: {error}"))
}

/// The operator's first commands, in batches of one kind each, in order.
pub fn commands(plan: &Plan, keys: &PublicKeys) -> anyhow::Result<Vec<Vec<Item>>> {
    let others = || plan.participants.iter().filter(|participant| !participant.custodian);
    let mut admits = Vec::new();
    let mut added = Vec::new();
    let mut accounts = Vec::new();
    for row in &plan.currencies {
        accounts.push(open(ParticipantId::OPERATOR, row.code.parse()?));
    }
    for participant in others() {
        admits.push(admit(participant)?);
        let (signing, sealing) = keys.of(participant.id)?;
        for (kind, public_key) in [(KeyKind::Signing, signing), (KeyKind::Sealing, sealing)] {
            let participant = ParticipantId(participant.id);
            added.push(Item::AddKey(AddKey { nonce: nonce()?, participant, kind, public_key }));
        }
        for code in participant.balances.keys() {
            accounts.push(open(ParticipantId(participant.id), code.parse()?));
        }
    }
    let accounts = accounts.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let policy = SetScreeningPolicy { nonce: nonce()?, version: 1, digest: sha256(&[b"exact"]) };
    let mut corridors = Vec::new();
    let mut fees = Vec::new();
    for planned in &plan.corridors {
        corridors.push(Item::SetCorridor(corridor(planned)?));
        if planned.fee_flat > 0 {
            fees.push(fee_schedule(planned)?);
        }
    }
    let batches =
        [admits, added, accounts, vec![Item::SetScreeningPolicy(policy)], corridors, fees];
    Ok(batches.into_iter().filter(|batch| !batch.is_empty()).collect())
}

/// The custodians' first fundings: (custodian, items).
pub fn fundings(plan: &Plan, value_date: u32) -> anyhow::Result<Vec<(ParticipantId, Vec<Item>)>> {
    let mut fundings = Vec::new();
    for row in &plan.currencies {
        let currency: Currency = row.code.parse()?;
        let mut items = Vec::new();
        for participant in &plan.participants {
            let owner = ParticipantId(participant.id);
            let amount = participant.balances.get(&row.code).copied().unwrap_or(0);
            if amount > 0 {
                items.push(Item::Fund(Fund {
                    nonce: nonce()?,
                    account: account(owner, currency),
                    currency,
                    amount,
                    value_date,
                    bank_reference: format!("OPENING-{owner}-{currency}").parse()?,
                }));
            }
        }
        if !items.is_empty() {
            fundings.push((ParticipantId(row.custodian), items));
        }
    }
    Ok(fundings)
}

/// Thirty-two random bytes.
pub fn nonce() -> anyhow::Result<Digest> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("the system gives no random bytes")?;
    Ok(bytes)
}

fn admit(participant: &PlannedParticipant) -> anyhow::Result<Item> {
    Ok(Item::Admit(Admit {
        nonce: nonce()?,
        participant: ParticipantId(participant.id),
        country: participant.country.parse()?,
        bic: participant.bic.parse()?,
        lei: ShortText::EMPTY,
        clearing_member: ShortText::EMPTY,
        name: participant.name.parse()?,
    }))
}

fn open(owner: ParticipantId, currency: Currency) -> anyhow::Result<Item> {
    Ok(Item::OpenAccount(OpenAccount {
        nonce: nonce()?,
        account: account(owner, currency),
        owner,
        currency,
        standing_acceptance: false,
    }))
}

fn corridor(planned: &PlannedCorridor) -> anyhow::Result<SetCorridor> {
    let mut payout_methods = 0;
    for method in &planned.payout_methods {
        payout_methods |= method.parse::<PayoutMethod>()?.bit();
    }
    let purposes: Vec<Purpose> =
        planned.purposes.iter().map(|code| code.parse()).collect::<Result<_, _>>()?;
    let travel_rules: Vec<TravelRule> =
        planned.travel_rules.iter().map(travel_rule).collect::<anyhow::Result<_>>()?;
    let banks = planned.liquidity_banks.iter().map(|id| ParticipantId(*id));
    Ok(SetCorridor {
        nonce: nonce()?,
        corridor: CorridorId(planned.id),
        version: 1,
        institutional: planned.institutional,
        source_country: planned.from.country.parse()?,
        destination_country: planned.to.country.parse()?,
        source_currency: planned.from.currency.parse()?,
        destination_currency: planned.to.currency.parse()?,
        amount_min: planned.amount_min,
        amount_max: planned.amount_max,
        hold_micros: planned.hold_seconds * 1_000_000,
        credit_sla_micros: planned.credit_sla_seconds * 1_000_000,
        open_quotes_max: 10_000,
        payout_methods,
        screening_policy_version: u32::from(!planned.institutional),
        liquidity_banks: banks.collect(),
        purposes: bounded("purposes", purposes)?,
        travel_rules: bounded("travel_rules", travel_rules)?,
        regulator: ParticipantId::OPERATOR,
    })
}

fn travel_rule(planned: &PlannedTravelRule) -> anyhow::Result<TravelRule> {
    let mut fields = 0;
    for word in &planned.fields {
        let known = travel_field::ALL.iter().find(|(name, _)| name == word);
        let words = || travel_field::ALL.map(|(name, _)| name).join(", ");
        let (_, bit) = known.with_context(|| {
            format!("corridors.travel_rules.fields: {word} is none of {}", words())
        })?;
        fields |= bit;
    }
    Ok(TravelRule { from_amount: planned.from_amount, fields })
}

fn bounded<T, const N: usize>(field: &str, rows: Vec<T>) -> anyhow::Result<ArrayVec<T, N>> {
    anyhow::ensure!(rows.len() <= N, "corridors.{field}: must be at most {N}");
    Ok(rows.into_iter().collect())
}

fn fee_schedule(planned: &PlannedCorridor) -> anyhow::Result<Item> {
    let currency: Currency = planned.from.currency.parse()?;
    let payee_account: AccountId = account(ParticipantId::OPERATOR, currency);
    let fee = Fee {
        payer: FeePayer::DebtorAgent,
        payee_account,
        flat: planned.fee_flat,
        basis_points: 0,
        amount_min: planned.fee_flat,
        amount_max: planned.fee_flat,
    };
    Ok(Item::SetFeeSchedule(SetFeeSchedule {
        nonce: nonce()?,
        corridor: CorridorId(planned.id),
        version: 1,
        fees: [fee].into_iter().collect(),
    }))
}

//! Every refusal of the operator's and the custodian's commands.
use alloc::vec::Vec;

use ledger_proof::{
    Item,
    item::Fund,
    operator::{
        AddKey, Admit, Fee, FeePayer, KeyKind, OpenAccount, RetireKey, SetCap, SetFeeSchedule,
        SetScreeningPolicy, Suspend,
    },
    signature::key_id,
};
use ledger_types::{AccountId, Country, ParticipantId, Rejection, ShortText};

use super::world::{
    BANK, CREDITOR, CUSTODIAN, DEBTOR, RETAIL, World, account, corridor_terms, currency, key,
    sealing_key, text,
};

const NONCE: [u8; 32] = [0; 32];
const NOBODY: ParticipantId = ParticipantId(99);

fn admit(participant: ParticipantId, bic: &str, name: &str) -> Item {
    Item::Admit(Admit {
        nonce: NONCE,
        participant,
        country: "HK".parse::<Country>().expect("valid"),
        bic: text(bic),
        lei: ShortText::EMPTY,
        clearing_member: ShortText::EMPTY,
        name: text(name),
    })
}

fn add_key(participant: ParticipantId, kind: KeyKind, public_key: [u8; 32]) -> Item {
    Item::AddKey(AddKey { nonce: NONCE, participant, kind, public_key })
}

fn fees(version: u32, payee_account: AccountId, basis_points: u32) -> Item {
    let (payer, flat, amount_min, amount_max) = (FeePayer::DebtorAgent, 0, 0, 9);
    let fee = Fee { payer, payee_account, flat, basis_points, amount_min, amount_max };
    let fees = [fee].into_iter().collect();
    Item::SetFeeSchedule(SetFeeSchedule { nonce: NONCE, corridor: RETAIL, version, fees })
}

fn open(number: u64, owner: ParticipantId, code: &str) -> Item {
    Item::OpenAccount(OpenAccount {
        nonce: NONCE,
        account: AccountId(number),
        owner,
        currency: currency(code),
        standing_acceptance: false,
    })
}

fn cap(account: AccountId, net_debit_cap: u64, collateral: &str) -> Item {
    let collateral_reference = text(collateral);
    Item::SetCap(SetCap { nonce: NONCE, account, net_debit_cap, collateral_reference })
}

fn corridor(change: impl FnOnce(&mut ledger_proof::operator::SetCorridor)) -> Item {
    let mut terms = corridor_terms(RETAIL, "HKD", "PHP", false);
    terms.version = 2;
    change(&mut terms);
    Item::SetCorridor(terms)
}

fn cases() -> Vec<(Item, Option<Rejection>)> {
    let weak = [0; 32];
    let mut identity = [0; 32];
    identity[0] = 1;
    let fresh = |name: &str| key(name).verifying_key().to_bytes();
    let operator_hkd = account(ParticipantId::OPERATOR, "HKD");
    let suspend = Suspend { nonce: NONCE, participant: NOBODY, suspended: true };
    let retire = |participant, key| Item::RetireKey(RetireKey { nonce: NONCE, participant, key });
    let policy = |version| {
        Item::SetScreeningPolicy(SetScreeningPolicy { nonce: NONCE, version, digest: [1; 32] })
    };
    let op = |name: &str| key_id(KeyKind::Signing, &fresh(name));
    let sealing = sealing_key(ParticipantId(77));
    alloc::vec![
        (admit(ParticipantId::OPERATOR, "", "x"), Some(Rejection::ParticipantUnknown)),
        (admit(ParticipantId(12), "nonsense", "x"), Some(Rejection::AttributeInvalid)),
        (admit(ParticipantId(12), "CWSGSGS0", ""), Some(Rejection::AttributeInvalid)),
        (admit(ParticipantId(12), "CWSGSGS0", "Test Twelve"), None),
        (Item::Suspend(suspend), Some(Rejection::ParticipantUnknown)),
        (add_key(NOBODY, KeyKind::Signing, fresh("n")), Some(Rejection::ParticipantUnknown)),
        (add_key(DEBTOR, KeyKind::Signing, weak), Some(Rejection::KeyInvalid)),
        (add_key(DEBTOR, KeyKind::Signing, identity), Some(Rejection::KeyInvalid)),
        (add_key(DEBTOR, KeyKind::Signing, fresh("11")), Some(Rejection::KeyExists)),
        (add_key(DEBTOR, KeyKind::Signing, fresh("10b")), None),
        (add_key(DEBTOR, KeyKind::Signing, fresh("10c")), Some(Rejection::KeysTooMany)),
        (add_key(DEBTOR, KeyKind::Sealing, sealing_key(NOBODY)), None),
        (retire(CREDITOR, op("10")), Some(Rejection::KeyUnknown)),
        (retire(ParticipantId::OPERATOR, op("op-3")), None),
        (retire(ParticipantId::OPERATOR, op("op-2")), Some(Rejection::KeysTooFew)),
        (add_key(ParticipantId::OPERATOR, KeyKind::Sealing, sealing), None),
        (retire(ParticipantId::OPERATOR, key_id(KeyKind::Sealing, &sealing)), None),
        (open(5, NOBODY, "HKD"), Some(Rejection::ParticipantUnknown)),
        (open(5, DEBTOR, "EUR"), Some(Rejection::CurrencyUnknown)),
        (open(10_344, DEBTOR, "HKD"), Some(Rejection::AccountExists)),
        (open(5, DEBTOR, "HKD"), None),
        (cap(AccountId(6), 0, ""), Some(Rejection::AccountUnknown)),
        (cap(account(CUSTODIAN, "HKD"), 0, ""), Some(Rejection::AccountNotOwned)),
        (cap(AccountId(5), 1, ""), Some(Rejection::CollateralMissing)),
        (cap(AccountId(5), 1_000, "PLEDGE-1"), None),
        (
            corridor(|terms| terms.amount_min = terms.amount_max + 1),
            Some(Rejection::CorridorTermsInvalid)
        ),
        (corridor(|terms| terms.hold_micros = 0), Some(Rejection::CorridorTermsInvalid)),
        (
            corridor(|terms| terms.source_currency = currency("EUR")),
            Some(Rejection::CurrencyUnknown)
        ),
        (corridor(|terms| terms.regulator = NOBODY), Some(Rejection::ParticipantUnknown)),
        (
            corridor(|terms| terms.screening_policy_version = 7),
            Some(Rejection::ScreeningPolicyUnknown)
        ),
        (corridor(|terms| terms.version = 3), Some(Rejection::VersionNotNext)),
        (corridor(|_| {}), None),
        (fees(2, AccountId(6), 0), Some(Rejection::AccountUnknown)),
        (fees(2, account(BANK, "HKD"), 0), Some(Rejection::FeeTermsInvalid)),
        (fees(2, operator_hkd, 10_001), Some(Rejection::FeeTermsInvalid)),
        (fees(3, operator_hkd, 0), Some(Rejection::VersionNotNext)),
        (fees(2, operator_hkd, 0), None),
        (policy(1), Some(Rejection::VersionNotNext)),
        (policy(3), Some(Rejection::VersionNotNext)),
        (policy(2), None),
    ]
}

#[test]
fn each_rule_of_the_operator_has_its_refusal() {
    let mut world = World::new();
    for (item, rejection) in cases() {
        let outcome = world.send(ParticipantId::OPERATOR, item.clone());
        assert_eq!(outcome.rejection, rejection, "{item:?}");
    }
}

#[test]
fn a_cap_secured_by_collateral_can_be_used_and_not_cut_below_its_use() {
    let mut world = World::new();
    world.operate(cap(account(DEBTOR, "HKD"), 500_000, "PLEDGE-1"));
    world.check("withdraw W 1500001 | INSUFFICIENT_FUNDS\n withdraw W 1200000 | ok");
    let outcome =
        world.send(ParticipantId::OPERATOR, cap(account(DEBTOR, "HKD"), 199_999, "PLEDGE-1"));
    assert_eq!(outcome.rejection, Some(Rejection::CapBelowUse));
    world.operate(cap(account(DEBTOR, "HKD"), 200_000, "PLEDGE-1"));
}

#[test]
fn each_rule_of_a_funding_has_its_refusal() {
    let fund = |account, code: &str, amount, reference: &str| {
        let (value_date, bank_reference) = (20_261_123, text(reference));
        let currency = currency(code);
        let nonce = NONCE;
        Item::Fund(Fund { nonce, account, currency, amount, value_date, bank_reference })
    };
    let own = account(DEBTOR, "HKD");
    let mut world = World::new();
    for (author, item, rejection) in [
        (CUSTODIAN, fund(own, "HKD", 0, "A"), Some(Rejection::AmountZero)),
        (CUSTODIAN, fund(own, "EUR", 1, "A"), Some(Rejection::CurrencyUnknown)),
        (DEBTOR, fund(own, "HKD", 1, "A"), Some(Rejection::CustodianMismatch)),
        (CUSTODIAN, fund(AccountId(6), "HKD", 1, "A"), Some(Rejection::AccountUnknown)),
        (CUSTODIAN, fund(own, "PHP", 1, "A"), Some(Rejection::CurrencyMismatch)),
        (
            CUSTODIAN,
            fund(account(CUSTODIAN, "HKD"), "HKD", 1, "A"),
            Some(Rejection::AccountNotOwned),
        ),
        (CUSTODIAN, fund(own, "HKD", 1, "A"), None),
        (CUSTODIAN, fund(own, "HKD", 2, "A"), Some(Rejection::FundReferenceReused)),
    ] {
        let outcome = world.send(author, item.clone());
        assert_eq!(outcome.rejection, rejection, "{item:?}");
    }
    let again = world.send(CUSTODIAN, fund(own, "HKD", 1, "A"));
    assert!(again.first_sequence.is_some() && again.rejection.is_none());
    assert_eq!(world.balance(DEBTOR, "HKD"), (1_000_001, 0));
}

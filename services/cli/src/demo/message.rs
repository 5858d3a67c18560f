//! The demonstration's pacs.008: one order as an ISO 20022 message. It must never send it.

use services_iso20022::{
    Amount, Pacs008,
    pacs008::{
        Account, AccountIdentification, Agent, CodeOrProprietary, CreditTransfer, GroupHeader,
        OtherId, Party,
    },
};
use time::{OffsetDateTime, macros::format_description};

use super::scenario::Planned;

/// Writes the message of a planned transfer from Hong Kong to the Philippines.
pub(super) fn pacs008(planned: &Planned, uetr: &str) -> anyhow::Result<String> {
    let now = OffsetDateTime::now_utc();
    let second = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]+00:00");
    let party = |name: &str| Party { name: Some(name.to_owned()), ..Party::default() };
    let wallet = |number: &str| Account {
        identification: Some(AccountIdentification::Other(OtherId {
            id: Some(number.to_owned()),
            ..OtherId::default()
        })),
        ..Account::default()
    };
    let transfer = CreditTransfer {
        end_to_end_id: Some(format!("DEMO-{}", planned.number)),
        uetr: Some(uetr.to_owned()),
        interbank_settlement_amount: Some(Amount {
            currency: "PHP".to_owned(),
            value: planned.decimal(),
        }),
        charge_bearer: Some("SHAR".to_owned()),
        debtor: Some(party("Ada Testperson")),
        debtor_account: Some(wallet("+85290000001")),
        debtor_agent: Some(Agent::of_bic("CWWAHKH0")),
        creditor_agent: Some(Agent::of_bic("CWWAPHM0")),
        creditor: Some(party("Bea Testperson")),
        creditor_account: Some(wallet("+639000000001")),
        purpose: Some(CodeOrProprietary::Code("GIFT".to_owned())),
        ..CreditTransfer::default()
    };
    let message = Pacs008 {
        group_header: GroupHeader {
            message_id: Some(format!("DEMO-{}-{}", planned.number, now.unix_timestamp())),
            created_at: Some(now.format(second)?),
            number_of_transactions: Some("1".to_owned()),
            settlement_method: Some("CLRG".to_owned()),
            ..GroupHeader::default()
        },
        credit_transfers: vec![transfer],
    };
    Ok(message.write(None)?)
}

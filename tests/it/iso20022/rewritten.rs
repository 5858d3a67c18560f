//! Ten samples re-written to the demonstration's agents, accounts and currencies, the rest as
//! published: each must settle, be credited, and reach the creditor's gateway whole.
use std::{fs, path::Path};

use ledger_types::{Purpose, Uetr};
use serde_json::Value;
use services_iso20022::{
    Amount, AppHdr, Inbound,
    pacs008::{
        Account, AccountIdentification, Agent, CodeOrProprietary, CreditTransfer, Instruction,
        OtherId,
    },
    read,
};

use super::{World, XML};

/// One corridor of the demonstration with a customer at each end.
pub(super) struct Corridor {
    pub(super) debtor_gateway: &'static str,
    pub(super) creditor_gateway: &'static str,
    pub(super) debtor_agent: &'static str,
    pub(super) creditor_agent: &'static str,
    pub(super) debtor_account: &'static str,
    pub(super) creditor_account: &'static str,
    source_currency: &'static str,
    pub(super) currency: &'static str,
    /// A settlement amount in whole units, and what it costs at most.
    amounts: (u32, u32),
}

pub(super) const TO_PHILIPPINES: Corridor = Corridor {
    debtor_gateway: "HK",
    creditor_gateway: "PH",
    debtor_agent: "CWWAHKH0",
    creditor_agent: "CWWAPHM0",
    debtor_account: "+85290000001",
    creditor_account: "+639000000001",
    source_currency: "HKD",
    currency: "PHP",
    amounts: (4_200, 600),
};

const TO_PAKISTAN: Corridor = Corridor {
    debtor_gateway: "MY",
    creditor_gateway: "PK",
    debtor_agent: "CWWAMYK0",
    creditor_agent: "CWBAPKK0",
    debtor_account: "+60100000001",
    creditor_account: "PK36SCBL0000001123456702",
    source_currency: "MYR",
    currency: "PKR",
    amounts: (42_000, 700),
};

/// Why each: what it has that the others lack.
const TEN: [(&str, &Corridor, &str); 10] = [
    ("cbpr/y2026_pacs.008.max.xml", &TO_PHILIPPINES, "every element once, header, quote named"),
    ("cbpr/y2025_pacs.008.min.xml", &TO_PAKISTAN, "no more than must be, no accounts"),
    ("cbpr-tests/2025_CBPR+_p.8.1.1.a_pacs.008_CtoD_1.xml", &TO_PHILIPPINES, "INGA, comments"),
    (
        "cbpr-tests/2025_cbprplus_pacs008_sample_bic_mismatch.xml",
        &TO_PAKISTAN,
        "names and remittance information of 140 characters",
    ),
    (
        "cbpr-tests/2026_pacs008_credit_transfer_sample.xml",
        &TO_PHILIPPINES,
        "prefixed names, address of 70 and 35 characters",
    ),
    (
        "fedwire/CustomerCreditTransfer_Scenario4_Step1_pacs.008.xml",
        &TO_PHILIPPINES,
        "no header, tax remittance",
    ),
    (
        "fedwire/CustomerCreditTransfer_Variation2_pacs.008.xml",
        &TO_PAKISTAN,
        "remittance information sent apart",
    ),
    (
        "fedwire/CustomerCreditTransfer_Variation3_pacs.008.xml",
        &TO_PAKISTAN,
        "ultimate debtor, structured remittance",
    ),
    (
        "fedwire/CustomerCreditTransfer_Variation6_pacs.008.xml",
        &TO_PHILIPPINES,
        "purpose, intermediary, free remittance",
    ),
    ("prowide/pacs.008.001.07.xml", &TO_PHILIPPINES, "read as .07, written as .08; no UETR"),
];

pub(super) async fn ten_samples_settle(world: &World, folder: &Path) {
    let pool = sqlx::PgPool::connect(&world.running.database_url).await.unwrap();
    for (number, (file, corridor, why)) in (1..).zip(TEN) {
        let context = format!("{file} ({why})");
        let inbound = read(&fs::read(folder.join(file)).unwrap());
        let original = inbound.message.credit_transfers[0].clone();
        let quote = match number {
            1 => Some(quote(world, corridor, number).await),
            _ => None,
        };
        let (uetr, text) = rewritten(inbound, corridor, number, quote.as_deref());
        let answer = world.post(corridor.debtor_gateway, XML, text.clone(), None).await;
        let report = world.report(&answer, &context);
        let (status, reason) = report.verdict();
        assert!(["ACSP", "ACSC", "ACCC"].contains(&status), "{context}: {status} {reason}");
        assert_eq!(report.text("OrgnlUETR"), Some(&*uetr), "{context}");
        assert_eq!(report.0.find("AppHdr").is_some(), text.contains("<AppHdr "), "{context}");
        let seen = world.ended(corridor.debtor_gateway, &uetr).await;
        assert_eq!((&*seen.status, &seen.body["iso_status"]), ("CREDITED", &"ACCC".into()));
        assert!(seen.body["ledger_final_at"].is_string(), "{context}: {}", seen.body);
        let amount = &seen.body["interbank_settlement_amount"];
        assert_eq!(amount["amount"], *settlement(corridor, number), "{context}");
        if let Some(quote) = quote {
            assert_eq!(seen.body["quotes"][0], *quote, "{context}: the quote that was named");
        }
        arrived(&pool, corridor, &uetr, &original, &context).await;
        // The same message again is answered as its transfer stands now.
        let again = world.post(corridor.debtor_gateway, XML, text, None).await;
        assert_eq!(world.report(&again, &context).verdict(), ("ACCC", ""), "{context}");
    }
}

/// Two digits after the point, different each time.
fn settlement(corridor: &Corridor, number: u32) -> String {
    format!("{}.{number:02}", corridor.amounts.0 + number)
}

async fn quote(world: &World, corridor: &Corridor, number: u32) -> String {
    let asked = serde_json::json!({
        "creditor_agent": corridor.creditor_agent,
        "destination_amount":
            { "amount": settlement(corridor, number), "currency": corridor.currency },
        "other_currency": corridor.source_currency,
    });
    let wallet = world.wallet(corridor.debtor_gateway);
    let (status, quote) = wallet.quote(&format!("iso-{number}"), &asked).await.unwrap();
    assert_eq!(status.as_u16(), 201, "{quote}");
    quote["id"].as_str().unwrap().to_owned()
}

/// The message with the demonstration's agents, accounts, currencies and ids, else as it was.
fn rewritten(
    inbound: Inbound,
    corridor: &Corridor,
    number: u32,
    quote: Option<&str>,
) -> (String, String) {
    let Inbound { mut message, app_hdr, .. } = inbound;
    let message_id = format!("REWRITTEN-{number}");
    let header = &mut message.group_header;
    header.message_id = Some(message_id.clone());
    header.settlement_method = Some("CLRG".to_owned());
    (header.instructing_agent, header.instructed_agent) = (None, None);
    let transfer = &mut message.credit_transfers[0];
    let uetr = uetr(number);
    transfer.uetr = Some(uetr.clone());
    let amount = |currency: &str, value: String| Amount { currency: currency.to_owned(), value };
    let most = format!("{}.00", corridor.amounts.1);
    transfer.interbank_settlement_amount =
        Some(amount(corridor.currency, settlement(corridor, number)));
    transfer.instructed_amount =
        transfer.instructed_amount.as_ref().map(|_| amount(corridor.source_currency, most));
    // A rate of other currencies is no rate of these.
    transfer.exchange_rate = None;
    let (from, to) = (Agent::of_bic(corridor.debtor_agent), Agent::of_bic(corridor.creditor_agent));
    transfer.instructing_agent = transfer.instructing_agent.as_ref().map(|_| from.clone());
    transfer.instructed_agent = transfer.instructed_agent.as_ref().map(|_| to.clone());
    (transfer.debtor_agent, transfer.creditor_agent) = (Some(from), Some(to));
    transfer.intermediary_agents.clear();
    transfer.debtor_account = Some(account(corridor.debtor_account));
    transfer.creditor_account = Some(account(corridor.creditor_account));
    // Of the placeholders, the code that is none.
    let code = transfer.purpose.as_ref().map(|purpose| purpose.as_str().parse::<Purpose>());
    if code.is_some_and(|code| code.is_err()) {
        transfer.purpose = Some(CodeOrProprietary::Code("GIFT".to_owned()));
    }
    let named =
        quote.map(|quote| Instruction { code: None, information: Some(format!("/QUOTE/{quote}")) });
    transfer.instructions_for_next_agent.extend(named);
    let header = app_hdr.map(|header| AppHdr {
        from_bic: Some(corridor.debtor_agent.to_owned()),
        to_bic: Some(corridor.creditor_agent.to_owned()),
        business_message_id: Some(message_id),
        ..header
    });
    (uetr, message.write(header.as_ref()).unwrap())
}

/// A UETR of this process, so that none is used twice in one database.
pub(super) fn uetr(number: u32) -> String {
    let mut random = [0x15; 16];
    random[..4].copy_from_slice(&std::process::id().to_be_bytes());
    random[4..8].copy_from_slice(&number.to_be_bytes());
    Uetr::from_random(random).to_string()
}

pub(super) fn account(number: &str) -> Account {
    let identification = if number.starts_with('+') {
        let id = Some(number.to_owned());
        AccountIdentification::Other(OtherId { id, ..OtherId::default() })
    } else {
        AccountIdentification::Iban(number.to_owned())
    };
    Account { identification: Some(identification), ..Account::default() }
}

/// What the creditor's gateway opened of the sealed data is what the sample said.
async fn arrived(
    pool: &sqlx::PgPool,
    corridor: &Corridor,
    uetr: &str,
    original: &CreditTransfer,
    context: &str,
) {
    let schema = format!("gateway_{}", corridor.creditor_gateway.to_lowercase());
    let query = format!("SELECT personal::text FROM {schema}.party WHERE uetr::text = $1");
    let personal: String =
        sqlx::query_scalar(sqlx::AssertSqlSafe(query)).bind(uetr).fetch_one(pool).await.unwrap();
    let personal: Value = serde_json::from_str(&personal).unwrap();
    let parties = [
        ("originator", &original.debtor),
        ("beneficiary", &original.creditor),
        ("ultimate_debtor", &original.ultimate_debtor),
        ("initiating_party", &original.initiating_party),
        ("ultimate_creditor", &original.ultimate_creditor),
    ];
    for (role, party) in parties {
        let name = party.as_ref().and_then(|party| party.name.as_deref());
        assert_eq!(personal[role]["name"].as_str(), name, "{context}: {role}");
        let address = party.as_ref().and_then(|party| party.postal_address.as_ref());
        let lines = personal[role]["address"].to_string();
        let parts = address.into_iter().flat_map(|address| {
            let parts = [
                &address.department,
                &address.street_name,
                &address.building_number,
                &address.room,
                &address.post_code,
                &address.town_name,
                &address.district_name,
                &address.country_sub_division,
            ];
            parts.into_iter().flatten().chain(&address.address_lines)
        });
        for part in parts {
            assert!(lines.contains(part.as_str()), "{context}: {role}: {part}");
        }
    }
    let remittance = personal["remittance_information"].as_str().unwrap_or_default();
    assert_eq!(remittance, original.remittance_text(), "{context}");
    assert_eq!(personal["end_to_end_id"].as_str(), original.end_to_end_id.as_deref());
}

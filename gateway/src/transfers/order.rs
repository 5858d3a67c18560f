//! An order to transfer as a customer gives it, and its check field by field; it knows no corridor's rules.
use ledger_types::{
    Country, Iban, Money, ParticipantId, PayoutMethod, Purpose, StatusReason, Uetr,
};
use proto::convert::Network;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    directory::money,
    personal::{Person, Personal},
    problem::Problem,
    sealing::random,
    security::audit::Actor,
    store::keys::NewKey,
};

/// The longest remittance text: what several structured references of a pacs.008 come to, and still
/// little beside the 4 KiB that can be sealed.
const REMITTANCE_CHARS_MAX: usize = 1_024;

const UUID_LENGTH: usize = 36;

/// The most lines of an address (IVMS101).
pub const ADDRESS_LINES_MAX: usize = 7;
/// The longest line of an address (IVMS101).
pub const ADDRESS_LINE_CHARS_MAX: usize = 70;

/// An amount as REST takes and gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AmountBody {
    /// A plain decimal above 0, such as `500.00`: no sign, no zeros in front, at most the currency's
    /// decimals, 18 digits with them.
    #[schema(pattern = "^(0|[1-9][0-9]{0,17})(\\.[0-9]{1,8})?$")]
    pub amount: String,
    /// ISO 4217, one of this network's.
    #[schema(pattern = "^[A-Z]{3}$")]
    pub currency: String,
}

/// An order to transfer.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderBody {
    /// UUID version 4 in lower case; made here when absent.
    #[schema(pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")]
    pub uetr: Option<String>,
    /// The debtor's own reference, at most 35 characters.
    #[schema(max_length = 35, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    pub end_to_end_id: Option<String>,
    /// Network id or BIC of the institution that pays out.
    pub creditor_agent: String,
    /// A corridor's number; found by currencies and countries when absent.
    #[serde(default, deserialize_with = "crate::routes::body::whole")]
    #[schema(minimum = 0, maximum = 4_294_967_295_u32)]
    pub corridor: Option<u32>,
    /// A quote of this gateway; it quotes by itself when absent.
    #[schema(pattern = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]
    pub quote: Option<String>,
    /// What the debtor is debited before fees; with `interbank_settlement_amount`, the most with
    /// fees.
    pub instructed_amount: Option<AmountBody>,
    /// What the creditor agent gets, fixed.
    pub interbank_settlement_amount: Option<AmountBody>,
    /// `bank_account`, `wallet` or `cash_pickup`.
    #[schema(pattern = "^(bank_account|wallet|cash_pickup)$")]
    pub payout_method: String,
    /// ISO 20022 external purpose code.
    #[schema(pattern = "^[A-Z0-9]{4}$")]
    pub purpose: String,
    /// Who pays.
    pub debtor: Person,
    /// Who is paid.
    pub creditor: Person,
    /// For whom the debtor pays; screened as the debtor is.
    pub ultimate_debtor: Option<Person>,
    /// Who gave the order, if neither of the former.
    pub initiating_party: Option<Person>,
    /// For whom the creditor is paid.
    pub ultimate_creditor: Option<Person>,
    /// How they are related.
    #[schema(max_length = 70, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    pub relationship: Option<String>,
    /// Where the money comes from.
    #[schema(max_length = 70, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    pub source_of_funds: Option<String>,
    /// What the debtor tells the creditor, at most 1,024 characters.
    #[schema(max_length = 1024, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    pub remittance_information: Option<String>,
}

impl std::fmt::Debug for OrderBody {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("OrderBody").field("uetr", &self.uetr).finish_non_exhaustive()
    }
}

/// An order whose every field keeps its own rule.
#[derive(Clone, Debug)]
pub struct Order {
    /// The transfer's reference.
    pub uetr: Uetr,
    /// Who pays out.
    pub creditor_agent: ParticipantId,
    /// In which corridor, if the customer says.
    pub corridor: Option<u32>,
    /// Under which quote, if the customer says.
    pub quote: Option<Uuid>,
    /// What the debtor is debited, or the most.
    pub instructed: Option<Money>,
    /// What the creditor agent gets.
    pub settlement: Option<Money>,
    /// How.
    pub payout_method: PayoutMethod,
    /// Why.
    pub purpose: Purpose,
    /// Who and whom.
    pub personal: Personal,
    /// Who gave the order to this gateway; none is nobody that a second pair of eyes could differ
    /// from.
    pub maker: Option<Maker>,
    /// The Idempotency-Key under which it came, to be kept with what it comes to.
    pub key: Option<NewKey>,
    /// Whether the store was asked for its UETR when it came, and had none.
    pub fresh: bool,
}

/// Who gave an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maker {
    /// By which key.
    pub key: Uuid,
    /// The key's owner.
    pub owner: String,
}

impl Maker {
    /// The same for the audit log.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor { owner: self.owner.clone(), key: Some(self.key) }
    }
}

/// Checks every field.
///
/// # Errors
/// Names the first field that breaks its rule.
pub fn read(body: OrderBody, network: &Network) -> Result<Order, Problem> {
    let uetr = match &body.uetr {
        Some(text) => text.parse().map_err(|error| field("uetr", error))?,
        None => Uetr::from_random(random().map_err(|error| Problem::internal(&error))?),
    };
    let creditor_agent = agent(network, &body.creditor_agent)
        .ok_or_else(|| Problem::refused(ledger_types::Rejection::CreditorAgentUnknown).of(uetr))?;
    let quote = body.quote.as_deref().map(quote_id).transpose()?;
    let instructed = amount(network, "instructed_amount", body.instructed_amount.as_ref())?;
    let settlement = body.interbank_settlement_amount.as_ref();
    let settlement = amount(network, "interbank_settlement_amount", settlement)?;
    if instructed.is_none() && settlement.is_none() && quote.is_none() {
        let reason = "give it, or interbank_settlement_amount, or a quote";
        return Err(Problem::field("instructed_amount", reason));
    }
    let payout_method: PayoutMethod =
        body.payout_method.parse().map_err(|error| field("payout_method", error))?;
    let purpose = body
        .purpose
        .parse()
        .map_err(|error| field("purpose", error).because(StatusReason::known(b"FF07")))?;
    let personal = Personal {
        originator: body.debtor,
        beneficiary: body.creditor,
        ultimate_debtor: body.ultimate_debtor,
        initiating_party: body.initiating_party,
        ultimate_creditor: body.ultimate_creditor,
        relationship: body.relationship,
        source_of_funds: body.source_of_funds,
        remittance_information: body.remittance_information,
        end_to_end_id: body.end_to_end_id,
        pickup: None,
    };
    parties(&personal)?;
    Ok(Order {
        uetr,
        creditor_agent,
        corridor: body.corridor,
        quote,
        instructed,
        settlement,
        payout_method,
        purpose,
        personal,
        maker: None,
        key: None,
        fresh: false,
    })
}

/// Everybody's fields and what goes with them, as any gateway of the network may seal and open them.
///
/// # Errors
/// Names the first field that breaks its rule.
pub fn parties(personal: &Personal) -> Result<(), Problem> {
    person("debtor", &personal.originator)?;
    person("creditor", &personal.beneficiary)?;
    for (role, other) in [
        ("ultimate_debtor", &personal.ultimate_debtor),
        ("initiating_party", &personal.initiating_party),
        ("ultimate_creditor", &personal.ultimate_creditor),
    ] {
        other.as_ref().map_or(Ok(()), |other| person(role, other))?;
    }
    text("end_to_end_id", personal.end_to_end_id.as_deref(), 35)?;
    text("relationship", personal.relationship.as_deref(), 70)?;
    text("source_of_funds", personal.source_of_funds.as_deref(), 70)?;
    let remittance = personal.remittance_information.as_deref();
    text("remittance_information", remittance, REMITTANCE_CHARS_MAX)?;
    match &personal.pickup {
        Some(pickup) if !pickup.is_sound() => Err(Problem::field("pickup", "must be hexadecimal")),
        Some(_) | None => Ok(()),
    }
}

/// The hyphenated form alone: a UUID has others, which no quote of ours is shown in.
fn quote_id(text: &str) -> Result<Uuid, Problem> {
    let id = text.parse().ok().filter(|_| text.len() == UUID_LENGTH);
    id.ok_or_else(|| Problem::field("quote", "must be a UUID with hyphens"))
}

/// A participant by network id or BIC.
#[must_use]
pub fn agent(network: &Network, text: &str) -> Option<ParticipantId> {
    if let Ok(id) = text.parse::<ParticipantId>() {
        return network.participant(id).map(|participant| participant.id);
    }
    let bic: ledger_types::Bic = text.parse().ok()?;
    let same = |own: &str| own.parse::<ledger_types::Bic>().is_ok_and(|own| own == bic);
    network.participants.iter().find(|row| same(&row.bic)).map(|row| row.id)
}

fn amount(
    network: &Network,
    name: &str,
    body: Option<&AmountBody>,
) -> Result<Option<Money>, Problem> {
    body.map(|body| money(network, name, &body.amount, &body.currency)).transpose()
}

/// A person's fields: lengths of IVMS101, an account that claims to be an IBAN is one.
pub fn person(role: &str, person: &Person) -> Result<(), Problem> {
    let name = |part: &str| format!("{role}.{part}");
    text(&name("name"), Some(&person.name), 140)?;
    text(&name("account"), person.account.as_deref(), 34)?;
    if person.address.len() > ADDRESS_LINES_MAX {
        return Err(Problem::field(&name("address"), "must be at most 7 lines"));
    }
    for line in &person.address {
        text(&name("address"), Some(line), ADDRESS_LINE_CHARS_MAX)?;
    }
    text(&name("place_of_birth"), person.place_of_birth.as_deref(), 70)?;
    text(&name("national_identifier"), person.national_identifier.as_deref(), 35)?;
    text(&name("customer_identification"), person.customer_identification.as_deref(), 50)?;
    if let Some(country) = &person.country {
        country.parse::<Country>().map_err(|error| {
            Problem::field(&name("country"), error.reason).because(StatusReason::known(b"BE10"))
        })?;
    }
    if let Some(date) = &person.date_of_birth {
        let format = time::macros::format_description!("[year]-[month]-[day]");
        let date = if date.len() == "yyyy-mm-dd".len() { date } else { "" };
        time::Date::parse(date, format)
            .map_err(|_| Problem::field(&name("date_of_birth"), "must be yyyy-mm-dd"))?;
    }
    iban(&name("account"), person.account.as_deref())
}

/// Two letters and two digits in front claim an IBAN, whose check digits then must hold.
pub(crate) fn iban(field: &str, account: Option<&str>) -> Result<(), Problem> {
    let compact: Vec<u8> = account.unwrap_or("").bytes().filter(|byte| *byte != b' ').collect();
    let claims = match compact.as_slice() {
        [a, b, c, d, rest @ ..] => {
            [a, b].iter().all(|byte| byte.is_ascii_alphabetic())
                && [c, d].iter().all(|byte| byte.is_ascii_digit())
                && rest.len() >= 10
        }
        _ => false,
    };
    if !claims {
        return Ok(());
    }
    account
        .unwrap_or("")
        .parse::<Iban>()
        .map(|_| ())
        .map_err(|error| Problem::field(field, error.reason).because(StatusReason::known(b"AC01")))
}

pub(crate) fn text(name: &str, value: Option<&str>, length_max: usize) -> Result<(), Problem> {
    let Some(value) = value else { return Ok(()) };
    if value.chars().count() > length_max {
        return Err(Problem::field(name, &format!("must be at most {length_max} characters")));
    }
    if value.chars().any(char::is_control) {
        return Err(Problem::field(name, "must not hold control characters"));
    }
    Ok(())
}

fn field(name: &str, error: ledger_types::ParseError) -> Problem {
    Problem::field(name, error.reason)
}

//! Who pays whom, in IVMS101's fields: what is screened, sealed and kept in the party store; never logged, never in a URL.
use ledger_proof::operator::travel_field;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::pickup::Pickup;

/// A natural or legal person at either end, with the account that the money leaves or reaches.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Legal name.
    #[schema(max_length = 140, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    pub name: String,
    /// IBAN, account number, or phone number for a wallet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 34, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    pub account: Option<String>,
    /// Lines of the postal address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 7)]
    pub address: Vec<String>,
    /// Country of the address, ISO 3166-1 alpha-2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// As yyyy-mm-dd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = "date", pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    pub date_of_birth: Option<String>,
    /// Town of birth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 70, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    pub place_of_birth: Option<String>,
    /// Number of an identity document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 35, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    pub national_identifier: Option<String>,
    /// The customer number at the person's institution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 50, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    pub customer_identification: Option<String>,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Person(‹personal›)")
    }
}

/// The travel-rule payload of one transfer.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Personal {
    /// IVMS101 originator.
    pub originator: Person,
    /// IVMS101 beneficiary.
    pub beneficiary: Person,
    /// For whom the debtor pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ultimate_debtor: Option<Person>,
    /// Who gave the order, if neither of the former.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiating_party: Option<Person>,
    /// For whom the creditor is paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ultimate_creditor: Option<Person>,
    /// How they are related.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relationship: Option<String>,
    /// Where the money comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_of_funds: Option<String>,
    /// What the debtor tells the creditor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remittance_information: Option<String>,
    /// The debtor's own reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_to_end_id: Option<String>,
    /// What the creditor agent checks a cash pickup's code with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pickup: Option<Pickup>,
}

impl std::fmt::Debug for Personal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Personal(‹personal›)")
    }
}

impl Personal {
    /// The names to screen: of everybody who has a part in the payment.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let others = [&self.ultimate_debtor, &self.initiating_party, &self.ultimate_creditor];
        let others = others.into_iter().flatten();
        [&self.originator, &self.beneficiary]
            .into_iter()
            .chain(others)
            .map(|person| person.name.as_str())
            .collect()
    }

    /// The fields of the corridor's rule that are missing, by name.
    #[must_use]
    pub fn missing(&self, required: u32) -> Vec<&'static str> {
        let some = |value: &Option<String>| value.as_ref().is_some_and(|text| !text.is_empty());
        let (from, to) = (&self.originator, &self.beneficiary);
        let identified = some(&from.national_identifier) || some(&from.customer_identification);
        let born = some(&from.date_of_birth) && some(&from.place_of_birth);
        let rules = [
            (travel_field::DEBTOR_NAME, "debtor.name", !from.name.is_empty()),
            (travel_field::DEBTOR_ACCOUNT, "debtor.account", some(&from.account)),
            (travel_field::DEBTOR_ADDRESS, "debtor.address", !from.address.is_empty()),
            (travel_field::DEBTOR_BIRTH, "debtor.date_of_birth and place_of_birth", born),
            (travel_field::DEBTOR_IDENTIFICATION, "debtor.national_identifier", identified),
            (travel_field::CREDITOR_NAME, "creditor.name", !to.name.is_empty()),
            (travel_field::CREDITOR_ACCOUNT, "creditor.account", some(&to.account)),
            (travel_field::CREDITOR_ADDRESS, "creditor.address", !to.address.is_empty()),
            (travel_field::RELATIONSHIP, "relationship", some(&self.relationship)),
            (travel_field::SOURCE_OF_FUNDS, "source_of_funds", some(&self.source_of_funds)),
        ];
        let missing = rules.into_iter().filter(|(bit, _, given)| required & bit != 0 && !given);
        missing.map(|(_, name, _)| name).collect()
    }
}

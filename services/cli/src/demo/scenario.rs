//! Which transfers a demonstration sends: every end at least twice in forty. It sends nothing.

use serde_json::{Value, json};

/// What is meant to become of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Meant {
    Credited,
    CreditedByPacs008,
    Returned,
    Held,
    RefusedForFunds,
    ScreenedOut,
    Rejected,
    Expired,
    Cancelled,
}

impl Meant {
    /// For the table.
    #[must_use]
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Credited => "credited",
            Self::CreditedByPacs008 => "by pacs.008",
            Self::Returned => "returned",
            Self::Held => "held, accepted",
            Self::RefusedForFunds => "no funds",
            Self::ScreenedOut => "screened out",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One planned transfer.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    /// Its place.
    pub number: usize,
    /// What is meant to become of it.
    pub meant: Meant,
    /// From Hong Kong to the Philippines, else from Malaysia to Pakistan.
    pub hong_kong: bool,
}

/// The ends of each forty; the rest is credited.
const ENDS: [(usize, Meant); 16] = [
    (2, Meant::RefusedForFunds),
    (4, Meant::Expired),
    (5, Meant::Rejected),
    (7, Meant::Held),
    (9, Meant::Cancelled),
    (11, Meant::ScreenedOut),
    (13, Meant::CreditedByPacs008),
    (15, Meant::Returned),
    (18, Meant::ScreenedOut),
    (20, Meant::Held),
    (22, Meant::Returned),
    (24, Meant::CreditedByPacs008),
    (26, Meant::Expired),
    (28, Meant::Rejected),
    (30, Meant::Cancelled),
    (32, Meant::RefusedForFunds),
];

/// The plan of `count` transfers.
#[must_use]
pub(super) fn plan(count: usize) -> Vec<Planned> {
    (0..count)
        .map(|number| {
            let end = ENDS.iter().find(|(at, _)| *at == number % 40);
            let meant = end.map_or(Meant::Credited, |(_, meant)| *meant);
            // Returns and messages go where their scripts are written for.
            let fixed = matches!(meant, Meant::Returned | Meant::CreditedByPacs008);
            Planned { number, meant, hong_kong: fixed || number % 2 == 0 }
        })
        .collect()
}

impl Planned {
    /// The order's settlement amount in minor units: ordinary ones differ, scripted ones are the
    /// amounts that the creditor's gateway answers in its own way.
    #[must_use]
    pub(super) fn amount(&self) -> u64 {
        let unit = if self.hong_kong { 1 } else { 10 };
        let script = match self.meant {
            Meant::Held => 11,
            Meant::Rejected => 22,
            Meant::Expired | Meant::Cancelled => 33,
            Meant::Credited
            | Meant::CreditedByPacs008
            | Meant::Returned
            | Meant::RefusedForFunds
            | Meant::ScreenedOut => {
                let step = u64::try_from(self.number % 40).unwrap_or(0);
                return (400_100 + step * 100) * unit;
            }
        };
        400_000 * unit + script
    }

    /// The settlement amount as a decimal with two digits.
    #[must_use]
    pub(super) fn decimal(&self) -> String {
        format!("{}.{:02}", self.amount() / 100, self.amount() % 100)
    }

    /// The order as the wallet sends it.
    #[must_use]
    pub(super) fn order(&self, uetr: &str) -> Value {
        let poor = self.meant == Meant::RefusedForFunds;
        let creditor_name =
            if self.meant == Meant::ScreenedOut { "Silas Harrowgate" } else { "Bea Testperson" };
        let (agent, currency, debtor, creditor, method) = if self.hong_kong {
            let debtor = if poor { "+85290000003" } else { "+85290000001" };
            ("102", "PHP", debtor, "+639000000001", "wallet")
        } else {
            let debtor = if poor { "+60100000003" } else { "+60100000001" };
            ("104", "PKR", debtor, "PK36SCBL0000001123456702", "bank_account")
        };
        json!({
            "uetr": uetr,
            "end_to_end_id": format!("DEMO-{}", self.number),
            "creditor_agent": agent,
            "interbank_settlement_amount": { "amount": self.decimal(), "currency": currency },
            "payout_method": method,
            "purpose": "GIFT",
            "debtor": { "name": "Ada Testperson", "account": debtor },
            "creditor": { "name": creditor_name, "account": creditor },
            "relationship": "family",
            "source_of_funds": "salary",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Meant, plan};

    #[test]
    fn forty_transfers_meet_every_end_twice() {
        let planned = plan(40);
        for meant in [
            Meant::Credited,
            Meant::CreditedByPacs008,
            Meant::Returned,
            Meant::Held,
            Meant::RefusedForFunds,
            Meant::ScreenedOut,
            Meant::Rejected,
            Meant::Expired,
            Meant::Cancelled,
        ] {
            let count = planned.iter().filter(|row| row.meant == meant).count();
            assert!(count >= 2, "{meant:?} {count}");
        }
        assert_eq!(plan(200).len(), 200);
    }
}

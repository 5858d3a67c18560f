//! From elements of camt.052, camt.053 and camt.054 of any version to the model of statements; it
//! must never know where in a message an element stands beyond the path it is given.

use super::{
    Account, BankTransactionCode, Batch, Charge, Charges, Code, CreditDebit, Detail, Exchange,
    Finding, Money, Page, Parties, References, Sum, Summary, Total, money,
};
use crate::{amount::Decimal, shape, xml::Element};

/// Where findings go, and where the element that is read stands.
pub(super) struct Place<'a> {
    pub(super) at: &'a str,
    pub(super) findings: &'a mut Vec<Finding>,
}

impl Place<'_> {
    fn find(&mut self, code: Code, below: &str) {
        self.findings.push(Finding::new(code, format!("{}/{below}", self.at)));
    }

    /// An amount with its currency; nothing, and no finding, if it can't be read.
    pub(super) fn money(&mut self, element: Option<&Element>, below: &str) -> Option<Money> {
        let element = element?;
        let currency = element.attribute("Ccy")?.trim();
        let value: Decimal = element.text.parse().ok()?;
        self.checked_money(currency, value, below)
    }

    fn checked_money(&mut self, currency: &str, value: Decimal, below: &str) -> Option<Money> {
        let three = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase());
        if !three || value.scale > 18 {
            return None;
        }
        let money = Money { currency: currency.to_owned(), value };
        if !money::listed(currency) {
            self.find(Code::CurrencyUnknown, &format!("{below}/@Ccy"));
        } else if money.too_fine() {
            self.find(Code::AmountDecimals, below);
        }
        Some(money)
    }

    /// An amount that the reader can do without: absent is fine, unreadable is found.
    fn detail_money(&mut self, element: Option<&Element>, below: &str) -> Option<Money> {
        let money = self.money(element, below);
        if element.is_some() && money.is_none() {
            self.find(Code::DetailUnreadable, below);
        }
        money
    }

    /// The text of a choice of `Dt` and `DtTm`, if it is a date or a time.
    pub(super) fn date(&mut self, parent: &Element, name: &str) -> Option<String> {
        let element = parent.child(name)?;
        let text = element.text_at(&["Dt"]).or_else(|| element.text_at(&["DtTm"]));
        let text = text.or_else(|| element.text_at(&[]))?;
        if shape::date(&text) || shape::date_time(&text) {
            return Some(text);
        }
        self.find(Code::DateUnreadable, name);
        None
    }

    /// A sequence or page number.
    pub(super) fn number(&mut self, text: Option<String>, below: &str) -> Option<u64> {
        let text = text?;
        // Number is a decimal without fraction, and its XSD lets `1000.00` pass for one.
        let value: Option<Decimal> = text.parse().ok();
        let number = value.filter(|value| value.scale == 0).map(|value| value.digits);
        if number.is_none() {
            self.find(Code::FieldMalformed, below);
        }
        number
    }

    pub(super) fn page(&mut self, element: &Element) -> Option<Page> {
        let number = self.number(element.text_at(&["PgNb"]), &format!("{}/PgNb", element.name))?;
        let last = element.text_at(&["LastPgInd"]);
        Some(Page { number, last: last.as_deref().is_none_or(truth) })
    }

    pub(super) fn detail(&mut self, element: &Element) -> Detail {
        let amounts = element.child("AmtDtls");
        let stated =
            |name| amounts.and_then(|all| all.child(name)).and_then(|one| one.child("Amt"));
        let amount = element.child("Amt").or_else(|| stated("TxAmt"));
        let structured = element.child("RmtInf").into_iter();
        let structured = structured.flat_map(|information| information.children_named("Strd"));
        Detail {
            references: element.child("Refs").map(references).unwrap_or_default(),
            amount: self.detail_money(amount, "Amt"),
            credit_debit: element.text_at(&["CdtDbtInd"]).as_deref().and_then(CreditDebit::of),
            instructed_amount: self.detail_money(stated("InstdAmt"), "AmtDtls/InstdAmt/Amt"),
            exchange: exchange(element),
            charges: self.charges(element),
            bank_transaction_code: bank_transaction_code(element),
            parties: parties(element),
            purpose: code(element.child("Purp")),
            remittance_information: element
                .child("RmtInf")
                .map(|information| texts(information, "Ustrd"))
                .unwrap_or_default(),
            creditor_references: structured
                .filter_map(|one| {
                    let reference = one.child("CdtrRefInf")?;
                    reference.text_at(&["Ref"]).or_else(|| reference.text_at(&["CdtrRef"]))
                })
                .collect(),
            return_reason: element.child("RtrInf").and_then(|reason| code(reason.child("Rsn"))),
            additional_information: element.text_at(&["AddtlTxInf"]),
        }
    }

    /// `Chrgs`: records of their own since version 04, one element each before.
    pub(super) fn charges(&mut self, parent: &Element) -> Charges {
        let mut charges = Charges::default();
        for element in parent.children_named("Chrgs") {
            let total =
                self.detail_money(element.child("TtlChrgsAndTaxAmt"), "Chrgs/TtlChrgsAndTaxAmt");
            charges.total = charges.total.or(total);
            let records = element.children_named("Rcrd");
            for record in records.chain(element.child("Amt").map(|_| element)) {
                if let Some(amount) = self.detail_money(record.child("Amt"), "Chrgs/Amt") {
                    let side = record.text_at(&["CdtDbtInd"]);
                    charges.records.push(Charge {
                        amount,
                        credit_debit: side.as_deref().and_then(CreditDebit::of),
                        included: record.text_at(&["ChrgInclInd"]).as_deref().map(truth),
                    });
                }
            }
        }
        charges
    }

    pub(super) fn batch(&mut self, element: &Element) -> Batch {
        let number = element.text_at(&["NbOfTxs"]);
        Batch {
            message_id: element.text_at(&["MsgId"]),
            payment_information_id: element.text_at(&["PmtInfId"]),
            number_of_transactions: self.number(number, "Btch/NbOfTxs"),
            total: self.detail_money(element.child("TtlAmt"), "Btch/TtlAmt"),
            credit_debit: element.text_at(&["CdtDbtInd"]).as_deref().and_then(CreditDebit::of),
            listed: 0,
            listed_sum: Some(Sum::ZERO),
        }
    }

    /// `TxsSummry`: entries, credits and debits. Totals by transaction code are not read.
    pub(super) fn summary(&mut self, element: &Element) -> Summary {
        let mut total = |name: &str| {
            let Some(one) = element.child(name) else { return Total::default() };
            let number = self.number(one.text_at(&["NbOfNtries"]), &format!("{name}/NbOfNtries"));
            let sum = one.text_at(&["Sum"]).map(|text| self.decimal(&text, &format!("{name}/Sum")));
            Total { number, sum: sum.flatten() }
        };
        let (entries, credits, debits) =
            (total("TtlNtries"), total("TtlCdtNtries"), total("TtlDbtNtries"));
        let all = element.child("TtlNtries");
        let net = all.and_then(|all| {
            // One element since version 04, two beside the others before.
            let new = all.child("TtlNetNtry");
            let amount =
                new.map_or_else(|| all.text_at(&["TtlNetNtryAmt"]), |n| n.text_at(&["Amt"]));
            let side = new.unwrap_or(all).text_at(&["CdtDbtInd"]);
            let value = self.decimal(&amount?, "TtlNtries/TtlNetNtry")?;
            let side = CreditDebit::of(&side?)?;
            Some(if side == CreditDebit::Credit { value } else { value.negated() })
        });
        Summary { entries, credits, debits, net }
    }

    fn decimal(&mut self, text: &str, below: &str) -> Option<Sum> {
        let (sign, unsigned) = match text.trim().strip_prefix('-') {
            Some(rest) => (CreditDebit::Debit, rest),
            None => (CreditDebit::Credit, text),
        };
        let value: Option<Decimal> = unsigned.parse().ok();
        if value.is_none() {
            self.find(Code::FieldMalformed, below);
        }
        value.map(|value| Sum::signed(value, sign))
    }
}

/// `Acct`, whose identification was named otherwise in version 01.
pub(super) fn account(element: &Element) -> Account {
    Account {
        id: account_id(Some(element)),
        currency: element.text_at(&["Ccy"]),
        name: element.text_at(&["Nm"]),
        owner: element.child("Ownr").and_then(party),
        servicer: element.child("Svcr").and_then(agent),
    }
}

fn account_id(element: Option<&Element>) -> Option<String> {
    let paths: [&[&str]; 6] = [
        &["Id", "IBAN"],
        &["Id", "Othr", "Id"],
        &["Id", "BBAN"],
        &["Id", "UPIC"],
        &["Id", "PrtryAcct", "Id"],
        &["Prxy", "Id"],
    ];
    paths.iter().find_map(|path| element?.text_at(path))
}

/// A BIC, the member's id of a clearing system, an LEI, a name or another id, in this order.
fn agent(element: &Element) -> Option<String> {
    let institution = element.child("FinInstnId").unwrap_or(element);
    let paths: [&[&str]; 8] = [
        &["BICFI"],
        &["BIC"],
        &["CmbndId", "BIC"],
        &["ClrSysMmbId", "MmbId"],
        &["LEI"],
        &["Nm"],
        &["NmAndAdr", "Nm"],
        &["Othr", "Id"],
    ];
    paths.iter().find_map(|path| institution.text_at(path))
}

fn party(element: &Element) -> Option<String> {
    let own = element.child("Pty").unwrap_or(element);
    let name = own.text_at(&["Nm"]).or_else(|| own.text_at(&["Id", "OrgId", "AnyBIC"]));
    name.or_else(|| own.text_at(&["Id", "OrgId", "BICOrBEI"]))
        .or_else(|| element.child("Agt").and_then(agent))
}

fn parties(element: &Element) -> Parties {
    let related = |name| element.at(&["RltdPties", name]);
    let institution = |name| element.at(&["RltdAgts", name]).and_then(agent);
    Parties {
        debtor: related("Dbtr").and_then(party),
        debtor_account: account_id(related("DbtrAcct")),
        debtor_agent: institution("DbtrAgt").or_else(|| institution("InstgAgt")),
        ultimate_debtor: related("UltmtDbtr").and_then(party),
        creditor: related("Cdtr").and_then(party),
        creditor_account: account_id(related("CdtrAcct")),
        creditor_agent: institution("CdtrAgt").or_else(|| institution("InstdAgt")),
        ultimate_creditor: related("UltmtCdtr").and_then(party),
    }
}

fn references(element: &Element) -> References {
    let text = |name| element.text_at(&[name]);
    let own = element.children_named("Prtry").filter_map(|one| {
        let reference = one.text_at(&["Ref"])?;
        Some((one.text_at(&["Tp"]).unwrap_or_default(), reference))
    });
    References {
        message_id: text("MsgId"),
        servicer_reference: text("AcctSvcrRef"),
        payment_information_id: text("PmtInfId"),
        instruction_id: text("InstrId"),
        end_to_end_id: text("EndToEndId"),
        uetr: text("UETR"),
        transaction_id: text("TxId"),
        mandate_id: text("MndtId"),
        cheque_number: text("ChqNb"),
        clearing_system_reference: text("ClrSysRef"),
        proprietary: own.collect(),
    }
}

pub(super) fn bank_transaction_code(parent: &Element) -> BankTransactionCode {
    let text = |path: &[&str]| parent.child("BkTxCd").and_then(|code| code.text_at(path));
    BankTransactionCode {
        domain: text(&["Domn", "Cd"]),
        family: text(&["Domn", "Fmly", "Cd"]),
        sub_family: text(&["Domn", "Fmly", "SubFmlyCd"]),
        proprietary: text(&["Prtry", "Cd"]),
        issuer: text(&["Prtry", "Issr"]),
    }
}

/// The first exchange that the amounts name.
pub(super) fn exchange(parent: &Element) -> Option<Exchange> {
    let amounts = parent.child("AmtDtls")?;
    let found = amounts.children.iter().find_map(|amount| amount.child("CcyXchg"))?;
    Some(Exchange {
        source_currency: found.text_at(&["SrcCcy"]),
        target_currency: found.text_at(&["TrgtCcy"]),
        unit_currency: found.text_at(&["UnitCcy"]),
        rate: found.text_at(&["XchgRate"]),
    })
}

/// A choice of `Cd` and `Prtry`, or the text itself as in early versions.
pub(super) fn code(element: Option<&Element>) -> Option<String> {
    let element = element?;
    let code = element.text_at(&["Cd"]).or_else(|| element.text_at(&["Prtry"]));
    code.or_else(|| element.text_at(&[]))
}

pub(super) fn truth(text: impl AsRef<str>) -> bool {
    matches!(text.as_ref().trim(), "true" | "1")
}

fn texts(element: &Element, name: &str) -> Vec<String> {
    element.children_named(name).map(|one| one.text.trim().to_owned()).collect()
}

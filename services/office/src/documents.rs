//! What a closed day hands out: a statement and a notification for each account, and what the custodian is to move. It
//! must never compute a balance; XML is written by `services_iso20022`.

use services_iso20022::{
    Amount,
    camt053::{self, Camt053, Statement, Summary},
    camt054::{BankTransactionCode, Camt054, Entry, Notification, Transaction},
    pacs008::{
        Account, AccountIdentification, Agent, CodeOrProprietary, GroupHeader, OtherId, Party,
    },
    pacs009::{CreditTransfer, Pacs009},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    day::{Books, Leg, Move, Sum},
    error::Error,
};

/// Entries of one message: more would exceed what readers take at once.
const ENTRIES_MAX: usize = 400;
const REBALANCING: &str = "rebalancing.csv";
const PAY_OUT: &str = "pacs.009-surplus.xml";

/// A file for one participant, or for the custodian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pub participant: u32,
    pub name: String,
    pub text: String,
}

/// How a day's documents are called, before they are written.
#[must_use]
pub fn names(books: &Books, moves: &[Move]) -> Vec<String> {
    let mut all = Vec::new();
    for (account, own) in books.accounts.iter().filter(|(_, own)| !own.custody) {
        let touches = |sum: &&Sum| [sum.debit_account, sum.credit_account].contains(account);
        let legs: usize = books.sums.iter().filter(touches).map(|sum| sum.legs).sum();
        let pages = legs.div_ceil(ENTRIES_MAX);
        all.extend((1..=pages.max(1)).map(|page| paper_name("053", (own.owner, *account), page)));
        all.extend((1..=pages).map(|page| paper_name("054", (own.owner, *account), page)));
    }
    all.extend((!moves.is_empty()).then(|| REBALANCING.to_owned()));
    all.extend(moves.iter().any(|own| own.out).then(|| PAY_OUT.to_owned()));
    all
}

fn paper_name(message: &str, (owner, account): (u32, u64), page: usize) -> String {
    format!("camt.{message}-{owner}-{account}-{page}.xml")
}

/// Writes all of a day's documents: [`names`] says how they are called.
///
/// # Errors
/// [`Error::Document`] when a name or code does not fit the XSD.
pub fn documents(
    books: &Books,
    legs: &[Leg],
    moves: &[Move],
    now: OffsetDateTime,
) -> Result<Vec<Document>, Error> {
    let mut all = Vec::new();
    for (account, own) in books.accounts.iter().filter(|(_, own)| !own.custody) {
        let legs: Vec<&Leg> = legs
            .iter()
            .filter(|leg| [leg.debit_account, leg.credit_account].contains(account))
            .collect();
        let paper = Paper { books, account: *account, owner: own.owner, now: time(now) };
        all.extend(paper.statements(&legs)?);
        all.extend(paper.notifications(&legs)?);
    }
    if !moves.is_empty() {
        let text = table(books, moves);
        all.push(Document { participant: books.custodian, name: REBALANCING.to_owned(), text });
    }
    if moves.iter().any(|own| own.out) {
        all.push(pay_out(books, moves, now)?);
    }
    Ok(all)
}

struct Paper<'a> {
    books: &'a Books,
    account: u64,
    owner: u32,
    now: String,
}

impl Paper<'_> {
    fn day(&self) -> String {
        self.books.day.map(|day| day.to_string()).unwrap_or_default()
    }

    /// Short, and no two of a currency are alike.
    fn id(&self, page: usize) -> String {
        let day = self.day().replace('-', "");
        format!("{}-{day}-{}-{page}", self.books.currency, self.account).chars().take(35).collect()
    }

    fn amount(&self, units: u64) -> Amount {
        Amount::from_minor_units(&self.books.currency, units, self.books.exponent)
    }

    fn statements(&self, legs: &[&Leg]) -> Result<Vec<Document>, Error> {
        let own = self.books.accounts.get(&self.account).cloned().unwrap_or_default();
        let pages = legs.len().div_ceil(ENTRIES_MAX).max(1);
        let mut all = Vec::new();
        for page in 1..=pages {
            let entries = legs.iter().skip((page - 1) * ENTRIES_MAX).take(ENTRIES_MAX);
            let message = Camt053 {
                message_id: self.id(page),
                created_at: self.now.clone(),
                statement: Statement {
                    id: self.id(0),
                    page: (pages > 1)
                        .then(|| (u32::try_from(page).unwrap_or(u32::MAX), page == pages)),
                    sequence: Some(self.books.number),
                    from: format!("{}T00:00:00", self.day()),
                    to: format!("{}T23:59:59", self.day()),
                    account: self.account(),
                    owner: Some(self.party()),
                    servicer: Some(agent(self.books, self.books.custodian)),
                    balances: vec![
                        self.balance("OPBD", own.opening),
                        self.balance("CLBD", own.closing),
                    ],
                    summary: Some(self.summary(legs)),
                    entries: entries.map(|leg| self.entry(leg)).collect(),
                },
            };
            let text = message.write(None).map_err(wrong)?;
            let name = paper_name("053", (self.owner, self.account), page);
            all.push(Document { participant: self.owner, name, text });
        }
        Ok(all)
    }

    fn notifications(&self, legs: &[&Leg]) -> Result<Vec<Document>, Error> {
        let mut all = Vec::new();
        for (page, legs) in (1_usize..).zip(legs.chunks(ENTRIES_MAX)) {
            let message = Camt054 {
                message_id: Some(self.id(page)),
                created_at: Some(self.now.clone()),
                notifications: vec![Notification {
                    id: Some(self.id(page)),
                    created_at: Some(self.now.clone()),
                    account: self.account(),
                    owner: Some(self.party()),
                    servicer: Some(agent(self.books, self.books.custodian)),
                    entries: legs.iter().map(|leg| self.entry(leg)).collect(),
                }],
            };
            let text = message.write(None).map_err(wrong)?;
            let name = paper_name("054", (self.owner, self.account), page);
            all.push(Document { participant: self.owner, name, text });
        }
        Ok(all)
    }

    fn account(&self) -> Account {
        named(self.books, self.account)
    }

    fn party(&self) -> Party {
        Party { name: Some(name(self.books, self.owner)), ..Party::default() }
    }

    fn balance(&self, kind: &str, units: i128) -> camt053::Balance {
        let size = u64::try_from(units.unsigned_abs()).unwrap_or(u64::MAX);
        camt053::Balance {
            kind: kind.to_owned(),
            amount: self.amount(size),
            credit_debit: side(units >= 0),
            date: self.day(),
        }
    }

    /// Totals of the whole statement, on every page of it.
    fn summary(&self, legs: &[&Leg]) -> Summary {
        let sum = |credit: bool| {
            let own = legs.iter().filter(|leg| (leg.credit_account == self.account) == credit);
            let (count, units) = own.fold((0, 0_i128), |(count, units), leg| {
                (count + 1, units + i128::from(leg.amount))
            });
            (count, self.books.text(units))
        };
        Summary { credits: sum(true), debits: sum(false) }
    }

    fn entry(&self, leg: &Leg) -> Entry {
        let credit = leg.credit_account == self.account;
        let amount = Some(self.amount(leg.amount));
        let credit_debit = Some(side(credit));
        let other = if credit { leg.debit_account } else { leg.credit_account };
        let other = self.books.accounts.get(&other).map(|own| agent(self.books, own.owner));
        let own = Some(agent(self.books, self.owner));
        let (debtor_agent, creditor_agent) = if credit { (other, own) } else { (own, other) };
        let reference = format!("{}-{}", leg.record, leg.leg);
        Entry {
            reference: Some(reference.clone()),
            amount: amount.clone(),
            credit_debit: credit_debit.clone(),
            reversal: None,
            status: Some(CodeOrProprietary::Code("BOOK".to_owned())),
            booked_at: Some(self.day()),
            value_date: Some(self.day()),
            servicer_reference: Some(reference.clone()),
            bank_transaction_code: Some(transaction_code(leg.kind, credit)),
            transactions: vec![Transaction {
                servicer_reference: Some(reference),
                uetr: leg.uetr.map(|uetr| uetr.to_string()),
                amount,
                credit_debit,
                debtor_agent,
                creditor_agent,
                ..Transaction::default()
            }],
        }
    }
}

/// ExternalBankTransactionDomain1Code: cross-border transfers, fees, and cash moved between accounts.
fn transaction_code(kind: i16, credit: bool) -> BankTransactionCode {
    let (domain, family, sub_family) = match (kind, credit) {
        (1, true) => ("PMNT", "RCDT", "XBCT"),
        (1, false) => ("PMNT", "ICDT", "XBCT"),
        (2 | 3, true) => ("PMNT", "MCOP", "COMM"),
        (2 | 3, false) => ("PMNT", "MDOP", "COMM"),
        (_, true) => ("ACMT", "MCOP", "OTHR"),
        (_, false) => ("ACMT", "MDOP", "OTHR"),
    };
    let code = |text: &str| Some(text.to_owned());
    BankTransactionCode { domain: code(domain), family: code(family), sub_family: code(sub_family) }
}

fn side(credit: bool) -> String {
    if credit { "CRDT" } else { "DBIT" }.to_owned()
}

fn wrong(error: services_iso20022::pacs008::WriteError) -> Error {
    Error::Document(error.to_string())
}

fn time(at: OffsetDateTime) -> String {
    let seconds = at.replace_nanosecond(0).unwrap_or(at);
    seconds.format(&Rfc3339).unwrap_or_default()
}

fn name(books: &Books, participant: u32) -> String {
    let own = books.participants.get(&participant).map(|own| own.name.clone());
    let own = own.filter(|name| !name.is_empty());
    own.unwrap_or_else(|| format!("Participant {participant}")).chars().take(140).collect()
}

fn agent(books: &Books, participant: u32) -> Agent {
    let own = books.participants.get(&participant).cloned().unwrap_or_default();
    let some = |text: String| (!text.is_empty()).then_some(text);
    Agent {
        bic: some(own.bic),
        lei: some(own.lei),
        name: Some(name(books, participant)),
        ..Agent::default()
    }
}

/// An account as statements name it: an IBAN where it is one, else by another number.
fn named(books: &Books, account: u64) -> Account {
    let id = books.names.get(&account).cloned().unwrap_or_else(|| account.to_string());
    let iban = id.parse::<ledger_types::Iban>().is_ok();
    let identification = if iban {
        AccountIdentification::Iban(id)
    } else {
        let id = Some(id.chars().take(34).collect());
        AccountIdentification::Other(OtherId { id, ..OtherId::default() })
    };
    Account {
        identification: Some(identification),
        currency: Some(books.currency.clone()),
        ..Account::default()
    }
}

fn table(books: &Books, moves: &[Move]) -> String {
    let mut text = String::from("day,currency,direction,participant,account,amount\n");
    for own in moves {
        let day = books.day.map(|day| day.to_string()).unwrap_or_default();
        let direction = if own.out { "out" } else { "called" };
        let amount = books.text(i128::from(own.amount));
        let (currency, owner, account) = (&books.currency, own.owner, own.account);
        text.push_str(&format!("{day},{currency},{direction},{owner},{account},{amount}\n"));
    }
    text
}

/// Surpluses to be paid out, as one instruction to the custodian.
fn pay_out(books: &Books, moves: &[Move], now: OffsetDateTime) -> Result<Document, Error> {
    let day = books.day.map(|day| day.to_string()).unwrap_or_default();
    let short = day.replace('-', "");
    let custody = books.accounts.iter().find(|(_, own)| own.custody).map(|(account, _)| *account);
    let mut transfers = Vec::new();
    for (number, own) in (1_u32..).zip(moves.iter().filter(|own| own.out)) {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| Error::Document("no randomness".to_owned()))?;
        transfers.push(CreditTransfer {
            instruction_id: format!("{}-{short}-OUT-{number}", books.currency),
            end_to_end_id: format!("{}-{short}-OUT-{number}", books.currency),
            uetr: ledger_types::Uetr::from_random(random).to_string(),
            amount: Amount::from_minor_units(&books.currency, own.amount, books.exponent),
            interbank_settlement_date: day.clone(),
            debtor: agent(books, books.custodian),
            debtor_account: custody.map(|account| named(books, account)),
            creditor_agent: None,
            creditor: agent(books, own.owner),
            creditor_account: Some(named(books, own.account)),
            remittance_information: Some(format!("Surplus of account {}", own.account)),
        });
    }
    let message = Pacs009 {
        group_header: GroupHeader {
            message_id: Some(format!("{}-{short}-OUT", books.currency)),
            created_at: Some(time(now)),
            settlement_method: Some("INDA".to_owned()),
            ..GroupHeader::default()
        },
        credit_transfers: transfers,
    };
    let text = message.write(None).map_err(wrong)?;
    Ok(Document { participant: books.custodian, name: PAY_OUT.to_owned(), text })
}

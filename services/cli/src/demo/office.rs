//! A back office on a running network: accounts, statements made of the ledger's own rows with differences planted, breaks
//! worked by two people, days closed. The demonstration and the tests share it. It must never judge: the office does.

pub mod day;
mod paper;

use anyhow::Context as _;
use ledger_proof::{Field as _, Item};
use ledger_types::{Currency, ParticipantId};
use services_office::{
    Actor, Error, Office,
    breaks::Resolution,
    bridge::Leg,
    correction::{Kind, Proposal},
    store::{BreakFilter, BreakRow, Close, DayRow, NewAccount},
};
use time::{Date, OffsetDateTime};

pub use paper::{Line, camt053};

use super::network::Running;
use crate::network::plan;

/// What a custodian's statement says of nobody's money, minor units.
const STRANGER: i64 = 7_700;
/// By how much a statement's amount differs, minor units.
const DIFFERENCE: i64 = 55;
/// Principal is more than this, fees are less; minor units.
const PRINCIPAL: i64 = 10_000;

/// Two people who work breaks: what one proposes, the other judges.
#[derive(Clone, Debug)]
pub struct Pair {
    pub first: Actor,
    pub second: Actor,
}

/// The books of one currency at an office: its custodian's, and one participant's.
#[derive(Debug)]
pub struct Books {
    pub office: Office,
    pub currency: Currency,
    /// The day of every statement.
    pub day: Date,
    /// The office's accounts.
    pub custody: i64,
    pub member: i64,
    /// The participant's account on the ledger.
    pub member_account: u64,
    custodian: ParticipantId,
    /// They keep accounts, and work what the custodian told.
    pub network: Pair,
    /// They work what the participant's bank told.
    pub own: Pair,
}

/// What a statement left out, and where it closed.
#[derive(Clone, Debug)]
pub struct Told {
    /// The entry that comes late.
    pub late: Option<Line>,
    /// Minor units.
    pub closing: i64,
    /// The causes of the breaks that it must make.
    pub planted: Vec<&'static str>,
}

impl Books {
    /// Keeps the accounts of a currency: the custody account, and a participant's.
    pub async fn open(
        running: &Running,
        office: &Office,
        (currency, day): (&str, Date),
        member: ParticipantId,
        (network, own): (Pair, Pair),
    ) -> anyhow::Result<Self> {
        let genesis = &running.folder.genesis;
        let currency: Currency = currency.parse()?;
        let row = genesis.currencies.iter().find(|row| row.currency == currency);
        let row = row.with_context(|| format!("the network has no {currency}"))?;
        let member_account = plan::account(member, currency).0;
        let word = currency.to_string();
        let (custody, nostro) = (name(&word, Leg::Custodian), name(&word, Leg::Participant));
        let custody =
            NewAccount::of(&custody, &word, Leg::Custodian, row.custodian.0, row.custody_account.0);
        let nostro = NewAccount::of(&nostro, &word, Leg::Participant, member.0, member_account);
        Ok(Self {
            office: office.clone(),
            currency,
            day,
            custody: office.account_put(&network.first, &custody, now()).await?,
            member: office.account_put(&network.first, &nostro, now()).await?,
            member_account,
            custodian: row.custodian,
            network,
            own,
        })
    }

    fn currency(&self) -> String {
        self.currency.to_string()
    }

    /// The ledger's movements of an account as a statement would tell them.
    pub async fn lines(&self, account: i64) -> anyhow::Result<Vec<Line>> {
        let rows = self.office.ledger_movements(&self.network.first, account).await?;
        let line = |row: services_office::store::MovementRow| {
            let units = i64::try_from(row.amount).context("an amount is out of range")?;
            let amount = if row.credit_debit == "CRDT" { units } else { -units };
            let reference = row.servicer_reference.unwrap_or_default();
            let uetr = row.uetr.map(|uetr| uetr.to_string());
            Ok(Line { uetr, ..Line::new(amount, row.value_date, &reference) })
        };
        rows.into_iter().map(line).collect()
    }

    /// A statement of the day, taken in by the office; gives its closing balance.
    pub async fn take(
        &self,
        leg: Leg,
        number: u64,
        opening: i64,
        lines: &[Line],
    ) -> anyhow::Result<i64> {
        let account = name(&self.currency(), leg);
        let text = camt053((&account, &self.currency()), number, self.day, opening, lines)?;
        let file = format!("{account}-{number}.xml");
        let actor = &self.network.first;
        let taken =
            self.office.statement_import(actor, &file, text.into_bytes(), None, now()).await?;
        anyhow::ensure!(taken.verdict == "ok", "{file}: {:?}", taken.findings);
        Ok(opening + lines.iter().map(|line| line.amount).sum::<i64>())
    }

    /// The custodian tells all but its first funding, and one that the ledger lacks.
    pub async fn custodian_tells(&self) -> anyhow::Result<Told> {
        let mut lines = self.lines(self.custody).await?;
        anyhow::ensure!(!lines.is_empty(), "{}: the ledger has no funding", self.currency);
        let late = lines.remove(0);
        lines.push(Line::new(STRANGER, self.day, &format!("COUNTER-{}", self.currency)));
        let closing = self.take(Leg::Custodian, 1, 0, &lines).await?;
        let planted = vec!["MISSING_IN_LEDGER", "MISSING_IN_STATEMENT"];
        Ok(Told { late: Some(late), closing, planted })
    }

    /// The member's bank tells a transfer with another amount, and another twice, where there are two.
    pub async fn member_tells(&self) -> anyhow::Result<Told> {
        let mut lines = self.lines(self.member).await?;
        let principal = |line: &Line| line.uetr.is_some() && line.amount.abs() > PRINCIPAL;
        let mut principals = (0..lines.len()).filter(|at| principal(&lines[*at]));
        let (other, twice) = (principals.next(), principals.next());
        let mut planted = Vec::new();
        if let Some(line) = other.and_then(|at| lines.get_mut(at)) {
            line.amount -= DIFFERENCE;
            planted.push("AMOUNT_DIFFERS");
        }
        if let Some(line) = twice.and_then(|at| lines.get(at).cloned()) {
            lines.push(line);
            planted.push("DUPLICATED");
        }
        let closing = self.take(Leg::Participant, 1, 0, &lines).await?;
        Ok(Told { late: None, closing, planted })
    }

    /// A second statement of the day tells what the first left out.
    pub async fn late_comes(&self, leg: Leg, told: &Told, late: Line) -> anyhow::Result<i64> {
        self.take(leg, 2, told.closing, &[late]).await
    }

    /// The currency's breaks that are not closed.
    pub async fn breaks(&self) -> anyhow::Result<Vec<BreakRow>> {
        let filter = BreakFilter { currency: Some(self.currency()), ..BreakFilter::default() };
        Ok(self.office.break_list(&self.network.first, &filter).await?)
    }

    /// Who works a break.
    fn pair(&self, own: &BreakRow) -> &Pair {
        if own.leg == Leg::Custodian.as_str() { &self.network } else { &self.own }
    }

    /// A funding that the ledger lacks is signed by the custodian as it was drafted, and the break closes itself.
    pub async fn correct(&self, running: &Running, own: &BreakRow) -> anyhow::Result<i64> {
        let (office, Pair { first, second }) = (&self.office, self.pair(own));
        let proposal = Proposal { account: Some(self.member_account), ..Proposal::default() };
        let note = (&proposal, "paid in at the counter");
        let drafted =
            office.break_propose(first, (own.id, own.version), Kind::Fund, note, now()).await?;
        office.break_approve(second, (own.id, own.version + 1), now()).await?;
        let item = drafted.item.context("a funding was drafted without an item")?;
        let item = Item::from_bytes(&item).ok().context("a drafted item is unreadable")?;
        running.folder.submit(&running.operator, self.custodian, &[item]).await?;
        running.reconciled().await?;
        let record = office.correction_record(first, drafted.correction, None, now()).await?;
        office.round(None, now()).await?;
        Ok(record)
    }

    /// A break that the other book's keeper will correct: proposed, approved by another person, closed.
    pub async fn settle(&self, own: &BreakRow) -> anyhow::Result<()> {
        let (office, Pair { first, second }) = (&self.office, self.pair(own));
        let note = (&Proposal::default(), "the bank corrects it tomorrow");
        office.break_propose(first, (own.id, own.version), Kind::AskServicer, note, now()).await?;
        office.break_approve(second, (own.id, own.version + 1), now()).await?;
        let closed = Resolution::Corrected;
        Ok(office.break_close(first, (own.id, own.version + 2), closed, now()).await?)
    }

    /// The day up to one record; absent: the last before the cut-off.
    #[must_use]
    pub fn close(&self, up_to: Option<i64>) -> Close {
        Close { currency: self.currency(), day: self.day, up_to }
    }

    /// Closes the day.
    ///
    /// # Errors
    /// What keeps it open.
    pub async fn day_close(&self, up_to: Option<i64>) -> Result<DayRow, Error> {
        self.office.day_close(&self.network.first, &self.close(up_to), now()).await
    }
}

/// How statements name an account.
fn name(currency: &str, leg: Leg) -> String {
    let kind = match leg {
        Leg::Custodian => "CUSTODY",
        Leg::Participant => "NOSTRO",
        Leg::Journal => "JOURNAL",
    };
    format!("{currency}-{kind}")
}

fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

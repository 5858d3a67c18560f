//! How statements hang together: one follows another, pages make one, and none is taken twice. Pure
//! functions of heads and of what the caller remembers; it must never keep a memory of its own.

use services_iso20022::statement::{Balance, Code, Finding, Kind, Page};

use crate::judge::Statement;

/// What is remembered of a statement so that the next one can be hung on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub account: String,
    pub currency: String,
    /// `ElctrncSeqNb`, or `LglSeqNb`, or the first part of field 28C.
    pub sequence: Option<u64>,
    pub page: Option<Page>,
    pub opening: Option<Balance>,
    pub closing: Option<Balance>,
}

impl Link {
    #[must_use]
    pub fn of(statement: &Statement) -> Self {
        Self {
            account: statement.head.account.id.clone().unwrap_or_default(),
            currency: statement.currency.clone().unwrap_or_default(),
            sequence: statement.head.sequence(),
            page: statement.head.page,
            opening: statement.opening.clone(),
            closing: statement.closing.clone(),
        }
    }

    fn last_page(&self) -> bool {
        self.page.is_none_or(|page| page.last)
    }

    fn first_page(&self) -> bool {
        self.page.is_none_or(|page| page.number <= 1)
    }
}

/// Whether `next` follows `former` without a gap: the opening balance is the former closing one, and
/// the sequence number one more. A number that starts again at 1 is a new year's, if the date says so
/// or is not known. The next page of one statement has its number again.
#[must_use]
pub fn follows(former: &Link, next: &Link, at: &str) -> Vec<Finding> {
    if former.account != next.account || former.currency != next.currency {
        return vec![Finding::new(Code::ChainAccountDiffers, at)];
    }
    let page = next_page(former, next);
    let mut findings = Vec::new();
    if !page {
        if !(former.last_page() && next.first_page()) {
            findings.push(Finding::new(Code::PageMissing, at));
        }
        findings.extend(sequence(former, next, at));
    }
    // Pages may state the balances of the whole again.
    let again = page && former.opening == next.opening;
    if let (Some(closing), Some(opening)) = (&former.closing, &next.opening)
        && !again
        && closing.signed() != opening.signed()
    {
        let text = |balance: &Balance| balance.signed().text(&balance.amount.currency);
        let words = format!("closed with {}, opens with {}", text(closing), text(opening));
        findings.push(Finding::with(Code::ChainBroken, at, words));
    }
    findings
}

fn next_page(former: &Link, next: &Link) -> bool {
    let numbers = former.page.zip(next.page).map(|(former, next)| (former.number, next.number));
    former.sequence == next.sequence
        && numbers.is_some_and(|(old, new)| Some(new) == old.checked_add(1))
}

fn sequence(former: &Link, next: &Link, at: &str) -> Option<Finding> {
    let (old, new) = former.sequence.zip(next.sequence)?;
    if new == old {
        return Some(Finding::new(Code::SequenceRepeated, at));
    }
    if Some(new) == old.checked_add(1) || new == 1 && another_year(former, next) {
        return None;
    }
    Some(Finding::with(Code::SequenceGap, at, format!("{new} follows {old}")))
}

fn another_year(former: &Link, next: &Link) -> bool {
    let year = |link: &Link| {
        let date = link.closing.as_ref().or(link.opening.as_ref())?.date.as_deref()?;
        date.get(..4).map(str::to_owned)
    };
    year(former).zip(year(next)).is_none_or(|(old, new)| old < new)
}

/// By what a statement is known again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// SHA-256 of the file, hexadecimal.
    File(String),
    /// Account, kind, id, sequence number and page; without a number, when it was created.
    Statement {
        account: String,
        kind: Kind,
        id: String,
        sequence: Option<u64>,
        page: Option<u64>,
        created_at: Option<String>,
    },
    /// SHA-256 of account, period, balances and entries, hexadecimal.
    Content(String),
}

/// The keys to remember once a file is taken: the file's own, then each statement's.
#[must_use]
pub fn keys(file: &str, statements: &[Statement]) -> Vec<Key> {
    let own = statements.iter().flat_map(|one| [identity(one), content(one)]);
    [Some(Key::File(file.to_owned()))].into_iter().chain(own).flatten().collect()
}

/// Whether a file, or a statement of it, was taken before; `known` is the caller's memory.
#[must_use]
pub fn duplicates(
    file: &str,
    statements: &[Statement],
    known: &dyn Fn(&Key) -> bool,
) -> Vec<Finding> {
    if known(&Key::File(file.to_owned())) {
        return vec![Finding::new(Code::DuplicateFile, "")];
    }
    let mut findings = Vec::new();
    for statement in statements {
        let at = statement.path();
        if identity(statement).is_some_and(|key| known(&key)) {
            findings.push(Finding::new(Code::DuplicateStatement, at));
        } else if content(statement).is_some_and(|key| known(&key)) {
            findings.push(Finding::new(Code::DuplicateContent, at));
        }
    }
    findings
}

/// Nothing if the statement has no id.
#[must_use]
pub fn identity(statement: &Statement) -> Option<Key> {
    let head = &statement.head;
    let sequence = head.sequence();
    // Reports reuse ids such as IDAY; without a number only their time tells them apart.
    let created_at = head.created_at.clone().filter(|_| sequence.is_none());
    Some(Key::Statement {
        account: head.account.id.clone()?,
        kind: head.kind,
        id: head.id.clone()?,
        sequence,
        page: head.page.map(|page| page.number),
        created_at,
    })
}

/// Only what ties balances to entries is known by its content: two notifications of the same amount
/// may be two payments, and two days without entries are alike.
fn content(statement: &Statement) -> Option<Key> {
    let whole = statement.head.kind == Kind::Statement && statement.totals.entries > 0;
    let tied = statement.opening.is_some() && statement.closing.is_some();
    (whole && tied).then(|| Key::Content(statement.content.clone()))
}

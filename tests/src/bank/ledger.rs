//! The small bank's books: accounts, and a journal of what was asked and said, written before it is said. An operation with a key is done once, one without as often as it is asked.
use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A customer's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub currency: String,
    /// `open`, `closed`, or `frozen`: checked as good, and refused when it is to be credited.
    pub status: String,
    /// Minor units.
    pub balance: i64,
    /// Of it set aside.
    pub reserved: i64,
    /// Whose it is, and what leads to it.
    pub name: String,
    pub aliases: Vec<String>,
}

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub asked: Value,
    pub said: Value,
}

impl Line {
    fn key(&self) -> Option<&str> {
        self.asked["key"].as_str()
    }

    /// Whether it was done.
    #[must_use]
    pub fn done(&self) -> bool {
        self.said["status"] == "done"
    }

    /// A word of what was asked.
    #[must_use]
    pub fn word(&self, name: &str) -> &str {
        self.asked[name].as_str().unwrap_or_default()
    }
}

/// The books.
#[derive(Debug)]
pub struct Ledger {
    opening: BTreeMap<String, Account>,
    accounts: BTreeMap<String, Account>,
    lines: Vec<Line>,
    journal: PathBuf,
    file: Option<File>,
}

impl Ledger {
    /// Opens the books.
    ///
    /// # Errors
    /// When the journal is unreadable.
    pub fn open(journal: &Path, opening: BTreeMap<String, Account>) -> anyhow::Result<Self> {
        let accounts = opening.clone();
        let journal = journal.to_owned();
        let mut ledger = Self { opening, accounts, lines: Vec::new(), journal, file: None };
        ledger.reopen()?;
        Ok(ledger)
    }

    /// Forgets everything but the journal, and goes on from it.
    ///
    /// # Errors
    /// When the journal is unreadable.
    pub fn reopen(&mut self) -> anyhow::Result<()> {
        let mut options = File::options();
        let file = options.create(true).append(true).read(true).open(&self.journal)?;
        self.accounts = self.opening.clone();
        self.lines = Vec::new();
        for line in BufReader::new(&file).lines() {
            let line: Line = serde_json::from_str(&line?).context("the bank's journal")?;
            if line.done() {
                self.apply(&line.asked);
            }
            self.lines.push(line);
        }
        self.file = Some(file);
        Ok(())
    }

    /// An account as it stands.
    #[must_use]
    pub fn account(&self, name: &str) -> Option<&Account> {
        self.accounts.get(name)
    }

    /// Every account as it stands.
    #[must_use]
    pub const fn accounts(&self) -> &BTreeMap<String, Account> {
        &self.accounts
    }

    /// What was done of an operation.
    pub fn done(&self, operation: &str) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.done() && line.word("operation") == operation)
    }

    /// What was said about a key.
    #[must_use]
    pub fn said(&self, key: &str) -> Option<Value> {
        self.line(key).map(|line| line.said.clone())
    }

    fn line(&self, key: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.key() == Some(key))
    }

    /// Does what is asked, or says why not; HTTP status and body.
    pub fn perform(&mut self, asked: &Value) -> (u16, Value) {
        if let Some(line) = asked["key"].as_str().and_then(|key| self.line(key)) {
            if line.asked != *asked {
                return (409, json!({ "error": "the key is another operation's" }));
            }
            return (200, line.said.clone());
        }
        if asked["operation"] == "identify" {
            return (200, self.identify(asked));
        }
        let said = match self.judge(asked) {
            Ok(()) => json!({ "key": asked["key"], "status": "done" }),
            Err(Some(reason)) => {
                json!({ "key": asked["key"], "status": "refused", "reason": reason })
            }
            Err(None) => return (409, json!({ "error": "no such reservation" })),
        };
        if asked["operation"] == "check" {
            return (200, said);
        }
        let line = Line { asked: asked.clone(), said: said.clone() };
        if self.write(&line).is_err() {
            return (500, json!({ "error": "the journal cannot be written" }));
        }
        if line.done() {
            self.apply(asked);
        }
        self.lines.push(line);
        (200, said)
    }

    /// Whose account it is; changes nothing and stands in no journal.
    fn identify(&self, asked: &Value) -> Value {
        let word = |name: &str| asked[name].as_str();
        let own = |name: &String, account: &Account| {
            let alias = word("phone").or(word("email"));
            word("account") == Some(name)
                || account.aliases.iter().any(|own| Some(own.as_str()) == alias)
        };
        let key = &asked["key"];
        match self.accounts.iter().find(|(name, account)| own(name, account)) {
            Some((name, account)) if account.status == "open" => {
                json!({ "key": key, "status": "done", "account": name, "name": account.name })
            }
            Some(_) => json!({ "key": key, "status": "refused", "reason": "AC04" }),
            None => json!({ "key": key, "status": "refused", "reason": "AC01" }),
        }
    }

    fn write(&mut self, line: &Line) -> anyhow::Result<()> {
        let file = self.file.as_mut().context("the books are closed")?;
        file.write_all(format!("{}\n", serde_json::to_string(line)?).as_bytes())?;
        Ok(file.sync_data()?)
    }

    /// An ISO reason against it; none where it makes no sense at all.
    fn judge(&self, asked: &Value) -> Result<(), Option<&'static str>> {
        let word = |name: &str| asked[name].as_str().unwrap_or_default();
        if matches!(word("operation"), "capture" | "release") {
            let line = self.line(word("reservation")).filter(|line| line.done());
            let ended = self
                .lines
                .iter()
                .any(|line| line.done() && line.asked["reservation"] == asked["reservation"]);
            return line.filter(|_| !ended).map(|_| ()).ok_or(None);
        }
        let account = self.accounts.get(word("account")).ok_or(Some("AC01"))?;
        let crediting = word("operation") == "credit";
        match account.status.as_str() {
            "closed" => return Err(Some("AC04")),
            "frozen" if crediting => return Err(Some("AC06")),
            _ if account.currency != word("currency") => return Err(Some("AC11")),
            _ => {}
        }
        let short = account.balance - account.reserved < amount(asked);
        if word("operation") == "reserve" && short { Err(Some("AM04")) } else { Ok(()) }
    }

    fn apply(&mut self, asked: &Value) {
        let operation = asked["operation"].as_str().unwrap_or_default();
        let of = match operation {
            "capture" | "release" => {
                let key = asked["reservation"].as_str().unwrap_or_default();
                self.line(key).map_or(Value::Null, |line| line.asked.clone())
            }
            _ => asked.clone(),
        };
        let name = of["account"].as_str().unwrap_or_default();
        let Some(account) = self.accounts.get_mut(name) else { return };
        match operation {
            "reserve" => account.reserved += amount(&of),
            "release" => account.reserved -= amount(&of),
            "capture" => {
                account.reserved -= amount(&of);
                account.balance -= amount(&of);
            }
            "credit" => account.balance += amount(&of),
            _ => {}
        }
    }
}

/// Minor units of what is asked.
#[must_use]
pub fn amount(asked: &Value) -> i64 {
    asked["amount_minor_units"].as_str().and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Account, Ledger};

    #[test]
    fn a_key_makes_once_of_twice_and_the_journal_outlives_the_bank() {
        let folder = tempfile::tempdir().unwrap();
        let account = Account {
            currency: "PHP".to_owned(),
            status: "open".to_owned(),
            balance: 0,
            reserved: 0,
            name: String::new(),
            aliases: vec![],
        };
        let opening = [("a".to_owned(), account)].into_iter().collect();
        let mut ledger = Ledger::open(&folder.path().join("journal"), opening).unwrap();
        let mut credit = json!({
            "operation": "credit", "account": "a", "currency": "PHP", "amount_minor_units": "5",
        });
        ledger.perform(&credit);
        ledger.perform(&credit);
        assert_eq!(ledger.account("a").unwrap().balance, 10, "twice without a key");
        credit["key"] = json!("k");
        assert_eq!(ledger.perform(&credit), ledger.perform(&credit));
        assert_eq!(ledger.account("a").unwrap().balance, 15, "once with a key");
        ledger.reopen().unwrap();
        assert_eq!(ledger.account("a").unwrap().balance, 15);
        assert_eq!(ledger.perform(&credit).0, 200);
        credit["amount_minor_units"] = json!("6");
        assert_eq!(ledger.perform(&credit).0, 409, "the same key, another operation");
    }
}

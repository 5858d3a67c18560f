//! The tables that fit into memory, as the records make them: text by key, to be compared cell by cell.
use std::collections::BTreeMap;

use ledger_types::RecallAnswer;

use super::Replay;
use crate::{
    record::{Content, Record},
    sweep::table::Table,
};

const SUSPENDED: usize = 5;
const NAMES: usize = 5;

/// The entries that end among the records.
pub(super) fn entries(records: &[Record]) -> Table {
    let mut table = Table::small("entries");
    for record in records {
        let Content::Entry(entry) = &record.content else { continue };
        let cells = vec![
            entry.first_sequence.to_string(),
            entry.last_sequence.to_string(),
            record.at.micros().to_string(),
            hex::encode(entry.accounts_digest),
        ];
        table.rows.insert(entry.entry.to_string(), cells);
    }
    table
}

impl Replay {
    /// Takes participants as the record before left them.
    pub(super) fn take_participants(&mut self) {
        let changes = &mut self.book.changes;
        for row in std::mem::take(&mut changes.participants) {
            let names = vec![
                row.country.to_string(),
                row.bic.as_str().to_owned(),
                row.lei.as_str().to_owned(),
                row.clearing_member.as_str().to_owned(),
                row.name.as_str().to_owned(),
            ];
            let cells = self.participants.entry(row.participant).or_insert_with(|| {
                let mut cells = vec![String::new(); NAMES];
                cells.push(false.to_string());
                cells
            });
            cells[..NAMES].clone_from_slice(&names);
        }
        for (participant, suspended) in std::mem::take(&mut changes.suspensions) {
            if let Some(cells) = self.participants.get_mut(&participant) {
                cells[SUSPENDED] = suspended.to_string();
            }
        }
        self.caps.append(&mut changes.caps);
    }

    /// Every table that is compared whole.
    pub(super) fn small(&self) -> Vec<Table> {
        let mut tables = vec![self.currencies(), self.accounts(), self.balances(), self.recalls()];
        let mut participants = Table::small("participants");
        let rows = self.participants.iter();
        participants.rows.extend(rows.map(|(id, cells)| (id.0.to_string(), cells.clone())));
        let mut cursor = Table::small("cursor");
        let network = self.book.changes.network.map(hex::encode).unwrap_or_default();
        cursor.rows.insert("true".to_owned(), vec![network]);
        tables.extend([participants, cursor]);
        tables
    }

    fn currencies(&self) -> Table {
        let mut table = Table::small("currencies");
        for row in self.book.changes.genesis.iter().flat_map(|genesis| &genesis.currencies) {
            let cells = vec![
                row.exponent.to_string(),
                row.custodian.0.to_string(),
                row.custody_account.to_string(),
            ];
            table.rows.insert(row.currency.to_string(), cells);
        }
        table
    }

    fn accounts(&self) -> Table {
        let mut table = Table::small("accounts");
        for (account, row) in &self.book.changes.accounts {
            let cells = vec![
                row.owner.0.to_string(),
                row.currency.to_string(),
                row.custody.to_string(),
                row.standing_acceptance.to_string(),
                self.caps.get(account).copied().unwrap_or_default().to_string(),
            ];
            table.rows.insert(account.to_string(), cells);
        }
        table
    }

    fn balances(&self) -> Table {
        let mut table = Table::small("balances");
        for account in self.book.changes.accounts.keys() {
            let row = self.balances.get(account).copied().unwrap_or_default();
            let amounts =
                [row.debits_pending, row.debits_posted, row.credits_pending, row.credits_posted];
            table.rows.insert(account.to_string(), amounts.map(|sum| sum.to_string()).to_vec());
        }
        table
    }

    fn recalls(&self) -> Table {
        let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let key = |debtor_agent: u32, case: &[u8]| format!("{debtor_agent} {}", hex::encode(case));
        for row in &self.book.changes.recalls {
            let cells = vec![
                hex::encode(row.uetr.bytes()),
                row.creditor_agent.0.to_string(),
                row.reason.to_string(),
                row.amount.to_string(),
                row.currency.to_string(),
                row.sequence.to_string(),
                row.at.micros().to_string(),
                row.answer_by.micros().to_string(),
                "0".to_owned(),
                String::new(),
                "0".to_owned(),
                "0".to_owned(),
                String::new(),
            ];
            rows.insert(key(row.debtor_agent.0, &row.case.0), cells);
        }
        for row in &self.book.changes.recall_answers {
            let item = &row.item;
            let Some(cells) = rows.get_mut(&key(item.debtor_agent.0, &item.case.0)) else {
                continue;
            };
            if item.answer == RecallAnswer::Pending {
                cells[7] = item.promised_at.micros().to_string();
            }
            let returned = item.returns.first().map(|uetr| hex::encode(uetr.bytes()));
            cells[8] = item.answer.code().to_string();
            cells[9] = item.reason.to_string();
            cells[10] = row.sequence.to_string();
            cells[11] = row.at.micros().to_string();
            cells[12] = returned.unwrap_or_default();
        }
        Table { rows, ..Table::small("recalls") }
    }
}

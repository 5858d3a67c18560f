//! What the office answers, as tables for people. It must never leave out what JSON says of an amount.

use serde_json::{Value, json};
use services_office::{
    edit::Preview,
    pull::Pulled,
    store::{AccountRow, BreakRow, DayRow, Imported, JournalRow, RefusedRow, StatementRow},
};
use time::OffsetDateTime;

use crate::out;

pub(super) fn account(row: &AccountRow) -> Value {
    let own = &row.own;
    json!({
        "account": row.account,
        "identification": own.identification,
        "currency": own.currency,
        "leg": own.leg.as_str(),
        "participant": own.participant,
        "ledger_account": own.ledger_account.to_string(),
        "compared": own.compared,
        "value_date_days": own.value_date_days,
        "search_days": own.search_days,
        "charges_max": own.charges_max.to_string(),
    })
}

pub(super) fn accounts(rows: &[AccountRow]) -> String {
    let mut table = out::table();
    table.set_header([
        "account",
        "identification",
        "currency",
        "leg",
        "participant",
        "ledger account",
    ]);
    for row in rows {
        let own = &row.own;
        table.add_row([
            row.account.to_string(),
            own.identification.clone(),
            own.currency.clone(),
            own.leg.as_str().to_owned(),
            own.participant.to_string(),
            own.ledger_account.to_string(),
        ]);
    }
    table.to_string()
}

pub(super) fn pulled(files: &[Pulled]) -> String {
    let mut table = out::table();
    table.set_header(["server", "file", "bytes", ""]);
    for file in files {
        let became = file.became.as_str().replace('_', " ");
        table.add_row([&file.server, &file.name, &file.bytes.to_string(), &became]);
    }
    table.to_string()
}

pub(super) fn imported(own: &Imported) -> String {
    let place = own.file.map(|file| format!(" as file {file}")).unwrap_or_default();
    let mut lines = vec![format!(
        "{}: {}{place}, {} statements, {} entries",
        own.name,
        own.verdict,
        own.statements.len(),
        own.entries
    )];
    let word = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    lines.extend(own.findings.iter().map(|one| {
        format!(
            "  {} {} {}: {}",
            word(one, "severity"),
            word(one, "code"),
            word(one, "at"),
            word(one, "text")
        )
    }));
    lines.join("\n")
}

pub(super) fn statements(rows: &[StatementRow]) -> String {
    let mut table = out::table();
    table.set_header([
        "statement",
        "account",
        "currency",
        "kind",
        "id",
        "day",
        "opening",
        "closing",
        "entries",
        "verdict",
    ]);
    for row in rows {
        let some = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        table.add_row([
            row.statement.to_string(),
            row.identification.clone(),
            row.currency.clone(),
            row.kind.clone(),
            row.id.clone(),
            some(&row.to_day),
            some(&row.opening),
            some(&row.closing),
            row.entries.to_string(),
            row.verdict.clone(),
        ]);
    }
    table.to_string()
}

pub(super) fn refused(rows: &[RefusedRow]) -> String {
    let mut table = out::table();
    table.set_header(["refused", "name", "bytes", "at", "first finding"]);
    for row in rows {
        let first = row.findings[0]["code"].as_str().unwrap_or_default().to_owned();
        let at = row.refused_at.date().to_string();
        table.add_row([row.refused.to_string(), row.name.clone(), row.size.to_string(), at, first]);
    }
    table.to_string()
}

pub(super) fn journals(rows: &[JournalRow]) -> String {
    let mut table = out::table();
    table.set_header(["journal", "account", "day", "revision", "rows", "differing", "travelled"]);
    for row in rows {
        table.add_row([
            row.journal.to_string(),
            format!("{} {}", row.identification, row.currency),
            row.day.clone(),
            row.revision.to_string(),
            row.rows.to_string(),
            row.differing.to_string(),
            row.travelled.map(|rows| rows.to_string()).unwrap_or_default(),
        ]);
    }
    table.to_string()
}

pub(super) fn breaks(rows: &[BreakRow], now: OffsetDateTime) -> String {
    let mut table = out::table();
    table.set_header([
        "break",
        "account",
        "cause",
        "at risk",
        "value date",
        "age",
        "due",
        "owner",
        "state",
        "proposed",
    ]);
    for row in rows {
        let overdue = row.state != "closed" && row.due_at < now;
        let due = row.due_at.date().to_string();
        table.add_row([
            row.id.to_string(),
            row.identification.clone(),
            row.cause.clone(),
            format!("{} {}", row.at_risk_text(), row.currency),
            row.value_date.to_string(),
            format!("{} d", row.age_days(now)),
            if overdue { format!("{due} overdue") } else { due },
            row.owner.clone().unwrap_or_else(|| "-".to_owned()),
            row.state.clone(),
            row.suggestion.clone(),
        ]);
    }
    table.to_string()
}

pub(super) fn preview(preview: &Preview, done: bool) -> String {
    let mut lines = Vec::new();
    for change in &preview.changes {
        let mut words = Vec::new();
        words.extend(change.owner.as_ref().map(|owner| format!("owner {owner}")));
        words.extend(change.comment.as_ref().map(|_| "a comment".to_owned()));
        words.extend(change.resolution.as_ref().map(|word| format!("closed as {word}")));
        lines.push(format!("break {}: {}", change.id, words.join(", ")));
    }
    lines.extend(
        preview.refusals.iter().map(|one| format!("line {}: {}: {}", one.line, one.code, one.text)),
    );
    let what = if done { "changed" } else { "nothing changed" };
    let (changes, refusals) = (preview.changes.len(), preview.refusals.len());
    lines.push(format!(
        "{what}: {changes} changes, {refusals} refused, {} as they were",
        preview.unchanged
    ));
    lines.join("\n")
}

pub(super) fn day(row: &DayRow) -> String {
    let mut table = out::table();
    table.set_header([
        "participant",
        "account",
        "opening",
        "credits",
        "debits",
        "closing",
        "reserved",
    ]);
    let rows = row.report["balances"].as_array().map(Vec::as_slice).unwrap_or_default();
    for own in rows {
        let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let text = |name: &str| plain(&own[name]);
        table.add_row(
            ["participant", "account", "opening", "credits", "debits", "closing", "reserved"]
                .map(text),
        );
    }
    format!(
        "{} {}: records {} to {}, balances {} equal to statement {}\n{table}\n{} documents, report {}",
        row.currency,
        row.day,
        row.after + 1,
        row.up_to,
        row.balances,
        row.statement,
        row.documents.len(),
        row.digest
    )
}

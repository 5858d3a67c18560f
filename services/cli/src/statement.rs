//! `causeway statement`: judges account statements where they lie, without a database. It must never
//! take one in.

use std::{
    collections::HashSet,
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

use anyhow::Context as _;
use serde_json::{Value, json};
use services_statements::{
    Balance, Finding, Judged, Statement, Sum, Verdict,
    chain::{self, Key},
    csv::ColumnMap,
    judge,
    ties::{Arithmetic, Counted},
};

use crate::args::statement::StatementCheck;
use crate::{Answer, out};

/// Bytes read at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// Judges files, one after the other; each knows those before it.
pub(crate) fn check(args: &StatementCheck, as_json: bool) -> anyhow::Result<Answer> {
    let map = args.map.as_deref().map(map).transpose()?;
    let mut seen: HashSet<Key> = HashSet::new();
    let mut judgements = Vec::new();
    let mut worst = Answer::Done;
    for file in &args.files {
        let mut judged = judge(open(file)?, map.as_ref(), &mut |_| {});
        let found =
            chain::duplicates(&judged.digest, &judged.statements, &|key| seen.contains(key));
        judged.add(found);
        seen.extend(chain::keys(&judged.digest, &judged.statements));
        worst = match (worst, judged.verdict) {
            (Answer::Refused, _) | (_, Verdict::Refused) => Answer::Refused,
            (Answer::No, _) | (_, Verdict::Findings) => Answer::No,
            (Answer::Done, Verdict::Ok) => Answer::Done,
        };
        let name = file.display().to_string();
        if as_json {
            out::json(&shown(&name, &judged));
        } else {
            judgements.push((name, judged));
        }
    }
    if !as_json {
        out::line(&text(&judgements));
    }
    Ok(worst)
}

fn open(file: &Path) -> anyhow::Result<BufReader<Box<dyn Read>>> {
    let source: Box<dyn Read> = if file == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(File::open(file).with_context(|| file.display().to_string())?)
    };
    Ok(BufReader::with_capacity(BUFFER_BYTES, source))
}

/// A map as TOML, or as JSON as it is saved.
pub(crate) fn map(file: &Path) -> anyhow::Result<ColumnMap> {
    let name = || file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(name)?;
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(&text).with_context(name);
    }
    toml::from_str(&text).with_context(name)
}

/// One file. What statements have in common stands at the top: of a file with one statement, all.
fn shown(file: &str, judged: &Judged) -> Value {
    let statements: Vec<Value> = judged.statements.iter().map(statement).collect();
    let common = |name: &str| {
        let first = statements.first().map(|one| &one[name]);
        first.filter(|first| statements.iter().all(|one| one[name] == **first)).cloned()
    };
    // A chain of one account begins with the first statement and ends with the last.
    let (account, currency) = (common("account"), common("currency"));
    let chain = account.is_some() && currency.is_some();
    let end = |at: Option<&Value>, name: &str| at.filter(|_| chain).map(|one| one[name].clone());
    json!({
        "file": file,
        "format": judged.format,
        "version": judged.format.as_deref().and_then(version),
        "verdict": judged.verdict.as_str(),
        "findings": judged.findings.iter().map(finding).collect::<Vec<_>>(),
        "findings_count": judged.findings_count,
        "entries": judged.entries(),
        "kind": common("kind"),
        "account": account,
        "currency": currency,
        "period": {
            "from": end(statements.first(), "from"),
            "to": end(statements.last(), "to"),
        },
        "opening": end(statements.first(), "opening"),
        "closing": end(statements.last(), "closing"),
        "totals": totals(judged),
        "arithmetic": arithmetic(judged.arithmetic()),
        "digest": judged.digest,
        "statements": statements,
    })
}

/// The version of a message's name: `08` of camt.053.001.08.
fn version(format: &str) -> Option<&str> {
    format.strip_prefix("camt.")?.rsplit('.').next()
}

fn finding(finding: &Finding) -> Value {
    json!({
        "code": finding.code.as_str(),
        "severity": finding.severity().as_str(),
        "at": finding.at,
        "text": finding.text,
    })
}

fn statement(statement: &Statement) -> Value {
    let head = &statement.head;
    let date = |balance: &Option<Balance>| balance.as_ref().and_then(|one| one.date.clone());
    let booked = statement.booked.iter();
    json!({
        "kind": head.kind.as_str(),
        "id": head.id,
        "sequence": head.sequence(),
        "page": head.page.map(|page| json!({ "number": page.number, "last": page.last })),
        "account": head.account.id,
        "currency": statement.currency,
        "from": head.from.clone().or_else(|| date(&statement.opening)),
        "to": head.to.clone().or_else(|| date(&statement.closing)),
        "entries": statement.totals.entries,
        "opening": statement.opening.as_ref().map(balance),
        "closing": statement.closing.as_ref().map(balance),
        "booked": booked.map(|(currency, sum)| json!({ "currency": currency, "sum": sum.text(currency) })).collect::<Vec<_>>(),
        "balances": statement.balances.iter().map(balance).collect::<Vec<_>>(),
        "arithmetic": arithmetic(statement.arithmetic),
        "content": statement.content,
    })
}

fn balance(balance: &Balance) -> Value {
    json!({
        "type": balance.kind,
        "sub_type": balance.sub_kind,
        "amount": balance.amount.decimal_text(),
        "currency": balance.amount.currency,
        "credit_debit": balance.credit_debit.as_str(),
        "date": balance.date,
    })
}

fn arithmetic(arithmetic: Arithmetic) -> Value {
    json!({
        "verdict": arithmetic.verdict().as_str(),
        "balances": arithmetic.balances.as_str(),
        "summary": arithmetic.summary.as_str(),
        "details": arithmetic.details.as_str(),
    })
}

/// Entries of every statement; sums only where there is one currency.
fn totals(judged: &Judged) -> Value {
    let statements = &judged.statements;
    let currency = statements.first().and_then(|first| first.currency.as_deref());
    let one = statements.iter().all(|statement| statement.currency.as_deref() == currency);
    let add = |of: fn(&Statement) -> Counted| {
        let all = statements.iter().map(of);
        let sum = all.clone().try_fold(Sum::ZERO, |sum, counted| sum.plus(counted.sum));
        let number: u64 = all.map(|counted| counted.number).sum();
        let sum = sum.filter(|_| one).map(|sum| sum.text(currency.unwrap_or_default()));
        json!({ "entries": number, "sum": sum })
    };
    let count = |of: fn(&Statement) -> u64| statements.iter().map(of).sum::<u64>();
    json!({
        "statements": statements.len(),
        "credits": add(|statement| statement.totals.all.credits),
        "debits": add(|statement| statement.totals.all.debits),
        "booked": add(|statement| statement.totals.booked.both()),
        "pending": count(|statement| statement.totals.pending),
        "other": count(|statement| statement.totals.other),
        "details": count(|statement| statement.totals.details),
    })
}

/// For people: a row a statement, then what was found, file by file.
fn text(judgements: &[(String, Judged)]) -> String {
    let mut table = out::table();
    table.set_header([
        "file",
        "format",
        "account",
        "entries",
        "opening",
        "closing",
        "arithmetic",
        "verdict",
    ]);
    let end = |balance: &Option<Balance>| {
        let signed = |one: &Balance| {
            let currency = &one.amount.currency;
            format!("{} {currency}", one.signed().text(currency))
        };
        balance.as_ref().map_or_else(|| "-".to_owned(), signed)
    };
    let mut lines = Vec::new();
    for (file, judged) in judgements {
        let format = judged.format.clone().unwrap_or_else(|| "-".to_owned());
        let verdict = judged.verdict.as_str().to_owned();
        for statement in &judged.statements {
            table.add_row([
                file.clone(),
                format.clone(),
                statement.head.account.id.clone().unwrap_or_default(),
                statement.totals.entries.to_string(),
                end(&statement.opening),
                end(&statement.closing),
                statement.arithmetic.verdict().as_str().to_owned(),
                verdict.clone(),
            ]);
        }
        if judged.statements.is_empty() {
            let none = || "-".to_owned();
            table.add_row([file.clone(), format, none(), none(), none(), none(), none(), verdict]);
        }
        let severity = |one: &Finding| one.severity().as_str();
        lines.extend(judged.findings.iter().map(|one| format!("{file}: {} {one}", severity(one))));
        let more = judged.findings_count - judged.findings.len() as u64;
        if more > 0 {
            lines.push(format!("{file}: {more} more findings"));
        }
    }
    [vec![table.to_string()], lines].concat().join("\n")
}

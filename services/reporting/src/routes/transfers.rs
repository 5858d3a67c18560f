//! Transfers: found, and one with its records, legs and fees; personal data for compliance, for a reason.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{Html, IntoResponse as _, Response},
};
use serde_json::{Value, json};
use services_office::{store::Deed, take};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    form::{Fields, Sent},
    frame::{Frame, page as shown},
};
use crate::{
    access::Need,
    app::{App, Told},
    sessions::Session,
    store::{
        CurrencyRow,
        transfers::{Filter, LegRow, RecallRow, SCANNED_MAX, TransferRow},
    },
    view,
};

const LIMIT: i64 = 50;
const REASON_LETTERS_MIN: usize = 10;
const REASON_LETTERS_MAX: usize = 500;

/// A line of the list.
struct Line {
    href: String,
    uetr: String,
    submitted: String,
    debtor: String,
    creditor: String,
    corridor: i64,
    amount: String,
    currency: String,
    state: &'static str,
    tone: &'static str,
    reason: String,
    record: i64,
}

#[derive(Template)]
#[template(path = "transfers.html")]
struct List {
    frame: Frame,
    fields: Fields,
    names: BTreeMap<u32, String>,
    currencies: Vec<CurrencyRow>,
    lines: Vec<Line>,
    next: Option<String>,
    looked_enough: bool,
    asked: bool,
}

/// A step of a transfer's life.
struct Step {
    at: String,
    what: String,
    detail: String,
    record: i64,
    tone: &'static str,
}

struct Leg {
    kind: &'static str,
    from: String,
    from_account: u64,
    to: String,
    to_account: u64,
    amount: String,
    currency: String,
    state: String,
    reserved: i64,
    decided: i64,
}

/// A field of personal data.
pub(super) struct Personal {
    name: String,
    value: String,
}

#[derive(Template)]
#[template(path = "transfer.html")]
struct One {
    frame: Frame,
    line: Line,
    debtor_agent: u32,
    returned: String,
    deadline: String,
    to_settle: String,
    to_credit: String,
    steps: Vec<Step>,
    legs: Vec<Leg>,
    legs_own: bool,
    unseals: bool,
    /// Whether the participant's party store can be read.
    sealed_store: bool,
    personal: Option<Vec<Personal>>,
    reason: String,
}

/// A participant as lists name it.
pub(super) fn named(names: &BTreeMap<u32, String>, id: u32) -> String {
    match names.get(&id).filter(|name| !name.is_empty()) {
        Some(name) => format!("{name} ({id})"),
        None => id.to_string(),
    }
}

fn line(row: &TransferRow, names: &BTreeMap<u32, String>) -> Line {
    Line {
        href: format!("/transfers/{}/{}", row.debtor_agent, row.uetr),
        uetr: row.uetr.to_string(),
        submitted: row.submitted_at.map(view::when).unwrap_or_default(),
        debtor: named(names, row.debtor_agent),
        creditor: named(names, row.creditor_agent),
        corridor: row.corridor,
        amount: view::money(row.amount.into(), row.exponent),
        currency: row.currency.clone(),
        state: view::state(row.state),
        tone: view::tone(row.state),
        reason: row.reason.clone(),
        record: row.submit_sequence,
    }
}

/// Minor units of a decimal that a person writes, thousands apart or not.
pub(super) fn minor(text: &str, exponent: u8) -> Option<u64> {
    let plain = text.replace(',', "");
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let decimals = usize::from(exponent);
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > decimals || !digits(whole) || !digits(fraction) {
        return None;
    }
    format!("{whole}{fraction:0<decimals$}").parse().ok()
}

async fn filter(
    app: &App,
    fields: &Fields,
    currencies: &[CurrencyRow],
) -> Result<Option<Filter>, Told> {
    let mut filter = Filter { limit: LIMIT, ..Filter::default() };
    match fields.text("q").map(|text| (text, Uuid::parse_str(text))) {
        Some((_, Ok(uetr))) => filter.uetr = Some(uetr),
        Some((text, Err(_))) => filter.end_to_end_id = Some(text.to_owned()),
        None => {}
    }
    filter.state = fields.read("state", "state")?;
    filter.participant = fields.read("participant", "participant's number")?;
    filter.currency = fields.text("currency").map(str::to_uppercase);
    filter.before = fields.read("before", "record")?;
    if let Some(text) = fields.text("amount") {
        let currency =
            currencies.iter().find(|row| Some(&row.currency) == filter.currency.as_ref());
        let currency = currency
            .ok_or_else(|| Told::invalid("currency", "an amount is searched in one: choose it"))?;
        let units = minor(text, currency.exponent)
            .ok_or_else(|| Told::invalid("amount", "write it as 1234.50"))?;
        filter.amount = Some(units);
    }
    if let Some(text) = fields.text("day") {
        let day = take::date(text);
        let day = day.ok_or_else(|| Told::invalid("day", "is no date: write YYYY-MM-DD"))?;
        let next = day.next_day().ok_or_else(|| Told::invalid("day", "is out of range"))?;
        let Some(from) = app.store.first_record(day.midnight().assume_utc()).await? else {
            return Ok(None);
        };
        let to = app.store.first_record(next.midnight().assume_utc()).await?;
        filter.records = Some((from, to.unwrap_or(i64::MAX)));
    }
    Ok(Some(filter))
}

pub(super) async fn list(
    State(app): State<App>,
    session: Session,
    fields: Fields,
) -> Result<Html<String>, Told> {
    let (names, currencies) = (app.store.names().await?, app.store.currencies().await?);
    let (found, told) = match filter(&app, &fields, &currencies).await {
        Ok(Some(filter)) => {
            (app.store.transfers(session.actor.participant(), &filter).await?, None)
        }
        Ok(None) => (Default::default(), None),
        Err(told) if told.code == "INVALID" => (Default::default(), Some(told)),
        Err(told) => return Err(told),
    };
    let rest = fields.query("before");
    shown(&List {
        frame: Frame::new(Some(&session), "transfers", "Transfers").told(told),
        lines: found.rows.iter().map(|row| line(row, &names)).collect(),
        next: found.next.map(|before| format!("/transfers?before={before}{rest}")),
        looked_enough: found.looked_enough,
        asked: !rest.is_empty(),
        fields,
        names,
        currencies,
    })
}

impl List {
    const SCANNED: i64 = SCANNED_MAX;
}

type Which = Path<(u32, Uuid)>;

async fn found(
    app: &App,
    session: &Session,
    (agent, uetr): (u32, Uuid),
) -> Result<TransferRow, Told> {
    let row = app.store.transfer(session.actor.participant(), agent, uetr).await?;
    row.ok_or_else(|| Told::not_found("transfer", &uetr.to_string()))
}

pub(super) async fn one(
    State(app): State<App>,
    session: Session,
    Path(which): Which,
) -> Result<Html<String>, Told> {
    let row = found(&app, &session, which).await?;
    let frame = Frame::new(Some(&session), "transfers", "Transfer");
    shown(&page(&app, &session, &row, frame).await?)
}

async fn page(app: &App, session: &Session, row: &TransferRow, frame: Frame) -> Result<One, Told> {
    let own = session.actor.participant();
    let names = app.store.names().await?;
    let legs = app.store.legs(own, row).await?;
    let took = |from: Option<OffsetDateTime>, to: Option<OffsetDateTime>| {
        let micros = from.zip(to).map(|(from, to)| (to - from).whole_microseconds());
        view::latency(micros.and_then(|micros| i64::try_from(micros).ok()))
    };
    let settled = matches!(row.state, 2 | 3);
    Ok(One {
        frame,
        line: line(row, &names),
        debtor_agent: row.debtor_agent,
        returned: match row.returned {
            0 => String::new(),
            returned => view::money(returned.into(), row.exponent),
        },
        deadline: row.deadline.map(view::when).unwrap_or_default(),
        to_settle: took(row.submitted_at, row.decided_at.filter(|_| settled)),
        to_credit: took(row.decided_at.filter(|_| settled), row.confirmed_at),
        steps: steps(app, row).await?,
        legs: legs.iter().map(|row| leg(row, &names)).collect(),
        legs_own: own.is_some(),
        unseals: Need::Unseal.met(&session.actor),
        sealed_store: own.is_some_and(|own| app.parties.contains_key(&own)),
        personal: None,
        reason: String::new(),
    })
}

fn leg(row: &LegRow, names: &BTreeMap<u32, String>) -> Leg {
    Leg {
        kind: view::leg(row.kind),
        from: named(names, row.debit_owner),
        from_account: row.debit_account,
        to: named(names, row.credit_owner),
        to_account: row.credit_account,
        amount: view::money(row.amount.into(), row.exponent),
        currency: row.currency.clone(),
        state: view::words(&row.state),
        reserved: row.sequence,
        decided: row.decided_sequence,
    }
}

async fn steps(app: &App, row: &TransferRow) -> Result<Vec<Step>, Told> {
    let deadline = row.deadline.map(|at| format!("to be accepted by {}", view::when(at)));
    let mut steps = vec![Step {
        at: view::precisely(row.submitted_at),
        what: "Submitted; every leg reserved".to_owned(),
        detail: deadline.unwrap_or_default(),
        record: row.submit_sequence,
        tone: "going",
    }];
    steps.extend(row.held_until.map(|until| Step {
        at: "–".to_owned(),
        what: "Held by the creditor agent".to_owned(),
        detail: format!("until {}", view::when(until)),
        record: 0,
        tone: "care",
    }));
    steps.extend(decided(row));
    steps.extend(confirmed(row));
    for recall in app.store.recalls(row).await? {
        steps.extend(recalled(recall));
    }
    steps.sort_by_key(|step| if step.record == 0 { i64::MAX } else { step.record });
    Ok(steps)
}

fn decided(row: &TransferRow) -> Option<Step> {
    let (what, tone) = match row.state {
        2 | 3 => ("Settled: every leg posted, final under the rulebook", "good"),
        state => (view::state(state), view::tone(state)),
    };
    let reason = Some(&row.reason).filter(|reason| !reason.is_empty());
    (row.decided_sequence > 0).then(|| Step {
        at: view::precisely(row.decided_at),
        what: what.to_owned(),
        detail: reason.map(|reason| format!("reason {reason}")).unwrap_or_default(),
        record: row.decided_sequence,
        tone,
    })
}

fn confirmed(row: &TransferRow) -> Option<Step> {
    let what = match row.confirmation.as_str() {
        "ACCC" => "Credited to the creditor",
        "CPUC" => "Picked up by the creditor",
        "ACWP" => "Taken by the creditor agent, not posted yet",
        "BLCK" => "Blocked by the creditor agent",
        _ => "Confirmed by the creditor agent",
    };
    (row.confirmed_sequence > 0).then(|| Step {
        at: view::precisely(row.confirmed_at),
        what: what.to_owned(),
        detail: row.confirmation.clone(),
        record: row.confirmed_sequence,
        tone: if row.state == 3 { "good" } else { "care" },
    })
}

/// A recall, and what was last answered to it.
fn recalled(row: RecallRow) -> Vec<Step> {
    let asked = Step {
        at: view::precisely(row.at),
        what: "Recalled by the debtor agent".to_owned(),
        detail: format!("reason {}", row.reason),
        record: row.sequence,
        tone: "care",
    };
    let what = match row.answer {
        0 => return vec![asked],
        1 => "Recall accepted",
        2 => "Recall rejected",
        _ => "Recall pending",
    };
    let answered = Step {
        at: view::precisely(row.answered_at),
        what: what.to_owned(),
        detail: row.answer_reason,
        record: row.answer_sequence,
        tone: "care",
    };
    vec![asked, answered]
}

/// Opens the personal data of a transfer of the actor's participant. The act is written first, so that nothing is seen
/// that nobody knows of.
pub(super) async fn unseal(
    State(app): State<App>,
    Path(which): Which,
    sent: Sent,
) -> Result<Response, Told> {
    let session = &sent.session;
    let row = found(&app, session, which).await?;
    let own = session.actor.participant().ok_or_else(|| Told::refused(Need::Unseal))?;
    let reason = sent.fields.shown("reason");
    let letters = reason.chars().count();
    let frame = Frame::new(Some(session), "transfers", "Transfer");
    if !(REASON_LETTERS_MIN..=REASON_LETTERS_MAX).contains(&letters) {
        let told = Told::invalid("reason", "say why, in 10 to 500 letters; it is kept for ever");
        let mut page = page(&app, session, &row, frame.told(Some(told))).await?;
        page.reason = reason;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, shown(&page)?).into_response());
    }
    let parties = app
        .parties
        .get(&own)
        .ok_or_else(|| Told::not_found("party store of participant", &own.to_string()))?;
    let id = format!("{}/{}", row.debtor_agent, row.uetr);
    let detail = json!({ "reason": reason });
    app.office.deed(&session.actor, Deed::Unseal, ("transfer", id), detail, sent.now).await?;
    let party = parties.party(row.debtor_agent, row.uetr).await?;
    let mut page = page(&app, session, &row, frame).await?;
    let mut fields = Vec::new();
    match party {
        None => fields.push(told("Party store", "has nothing of this transfer")),
        Some(party) => {
            if let Some(error) = party.sealed_error {
                fields.push(told("Sealed data", &error));
            }
            flatten("", party.personal.as_ref().unwrap_or(&Value::Null), &mut fields);
        }
    }
    page.personal = Some(fields);
    Ok(shown(&page)?.into_response())
}

fn told(name: &str, value: &str) -> Personal {
    Personal { name: name.to_owned(), value: value.to_owned() }
}

/// Every leaf of personal data with its way there.
fn flatten(at: &str, value: &Value, out: &mut Vec<Personal>) {
    let below = |name: &str| match at {
        "" => view::words(name),
        at => format!("{at} · {}", name.replace('_', " ")),
    };
    match value {
        Value::Null => {}
        Value::Object(all) => all.iter().for_each(|(name, one)| flatten(&below(name), one, out)),
        Value::Array(all) => all.iter().for_each(|one| flatten(at, one, out)),
        Value::String(text) => out.push(told(at, text)),
        Value::Bool(_) | Value::Number(_) => out.push(told(at, &value.to_string())),
    }
}

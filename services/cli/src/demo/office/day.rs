//! The demonstration's business day: Hong Kong's is worked and closed, the Philippines' stays open with its breaks. It must
//! never say that a day is over which is not: its calendars' cut-off is the moment when the transfers had ended.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use ledger_types::{ParticipantId, TransferState};
use serde_json::{Value, json};
use services_office::{
    Actor, Error, Office, Role, Settings,
    bridge::Leg,
    calendar::{Calendar, Calendars},
    correction::{Kind, Proposal},
    store::{BreakRow, DayRow},
};
use time::{Date, OffsetDateTime};

use super::{Books, Pair, Told, now};
use crate::{demo::network::Running, out};

const CLOSED: (&str, ParticipantId) = ("HKD", ParticipantId(101));
const OPEN: (&str, ParticipantId) = ("PHP", ParticipantId(102));
/// How long transfers that are on their way back may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the demonstration's office judges, beside its calendars.
const RULES: &str = r#"
sla_hours = 48
sla_hours_by_cause = { DUPLICATED = 8 }
revenue_share_bps = { 101 = 2500 }
targets = { 101344 = { min = 0, max = 100000000 } }
"#;

/// What the day came to.
#[derive(Debug)]
pub struct Outcome {
    /// For scripts.
    pub figures: Value,
    /// For people: where to look, and at what.
    pub words: String,
}

/// When the day was over, by the calendars written for it.
struct Over {
    day: Date,
    at: OffsetDateTime,
    /// As a clock in Hong Kong shows it.
    clock: String,
}

/// Waits where midnight falls within the time: a day that is closed with the day before it open would not tie out.
pub async fn begun(within: Duration) -> anyhow::Result<()> {
    let calendars = Calendars::load(None)?;
    let today = |at| [CLOSED, OPEN].map(|(currency, _)| calendars.day_of(currency, at));
    if today(now()) == today(now() + within) {
        return Ok(());
    }
    out::note("midnight is near: beginning with the new day …");
    let ends = today(now() + within);
    while today(now()) != ends {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// Sets an office up beside the network, and works the day.
pub async fn work(running: &Running) -> anyhow::Result<Outcome> {
    ended(running).await?;
    let folder = running.folder.path.join("office");
    let over = calendars(&folder.join("calendars")).await?;
    let settings = settings(running, &folder)?;
    let office = Office::new(&settings.database_url, settings.rules)?;
    office.migrate().await?;
    let (network, own) = (
        pair("operator", Role::Operator, None)?,
        pair("hk.back.office", Role::BackOffice, Some(101))?,
    );
    let closed = (CLOSED, (network.clone(), own));
    let open = (OPEN, (network.clone(), network));
    let mut books = Vec::new();
    for ((currency, member), pairs) in [closed, open] {
        let own = Books::open(running, &office, (currency, over.day), member, pairs).await?;
        books.push(own);
    }
    office.ledger_read().await?;
    let [closed, open] = books.as_slice() else { anyhow::bail!("the demonstration has two books") };
    let told = (tell(closed).await?, tell(open).await?);
    office.match_all(now()).await?;
    let planted = json!({ CLOSED.0: causes(&told.0), OPEN.0: causes(&told.1) });
    let found = json!({ CLOSED.0: found(closed).await?, OPEN.0: found(open).await? });
    let corrected = worked(running, closed, &told.0).await?;
    let up_to = i64::try_from(running.reconciled().await?.records)? - 1;
    let day = closed.day_close(Some(up_to)).await;
    let why_open = half_worked(open).await?;
    let left = open.breaks().await?;
    let figures = json!({
        "day": over.day.to_string(),
        "cut_off": over.at.to_string(),
        "planted": planted,
        "found": found,
        "corrected_by_record": corrected,
        "closed": shown(&day),
        "open": { "currency": OPEN.0, "code": why_open.code(), "text": why_open.to_string(), "breaks": left.len() },
    });
    let words = words(&over, &folder, &figures, (&day, &why_open, &left));
    Ok(Outcome { figures, words })
}

/// Waits until nothing is pending: a return may still be on its way.
async fn ended(running: &Running) -> anyhow::Result<()> {
    let waited = async {
        loop {
            let summary = running.reconciled().await?;
            let pending = summary.states.get(TransferState::Pending.as_str());
            if pending.is_none_or(|count| *count == 0) {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waited).await.context("transfers stay pending")?
}

/// Calendars whose cut-off is the next full second, once it has passed.
async fn calendars(folder: &Path) -> anyhow::Result<Over> {
    let built_in = Calendars::load(None)?;
    let at = now().replace_nanosecond(0)? + Duration::from_secs(1);
    while now() < at {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let mut over = None;
    for (currency, _) in [CLOSED, OPEN] {
        let own = built_in.get(currency).with_context(|| format!("no calendar of {currency}"))?;
        let day = built_in.day_of(currency, at);
        let file = folder.join(format!("{currency}.toml"));
        std::fs::write(&file, calendar(currency, own, day, at))
            .with_context(|| file.display().to_string())?;
        over.get_or_insert(Over { day, at, clock: own.clock(at) });
    }
    over.context("the demonstration has no currency")
}

fn calendar(currency: &str, own: &Calendar, day: Date, at: OffsetDateTime) -> String {
    let (zone, clock) = (own.time_zone(), own.clock(at));
    let to = day.saturating_add(time::Duration::days(30));
    format!(
        "# The demonstration's own: its day was over when its transfers had ended, and every day is a business day.
currency = \"{currency}\"
time_zone = \"{zone}\"
cut_off = \"{clock}\"
weekend = []
source = \"made for one demonstration\"
from = \"{day}\"
to = \"{to}\"

[holidays]
"
    )
}

/// One set of rules for the office, its command and the console.
fn settings(running: &Running, folder: &Path) -> anyhow::Result<Settings> {
    let rules =
        format!("[rules]\ncalendars = {:?}\n{}", folder.join("calendars"), RULES.trim_start());
    let file = folder.join("office.toml");
    let text = format!("database_url = {:?}\n\n{rules}", running.database_url);
    std::fs::write(&file, text).with_context(|| file.display().to_string())?;
    let console = running.folder.path.join("reporting/reporting.toml");
    let text = std::fs::read_to_string(&console).with_context(|| console.display().to_string())?;
    std::fs::write(&console, format!("{text}\n{rules}"))
        .with_context(|| console.display().to_string())?;
    Ok(services_runtime::settings::load(&file)?)
}

fn pair(name: &str, role: Role, of: Option<u32>) -> anyhow::Result<Pair> {
    let second = format!("{name}.second");
    Ok(Pair { first: Actor::new(name, role, of)?, second: Actor::new(&second, role, of)? })
}

/// What the custodian and the participant's bank told.
async fn tell(books: &Books) -> anyhow::Result<(Told, Told)> {
    Ok((books.custodian_tells().await?, books.member_tells().await?))
}

fn causes((custodian, member): &(Told, Told)) -> BTreeMap<&'static str, usize> {
    let mut count = BTreeMap::new();
    for cause in custodian.planted.iter().chain(&member.planted) {
        *count.entry(*cause).or_default() += 1;
    }
    count
}

async fn found(books: &Books) -> anyhow::Result<BTreeMap<String, usize>> {
    let mut count = BTreeMap::new();
    for row in books.breaks().await? {
        *count.entry(row.cause).or_default() += 1;
    }
    Ok(count)
}

/// Every break of the day is worked; gives the record of the funding that the ledger lacked.
async fn worked(
    running: &Running,
    books: &Books,
    (custodian, member): &(Told, Told),
) -> anyhow::Result<i64> {
    let rows = books.breaks().await?;
    let lacks = rows.iter().find(|row| row.cause == "MISSING_IN_LEDGER");
    let lacks = lacks.context("the custodian's own entry was not found")?;
    let record = books.correct(running, lacks).await?;
    if let Some(late) = &custodian.late {
        books.late_comes(Leg::Custodian, custodian, late.clone()).await?;
    }
    // The participant's bank tells of the funding too, once it is made.
    let funded = books.lines(books.member).await?;
    let funded = funded.last().cloned().context("the funding is not on the account")?;
    books.late_comes(Leg::Participant, member, funded).await?;
    books.office.match_all(now()).await?;
    for row in books.breaks().await? {
        books.settle(&row).await?;
    }
    Ok(record)
}

/// One break is commented and taken on, one waits for a second person, the others for anybody; says what keeps the day open.
async fn half_worked(books: &Books) -> anyhow::Result<Error> {
    let (office, first) = (&books.office, &books.network.first);
    for row in books.breaks().await? {
        if row.cause == "DUPLICATED" {
            office.break_assign(first, (row.id, row.version), Some(first.name()), now()).await?;
            let text = "asked the bank to reverse one of the two";
            office.break_comment(first, row.id, text, now()).await?;
        }
        if row.cause == "AMOUNT_DIFFERS" {
            let note = (&Proposal::default(), "the bank confirms the ledger's amount");
            office
                .break_propose(first, (row.id, row.version), Kind::AskServicer, note, now())
                .await?;
        }
    }
    match office.day_preview(first, &books.close(None), now()).await {
        Ok(_) => anyhow::bail!("{}: the day would close in spite of its breaks", books.currency),
        Err(why) => Ok(why),
    }
}

fn shown(day: &Result<DayRow, Error>) -> Value {
    match day {
        Ok(day) => json!({
            "currency": day.currency,
            "day": day.day,
            "up_to": day.up_to,
            "balances": day.balances,
            "digest": day.digest,
            "documents": day.documents,
        }),
        Err(why) => json!({ "currency": CLOSED.0, "code": why.code(), "text": why.to_string() }),
    }
}

/// Whether every planted difference was found and no other, one day closed and the other did not.
#[must_use]
pub fn holds(figures: &Value) -> bool {
    figures["planted"] == figures["found"]
        && figures["closed"]["digest"].is_string()
        && figures["open"]["code"].is_string()
}

fn words(
    over: &Over,
    folder: &Path,
    figures: &Value,
    (day, why_open, left): (&Result<DayRow, Error>, &Error, &[BreakRow]),
) -> String {
    let Over { day: date, clock, .. } = over;
    let mut lines = vec![format!(
        "back office: business day {date}; its cut-off, {clock} in Hong Kong and Manila, has just passed: the
demonstration's own calendars ({}) put it where the transfers ended",
        folder.join("calendars").display()
    )];
    let currency = CLOSED.0;
    lines.push(match day {
        Ok(day) => format!(
            "  {currency}: closed up to record {}, with {} documents; every break found was worked by two people, and record {}
       is the funding that the ledger lacked",
            day.up_to,
            day.documents.len(),
            figures["corrected_by_record"]
        ),
        Err(why) => format!("  {currency}: NOT closed: {}: {why}", why.code()),
    });
    lines.push(format!("  {}: open: {}: {why_open}", OPEN.0, why_open.code()));
    for row in left {
        let owner = row.owner.as_deref().unwrap_or("nobody");
        lines.push(format!(
            "    break {}: {}, {} {} at risk, {}, owner {owner}",
            row.id,
            row.cause,
            row.currency,
            row.at_risk_text(),
            row.state
        ));
    }
    lines.push(format!(
        "  the same from a terminal: causeway office breaks list --config {}",
        folder.join("office.toml").display()
    ));
    lines.join("\n")
}

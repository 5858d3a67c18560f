//! The tracking page, made from what is tracked and a language's words; every value is escaped by the template, and no name but a masked one comes in.
use askama::Template;
use time::OffsetDateTime;

use super::{
    costs::{CostsView, ExchangeView},
    stage::{Holder, Stage},
    words::{Language, Words},
};
use crate::{
    store::{
        tracking::Usual,
        transfers::{Row, TimelineRow},
    },
    transfers::view::AmountView,
};

/// Fewer transfers than these say nothing about how long one takes.
pub const USUAL_COUNT_MIN: i64 = 20;

/// An institution as senders see it.
#[derive(Clone, Debug, Default)]
pub struct Institution {
    /// Empty if the network tells none.
    pub name: String,
    /// ISO 3166-1 alpha-2; empty if the network tells none.
    pub country: String,
}

/// Everything that a link opens.
#[derive(Clone, Debug)]
pub struct Tracked {
    /// The transfer.
    pub row: Row,
    /// What came back of it.
    pub returns: Vec<(Row, AmountView)>,
    /// What happened, without what is between institutions.
    pub lines: Vec<TimelineRow>,
    /// Where it stands.
    pub stage: Stage,
    /// Since when.
    pub since: OffsetDateTime,
    /// What arrives.
    pub amount: AmountView,
    /// The sender's institution.
    pub debtor_agent: Institution,
    /// The institution that pays out.
    pub creditor_agent: Institution,
    /// The creditor's name, masked.
    pub creditor: Option<String>,
    /// What it costs.
    pub costs: Option<CostsView>,
    /// How long such transfers took, if there were enough.
    pub usual: Option<Usual>,
    /// The time of this look.
    pub now: OffsetDateTime,
}

impl Tracked {
    /// Who has the money.
    #[must_use]
    pub fn holder(&self) -> Holder {
        match (self.stage, self.row.credited_at) {
            (Stage::Recalled, Some(_)) => Holder::Creditor,
            (stage, _) => stage.holder(),
        }
    }

    /// Changes whenever something happened, and only then.
    #[must_use]
    pub fn revision(&self) -> String {
        let back = self.returns.iter().filter(|(row, _)| row.credited_at.is_some()).count();
        format!("{}.{}.{}.{back}", self.stage.name(), self.lines.len(), self.returns.len())
    }

    /// When 95 of a hundred such transfers have arrived, while this one is under way.
    #[must_use]
    pub fn expected_by(&self) -> Option<OffsetDateTime> {
        let usual = self.usual.filter(|_| self.stage.waiting())?;
        let from = self.row.submitted_at.unwrap_or(self.row.created_at);
        Some(from + time::Duration::milliseconds(usual.p95_ms))
    }

    fn cash(&self) -> bool {
        self.row.payout_method == "cash_pickup"
    }
}

/// A link to the page in a language.
struct Link {
    tag: &'static str,
    name: String,
    current: bool,
}

/// A step of the timeline.
struct Step {
    class: &'static str,
    state: String,
    text: String,
    when: String,
}

/// A line of a list of facts.
struct Fact {
    name: String,
    value: String,
}

#[derive(Template)]
#[template(path = "track.html")]
struct Page<'a> {
    words: &'a Words,
    links: Vec<Link>,
    events: String,
    revision: String,
    tone: &'static str,
    heading: String,
    answer: String,
    usual: String,
    facts: Vec<Fact>,
    steps: Vec<Step>,
    costs: Vec<Fact>,
    times: String,
    updated: String,
    lasts: String,
}

#[derive(Template)]
#[template(path = "track_none.html")]
struct NoPage<'a> {
    words: &'a Words,
    links: Vec<Link>,
    title: String,
    text: String,
}

/// The page of a transfer; none only if the template fails, which it has no reason to.
#[must_use]
pub fn page(tracked: &Tracked, words: &Words, token: &str, days: i64) -> Option<String> {
    let writer = Writer::new(tracked, words);
    let page = Page {
        words,
        links: links(words),
        events: format!("/v1/track/{token}/events"),
        revision: tracked.revision(),
        tone: tone(tracked.stage),
        heading: writer.heading(),
        answer: writer.sentence(&format!("answer-{}", tracked.stage.name())),
        usual: writer.usual_short(),
        facts: writer.facts(),
        steps: writer.steps(),
        costs: tracked.costs.as_ref().map(|costs| writer.costs(costs)).unwrap_or_default(),
        times: words.tell("times", &[("place", &words.place())]),
        updated: words.tell("updated", &[("when", &words.when(tracked.now))]),
        lasts: words.tell("lasts", &[("days", &days.to_string())]),
    };
    page.render().ok()
}

/// A page that says why there is no transfer to see: `gone`, `slow` or `down`.
#[must_use]
pub fn no_page(words: &Words, why: &str, days: i64) -> Option<String> {
    let text = match why {
        "gone" => words.tell("gone", &[("days", &days.to_string())]),
        _ => words.say(why),
    };
    let title = words.say(&format!("{why}-title"));
    NoPage { words, links: links(words), title, text }.render().ok()
}

fn links(words: &Words) -> Vec<Link> {
    let link = |language: Language| Link {
        tag: language.tag(),
        name: words.within(language).say("language"),
        current: language == words.language,
    };
    Language::ALL.map(link).into()
}

/// How the answer is coloured, beside its words.
const fn tone(stage: Stage) -> &'static str {
    match stage {
        Stage::Credited | Stage::Collected | Stage::ReadyToCollect => "good",
        Stage::AwaitingApproval
        | Stage::Queued
        | Stage::Pending
        | Stage::Settled
        | Stage::Accepted => "going",
        Stage::Held | Stage::Recalled | Stage::Returning | Stage::Blocked => "care",
        Stage::Returned | Stage::Rejected | Stage::Expired | Stage::Cancelled | Stage::Burned => {
            "over"
        }
    }
}

/// What is coming after a stage.
fn coming(stage: Stage, cash: bool) -> Vec<&'static str> {
    let last = if cash { "coming-collected" } else { "coming-credited" };
    match stage {
        Stage::Queued => vec!["coming-pending", "coming-settled", last],
        Stage::Pending | Stage::Held => vec!["coming-settled", last],
        Stage::Settled | Stage::Accepted | Stage::ReadyToCollect => vec![last],
        Stage::AwaitingApproval
        | Stage::Blocked
        | Stage::Credited
        | Stage::Collected
        | Stage::Recalled
        | Stage::Returning
        | Stage::Returned
        | Stage::Rejected
        | Stage::Expired
        | Stage::Cancelled
        | Stage::Burned => Vec::new(),
    }
}

/// The message of a timeline's event; none of what is not for senders.
fn event(line: &TimelineRow, cash: bool) -> Option<&'static str> {
    Some(match (line.event.as_str(), line.iso_status.as_str()) {
        ("received" | "awaiting_approval", _) => "event-received",
        ("pending", _) => "event-pending",
        ("held", _) => "event-held",
        ("ledger_final", _) => "event-ledger_final",
        ("beneficiary_credited", "CPUC") => "event-collected",
        ("beneficiary_credited", _) => "event-beneficiary_credited",
        ("confirmed", "BLCK") => "event-blocked",
        ("confirmed", _) if cash => "event-ready",
        ("confirmed", _) => "event-accepted",
        ("rejected" | "approval_rejected" | "approval_expired" | "approval_refused", _) => {
            "event-rejected"
        }
        ("expired", _) => "event-expired",
        ("cancelled", _) => "event-cancelled",
        ("burned", _) => "event-burned",
        ("recalled", _) => "event-recalled",
        ("recall_answered", _) => "event-recall_answered",
        _ => return None,
    })
}

/// Whether a sender's link shows an event.
#[must_use]
pub fn told(line: &TimelineRow) -> bool {
    event(line, false).is_some()
}

/// Fills in the sentences about one transfer.
struct Writer<'a> {
    tracked: &'a Tracked,
    words: &'a Words,
    given: Vec<(&'static str, String)>,
}

impl<'a> Writer<'a> {
    fn new(tracked: &'a Tracked, words: &'a Words) -> Self {
        let named = |institution: &Institution, key: &str| match institution.name.as_str() {
            "" => words.say(key),
            name => name.to_owned(),
        };
        let row = &tracked.row;
        let returned = tracked.returns.iter().filter(|(back, _)| back.settled_at.is_some());
        let amounts = returned.map(|(_, amount)| words.amount(&amount.amount, &amount.currency));
        let paid = matches!(tracked.stage, Stage::Credited | Stage::Collected);
        let at = row.credited_at.filter(|_| paid).unwrap_or(tracked.since);
        let given = vec![
            ("debtor_agent", named(&tracked.debtor_agent, "debtor-agent")),
            ("creditor_agent", named(&tracked.creditor_agent, "creditor-agent")),
            ("moment", words.moment(at)),
            ("deadline", row.deadline.map(|at| words.when(at)).unwrap_or_default()),
            ("returned", amounts.collect::<Vec<_>>().join(" + ")),
        ];
        Self { tracked, words, given }
    }

    fn sentence(&self, key: &str) -> String {
        let given: Vec<(&str, &str)> =
            self.given.iter().map(|(name, text)| (*name, text.as_str())).collect();
        capitalised(&self.words.tell(key, &given))
    }

    fn heading(&self) -> String {
        let amount = &self.tracked.amount;
        let amount = self.words.amount(&amount.amount, &amount.currency);
        match &self.tracked.creditor {
            Some(name) => self.words.tell("heading", &[("amount", &amount), ("name", name)]),
            None => self.words.tell("heading-nameless", &[("amount", &amount)]),
        }
    }

    fn usual_short(&self) -> String {
        let Some(usual) = self.tracked.usual.filter(|_| self.tracked.stage.waiting()) else {
            return String::new();
        };
        let key = if self.tracked.cash() { "usual-short-cash" } else { "usual-short" };
        self.words.tell(key, &[("p50", &self.words.duration(usual.p50_ms))])
    }

    fn facts(&self) -> Vec<Fact> {
        let words = self.words;
        let holder = match self.tracked.holder() {
            Holder::Debtor => words.say("debtor"),
            Holder::DebtorAgent => self.agent("debtor_agent"),
            Holder::CreditorAgent => self.agent("creditor_agent"),
            Holder::Creditor => words.say("creditor"),
        };
        let stage = self.tracked.stage;
        let open = matches!(stage, Stage::Pending | Stage::Held);
        let next = match open && self.tracked.row.deadline.is_none() {
            true => "next-pending-open".to_owned(),
            false => format!("next-{}", stage.name()),
        };
        let fact = |name: &str, value: String| Fact { name: words.say(name), value };
        vec![
            fact("holder", capitalised(&holder)),
            fact("since", words.when(self.tracked.since)),
            fact("next", self.sentence(&next)),
            fact("expected", self.expected()),
        ]
    }

    fn agent(&self, which: &str) -> String {
        let found = self.given.iter().find(|(name, _)| *name == which);
        found.map(|(_, text)| text.clone()).unwrap_or_default()
    }

    fn expected(&self) -> String {
        let words = self.words;
        let Some(usual) = self.tracked.usual else { return words.say("usual-unknown") };
        let (p50, p95) = (words.duration(usual.p50_ms), words.duration(usual.p95_ms));
        let key = if self.tracked.cash() { "usual-cash" } else { "usual" };
        let mut told = vec![words.tell(key, &[("p50", &p50), ("p95", &p95)])];
        if let Some(by) = self.tracked.expected_by() {
            told.push(match by < self.tracked.now {
                true => words.say("usual-late"),
                false => words.tell("usual-by", &[("when", &words.when(by))]),
            });
        }
        told.push(words.tell("usual-source", &[("count", &usual.count.to_string())]));
        told.join(&words.say("between"))
    }

    fn steps(&self) -> Vec<Step> {
        let words = self.words;
        let step = |class: &'static str, text: String, when: String| Step {
            class,
            state: words.say(&format!("step-{class}")),
            text,
            when,
        };
        let mut past: Vec<(OffsetDateTime, String)> = Vec::new();
        for line in &self.tracked.lines {
            if let Some(key) = event(line, self.tracked.cash()) {
                past.push((line.at, self.sentence(key)));
            }
        }
        for (back, amount) in &self.tracked.returns {
            let amount = words.amount(&amount.amount, &amount.currency);
            let agent = self.agent("debtor_agent");
            let given = [("amount", amount.as_str()), ("debtor_agent", agent.as_str())];
            let told = |key| capitalised(&words.tell(key, &given));
            past.extend(back.settled_at.map(|at| (at, told("event-returning"))));
            past.extend(back.credited_at.map(|at| (at, told("event-returned"))));
        }
        past.sort_by_key(|(at, _)| *at);
        let last = past.len().saturating_sub(1);
        let over = self.tracked.stage.over();
        let past = past.into_iter().enumerate().map(|(place, (at, text))| {
            let class = if over && place == last { "ended" } else { "done" };
            step(class, text, words.when(at))
        });
        let coming = coming(self.tracked.stage, self.tracked.cash());
        let coming = coming.into_iter().enumerate().map(|(place, key)| {
            let class = if place == 0 { "now" } else { "next" };
            step(class, self.sentence(key), String::new())
        });
        past.chain(coming).collect()
    }

    fn costs(&self, costs: &CostsView) -> Vec<Fact> {
        let words = self.words;
        let amount = |amount: &AmountView| words.amount(&amount.amount, &amount.currency);
        let fact = |name: &str, value: String| Fact { name: words.say(name), value };
        let arrives = fact("arrives", amount(&self.tracked.amount));
        let mut facts = Vec::new();
        if let Some(exchange) = &costs.exchange {
            facts.push(fact("sent", amount(&exchange.source)));
        }
        facts.push(fact("fee", amount(&costs.fee)));
        facts.push(fact("total", amount(&costs.total_debited)));
        facts.push(arrives);
        match &costs.exchange {
            Some(exchange) => facts.extend(self.exchange(exchange)),
            None => facts.push(fact("rate", words.say("no-exchange"))),
        }
        facts
    }

    fn exchange(&self, exchange: &ExchangeView) -> Vec<Fact> {
        let words = self.words;
        let fact = |name: &str, value: String| Fact { name: words.say(name), value };
        let currencies = (&exchange.source.currency, &self.tracked.amount.currency);
        let rate = |rate: &str| {
            let (source, destination) = currencies;
            let given = [("source", &**source), ("rate", rate), ("destination", &**destination)];
            words.tell("rate-value", &given)
        };
        let mut facts = vec![fact("rate", rate(&exchange.rate))];
        let Some(mid) = &exchange.mid else {
            facts.push(fact("mid", words.say("mid-unknown")));
            return facts;
        };
        facts.push(fact("mid", rate(&mid.rate)));
        let amount = words.amount(&mid.spread.amount, &mid.spread.currency);
        let given = [("amount", amount.as_str()), ("percent", mid.spread_percent.as_str())];
        facts.push(fact("spread", words.tell("spread-value", &given)));
        facts
    }
}

/// A sentence begins with a capital, whatever stands first in it.
fn capitalised(text: &str) -> String {
    // What Fluent puts around a value to keep its direction apart is no letter.
    let first = text.char_indices().find(|(_, letter)| letter.is_alphanumeric());
    let Some((at, letter)) = first else { return text.to_owned() };
    let (before, rest) = text.split_at(at);
    let after = rest.get(letter.len_utf8()..).unwrap_or_default();
    format!("{before}{}{after}", letter.to_uppercase())
}

//! What is asked of each route: a page as it opens, its filters, what lies far back, and what is not there.
use std::{fs, path::Path};

use services_reporting::{CONDITIONS, Settings, app::App, password};
use services_runtime::health::Checks;
use sqlx::{Connection, PgConnection, Row};
use time::{Date, OffsetDateTime};

/// Every day is a business day, over at the time at which the days of the fixture end.
const CALENDAR: &str = r#"
currency = "CUR"
time_zone = "UTC"
cut_off = "TIME"
weekend = []
source = "made up"
from = "2020-01-01"
to = "2099-12-31"

[holidays]
2020-01-01 = "Day of the bench"
"#;

const SETTINGS: &str = r#"
listen = "127.0.0.1:0"
public_url = "https://console.test:8443"
database_url = "URL"
accounts = "FOLDER/accounts.toml"

[https]
certificate = "certificate.pem"
key = "key.pem"

[rules]
calendars = "FOLDER/calendars"
open_breaks_max = { HKD = 1000000000000000 }
"#;

/// Things of the fixture by their names.
pub(crate) struct Samples {
    /// How much there is.
    pub(crate) said: String,
    transfers: Vec<(i64, String)>,
    before: i64,
    amount: (String, String),
    breaks: Vec<i64>,
    attachment: (i64, i64),
    statements: Vec<i64>,
    after: String,
    /// The open day, the last closed one, and one of long ago.
    days: [Date; 3],
    documents: Vec<(Date, i64)>,
}

/// A console over the database, with calendars that fit it.
pub(crate) async fn console(url: &str, folder: &Path) -> (App, Samples) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let ends: i64 =
        one(&mut connection, "SELECT max(at_micros) + 1000000 FROM ledger.entries").await;
    // Up to the whole minute.
    let ends = OffsetDateTime::from_unix_timestamp((ends + 59_999_999) / 60_000_000 * 60).unwrap();
    let text = CALENDAR.replace("TIME", &format!("{:02}:{:02}", ends.hour(), ends.minute()));
    let calendars = folder.join("calendars");
    fs::create_dir(&calendars).unwrap();
    for currency in ["HKD", "PHP", "MYR", "USD"] {
        let file = calendars.join(format!("{currency}.toml"));
        fs::write(file, text.replace("CUR", currency)).unwrap();
    }
    let hash = password::hash("a password of this bench").unwrap();
    let account =
        format!("[[accounts]]\nname = \"ana\"\npassword = \"{hash}\"\nrole = \"auditor\"\n");
    fs::write(folder.join("accounts.toml"), account).unwrap();
    let text = SETTINGS.replace("URL", url).replace("FOLDER", folder.to_str().unwrap());
    let settings: Settings = toml::from_str(&text).unwrap();
    let app = App::new(&settings, Checks::new(&CONDITIONS)).unwrap();
    let samples = samples(&mut connection, ends).await;
    (app, samples)
}

async fn one<T>(connection: &mut PgConnection, text: &'static str) -> T
where
    T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    sqlx::query_scalar(text).fetch_one(connection).await.unwrap()
}

/// What was filled in.
const COUNTS: &str = "SELECT format('%s transfers, %s postings, %s records; %s acts, %s breaks of which %s are open, %s movements, %s
            statements, %s closed days, %s documents',
            (SELECT count(*) FROM ledger.transfers), (SELECT count(*) FROM ledger.postings),
            (SELECT next_sequence FROM ledger.cursor), (SELECT count(*) FROM office.acts),
            (SELECT count(*) FROM office.breaks), (SELECT count(*) FROM office.breaks WHERE state <> 'closed'),
            (SELECT count(*) FROM office.movements), (SELECT count(*) FROM office.statements),
            (SELECT count(*) FROM office.days), (SELECT count(*) FROM office.documents))";

/// The newest, the oldest, and one that a member sent who sends few.
const TRANSFERS: &str = "(SELECT debtor_agent, encode(uetr, 'hex')::uuid::text AS uetr FROM ledger.transfers ORDER BY submit_sequence DESC LIMIT 1)
         UNION ALL (SELECT debtor_agent, encode(uetr, 'hex')::uuid::text FROM ledger.transfers ORDER BY submit_sequence LIMIT 1)
         UNION ALL (SELECT debtor_agent, encode(uetr, 'hex')::uuid::text FROM ledger.transfers WHERE debtor_agent = 101
            ORDER BY submit_sequence DESC LIMIT 1)";

async fn samples(connection: &mut PgConnection, ends: OffsetDateTime) -> Samples {
    let counts: String = one(connection, COUNTS).await;
    let old = (OffsetDateTime::now_utc() - ends).whole_minutes();
    let rows = sqlx::query(TRANSFERS).fetch_all(&mut *connection).await.unwrap();
    let transfers = rows.iter().map(|row| (row.get("debtor_agent"), row.get("uetr"))).collect();
    let amount = sqlx::query(
        "SELECT currency, round(amount / 100, 2)::text AS amount FROM ledger.transfers WHERE state = 3
         ORDER BY submit_sequence LIMIT 1",
    )
    .fetch_one(&mut *connection)
    .await
    .unwrap();
    let mut ids = Vec::new();
    for text in [
        "SELECT max(break) FROM office.breaks WHERE state = 'open'",
        "SELECT min(break) FROM office.breaks WHERE resolution = 'accepted'",
        "SELECT min(b.break) FROM office.breaks b JOIN office.accounts a USING (account) WHERE a.participant = 101",
    ] {
        ids.push(one(connection, text).await);
    }
    let attachment = sqlx::query("SELECT break, attachment FROM office.attachments LIMIT 1")
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    let after: String = one(
        connection,
        "SELECT floor(extract(epoch FROM due_at) * 1000000)::bigint || '.' || break FROM office.breaks
         WHERE state <> 'closed' ORDER BY due_at OFFSET (SELECT count(*) / 2 FROM office.breaks WHERE state <> 'closed') LIMIT 1",
    )
    .await;
    let days: [Date; 3] = [
        ends.date(),
        one(connection, "SELECT max(day) FROM office.days").await,
        one(connection, "SELECT min(day) FROM office.days").await,
    ];
    let documents = sqlx::query(
        "(SELECT day, document FROM office.documents WHERE currency = 'HKD' AND participant = 101 ORDER BY day DESC LIMIT 1)
         UNION ALL (SELECT day, document FROM office.documents WHERE currency = 'HKD' AND participant = 102 ORDER BY day LIMIT 1)",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    Samples {
        said: format!(
            "{counts}; the last entry is {old} min old (after 360 the overview has nothing to show)"
        ),
        transfers,
        before: one(connection, "SELECT max(submit_sequence) / 2 FROM ledger.transfers").await,
        amount: (amount.get("currency"), amount.get("amount")),
        breaks: ids,
        attachment: (attachment.get("break"), attachment.get("attachment")),
        statements: vec![
            one(connection, "SELECT max(statement) FROM office.statements").await,
            one(connection, "SELECT min(statement) FROM office.statements").await,
        ],
        after,
        days,
        documents: documents.iter().map(|row| (row.get("day"), row.get("document"))).collect(),
    }
}

/// The addresses of a route.
pub(crate) fn paths(route: &str, own: &Samples) -> Vec<String> {
    let queries = |queries: &[String]| -> Vec<String> {
        queries.iter().map(|query| format!("{route}{query}")).collect()
    };
    match route {
        "/transfers" => queries(&transfers(own)),
        "/transfers/{debtor_agent}/{uetr}" => {
            own.transfers.iter().map(|(agent, uetr)| format!("/transfers/{agent}/{uetr}")).collect()
        }
        "/breaks" => queries(&breaks(own)),
        "/breaks/table" => queries(&["", "?currency=HKD", "?overdue=1"].map(str::to_owned)),
        "/breaks/{id}" => own.breaks.iter().map(|id| format!("/breaks/{id}")).collect(),
        "/breaks/{id}/attachments/{attachment}" => {
            vec![format!("/breaks/{}/attachments/{}", own.attachment.0, own.attachment.1)]
        }
        "/statements/{id}" => own.statements.iter().map(|id| format!("/statements/{id}")).collect(),
        "/statements/{id}/original" => {
            own.statements.iter().map(|id| format!("/statements/{id}/original")).collect()
        }
        "/days/preview" => {
            let closed = own.days.map(|day| format!("?currency=HKD&day={day}"));
            queries(&closed)
        }
        "/days/{currency}/{day}" => {
            own.days[1..].iter().map(|day| format!("/days/HKD/{day}")).collect()
        }
        "/days/{currency}/{day}/documents/{document}" => {
            let path = |(day, id): &(Date, i64)| format!("/days/HKD/{day}/documents/{id}");
            own.documents.iter().map(path).collect()
        }
        "/participants/{id}" => {
            ["/participants/101", "/participants/142"].map(str::to_owned).into()
        }
        // A console that was just started has made none: what it reads to say so.
        "/reports/{id}" => vec!["/reports/1".to_owned()],
        "/reports/{id}/files/{name}" => vec!["/reports/1/files/corridors-1.csv".to_owned()],
        "/audit" => queries(&audit()),
        "/" => queries(&["", "?live=1"].map(str::to_owned)),
        route if !route.contains('{') => vec![route.to_owned()],
        route => panic!("no address is known of {route}: add one here"),
    }
}

fn transfers(own: &Samples) -> Vec<String> {
    let (currency, amount) = &own.amount;
    let [_, day, old] = own.days;
    let uetr = &own.transfers[1].1;
    vec![
        String::new(),
        format!("?before={}", own.before),
        format!("?q={uetr}"),
        "?q=00000000-0000-4000-8000-000000000000".to_owned(),
        "?q=E2E-7".to_owned(),
        "?q=no-such-reference".to_owned(),
        "?state=1".to_owned(),
        "?state=6".to_owned(),
        "?state=7".to_owned(),
        format!("?state=1&before={}", own.before),
        "?currency=USD".to_owned(),
        "?currency=XXX".to_owned(),
        format!("?currency={currency}&amount={amount}"),
        "?currency=USD&amount=0.01".to_owned(),
        "?participant=101".to_owned(),
        "?participant=142".to_owned(),
        "?participant=101&state=6".to_owned(),
        "?participant=101&state=7".to_owned(),
        "?participant=141&state=1&currency=PHP".to_owned(),
        format!("?participant=102&currency={currency}&amount={amount}"),
        format!("?day={day}"),
        format!("?day={old}&state=6"),
        format!("?day={old}&participant=101&state=7"),
        format!("?day={day}&currency=XXX"),
        "?day=2020-01-01".to_owned(),
    ]
}

fn breaks(own: &Samples) -> Vec<String> {
    vec![
        String::new(),
        "?all=1".to_owned(),
        "?mine=1".to_owned(),
        "?overdue=1".to_owned(),
        "?currency=HKD&cause=REVERSED".to_owned(),
        "?all=1&currency=XXX".to_owned(),
        "?all=1&owner=clerk+7&cause=DUPLICATED".to_owned(),
        format!("?after={}", own.after),
        format!("?all=1&after={}", own.after),
    ]
}

fn audit() -> Vec<String> {
    [
        "",
        "?verb=unseal",
        "?actor=clerk+7",
        "?actor=clerk+7&verb=unseal",
        "?actor=nobody",
        "?subject=break&id=77",
        "?subject=day",
        "?before=500000",
        "?before=500000&verb=close",
    ]
    .map(str::to_owned)
    .into()
}

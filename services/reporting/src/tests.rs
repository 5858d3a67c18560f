//! What needs no database: sessions, forms, roles by route, forecasts, settings, plots.

use std::{
    fs,
    net::SocketAddr,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header},
    response::Response,
};
use services_office::{Actor, Role};
use services_runtime::health::Checks;
use time::macros::datetime;
use tower::ServiceExt as _;

use crate::{
    CONDITIONS,
    access::Need,
    app::{App, Tries},
    csrf,
    forecast::{Flow, RunOut, Side, flow, latest_top_up, percentile, run_out},
    password, plot,
    routes::{self, SESSION, table},
    sessions::Sessions,
    settings::{self, Accounts, Settings, SignIn},
    view,
};

const ORIGIN: &str = "https://console.test:8443";
const SETTINGS: &str = r#"
listen = "127.0.0.1:0"
public_url = "https://console.test:8443"
database_url = "postgres://nobody@127.0.0.1:1/none"
accounts = "ACCOUNTS"

[https]
certificate = "certificate.pem"
key = "key.pem"
"#;

fn read(text: &str) -> Result<Settings, String> {
    let settings: Settings = toml::from_str(text).map_err(|error| error.message().to_owned())?;
    settings.check().map_err(|error| error.to_string())?;
    Ok(settings)
}

fn actor(name: &str, role: Role, participant: Option<u32>) -> Actor {
    Actor::new(name, role, participant).unwrap()
}

fn limits() -> settings::Sessions {
    settings::Sessions { idle_s: 60, absolute_s: 100, per_person_max: 2 }
}

#[test]
fn sessions_end_when_idle_and_in_any_case() {
    let (sessions, began) = (Sessions::new(limits()), Instant::now());
    let at = |seconds| began + Duration::from_secs(seconds);
    let ana = actor("ana", Role::BackOffice, Some(101));
    let token = sessions.open(ana, "local", began).unwrap();
    assert!(sessions.find("another", at(1)).is_none());
    assert_eq!(sessions.find(&token, at(59)).unwrap().actor.name(), "ana");
    assert!(sessions.find(&token, at(99)).is_some(), "it was used 40 s ago");
    assert!(sessions.find(&token, at(100)).is_none(), "100 s are its whole life");
    assert!(sessions.find(&token, at(99)).is_none(), "what ended stays ended");
    let token = sessions.open(actor("ana", Role::Auditor, None), "oidc", began).unwrap();
    assert!(sessions.find(&token, at(60)).is_none(), "nobody used it for a minute");
}

#[test]
fn a_person_has_so_many_sessions_and_loses_the_oldest() {
    let (sessions, now) = (Sessions::new(limits()), Instant::now());
    let open = |name, after| {
        let at = now + Duration::from_secs(after);
        sessions.open(actor(name, Role::Auditor, None), "local", at).unwrap()
    };
    let (first, second, other) = (open("ana", 0), open("ana", 1), open("ben", 2));
    let third = open("ana", 3);
    let lives = |token: &str| sessions.find(token, now + Duration::from_secs(4)).is_some();
    assert_eq!(
        [first, second, third, other].each_ref().map(|token| lives(token)),
        [false, true, true, true]
    );
}

#[test]
fn a_form_holds_its_own_session_s_token() {
    let (sessions, now) = (Sessions::new(limits()), Instant::now());
    let token = |name| {
        let token = sessions.open(actor(name, Role::Auditor, None), "local", now).unwrap();
        sessions.find(&token, now).unwrap()
    };
    let (ana, ben) = (token("ana"), token("ben"));
    assert!(ana.made(&ana.csrf) && !ana.made(&ben.csrf) && !ana.made(""));
}

#[test]
fn only_our_own_pages_change_something() {
    let rows: [(Option<&str>, Option<&str>, bool); 8] = [
        (Some("same-origin"), Some(ORIGIN), true),
        (Some("same-origin"), None, true),
        (None, Some(ORIGIN), true),
        (Some("same-origin"), Some("https://evil.test"), false),
        (Some("cross-site"), Some(ORIGIN), false),
        (Some("same-site"), None, false),
        (None, Some("null"), false),
        (None, None, false),
    ];
    for (site, origin, allowed) in rows {
        let mut headers = HeaderMap::new();
        if let Some(site) = site {
            headers.insert("sec-fetch-site", HeaderValue::from_static(site));
        }
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
        }
        assert_eq!(csrf::own(&Method::POST, &headers, ORIGIN), allowed, "{site:?} {origin:?}");
        assert!(csrf::own(&Method::GET, &headers, ORIGIN));
    }
    let mut headers = HeaderMap::new();
    headers.insert(header::COOKIE, HeaderValue::from_static("a=1; __Host-causeway=two; b=3"));
    assert_eq!(csrf::cookie(&headers, SESSION), Some("two"));
    assert_eq!(csrf::cookie(&headers, "__Host"), None);
}

/// Every kind of person, and what each may: read, read the network's, act, act for the network, unseal.
const PEOPLE: [(Role, Option<u32>, [bool; 5]); 7] = [
    (Role::Operator, None, [true, true, true, true, false]),
    (Role::BackOffice, None, [true, true, true, true, false]),
    (Role::BackOffice, Some(101), [true, false, true, false, false]),
    (Role::Compliance, Some(101), [true, false, true, false, true]),
    (Role::Auditor, None, [true, true, false, false, false]),
    (Role::Auditor, Some(101), [true, false, false, false, false]),
    (Role::Service, None, [false; 5]),
];

#[test]
fn roles_meet_what_they_are_meant_to() {
    for (role, participant, expected) in PEOPLE {
        assert!(Need::Open.met_by(role, participant));
        let met = Need::ALL.into_iter().skip(1).map(|need| need.met_by(role, participant));
        assert_eq!(met.collect::<Vec<_>>(), expected, "{role:?} {participant:?}");
    }
}

fn app() -> (App, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("accounts.toml");
    let hash = password::hash("a password of this test").unwrap();
    let text = format!("[[accounts]]\nname = \"Ana\"\npassword = \"{hash}\"\nrole = \"auditor\"\n");
    fs::write(&file, text).unwrap();
    let settings = read(&SETTINGS.replace("ACCOUNTS", file.to_str().unwrap())).unwrap();
    (App::new(&settings, Checks::new(&CONDITIONS)).unwrap(), folder)
}

/// A path of a route, with something in each place.
fn filled(path: &str) -> String {
    let uetr = "5b1e2c4a-0d3f-4a6b-8c7d-9e0f1a2b3c4d";
    let filled = path.replace("{uetr}", uetr).replace("{currency}", "HKD");
    let filled = filled.replace("{day}", "2026-11-25").replace("{debtor_agent}", "101");
    filled
        .split('/')
        .map(|part| if part.starts_with('{') { "1" } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

async fn asked(app: &App, request: axum::http::request::Builder, body: &str) -> Response {
    let from = SocketAddr::from(([127, 0, 0, 1], 50_000));
    let request = request.extension(ConnectInfo(from)).body(Body::from(body.to_owned())).unwrap();
    routes::router(app).oneshot(request).await.unwrap()
}

fn request(method: &Method, path: &str, token: Option<&str>) -> axum::http::request::Builder {
    let mut request = Request::builder().method(method).uri(filled(path));
    request = request.header("sec-fetch-site", "same-origin").header(header::ORIGIN, ORIGIN);
    request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    match token {
        Some(token) => request.header(header::COOKIE, format!("{SESSION}={token}")),
        None => request,
    }
}

#[tokio::test]
async fn each_route_refuses_each_role_that_does_not_meet_its_need() {
    let (app, _folder) = app();
    let mut refused = 0;
    for route in table() {
        for (role, participant, _) in PEOPLE {
            let own = actor(&format!("{role:?} {participant:?}"), role, participant);
            let token = app.sessions.open(own, "local", Instant::now()).unwrap();
            if route.need.met_by(role, participant) {
                continue;
            }
            let answer = asked(&app, request(&route.method, route.path, Some(&token)), "").await;
            let whom = format!("{} {} {role:?} {participant:?}", route.method, route.path);
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{whom}");
            refused += 1;
        }
    }
    // So many are refused, and no route is open by mistake.
    assert!(refused > 60, "{refused}");
    let open = table().into_iter().filter(|route| route.need == Need::Open);
    let open: Vec<&str> = open.map(|route| route.path).collect();
    assert!(open.iter().all(|path| path.starts_with("/assets/") || path.starts_with("/sign-in")));
}

#[tokio::test]
async fn nobody_gets_in_without_a_session_and_no_form_without_its_token() {
    let (app, _folder) = app();
    let ana = actor("ana", Role::Compliance, Some(101));
    let token = app.sessions.open(ana, "local", Instant::now()).unwrap();
    for route in table().into_iter().filter(|route| route.need != Need::Open) {
        let answer = asked(&app, request(&route.method, route.path, None), "").await;
        let (status, path) = (answer.status(), route.path);
        if route.method == Method::GET {
            assert_eq!(status, StatusCode::SEE_OTHER, "{path}");
            let to = answer.headers()[header::LOCATION].to_str().unwrap();
            assert!(to.starts_with("/sign-in"), "{path}: {to}");
            continue;
        }
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
        let foreign = request(&route.method, path, Some(&token));
        let answer = asked(&app, foreign, "csrf=another").await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
        let foreign = Request::builder().method("POST").uri(filled(path));
        let foreign = foreign
            .header(header::COOKIE, format!("{SESSION}={token}"))
            .header("sec-fetch-site", "cross-site")
            .header(header::ORIGIN, "https://evil.test");
        let answer = asked(&app, foreign, "").await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn every_answer_says_what_a_browser_must_not_do() {
    let (app, _folder) = app();
    for path in ["/sign-in", "/nowhere", "/assets/console.css", "/help"] {
        let answer = asked(&app, request(&Method::GET, path, None), "").await;
        let headers = answer.headers();
        let csp = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(csp.contains("default-src 'none'") && !csp.contains("unsafe"), "{path}: {csp}");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(headers.contains_key(header::STRICT_TRANSPORT_SECURITY), "{path}");
        let kept = headers[header::CACHE_CONTROL].to_str().unwrap();
        assert_eq!(kept == "no-store", !path.starts_with("/assets/"), "{path}: {kept}");
    }
}

#[tokio::test]
async fn a_wrong_password_and_a_wrong_name_are_told_alike_and_tries_run_out() {
    let (app, _folder) = app();
    let mut told = Vec::new();
    for name in ["ana", "nobody"] {
        let form = format!("name={name}&password=wrong");
        let answer = asked(&app, request(&Method::POST, "/sign-in", None), &form).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert!(!answer.headers().contains_key(header::SET_COOKIE));
        let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        told.push(String::from_utf8(body.into()).unwrap().replace(name, "NAME"));
    }
    assert_eq!(told[0], told[1]);
    let tries = Tries::new(SignIn { burst: 2, every_s: 3_600 });
    let from = |last| std::net::IpAddr::from([127, 0, 0, last]);
    assert!(tries.allows(from(1), "ana") && tries.allows(from(2), "ana"));
    assert!(!tries.allows(from(3), "ana"), "a name has as many tries from everywhere");
    assert!(tries.allows(from(1), "ben") && !tries.allows(from(1), "cleo"));
}

#[test]
fn passwords_are_known_by_their_hash_alone() {
    let hash = password::hash("correct horse").unwrap();
    assert!(password::readable(&hash) && hash.starts_with("$argon2id$"), "{hash}");
    assert!(!password::readable("correct horse") && !password::readable("$2b$10$abc"));
    assert!(password::verify(Some(&hash), "correct horse"));
    assert!(!password::verify(Some(&hash), "correct Horse") && !password::verify(None, "nobody"));
}

#[test]
fn an_account_runs_dry_when_its_flow_says_so() {
    let now = datetime!(2026-11-26 08:00 UTC);
    let hours = |hours: i64| hours * 3_600_000_000;
    let out = |net_out, over| Flow { net_out, over_micros: hours(over) };
    let rows = [
        (0, out(10, 1), RunOut::Empty),
        (-5, out(0, 1), RunOut::Empty),
        (100, out(0, 6), RunOut::Never),
        (100, out(-7, 6), RunOut::Never),
        (100, out(50, 6), RunOut::At(datetime!(2026-11-26 20:00 UTC))),
        (1, out(3, 1), RunOut::At(datetime!(2026-11-26 08:20 UTC))),
        // Beyond a week nothing is said, however large the numbers are.
        (100, out(1, 6), RunOut::Never),
        (i128::MAX, out(1, 6), RunOut::Never),
    ];
    for (available, flow, expected) in rows {
        assert_eq!(run_out(available, flow, now), expected, "{available} {flow:?}");
    }
    let cut_offs = [datetime!(2026-11-26 10:30 UTC), datetime!(2026-11-27 10:30 UTC)];
    let latest = |dry| latest_top_up(dry, &cut_offs, now);
    assert_eq!(latest(RunOut::Never), None);
    assert_eq!(latest(RunOut::Empty), Some(now));
    assert_eq!(latest(RunOut::At(datetime!(2026-11-27 09:00 UTC))), Some(cut_offs[0]));
    assert_eq!(latest(RunOut::At(datetime!(2026-11-28 00:00 UTC))), Some(cut_offs[1]));
    let before = datetime!(2026-11-26 09:00 UTC);
    assert_eq!(latest(RunOut::At(before)), Some(before), "no cut-off comes before it");
}

#[test]
fn sides_that_were_seen_over_different_times_are_stretched_to_one() {
    let side = |moved, over_micros| Side { moved, over_micros };
    assert_eq!(flow(side(100, 10), side(30, 60), 60).net_out, 600 - 30);
    assert_eq!(flow(side(100, 0), side(0, 60), 60).net_out, 0, "nothing was looked at");
    assert_eq!(flow(side(i128::MAX, 1), side(0, 1), 60).net_out, i128::MAX, "and never overflows");
}

#[test]
fn percentiles_are_nearest_ranks() {
    let hundred: Vec<i64> = (1..=100).collect();
    assert_eq!(
        [50, 95, 99, 100].map(|percent| percentile(&hundred, percent)),
        [Some(50), Some(95), Some(99), Some(100)]
    );
    assert_eq!(
        (percentile(&[7], 50), percentile(&[7], 99), percentile(&[], 50)),
        (Some(7), Some(7), None)
    );
}

#[test]
fn amounts_and_times_read_as_people_write_them() {
    let rows = [
        (123_456_789, 2, "1,234,567.89"),
        (-5, 2, "−0.05"),
        (1_000, 0, "1,000"),
        (999, 3, "0.999"),
    ];
    for (units, exponent, text) in rows {
        assert_eq!(view::money(units, exponent), text);
    }
    assert_eq!(view::grouped("-1234567.80"), "−1,234,567.80");
    assert_eq!(
        [Some(950), Some(12_400), Some(2_540_000), None].map(view::latency),
        ["950 µs", "12 ms", "2.5 s", "–"]
    );
    assert_eq!(view::long(time::Duration::seconds(93_784)), "1 d 2 h");
    assert_eq!(view::words("MISSING_IN_LEDGER"), "Missing in ledger");
    assert_eq!(view::state(3), "Credited");
}

#[test]
fn plots_hold_no_style_and_no_size_of_their_own() {
    let names = ["a", "b", "c"].map(str::to_owned);
    let series =
        [3, 7].map(|value| plot::Series { name: "of <&>".to_owned(), values: vec![value, 1, 0] });
    for drawn in [plot::lines("A <b>", &names, &series), plot::columns("A <b>", &names, &series)] {
        let svg = drawn.unwrap();
        assert!(
            svg.starts_with("<svg class=\"plot\" role=\"img\" aria-label=\"A &lt;b>\""),
            "{svg}"
        );
        assert!(!svg.contains("style=") && svg.contains("#010101") && svg.contains("#020202"));
    }
    assert_eq!(plot::lines("none", &[], &series), None);
    assert_eq!(plot::columns("none", &[], &series), None);
}

#[test]
fn wrong_settings_name_their_field() {
    let rows = [
        (
            "public_url = \"https://console.test:8443\"",
            "public_url = \"http://console.test\"",
            "public_url",
        ),
        (
            "public_url = \"https://console.test:8443\"",
            "public_url = \"https://console.test/a\"",
            "public_url",
        ),
        ("accounts = \"ACCOUNTS\"", "", "accounts"),
        ("listen =", "listens =", "listens"),
        ("[https]", "[sessions]\nidle_s = 5\n[https]", "sessions.idle_s"),
        ("[https]", "[sessions]\nabsolute_s = 90000\n[https]", "sessions.absolute_s"),
        ("[https]", "[sessions]\nper_person_max = 0\n[https]", "sessions.per_person_max"),
        ("[https]", "[sign_in]\nburst = 0\n[https]", "sign_in"),
        (
            "[https]",
            "[[party_stores]]\nparticipant = 1\ndatabase_url = \"x\"\nschema = \"a;b\"\n[https]",
            "party_stores.schema",
        ),
        (
            "[https]",
            "[oidc]\nissuer = \"http://id.example\"\nclient_id = \"c\"\ngrants = []\n[https]",
            "oidc.issuer",
        ),
        (
            "[https]",
            "[oidc]\nissuer = \"http://localhost:9\"\nclient_id = \"c\"\ngrants = []\n[https]",
            "oidc.grants",
        ),
        (
            "[https]",
            "[oidc]\nissuer = \"https://id.test\"\nclient_id = \"c\"\ngrants = []\n[https]",
            "oidc.ca",
        ),
        (
            "[https]",
            "[oidc]\nissuer = \"http://localhost:9\"\nclient_id = \"c\"\n\
             grants = [{ group = \"g\", role = \"compliance\" }]\n[https]",
            "oidc.grants: compliance works for one participant",
        ),
    ];
    assert!(read(SETTINGS).is_ok());
    for (from, to, field) in rows {
        assert!(SETTINGS.contains(from), "{from}");
        let error = read(&SETTINGS.replace(from, to)).unwrap_err();
        assert!(error.contains(field), "{to}: {error}");
    }
}

#[test]
fn wrong_accounts_are_named_and_no_hash_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("accounts.toml");
    let hash = password::hash("x").unwrap();
    let account = |name: &str, rest: &str| format!("[[accounts]]\nname = \"{name}\"\n{rest}\n");
    let good = format!("password = \"{hash}\"\nrole = \"operator\"");
    let rows = [
        (account("ana", &good) + &account("Ana", &good), "ana: stands there twice"),
        (account("ana", "password = \"hunter2\"\nrole = \"operator\""), "ana: password"),
        (account("ana", &format!("{good}\nparticipant = 3")), "works for the whole network"),
        (account("ana", &format!("password = \"{hash}\"\nrole = \"king\"")), "king"),
        (account("", &good), "name"),
    ];
    for (text, expected) in rows {
        fs::write(&file, text).unwrap();
        let error = Accounts::load(&file).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("argon2id$"), "{error}");
        assert!(error.contains("accounts.toml"), "{error}");
    }
}

//! Traces, metrics and health of a running network: a collector gets one transfer's spans from the wallet's to reconciliation's, none says who pays whom; every page says what its service does.
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{KeyValue, any_value::Value as Any},
    trace::v1::Span,
};
use reqwest::Method;
use serde_json::{Value, json};
use services_cli::{
    demo::{network::Running, postgres::Postgres},
    wallet::{Seen, Wallet},
};
use services_runtime::{
    receive::{Call, receive},
    telemetry::{Measured, Metric},
};
use tests::fresh_uetr;
use tokio::{net::TcpListener, sync::mpsc};
use tonic::{Request, Response, Status};

const PATIENCE: Duration = Duration::from_secs(90);
/// The example of W3C Trace Context, section 3.2.3: the wallet's own span.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

const HONG_KONG: &str = "participants/HK/gateway.toml";
const BANK: &str = "participants/A/fx.toml";
const RECONCILIATION: &str = "reconciliation/reconciliation.toml";
const NODE: &str = "nodes/1/node.toml";

/// A span that came, and of which service.
#[derive(Clone, Debug)]
struct Came {
    service: String,
    instance: String,
    span: Span,
}

impl Came {
    fn trace(&self) -> String {
        hex(&self.span.trace_id)
    }

    fn says(&self, key: &str) -> Option<String> {
        self.span.attributes.iter().find(|attribute| attribute.key == key).map(said)
    }

    /// Service, name and, if it has one, the kind of its item or record.
    fn what(&self) -> String {
        let kind = self.says("causeway.item.kind").or_else(|| self.says("causeway.record.kind"));
        let kind = kind.map(|kind| format!(" {}", inner(&kind))).unwrap_or_default();
        format!("{} {} {}{kind}", self.service, self.instance, self.span.name)
    }

    fn links_to(&self, trace: &str, span: &str) -> bool {
        let mut links = self.span.links.iter();
        links.any(|link| hex(&link.trace_id) == trace && hex(&link.span_id) == span)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `Accept` of `Some(Accept)` and of `Item(Accept)`.
fn inner(kind: &str) -> &str {
    kind.rsplit('(').next().unwrap().trim_end_matches(')')
}

fn said(attribute: &KeyValue) -> String {
    match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(text)) => text.clone(),
        Some(Any::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

/// What an OpenTelemetry collector is to those who send to it.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Came>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut came = self.0.lock().unwrap();
        for resource in request.into_inner().resource_spans {
            let attributes = resource.resource.unwrap().attributes;
            let of = |key: &str| said(attributes.iter().find(|row| row.key == key).unwrap());
            let (service, instance) = (of("service.name"), of("service.instance.id"));
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                came.push(Came { service: service.clone(), instance: instance.clone(), span });
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    async fn start() -> (Self, SocketAddr) {
        let collector = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = TraceServiceServer::new(collector.clone());
        let incoming = tonic::transport::server::TcpIncoming::from(listener);
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(incoming));
        (collector, address)
    }

    fn of(&self, trace: &str) -> Vec<Came> {
        let came = self.0.lock().unwrap();
        came.iter().filter(|came| came.trace() == trace).cloned().collect()
    }

    /// Waits until a trace has all of these.
    async fn until(&self, trace: &str, wanted: &[&str]) -> Vec<Came> {
        let end = Instant::now() + PATIENCE;
        loop {
            let came = self.of(trace);
            let what: BTreeSet<_> = came.iter().map(Came::what).collect();
            let missing: Vec<_> = wanted.iter().filter(|wanted| !what.contains(**wanted)).collect();
            if missing.is_empty() {
                return came;
            }
            assert!(Instant::now() < end, "{missing:?} did not come, but {what:#?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Adds `[telemetry]` to every settings file of a network.
fn traced(network: &Path, collector: SocketAddr) {
    let text = format!("\n[telemetry]\notlp_endpoint = \"http://{collector}\"\n");
    let folders = ["nodes", "participants"].into_iter().flat_map(|name| {
        std::fs::read_dir(network.join(name)).unwrap().map(|entry| entry.unwrap().path())
    });
    for folder in folders.chain([network.join("reconciliation")]) {
        for name in ["node.toml", "gateway.toml", "fx.toml", "reconciliation.toml"] {
            let file = folder.join(name);
            if file.exists() {
                let former = std::fs::read_to_string(&file).unwrap();
                std::fs::write(&file, former + &text).unwrap();
            }
        }
    }
}

fn order() -> Value {
    json!({
        "uetr": fresh_uetr(),
        "creditor_agent": "102",
        "interbank_settlement_amount": { "amount": "4123.00", "currency": "PHP" },
        "payout_method": "wallet",
        "purpose": "GIFT",
        "debtor": { "name": "Ada Testperson", "account": "+85290000001" },
        "creditor": { "name": "Bea Testperson", "account": "+639000000001" },
    })
}

/// What no span may hold: names, accounts, amounts, credentials.
fn secrets(running: &Running) -> Vec<String> {
    let info = running.info();
    let own = ["api_key", "manage_key"].map(|name| info["gateways"]["HK"][name].clone());
    let own = own.iter().map(|key| key.as_str().unwrap().to_owned());
    let order = ["Ada", "Bea", "Testperson", "85290000001", "639000000001", "4123", "412300"];
    own.chain(order.map(str::to_owned)).collect()
}

async fn receiver() -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (calls, mut queue) = mpsc::channel::<Call>(64);
    let (said, came) = mpsc::channel(256);
    tokio::spawn(receive(listener, calls));
    tokio::spawn(async move {
        while let Some(call) = queue.recv().await {
            let parent = call.headers.get("traceparent").cloned().unwrap_or_default();
            let _gone = said.send(parent).await;
            let _gone = call.answer.send(204);
        }
    });
    (port, came)
}

/// Creates a transfer as part of the wallet's own span.
async fn create(running: &Running, order: &Value, traceparent: &str) -> (u16, Value) {
    let info = running.info();
    let of = |name: &str| info["gateways"]["HK"][name].as_str().unwrap().to_owned();
    let client = services_runtime::tls::http_client(&running.ca()).unwrap();
    let answer = client
        .post(format!("{}/v1/transfers", of("url")))
        .bearer_auth(of("api_key"))
        .header("idempotency-key", format!("\"{}\"", fresh_uetr()))
        .header("traceparent", traceparent)
        .json(order)
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn telemetry_of_a_transfer_from_the_wallet_to_reconciliation() {
    services_runtime::tls::install_default_provider();
    let (collector, address) = Collector::start().await;
    let postgres = Postgres::shared().unwrap();
    let url = postgres.database().await.unwrap();
    let prepare = |network: &Path| {
        traced(network, address);
        Ok(())
    };
    let mut running = Running::start(Some(url), prepare).await.unwrap();
    let wallet = running.wallet("HK").unwrap();
    let before = scraped(&running, HONG_KONG).await;
    let (port, mut hooks) = receiver().await;
    let hook = json!({ "url": format!("http://127.0.0.1:{port}/hooks") });
    let (status, made) =
        manage(&running).send(Method::POST, "/v1/webhooks", None, Some(&hook)).await.unwrap();
    assert_eq!(status.as_u16(), 201, "{made}");

    let order = order();
    let uetr = order["uetr"].as_str().unwrap();
    let (status, body) = create(&running, &order, &format!("00-{TRACE}-{SPAN}-01")).await;
    assert_eq!(status, 201, "{body}");
    let last = wallet.follow(uetr, PATIENCE, Seen::ended).await;
    assert_eq!(last.status, "CREDITED", "{}", last.body);
    let trace = last.body["trace_id"].as_str().unwrap().to_owned();
    assert_ne!(trace, TRACE, "a transfer's life has a trace of its own");
    every_participant_names_it(&running, uetr, &trace).await;

    wallets_trace_goes_on(&collector).await;
    let spans = life(&collector, &trace).await;
    hooks_are_of_it(&mut hooks, &trace).await;
    for came in spans.iter().chain(&collector.of(TRACE)) {
        says_nothing_of_people(came, &secrets(&running));
    }
    a_problem_names_the_wallets_trace(&running).await;
    moved(&running, &before).await;
    every_page_is_described(&running).await;
    running.stop();
}

fn manage(running: &Running) -> Wallet {
    let info = running.info();
    let of = |name: &str| info["gateways"]["HK"][name].as_str().unwrap().to_owned();
    Wallet::new(&running.ca(), of("url"), of("manage_key")).unwrap()
}

async fn every_participant_names_it(running: &Running, uetr: &str, trace: &str) {
    for label in ["HK", "PH"] {
        let wallet = running.wallet(label).unwrap();
        let path = format!("/v1/transfers/{uetr}/timeline");
        let (_, timeline) = wallet.send(Method::GET, &path, None, None).await.unwrap();
        let lines = timeline.as_array().unwrap();
        assert!(!lines.is_empty() && lines.iter().all(|line| line["trace_id"] == trace), "{label}");
    }
}

/// The wallet's trace: the request within its span, and the quote within the request's.
async fn wallets_trace_goes_on(collector: &Collector) {
    let wanted = ["causeway-gateway 101 http.request", "causeway-fx 201 fx.quote"];
    let came = collector.until(TRACE, &wanted).await;
    let find = |what: &str| came.iter().find(|came| came.what() == what).unwrap();
    let (request, quote) = (find(wanted[0]), find(wanted[1]));
    assert_eq!(hex(&request.span.parent_span_id), SPAN);
    assert_eq!(quote.span.parent_span_id, request.span.span_id);
    assert_eq!(request.says("http.route").as_deref(), Some("/v1/transfers"));
    assert_eq!(request.says("http.response.status_code").as_deref(), Some("201"));
}

/// The transfer's trace: each step once at least, all within the root, which links to the wallet's.
async fn life(collector: &Collector, trace: &str) -> Vec<Came> {
    let commits: Vec<_> =
        (1..=3).map(|node| format!("causeway-ledger {node} ledger.commit")).collect();
    let wanted = [
        "causeway-gateway 101 transfer",
        "causeway-gateway 101 ledger.submit Submit",
        "causeway-gateway 102 transfer.decide",
        "causeway-gateway 102 ledger.submit Accept",
        "causeway-gateway 102 transfer.book",
        "causeway-gateway 102 ledger.submit Confirm",
        "causeway-gateway 101 transfer.book",
        "causeway-gateway 101 webhook.deliver",
        "causeway-reconciliation 1 reconciliation.book Submit",
        "causeway-reconciliation 1 reconciliation.book Accept",
        "causeway-reconciliation 1 reconciliation.book Confirm",
    ];
    collector.until(trace, &wanted).await;
    let end = Instant::now() + PATIENCE;
    let came = loop {
        let came = collector.of(trace);
        let has = |kind: &str| {
            let wanted =
                |came: &Came| commits.iter().any(|at| came.what() == format!("{at} {kind}"));
            came.iter().any(wanted)
        };
        if ["Submit", "Accept", "Confirm"].into_iter().all(has) {
            break came;
        }
        assert!(Instant::now() < end, "the ledger's spans did not come");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let root = came.iter().find(|came| came.span.name == "transfer").unwrap();
    assert!(root.span.parent_span_id.is_empty(), "{root:?}");
    assert!(root.span.links.iter().any(|link| hex(&link.trace_id) == TRACE), "{root:?}");
    assert_eq!(root.says("causeway.status").as_deref(), Some("SETTLED"));
    let ids: BTreeMap<_, _> = came.iter().map(|came| (&came.span.span_id, came)).collect();
    assert_eq!(ids.len(), came.len(), "every span has an id of its own");
    for span in came.iter().filter(|came| came.span.name != "transfer") {
        let parent = ids.get(&span.span.parent_span_id).unwrap();
        assert!(parent.span.name == "transfer" || parent.span.name == "ledger.submit", "{span:?}");
        assert!(span.span.end_time_unix_nano >= span.span.start_time_unix_nano);
    }
    let submit = came.iter().find(|came| came.what().ends_with("ledger.submit Submit")).unwrap();
    let request = collector.of(TRACE).into_iter().find(|came| came.span.name == "http.request");
    let request = hex(&request.unwrap().span.span_id);
    assert!(submit.links_to(TRACE, &request), "{submit:?}");
    came
}

/// Every webhook about the transfer names its trace.
async fn hooks_are_of_it(hooks: &mut mpsc::Receiver<String>, trace: &str) {
    let wanted = format!("00-{trace}-");
    let came = async {
        while let Some(parent) = hooks.recv().await {
            if parent.starts_with(&wanted) && parent.ends_with("-01") {
                return true;
            }
        }
        false
    };
    assert!(tokio::time::timeout(PATIENCE, came).await.unwrap());
}

fn says_nothing_of_people(came: &Came, secrets: &[String]) {
    let status = came.span.status.as_ref().map(|status| status.message.clone());
    let texts = came.span.attributes.iter().map(|row| (row.key.clone(), said(row)));
    for (key, text) in texts.chain(status.map(|text| ("status".to_owned(), text))) {
        // Identifiers are random: they may hold any digits, but say nothing.
        if key == "causeway.uetr" || key == "causeway.request" {
            assert_eq!(text.len(), 36, "{key} {text}");
            continue;
        }
        for secret in secrets {
            assert!(!text.contains(secret.as_str()), "{key} of {} holds {secret}", came.what());
        }
    }
}

async fn a_problem_names_the_wallets_trace(running: &Running) {
    let mut order = order();
    order["creditor_agent"] = json!("999");
    let (status, problem) = create(running, &order, &format!("00-{TRACE}-{SPAN}-00")).await;
    assert_eq!((status, &problem["trace_id"]), (422, &json!(TRACE)), "{problem}");
    let (_, problem) = create(running, &order, "rubbish").await;
    let own = problem["trace_id"].as_str().unwrap();
    assert!(own.len() == 32 && own != TRACE, "{problem}");
}

/// A page of a service at the address of its settings.
async fn page(running: &Running, settings: &str, path: &str) -> (u16, String) {
    let text = std::fs::read_to_string(running.folder.path.join(settings)).unwrap();
    let settings: toml::Table = text.parse().unwrap();
    let address = settings["health_listen"].as_str().unwrap();
    let client = services_runtime::tls::http_builder().build().unwrap();
    let answer = client.get(format!("http://{address}{path}")).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Samples of a page in Prometheus' text format, by name with labels.
async fn scraped(running: &Running, settings: &str) -> BTreeMap<String, f64> {
    let (status, text) = page(running, settings, "/metrics").await;
    assert_eq!(status, 200);
    let samples = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    samples
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

async fn moved(running: &Running, before: &BTreeMap<String, f64>) {
    const CREATED: &str =
        "causeway_gateway_requests_total{method=\"POST\",route=\"/v1/transfers\",status=\"201\"}";
    let after = scraped(running, HONG_KONG).await;
    assert!(!before.contains_key(CREATED) && after[CREATED] >= 1.0, "{after:#?}");
    let sum = |samples: &BTreeMap<String, f64>, name: &str| -> f64 {
        samples.iter().filter(|(key, _)| key.starts_with(name)).map(|(_, value)| value).sum()
    };
    for name in [
        "causeway_gateway_finality_seconds_count{corridor=",
        "causeway_gateway_quotes_total{outcome=\"given\"}",
        "causeway_gateway_webhooks_total{outcome=\"delivered\"}",
        "telemetry_spans_exported_total{outcome=\"sent\"}",
    ] {
        assert!(sum(&after, name) > sum(before, name), "{name} did not move");
    }
    assert!(
        after["process_ready"] >= 1.0 && after["causeway_gateway_outbox_oldest_seconds"] < 90.0
    );
    let certificate = |(name, _): &(&String, &f64)| name.starts_with("tls_certificate_not_after");
    let certificate = after.iter().find(certificate).map(|(_, ends)| *ends).unwrap();
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    assert!(certificate > f64::from(u32::try_from(now).unwrap()), "it has not ended yet");
}

/// Every sample of every page is of a metric that its service declares, and has its line of help.
async fn every_page_is_described(running: &Running) {
    let pages: [(&str, &[Metric]); 4] = [
        (NODE, ledger_node::measure::METRICS),
        (HONG_KONG, gateway::measure::METRICS),
        (BANK, services_fx::measure::METRICS),
        (RECONCILIATION, services_reconciliation::measure::METRICS),
    ];
    for (settings, own) in pages {
        let (_, text) = page(running, settings, "/metrics").await;
        let declared = own.iter().chain(services_runtime::telemetry::METRICS);
        let declared: BTreeMap<_, _> = declared.map(|row| (row.0, row.1)).collect();
        let mut seen = 0;
        for line in text.lines().filter(|line| line.starts_with("# TYPE ")) {
            let mut words = line.split(' ').skip(2);
            let (name, kind) = (words.next().unwrap(), words.next().unwrap());
            let wanted = match declared.get(name) {
                Some(Measured::Counter) => "counter",
                Some(Measured::Gauge) => "gauge",
                Some(Measured::Histogram) => "histogram",
                None => panic!("{settings}: {name} is declared nowhere"),
            };
            assert_eq!(kind, wanted, "{settings}: {name}");
            assert!(text.contains(&format!("# HELP {name} ")), "{settings}: {name} has no help");
            seen += 1;
        }
        assert!(seen > 5, "{settings} shows {seen} metrics");
    }
}

/// Each check of a page by name: whether it holds, and since when.
async fn checks(running: &Running, settings: &str) -> (u16, BTreeMap<String, (bool, u64)>) {
    let (status, text) = page(running, settings, "/readyz").await;
    let report: Value = serde_json::from_str(&text).unwrap();
    let said = if status == 200 { "ready" } else { "not ready" };
    assert_eq!(report["status"], said, "{text}");
    let checks = report["checks"].as_array().unwrap().iter().map(|check| {
        let since = check["since_ms"].as_u64().unwrap();
        (check["name"].as_str().unwrap().to_owned(), (check["holds"].as_bool().unwrap(), since))
    });
    (status, checks.collect())
}

async fn until(running: &Running, settings: &str, ready: bool) -> BTreeMap<String, (bool, u64)> {
    let end = Instant::now() + PATIENCE;
    loop {
        let (status, checks) = checks(running, settings).await;
        if (status == 200) == ready {
            return checks;
        }
        assert!(Instant::now() < end, "{settings}: {checks:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn telemetry_says_who_is_ready_and_since_when() {
    services_runtime::tls::install_default_provider();
    let postgres = Postgres::start().unwrap();
    let url = postgres.database().await.unwrap();
    // Nobody listens there: what cannot be sent is lost, and holds up nothing.
    let prepare = |network: &Path| {
        traced(network, "127.0.0.1:9".parse().unwrap());
        Ok(())
    };
    let mut running = Running::start(Some(url), prepare).await.unwrap();
    let wanted: [(&str, &[&str]); 4] = [
        (NODE, &ledger_node::CONDITIONS),
        (HONG_KONG, &gateway::CONDITIONS),
        (BANK, &services_fx::CONDITIONS),
        (RECONCILIATION, &services_reconciliation::CONDITIONS),
    ];
    for (settings, names) in wanted {
        let checks = until(&running, settings, true).await;
        for name in names {
            assert!(checks[*name].0, "{settings}: {name} of {checks:?}");
        }
        let (status, live) = page(&running, settings, "/healthz").await;
        assert_eq!((status, live.as_str()), (200, r#"{"status":"live","checks":[]}"#));
    }
    let before = until(&running, HONG_KONG, true).await;
    postgres.crash().unwrap();
    let away = until(&running, HONG_KONG, false).await;
    assert!(!away["database"].0 && away["database"].1 > before["database"].1, "{away:?}");
    assert!(away["network"].0, "the ledger needs no Postgres: {away:?}");
    until(&running, RECONCILIATION, false).await;
    postgres.resume().unwrap();
    let back = until(&running, HONG_KONG, true).await;
    assert!(back["database"].1 >= away["database"].1, "{back:?}");
    until(&running, RECONCILIATION, true).await;
    let order = order();
    let wallet = running.wallet("HK").unwrap();
    let (status, body) = wallet.create(&order, PATIENCE).await.unwrap();
    assert!(status.is_success(), "{body}");
    let last = wallet.follow(order["uetr"].as_str().unwrap(), PATIENCE, Seen::ended).await;
    assert_eq!(last.status, "CREDITED", "{}", last.body);
    running.stop();
}

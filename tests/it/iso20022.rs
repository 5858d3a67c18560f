//! ISO 20022 through a running gateway: published samples, the same re-written, and bad input; it
//! knows the demonstration's network and nothing of a gateway's inside.
mod life_cycle;
mod refusals;
mod rewritten;
mod samples;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use proto::ledger::{GetRootRequest, GetStatusRequest};
use services_cli::{
    demo::{network::Running, postgres::Postgres},
    wallet::{Seen, Wallet},
};
use services_iso20022::{
    pacs002::PACS_002,
    xml::{self, Element},
};

const PATIENCE: Duration = Duration::from_secs(20);
const NODES: usize = 3;
const XML: Option<&str> = Some("application/xml");

/// One network for all of it: its sections say in turn that nothing changed.
#[tokio::test(flavor = "multi_thread")]
async fn iso20022_samples() {
    let shared = shared_data();
    let postgres = Postgres::shared().unwrap();
    let url = postgres.database().await.unwrap();
    let running = Running::start(Some(url), |_| Ok(())).await.unwrap();
    let mut world = World { running, shared };
    // First: a question that follows another one by some seconds has the bank's quote renewed behind its back.
    refusals::a_quote_bounds_the_debit(&world).await;
    if let Some(folder) = world.samples_folder() {
        samples::every_sample_gets_the_predicted_answer(&world, &folder).await;
        rewritten::ten_samples_settle(&world, &folder).await;
    }
    refusals::bad_input_gets_the_documented_code(&world).await;
    refusals::a_repeat_is_the_first_and_another_content_is_refused(&world).await;
    life_cycle::a_transfer_is_asked_about_shown_and_returned(&world).await;
    life_cycle::a_recall_cancels_what_is_not_accepted(&world).await;
    world.running.stop();
}

struct World {
    running: Running,
    shared: Option<PathBuf>,
}

/// What a gateway answered.
#[derive(Debug)]
struct Answer {
    status: u16,
    kind: String,
    text: String,
}

impl World {
    fn samples_folder(&self) -> Option<PathBuf> {
        let folder = self.shared.as_ref().map(|shared| shared.join("samples-open"));
        let folder = folder.filter(|folder| folder.is_dir());
        if folder.is_none() {
            tests::skipped("the published samples are not beside the project");
        }
        folder
    }

    fn wallet(&self, label: &str) -> Wallet {
        self.running.wallet(label).unwrap()
    }

    /// Posts a body as any client would, with the gateway's own key unless told otherwise.
    async fn post(
        &self,
        label: &str,
        kind: Option<&str>,
        body: impl Into<Vec<u8>>,
        key: Option<&str>,
    ) -> Answer {
        let info = self.running.info();
        let gateway = &info["gateways"][label];
        let client = services_runtime::tls::http_client(&self.running.ca()).unwrap();
        let url = format!("{}/v1/iso20022", gateway["url"].as_str().unwrap());
        let key = key.unwrap_or(gateway["api_key"].as_str().unwrap());
        let mut request = client.post(url).bearer_auth(key).body(body.into());
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let response = request.send().await.unwrap();
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        let status = response.status().as_u16();
        Answer { status, kind, text: response.text().await.unwrap() }
    }

    /// The ledger's records and their root, as of the node that has the most.
    async fn root(&self) -> (u64, Vec<u8>) {
        let mut most = (0, 1);
        for node in 1..=NODES {
            let mut admin = self.running.operator.admin(node).unwrap();
            let status = admin.get_status(GetStatusRequest {}).await.unwrap().into_inner();
            most = most.max((status.records, node));
        }
        let (records, node) = most;
        let mut admin = self.running.operator.admin(node).unwrap();
        let root = admin.get_root(GetRootRequest { records }).await.unwrap().into_inner();
        (root.records, root.root.to_vec())
    }

    async fn ended(&self, label: &str, uetr: &str) -> Seen {
        self.wallet(label).follow(uetr, PATIENCE, Seen::ended).await
    }

    /// Reads the pacs.002 of an answer, which must be valid by xmllint too.
    fn report(&self, answer: &Answer, context: &str) -> Report {
        let text = &answer.text;
        assert_eq!((answer.status, &*answer.kind), (200, "application/xml"), "{context}: {text}");
        if let Some(shared) = &self.shared {
            valid(shared, "Document", PACS_002, text, context);
            if text.contains("<AppHdr ") {
                valid(shared, "AppHdr", "head.001.001.02", text, context);
            }
        }
        Report(xml::read(text.as_bytes()).unwrap().remove(0))
    }
}

/// A pacs.002.
#[derive(Debug)]
struct Report(Element);

impl Report {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.find(name).map(|element| element.text.trim())
    }

    /// Status, and reason if there is one.
    fn verdict(&self) -> (&str, &str) {
        let reason = self.0.find("StsRsnInf").and_then(|reason| reason.at(&["Rsn", "Cd"]));
        (self.text("TxSts").unwrap(), reason.map_or("", |code| code.text.trim()))
    }

    fn words(&self) -> String {
        let reason = self.0.find("StsRsnInf");
        let lines = reason.into_iter().flat_map(|reason| reason.children_named("AddtlInf"));
        lines.map(|line| line.text.trim()).collect::<Vec<_>>().join(" ")
    }
}

/// The folder of published schemas and samples beside the project.
pub(crate) fn shared_data() -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("shared/data"))
        .find(|folder| folder.join("iso20022-xsd").is_dir());
    if found.is_none() {
        tests::skipped("the published schemas are not beside the project");
    }
    found
}

/// Fails if xmllint finds an element of an answer invalid. xmllint is one of the prerequisites.
pub(crate) fn valid(shared: &Path, element: &str, schema: &str, text: &str, context: &str) {
    let (start, end) = (format!("<{element} "), format!("</{element}>"));
    let from = text.find(&start).unwrap_or_else(|| panic!("{context}: no {element}: {text}"));
    let to = text.find(&end).unwrap() + end.len();
    let mut lint = Command::new("xmllint")
        .args(["--nonet", "--noout", "--schema"])
        .arg(shared.join(format!("iso20022-xsd/{schema}.xsd")))
        .arg("-")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("deploy/prerequisites.sh installs xmllint");
    lint.stdin.take().unwrap().write_all(&text.as_bytes()[from..to]).unwrap();
    let output = lint.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{context}: {errors}\n{text}");
}

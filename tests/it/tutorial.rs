//! Tutorials and recipes as a newcomer follows them: every command of their pages and every program beside them, against real networks; what they print is what the pages say.
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use services_cli::demo::{network::Running, postgres::Postgres, processes::binary};
use tempfile::TempDir;
use tests::skipped;

use crate::{readme::blocks, tidy::root, webhooks::python};

/// What each recipe prints, whatever its identifiers, times and rates.
const RECIPES: &[(&str, &[&str])] = &[
    ("retries", &["is one transfer", "changed   IDEMPOTENCY_KEY_REUSED", "end       CREDITED"]),
    ("timeouts", &["lost      ", "found     ", "end       CREDITED", "away      GET /v1/balances"]),
    (
        "quotes",
        &["price     HKD ", "anew      QUOTE_OVERDRAWN", "at most   DEBIT_LIMIT_EXCEEDED (AM14)"],
    ),
    (
        "signatures",
        &["unsigned  SIGNATURE_REQUIRED", "signed    CREDITED", "another   SIGNATURE_INVALID"],
    ),
    ("returns", &["early     cancelled", "late      recalled", "returned  HKD "]),
    (
        "batches",
        &[
            "the same file is the same batch",
            "ended     5 CREDITED, 1 REJECTED",
            "rejected  row 3: ACCOUNT_REFUSED (AC01) debtor.account",
        ],
    ),
];

const WEBHOOKS: &[&str] =
    &["taken     transfer.", "transfer.credited", "none refused", "were skipped; parked 0"];

const WALLET: &[&str] = &[
    "quote     HKD ",
    "again     the same request is the same transfer",
    "tracking  credited, with the creditor",
    "transfer.credited, signature verified",
    "cancel    CANCELLED, CUST: nothing moved",
    "return    CREDITED: HKD ",
    "refused   422 ACCOUNT_REFUSED: debtor.account",
];

const BANK: &[&str] = &[
    "event=held",
    "event=beneficiary_credited",
    "status=REJECTED  iso_status=RJCT  reason=AC04",
    "status=SETTLED  iso_status=ACWP",
    "status=CREDITED  iso_status=ACCC",
    "code=RETURN_EXCEEDS_ORIGINAL",
    "status=open  amount=PHP 1500.00",
    "status=accepted  return_uetr=",
    "<TxSts>ACSP</TxSts>",
    "<Nm>Ada Testperson</Nm>",
    "<Amt Ccy=\"PHP\">4100.00</Amt>",
    "<TxSts>ACCC</TxSts>",
    "<TxSts>ACSC</TxSts>",
    "<TxCxlSts>PDCR</TxCxlSts>",
    "<TxCxlSts>RJCR</TxCxlSts>",
    "code=PICKUP_CODE_WRONG",
    "status=CREDITED  iso_status=CPUC",
];

const COMPLIANCE: &[&str] = &[
    "accounts_that_differ",
    "causeway_reconciliation_tie_out_failures_total 0",
    "causeway_reconciliation_mismatches 0",
    "Demo Wallet Philippines",
    "ledger.records is append-only: DELETE refused",
    "records of node",
    "equal: ",
];

const OPERATOR: &[&str] = &[
    "founded: 61 records",
    "funded, record 61",
    "causeway_ledger_submits_total",
    "ids used so far: [1, 2, 3]",
    "unreachable",
    "made nodes/4",
    "which is out for ever",
    "ids used so far: [1, 2, 3, 4]",
    "sound: 67 records",
    "equal: 67 records",
];

/// A page's pace is a reader's, and a busy machine's is slower: half a minute to decide, not ten
/// seconds; a quote holds for fifty.
fn patient(network: &Path) -> anyhow::Result<()> {
    let file = network.join("plan.toml");
    let plan = fs::read_to_string(&file)?;
    anyhow::ensure!(plan.contains("hold_seconds = 10"), "the plan's holds have changed");
    Ok(fs::write(&file, plan.replace("hold_seconds = 10", "hold_seconds = 30"))?)
}

/// A folder in which a page's commands find what they name, and leave what they make.
fn desk() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    symlink(root().canonicalize().unwrap().join("docs"), folder.path().join("docs")).unwrap();
    folder
}

/// A program that writes only there, and finds ours where a build puts it.
fn program(name: &Path, desk: &Path) -> Command {
    let target = binary().unwrap().ancestors().nth(2).unwrap().to_owned();
    let mut command = Command::new(name);
    command
        .current_dir(desk)
        .stdin(Stdio::null())
        .env("TMPDIR", desk)
        .env("CARGO_TARGET_DIR", target)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Runs it to its end, and finds all of this in what it says.
async fn says(mut command: Command, words: &[&str]) {
    let shown = format!("{command:?}");
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{shown}\n{said}");
    for word in words {
        assert!(said.contains(word), "{word} is missing\n{said}");
    }
}

/// Every command of a page, as one script; those that `make` something are a test's own doing.
async fn page(name: &str, desk: &Path, words: &[&str]) {
    let text = fs::read_to_string(desk.join("docs/tutorials").join(name)).unwrap();
    let blocks = blocks(&text).into_iter().filter(|block| !block.starts_with("make "));
    // A page that breaks off leaves nothing running.
    let script = ["trap 'kill $(jobs -p) 2>/dev/null || true' EXIT".to_owned()];
    let script = script.into_iter().chain(blocks).collect::<Vec<_>>().join("\n");
    let mut bash = program(Path::new("bash"), desk);
    bash.args(["-euo", "pipefail", "-c", &script]);
    says(bash, words).await;
}

async fn python_says(python: &Path, file: &str, desk: &Path, words: &[&str]) {
    let mut command = program(python, desk);
    command.arg(format!("docs/{file}")).arg("demo.json");
    says(command, words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tutorial_pages_and_recipes_do_what_they_say() {
    let postgres = Postgres::shared().unwrap();
    let url = postgres.database().await.unwrap();
    let mut running = Running::start(Some(url), patient).await.unwrap();
    let desk = desk();
    let at = desk.path();
    fs::write(at.join("demo.json"), running.info().to_string()).unwrap();
    if let Some(python) = python() {
        python_says(&python, "tutorials/wallet.py", at, WALLET).await;
        python_says(&python, "recipes/webhooks.py", at, WEBHOOKS).await;
    } else {
        skipped("standardwebhooks is not installed; run deploy/prerequisites.sh");
    }
    for (recipe, words) in RECIPES {
        let file = format!("recipes/{recipe}.py");
        python_says(Path::new("python3"), &file, at, words).await;
    }
    page("bank.md", at, BANK).await;
    page("sender.md", at, &["para kay", "\"stage\":\"credited\""]).await;
    page("compliance.md", at, COMPLIANCE).await;
    running.check().unwrap();
    running.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn tutorial_of_an_operator_loses_a_node_and_nothing_else() {
    page("operator.md", desk().path(), OPERATOR).await;
}

/// No recipe is without its test.
#[test]
fn tutorial_programs_are_all_run() {
    let folder = root().join("docs/recipes");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = files
        .filter(|file: &PathBuf| file.extension().is_some_and(|ending| ending == "py"))
        .map(|file| file.file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != "gateway")
        .collect();
    names.sort_unstable();
    let mut run: Vec<&str> = RECIPES.iter().map(|row| row.0).chain(["webhooks"]).collect();
    run.sort_unstable();
    assert_eq!(names, run);
}

//! The reconciler killed at named places and its Postgres killed beneath it: at the end the tables must be those of one that was never disturbed.
use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::ensure;
use services_cli::demo::{
    postgres::Postgres,
    processes::{Service, program},
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

use super::{Family, Options, Report, choose::setup, cluster::Cluster};

/// Where it crashes.
const PLACES: [&str; 8] = [
    "cursor-claimed",
    "batch-locked",
    "batch-loaded",
    "batch-records",
    "batch-changes",
    "batch-cursor",
    "batch-committed",
    "batch-taken",
];
/// One fault in so many is Postgres's.
const POSTGRES_EACH: u64 = 5;
/// How long anything may take that must come.
const LONG: Duration = Duration::from_secs(60);
/// How many batches it may write before it crashes.
const PASSES: u64 = 3;

/// Disturbs a reconciler `runs` times under load, and compares its tables with the ledger and with
/// those of a reconciler that nobody disturbed.
///
/// # Errors
/// When there is no Postgres, or the program made for tests is not built.
pub(super) async fn reconciler(options: &Options) -> anyhow::Result<Report> {
    let faulty = program("faulty")?;
    let mut cluster = Cluster::start(setup(Family::Reconciler, options.seed)).await?;
    let (clients, pause_ms) = Family::Reconciler.load();
    cluster.load(clients, pause_ms);
    let server = tokio::task::spawn_blocking(Postgres::start).await??;
    ensure!(server.private(), "a Postgres of one's own is needed: it is killed");
    let url = server.database().await?;
    let mut service = start(&cluster, "disturbed", &url)?;
    let mut rng = fastrand::Rng::with_seed(options.seed);
    let mut wrong = Vec::new();
    let bug = options.planted.map(|bug| format!("{bug}=return;")).unwrap_or_default();
    for run in 0..options.runs {
        if service.ended()?.is_some() {
            break;
        }
        if run % POSTGRES_EACH == POSTGRES_EACH - 1 {
            let passes = moves(&url, rng.u64(..PASSES)).await;
            server.kill()?;
            tokio::time::sleep(Duration::from_millis(rng.u64(..500))).await;
            server.resume()?;
            wrong.extend(passes.err().map(|why| format!("{why:#}")));
        } else {
            let place = PLACES[usize::try_from(run)? % PLACES.len()];
            // A claim is made once a start.
            let passes = if place == "cursor-claimed" { 0 } else { rng.u64(..PASSES) };
            service.kill()?;
            let set = format!("FAILPOINTS={bug}{place}={passes}*off->return");
            service.become_at_next_start(faulty.clone(), vec!["env".to_owned(), set]);
            service.resume()?;
            if !crashed(&mut service).await? {
                wrong.push(format!("the reconciler never came to {place}"));
            }
            service.kill()?;
            service.become_at_next_start(program("causeway")?, Vec::new());
            service.resume()?;
        }
        (options.progress)(run + 1);
    }
    let report = cluster.verdict(std::mem::take(&mut wrong)).await?;
    wrong.extend(report.violations.iter().cloned());
    if let Err(why) = caught_up(&url, report.records, &mut service).await {
        wrong.push(format!("{why:#}"));
    } else {
        wrong.extend(compare(&cluster, &server, &url, report.records).await?);
    }
    let (family, seed, faults) = (Family::Reconciler, options.seed, options.runs);
    Ok(Report { family, seed, faults, violations: wrong, ..report })
}

/// What differs from the ledger, and from what a reconciler writes that nobody disturbed.
async fn compare(
    cluster: &Cluster,
    server: &Postgres,
    url: &str,
    records: u64,
) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    let undisturbed_url = server.database().await?;
    let mut undisturbed = start(cluster, "undisturbed", &undisturbed_url)?;
    caught_up(&undisturbed_url, records, &mut undisturbed).await?;
    drop(undisturbed);
    wrong.extend(gaps(url, records).await?);
    let other = tables(&undisturbed_url).await?;
    for (table, digest) in tables(url).await? {
        if other.get(&table) != Some(&digest) {
            wrong.push(format!("table {table} is not that of an undisturbed reconciler"));
        }
    }
    let (_, root) = cluster.agreed().await?;
    let told = summary_root(url).await?;
    if told != root.iter().map(|byte| format!("{byte:02x}")).collect::<String>() {
        wrong.push(format!("the tables' root is {told}"));
    }
    Ok(wrong)
}

/// A reconciler of the cluster that writes into a database.
fn start(cluster: &Cluster, name: &str, url: &str) -> anyhow::Result<Service> {
    let folder = cluster.folder.path.join("reconciliation");
    let mut settings: toml::Table =
        std::fs::read_to_string(folder.join("reconciliation.toml"))?.parse()?;
    settings.insert("database_url".to_owned(), url.into());
    settings.insert("batch_wait_ms".to_owned(), 20.into());
    settings.remove("health_listen");
    let file = folder.join(format!("{name}.toml"));
    std::fs::write(&file, toml::to_string(&settings)?)?;
    Service::start("reconciliation", name, &file, Path::new(&folder))
}

async fn crashed(service: &mut Service) -> anyhow::Result<bool> {
    let until = Instant::now() + LONG;
    while service.ended()?.is_none() {
        if Instant::now() > until {
            return Ok(false);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(true)
}

/// Where the cursor stands; none before the tables are there.
async fn cursor(url: &str) -> anyhow::Result<i64> {
    let mut connection = PgConnection::connect(url).await?;
    let next: i64 = sqlx::query_scalar("SELECT next_sequence FROM ledger.cursor")
        .fetch_one(&mut connection)
        .await?;
    connection.close().await?;
    Ok(next)
}

/// Waits until the cursor has moved so often.
async fn moves(url: &str, times: u64) -> anyhow::Result<()> {
    let until = Instant::now() + LONG;
    let (mut last, mut moved) = (None, 0);
    while moved <= times {
        if let Ok(next) = cursor(url).await {
            moved += u64::from(last.is_some_and(|last| next > last));
            last = Some(next);
        }
        ensure!(Instant::now() < until, "the cursor stands still at {last:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn caught_up(url: &str, records: u64, service: &mut Service) -> anyhow::Result<()> {
    let (until, records) = (Instant::now() + LONG * 5, i64::try_from(records)?);
    loop {
        service.check()?;
        let next = cursor(url).await;
        if next.as_ref().is_ok_and(|next| *next >= records) {
            return Ok(());
        }
        ensure!(Instant::now() < until, "stands at {next:?} of {records}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Records that are missing or there twice.
async fn gaps(url: &str, records: u64) -> anyhow::Result<Option<String>> {
    let mut connection = PgConnection::connect(url).await?;
    let row = sqlx::query(
        "SELECT COUNT(*), COUNT(DISTINCT sequence), MIN(sequence), MAX(sequence)
         FROM ledger.records",
    )
    .fetch_one(&mut connection)
    .await?;
    connection.close().await?;
    let found: (i64, i64, Option<i64>, Option<i64>) =
        (row.get(0), row.get(1), row.get(2), row.get(3));
    let all = i64::try_from(records)?;
    let right = (all, all, Some(0), Some(all - 1));
    Ok((found != right).then(|| format!("records are {found:?}, not {right:?}")))
}

/// A digest of every table; the cursor's epoch counts starts, so it is left out.
async fn tables(url: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let mut connection = PgConnection::connect(url).await?;
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.tables
         WHERE table_schema = 'ledger' AND table_type = 'BASE TABLE'
         AND table_name NOT LIKE '\\_%'",
    )
    .fetch_all(&mut connection)
    .await?;
    ensure!(!names.is_empty(), "there are no tables");
    let mut digests = BTreeMap::new();
    for name in names {
        let statement = format!(
            "SELECT md5(COALESCE(string_agg(md5((to_jsonb(t) - 'epoch')::text), '' ORDER BY
             md5((to_jsonb(t) - 'epoch')::text)), '')) FROM ledger.\"{name}\" t"
        );
        let digest =
            sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(&mut connection).await?;
        digests.insert(name, digest);
    }
    connection.close().await?;
    Ok(digests)
}

/// The root of the RFC 6962 tree over the stored records, as the store itself tells it.
async fn summary_root(url: &str) -> anyhow::Result<String> {
    let store = services_reconciliation::Store::new(url)?;
    Ok(store.summary().await?.root_hex)
}

//! `causeway report` and `causeway verify report`: makes signed files out of the database, and checks them without. It must
//! never replace a file.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use ledger_proof::{Genesis, codec::Digest};
use serde_json::{Value, json};
use services_reports::manifest::File;
use services_reports::{Asked, Gateway, Kind, Made, Reports, Signed};

use crate::args::report::{Make, Report, VerifyReport};
use crate::network::keys::Secret;
use crate::{Answer, out};

pub(crate) fn run(command: &Report, as_json: bool) -> anyhow::Result<Answer> {
    match command {
        Report::List => list(as_json),
        Report::Make(make) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(self::make(make, as_json))?;
        }
    }
    Ok(Answer::Done)
}

fn list(as_json: bool) {
    if as_json {
        let all = Kind::ALL.map(|kind| {
            let columns: Vec<&str> = kind.columns().iter().map(|column| column.name).collect();
            json!({ "report": kind.name(), "about": kind.about(), "columns": columns })
        });
        return out::json(&Value::from(all.to_vec()));
    }
    let mut table = out::table();
    table.set_header(["report", "what it says"]);
    for kind in Kind::ALL {
        table.add_row([kind.name(), kind.about()]);
    }
    out::line(&table.to_string());
}

async fn make(args: &Make, as_json: bool) -> anyhow::Result<()> {
    let key = Secret::read(&args.key).context("--key")?;
    let signer = key.signer(&args.signer)?;
    let asked = Asked {
        kind: args.report,
        from: args.from,
        to: args.to,
        zone: args.zone.clone(),
        participant: args.participant,
        currency: args.currency.clone(),
        above: args.above,
        least: args.least,
        cash: args.cash,
        required: args.required.clone(),
        usd200: args.usd200.clone(),
        records: args.records,
        acts: args.acts,
    };
    let (table, position) = match &args.gateway {
        Some(url) => of_gateway(url, args)?.make(&asked, &signer).await?,
        None => {
            let url = args.database.as_deref().context("--database: is missing")?;
            Reports::new(url)?.make(&asked).await?
        }
    };
    let made = Made::new(&asked, (&table, position), &args.format, &signer)?;
    fs::create_dir_all(&args.out).with_context(|| format!("--out: {}", args.out.display()))?;
    for (name, bytes) in &made.files {
        keep(&args.out.join(name), bytes)?;
    }
    told_of(&made, as_json);
    Ok(())
}

/// The participant's own gateway, of the network that it says.
fn of_gateway(url: &str, args: &Make) -> anyhow::Result<Gateway> {
    let network = genesis(args.network.as_deref().context("--network: is missing")?)?.network().0;
    let root = args.root.as_deref().map(|text| digest("--root", text)).transpose()?;
    let schema = args.schema.as_deref().context("--schema: is missing")?;
    Ok(Gateway::new(url, schema, (network, root))?)
}

/// Writes a file that is not there; the very same is there already when a report is made again.
fn keep(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let mut file = fs::File::create_new(path).with_context(|| {
        format!("{}: another file is there; name another --out", path.display())
    })?;
    file.write_all(bytes).with_context(|| path.display().to_string())
}

fn told_of(Made { manifest, files }: &Made, as_json: bool) {
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    if as_json {
        let position = &manifest.position;
        return out::json(&json!({
            "report": manifest.kind.name(),
            "rows": manifest.rows,
            "records": position.records,
            "acts": position.acts,
            "root": position.root.map(hex::encode),
            "files": names,
        }));
    }
    out::line(&format!("{} rows at record {}", manifest.rows, manifest.position.records));
    names.into_iter().for_each(out::line);
}

/// What is checked of a report, and what was found.
struct Checks {
    rows: Vec<(&'static str, bool, String)>,
}

/// Checks a report offline.
pub(crate) fn verify(args: &VerifyReport, as_json: bool) -> anyhow::Result<Answer> {
    let path = &args.manifest;
    let note = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let signed = Signed::read(&note).with_context(|| path.display().to_string())?;
    let genesis = args.network.as_deref().map(genesis).transpose()?;
    let mut keys =
        args.key.iter().map(|text| digest("--key", text)).collect::<Result<Vec<_>, _>>()?;
    keys.extend(genesis.iter().flat_map(|genesis| genesis.operator_keys.iter().copied()));
    let root = args.root.as_deref().map(|text| digest("--root", text)).transpose()?;
    let checks = checked(&signed, path, (&keys, genesis.as_ref(), root));
    let valid = checks.rows.iter().all(|(_, held, _)| *held);
    if as_json {
        let row = |(check, held, detail): &(&str, bool, String)| json!({ "check": check, "holds": held, "detail": detail });
        let rows: Vec<Value> = checks.rows.iter().map(row).collect();
        out::json(&json!({ "valid": valid, "checks": rows }));
    } else {
        let mut table = out::table();
        table.set_header(["check", "", "detail"]);
        for (check, held, detail) in &checks.rows {
            table.add_row([*check, if *held { "holds" } else { "FAILS" }, detail.as_str()]);
        }
        out::line(&table.to_string());
    }
    Ok(if valid { Answer::Done } else { Answer::No })
}

type Known<'a> = (&'a [Digest], Option<&'a Genesis>, Option<Digest>);

fn checked(signed: &Signed, path: &Path, (keys, genesis, root): Known<'_>) -> Checks {
    let mut checks = Checks { rows: Vec::new() };
    let position = &signed.manifest.position;
    let signer = signed.by(keys);
    let by = signer.map_or("none of the given keys".to_owned(), hex::encode);
    checks.rows.push(("signature", signer.is_some(), format!("{}: {by}", signed.name)));
    if let Some(genesis) = genesis {
        let own = genesis.network().0 == position.network;
        checks.rows.push(("network", own, hex::encode(position.network)));
    }
    let range = format!("records 0 to {}, acts to {}", position.records - 1, position.acts);
    checks.rows.push(("range", position.records > 0, range));
    if let Some(root) = root {
        checks.rows.push(("root", Some(root) == position.root, position.root_shown()));
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    for file in &signed.manifest.files {
        let found = fs::read(folder.join(&file.name));
        let same = found.map(|bytes| File::of(file.name.clone(), &bytes) == *file);
        let detail = match &same {
            Ok(true) => file.name.clone(),
            Ok(false) => format!("{}: other bytes than were signed", file.name),
            Err(error) => format!("{}: {error}", file.name),
        };
        checks.rows.push(("file", same.is_ok_and(|same| same), detail));
    }
    checks
}

/// The genesis of a file, or of a network's folder.
fn genesis(path: &Path) -> anyhow::Result<Genesis> {
    let file = if path.is_dir() { path.join("genesis.bin") } else { path.to_owned() };
    let bytes = fs::read(&file).with_context(|| format!("--network: {}", file.display()))?;
    Genesis::read(&bytes).map_err(|error| anyhow::anyhow!("--network: {}: {error}", file.display()))
}

fn digest(field: &str, text: &str) -> anyhow::Result<Digest> {
    let bytes = hex::decode(text).ok().and_then(|bytes| Digest::try_from(bytes).ok());
    bytes.with_context(|| format!("{field}: must be 64 digits in hexadecimal"))
}

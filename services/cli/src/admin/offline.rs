//! Checks of data that nobody writes to: a backup, or a stopped node's folder. It must never change what it checks.

use std::path::Path;
use std::time::Instant;

use ledger_node::{
    folder,
    replay::{self, Fault, Replayed},
};
use serde_json::{Value, json};

use super::operate::{Said, bar};

/// Every file, record, leaf hash and the root; with `deep` the rest too.
pub fn verify(data: &Path, deep: bool) -> anyhow::Result<Said> {
    let bar = bar("records verified", folder::records(data)?)?;
    let verified = folder::verify(data, &mut |records| bar.set_position(records));
    bar.finish_and_clear();
    let verified = match verified {
        Ok(verified) => verified,
        Err(fault) => return found(fault),
    };
    if deep {
        return replay(data);
    }
    let root = hex::encode(verified.root);
    let text = format!(
        "sound: {} records, root {root}, {} files of {} bytes compared",
        verified.records, verified.files, verified.bytes
    );
    Ok(Said::done(
        text,
        json!({
            "sound": true,
            "records": verified.records,
            "root": root,
            "files": verified.files,
            "bytes": verified.bytes,
        }),
    ))
}

/// Everything applied again.
pub fn replay(data: &Path) -> anyhow::Result<Said> {
    let scratch = tempfile::Builder::new().prefix("causeway-replay-").tempdir()?;
    let begun = Instant::now();
    let bar = bar("records applied again", folder::records(data)?)?;
    let replayed = replay::replay(data, scratch.path(), &mut |records| bar.set_position(records));
    bar.finish_and_clear();
    let replayed = match replayed {
        Ok(replayed) => replayed,
        Err(fault) => return found(fault),
    };
    let seconds = begun.elapsed().as_secs_f64();
    let mut value = facts(&replayed);
    value["seconds"] = json!(seconds);
    let text = format!(
        "equal: {} records of {} entries and {} envelopes, root {} ({seconds:.1} s)",
        replayed.records,
        replayed.entries,
        replayed.envelopes,
        hex::encode(replayed.root)
    );
    Ok(Said::done(text, value))
}

/// What was replayed, for scripts.
pub(crate) fn facts(replayed: &Replayed) -> Value {
    json!({
        "sound": true,
        "network": replayed.network.to_string(),
        "records": replayed.records,
        "entries": replayed.entries,
        "envelopes": replayed.envelopes,
        "root": hex::encode(replayed.root),
        "state_digest": replayed.state_digest.map(hex::encode),
    })
}

/// A fault in the data is an answer of no; a folder that is none is a wrong use.
pub(crate) fn found(fault: Fault) -> anyhow::Result<Said> {
    let record = match &fault {
        Fault::Open(ledger_node::Error::Settings { .. }) => return Err(fault.into()),
        Fault::Open(_) | Fault::File { .. } => None,
        Fault::Damaged(damaged) => Some(damaged.record),
        Fault::Differs { record, .. } => Some(*record),
    };
    let text = format!("{:#}", anyhow::Error::from(fault));
    let value = json!({ "sound": false, "fault": text, "record": record });
    Ok(Said::no(format!("not sound: {text}"), value))
}

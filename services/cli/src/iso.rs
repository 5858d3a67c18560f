//! `causeway iso`: judges messages of ISO 20022 where they are written. It must never send one.

use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};
use services_iso20022::check::{self, Checked, Found, Verdict};
use services_iso20022::policy::Profile;
use services_iso20022::xml::BODY_BYTES_MAX;

use crate::args::{IsoCheck, IsoProfile};
use crate::{Answer, out};

/// Judges one message.
pub(crate) fn check(args: &IsoCheck, as_json: bool) -> anyhow::Result<Answer> {
    let profile = match args.profile {
        IsoProfile::Current => Profile::Current,
        IsoProfile::Sr2026 => Profile::Sr2026,
    };
    let checked = check::check(&read(&args.file)?, profile);
    if as_json {
        out::json(&shown(&checked, profile));
    } else {
        out::line(&text(&checked));
    }
    Ok(match checked.verdict {
        Verdict::Ok => Answer::Done,
        Verdict::Findings => Answer::No,
        Verdict::Refused => Answer::Refused,
    })
}

/// At most one byte more than a message may have, so that a larger one is refused as such.
fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let most = BODY_BYTES_MAX as u64 + 1;
    let mut body = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_end(&mut body).context("standard input")?;
    } else {
        let opened = std::fs::File::open(file).with_context(|| file.display().to_string())?;
        opened.take(most).read_to_end(&mut body).with_context(|| file.display().to_string())?;
    }
    Ok(body)
}

fn shown(checked: &Checked, profile: Profile) -> Value {
    let finding = |found: &Found| {
        json!({
            "rule": found.rule,
            "number": found.number,
            "severity": found.severity.as_str(),
            "reason": found.reason,
            "path": found.path,
            "text": found.text,
            "source": found.source,
            "applies_from": found.applies_from,
        })
    };
    json!({
        "message": checked.message,
        "profile": profile.as_str(),
        "verdict": checked.verdict.as_str(),
        "findings": checked.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn text(checked: &Checked) -> String {
    let message = checked.message.as_deref().unwrap_or("no message");
    let mut lines = vec![format!("{message}: {}", checked.verdict.as_str())];
    for found in &checked.findings {
        let number = found.number.as_deref().map(|number| format!(" ({number})"));
        let number = number.unwrap_or_default();
        lines.push(format!(
            "{} {}{number} {}: {}: {}",
            found.severity.as_str(),
            found.rule,
            found.reason,
            found.path,
            found.text
        ));
    }
    lines.join("\n")
}

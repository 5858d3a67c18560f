//! `causeway network revoke`: certificates that no longer count, put on their CA's list wherever it lies. It must never take
//! a certificate off a list.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::pki::{self, ParticipantCa, PeerCa};
use crate::admin::operate::Said;
use crate::args::Revoke;

/// A certificate to revoke.
struct Taken {
    serial: Vec<u8>,
    issuer: Vec<u8>,
    file: PathBuf,
}

/// Puts certificates on the lists of the CAs that issued them.
pub fn run(args: &Revoke) -> anyhow::Result<Said> {
    let now = OffsetDateTime::now_utc();
    let taken =
        args.certificates.iter().map(|file| read(file)).collect::<anyhow::Result<Vec<_>>>()?;
    let (peers, participants) = (PeerCa::read(&args.folder)?, ParticipantCa::read(&args.folder)?);
    let subjects = [subject(&peers.credentials().ca)?, subject(&participants.credentials().ca)?];
    for row in &taken {
        let shown = row.file.display();
        anyhow::ensure!(subjects.contains(&row.issuer), "{shown}: no CA of this network issued it");
    }
    let of = |subject: &[u8]| -> Vec<Vec<u8>> {
        let own = taken.iter().filter(|row| row.issuer == subject);
        own.map(|row| row.serial.clone()).collect()
    };
    let mut places = Vec::new();
    let by_peers = of(&subjects[0]);
    if !by_peers.is_empty() {
        let list = peers.revoke(&by_peers, now)?;
        place(&args.folder, &peers.credentials().ca, &list, &mut places)?;
    }
    let by_participants = of(&subjects[1]);
    if !by_participants.is_empty() {
        let list = participants.revoke(&by_participants, now)?;
        place(&args.folder, &participants.credentials().ca, &list, &mut places)?;
    }
    let lines = places.iter().map(|file| format!("  {}", file.display())).collect::<Vec<_>>();
    let text = format!(
        "{} revoked; services that read these lists refuse them in 30 seconds\n{}",
        taken.len(),
        lines.join("\n"),
    );
    Ok(Said::done(text, json!({ "revoked": taken.len(), "lists": places })))
}

/// Writes the list beside every copy of its CA's certificate.
fn place(folder: &Path, ca: &str, list: &str, places: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for found in fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
        let path = found?.path();
        if path.is_dir() {
            place(&path, ca, list, places)?;
        } else if path.file_name().is_some_and(|name| name == "ca.pem")
            && fs::read_to_string(&path).is_ok_and(|text| text == ca)
        {
            let file = path.with_file_name(pki::REVOKED);
            pki::write_list(&file, list)?;
            places.push(file);
        }
    }
    places.sort();
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<Taken> {
    let shown = file.display();
    let text = fs::read(file).with_context(|| format!("{shown}: cannot be read"))?;
    let (serial, issuer) = parsed(&text, |certificate| {
        (certificate.raw_serial().to_vec(), certificate.issuer().as_raw().to_vec())
    })
    .with_context(|| format!("{shown}: is no certificate"))?;
    Ok(Taken { serial, issuer, file: file.to_owned() })
}

fn subject(pem: &str) -> anyhow::Result<Vec<u8>> {
    let subject = parsed(pem.as_bytes(), |certificate| certificate.subject().as_raw().to_vec());
    subject.context("ca: is no certificate")
}

fn parsed<T>(pem: &[u8], take: impl Fn(&X509Certificate<'_>) -> T) -> Option<T> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem).ok()?;
    X509Certificate::from_der(&pem.contents).ok().map(|(_, certificate)| take(&certificate))
}

//! `causeway network renew`: new certificates of the same holders, uses and names, from the network's own CAs. It must never
//! change a CA, nor give a holder another name.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;
use services_runtime::tls::Identity;
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::pki::{Credentials, ParticipantCa, PeerCa};
use crate::admin::operate::Said;
use crate::args::Renew;

/// A certificate of the network.
struct Held {
    folder: PathBuf,
    hosts: Vec<String>,
    identity: Identity,
    peer: bool,
    server: bool,
    ends: OffsetDateTime,
}

/// Issues anew what ends soon.
pub fn run(args: &Renew) -> anyhow::Result<Said> {
    let now = OffsetDateTime::now_utc();
    let until = now + Duration::days(i64::from(args.within));
    let mut held = Vec::new();
    for root in ["nodes", "participants", "operator", "reporting"] {
        find(&args.folder.join(root), &mut held)?;
    }
    anyhow::ensure!(!held.is_empty(), "DIR: holds no certificates; give a network's folder");
    held.sort_by(|left, right| left.folder.cmp(&right.folder));
    let (all, due) = (held.len(), held.into_iter().filter(|held| held.ends <= until));
    let (peers, participants) = (PeerCa::read(&args.folder)?, ParticipantCa::read(&args.folder)?);
    let (mut lines, mut rows) = (Vec::new(), Vec::new());
    for held in due {
        if !args.dry_run {
            issue(&held, &peers, &participants, now)?.replace(&held.folder)?;
        }
        lines.push(format!("  {} ({}, ended {})", held.folder.display(), held.identity, held.ends));
        rows.push(json!({ "folder": held.folder, "identity": held.identity.to_string() }));
    }
    let word = if args.dry_run { "end soon" } else { "renewed; services take them in 30 seconds" };
    let text = format!("{} of {all} certificates {word}\n{}", rows.len(), lines.join("\n"));
    Ok(Said::done(text.trim_end().to_owned(), json!({ "renewed": rows, "dry_run": args.dry_run })))
}

fn issue(
    held: &Held,
    peers: &PeerCa,
    participants: &ParticipantCa,
    now: OffsetDateTime,
) -> anyhow::Result<Credentials> {
    Ok(match (held.peer, held.server) {
        (true, _) => peers.issue_peer(&held.hosts, &held.identity, now)?,
        (false, true) => participants.issue_server(&held.hosts, &held.identity, now)?,
        (false, false) => participants.issue_client(&held.identity, now)?,
    })
}

fn find(folder: &Path, held: &mut Vec<Held>) -> anyhow::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    if folder.join("certificate.pem").exists() {
        held.push(read(folder)?);
        return Ok(());
    }
    for found in fs::read_dir(folder)? {
        let path = found?.path();
        if path.is_dir() && path.file_name().is_none_or(|name| name != "data") {
            find(&path, held)?;
        }
    }
    Ok(())
}

fn read(folder: &Path) -> anyhow::Result<Held> {
    let file = folder.join("certificate.pem");
    let shown = file.display().to_string();
    let text = fs::read(&file).with_context(|| format!("{shown}: cannot be read"))?;
    let unreadable = || format!("{shown}: is no certificate");
    let (_, pem) = x509_parser::pem::parse_x509_pem(&text).ok().with_context(unreadable)?;
    let (_, parsed) = X509Certificate::from_der(&pem.contents).ok().with_context(unreadable)?;
    let names = parsed.subject_alternative_name().ok().flatten().with_context(unreadable)?;
    let (mut hosts, mut identity) = (Vec::new(), None);
    for name in &names.value.general_names {
        if let GeneralName::DNSName(host) = name {
            hosts.push((*host).to_owned());
        } else if let GeneralName::IPAddress(bytes) = name {
            hosts.push(address(bytes).with_context(unreadable)?);
        } else if let GeneralName::URI(uri) = name {
            identity = Some(uri.parse::<Identity>()?);
        }
    }
    let usage = parsed.extended_key_usage().ok().flatten();
    let usage = usage.map(|usage| usage.value).with_context(unreadable)?;
    Ok(Held {
        folder: folder.to_owned(),
        hosts,
        identity: identity.with_context(unreadable)?,
        peer: usage.server_auth && usage.client_auth,
        server: usage.server_auth,
        ends: OffsetDateTime::from_unix_timestamp(parsed.validity().not_after.timestamp())?,
    })
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|bytes| std::net::Ipv4Addr::from(bytes).to_string());
    let v6 = <[u8; 16]>::try_from(bytes).map(|bytes| std::net::Ipv6Addr::from(bytes).to_string());
    v4.or(v6).ok()
}

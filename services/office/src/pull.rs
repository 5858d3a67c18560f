//! Fetches statements from servicers' SFTP servers into the watched folder. It must never change what lies there, nor
//! take what may still be written to.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use futures_util::TryStreamExt as _;
use openssh_sftp_client::{Sftp, SftpOptions, file::TokioCompatFile};
use serde::Deserialize;
use time::OffsetDateTime;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
};

use crate::{
    Office,
    error::Error,
    inbox::{Inbox, on_its_way},
    store::{Listed, Seen},
};

/// How long a server may take to be reached and to know us, and to answer while nothing comes.
const CONNECT_S: u32 = 15;
/// How long one look may take with all that it fetches.
const LOOK: Duration = Duration::from_mins(30);
/// The most files of a folder.
const FILES_MAX: usize = 10_000;
/// The most that is told of what `ssh` said.
const SAID_MAX: u64 = 2_000;

/// A server, and where on it statements are left.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pull {
    /// Begins the names of what is fetched: lower-case letters, digits and dashes.
    pub name: String,
    /// As `ssh` takes it: `user@host`, or a `Host` of its settings.
    pub host: String,
    /// The folder there.
    #[serde(default = "folder")]
    pub folder: String,
    /// Settings of `ssh` (`ssh_config(5)`): port, identity, known hosts; absent: the system's and the user's own.
    pub ssh_config: Option<PathBuf>,
    /// How often it is looked at, seconds.
    #[serde(default = "every_s")]
    pub every_s: u64,
    /// How long a file must have stayed as it is before it is fetched, seconds.
    #[serde(default = "settled_s")]
    pub settled_s: u64,
}

fn folder() -> String {
    ".".to_owned()
}

const fn every_s() -> u64 {
    300
}

const fn settled_s() -> u64 {
    60
}

/// A file there, and what became of it in one look.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Pulled {
    pub server: String,
    pub name: String,
    pub bytes: u64,
    pub became: Became,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    /// It was fetched before.
    Known,
    /// It has not been as it is for long enough.
    Waits,
    /// It is larger than what is taken.
    TooLarge,
    /// It is in the watched folder now, or would be.
    Fetched,
}

impl Became {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Waits => "waits",
            Self::TooLarge => "too_large",
            Self::Fetched => "fetched",
        }
    }
}

impl serde::Serialize for Became {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Pull {
    /// Refuses what `ssh` would read as something else, or names that could not be told apart.
    ///
    /// # Errors
    /// [`Error::Invalid`], by the field of `[[pull]]`.
    pub fn check(all: &[Self]) -> Result<(), Error> {
        let mut names = HashSet::new();
        for one in all {
            let word =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            let named = (1..=40).contains(&one.name.len()) && one.name.bytes().all(word);
            if !named || !names.insert(&one.name) {
                let reason = "lower-case letters, digits and dashes, at most 40; each once";
                return Err(invalid("pull.name", reason));
            }
            let host = one.host.as_str();
            let plain = |letter: char| letter.is_ascii_graphic();
            if host.is_empty() || host.starts_with('-') || !host.chars().all(plain) {
                return Err(invalid("pull.host", "user@host, or a Host of ssh_config"));
            }
            if one.every_s == 0 {
                return Err(invalid("pull.every_s", "at least 1"));
            }
        }
        Ok(())
    }

    /// The name of a file here. What the server calls it is nobody's word: only letters that mean nothing to a file
    /// system stay.
    fn local(&self, name: &str) -> String {
        let plain = |letter: char| {
            if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '_' }
        };
        let name: String = name.chars().map(plain).take(150).collect();
        format!("{}-{name}", self.name)
    }

    fn wrong(&self, reason: impl std::fmt::Display) -> Error {
        Error::Pull { server: self.name.clone(), reason: reason.to_string() }
    }

    /// The system's own client, which knows the bank's host keys and ours, and never asks anybody.
    fn start(&self) -> Result<Child, Error> {
        let mut ssh = Command::new("ssh");
        if let Some(config) = &self.ssh_config {
            ssh.arg("-F").arg(config);
        }
        for (name, value) in [
            ("BatchMode", "yes".to_owned()),
            // No bank's greeting is told as a failure.
            ("LogLevel", "ERROR".to_owned()),
            ("StrictHostKeyChecking", "yes".to_owned()),
            ("ConnectTimeout", CONNECT_S.to_string()),
            ("ServerAliveInterval", CONNECT_S.to_string()),
            ("ClearAllForwardings", "yes".to_owned()),
        ] {
            ssh.arg("-o").arg(format!("{name}={value}"));
        }
        ssh.args(["-T", "-s", "--", &self.host, "sftp"]);
        ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        ssh.spawn().map_err(|error| self.wrong(format!("ssh was not started: {error}")))
    }
}

fn invalid(field: &'static str, reason: &str) -> Error {
    Error::Invalid { field, reason: reason.to_owned() }
}

impl Office {
    /// Looks at a server once, and fetches what is new and whole into the watched folder; `dry` fetches nothing.
    ///
    /// A file is kept as fetched after it lies there whole: what a crash leaves between the two is fetched again, and
    /// refused as a copy.
    ///
    /// # Errors
    /// [`Error::Pull`] when the server cannot be reached or read; what was fetched before stays.
    pub async fn pull(
        &self,
        pull: &Pull,
        inbox: &Inbox,
        now: OffsetDateTime,
        dry: bool,
    ) -> Result<Vec<Pulled>, Error> {
        let mut ssh = pull.start()?;
        let said = ssh.stderr.take();
        let look = self.look(pull, &mut ssh, inbox, (now, dry));
        let looked = tokio::time::timeout(LOOK, look).await;
        let reason = match looked {
            Ok(Ok(pulled)) => return Ok(pulled),
            Ok(Err(Error::Pull { reason, .. })) => reason,
            Ok(Err(other)) => return Err(other),
            Err(_) => "a look took longer than 30 minutes".to_owned(),
        };
        // Why `ssh` ended, it says itself.
        let _ended = ssh.start_kill();
        let mut words = String::new();
        if let Some(said) = said {
            let _unreadable = said.take(SAID_MAX).read_to_string(&mut words).await;
        }
        Err(match words.trim() {
            "" => pull.wrong(reason),
            words => pull.wrong(format!("{reason}; ssh: {}", words.replace('\n', "; "))),
        })
    }

    async fn look(
        &self,
        pull: &Pull,
        ssh: &mut Child,
        inbox: &Inbox,
        (now, dry): (OffsetDateTime, bool),
    ) -> Result<Vec<Pulled>, Error> {
        let (Some(stdin), Some(stdout)) = (ssh.stdin.take(), ssh.stdout.take()) else {
            return Err(pull.wrong("ssh has no pipes"));
        };
        let sftp = Sftp::new(stdin, stdout, SftpOptions::default()).await;
        let sftp = sftp.map_err(|error| pull.wrong(error))?;
        let listed = list(pull, &sftp).await?;
        let seen = self.pulls_seen(&pull.name, &listed, now).await?;
        let (mut pulled, mut failed) = (Vec::with_capacity(listed.len()), None);
        for (file, seen) in listed.into_iter().zip(seen) {
            let became = self.became(pull, &file, seen, now);
            if became == Became::Fetched && !dry {
                // One that cannot be had keeps no other away.
                if let Err(failure) = fetch(pull, &sftp, &file, inbox).await {
                    failed = failed.or(Some(failure));
                    continue;
                }
                self.pull_fetched(&pull.name, &file, OffsetDateTime::now_utc()).await?;
            }
            let (server, Listed { name, bytes, .. }) = (pull.name.clone(), file);
            pulled.push(Pulled { server, name, bytes, became });
        }
        sftp.close().await.map_err(|error| pull.wrong(error))?;
        failed.map_or(Ok(pulled), Err)
    }

    fn became(&self, pull: &Pull, file: &Listed, seen: Seen, now: OffsetDateTime) -> Became {
        let settled = Duration::from_secs(pull.settled_s);
        match seen {
            Seen::Fetched => Became::Known,
            Seen::Since(_) if file.bytes > self.rules().file_bytes_max => Became::TooLarge,
            Seen::Since(since) if now - since < settled => Became::Waits,
            Seen::Since(_) => Became::Fetched,
        }
    }
}

/// Files of the folder by name, but those on their way.
async fn list(pull: &Pull, sftp: &Sftp) -> Result<Vec<Listed>, Error> {
    let folder = sftp.fs().open_dir(&pull.folder).await;
    let folder = folder.map_err(|error| pull.wrong(format!("{}: {error}", pull.folder)))?;
    let mut entries = std::pin::pin!(folder.read_dir());
    let mut listed = Vec::new();
    while let Some(entry) = entries.try_next().await.map_err(|error| pull.wrong(error))? {
        let data = entry.metadata();
        let whole = data.file_type().is_some_and(|kind| kind.is_file());
        let Some(name) = entry.filename().to_str().filter(|name| whole && !on_its_way(name)) else {
            continue;
        };
        let (Some(bytes), Some(modified)) = (data.len(), data.modified()) else {
            return Err(pull.wrong(format!("{name}: the server tells no size or time")));
        };
        let name = name.to_owned();
        listed.push(Listed { name, bytes, modified: modified.as_system_time().into() });
        if listed.len() > FILES_MAX {
            let reason = format!("{}: more than {FILES_MAX} files; move old ones", pull.folder);
            return Err(pull.wrong(reason));
        }
    }
    listed.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(listed)
}

/// Copies a file, and lets it appear whole or not at all.
async fn fetch(pull: &Pull, sftp: &Sftp, file: &Listed, inbox: &Inbox) -> Result<(), Error> {
    let there = format!("{}/{}", pull.folder, file.name);
    let wrong = |error: &dyn std::fmt::Display| pull.wrong(format!("{there}: {error}"));
    let source = sftp.open(Path::new(&there)).await.map_err(|error| wrong(&error))?;
    let (part, place) = inbox.arriving(&pull.local(&file.name));
    let here = |error: std::io::Error| Error::File {
        path: part.display().to_string(),
        reason: error.to_string(),
    };
    let mut target = tokio::fs::File::create(&part).await.map_err(here)?;
    let source = std::pin::pin!(TokioCompatFile::new(source));
    let copied = tokio::io::copy(&mut source.take(file.bytes + 1), &mut target).await;
    if copied.map_err(|error| wrong(&error))? != file.bytes {
        return Err(wrong(&"it changed while it was fetched; it is looked at again"));
    }
    target.flush().await.map_err(here)?;
    target.sync_all().await.map_err(here)?;
    tokio::fs::rename(&part, &place).await.map_err(here)
}

#[cfg(test)]
mod tests {
    use super::Pull;

    fn pull(name: &str, host: &str) -> Pull {
        let text = format!("name = {name:?}\nhost = {host:?}\n");
        toml::from_str(&text).unwrap()
    }

    #[test]
    fn a_server_is_named_plainly_and_once_and_is_no_option() {
        for (name, host, field) in [
            ("custodian-hk", "bank@sftp.example", None),
            ("", "sftp.example", Some("pull.name")),
            ("Custodian", "sftp.example", Some("pull.name")),
            ("../x", "sftp.example", Some("pull.name")),
            ("a", "", Some("pull.host")),
            ("a", "-oProxyCommand=x", Some("pull.host")),
            ("a", "one two", Some("pull.host")),
        ] {
            let refused = Pull::check(&[pull(name, host)]).err().map(|error| error.to_string());
            let named = refused.as_deref().and_then(|text| text.split(": ").next());
            assert_eq!(named, field, "{name} {host}");
        }
        let one = || pull("a", "sftp.example");
        assert!(Pull::check(&[one(), one()]).is_err());
        assert!(Pull::check(&[Pull { every_s: 0, ..one() }]).is_err());
    }

    #[test]
    fn what_a_server_calls_a_file_is_no_path_here() {
        let pull = pull("custodian", "sftp.example");
        for (there, here) in [
            ("camt.053-2026.xml", "custodian-camt.053-2026.xml"),
            ("../../etc/passwd", "custodian-.._.._etc_passwd"),
            ("Kontoauszug März.sta", "custodian-Kontoauszug_M_rz.sta"),
        ] {
            assert_eq!(pull.local(there), here);
        }
        assert!(pull.local(&"x".repeat(300)).len() < 200);
    }
}

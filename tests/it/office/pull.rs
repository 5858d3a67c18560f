//! Statements fetched from a servicer's SFTP server: a real sshd of this machine, which the office may read and never
//! changes.
use std::{
    collections::BTreeMap,
    fs, iter,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant, SystemTime},
};

use services_office::{
    Error, Office, Rules, Settings,
    inbox::Inbox,
    pull::{Became, Pull},
};
use services_runtime::shutdown::Shutdown;

use super::{Desk, Line, MONDAY, TUESDAY, camt053, now};

/// The server and everything that it and its client read; ended when dropped.
struct Bank {
    folder: tempfile::TempDir,
    port: u16,
    sshd: Child,
}

impl Drop for Bank {
    fn drop(&mut self) {
        let _ended = self.sshd.kill().and_then(|()| self.sshd.wait());
    }
}

fn key(folder: &Path, name: &str) -> PathBuf {
    let file = folder.join(name);
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
        .arg(&file)
        .status();
    assert!(made.unwrap().success());
    file
}

/// Starts sshd on a free port and waits until it answers there; none where it ended instead.
fn serve(at: &Path, host: &Path) -> Option<(u16, Child)> {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {host}\nPidFile none\nUsePAM no\n\
         StrictModes no\nPasswordAuthentication no\nAuthorizedKeysFile {at}/authorized\n\
         Subsystem sftp internal-sftp\n",
        host = host.display(),
        at = at.display(),
    );
    fs::write(at.join("sshd_config"), settings).unwrap();
    let mut sshd = Command::new("/usr/sbin/sshd")
        .args(["-D", "-e", "-f"])
        .arg(at.join("sshd_config"))
        .stderr(fs::File::create(at.join("log")).unwrap())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if sshd.try_wait().unwrap().is_some() {
            return None;
        }
        assert!(Instant::now() < until, "sshd does not answer");
        thread::sleep(Duration::from_millis(20));
    }
    Some((port, sshd))
}

impl Bank {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        fs::create_dir_all(at.join("outgoing/older")).unwrap();
        let (host, own) = (key(at, "host"), key(at, "own"));
        key(at, "foreign");
        fs::copy(own.with_extension("pub"), at.join("authorized")).unwrap();
        // Where sshd is started as root it wants this folder, which a system's own start would make.
        let _not_root = fs::create_dir_all("/run/sshd");
        // Another test may take the port between its choice and sshd's start.
        let (port, sshd) = iter::repeat_with(|| serve(at, &host)).take(5).flatten().next().unwrap();
        let bank = Self { folder, port, sshd };
        bank.known("host");
        bank.client("own");
        bank
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The host key that the client believes in.
    fn known(&self, key: &str) {
        let public = fs::read_to_string(self.path(key).with_extension("pub")).unwrap();
        fs::write(self.path("known"), format!("[127.0.0.1]:{} {public}", self.port)).unwrap();
    }

    /// The client's settings, with this identity.
    fn client(&self, identity: &str) {
        let user = Command::new("id").arg("-un").output().unwrap().stdout;
        let settings = format!(
            "Host bank\n HostName 127.0.0.1\n Port {}\n User {}\n IdentityFile {}\n \
             IdentitiesOnly yes\n IdentityAgent none\n UserKnownHostsFile {}\n \
             GlobalKnownHostsFile /dev/null\n",
            self.port,
            String::from_utf8(user).unwrap().trim(),
            self.path(identity).display(),
            self.path("known").display(),
        );
        fs::write(self.path("ssh_config"), settings).unwrap();
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.path("outgoing").join(name), text).unwrap();
    }

    fn pull(&self) -> Pull {
        Pull {
            name: "custodian".to_owned(),
            host: "bank".to_owned(),
            folder: self.path("outgoing").display().to_string(),
            ssh_config: Some(self.path("ssh_config")),
            every_s: 1,
            settled_s: 60,
        }
    }

    /// Everything in its folder, with its time.
    fn lies(&self) -> BTreeMap<PathBuf, (u64, SystemTime)> {
        let entries = fs::read_dir(self.path("outgoing")).unwrap().map(Result::unwrap);
        let told = entries.map(|entry| {
            let data = entry.metadata().unwrap();
            (entry.path(), (data.len(), data.modified().unwrap()))
        });
        told.collect()
    }
}

fn statement(number: u64, day: time::Date, opening: i64) -> String {
    let line = Line::new(50_000, day, &format!("A-{number}"));
    camt053(("HK-CUSTODY", "HKD"), number, day, opening, &[line]).unwrap()
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_servers_files_are_fetched_once_each_and_only_when_they_are_whole() {
    let (desk, bank, here) = (Desk::open().await, Bank::open(), tempfile::tempdir().unwrap());
    desk.custody().await;
    let (office, pull) = (&desk.office, bank.pull());
    let inbox = Inbox::open(here.path()).unwrap();
    let incoming = here.path().join("incoming");
    let became = async |later_s: i64, dry: bool| {
        let at = now() + time::Duration::seconds(later_s);
        let files = office.pull(&pull, &inbox, at, dry).await.unwrap();
        files.into_iter().map(|file| (file.name, file.became)).collect::<Vec<_>>()
    };
    let named = |name: &str, became| (name.to_owned(), became);
    let monday = statement(1, MONDAY, 0);
    for (name, text) in [("monday.xml", monday.as_str()), (".hidden", "x"), ("late.xml.part", "x")]
    {
        bank.put(name, text);
    }
    let lay = bank.lies();
    assert_eq!(became(0, false).await, [named("monday.xml", Became::Waits)]);
    assert_eq!(became(61, true).await, [named("monday.xml", Became::Fetched)]);
    assert!(files(&incoming).is_empty(), "a dry run fetches nothing");
    assert_eq!(became(61, false).await, [named("monday.xml", Became::Fetched)]);
    assert_eq!(files(&incoming), ["custodian-monday.xml"]);
    assert_eq!(fs::read_to_string(incoming.join("custodian-monday.xml")).unwrap(), monday);
    assert_eq!(became(62, false).await, [named("monday.xml", Became::Known)]);
    assert_eq!(bank.lies(), lay, "nothing is changed at the bank");

    tokio::time::sleep(Duration::from_millis(600)).await;
    let round = office.round(Some(&inbox), now()).await.unwrap();
    assert_eq!(round.imported.iter().map(|file| file.verdict).collect::<Vec<_>>(), ["ok"]);

    // Written to again it is another file, and what comes of it the office judges as of any.
    bank.put("monday.xml", &monday.replace("  <", " <"));
    assert_eq!(became(62, false).await, [named("monday.xml", Became::Waits)]);
    assert_eq!(became(123, false).await, [named("monday.xml", Became::Fetched)]);
    tokio::time::sleep(Duration::from_millis(600)).await;
    let round = office.round(Some(&inbox), now()).await.unwrap();
    assert_eq!(round.imported.iter().map(|file| file.verdict).collect::<Vec<_>>(), ["refused"]);

    let small = Rules { file_bytes_max: 10, ..Rules::default() };
    let small = Office::new(&desk.url, small).unwrap();
    bank.put("tuesday.xml", &statement(2, TUESDAY, 50_000));
    for later_s in [124, 185] {
        let at = now() + time::Duration::seconds(later_s);
        let files = small.pull(&pull, &inbox, at, false).await.unwrap();
        assert_eq!((files.len(), files[1].became), (2, Became::TooLarge));
    }
    assert!(files(&incoming).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_another_or_does_not_know_us_is_told_of_and_nothing_is_fetched() {
    let (desk, bank, here) = (Desk::open().await, Bank::open(), tempfile::tempdir().unwrap());
    let inbox = Inbox::open(here.path()).unwrap();
    bank.put("monday.xml", &statement(1, MONDAY, 0));
    let pull = Pull { settled_s: 0, ..bank.pull() };
    let refused = async |pull: &Pull, why: &str| {
        let failure = desk.office.pull(pull, &inbox, now(), false).await.unwrap_err();
        assert!(matches!(failure, Error::Pull { .. }), "{failure}");
        let said = failure.to_string();
        assert!(said.starts_with("server custodian: ") && said.contains(why), "{said}");
        assert!(files(&here.path().join("incoming")).is_empty());
    };
    bank.known("foreign");
    refused(&pull, "Host key verification failed").await;
    bank.known("host");
    bank.client("foreign");
    refused(&pull, "Permission denied").await;
    bank.client("own");
    refused(&Pull { folder: "/nowhere".to_owned(), ..pull.clone() }, "/nowhere").await;
    refused(&Pull { host: "bank.invalid".to_owned(), ..pull.clone() }, "bank.invalid").await;
    let pulled = desk.office.pull(&pull, &inbox, now(), false).await.unwrap();
    assert_eq!(pulled.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_office_fetches_and_takes_in_by_itself() {
    let (desk, bank, here) = (Desk::open().await, Bank::open(), tempfile::tempdir().unwrap());
    desk.custody().await;
    let settings = Settings {
        inbox: Some(here.path().to_owned()),
        poll_ms: 100,
        pull: vec![Pull { settled_s: 1, ..bank.pull() }],
        ..Settings::of(desk.url.clone())
    };
    let nowhere = Settings { inbox: None, ..settings.clone() };
    let shutdown = Shutdown::new();
    let refused = services_office::run(nowhere, None, shutdown.clone()).await.unwrap_err();
    assert!(services_runtime::error::chain(&refused).contains("inbox: "), "{refused}");
    let running = tokio::spawn(services_office::run(settings, None, shutdown.clone()));
    bank.put("monday.xml", &statement(1, MONDAY, 0));
    let done = here.path().join("done/custodian-monday.xml");
    let until = tokio::time::Instant::now() + Duration::from_secs(60);
    while !done.exists() {
        assert!(tokio::time::Instant::now() < until, "the statement was not taken in");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let rows = desk.office.statement_list(&super::clerk("Ana"), None, 10).await.unwrap();
    assert_eq!(rows.len(), 1);
    shutdown.cancel();
    running.await.unwrap().unwrap();
}

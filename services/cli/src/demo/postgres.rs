//! A private Postgres for tests: made by initdb, on loopback, stopped when dropped; it knows no schema.
use std::{
    ffi::OsStr,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Mutex, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

use crate::ports;

/// A server to use instead of a private one: `postgres://user@host:port/database`, whose user may
/// create databases.
pub const SERVER_VARIABLE: &str = "CAUSEWAY_TEST_DATABASE_URL";
/// Where Debian keeps its versions; elsewhere the programs are sought in PATH.
const DEBIAN: &str = "/usr/lib/postgresql";
/// Whom the server runs as when the tests run as root, which Postgres refuses.
const UNPRIVILEGED: &str = "postgres";

static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// How long processes may take to notice that the server's first one was killed.
const ORPHANS: Duration = Duration::from_secs(20);
/// Its own defaults for memory are made to run anywhere, and every server that works is given more; it is taken as it
/// fills. While the log's buffers (16 MB) are full, whoever writes a row writes the log too, and the others wait.
const MEMORY: &str = "-c shared_buffers=512MB -c wal_buffers=64MB";

/// A running server.
#[derive(Debug)]
pub struct Postgres {
    /// Up to the database's name, with a slash at the end.
    base_url: String,
    /// Any database of it that exists.
    first_database: String,
    private: Option<Private>,
}

/// What was started here and must be stopped.
#[derive(Debug)]
struct Private {
    folder: tempfile::TempDir,
    programs: PathBuf,
    user: Option<(u32, u32)>,
}

impl Postgres {
    /// The server of this process: started by the first who asks, stopped when the last lets go.
    ///
    /// # Errors
    /// When there is no Postgres installed, or it does not start.
    pub fn shared() -> anyhow::Result<std::sync::Arc<Self>> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = shared.upgrade() {
            return Ok(running);
        }
        let started = std::sync::Arc::new(Self::start()?);
        *shared = std::sync::Arc::downgrade(&started);
        Ok(started)
    }

    /// Starts a server of one's own, or takes the one of [`SERVER_VARIABLE`].
    ///
    /// # Errors
    /// When there is no Postgres installed, or it does not start.
    pub fn start() -> anyhow::Result<Self> {
        if let Ok(url) = std::env::var(SERVER_VARIABLE) {
            let (base, database) = url.rsplit_once('/').context("the URL names no database")?;
            return Ok(Self {
                base_url: format!("{base}/"),
                first_database: database.to_owned(),
                private: None,
            });
        }
        let private = Private {
            folder: tempfile::Builder::new().prefix("causeway-pg-").tempdir()?,
            programs: programs()?,
            user: unprivileged()?,
        };
        let folder = private.folder.path();
        if let Some((user, group)) = private.user {
            chown(folder, Some(user), Some(group))?;
        }
        let port = ports::free()?;
        let data = folder.join("data");
        let arguments = ["-A", "trust", "-U", "causeway", "-E", "UTF8", "--locale=C", "-N"];
        private.run(
            "initdb",
            arguments.iter().map(OsStr::new).chain(["-D".as_ref(), data.as_os_str()]),
        )?;
        let options = private.options(&port.to_string());
        let log = folder.join("log");
        // Waits until the server answers.
        private.run(
            "pg_ctl",
            ["-w", "-t", "60", "-o", &options, "start", "-l"].into_iter().map(OsStr::new).chain([
                log.as_os_str(),
                "-D".as_ref(),
                data.as_os_str(),
            ]),
        )?;
        Ok(Self {
            base_url: format!("postgres://causeway@127.0.0.1:{port}/"),
            first_database: "postgres".to_owned(),
            private: Some(private),
        })
    }

    /// A new, empty database; answers with its URL.
    ///
    /// # Errors
    /// When the server does not make it.
    pub async fn database(&self) -> anyhow::Result<String> {
        self.create("template1").await
    }

    /// A copy of a database that nobody is connected to; answers with its URL.
    ///
    /// # Errors
    /// When the server does not make it.
    pub async fn clone_of(&self, template_url: &str) -> anyhow::Result<String> {
        let (_, template) = template_url.rsplit_once('/').context("the URL names no database")?;
        self.create(template).await
    }

    async fn create(&self, template: &str) -> anyhow::Result<String> {
        let number = DATABASES.fetch_add(1, Ordering::Relaxed);
        let name = format!("causeway_{}_{number}", std::process::id());
        let options: PgConnectOptions =
            format!("{}{}", self.base_url, self.first_database).parse()?;
        let mut connection = PgConnection::connect_with(&options).await?;
        let statement = format!("CREATE DATABASE \"{name}\" TEMPLATE \"{template}\"");
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await?;
        connection.close().await?;
        Ok(format!("{}{name}", self.base_url))
    }

    /// Whether the server was started here, and may be crashed.
    #[must_use]
    pub const fn private(&self) -> bool {
        self.private.is_some()
    }

    /// Stops the private server at once, as a power cut would; [`Postgres::resume`] starts it again.
    ///
    /// # Errors
    /// When it does not stop, or is not private.
    pub fn crash(&self) -> anyhow::Result<()> {
        let private = self.private.as_ref().context("the server is not private")?;
        private.control(&["-w", "-m", "immediate", "stop"])
    }

    /// SIGKILL of the private server's first process: no time for anything.
    ///
    /// # Errors
    /// When it does not run, or is not private.
    pub fn kill(&self) -> anyhow::Result<()> {
        let id = self.id().and_then(|id| i32::try_from(id).ok());
        let id = id.context("the server is not private, or does not run")?;
        Ok(kill(Pid::from_raw(id), Signal::SIGKILL)?)
    }

    /// The private server's first process, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        let file = self.private.as_ref()?.folder.path().join("data/postmaster.pid");
        std::fs::read_to_string(file).ok()?.lines().next()?.trim().parse().ok()
    }

    /// Starts the private server again after [`Postgres::crash`] or [`Postgres::kill`].
    ///
    /// # Errors
    /// When it does not start, or is not private.
    pub fn resume(&self) -> anyhow::Result<()> {
        let until = Instant::now() + ORPHANS;
        loop {
            match self.start_again() {
                // What the first process left behind still ends.
                Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(200)),
                started => return started,
            }
        }
    }

    fn start_again(&self) -> anyhow::Result<()> {
        let private = self.private.as_ref().context("the server is not private")?;
        let port = self.base_url.trim_end_matches('/').rsplit(':').next().unwrap_or_default();
        let folder = private.folder.path();
        let options = private.options(port);
        let log = folder.join("log").display().to_string();
        private.control(&["-w", "-t", "60", "-o", &options, "-l", &log, "start"])
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(private) = &self.private {
            // It may have been stopped already; the folder goes with `private`.
            let _stopped = private.control(&["-w", "-m", "immediate", "stop"]);
        }
    }
}

impl Private {
    /// How the server is started.
    fn options(&self, port: &str) -> String {
        let folder = self.folder.path().display();
        format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} \
             -c max_connections=200 {MEMORY}"
        )
    }

    fn control(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let data = self.folder.path().join("data");
        let arguments = arguments.iter().map(OsStr::new);
        self.run("pg_ctl", arguments.chain(["-D".as_ref(), data.as_os_str()]))
    }

    fn run<'a>(
        &self,
        program: &str,
        arguments: impl Iterator<Item = &'a OsStr>,
    ) -> anyhow::Result<()> {
        let mut command = Command::new(self.programs.join(program));
        // The server inherits these; a pipe would never see its end.
        let output = self.folder.path().join("output");
        let file = std::fs::File::create(&output)?;
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command.stdout(file.try_clone()?).stderr(file);
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        let status = command.status().with_context(|| format!("{program} cannot be run"))?;
        if !status.success() {
            let said = std::fs::read_to_string(&output).unwrap_or_default();
            bail!("{program} failed: {said}");
        }
        Ok(())
    }
}

/// The folder of the newest installed server's programs.
fn programs() -> anyhow::Result<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|folder| folder.join("initdb").exists())
        .collect();
    versions.sort_by_key(|folder| version(folder));
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&paths).find(|folder| folder.join("initdb").exists());
    versions.pop().or(in_path).context("no initdb: install the postgresql package")
}

fn version(folder: &Path) -> u32 {
    let name = folder.parent().and_then(Path::file_name).and_then(OsStr::to_str);
    name.and_then(|name| name.parse().ok()).unwrap_or(0)
}

/// Whom to become; nobody when the tests are unprivileged already.
fn unprivileged() -> anyhow::Result<Option<(u32, u32)>> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(None);
    }
    let user = nix::unistd::User::from_name(UNPRIVILEGED)?;
    let user = user.context("no user postgres: install the postgresql package")?;
    Ok(Some((user.uid.as_raw(), user.gid.as_raw())))
}

//! The demonstration's own processes: started from this binary, logged to files, ended with it. It
//! must never touch a process that it did not start.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a process may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// One service as a process; ended when dropped.
#[derive(Debug)]
pub struct Service {
    name: String,
    program: PathBuf,
    /// The program and arguments that the service is started under; none for itself.
    under: Vec<String>,
    arguments: Vec<String>,
    log: PathBuf,
    child: Option<Child>,
}

impl Service {
    /// Starts `causeway <service> --config <file>`.
    pub fn start(service: &str, name: &str, config: &Path, logs: &Path) -> anyhow::Result<Self> {
        let mut this = Self::new(service, name, config, logs)?;
        this.resume()?;
        Ok(this)
    }

    /// The same, not yet started.
    pub fn new(service: &str, name: &str, config: &Path, logs: &Path) -> anyhow::Result<Self> {
        let config = config.to_string_lossy().into_owned();
        Ok(Self {
            name: name.to_owned(),
            program: program("causeway")?,
            under: Vec::new(),
            arguments: vec![service.to_owned(), "--config".to_owned(), config],
            log: logs.join(format!("{name}.log")),
            child: None,
        })
    }

    /// From the next start on, another program of the same commands,
    /// under one that becomes it, such as `env NAME=VALUE`.
    pub fn become_at_next_start(&mut self, program: PathBuf, under: Vec<String>) {
        (self.program, self.under) = (program, under);
    }

    /// Starts it again after [`Service::kill`].
    pub fn resume(&mut self) -> anyhow::Result<()> {
        let shown = self.log.display();
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .with_context(|| format!("{shown}: cannot be written"))?;
        let mut command = match self.under.split_first() {
            None => Command::new(&self.program),
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments).arg(&self.program);
                command
            }
        };
        let child = command
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{}: cannot be started", self.name))?;
        self.child = Some(child);
        Ok(())
    }

    /// SIGKILL: no time to write anything.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(child) = &mut self.child {
            child.kill().with_context(|| format!("{}: cannot be killed", self.name))?;
            child.wait().with_context(|| format!("{}: has no end", self.name))?;
        }
        self.child = None;
        Ok(())
    }

    /// What it was named at its start.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// How it ended, if it did by itself.
    pub fn ended(&mut self) -> anyhow::Result<Option<std::process::ExitStatus>> {
        let Some(child) = &mut self.child else { return Ok(None) };
        Ok(child.try_wait()?)
    }

    /// Fails when it ended by itself, with the end of its log.
    pub fn check(&mut self) -> anyhow::Result<()> {
        let Some(child) = &mut self.child else { return Ok(()) };
        let Some(status) = child.try_wait()? else { return Ok(()) };
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(5)..).unwrap_or_default().join("\n");
        anyhow::bail!("{} ended with {status}: {tail}", self.name)
    }

    fn ask_to_end(&self) {
        let id = self.child.as_ref().and_then(|child| i32::try_from(child.id()).ok());
        if let Some(id) = id {
            // It may have ended by itself.
            let _gone = kill(Pid::from_raw(id), Signal::SIGTERM);
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.ask_to_end();
        let Some(mut child) = self.child.take() else { return };
        let until = Instant::now() + GRACE;
        while Instant::now() < until {
            if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        // It had its time; nothing of it may stay.
        let _ended = child.kill().and_then(|()| child.wait());
    }
}

/// The program `causeway`: this one or, from another, the one built beside it or above it.
pub fn binary() -> anyhow::Result<PathBuf> {
    program("causeway")
}

/// This program if it has the name; else the program built beside it or, for a test, above it.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("this program's own file is unknown")?;
    if own.file_stem().is_some_and(|stem| stem == name) {
        return Ok(own);
    }
    let places = own.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    let mut found = places.filter(|file| file.is_file());
    found
        .next()
        .with_context(|| format!("the program `{name}` is not built; run `make build` first"))
}

/// Ends services together: all are asked before any is waited for.
pub fn end(services: Vec<Service>) {
    services.iter().for_each(Service::ask_to_end);
    drop(services);
}

//! System calls that fail on command, by libfiu; it needs no right beyond starting the program.
use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::ensure;

use super::run;

const LIBRARIES: [&str; 2] =
    ["/usr/lib/fiu/fiu_run_preload.so", "/usr/lib/fiu/fiu_posix_preload.so"];
/// `EIO`.
const INPUT_OUTPUT_ERROR: i32 = 5;

/// The way to each program's calls.
#[derive(Debug)]
pub(in super::super) struct Calls {
    /// Each program opens a pipe of this name followed by its id.
    pipe: PathBuf,
}

impl Calls {
    pub(super) fn new(spare: &Path) -> anyhow::Result<Self> {
        let found = LIBRARIES.iter().all(|library| Path::new(library).exists());
        ensure!(found, "libfiu is not installed: apt-get install fiu-utils");
        Ok(Self { pipe: spare.join("fiu") })
    }

    pub(super) fn environment(&self) -> [String; 2] {
        let pipe = self.pipe.display();
        [format!("LD_PRELOAD={}", LIBRARIES.join(" ")), format!("FIU_CTRL_FIFO={pipe}")]
    }

    /// Lets the named call of a running program fail with an input/output error, each time with a
    /// probability.
    pub(in super::super) fn fail(
        &self,
        process: u32,
        call: &str,
        probability: f64,
    ) -> anyhow::Result<()> {
        let order = format!(
            "enable_random name={call},probability={probability},failinfo={INPUT_OUTPUT_ERROR}"
        );
        let mut command = Command::new("fiu-ctrl");
        command.arg("-f").arg(&self.pipe).arg("-c").arg(order).arg(process.to_string());
        run(&mut command)
    }
}

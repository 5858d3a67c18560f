//! What a process has in memory, by /proc; it must never know what the process is for.
use anyhow::Context as _;

/// Resident now, in KiB.
///
/// # Errors
/// When there is no such process.
pub fn resident(process: u32) -> anyhow::Result<u64> {
    status(process, "VmRSS:")
}

/// The most that was ever resident, in KiB: about that, for Linux counts it in pieces, so it may be
/// a little less when it is asked again.
///
/// # Errors
/// When there is no such process.
pub fn resident_max(process: u32) -> anyhow::Result<u64> {
    status(process, "VmHWM:")
}

fn status(process: u32, name: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let line = line.with_context(|| format!("process {process} has no {name}"))?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

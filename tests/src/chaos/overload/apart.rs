//! Nodes and the generator of their load on processors of their own, so that what it costs to make a load is not taken from those who serve it.
use std::{fs, path::Path};

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use services_cli::bench::world::World;

/// Gives the nodes one half of this process's processors and the generator, which is this process,
/// the other; with a single one they share it.
///
/// # Errors
/// When the system does not let it.
pub(super) fn apart(world: &World) -> anyhow::Result<()> {
    let all = sched_getaffinity(Pid::from_raw(0))?;
    let own: Vec<usize> = (0..CpuSet::count()).filter(|at| all.is_set(*at) == Ok(true)).collect();
    let (nodes, generator) = own.split_at(own.len().div_ceil(2));
    if generator.is_empty() {
        return Ok(());
    }
    for process in world.processes() {
        keep(process, nodes)?;
    }
    keep(std::process::id(), generator)
}

/// Keeps a process, with every thread that it has and will have, to some processors.
fn keep(process: u32, processors: &[usize]) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    processors.iter().try_for_each(|at| set.set(*at))?;
    for thread in fs::read_dir(Path::new("/proc").join(process.to_string()).join("task"))? {
        let thread = thread?.file_name();
        let Some(thread) = thread.to_str().and_then(|name| name.parse().ok()) else { continue };
        match sched_setaffinity(Pid::from_raw(thread), &set) {
            // It ended meanwhile.
            Ok(()) | Err(nix::errno::Errno::ESRCH) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

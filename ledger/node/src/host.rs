//! What a replica asks of the machine it runs on beside rows: the time, its own workers, files made durable. It knows nothing of ledgers.
#[cfg(not(feature = "simulation"))]
mod machine;
#[cfg(not(feature = "simulation"))]
pub(crate) use machine::{Worker, blocking, free_bytes, now, seeded, spawn, sync, written};

#[cfg(feature = "simulation")]
pub(crate) use crate::simulation::host::{
    Worker, blocking, free_bytes, now, seeded, spawn, sync, written,
};

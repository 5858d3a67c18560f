//! A switch of one's own between nodes and clients that loses, holds back, reorders, doubles and bends frames, by a seed; it never looks at what they carry.
use std::{
    collections::BTreeMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tun_rs::{DeviceBuilder, Layer, SyncDevice};

/// The longest frame.
const FRAME_BYTES: usize = 2_048;
/// How much a narrow line holds back before it loses the rest.
const HELD: Duration = Duration::from_millis(500);
/// How much later an overtaken frame is than the others.
const OVERTAKEN: Duration = Duration::from_millis(20);

/// What happens to frames on their way.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct Weather {
    /// Of a thousand frames, so many are lost.
    pub(in super::super) lost: u16,
    /// So many come twice.
    pub(in super::super) doubled: u16,
    /// Of so many one bit is another.
    pub(in super::super) bent: u16,
    /// So many are overtaken by others.
    pub(in super::super) overtaken: u16,
    /// How long each is on its way,
    pub(in super::super) delay: Duration,
    /// and by how much that differs at most.
    pub(in super::super) jitter: Duration,
    /// How much each port sends at most; 0 for no limit.
    pub(in super::super) bytes_per_s: u32,
}

/// The switch; its ports end when their devices are removed.
#[derive(Debug)]
pub(super) struct Air {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    weather: Mutex<Weather>,
    /// Frames on their way: when each arrives, and at which port.
    flying: Mutex<Flying>,
    more: Condvar,
}

#[derive(Default)]
struct Flying {
    frames: BTreeMap<(Instant, u64), (usize, Vec<u8>)>,
    number: u64,
    ended: bool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:?}", lock(&self.weather))
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Air {
    /// A switch with a port for each name, as a device of that name in the present network.
    pub(super) fn new(ports: &[String], seed: u64) -> anyhow::Result<Self> {
        let mut devices = Vec::new();
        for (port, name) in ports.iter().enumerate() {
            let device = DeviceBuilder::new()
                .name(name)
                .layer(Layer::L2)
                .mac_addr(address(port)?)
                .enable(false)
                .build_sync();
            devices.push(Arc::new(device.context("no network device can be made")?));
        }
        let shared = Arc::<Shared>::default();
        for (port, device) in devices.iter().enumerate() {
            let rng = fastrand::Rng::with_seed(seed.wrapping_add(u64::try_from(port)?));
            let (shared, device, ports) = (Arc::clone(&shared), Arc::clone(device), ports.len());
            thread::spawn(move || take(&shared, &device, (port, ports), rng));
        }
        let sender = Arc::clone(&shared);
        thread::spawn(move || give(&sender, &devices));
        Ok(Self { shared })
    }

    pub(super) fn set(&self, weather: Weather) {
        *lock(&self.shared.weather) = weather;
    }
}

impl Drop for Air {
    fn drop(&mut self) {
        lock(&self.shared.flying).ended = true;
        self.shared.more.notify_all();
    }
}

/// A port's hardware address ends with its number.
fn address(port: usize) -> anyhow::Result<[u8; 6]> {
    Ok([2, 0, 0, 0, 0, u8::try_from(port)?])
}

/// Takes what comes in at a port, until its device is gone.
fn take(
    shared: &Shared,
    device: &SyncDevice,
    (port, ports): (usize, usize),
    mut rng: fastrand::Rng,
) {
    let mut buffer = [0; FRAME_BYTES];
    let mut free = Instant::now();
    while let Ok(length) = device.recv(&mut buffer) {
        let frame = &buffer[..length];
        let own = frame.get(..5).is_some_and(|start| start == [2, 0, 0, 0, 0]);
        let to = frame.get(5).filter(|_| own).map(|port| usize::from(*port));
        for other in (0..ports).filter(|other| *other != port) {
            if to.is_none_or(|to| to == other) {
                shared.carry(frame, other, &mut free, &mut rng);
            }
        }
    }
}

impl Shared {
    fn carry(&self, frame: &[u8], to: usize, free: &mut Instant, rng: &mut fastrand::Rng) {
        let weather = *lock(&self.weather);
        let now = Instant::now();
        let mut happens = |of_a_thousand: u16| rng.u16(..1_000) < of_a_thousand;
        let [lost, doubled, bent, overtaken] =
            [weather.lost, weather.doubled, weather.bent, weather.overtaken].map(&mut happens);
        let mut sent = now;
        if weather.bytes_per_s > 0 {
            let bytes = u32::try_from(frame.len()).unwrap_or(u32::MAX);
            let takes = Duration::from_secs(1) * bytes / weather.bytes_per_s;
            sent = (*free).max(now) + takes;
            if sent > now + HELD {
                return;
            }
            *free = sent;
        }
        if lost {
            return;
        }
        let mut frame = frame.to_vec();
        if bent && frame.len() > 14 {
            // Behind the addresses: a frame for nobody would only be a lost one.
            let place = rng.usize(14..frame.len());
            frame[place] ^= 1 << rng.u8(..8);
        }
        let jitter = u64::try_from(weather.jitter.as_micros()).unwrap_or(u64::MAX);
        let late = if overtaken { OVERTAKEN } else { Duration::ZERO };
        let arrives = sent + weather.delay + late;
        let mut flying = lock(&self.flying);
        for _ in 0..if doubled { 2 } else { 1 } {
            let jitter = Duration::from_micros(rng.u64(..=jitter));
            flying.number += 1;
            let key = (arrives + jitter, flying.number);
            flying.frames.insert(key, (to, frame.clone()));
        }
        self.more.notify_one();
    }
}

/// Hands each frame over when its time has come, until the end.
fn give(shared: &Shared, devices: &[Arc<SyncDevice>]) {
    let mut flying = lock(&shared.flying);
    while !flying.ended {
        let next = flying.frames.first_key_value().map(|((at, _), _)| *at);
        let wait = next.map(|at| at.saturating_duration_since(Instant::now()));
        flying = match wait {
            Some(Duration::ZERO) => {
                if let Some((_, (to, frame))) = flying.frames.pop_first() {
                    drop(flying);
                    // A device that is down, or gone, takes nothing.
                    let _lost = devices[to].send(&frame);
                    flying = lock(&shared.flying);
                }
                continue;
            }
            Some(wait) => match shared.more.wait_timeout(flying, wait) {
                Ok((flying, _)) => flying,
                Err(poisoned) => poisoned.into_inner().0,
            },
            None => shared.more.wait(flying).unwrap_or_else(PoisonError::into_inner),
        };
    }
}

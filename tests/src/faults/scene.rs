//! A scene: four backends, a proxy before them, and a load.

use super::account::{self, Account, Moment};
use super::proxy::{Kind, Proxy, Surroundings};
use super::setup::{Setup, Spec};
use super::{Fault, names};
use crate::backend::Process;
use crate::load::{Connections, Load, Outcome};
use crate::websocket::{Echo, Speaks};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Requests a second.
pub const RATE: u64 = 100;
pub(super) const BACKENDS: [(&str, &str, u8); 4] = [
    ("fra-a", "frankfurt", 1),
    ("fra-b", "frankfurt", 1),
    ("iad-a", "virginia", 2),
    ("iad-b", "virginia", 2),
];

/// Who is put to the test, and for how long.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The proxy.
    pub proxy: Kind,
    /// The program `nearside`, whose sample backends are used.
    pub program: PathBuf,
    /// How long everything takes.
    pub pace: Pace,
}

/// How long everything takes.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Requests before a fault.
    pub before: u64,
    /// Requests while it lasts.
    pub during: u64,
    /// How often a flapping backend goes down.
    pub flaps: u32,
    /// Reloads.
    pub reloads: u32,
    /// Idle connections.
    pub idle: usize,
    /// Requests after the name server is gone.
    pub nameless: u64,
}

impl Pace {
    /// For figures.
    pub const FULL: Self =
        Self { before: 200, during: 600, flaps: 5, reloads: 50, idle: 5_000, nameless: 2_000 };
    /// For a look at counts and order.
    pub const SHORT: Self = Self { before: 60, during: 400, flaps: 2, reloads: 10, idle: 300, nameless: 700 };
}

pub(super) struct Scene {
    pub(super) proxy: Box<dyn Proxy>,
    pub(super) backends: Vec<Process>,
    pub(super) setup: Setup,
    _echo: Echo,
    pub(super) pace: Pace,
    kind: &'static str,
    _folder: TempDir,
}

impl Scene {
    /// Everything started and warm.
    pub(super) async fn open(stage: &Stage) -> Self {
        Self::open_in(stage, &Surroundings::default(), None).await
    }

    /// The same in these surroundings; with a server of names the backends have names.
    pub(super) async fn open_in(
        stage: &Stage,
        surroundings: &Surroundings,
        names: Option<&names::Server>,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let backends = start(&stage.program, folder.path()).await;
        let spec = |process: &Process, (name, region, tier): (&str, &str, u8)| Spec {
            name: name.to_owned(),
            region: region.to_owned(),
            tier,
            host: names.map_or_else(|| "127.0.0.1".to_owned(), |_| names::name(name)),
            port: process.address.port(),
        };
        let echo = Echo::start(Speaks::H1, None).await;
        let setup = Setup {
            backends: backends.iter().zip(BACKENDS).map(|(process, row)| spec(process, row)).collect(),
            echo: echo.address,
            number: 1,
            drained: false,
            name_server: names.map(names::Server::address),
            brisk: false,
        };
        let proxy = stage.proxy.start(&setup, surroundings).await;
        Self {
            proxy,
            backends,
            setup,
            _echo: echo,
            pace: stage.pace,
            kind: stage.proxy.name(),
            _folder: folder,
        }
    }

    /// Starts the load and waits until it is steady.
    pub(super) async fn load(&self, connections: Connections) -> Load {
        let load = Load::at(&self.proxy.door(), RATE, connections);
        load.more(self.pace.before).await;
        load
    }

    /// The first tier.
    pub(super) fn first(&self) -> Vec<&Process> {
        self.backends.iter().take(2).collect()
    }

    /// Applies the next configuration, and waits until a new connection is served by it; how long that took.
    pub(super) async fn apply(&mut self, setup: Setup) -> Duration {
        let began = Instant::now();
        tokio::task::block_in_place(|| self.proxy.apply(&setup));
        self.setup = setup;
        in_force(&*self.proxy, self.setup.number).await;
        began.elapsed()
    }

    /// What became of the load, with `faulty` backends from `moment` on.
    pub(super) fn account(&self, fault: Fault, outcomes: &[Outcome], moment: &Moment<'_>) -> Account {
        account::draw(self.kind, fault, outcomes, &self.backends, moment)
    }
}

/// Waits until a new connection is served by the configuration of this number.
pub(super) async fn in_force(proxy: &dyn Proxy, number: u64) {
    let door = proxy.door();
    let client = door.client(false).pool_max_idle_per_host(0).timeout(Duration::from_secs(1));
    let client = client.build().expect("a client");
    let number = number.to_string();
    let began = Instant::now();
    loop {
        if let Ok(answer) = client.get(door.url("/")).send().await
            && answer.headers().get("x-config").is_some_and(|value| value == number.as_str())
        {
            return;
        }
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "configuration {number} is not in force: {}",
            proxy.log()
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub(super) async fn start(program: &Path, folder: &Path) -> Vec<Process> {
    let mut backends = Vec::new();
    for (name, region, _) in BACKENDS {
        backends.push(Process::of(program, folder, name, region).await);
    }
    backends
}

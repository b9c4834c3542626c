//! A soak: all faults in random order against one nearside under a steady load, and what the ledgers say in the end.
//!
//! One fault at a time strikes one backend or one tier, and is over before the next begins, so that there is always
//! somebody who can answer: no GET has to fail. What by its nature may cost a POST (it was on a backend that was killed,
//! stopped, or answered 500) is counted apart; a POST that fails anywhere else, and one that arrives twice, is wrong.

mod deeds;
mod gauge;
mod report;

pub use report::Report;

use super::crowd::Held;
use super::nearside::{self, Nearside};
use super::proxy::{Proxy, Surroundings};
use super::scene::{self, BACKENDS, RATE};
use super::setup::{Setup, Spec};
use super::{Fault, names};
use crate::backend::{self, Process};
use crate::load::{Connections, Load};
use crate::websocket::{Echo, Speaks};
use gauge::Gauge;
use nearside_core::random::Random;
use serde_json::Value;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The descriptors that nearside may have: few enough that clients can take all that are theirs.
const DESCRIPTORS: u32 = 1_024;
/// Connections that are held while they say nothing.
const IDLE: usize = 300;
/// How long backends have to come back after a fault: ejections double, up to five minutes.
const RETURN: Duration = Duration::from_secs(330);
/// How long what was kept may stay open after the load.
const PARTING: Duration = Duration::from_secs(60);

/// What is soaked, and for how long.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program `nearside`, whose sample backends are used.
    pub program: PathBuf,
    /// What the order, the victims and the lengths of faults are drawn from.
    pub seed: u64,
    /// When it is over.
    pub length: Length,
}

/// When a soak is over.
#[derive(Clone, Copy, Debug)]
pub enum Length {
    /// After so long; a fault that has begun is carried out.
    Time(Duration),
    /// After so many faults.
    Faults(usize),
}

/// One fault as it was carried out.
struct Deed {
    fault: Fault,
    began: Instant,
    /// Whom it struck, by number.
    struck: Vec<usize>,
    /// When they were killed.
    kills: Vec<Range<Instant>>,
    /// The configuration that drains the first region, if this is that.
    draining: Option<u64>,
    wrong: Vec<String>,
    /// What the process that serves had when all was well again.
    after: Gauge,
}

/// One process, from when it was warm.
struct Life {
    began: Instant,
    warm: Gauge,
}

struct Soak {
    nearside: Nearside,
    backends: Vec<Process>,
    setup: Setup,
    names: Option<names::Server>,
    load: Load,
    /// What the first process had before the load.
    cold: Gauge,
    random: Random,
    _echo: Echo,
    _folder: TempDir,
}

/// Carries the plan out and tells of each fault in a line.
pub async fn run(plan: &Plan, tell: &mut dyn FnMut(&str)) -> Report {
    let mut soak = Soak::open(plan, tell).await;
    let began = Instant::now();
    let mut lives = vec![soak.warm().await];
    let mut deeds: Vec<Deed> = Vec::new();
    let is_over = |deeds: &[Deed]| match plan.length {
        Length::Time(time) => began.elapsed() >= time,
        Length::Faults(count) => deeds.len() >= count,
    };
    'rounds: for round in 0.. {
        for fault in soak.order(round) {
            if is_over(&deeds) {
                break 'rounds;
            }
            let mut deed = soak.carry_out(fault).await;
            if matches!(fault, Fault::Upgrade | Fault::Sigterm) {
                lives.push(soak.warm().await);
                deed.after = lives.last().expect("just pushed").warm;
            }
            tell(&report::line(&deed, began));
            deeds.push(deed);
            if fault == Fault::Drain {
                let undrain = soak.carry_out(Fault::Undrain).await;
                tell(&report::line(&undrain, began));
                deeds.push(undrain);
            }
        }
    }
    soak.close(&deeds, &lives).await
}

impl Soak {
    async fn open(plan: &Plan, tell: &mut dyn FnMut(&str)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let names = match names::hindrance_at(names::SOAK) {
            None => Some(names::Server::start(names::SOAK)),
            Some(why) => {
                tell(&format!("SKIPPED: {}: {why}", Fault::NameServer.name()));
                None
            }
        };
        let backends = scene::start(&plan.program, folder.path()).await;
        let echo = Echo::start(Speaks::H1, None).await;
        let setup = Setup {
            backends: specs(&backends, names.is_some()),
            echo: echo.address,
            number: 1,
            drained: false,
            name_server: names.as_ref().map(names::Server::address),
            brisk: true,
        };
        let surroundings = surroundings(names.as_ref(), folder.path());
        let nearside = nearside::start(&plan.program, &setup, &surroundings).await;
        let cold = Gauge::read(nearside.serving);
        let load = Load::at(&nearside.door(), RATE, Connections::KeptAndNew);
        let random = Random::new(plan.seed);
        Self { nearside, backends, setup, names, load, cold, random, _echo: echo, _folder: folder }
    }

    /// Every fault once, in random order. Undrain follows drain. The process is replaced in every second round only, so
    /// that what it keeps over many faults is seen.
    fn order(&mut self, round: u32) -> Vec<Fault> {
        let is_due = |fault: &Fault| match fault {
            Fault::Undrain => false,
            Fault::NameServer => self.names.is_some(),
            Fault::Upgrade | Fault::Sigterm => round.is_multiple_of(2),
            _ => true,
        };
        let mut order: Vec<Fault> = Fault::ALL.iter().copied().filter(is_due).collect();
        for last in (1..order.len()).rev() {
            let other = self.random.below(last as u64 + 1);
            order.swap(last, usize::try_from(other).expect("below the length"));
        }
        order
    }

    /// Brings a process to the state that it is compared with later: it has been loaded, crowded and changed.
    async fn warm(&mut self) -> Life {
        self.load.more(2 * RATE).await;
        let mut held = Held::open(&self.nearside.door(), IDLE).await;
        held.used().await;
        drop(held);
        self.crowd().await;
        for _ in 0..5 {
            let next = self.setup.next();
            self.apply(next).await;
        }
        let wrong = self.recovered().await;
        assert!(wrong.is_empty(), "{wrong:?}");
        Life { began: Instant::now(), warm: Gauge::read(self.nearside.serving) }
    }

    /// Waits until every backend is used as before; what should not have been.
    async fn recovered(&self) -> Vec<String> {
        let began = Instant::now();
        loop {
            let status = self.nearside.edge.ask("/status");
            let status = status.and_then(|(_, body)| serde_json::from_str::<Value>(&body).ok());
            let away = status.as_ref().map(away);
            match away {
                Some(away) if away.is_empty() => return Vec::new(),
                away if began.elapsed() > RETURN => {
                    return vec![format!("not back after {} s: {away:?}", RETURN.as_secs())];
                }
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Applies a configuration and waits until a new connection is served by it.
    async fn apply(&mut self, setup: Setup) {
        tokio::task::block_in_place(|| self.nearside.apply(&setup));
        self.setup = setup;
        scene::in_force(&self.nearside, self.setup.number).await;
    }

    /// Ends the load, and judges.
    async fn close(self, deeds: &[Deed], lives: &[Life]) -> Report {
        let cold = self.cold;
        let outcomes = self.load.end().await;
        let all: Vec<&Process> = self.backends.iter().collect();
        backend::signal("CONT", &all);
        super::failing::settle(&all).await;
        // Idle connections to backends are kept for some seconds.
        let began = Instant::now();
        let mut left = Gauge::read(self.nearside.serving);
        while left.descriptors > cold.descriptors + report::PASSING && began.elapsed() < PARTING {
            tokio::time::sleep(Duration::from_millis(200)).await;
            left = Gauge::read(self.nearside.serving);
        }
        report::draw(&report::Told {
            deeds,
            lives,
            outcomes: &outcomes,
            backends: &self.backends,
            cold,
            left,
        })
    }
}

/// The backends of the pool that are not used as before, and how they stand.
fn away(status: &Value) -> Vec<String> {
    let backends = status["backends"].as_array().into_iter().flatten();
    let backends = backends.filter(|backend| backend["pool"] == "web");
    let is_away = |backend: &&Value| {
        backend["usable"] != true
            || backend["standing"] != "healthy"
            || !backend["held_until"].is_null()
            || !backend["ramp"].is_null()
    };
    backends.filter(is_away).map(|backend| format!("{} {}", backend["name"], backend["standing"])).collect()
}

fn specs(backends: &[Process], has_names: bool) -> Vec<Spec> {
    let spec = |(process, (name, region, tier)): (&Process, (&str, &str, u8))| Spec {
        name: name.to_owned(),
        region: region.to_owned(),
        tier,
        host: if has_names { names::name(name) } else { "127.0.0.1".to_owned() },
        port: process.address.port(),
    };
    backends.iter().zip(BACKENDS).map(spec).collect()
}

fn surroundings(names: Option<&names::Server>, folder: &Path) -> Surroundings {
    let with_names = names.map(|names| names.surroundings(folder)).unwrap_or_default();
    Surroundings { descriptors: Some(DESCRIPTORS), ..with_names }
}

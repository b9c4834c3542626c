//! Faults of backends.

use super::Fault;
use super::account::{Account, Moment};
use super::scene::{RATE, Scene, Stage};
use crate::backend::{self, Process};
use crate::load::{Connections, Load};
use std::ops::Range;
use std::time::{Duration, Instant};

/// A backend that writes nothing down for so long has nothing more to write down.
const SETTLED: Duration = Duration::from_secs(1);

/// One fault of one backend, or of the first tier, until the load has ended.
pub(super) async fn run(fault: Fault, stage: &Stage) -> Account {
    let mut scene = Scene::open(stage).await;
    let load = scene.load(Connections::KeptAndNew).await;
    let at = Instant::now();
    let kills = match fault {
        Fault::Flap => flap(&mut scene, &load).await,
        other => {
            let long = Duration::from_millis(10_000 * scene.pace.during / RATE);
            strike(other, &struck(other, &scene), long).into_iter().collect()
        }
    };
    load.more(scene.pace.during).await;
    let outcomes = load.end().await;
    let faulty = struck(fault, &scene);
    if matches!(fault, Fault::StopOne | Fault::StopTier) {
        // What waited at a stopped backend arrives now: a POST that was repeated meanwhile would show as a second one.
        backend::signal("CONT", &faulty);
        settle(&faulty).await;
    }
    scene.account(fault, &outcomes, &Moment { at, faulty: &faulty, kills: &kills })
}

/// Waits until backends that go on have written down what waited for them.
pub(super) async fn settle(backends: &[&Process]) {
    // Probes bear no id, and go on.
    let named = |process: &&Process| process.arrivals().iter().filter(|arrival| arrival.id.is_some()).count();
    let written = || backends.iter().map(named).sum::<usize>();
    let mut before = written();
    loop {
        tokio::time::sleep(SETTLED).await;
        let now = written();
        if now == before {
            return;
        }
        before = now;
    }
}

/// The backends that a fault strikes.
fn struck(fault: Fault, scene: &Scene) -> Vec<&Process> {
    let is_tier = matches!(fault, Fault::KillTier | Fault::StopTier | Fault::ErrorsTier);
    scene.first().into_iter().take(if is_tier { 2 } else { 1 }).collect()
}

/// Does it to these backends; when they were killed, where that is what is done. `long` is how long nobody listens.
pub(super) fn strike(fault: Fault, faulty: &[&Process], long: Duration) -> Option<Range<Instant>> {
    let control = |what: &str| faulty.iter().for_each(|process| process.control(what));
    match fault {
        Fault::KillOne | Fault::KillTier => return Some(backend::kill(faulty)),
        Fault::StopOne | Fault::StopTier => backend::signal("STOP", faulty),
        Fault::Refuse => control(&format!("deaf/{}", long.as_millis())),
        Fault::Errors | Fault::ErrorsTier => control("fault/errors"),
        Fault::HiddenErrors => control("fault/hidden"),
        Fault::Drip => control("fault/drip"),
        other => panic!("{other:?} is no fault of a backend"),
    }
    None
}

/// Down for a second, up for a second; when it went down.
async fn flap(scene: &mut Scene, load: &Load) -> Vec<Range<Instant>> {
    let mut kills = Vec::new();
    for _ in 0..scene.pace.flaps {
        let first = scene.backends.first_mut().expect("four backends");
        kills.push(backend::kill(&[first]));
        load.more(RATE).await;
        first.again().await;
        load.more(RATE).await;
    }
    kills
}

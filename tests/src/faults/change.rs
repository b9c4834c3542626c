//! Changes under load: configurations, marks and certificates.

use super::Fault;
use super::account::{Account, Moment};
use super::scene::{Scene, Stage};
use crate::client::{self, Door};
use crate::load::{Connections, Outcome};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often a new connection looks at the certificate.
const LOOK: Duration = Duration::from_millis(5);

/// One configuration after the other, each as soon as the one before is in force.
pub(super) async fn reloads(stage: &Stage) -> Account {
    let mut scene = Scene::open(stage).await;
    let load = scene.load(Connections::KeptAndNew).await;
    let at = Instant::now();
    let mut slowest = Duration::ZERO;
    for _ in 0..scene.pace.reloads {
        let next = scene.setup.next();
        slowest = slowest.max(scene.apply(next).await);
    }
    load.more(scene.pace.before).await;
    let outcomes = load.end().await;
    let mut account = scene.account(Fault::Reloads, &outcomes, &Moment::nobody(at));
    account.times.insert("in force", slowest);
    stays(&mut account, &outcomes);
    account
}

/// A file that is wrong, then one that is right.
pub(super) async fn bad_file(stage: &Stage) -> Account {
    let mut scene = Scene::open(stage).await;
    let load = scene.load(Connections::KeptAndNew).await;
    let at = Instant::now();
    tokio::task::block_in_place(|| scene.proxy.spoil());
    load.more(scene.pace.during).await;
    let wrong = scene.proxy.has_ended();
    let next = scene.setup.next();
    scene.apply(next).await;
    load.more(scene.pace.before).await;
    let outcomes = load.end().await;
    let mut account = scene.account(Fault::BadFile, &outcomes, &Moment::nobody(at));
    account.must(!wrong, "it ended");
    stays(&mut account, &outcomes);
    account
}

/// The first region gets its mark.
pub(super) async fn drain(stage: &Stage) -> Account {
    let mut scene = Scene::open(stage).await;
    let load = scene.load(Connections::KeptAndNew).await;
    let at = Instant::now();
    let marked = scene.setup.marked(true);
    scene.apply(marked).await;
    load.more(scene.pace.during).await;
    let outcomes = load.end().await;
    let faulty = scene.first();
    let mut account = scene.account(Fault::Drain, &outcomes, &Moment { at, faulty: &faulty, kills: &[] });
    account.stale += late(&outcomes, scene.setup.number, "frankfurt");
    account
}

/// The first region loses its mark.
pub(super) async fn undrain(stage: &Stage) -> Account {
    let mut scene = Scene::open(stage).await;
    let marked = scene.setup.marked(true);
    scene.apply(marked).await;
    let load = scene.load(Connections::KeptAndNew).await;
    let at = Instant::now();
    let clear = scene.setup.marked(false);
    scene.apply(clear).await;
    load.more(scene.pace.during).await;
    let outcomes = load.end().await;
    let standby: Vec<_> = scene.backends.iter().skip(2).collect();
    let mut account = scene.account(Fault::Undrain, &outcomes, &Moment { at, faulty: &standby, kills: &[] });
    account.stale += late(&outcomes, scene.setup.number, "virginia");
    account
}

/// A new certificate, while new connections look at it all the time.
pub(super) async fn certificate(stage: &Stage) -> Account {
    let mut scene = Scene::open(stage).await;
    let load = scene.load(Connections::KeptAndNew).await;
    let stop = Arc::new(AtomicBool::new(false));
    let watch = tokio::spawn(watch(scene.proxy.door(), Arc::clone(&stop)));
    load.more(scene.pace.before).await;
    let at = Instant::now();
    let new = tokio::task::block_in_place(|| scene.proxy.renew());
    load.more(scene.pace.during).await;
    stop.store(true, Ordering::Relaxed);
    let seen = watch.await.expect("the watch went on");
    let outcomes = load.end().await;
    let mut account = scene.account(Fault::Certificate, &outcomes, &Moment::nobody(at));
    match seen.iter().find(|look| look.shown == new) {
        None => account.must(false, "the new certificate was never shown"),
        Some(first) => {
            account.times.insert("shown", first.ended - at);
            account.stale = seen.iter().filter(|look| look.began > first.ended && look.shown != new).count();
        }
    }
    let failed = seen.iter().filter(|look| look.shown.is_empty()).count();
    account.must(failed == 0, format!("{failed} of {} handshakes failed", seen.len()));
    stays(&mut account, &outcomes);
    account
}

/// Another process takes the running one's place.
pub(super) async fn upgrade(stage: &Stage) -> Account {
    let mut scene = Scene::open(stage).await;
    let load = scene.load(Connections::KeptAndNew).await;
    let at = Instant::now();
    tokio::task::block_in_place(|| scene.proxy.upgrade());
    let took = at.elapsed();
    load.more(scene.pace.during).await;
    let outcomes = load.end().await;
    let mut account = scene.account(Fault::Upgrade, &outcomes, &Moment::nobody(at));
    account.times.insert("upgraded", took);
    stays(&mut account, &outcomes);
    account
}

/// One handshake.
pub(super) struct Look {
    began: Instant,
    ended: Instant,
    pub(super) shown: Vec<u8>,
}

pub(super) async fn watch(door: Door, stop: Arc<AtomicBool>) -> Vec<Look> {
    let mut config = door.tls(&[b"http/1.1"]);
    config.resumption = rustls::client::Resumption::disabled();
    let config = Arc::new(config);
    let mut looks = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let stream = client::connect(Arc::clone(&config), door.https, client::HOST).await;
        let shown =
            stream.ok().and_then(|stream| Some(stream.get_ref().1.peer_certificates()?.first()?.to_vec()));
        looks.push(Look { began, ended: Instant::now(), shown: shown.unwrap_or_default() });
        tokio::time::sleep(LOOK).await;
    }
    looks
}

/// No backend is faulty, so none is left, and the second tier has nothing to do.
fn stays(account: &mut Account, outcomes: &[Outcome]) {
    account.times.remove("failover");
    account.times.remove("left");
    let strangers = outcomes.iter().filter(|outcome| outcome.region.as_deref() == Some("virginia")).count();
    account.must(strangers == 0, format!("{strangers} requests went to the second tier"));
}

/// Requests that were sent after this configuration was seen, and were answered by a region that it leaves out.
fn late(outcomes: &[Outcome], number: u64, region: &str) -> usize {
    let seen = outcomes.iter().filter(|outcome| outcome.config == Some(number)).map(|outcome| outcome.ended);
    let Some(first) = seen.min() else { return outcomes.len() };
    let is_late = |outcome: &&Outcome| outcome.began > first && outcome.region.as_deref() == Some(region);
    outcomes.iter().filter(is_late).count()
}

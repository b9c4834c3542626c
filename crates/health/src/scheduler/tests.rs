//! The rules of probing: when, how often, and what it leads to.

use super::Scheduler;
use crate::fixture::{generation, id, registry, view};
use crate::{Answer, Outcome, Prober, Registry, Resolver, Target, Unresolved, View};
use async_trait::async_trait;
use nearside_core::{Evidence, Verdict};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep};

#[derive(Clone, Copy, Debug)]
enum Behaviour {
    Answers,
    Refuses,
    Hangs,
    Panics,
}

/// Backends that behave as told, and a log of the probes that reached them.
struct Lab {
    registry: Registry,
    behaviours: Mutex<HashMap<String, Behaviour>>,
    probes: Mutex<Vec<(String, Instant)>>,
    names: Mutex<Result<Vec<IpAddr>, String>>,
    lookups: Mutex<u32>,
    /// The last address that was probed.
    probed: Mutex<Option<SocketAddr>>,
}

impl Lab {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            registry: registry(),
            behaviours: Mutex::default(),
            probes: Mutex::default(),
            names: Mutex::new(Ok(Vec::new())),
            lookups: Mutex::default(),
            probed: Mutex::default(),
        })
    }

    fn scheduler(self: &Arc<Self>, seed: u64) -> Scheduler {
        Scheduler::new(Arc::clone(self) as Arc<dyn Prober>, Arc::clone(self) as Arc<dyn Resolver>, seed)
    }

    fn start(self: &Arc<Self>, text: &str, seed: u64) -> (Scheduler, Arc<View>) {
        let (mut scheduler, view) = (self.scheduler(seed), view(&self.registry, text));
        scheduler.follow(&view);
        (scheduler, view)
    }

    fn set(&self, name: &str, behaviour: Behaviour) {
        self.behaviours.lock().unwrap().insert(name.to_owned(), behaviour);
    }

    /// When `name` was probed, since the last call.
    fn probes(&self, name: &str) -> Vec<Instant> {
        let mut all = self.probes.lock().unwrap();
        let (these, others) = std::mem::take(&mut *all).into_iter().partition(|(probed, _)| probed == name);
        *all = others;
        let these: Vec<(String, Instant)> = these;
        these.into_iter().map(|(_, at)| at).collect()
    }
}

#[async_trait]
impl Prober for Lab {
    async fn probe(&self, target: &Target) -> Outcome {
        let name = target.backend().unwrap().name.to_string();
        assert_eq!(target.pool().unwrap().1.name, "web".into());
        *self.probed.lock().unwrap() = Some(*target.addresses.first().unwrap());
        self.probes.lock().unwrap().push((name.clone(), Instant::now()));
        let behaviour = self.behaviours.lock().unwrap().get(&name).copied();
        match behaviour.unwrap_or(Behaviour::Answers) {
            Behaviour::Answers => {
                sleep(Duration::from_millis(40)).await;
                Outcome::Passed { rtt: Duration::from_millis(20), status: Some(200) }
            }
            Behaviour::Refuses => Outcome::Failed("connection refused".to_owned()),
            Behaviour::Hangs => std::future::pending().await,
            Behaviour::Panics => panic!("as the test says"),
        }
    }
}

#[async_trait]
impl Resolver for Lab {
    async fn resolve(&self, host: &str) -> Result<Answer, Unresolved> {
        *self.lookups.lock().unwrap() += 1;
        let names = self.names.lock().unwrap().clone();
        let ttl = Duration::from_secs(20);
        names
            .map(|addresses| Answer { addresses, ttl })
            .map_err(|why| Unresolved { host: host.into(), why: why.into() })
    }
}

fn verdict(view: &View, index: usize) -> Verdict {
    view.state(id(index), view.now()).verdict
}

/// How long until the verdict of backend `index` is `to`.
async fn until(view: &View, index: usize, to: Verdict) -> Duration {
    let begun = Instant::now();
    while verdict(view, index) != to {
        assert!(begun.elapsed() < Duration::from_mins(5), "never");
        sleep(Duration::from_millis(1)).await;
    }
    begun.elapsed()
}

fn gaps(times: &[Instant]) -> Vec<Duration> {
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[tokio::test(start_paused = true)]
async fn the_first_answer_makes_a_backend_healthy_at_once() {
    let lab = Lab::new();
    let (scheduler, view) = lab.start("a@x", 1);
    assert!(until(&view, 0, Verdict::Healthy).await <= Duration::from_millis(41));
    let state = view.state(id(0), view.now());
    assert_eq!((state.held, state.ramp, state.rtt_micros), (false, None, Some(20_000)));
    scheduler.shutdown().await;
    let before = lab.probes("a").len();
    sleep(Duration::from_mins(1)).await;
    assert_eq!((before, lab.probes("a").len()), (1, 0), "shutdown ends the tasks");
}

#[tokio::test(start_paused = true)]
async fn a_probe_goes_to_its_own_port_where_it_has_one() {
    let lab = Lab::new();
    let mut generation = generation("a@x");
    generation.pools[0].probe.port = Some(9000);
    let view = Arc::new(lab.registry.view(&Arc::new(generation), None));
    let mut scheduler = lab.scheduler(1);
    scheduler.follow(&view);
    until(&view, 0, Verdict::Healthy).await;
    assert_eq!(lab.probed.lock().unwrap().unwrap().to_string(), "192.0.2.1:9000");
    assert_eq!(view.addresses(id(0)).first().unwrap().port(), 80, "requests go to the backend's");
}

#[tokio::test(start_paused = true)]
async fn a_backend_never_seen_well_is_down_after_fall_failures_at_the_fast_interval() {
    let lab = Lab::new();
    lab.set("a", Behaviour::Refuses);
    let mut changes = lab.registry.changes();
    let (_scheduler, view) = lab.start("a@x", 1);
    let took = until(&view, 0, Verdict::Unhealthy).await;
    assert!((1800..=2201).contains(&took.as_millis()), "{took:?}");
    let change = changes.try_recv().unwrap();
    assert_eq!(&*change.evidence, "3 failed in a row (HEAD /), the last: connection refused");
}

#[tokio::test(start_paused = true)]
async fn a_recovery_takes_rise_successes_and_is_held() {
    let lab = Lab::new();
    lab.set("a", Behaviour::Refuses);
    let (_scheduler, view) = lab.start("a@x b@y", 3);
    until(&view, 0, Verdict::Unhealthy).await;
    lab.probes("a");
    lab.set("a", Behaviour::Answers);
    until(&view, 0, Verdict::Healthy).await;
    let probed = lab.probes("a");
    assert_eq!(probed.len(), 2);
    assert!((900..=1100).contains(&gaps(&probed)[0].as_millis()), "{probed:?}");
    let state = view.state(id(0), view.now());
    assert_eq!((state.held, state.ramp), (true, Some(50)));
    sleep(Duration::from_secs(60)).await;
    assert!(!view.state(id(0), view.now()).held);
}

#[tokio::test(start_paused = true)]
async fn a_lone_failure_is_looked_into_and_forgotten() {
    let lab = Lab::new();
    let (_scheduler, view) = lab.start("a@x", 5);
    sleep(Duration::from_secs(30)).await;
    lab.set("a", Behaviour::Refuses);
    lab.probes("a");
    while lab.probes.lock().unwrap().is_empty() {
        sleep(Duration::from_millis(10)).await;
    }
    lab.set("a", Behaviour::Answers);
    sleep(Duration::from_secs(30)).await;
    let gaps = gaps(&lab.probes("a"));
    assert!(gaps[0] <= Duration::from_millis(1100), "{gaps:?}");
    assert!(gaps[1..].iter().all(|gap| *gap >= Duration::from_millis(4500)), "{gaps:?}");
    assert_eq!(verdict(&view, 0), Verdict::Healthy);
}

#[tokio::test(start_paused = true)]
async fn intervals_stay_within_their_jitter_and_use_it() {
    let lab = Lab::new();
    let (_scheduler, _view) = lab.start("a@x", 7);
    sleep(Duration::from_mins(20)).await;
    let gaps = gaps(&lab.probes("a")[1..]);
    let (least, most) = (gaps.iter().min().unwrap().as_millis(), gaps.iter().max().unwrap().as_millis());
    assert!((4500..4600).contains(&least) && (5400..=5501).contains(&most), "{least} to {most} ms");
}

/// So many backends, in pools that hold as many as they may.
fn many(count: usize) -> String {
    (0..count).map(|index| format!("b{index}@x")).collect::<Vec<_>>().join(" ")
}

#[tokio::test(start_paused = true)]
async fn a_thousand_backends_are_never_probed_in_a_burst() {
    let lab = Lab::new();
    let (_scheduler, view) = lab.start(&many(1000), 11);
    sleep(Duration::from_millis(1100)).await;
    assert!(
        (0..1000).all(|index| verdict(&view, index) == Verdict::Healthy),
        "all have a verdict after a second"
    );
    sleep(Duration::from_mins(2)).await;
    let mut slots: HashMap<u128, u32> = HashMap::new();
    let begun = Instant::now();
    for (_, at) in lab.probes.lock().unwrap().iter() {
        *slots.entry((begun - *at).as_millis() / 100).or_default() += 1;
    }
    // 1,000 in the first second, then 200 a second.
    assert!(slots.values().all(|count| *count <= 102), "{:?}", slots.values().max());
}

#[tokio::test(start_paused = true)]
async fn so_many_probes_and_no_more_are_under_way_at_one_time() {
    let lab = Lab::new();
    let count = super::AT_ONCE + 200;
    (0..count).for_each(|index| lab.set(&format!("b{index}"), Behaviour::Hangs));
    let (_scheduler, _view) = lab.start(&many(count), 12);
    sleep(Duration::from_millis(1900)).await;
    assert_eq!(lab.probes.lock().unwrap().len(), super::AT_ONCE, "none has ended yet");
    sleep(Duration::from_secs(2)).await;
    let probed: std::collections::HashSet<_> =
        lab.probes.lock().unwrap().iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(probed.len(), count, "those that waited had their turn");
}

#[tokio::test(start_paused = true)]
async fn requests_that_hang_bring_a_probe_at_once_and_then_the_fast_interval() {
    let lab = Lab::new();
    let (_scheduler, view) = lab.start("a@x b@x", 3);
    sleep(Duration::from_secs(21)).await;
    lab.set("a", Behaviour::Hangs);
    lab.probes("a");
    let since = Instant::now();
    sleep(Duration::from_millis(150)).await;
    let heard = |index| view.answered(id(index), None, Instant::now());
    heard(1);
    sleep(Duration::from_millis(150)).await;
    view.hangs(id(0), since);
    assert!(view.state(id(0), view.now()).suspected);
    until(&view, 0, Verdict::Unhealthy).await;
    let probed = lab.probes("a");
    assert_eq!((probed[0] - since).as_millis(), 300, "at once");
    assert_eq!(gaps(&probed).len(), 2);
    // A silent backend's probes follow each other by their timeout.
    assert!(gaps(&probed).iter().all(|gap| gap.as_millis() == 2000), "{probed:?}");
    assert!(!view.state(id(0), view.now()).suspected, "the verdict says more");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_was_asked_for_and_passes_ends_the_suspicion_and_returns_to_the_interval() {
    let lab = Lab::new();
    let (_scheduler, view) = lab.start("a@x b@x", 3);
    sleep(Duration::from_secs(21)).await;
    lab.probes("a");
    let since = Instant::now();
    sleep(Duration::from_millis(300)).await;
    view.answered(id(1), None, Instant::now());
    (0..9).for_each(|_| view.hangs(id(0), since));
    assert!(view.state(id(0), view.now()).suspected);
    sleep(Duration::from_millis(41)).await;
    assert!(!view.state(id(0), view.now()).suspected);
    sleep(Duration::from_secs(4)).await;
    view.hangs(id(0), since);
    assert_eq!(lab.probes("a").len(), 1, "however many hang");
}

#[tokio::test(start_paused = true)]
async fn a_new_generation_leaves_unchanged_probes_alone() {
    let lab = Lab::new();
    lab.set("b", Behaviour::Refuses);
    let (mut scheduler, first) = lab.start("a@x b@y gone@y", 13);
    sleep(Duration::from_secs(60)).await;
    let (a, _gone) = (lab.probes("a"), lab.probes("gone"));
    let next = view(&lab.registry, "new@x b@y*7 a@x*9/2");
    // The old view still names these backends by other ids.
    assert_ne!(first.generation().backends[0].name, next.generation().backends[0].name);
    scheduler.follow(&next);
    // An endpoint is part of what is probed, and the fixture numbers them: a's moved, b's did not.
    sleep(Duration::from_millis(1500)).await;
    assert_eq!((lab.probes("a").len(), lab.probes("new").len()), (1, 1));
    assert_eq!((verdict(&next, 1), verdict(&next, 2)), (Verdict::Unhealthy, Verdict::Healthy));
    sleep(Duration::from_secs(60)).await;
    let b = gaps(&lab.probes("b"));
    assert!(b[4..].iter().all(|gap| *gap >= Duration::from_millis(4500)), "{b:?}");
    assert!(!a.is_empty() && lab.probes("gone").is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_edited_probe_is_sent_soon_and_keeps_the_verdict() {
    let lab = Lab::new();
    let (mut scheduler, _view) = lab.start("a@x", 17);
    sleep(Duration::from_secs(60)).await;
    lab.probes("a");
    let mut edited = generation("a@x");
    edited.pools[0].probe.interval = Duration::from_secs(50);
    let next = Arc::new(lab.registry.view(&Arc::new(edited), None));
    assert_eq!(verdict(&next, 0), Verdict::Healthy);
    scheduler.follow(&next);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(lab.probes("a").len(), 1);
    sleep(Duration::from_mins(10)).await;
    let gaps = gaps(&lab.probes("a")[1..]);
    assert!(gaps.iter().all(|gap| *gap >= Duration::from_secs(45)), "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn a_prober_that_panics_costs_one_probe() {
    let lab = Lab::new();
    let (_scheduler, view) = lab.start("a@x", 19);
    sleep(Duration::from_secs(10)).await;
    lab.set("a", Behaviour::Panics);
    until(&view, 0, Verdict::Unhealthy).await;
    lab.set("a", Behaviour::Answers);
    until(&view, 0, Verdict::Healthy).await;
}

#[tokio::test(start_paused = true)]
async fn names_are_asked_again_when_their_time_is_up_and_outlive_a_failure() {
    let lab = Lab::new();
    *lab.names.lock().unwrap() = Ok(vec!["198.51.100.1".parse().unwrap()]);
    let (mut scheduler, first) = lab.start("a@x=site.example b@y=site.example", 23);
    first.resolved().await;
    assert_eq!(first.addresses(id(1)).first().unwrap().to_string(), "198.51.100.1:80");
    assert_eq!(*lab.lookups.lock().unwrap(), 1, "one question per name");
    *lab.names.lock().unwrap() = Err("SERVFAIL".to_owned());
    sleep(Duration::from_secs(30)).await;
    assert_eq!(first.addresses(id(0)).len(), 1);
    assert_eq!(verdict(&first, 0), Verdict::Healthy);
    assert!(first.snapshot()[0].name_error.as_deref().unwrap().contains("SERVFAIL"));
    *lab.names.lock().unwrap() = Ok(vec!["198.51.100.2".parse().unwrap()]);
    sleep(Duration::from_secs(6)).await;
    assert_eq!(first.addresses(id(0)).first().unwrap().to_string(), "198.51.100.2:80");
    let next = view(&lab.registry, "c@z");
    drop(first);
    scheduler.follow(&next);
    let asked = *lab.lookups.lock().unwrap();
    sleep(Duration::from_mins(10)).await;
    assert_eq!(*lab.lookups.lock().unwrap(), asked, "a name that nobody uses is not asked for");
}

#[tokio::test(start_paused = true)]
async fn a_name_without_an_address_is_a_failed_probe_that_says_why() {
    let lab = Lab::new();
    *lab.names.lock().unwrap() = Err("NXDOMAIN".to_owned());
    let (_scheduler, view) = lab.start("a@x=site.example", 29);
    until(&view, 0, Verdict::Unhealthy).await;
    let status = view.snapshot().remove(0);
    assert!(status.last_error.as_deref().unwrap().contains("NXDOMAIN"), "{status:?}");
    assert_eq!((status.probes_failed, lab.probes("a").len()), (3, 0));
}

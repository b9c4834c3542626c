//! The failover bound that `check` prints, held against probes that meet faults at the worst moment: no detection takes
//! longer, and the longest comes so near that a bound computed in another way would be noticed.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use async_trait::async_trait;
use nearside_core::{Generation, Now};
use nearside_health::{
    Answer, Clock, Outcome, Prober, Registry, Resolver, Scheduler, Standing, Target, Unresolved,
};
use nearside_whatif::failover_bound;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// Probes that pass at once, so many times; then the backend fails for good.
struct Failing {
    passes: AtomicU32,
    silent: bool,
    /// When the last probe passed: from then on the backend fails.
    failed_at: Mutex<Option<Instant>>,
}

#[async_trait]
impl Prober for Failing {
    async fn probe(&self, _: &Target) -> Outcome {
        let passes = |left: u32| left.checked_sub(1);
        if self.passes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, passes).is_ok() {
            *self.failed_at.lock().unwrap() = Some(Instant::now());
            return Outcome::Passed { rtt: Duration::from_millis(1), status: Some(200) };
        }
        if self.silent {
            std::future::pending::<()>().await;
        }
        Outcome::Failed("connection refused".to_owned())
    }
}

#[async_trait]
impl Resolver for Failing {
    async fn resolve(&self, host: &str) -> Result<Answer, Unresolved> {
        Err(Unresolved { host: host.into(), why: "an address needs no resolver".into() })
    }
}

fn generation(probe: &str) -> Arc<Generation> {
    let text = format!(
        "version: 1\nregions: {{ a: {{}} }}\ndefaults: {{ probe: {{ {probe} }} }}\n\
         pools: {{ web: {{ backends: [{{ url: \"http://192.0.2.1\", region: a }}] }} }}\n\
         routes: [{{ host: a.example, pool: web }}]\nlisteners: [{{ bind: \"127.0.0.1:0\" }}]\n"
    );
    Arc::new(nearside_config::load(&text).unwrap_or_else(|report| panic!("{report}")).0)
}

/// From a probe that passed to the verdict, when the backend fails right after that probe.
async fn detection(generation: &Arc<Generation>, silent: bool, seed: u64) -> Duration {
    let registry = Registry::new(Clock::starting_at(Now::from_millis(1_700_000_000_000)));
    let mut changes = registry.changes();
    let passes = AtomicU32::new(2 + u32::try_from(seed % 5).unwrap());
    let backend = Arc::new(Failing { passes, silent, failed_at: Mutex::default() });
    let mut scheduler = Scheduler::new(Arc::clone(&backend) as _, Arc::clone(&backend) as _, seed);
    scheduler.follow(&Arc::new(registry.view(generation, None)));
    while changes.recv().await.unwrap().to != Standing::Unhealthy {}
    let found = backend.failed_at.lock().unwrap().unwrap().elapsed();
    scheduler.shutdown().await;
    found
}

/// Whether `bound` is what the longest of `found` says: never exceeded, and nearly reached.
fn is_the_bound(found: &[Duration], bound: Duration) -> bool {
    // Timers count in whole milliseconds.
    let longest = *found.iter().max().unwrap();
    longest <= bound + Duration::from_millis(2) && longest >= bound.mul_f64(0.97)
}

#[tokio::test(start_paused = true)]
async fn no_detection_takes_longer_than_the_bound_that_check_prints() {
    for probe in [
        "",
        "interval: 500ms, fast_interval: 200ms, timeout: 450ms, fall: 2",
        "interval: 10s, fast_interval: 3s, timeout: 1s, fall: 4, jitter: 12%",
        "interval: 3s, timeout: 1s, fall: 1, jitter: 0%",
    ] {
        let generation = generation(probe);
        let pool = &generation.pools[0];
        let bound = failover_bound(pool);
        for (silent, bound) in [(true, bound.silent), (false, bound.refusing)] {
            let mut found = Vec::new();
            for seed in 0..400 {
                found.push(detection(&generation, silent, seed).await);
            }
            assert!(is_the_bound(&found, bound), "{probe:?}: {:?}, not {bound:?}", found.iter().max());
            // Bounds that forget something, or count it twice, are noticed.
            let (fast, timeout) = (pool.probe.fast_interval, pool.probe.timeout);
            for wrong in [bound - timeout, bound + timeout, bound + fast, bound.mul_f64(0.93)] {
                assert!(!is_the_bound(&found, wrong), "{probe:?}: {wrong:?} passes for {bound:?}");
            }
        }
    }
}

#[test]
fn the_bounds_of_the_specification_are_those_of_the_defaults() {
    let bound = failover_bound(&generation("").pools[0]);
    assert_eq!((bound.silent.as_millis(), bound.refusing.as_millis()), (11_500, 7_700));
}

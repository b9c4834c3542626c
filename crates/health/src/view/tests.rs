//! The rules of what survives a generation, and of turns and estimates.

use crate::fixture::{generation, id, registry, view};
use crate::{Fault, ForRequest};
use nearside_core::candidates::Set;
use nearside_core::place::Position;
use nearside_core::{Evidence, PoolId, RegionId, Verdict};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn evidence_survives_a_generation_with_other_weights_and_order() {
    let registry = registry();
    let one = view(&registry, "a@x b@y");
    one.turned(id(1), Verdict::Unhealthy, "test");
    one.cell(id(0)).unwrap().observe_rtt(Duration::from_millis(7), one.now());
    let guard = one.cell(id(0)).unwrap().begin(None);
    let next = view(&registry, "b@y*10/2 new@x a@x*999");
    assert_eq!(next.state(id(0), next.now()).verdict, Verdict::Unhealthy);
    assert_eq!(next.state(id(1), next.now()).verdict, Verdict::Unknown);
    let a = next.state(id(2), next.now());
    assert_eq!((a.rtt_micros, a.in_flight), (Some(7000), 1));
    drop((one, guard));
    assert_eq!(next.state(id(2), next.now()).in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn what_no_view_uses_is_forgotten() {
    let registry = registry();
    let one = view(&registry, "a@x b@y");
    one.turned(id(1), Verdict::Unhealthy, "test");
    drop(one);
    drop(view(&registry, "a@x"));
    let again = view(&registry, "a@x b@y");
    assert_eq!(again.state(id(1), again.now()).verdict, Verdict::Unknown);
}

#[tokio::test(start_paused = true)]
async fn a_request_takes_one_turn_however_often_it_is_decided() {
    let view = view(&registry(), "a@x b@y");
    let pool = PoolId::new(0);
    let first = ForRequest::new(&view, None);
    assert_eq!((first.turn_taken(), first.turn(pool), first.turn(pool)), (None, 0, 0));
    let repeat = ForRequest::new(&view, first.turn_taken());
    assert_eq!((repeat.turn(pool), view.turn(pool)), (0, 1));
    assert_eq!(ForRequest::new(&view, None).turn(pool), 1);
}

#[tokio::test(start_paused = true)]
async fn distance_stands_in_until_a_round_trip_is_measured() {
    let registry = registry();
    let generation = Arc::new(generation("a@frankfurt b@virginia c@nowhere"));
    let dublin = Position::new(53.35, -6.26);
    let view = registry.view(&generation, dublin);
    let rtt = |index| view.state(id(index), view.now()).rtt_micros;
    let (near, far) = (rtt(0).unwrap(), rtt(1).unwrap());
    assert!((15_000..18_000).contains(&near), "{near}");
    assert!((75_000..90_000).contains(&far), "{far}");
    assert_eq!(rtt(2), None);
    view.cell(id(1)).unwrap().observe_rtt(Duration::from_millis(3), view.now());
    assert_eq!(rtt(1), Some(3000));
}

#[tokio::test(start_paused = true)]
async fn a_round_trip_that_is_not_renewed_gives_way_to_distance() {
    let registry = registry();
    let generation = Arc::new(generation("a@frankfurt b@nowhere"));
    let view = registry.view(&generation, Position::new(53.35, -6.26));
    let known = |index: usize| {
        let told = &view.snapshot()[index];
        let state = view.state(id(index), view.now());
        assert_eq!(told.rtt_ms, state.rtt_micros.map(|micros| f64::from(micros) / 1000.0));
        (told.rtt_by.unwrap_or("-"), told.rtt_ms.is_some_and(|millis| millis == 3.0), told.rtt_age_ms)
    };
    assert_eq!((known(0), known(1)), (("distance", false, None), ("-", false, None)));
    for index in [0, 1] {
        view.cell(id(index)).unwrap().observe_rtt(Duration::from_millis(3), view.now());
    }
    tokio::time::advance(Duration::from_mins(9)).await;
    assert_eq!((known(0), known(1)), (("measured", true, Some(540_000)), ("measured", true, Some(540_000))));
    view.cell(id(1)).unwrap().observe_kept_rtt(Duration::from_millis(3), view.now());
    tokio::time::advance(Duration::from_mins(2)).await;
    assert_eq!(known(0), ("distance", false, Some(660_000)));
    assert_eq!(known(1), ("measured", true, Some(120_000)), "a kept connection has renewed it");
    tokio::time::advance(Duration::from_mins(9)).await;
    // Nothing else is known of it, and a known one beats an unknown one.
    assert_eq!(known(1), ("stale", true, Some(660_000)));
}

#[tokio::test(start_paused = true)]
async fn what_is_probed_rarely_stands_for_three_intervals() {
    let registry = registry();
    let mut rarely = generation("a@frankfurt");
    rarely.pools[0].probe.interval = Duration::from_mins(20);
    let view = registry.view(&Arc::new(rarely), Position::new(53.35, -6.26));
    view.cell(id(0)).unwrap().observe_rtt(Duration::from_millis(3), view.now());
    tokio::time::advance(Duration::from_mins(59)).await;
    assert_eq!(view.state(id(0), view.now()).rtt_micros, Some(3000));
    tokio::time::advance(Duration::from_mins(2)).await;
    assert_ne!(view.state(id(0), view.now()).rtt_micros, Some(3000));
}

#[tokio::test(start_paused = true)]
async fn status_says_who_says_so_and_since_when() {
    let view = view(&registry(), "a@x b@y/2!");
    let began = view.now();
    tokio::time::advance(Duration::from_secs(3)).await;
    view.turned(id(1), Verdict::Unhealthy, "test");
    view.failed(id(0), Fault::Status(502));
    let all = view.snapshot();
    let (a, b) = (&all[0], &all[1]);
    assert_eq!((&*a.key, &*a.pool, &*a.region, a.priority, a.weight), ("web/a", "web", "x", 1, 50));
    assert_eq!((a.verdict, a.by.name(), a.since, a.usable), ("unknown", "initial", began.as_millis(), true));
    assert_eq!((a.last_error.as_deref(), a.faults), (Some("status 502"), 1));
    assert_eq!(a.addresses, ["192.0.2.1:80"]);
    assert_eq!((b.verdict, b.standing, b.since), ("unhealthy", "unhealthy", began.as_millis() + 3000));
    assert_eq!((b.drain.as_deref(), b.usable), (Some("test"), false));
    assert_eq!((b.by.name(), &*b.evidence), ("operator", "drained: test"));
    view.turned(id(0), Verdict::Unhealthy, "3 failed in a row");
    let json = serde_json::to_value(&view.snapshot()[0]).unwrap();
    let told = ["by", "standing", "evidence"].map(|key| json[key].as_str().unwrap());
    assert_eq!(told, ["probe", "unhealthy", "3 failed in a row"]);
}

#[tokio::test(start_paused = true)]
async fn a_place_at_a_full_backend_is_waited_for_and_told_when_it_is_free() {
    let mut limited = generation("a@x");
    limited.backends.edit()[0].max_in_flight = Some(1);
    let view = registry().view(&Arc::new(limited), None);
    let pool = Arc::clone(view.pool(PoolId::new(0)).unwrap());
    let first = view.enter(id(0)).unwrap();
    assert!(view.enter(id(0)).is_none());
    let waiting = pool.wait(1).unwrap();
    assert!(pool.wait(1).is_none(), "no more than may wait");
    let freed = pool.freed().notified();
    drop(first);
    freed.await;
    assert!(view.enter(id(0)).is_some());
    drop(waiting);
    assert!(pool.wait(1).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_successor_knows_what_its_predecessor_knew() {
    let old = registry();
    let before = view(&old, "a@x b@y c@y=c.example");
    before.turned(id(0), Verdict::Unhealthy, "test");
    before.turned(id(1), Verdict::Unhealthy, "test");
    before.turned(id(1), Verdict::Healthy, "test");
    before.cell(id(1)).unwrap().observe_rtt(Duration::from_millis(7), before.now());
    before.entries[2].name.recall(&["192.0.2.9:80".parse().unwrap()]);
    let sent = serde_json::to_string(&before.memories()).unwrap();

    let new = registry();
    new.recall(serde_json::from_str(&sent).unwrap());
    let after = view(&new, "a@x b@y c@y=c.example d@x");
    let now = after.now();
    assert_eq!(after.state(id(0), now).verdict, Verdict::Unhealthy);
    let b = after.state(id(1), now);
    assert_eq!((b.verdict, b.held, b.rtt_micros), (Verdict::Healthy, true, Some(7000)));
    assert_eq!(after.snapshot()[..2], before.snapshot()[..2]);
    assert_eq!(after.addresses(id(2)).len(), 1, "what a name led to is known before it is asked for");
    assert_eq!(after.state(id(3), now).verdict, Verdict::Unknown);
    // What the file no longer names is not kept for later.
    let later = view(&new, "a@x e@x");
    assert_eq!(later.state(id(1), now).verdict, Verdict::Unknown);
}

#[tokio::test(start_paused = true)]
async fn what_regions_are_offered_is_counted_over_generations_where_the_capacity_of_any_is_declared() {
    let registry = registry();
    let declared = |text: &str| {
        let mut generation = generation(text);
        generation.regions.iter_mut().filter(|region| &*region.name == "y").for_each(|region| {
            region.capacity = Some(100);
        });
        registry.view(&Arc::new(generation), None)
    };
    let (x, y) = (RegionId::new(0), RegionId::new(1));
    let mut both = Set::default();
    [x, y].into_iter().for_each(|region| both.insert(region.index()));
    let one = declared("a@x b@y");
    (0..7).for_each(|_| one.offer(&both, tokio::time::Instant::now()));
    let next = declared("b@y a@x c@z");
    // The regions stand in order of their names.
    assert_eq!((next.offered(x, next.now()), next.offered(y, next.now())), (7, 7));
    assert_eq!(next.rate(x), Some(7));
    assert_eq!(ForRequest::new(&next, None).offered(y, next.now()), 7);
    tokio::time::advance(Duration::from_secs(3)).await;
    assert_eq!(next.offered(y, next.now()), 0);
    let undeclared = registry.view(&Arc::new(generation("a@x b@y")), None);
    undeclared.offer(&both, tokio::time::Instant::now());
    assert_eq!((undeclared.rate(x), undeclared.offered(x, undeclared.now())), (None, 0));
}

/// Backends that are in grace, one mark or two. What is told of a mark is the same.
fn in_grace(registry: &crate::Registry, text: &str) -> Vec<bool> {
    let view = view(registry, text);
    let in_grace = (0..view.entries.len()).map(|index| view.state(id(index), view.now()).in_grace);
    let in_grace: Vec<bool> = in_grace.collect();
    let marked =
        view.generation().backends.iter().map(|backend| (backend.key.as_str(), backend.drain.as_ref()));
    let ends = marked.map(|(key, drain)| view.grace_ends(key, drain?));
    let told: Vec<bool> = ends.map(|end| end.is_some_and(|end| view.now() < end)).collect();
    assert_eq!(told, in_grace);
    in_grace
}

#[tokio::test(start_paused = true)]
async fn grace_runs_from_the_moment_that_a_mark_was_seen_to_come() {
    let registry = registry();
    assert_eq!(in_grace(&registry, "a@x! b@y"), [false, false], "nobody knows how old the first marks are");
    assert_eq!(in_grace(&registry, "a@x! b@y!"), [false, true]);
    tokio::time::advance(Duration::from_millis(600)).await;
    assert_eq!(in_grace(&registry, "b@y! a@x"), [true, false]);
    tokio::time::advance(Duration::from_millis(600)).await;
    assert_eq!(
        in_grace(&registry, "a@x! b@y!"),
        [true, false],
        "taking a mark off and setting it begins anew"
    );
}

#[tokio::test(start_paused = true)]
async fn a_successor_goes_on_with_the_grace_of_its_predecessor() {
    let registry = registry();
    registry.recall_marks([("web/a".into(), registry.now())].into());
    assert_eq!(in_grace(&registry, "a@x! b@y!"), [true, false]);
}

//! The rules of ejection, hold and relief, over whole pools.

use crate::fixture::{id, registry, view};
use crate::{Change, Fault, Standing, View};
use nearside_core::policy::Share;
use nearside_core::{Evidence, Verdict};
use proptest::prelude::{Just, Strategy, prop, proptest};
use proptest::{prop_assert, prop_oneof};
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::time::advance;

fn fail(view: &View, index: usize, times: usize) {
    for _ in 0..times {
        view.failed(id(index), Fault::Reset);
    }
}

fn shown(view: &View) -> String {
    let word = |index| {
        let state = view.state(id(index), view.now());
        let standing = Standing::of(&state).name();
        if state.held { format!("{standing}, held") } else { standing.to_owned() }
    };
    (0..view.generation().backends.len()).map(word).collect::<Vec<_>>().join("; ")
}

fn turn(view: &View, index: usize, to: Verdict) {
    view.turned(id(index), to, "as the test says");
}

#[tokio::test(start_paused = true)]
async fn five_errors_in_a_row_eject_for_ten_seconds() {
    let registry = registry();
    let (mut changes, began) = (registry.changes(), registry.now());
    let view = view(&registry, "a@x b@y");
    fail(&view, 0, 4);
    view.succeeded(id(0), true);
    fail(&view, 0, 4);
    view.failed(id(0), Fault::Status(404));
    assert_eq!(shown(&view), "unknown; unknown");
    fail(&view, 0, 1);
    assert_eq!(shown(&view), "ejected; unknown");
    let change = changes.try_recv().unwrap();
    assert_eq!(
        (change.key.as_str(), change.from, change.to),
        ("web/a", Standing::Unknown, Standing::Ejected)
    );
    assert_eq!(&*change.evidence, "5 errors in a row, the last: connection reset; for 10 s");
    assert_eq!((change.figures.faults, change.figures.since), (9, began));
    assert_eq!(change.figures.last_error.map(|(_, text)| text).as_deref(), Some("connection reset"));
    advance(Duration::from_secs(10)).await;
    assert_eq!(shown(&view), "unknown; unknown");
    view.look_again(id(0));
    view.look_again(id(0));
    assert_eq!(changes.try_recv().unwrap().to, Standing::Unknown);
    assert!(changes.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn after_an_ejection_one_more_error_ejects_again_and_longer() {
    let view = view(&registry(), "a@x b@y");
    fail(&view, 0, 5);
    advance(Duration::from_secs(10)).await;
    fail(&view, 0, 1);
    advance(Duration::from_secs(19)).await;
    assert_eq!(shown(&view), "ejected; unknown");
    advance(Duration::from_secs(1)).await;
    assert_eq!(shown(&view), "unknown; unknown");
    view.succeeded(id(0), true);
    fail(&view, 0, 1);
    assert_eq!(shown(&view), "unknown; unknown");
}

#[tokio::test(start_paused = true)]
async fn half_of_a_tier_stays_unless_a_later_tier_is_usable() {
    let view = view(&registry(), "a@x b@x c@y/2");
    fail(&view, 0, 5);
    fail(&view, 1, 5);
    assert_eq!(shown(&view), "ejected; ejected; unknown");
    fail(&view, 2, 5);
    assert_eq!(shown(&view), "ejected; ejected; unknown");
}

#[tokio::test(start_paused = true)]
async fn a_drained_or_weightless_backend_spares_nobody() {
    for text in ["a@x b@y!", "a@x b@y*0", "a@x b@y/2!"] {
        let view = view(&registry(), text);
        fail(&view, 0, 9);
        assert_eq!(shown(&view), "unknown; unknown", "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn ejection_and_hold_end_when_nothing_else_is_usable() {
    let view = view(&registry(), "a@x b@y c@y/2");
    turn(&view, 1, Verdict::Unhealthy);
    turn(&view, 1, Verdict::Healthy);
    fail(&view, 0, 5);
    assert_eq!(shown(&view), "ejected; healthy, held; unknown");
    turn(&view, 2, Verdict::Unhealthy);
    assert_eq!(shown(&view), "unknown; healthy; unhealthy");
    let ramp = view.state(id(1), view.now()).ramp;
    assert_eq!(ramp, Some(50), "the ramp begins where the hold ends");
}

#[tokio::test(start_paused = true)]
async fn the_first_of_a_dead_pool_that_recovers_is_not_held() {
    let view = view(&registry(), "a@x b@y");
    for (index, to) in [(0, Verdict::Unhealthy), (1, Verdict::Unhealthy), (0, Verdict::Healthy)] {
        turn(&view, index, to);
    }
    assert_eq!(shown(&view), "healthy; unhealthy");
    turn(&view, 1, Verdict::Healthy);
    assert_eq!(shown(&view), "healthy; healthy, held");
}

#[tokio::test(start_paused = true)]
async fn a_verdict_that_turns_under_an_ejection_leaves_its_reason() {
    let view = view(&registry(), "a@x b@x");
    fail(&view, 0, 5);
    turn(&view, 0, Verdict::Healthy);
    let status = view.snapshot().remove(0);
    assert_eq!((status.standing, status.by.name()), ("ejected", "requests"));
    assert!(status.evidence.starts_with("5 errors in a row"), "{}", status.evidence);
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Fails(usize),
    Works(usize),
    Turns(usize, Verdict),
    Passes(u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let verdict = prop_oneof![Just(Verdict::Healthy), Just(Verdict::Unhealthy)];
    let event = prop_oneof![
        6 => (0..6_usize).prop_map(Event::Fails),
        1 => (0..6_usize).prop_map(Event::Works),
        2 => (0..6_usize, verdict).prop_map(|(index, to)| Event::Turns(index, to)),
        1 => (0..40_u64).prop_map(Event::Passes),
    ];
    prop::collection::vec(event, 1..80)
}

proptest! {
    /// Whatever happens, a pool with a backend that answers its probes has one that decisions may use, and an
    /// ejection leaves its tier what the policy says.
    #[test]
    fn the_floor_holds(events in events(), pool in 0..4_usize) {
        let pool = ["a@x", "a@x b@y c@y/2", "a@x b@x c@y d@y e@y/2 f@z/3", "a@x b@x! c@y*0 d@y/2!"][pool];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let registry = registry();
            let mut changes = registry.changes();
            let view = view(&registry, pool);
            for event in events {
                happen(&view, event).await;
                prop_assert!(stands(&view), "{event:?}: {}", shown(&view));
                prop_assert!(spares(&view, event, &mut changes), "{event:?}: {}", shown(&view));
            }
            Ok(())
        })?;
    }
}

async fn happen(view: &View, event: Event) {
    let len = view.generation().backends.len();
    match event {
        Event::Fails(index) => fail(view, index % len, 5),
        Event::Works(index) => view.succeeded(id(index % len), true),
        Event::Turns(index, to) => turn(view, index % len, to),
        Event::Passes(seconds) => advance(Duration::from_secs(seconds)).await,
    }
}

fn eligible(view: &View) -> Vec<usize> {
    let generation = view.generation();
    let backends = generation.backends.iter().enumerate();
    let may = backends.filter(|(_, b)| b.weight > 0 && generation.drain_of(b).is_none());
    may.map(|(index, _)| index).collect()
}

fn usable(view: &View, index: usize) -> bool {
    let state = view.state(id(index), view.now());
    state.verdict != Verdict::Unhealthy && !state.ejected && !state.held
}

fn stands(view: &View) -> bool {
    let up = |index: &usize| view.state(id(*index), view.now()).verdict != Verdict::Unhealthy;
    let eligible = eligible(view);
    !eligible.iter().any(up) || eligible.iter().any(|index| usable(view, *index))
}

/// An ejection by this event left, without a usable later tier, at least half of the tier and one usable.
fn spares(view: &View, event: Event, changes: &mut Receiver<Change>) -> bool {
    let mut told = std::iter::from_fn(|| changes.try_recv().ok());
    let (Event::Fails(index), true) = (event, told.any(|change| change.to == Standing::Ejected)) else {
        return true;
    };
    let backends = &view.generation().backends;
    let priority = backends[index % backends.len()].priority;
    let (mut tier, mut later) = (eligible(view), eligible(view));
    tier.retain(|index| backends[*index].priority == priority);
    later.retain(|index| backends[*index].priority > priority);
    let ejected = tier.iter().filter(|index| view.state(id(**index), view.now()).ejected).count() as u64;
    let most = Share::from_points(5000).of(tier.len() as u64);
    later.iter().any(|index| usable(view, *index))
        || (ejected <= most && tier.iter().any(|index| usable(view, *index)))
}

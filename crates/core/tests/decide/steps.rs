//! Each step of a decision, as a table of cases.

use crate::scene::{Scene, facts};
use nearside_core::{Facts, Reason, Step};
use std::collections::{BTreeMap, BTreeSet};

/// Decides the scene and compares; `expected` is the outcome, then every drop as `name reason`, comma-separated.
fn check(scene: &str, expected: &str) {
    let scene = Scene::parse(scene);
    let (outcome, trace) = scene.decide(&facts());
    let mut parts = vec![outcome];
    for (index, backend) in scene.generation.backends.iter().enumerate() {
        if let Some((_, reason)) = trace.dropped(nearside_core::BackendId::new(index)) {
            parts.push(format!("{} {reason}", backend.name));
        }
    }
    assert_eq!(parts.join(", "), expected);
}

#[test]
fn the_only_backend_wins() {
    check("a@fra", "a won.only");
}

#[test]
fn a_marked_region_or_backend_is_excluded_whatever_its_health() {
    check("a@fra region-drained; b@iad p2", "b won.only, a excluded.drained");
    check("a@fra drained; b@fra", "b won.only, a excluded.drained");
    check("a@fra drained; b@iad region-drained", "refused.drained, a excluded.drained, b excluded.drained");
}

#[test]
fn fail_open_readmits_what_is_down_and_never_what_is_drained() {
    check("a@fra unhealthy; b@iad drained", "a won.fail_open, b excluded.drained");
    check("a@fra unhealthy | all_down=refuse", "refused.all_down, a excluded.unhealthy");
    check(
        "a@fra drained; b@iad unhealthy | all_down=refuse",
        "refused.all_down, a excluded.drained, b excluded.unhealthy",
    );
}

#[test]
fn each_kind_of_down_has_its_reason() {
    check(
        "a@fra unhealthy; b@fra ejected; c@fra held; d@iad p2",
        "d won.failover, a excluded.unhealthy, b excluded.ejected, c excluded.hold",
    );
}

#[test]
fn a_suspected_one_is_avoided_while_its_tier_or_a_later_one_has_another() {
    check("a@fra suspected; b@fra; c@iad p2", "b won.priority, a excluded.ejected, c lost.priority");
    check("a@fra suspected; b@iad p2", "b won.failover, a excluded.ejected");
    check("a@fra suspected; b@iad p2 unhealthy", "a won.only, b excluded.unhealthy");
    check("a@fra suspected; b@fra p2 suspected", "a won.priority, b lost.priority");
    check("a@fra suspected; b@fra tried", "a won.only, b excluded.tried");
}

#[test]
fn when_all_that_is_up_has_failed_the_request_what_is_down_is_tried() {
    check("a@fra refused; b@iad unhealthy", "b won.fail_open, a excluded.tried");
    check(
        "a@fra tried; b@iad ejected; c@iad drained",
        "b won.fail_open, a excluded.tried, c excluded.drained",
    );
    check(
        "a@fra refused; b@iad unhealthy | all_down=refuse",
        "refused.all_down, a excluded.tried, b excluded.unhealthy",
    );
    check("a@fra tried; b@iad unhealthy tried", "refused.all_down, a excluded.tried, b excluded.unhealthy");
}

#[test]
fn a_repeat_that_may_not_leave_its_region_finds_what_is_left_there() {
    let rest = "a excluded.tried, c excluded.tried";
    check("a@fra tried rtt=1; b@fra rtt=90; c@iad rtt=1 | kept_to=fra", &format!("b won.only, {rest}"));
    check("a@fra tried; b@iad | kept_to=fra", "refused.all_down, a excluded.tried, b excluded.tried");
}

#[test]
fn weight_zero_gets_nothing_not_even_when_all_else_is_down() {
    check("a@fra w0; b@iad p2", "b won.failover, a lost.weight");
    check("a@fra w0; b@iad unhealthy", "b won.fail_open, a lost.weight");
    check("a@fra w0", "refused.all_down, a lost.weight");
}

#[test]
fn after_a_refused_connection_another_region_comes_first_then_another_tier() {
    check("a@fra refused; b@fra; c@iad p2", "c won.failover, a excluded.tried, b excluded.tried");
    check("a@fra refused; b@dub; c@iad p2", "b won.priority, a excluded.tried, c lost.priority");
    check("a@fra refused; b@fra; c@fra p2", "c won.failover, a excluded.tried, b excluded.tried");
    check("a@fra refused; b@fra", "b won.only, a excluded.tried");
    check("a@fra tried; b@fra; c@iad p2", "b won.priority, a excluded.tried, c lost.priority");
    check("a@fra refused; b@iad refused", "refused.all_down, a excluded.tried, b excluded.tried");
}

#[test]
fn the_lowest_tier_wins_and_a_known_backend_before_an_unknown_one() {
    check("a@fra; b@iad p2", "a won.priority, b lost.priority");
    check("a@fra unknown; b@fra", "b won.priority, a lost.priority");
    check("a@fra unknown; b@iad p2", "a won.priority, b lost.priority");
}

#[test]
fn a_full_backend_spills_and_is_kept_when_all_are_full() {
    check("a@fra max=1 busy=1; b@iad p2", "b won.spillover, a excluded.capacity");
    check("a@fra max=1 busy=1", "a won.only");
}

#[test]
fn the_nearest_wins_and_those_within_the_tolerance_are_equal() {
    check("a@fra rtt=10; b@iad rtt=90", "a won.latency, b lost.latency");
    check("a@fra; b@iad rtt=90", "b won.latency, a lost.latency");
    check("a@fra; b@iad", "a won.latency, b lost.latency");
    check("a@fra rtt=10; b@iad rtt=40 w1000 | seed=3", "b won.weight, a lost.weight");
}

#[test]
fn of_two_drawn_the_less_loaded_wins() {
    for seed in 0..32 {
        let scene = format!("a@fra rtt=1 busy=9; b@fra rtt=1 | seed={seed}");
        let (outcome, _) = Scene::parse(&scene).decide(&facts());
        // Only when both draws fall on the loaded one does it win.
        assert!(outcome == "b won.weight" || outcome == "a won.weight");
    }
    let shares = shares("a@fra rtt=1 busy=9; b@fra rtt=1", "seed", 4000);
    assert!((700..1300).contains(&shares["a"]), "{shares:?}");
}

#[test]
fn weights_are_shares_for_chance_and_for_turns() {
    for key in ["seed", "balance=rr turn"] {
        let shares = shares("a@fra w10; b@fra w30; c@fra w60 ramp=500", key, 7000);
        for (name, share) in [("a", 1000), ("b", 3000), ("c", 3000)] {
            assert!(shares[name].abs_diff(share) < 150, "{key}: {shares:?}");
        }
    }
}

#[test]
fn failover_below_hands_on_a_share_of_a_weak_tier() {
    let shares = shares(
        "a@fra rtt=1; b@fra unhealthy; c@fra unhealthy; d@fra unhealthy; e@iad p2 | failover_below=50",
        "seed",
        4000,
    );
    // A quarter of the tier is up, half is asked for: half of the requests stay.
    assert!(shares["a"].abs_diff(2000) < 150, "{shares:?}");
    check("a@fra; b@iad p2 | failover_below=50", "a won.priority, b lost.priority");
}

fn shares(scene: &str, key: &str, count: usize) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for number in 0..count {
        let separator = if scene.contains('|') { "" } else { "|" };
        let (outcome, _) = Scene::parse(&format!("{scene} {separator} {key}={number}")).decide(&facts());
        *shares.entry(outcome.split(' ').next().unwrap().to_owned()).or_default() += 1;
    }
    shares
}

#[test]
fn the_route_says_which_part_failed_and_limits_refuse() {
    let scene = Scene::parse("a@fra | concurrency=2 route_in_flight=2");
    let refused = |facts: Facts<'_>| scene.decide(&facts).0;
    assert_eq!(refused(Facts { host: "other.example.com", ..facts() }), "no_route.host");
    assert_eq!(refused(Facts { body_bytes: Some(1001), ..facts() }), "refused.too_large");
    assert_eq!(refused(Facts { url_bytes: 9000, ..facts() }), "refused.too_large");
    assert_eq!(refused(facts()), "refused.limit");
}

#[test]
fn the_trace_tells_all_fourteen_steps_in_order() {
    let (_, trace) = Scene::parse("a@fra; b@iad").decide(&facts());
    let steps: Vec<Step> = trace
        .events()
        .iter()
        .filter_map(|event| match event {
            nearside_core::trace::Event::Step(step) => Some(*step),
            _ => None,
        })
        .collect();
    assert_eq!(steps, Step::ALL);
    assert_eq!(steps.iter().map(|step| step.name()).collect::<BTreeSet<_>>().len(), 14);
    assert!(!Reason::WonOnly.sentence().is_empty());
}

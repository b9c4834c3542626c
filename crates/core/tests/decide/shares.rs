//! Shares over thousands of decisions: what spills over, and what hashing moves.

use crate::scene::{Scene, facts};
use nearside_core::policy::{Balance, HashKey};
use nearside_core::random::Random;
use nearside_core::{Choice, Facts, Plan, decide};

/// Decides requests with the seeds from `first` on.
fn plans(scene: &mut Scene, first: u64, count: u64) -> Vec<Plan> {
    let facts = facts();
    let mut one = |number| {
        scene.seed = Random::new(number).draw();
        match decide(&scene.input(&facts), &mut ()) {
            Choice::Forward(plan) => plan,
            other => panic!("{other:?}"),
        }
    };
    (first..first + count).map(&mut one).collect()
}

/// By region: how many of `plans` went there, and how many it was offered.
fn counts(scene: &Scene, plans: &[Plan]) -> Vec<(u64, u64)> {
    let regions = 0..scene.generation.regions.len();
    let count = |fits: &dyn Fn(&&Plan) -> bool| plans.iter().filter(|plan| fits(plan)).count() as u64;
    regions
        .map(|region| {
            (count(&|plan| plan.region.index() == region), count(&|plan| plan.offered.holds(region)))
        })
        .collect()
}

fn near(found: u64, expected: u64, off: u64) {
    assert!(found.abs_diff(expected) <= off, "{found} is not {expected} +- {off}");
}

#[test]
fn a_region_keeps_its_share_of_what_it_is_offered_and_the_rest_spills_over() {
    let mut scene = Scene::parse("a@fra rtt=10; b@iad rtt=90");
    scene.generation.regions[0].capacity = Some(300);
    scene.generation.fleet.pops = 3;
    for (offered, kept) in [(50, 4000), (100, 4000), (200, 2000), (400, 1000)] {
        scene.evidence.offered = vec![offered, 0];
        let plans = plans(&mut scene, offered * 10_000, 4000);
        let [fra, iad] = counts(&scene, &plans)[..] else { panic!() };
        near(fra.0, kept, 120);
        assert_eq!((fra.0 + iad.0, fra.1, iad.1), (4000, 4000, iad.0), "all were offered to the nearest");
        let spilled = plans.iter().filter(|plan| plan.region.index() == 1);
        for plan in spilled {
            assert_eq!(plan.reason.name(), "won.spillover");
            assert!(plan.offered.iter().eq([0, 1]), "its own region, and the one that it has spilled from");
        }
    }
}

/// The requests of each second are decided by what was offered in the second before.
fn settle(scene: &mut Scene, a_second: u64) -> Vec<(u64, u64)> {
    let mut last = vec![(0, 0); scene.generation.regions.len()];
    for second in 0..20 {
        scene.evidence.offered = last.iter().map(|(_, offered)| *offered).collect();
        let plans = plans(scene, second * a_second, a_second);
        last = counts(scene, &plans);
    }
    last
}

#[test]
fn what_one_region_spills_does_not_overload_the_next() {
    let mut scene = Scene::parse("a@fra rtt=10; b@dub rtt=50; c@iad rtt=90");
    scene.generation.regions[0].capacity = Some(1000);
    scene.generation.regions[1].capacity = Some(1000);
    let [fra, dub, iad] = settle(&mut scene, 4000)[..] else { panic!() };
    near(fra.0, 1000, 120);
    near(dub.0, 1000, 120);
    near(iad.0, 2000, 150);
    assert_eq!(fra.1, 4000);
}

#[test]
fn of_two_equals_each_is_offered_its_half() {
    let mut scene = Scene::parse("a@fra rtt=10; b@dub rtt=12; c@iad p2");
    scene.generation.regions[0].capacity = Some(1000);
    let [fra, dub, iad] = settle(&mut scene, 4000)[..] else { panic!() };
    near(fra.0, 1000, 120);
    near(fra.1, 2000, 150);
    assert_eq!((fra.0 + dub.0, iad.0), (4000, 0), "the equal takes what the first tier can still carry");
}

#[test]
fn what_is_full_everywhere_stays_where_it_is_best() {
    let mut scene = Scene::parse("a@fra rtt=10; b@iad rtt=90");
    scene.generation.regions.iter_mut().for_each(|region| region.capacity = Some(1));
    scene.evidence.offered = vec![1_000_000; 2];
    let plans = plans(&mut scene, 0, 500);
    assert!(plans.iter().all(|plan| plan.region.index() == 0 && plan.offered.iter().eq([0])));
}

/// Where each of a thousand keys goes.
fn places(scene: &Scene) -> Vec<String> {
    let place = |key: u64| {
        let facts = Facts { hash: Random::new(key).draw(), ..facts() };
        scene.decide(&facts).0.split(' ').next().unwrap().to_owned()
    };
    (0..1000).map(place).collect()
}

#[test]
fn hashing_moves_only_the_share_of_the_backend_that_goes() {
    let parse = |text: &str| {
        let mut scene = Scene::parse(text);
        scene.generation.pools[0].select.balance = Balance::Hash(HashKey::Client);
        places(&scene)
    };
    let before = parse("a@fra rtt=1; b@fra rtt=1; c@fra rtt=1; d@fra rtt=1 w100");
    let share = |places: &[String], name: &str| places.iter().filter(|place| *place == name).count() as u64;
    for (name, weight) in [("a", 1), ("b", 1), ("c", 1), ("d", 2)] {
        near(share(&before, name), weight * 200, 45);
    }
    let after = parse("a@fra rtt=1; b@fra rtt=1 unhealthy; c@fra rtt=1; d@fra rtt=1 w100");
    for (before, after) in before.iter().zip(&after) {
        assert!(after == before || before == "b", "{before} moved to {after}");
    }
    assert_eq!(share(&after, "b"), 0);
    // Those of the one that went are spread by weight.
    assert!(share(&after, "d") > share(&before, "d") + share(&before, "b") / 3);
    let more = parse("a@fra rtt=1; b@fra rtt=1; c@fra rtt=1; d@fra rtt=1 w100; e@fra rtt=1");
    for (before, more) in before.iter().zip(&more) {
        assert!(more == before || more == "e", "{before} moved to {more}");
    }
    near(share(&more, "e"), 167, 45);
}

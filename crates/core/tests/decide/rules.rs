//! The absolute rules (SPEC, section 3) as properties over random generations, evidence and requests. Each
//! rule is also run against a mutant that breaks it, and has to notice.

mod personal;

use crate::scene::{Fixed, Scene, mark};
use nearside_core::generation::{Drain, PinnedSessions};
use nearside_core::policy::{AllDown, Share};
use nearside_core::residency::{Residency, Unknown};
use nearside_core::table::Table;
use nearside_core::{
    BackendId, Choice, Failure, FullTrace, Generation, Input, Plan, State, Target, Trace, Tried, Verdict,
    decide,
};
use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use std::cell::Cell;
use std::collections::BTreeSet;

type Decide = fn(&Input<'_, Fixed>, &mut FullTrace) -> Choice;

fn real(input: &Input<'_, Fixed>, trace: &mut FullTrace) -> Choice {
    decide(input, trace)
}

fn scene() -> impl Strategy<Value = Scene> {
    let backend =
        (0..4_usize, 1..4_u8, prop_oneof![4 => 1..100_u16, 1 => Just(0_u16)], 0..12_u8, 0..3_u32, 0..6_u8);
    let options = (any::<bool>(), 0..=100_u16, any::<u64>(), 0..16_u8, any::<u64>());
    let backends = prop::collection::vec(backend, 1..9);
    (backends, options, any::<u64>()).prop_map(|(backends, options, who)| {
        let mut scene = build(&backends, options);
        personal::add(&mut scene, who);
        scene
    })
}

type Drawn = (usize, u8, u16, u8, u32, u8);

fn build(backends: &[Drawn], (refuse, failover, seed, regions, turn): (bool, u16, u64, u8, u64)) -> Scene {
    let names: Vec<String> =
        backends.iter().enumerate().map(|(index, drawn)| format!("b{index}@r{}", drawn.0)).collect();
    let mut scene = Scene::parse(&names.join(";"));
    scene.seed = seed;
    scene.evidence.turn = turn;
    let select = &mut scene.generation.pools[0].select;
    select.all_down = if refuse { AllDown::Refuse } else { AllDown::TryAll };
    select.failover_below = Share::from_points(failover * 100);
    for (index, region) in scene.generation.regions.iter_mut().enumerate() {
        region.drain = (regions & (1 << index) != 0 && regions % 3 == 0).then(mark);
    }
    for (index, &(_, priority, weight, health, busy, fate)) in backends.iter().enumerate() {
        let backend = &mut scene.generation.backends.edit()[index];
        (backend.priority, backend.weight) = (priority, weight);
        backend.max_in_flight = (health % 4 == 0).then_some(1);
        backend.drain = (fate == 0).then(mark);
        scene.evidence.states[index] = State {
            verdict: match health % 3 {
                0 => Verdict::Healthy,
                1 => Verdict::Unhealthy,
                _ => Verdict::Unknown,
            },
            ejected: health == 5,
            suspected: health % 5 == 0,
            held: health == 9,
            in_grace: false,
            ramp: None,
            rtt_micros: (health < 8).then(|| u32::from(health) * 9000),
            in_flight: busy,
        };
    }
    let mut tried = Tried::default();
    for (index, drawn) in backends.iter().enumerate() {
        let failure = if drawn.3 % 2 == 0 { Failure::Connect } else { Failure::Sent };
        if drawn.5 == 1 {
            tried.note(&scene.generation, BackendId::new(index), failure);
        }
    }
    scene.tried = tried;
    scene
}

fn run(cases: u32, decide: Decide, rule: fn(&Scene, Decide) -> Result<(), TestCaseError>) -> bool {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
    let outcome = TestRunner::new(config).run(&scene(), |scene| rule(&scene, decide));
    match outcome {
        Ok(()) => true,
        Err(TestError::Fail(..)) => false,
        Err(error @ TestError::Abort(_)) => panic!("{error}"),
    }
}

/// Rule 1: a drained region or backend gets no new request.
fn drained_gets_nothing(scene: &Scene, decide: Decide) -> Result<(), TestCaseError> {
    let facts = scene.facts();
    if let Choice::Forward(Plan { backend: id, .. }) = decide(&scene.input(&facts), &mut FullTrace::default())
    {
        let backend = scene.generation.backend(id).unwrap();
        let pinned = match scene.client.pin.and_then(|pin| pin.first) {
            Some(Target::Region(region)) => region == backend.region,
            Some(Target::Backend(pinned)) => pinned == id,
            None => false,
        };
        let honoured = pinned && scene.evidence.states[id.index()].in_grace;
        let honours = |mark: &Drain| mark.pinned_sessions == PinnedSessions::HonourUntilGrace;
        prop_assert!(scene.generation.drains_of(backend).all(|mark| honoured && honours(mark)));
    }
    Ok(())
}

/// Rule 2: no request leaves its residency class.
fn law_holds(scene: &Scene, decide: Decide) -> Result<(), TestCaseError> {
    let facts = scene.facts();
    if let Choice::Forward(plan) = decide(&scene.input(&facts), &mut FullTrace::default()) {
        prop_assert!(personal::may(scene, plan.region), "{:?} leaves its class by {:?}", scene.client, plan);
    }
    Ok(())
}

/// Rule 3: a decision reads its own generation: what it names exists there and belongs together.
fn one_generation(scene: &Scene, decide: Decide) -> Result<(), TestCaseError> {
    let facts = scene.facts();
    if let Choice::Forward(plan) = decide(&scene.input(&facts), &mut FullTrace::default()) {
        let backend = scene.generation.backend(plan.backend);
        prop_assert_eq!(
            backend.map(|backend| (backend.pool, backend.region)),
            Some((plan.pool, plan.region))
        );
        prop_assert!(scene.generation.routes.route(plan.route).is_some());
    }
    Ok(())
}

/// Rule 5: equal inputs give equal decisions, traced or not, and every backend that lost has its reason.
fn explained(scene: &Scene, decide: Decide) -> Result<(), TestCaseError> {
    let facts = scene.facts();
    let (mut trace, mut again) = (FullTrace::default(), FullTrace::default());
    let choice = decide(&scene.input(&facts), &mut trace);
    prop_assert_eq!(choice, decide(&scene.input(&facts), &mut again));
    prop_assert_eq!(trace.events(), again.events());
    prop_assert_eq!(choice, nearside_core::decide(&scene.input(&facts), &mut ()));
    for index in 0..scene.generation.backends.len() {
        let id = BackendId::new(index);
        let won = matches!(choice, Choice::Forward(plan) if plan.backend == id);
        prop_assert_eq!(won, trace.dropped(id).is_none(), "backend {} of {:?}", index, trace);
    }
    Ok(())
}

/// What was tried is not tried again, weight 0 gets nothing, and what is down only under fail-open.
fn nothing_wrong_is_chosen(scene: &Scene, decide: Decide) -> Result<(), TestCaseError> {
    let facts = scene.facts();
    let Choice::Forward(plan) = decide(&scene.input(&facts), &mut FullTrace::default()) else {
        return Ok(());
    };
    prop_assert!(!scene.tried.backend(plan.backend.index()));
    prop_assert!(scene.generation.backend(plan.backend).unwrap().weight > 0);
    let state = scene.evidence.states[plan.backend.index()];
    let down = state.verdict == Verdict::Unhealthy || state.ejected || state.held;
    prop_assert_eq!(down, plan.reason == nearside_core::Reason::WonFailOpen);
    Ok(())
}

/// Decides as if nothing were marked: the mutant that breaks rule 1.
fn without_marks(input: &Input<'_, Fixed>, trace: &mut FullTrace) -> Choice {
    let mut generation = input.generation.clone();
    generation.regions.iter_mut().for_each(|region| region.drain = None);
    generation.backends.edit().iter_mut().for_each(|backend| backend.drain = None);
    decide(&Input { generation: &generation, ..*input }, trace)
}

/// Takes every mark for one whose grace runs: another mutant that breaks rule 1.
fn endless_grace(input: &Input<'_, Fixed>, trace: &mut FullTrace) -> Choice {
    let mut evidence = input.evidence.clone();
    evidence.states.iter_mut().for_each(|state| state.in_grace = true);
    decide(&Input { evidence: &evidence, ..*input }, trace)
}

/// Takes a client of unknown place for a stateless one: the mutant that breaks rule 2 where nothing is known.
fn lenient(input: &Input<'_, Fixed>, trace: &mut FullTrace) -> Choice {
    let mut generation = input.generation.clone();
    generation.classes.iter_mut().for_each(|class| class.unknown = Some(Unknown::Allow));
    decide(&Input { generation: &generation, ..*input }, trace)
}

/// Decides as if there were no law, when nothing lawful is up: the mutant that breaks rule 2 by fail-open.
fn lawless_in_need(input: &Input<'_, Fixed>, trace: &mut FullTrace) -> Choice {
    let choice = decide(input, trace);
    if !matches!(choice, Choice::Refuse(..)) {
        return choice;
    }
    let mut generation = input.generation.clone();
    let mut routes = generation.routes.routes().to_vec();
    routes[0].residency = Residency::None;
    generation.routes = Table::new(routes);
    decide(&Input { generation: &generation, ..*input }, &mut FullTrace::default())
}

/// Takes a request that says no home for one without law: the mutant that breaks rule 2 by leaving something out.
fn lenient_to_the_silent(input: &Input<'_, Fixed>, trace: &mut FullTrace) -> Choice {
    let mut routes = input.generation.routes.routes().to_vec();
    if let (None, Residency::Chosen { by_home, .. }) = (input.facts.home, &mut routes[0].residency) {
        *by_home = Box::default();
    }
    let generation = Generation { routes: Table::new(routes), ..input.generation.clone() };
    decide(&Input { generation: &generation, ..*input }, trace)
}

/// Decides by another generation, whose backends stand in other regions: the mutant that breaks rule 3.
fn by_another_generation(input: &Input<'_, Fixed>, trace: &mut FullTrace) -> Choice {
    let mut generation = input.generation.clone();
    generation.backends.edit().reverse();
    decide(&Input { generation: &generation, ..*input }, trace)
}

/// Forgets to say why the first drop happened: the mutant that breaks rule 5.
fn mute(input: &Input<'_, Fixed>, trace: &mut FullTrace) -> Choice {
    struct Mute<'a>(&'a mut FullTrace, bool);
    impl Trace for Mute<'_> {
        fn dropped(&mut self, backend: BackendId, reason: nearside_core::Reason) {
            if std::mem::replace(&mut self.1, true) {
                self.0.dropped(backend, reason);
            }
        }
    }
    decide(input, &mut Mute(trace, false))
}

/// Decides by chance of its own: the other mutant that breaks rule 5.
fn moody(input: &Input<'_, Fixed>, trace: &mut FullTrace) -> Choice {
    thread_local!(static MOOD: Cell<u64> = const { Cell::new(0) });
    let seed = MOOD.with(|mood| mood.replace(mood.get() + 1));
    decide(&Input { seed, ..*input }, trace)
}

/// Forgets what was tried.
fn forgetful(input: &Input<'_, Fixed>, trace: &mut FullTrace) -> Choice {
    decide(&Input { tried: &Tried::default(), ..*input }, trace)
}

#[test]
fn a_drained_backend_gets_no_request() {
    assert!(run(4000, real, drained_gets_nothing));
    assert!(!run(4000, without_marks, drained_gets_nothing), "the rule must notice a decide without marks");
    assert!(!run(4000, endless_grace, drained_gets_nothing), "the rule must notice a grace that never ends");
}

#[test]
fn no_request_leaves_its_residency_class() {
    assert!(run(6000, real, law_holds));
    assert!(!run(6000, lenient, law_holds), "the rule must notice what is unknown");
    assert!(!run(6000, lenient_to_the_silent, law_holds), "the rule must notice a home that is left out");
    assert!(!run(6000, lawless_in_need, law_holds), "the rule must notice that need knows no law");
}

#[test]
fn a_decision_belongs_to_one_generation() {
    assert!(run(4000, real, one_generation));
    assert!(!run(4000, by_another_generation, one_generation), "the rule must notice a foreign generation");
}

#[test]
fn every_loser_has_its_reason_and_equal_inputs_give_equal_decisions() {
    assert!(run(4000, real, explained));
    assert!(!run(4000, mute, explained), "the rule must notice a loser without a reason");
    assert!(!run(4000, moody, explained), "the rule must notice hidden chance");
}

#[test]
fn what_failed_or_weighs_nothing_is_not_chosen() {
    assert!(run(4000, real, nothing_wrong_is_chosen));
    assert!(!run(4000, forgetful, nothing_wrong_is_chosen), "the rule must notice a repeat of what failed");
}

#[test]
fn the_scenes_reach_every_branch() {
    let mut reasons = BTreeSet::new();
    let mut runner = TestRunner::deterministic();
    for _ in 0..4000 {
        let scene = scene().new_tree(&mut runner).unwrap().current();
        let (outcome, trace) = scene.decide(&scene.facts());
        reasons.insert(outcome.rsplit(' ').next().unwrap().to_owned());
        for index in 0..scene.generation.backends.len() {
            reasons.extend(trace.dropped(BackendId::new(index)).map(|(_, reason)| reason.to_string()));
        }
    }
    let expected = [
        "excluded.capacity",
        "excluded.drained",
        "excluded.ejected",
        "excluded.hold",
        "excluded.residency",
        "excluded.tried",
        "excluded.unhealthy",
        "lost.affinity",
        "lost.geo",
        "lost.home",
        "lost.latency",
        "lost.priority",
        "lost.weight",
        "refused.all_down",
        "refused.drained",
        "refused.home",
        "refused.residency",
        "won.affinity",
        "won.affinity_backup",
        "won.fail_open",
        "won.failover",
        "won.geo",
        "won.home",
        "won.latency",
        "won.only",
        "won.priority",
        "won.spillover",
        "won.weight",
    ];
    assert_eq!(reasons.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

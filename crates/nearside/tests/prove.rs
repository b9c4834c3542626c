//! The proof of residency, and the holes that it has to find in deciders that are wrong.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use nearside_core::residency::{Residency, Unknown};
use nearside_core::table::Table;
use nearside_core::{
    BackendId, Choice, Generation, Input, Pin, Plan, PoolId, Reason, RegionId, Route, RouteId, Target, Trace,
};
use nearside_whatif::{Decide, Hole, dark, prove, prove_with};

/// Five regions, three of them lawful for `eu-only`, with every way to choose a class.
const FILE: &str = "version: 1
regions:
  frankfurt: { jurisdictions: [EU, DE] }
  dublin: { jurisdictions: [EU] }
  paris: { jurisdictions: [FR, EU] }
  zurich: { jurisdictions: [CH] }
  virginia: { jurisdictions: [US] }
residency:
  eu-only: { allow: [EU], survive: 2 }
  swiss: { allow: [CH, EU], unknown: allow }
pools:
  web:
    backends:
      - { url: http://192.0.2.1, region: frankfurt }
      - { url: http://192.0.2.2, region: dublin }
      - { url: http://192.0.2.3, region: paris, priority: 2 }
      - { url: http://192.0.2.4, region: zurich }
      - { url: http://192.0.2.5, region: virginia }
routes:
  - { host: always.example.com, pool: web, residency: eu-only }
  - host: chosen.example.com
    pool: web
    geo: [{ country: US, to: [virginia] }]
    residency: [{ group: GDPR, class: eu-only }, { country: CH, class: swiss }, { state: US-CA, class: eu-only }]
  - { host: free.example.com, pool: web }
  - host: homes.example.com
    pool: web
    home: { from: [{ header: x-home }], map: { eu1: frankfurt, us1: virginia }, verify: { hmac_key_file: home.key } }
    residency: [{ home: eu1, class: eu-only }]
listeners: [{ bind: 127.0.0.1:8080 }]
";

fn generation() -> Generation {
    nearside_config::load(FILE).unwrap_or_else(|report| panic!("{report}")).0
}

#[test]
fn law_holds_in_every_state() {
    let proofs = prove(&generation()).unwrap_or_else(|hole| panic!("{hole:?}"));
    let told: Vec<(usize, usize, bool)> =
        proofs.iter().map(|proof| (proof.route.index(), proof.classes.len(), proof.bounded)).collect();
    assert_eq!(told, [(0, 1, false), (1, 2, false), (3, 1, false)]);
    // 243 worlds, six pins, and some kinds of clients, each with the repeats that follow.
    assert!(proofs.iter().all(|proof| proof.states > 243 * 6 * 2), "{proofs:?}");
}

/// The hole that `decide` leaves.
fn hole(decide: &Decide<'_>) -> Box<Hole> {
    prove_with(&generation(), decide).unwrap_err()
}

#[test]
fn a_decision_that_forgets_law_when_nothing_is_left_is_found() {
    let found = hole(&|input, trace| {
        let choice = nearside_core::decide(input, trace);
        if !matches!(choice, Choice::Refuse(..)) {
            return choice;
        }
        let mut generation = input.generation.clone();
        generation.routes = Table::new(vec![Route {
            residency: Residency::None,
            ..input.generation.routes.routes().first().unwrap().clone()
        }]);
        nearside_core::decide(&Input { generation: &generation, ..*input }, trace)
    });
    assert!(!found.trace.events().is_empty());
}

#[test]
fn a_pin_that_leads_out_is_found() {
    let found = hole(&|input, trace| match (nearside_core::decide(input, trace), input.facts.pin) {
        (Choice::Forward(mut plan), Some(Pin { first: Some(Target::Region(region)), .. })) => {
            plan.region = region;
            Choice::Forward(plan)
        }
        (choice, _) => choice,
    });
    assert!(found.pin.is_some());
}

#[test]
fn a_client_of_unknown_place_who_passes_is_found() {
    let found = hole(&|input, trace| {
        let mut generation = input.generation.clone();
        generation.classes.iter_mut().for_each(|class| class.unknown = Some(Unknown::Allow));
        nearside_core::decide(&Input { generation: &generation, ..*input }, trace)
    });
    assert!(found.place.state.is_none(), "{found:?}");
}

#[test]
fn a_home_that_is_left_out_to_escape_its_class_is_found() {
    let found = hole(&|input, trace| {
        let mut routes = input.generation.routes.routes().to_vec();
        if let (None, Residency::Chosen { by_home, .. }) = (input.facts.home, &mut routes[0].residency) {
            *by_home = Box::default();
        }
        let generation = Generation { routes: Table::new(routes), ..input.generation.clone() };
        nearside_core::decide(&Input { generation: &generation, ..*input }, trace)
    });
    assert_eq!((found.route, found.home), (RouteId::new(3), None));
}

#[test]
fn a_repeat_that_leaves_is_found() {
    let found = hole(&|input, trace| {
        let choice = nearside_core::decide(input, trace);
        match choice {
            Choice::Refuse(..) if !input.tried.is_empty() => {
                trace.refused(Reason::RefusedAllDown);
                let plan = Plan {
                    route: RouteId::new(0),
                    pool: PoolId::new(0),
                    backend: BackendId::new(4),
                    region: RegionId::new(4),
                    offered: nearside_core::candidates::Set::default(),
                    reason: Reason::WonFailOpen,
                };
                Choice::Forward(plan)
            }
            choice => choice,
        }
    });
    assert_eq!(found.went, RegionId::new(4));
}

#[test]
fn who_is_refused_for_want_of_a_home_is_no_loss() {
    let home =
        "residency: eu-only, home: { from: [cookie: home], map: { one: frankfurt }, unknown: refuse } }";
    let text = FILE.replacen("residency: eu-only }", home, 1);
    let generation = nearside_config::load(&text).unwrap_or_else(|report| panic!("{report}")).0;
    assert!(generation.routes.routes()[0].home.is_some());
    assert_eq!(dark(&generation), []);
}

#[test]
fn a_class_survives_what_it_has_to_or_the_loss_is_named() {
    assert_eq!(dark(&generation()), []);
    let mut weak = generation();
    weak.backends.edit()[1].weight = 0;
    let found = dark(&weak);
    let lost: Vec<usize> = found.first().unwrap().lost.iter().map(|region| region.index()).collect();
    assert_eq!((found.len(), lost), (3, vec![0, 2]), "{found:?}");
}

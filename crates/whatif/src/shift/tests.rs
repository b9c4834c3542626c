//! What moves where, and what that comes to.

use super::*;
use crate::fixture::generation;
use crate::{Entrance, Origin, mark};
use nearside_core::candidates::Set;
use nearside_core::host::{Host, Pattern};
use nearside_core::place::{Area, ByArea, Country, Group, Place, Position};
use nearside_core::residency::{Class, Residency};
use nearside_core::table::Table;
use nearside_core::{PoolId, Route};

/// One pool for everything, and regions of these capacities.
fn world(backends: &str, capacities: &[Option<u64>]) -> Generation {
    let mut generation = generation(&[backends]);
    for (region, capacity) in generation.regions.iter_mut().zip(capacities) {
        region.capacity = *capacity;
    }
    serve(&mut generation, vec![Route::new("web", Pattern::Any, PoolId::new(0))]);
    generation
}

fn serve(generation: &mut Generation, routes: Vec<Route>) {
    generation.routes = Table::new(routes);
}

fn lose(generation: &Generation, lost: &[usize], demand: &Demand, load: &Load) -> Shift {
    let before = Scene::well(generation, Entrance::AtTheirPlace);
    let lost: Vec<RegionId> = lost.iter().copied().map(RegionId::new).collect();
    Shift::between(&before, &before.losing(&lost), demand, load)
}

/// `region before>after verdict; …` in requests a second.
fn told(generation: &Generation, shift: &Shift) -> String {
    let each = shift.regions.iter().map(|it| {
        let figure = |carried: Carried| {
            let at_least = if carried.is_known { "" } else { "?" };
            format!("{:.0}{at_least}", carried.rps)
        };
        let verdict = match it.is_overloaded() {
            Some(true) => " overloaded",
            Some(false) => "",
            None => " unknown",
        };
        let name = &generation.region(it.region).unwrap().name;
        format!("{name} {}>{}{verdict}", figure(it.before), figure(it.after))
    });
    each.collect::<Vec<_>>().join("; ")
}

fn check(generation: &Generation, lost: &[usize], load: &Load, expected: &str) {
    let shift = lose(generation, lost, &Demand::even(generation), load);
    assert_eq!(told(generation, &shift), expected, "{load:?} without {lost:?}");
}

#[test]
fn what_a_lost_region_carried_goes_to_the_others_up_to_their_capacity() {
    let equals = world("a@x b@y", &[Some(100), Some(100)]);
    check(&equals, &[0], &Load::Total(90.0), "x 45>0; y 45>90");
    check(&equals, &[0], &Load::Total(150.0), "x 75>0; y 75>150 overloaded");
    check(&equals, &[0], &Load::Declared, "x 100>0; y 100>200 overloaded");
    check(&equals, &[], &Load::Total(150.0), "x 75>75; y 75>75");
    let standby = world("a@x b@y/2", &[Some(100), Some(60)]);
    check(&standby, &[0], &Load::Declared, "x 100>0; y 0>100 overloaded");
    check(&standby, &[1], &Load::Declared, "x 100>100; y 0>0");
}

#[test]
fn what_is_too_much_spills_over_where_there_is_room() {
    let three = world("a@x b@y/2 c@z/3", &[Some(100), Some(40), Some(100)]);
    let shift = lose(&three, &[0], &Demand::even(&three), &Load::Total(100.0));
    let after = |index: usize| shift.regions[index].after.rps;
    assert!((after(1) - 40.0).abs() < 3.0 && (after(2) - 60.0).abs() < 3.0, "{shift:?}");
    assert_eq!(shift.overloaded().count(), 0);
    // Small rates are no less exact.
    let small = world("a@x b@y/2 c@z/3", &[Some(2), Some(1), Some(1)]);
    let shift = lose(&small, &[0], &Demand::even(&small), &Load::Total(1.5));
    assert!((shift.regions[1].after.rps - 1.0).abs() < 0.05, "{shift:?}");
    // Where nobody has room, everybody is overloaded.
    let full = world("a@x b@y/2 c@z/3", &[Some(100), Some(40), Some(20)]);
    let shift = lose(&full, &[0], &Demand::even(&full), &Load::Declared);
    assert_eq!(shift.overloaded().count(), 2, "{shift:?}");
}

#[test]
fn what_was_measured_is_what_moves() {
    let three = world("a@x b@y c@z/2", &[Some(100), Some(100), None]);
    let measured = |loads: [f64; 3]| Load::Measured(loads.map(Some).into());
    check(&three, &[0], &measured([30.0, 60.0, 0.0]), "x 30>0; y 60>90; z 0>0");
    check(&three, &[0], &measured([30.0, 90.0, 0.0]), "x 30>0; y 90>101; z 0>19 unknown");
    // Sessions that are pinned to the standby stay there, and go with the rest once it is lost.
    check(&three, &[0], &measured([30.0, 60.0, 8.0]), "x 30>0; y 60>90; z 8>8");
    check(&three, &[2], &measured([30.0, 60.0, 8.0]), "x 30>34; y 60>64; z 8>0");
}

#[test]
fn what_is_not_known_is_not_guessed() {
    let half = world("a@x b@y c@z/2", &[Some(100), None, Some(100)]);
    check(&half, &[0], &Load::Declared, "x 100>0; y 0?>100? unknown; z 0>0");
    check(&half, &[1], &Load::Declared, "x 100>100? unknown; y 0?>0; z 0>0");
    check(&half, &[0], &Load::Unknown, "x 0?>0?; y 0?>0? unknown; z 0?>0?");
    let none = world("a@x b@y", &[None, None]);
    check(&none, &[0], &Load::Total(10.0), "x 5>0; y 5>10 unknown");
    assert_eq!(overloads(&none), []);
}

#[test]
fn a_marked_region_is_left_like_a_lost_one() {
    let before = world("a@x b@y", &[Some(100), Some(60)]);
    let mut after = before.clone();
    assert!(mark(&mut after, "x", "what if"));
    let scenes = [&before, &after].map(|it| Scene::well(it, Entrance::AtTheirPlace));
    let shift = Shift::between(&scenes[0], &scenes[1], &Demand::even(&before), &Load::Total(100.0));
    assert_eq!(told(&before, &shift), "x 50>0; y 50>100 overloaded");
}

fn country(code: &str) -> Country {
    Country::parse(code).unwrap()
}

/// Frankfurt (x) and Virginia (y), both equally good but for the distance.
fn two_shores() -> Generation {
    let mut generation = world("a@x b@y", &[Some(100), Some(100)]);
    let at = |lat, lon| Some(Place { position: Position::new(lat, lon), ..Place::UNKNOWN });
    generation.regions[0].place = at(50.11, 8.68);
    generation.regions[1].place = at(38.95, -77.45);
    generation
}

fn demand(generation: &Generation, parts: &[(&str, f64)]) -> Demand {
    let origins: Vec<(Origin, f64)> =
        parts.iter().map(|(text, number)| (Origin::parse(text).unwrap(), *number)).collect();
    Demand::of(generation, &origins)
}

#[test]
fn each_place_goes_where_it_is_near() {
    let shores = two_shores();
    let asked = demand(&shores, &[("country:DE", 60.0), ("country:US", 20.0), ("state:US-VA", 20.0)]);
    let shift = lose(&shores, &[0], &asked, &Load::Total(100.0));
    assert_eq!(told(&shores, &shift), "x 60>0; y 40>100");
    let rows: Vec<String> = shift
        .places
        .iter()
        .map(|it| format!("{} {:.1} {:.0?} {:.0?}", it.name, it.share, it.before, it.after))
        .collect();
    assert_eq!(
        rows,
        ["country DE 0.6 [1, 0] [0, 1]", "country US 0.2 [0, 1] [0, 1]", "state US-VA 0.2 [0, 1] [0, 1]"]
    );
    // At one PoP all are as near as to it.
    let here = Scene::well(&shores, Entrance::At(Position::new(53.35, -6.26).unwrap()));
    let shift = Shift::between(&here, &here, &asked, &Load::Total(100.0));
    assert_eq!(told(&shores, &shift), "x 100>100; y 0>0");
    // A region whose place is not known is no farther for that.
    let mut blank = shores.clone();
    blank.regions[1].place = None;
    let shift = lose(&blank, &[], &asked, &Load::Total(100.0));
    assert_eq!(told(&blank, &shift), "x 50>50; y 50>50");
}

#[test]
fn what_law_keeps_from_the_others_goes_dark_and_is_named() {
    let mut shores = two_shores();
    let mut europe = Set::default();
    europe.insert(0);
    let class = Class {
        name: "eu-only".into(),
        allow: ["EU".into()].into(),
        regions: europe,
        survive: 0,
        unknown: None,
    };
    shores.regions[0].jurisdictions = ["EU".into()].into();
    shores.classes = [class].into();
    let by_area = ByArea::new(vec![(Area::Group(Group::Gdpr), ClassId::new(0))]);
    let lawful = Route {
        residency: Residency::Chosen { by_area, by_home: Box::default() },
        ..Route::new("lawful", Pattern::Exact(Host::parse("a.example").unwrap()), PoolId::new(0))
    };
    let free = Route::new("free", Pattern::Exact(Host::parse("b.example").unwrap()), PoolId::new(0));
    serve(&mut shores, vec![lawful, free]);
    let even = Demand::even(&shores);
    let names: Vec<&str> = even.0.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["elsewhere", "group GDPR", "an unknown place"]);
    let shift = lose(&shores, &[0], &even, &Load::Unknown);
    let dark = Unserved {
        routes: vec![RouteId::new(0)],
        classes: vec![ClassId::new(0)],
        places: vec!["group GDPR".into()],
    };
    assert_eq!(shift.dark, [dark]);
    // Half of its requests are under the law.
    assert!((shift.places[1].after[1] - 0.5).abs() < 1e-6, "{:?}", shift.places[1]);
    assert_eq!(lose(&shores, &[1], &even, &Load::Unknown).dark, []);
    let dark = lose(&shores, &[0, 1], &even, &Load::Unknown).dark;
    assert_eq!(dark.len(), 3, "with its class, without one, and the other route: {dark:?}");
}

#[test]
fn places_are_told_apart_as_far_as_rules_do() {
    let mut shores = two_shores();
    let rule = |area| (area, vec![Set::default()].into());
    let areas = ["state:US-CA", "country:GB", "continent:EU", "subnet:10.0.0.0/8"].map(|text| {
        let Some(Origin::Area(area)) = Origin::parse(text) else { panic!("{text}") };
        area
    });
    let route =
        Route { geo: ByArea::new(areas.map(rule).into()), ..Route::new("web", Pattern::Any, PoolId::new(0)) };
    serve(&mut shores, vec![route]);
    let even = Demand::even(&shores);
    let mut names: Vec<&str> = even.0.iter().map(|part| part.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["continent EU", "country GB", "elsewhere", "state US-CA", "subnet 10.0.0.0/8"]);
    let of = |name: &str| even.0.iter().find(|part| part.name == name).unwrap();
    assert!(of("continent EU").clients.iter().any(|client| client.place.country == country("DE")));
    assert!(of("continent EU").clients.iter().all(|client| client.place.country != country("GB")));
    for wrong in ["DE", "country:XX1", "planet:EU", "subnet:10.0.0.0", "subnet:10.0.0.0/33"] {
        assert_eq!(Origin::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn the_loss_of_each_region_is_held_against_what_the_others_are_declared_for() {
    let standby = world("a@x b@y/2", &[Some(100), Some(100)]);
    assert!(overloads(&standby).iter().all(|it| it.shift.overloaded().count() == 0));
    let equals = world("a@x b@y", &[Some(100), Some(100)]);
    let told: Vec<(usize, usize)> = overloads(&equals)
        .iter()
        .flat_map(|it| it.shift.overloaded().map(|region| (it.lost.index(), region.region.index())))
        .collect();
    assert_eq!(told, [(0, 1), (1, 0)]);
}

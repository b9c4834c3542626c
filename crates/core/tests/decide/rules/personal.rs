//! What depends on who asks, drawn at random: law, geo, home, pins, capacity, honoured marks.

use crate::scene::{Client, Scene};
use nearside_core::candidates::Set;
use nearside_core::generation::PinnedSessions;
use nearside_core::home::{Home, HomeSource};
use nearside_core::place::{Area, ByArea, Continent, Country, Group, Subdivision};
use nearside_core::random::Random;
use nearside_core::residency::{Class, Residency, Unknown};
use nearside_core::table::Table;
use nearside_core::{BackendId, ClassId, Pin, Place, RegionId, Route, Target};

fn country(code: &str) -> Country {
    Country::parse(code).unwrap()
}

/// The places from which clients come.
fn places() -> [Place; 7] {
    let europe = Place { continent: Some(Continent::Europe), ..Place::UNKNOWN };
    let california = Place::in_state(Subdivision::parse("US-CA").unwrap());
    let [de, no, ch, us] = ["DE", "NO", "CH", "US"].map(|code| Place::of(country(code)));
    [de, no, ch, us, california, europe, Place::UNKNOWN]
}

/// A number below `count`.
fn below(draw: &mut Random, count: usize) -> usize {
    usize::try_from(draw.below(count as u64)).unwrap()
}

fn set(draw: &mut Random, regions: usize) -> Set {
    let mut set = Set::default();
    (0..regions).filter(|_| draw.below(2) == 0).for_each(|region| set.insert(region));
    set
}

/// Adds to `scene` what `seed` draws.
pub(super) fn add(scene: &mut Scene, seed: u64) {
    let mut draw = Random::new(seed);
    let regions = scene.generation.regions.len();
    let mut class = |name: &str| Class {
        name: name.into(),
        allow: Box::default(),
        regions: set(&mut draw, regions),
        survive: 0,
        unknown: [None, Some(Unknown::Refuse), Some(Unknown::Allow)][below(&mut draw, 3)],
    };
    scene.generation.classes = Box::new([class("a"), class("b")]);
    let mut routes = scene.generation.routes.routes().to_vec();
    fill(&mut routes[0], &mut draw, regions);
    scene.generation.routes = Table::new(routes);
    for region in &mut scene.generation.regions {
        region.capacity = (draw.below(3) == 0).then_some(100);
        scene.evidence.offered.push(draw.below(300));
        if let Some(mark) = region.drain.as_mut().filter(|_| draw.below(2) == 0) {
            mark.pinned_sessions = PinnedSessions::HonourUntilGrace;
        }
    }
    for (backend, state) in scene.generation.backends.edit().iter_mut().zip(&mut scene.evidence.states) {
        state.in_grace = draw.below(2) == 0;
        if let Some(mark) = backend.drain.as_mut().filter(|_| draw.below(2) == 0) {
            mark.pinned_sessions = PinnedSessions::HonourUntilGrace;
        }
    }
    let backends = scene.generation.backends.len();
    let mut target = || match draw.below(3) {
        0 => None,
        1 => Some(Target::Region(RegionId::new(below(&mut draw, regions)))),
        _ => Some(Target::Backend(BackendId::new(below(&mut draw, backends)))),
    };
    let pin = Pin { first: target(), second: target() };
    scene.client = Client {
        place: places()[below(&mut draw, 7)],
        home: [None, Some("h0"), Some("h1"), Some("nowhere")][below(&mut draw, 4)],
        pin: (draw.below(2) == 0).then_some(pin),
        hash: draw.draw(),
    };
}

fn fill(route: &mut Route, draw: &mut Random, regions: usize) {
    let classes = [ClassId::new(0), ClassId::new(1)];
    route.residency = match draw.below(4) {
        0 | 1 => Residency::None,
        2 => Residency::Always(classes[0]),
        _ => Residency::Chosen {
            by_area: ByArea::new(vec![
                (Area::Group(Group::Gdpr), classes[0]),
                (Area::Country(country("CH")), classes[1]),
            ]),
            by_home: Box::new([("h0".into(), classes[1])]),
        },
    };
    if draw.below(2) == 0 {
        let mut to = || -> Box<[Set]> { (0..2).map(|_| set(draw, regions)).collect() };
        route.geo = ByArea::new(vec![(Area::Country(country("DE")), to()), (Area::World, to())]);
    }
    if draw.below(2) == 0 {
        let any = |draw: &mut Random| RegionId::new(below(draw, regions));
        route.home = Some(Home {
            from: Box::new([HomeSource::Cookie("home".into())]),
            map: Box::new([("h0".into(), any(draw)), ("h1".into(), any(draw))]),
            verify: None,
            subject: None,
            refuse_unknown: draw.below(4) == 0,
        });
    }
}

/// Whether law lets a request of the scene's client go to `region`: said once more, in other words.
pub(super) fn may(scene: &Scene, region: RegionId) -> bool {
    let classes = &scene.generation.classes;
    let within = |class: &Class| class.regions.holds(region.index());
    let code = scene.client.place.country.as_str().to_owned();
    match &scene.generation.routes.routes()[0].residency {
        Residency::None => true,
        Residency::Always(_) => {
            within(&classes[0]) && !(code == "ZZ" && classes[0].unknown == Some(Unknown::Refuse))
        }
        Residency::Chosen { .. } => {
            let by_place = match code.as_str() {
                "DE" | "NO" => within(&classes[0]),
                "CH" => within(&classes[1]),
                "US" => true,
                // The whole world or all of Europe: either class may hold.
                _ => classes.iter().all(|class| class.unknown == Some(Unknown::Allow)),
            };
            let has_homes = scene.generation.routes.routes()[0].home.is_some();
            let by_home = match scene.client.home {
                Some("h0") => within(&classes[1]),
                Some("h1") if has_homes => true,
                // Nobody knows it, so that it may be h0.
                _ => classes[1].unknown == Some(Unknown::Allow),
            };
            by_place && by_home
        }
    }
}

//! Small generations for the tests, written as lines.

use crate::{Clock, Registry, View};
use nearside_core::generation::{
    Backend, Drain, Endpoint, Fleet, Generation, PinnedSessions, Pool, Region, Stamp,
};
use nearside_core::place::{Country, Place, Position};
use nearside_core::{BackendId, Now, PoolId, RegionId};
use std::sync::Arc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// One pool, `web`. Each word is a backend: `name@region`, then `/tier`, `*weight` and `!` (drained) as needed,
/// and `=host` where it is not an address of its own. Regions stand in order of their names.
pub(crate) fn generation(text: &str) -> Generation {
    let mut regions: Vec<&str> = text.split_whitespace().map(|word| part(word, '@').unwrap()).collect();
    regions.sort_unstable();
    regions.dedup();
    let backends: Vec<Backend> =
        text.split_whitespace().enumerate().map(|(index, word)| backend(index, word, &regions)).collect();
    Generation {
        stamp: Stamp { number: 1, hash: 0 },
        fleet: Fleet::new("test"),
        regions: regions.iter().map(|name| region(name)).collect(),
        pools: Box::new([Pool::new("web", id(0), backends.len())]),
        backends: backends.into(),
        ..Generation::default()
    }
}

/// A registry under the paused clock.
pub(crate) fn registry() -> Registry {
    Registry::new(Clock::starting_at(Now::from_millis(1_700_000_000_000)))
}

pub(crate) fn view(registry: &Registry, text: &str) -> Arc<View> {
    Arc::new(registry.view(&Arc::new(generation(text)), None))
}

pub(crate) fn id(index: usize) -> BackendId {
    BackendId::new(index)
}

fn part(word: &str, mark: char) -> Option<&str> {
    word.split_once(mark).and_then(|(_, rest)| rest.split(['@', '/', '*', '!', '=']).next())
}

fn backend(index: usize, word: &str, regions: &[&str]) -> Backend {
    let name = word.split('@').next().unwrap();
    let region = regions.iter().position(|region| part(word, '@') == Some(region)).unwrap();
    let number = |mark: char, default: u16| part(word, mark).map_or(default, |text| text.parse().unwrap());
    let own = format!("192.0.{}.{}", 2 + index / 250, index % 250 + 1);
    let endpoint = Endpoint { tls: false, host: part(word, '=').unwrap_or(&own).into(), port: 80 };
    Backend {
        priority: u8::try_from(number('/', 1)).unwrap(),
        weight: number('*', 50),
        drain: word.contains('!').then(|| Drain {
            reason: "test".into(),
            by: None,
            until: None,
            grace: SECOND,
            pinned_sessions: PinnedSessions::Move,
        }),
        ..Backend::new((PoolId::new(0), "web"), name, endpoint, RegionId::new(region))
    }
}

fn region(name: &str) -> Region {
    let place = |code: &str, lat, lon| Place {
        position: Position::new(lat, lon),
        ..Place::of(Country::parse(code).unwrap())
    };
    let place = match name {
        "frankfurt" => Some(place("DE", 50.11, 8.68)),
        "virginia" => Some(place("US", 38.9, -77.5)),
        _ => None,
    };
    Region { place, ..Region::new(name) }
}

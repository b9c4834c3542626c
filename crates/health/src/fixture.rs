//! Small generations for the tests, written as lines.

use crate::{Clock, Registry, View};
use nearside_core::generation::{
    Backend, Checks, Drain, Endpoint, Fleet, Gate, Generation, Observe, PinnedSessions, Pool, Region,
    Shutdown, Stamp, Tls,
};
use nearside_core::place::{Country, Place, Position};
use nearside_core::table::Table;
use nearside_core::{BackendId, BackendKey, Now, PoolId, RegionId};
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
        fleet: Fleet { name: "test".into(), key_file: None },
        regions: regions.iter().map(|name| region(name)).collect(),
        pools: Box::new([Pool::new("web", id(0), backends.len())]),
        backends: backends.into(),
        routes: Table::default(),
        listeners: Box::default(),
        tls: Tls::default(),
        shutdown: Shutdown { delay: Duration::ZERO, deadline: SECOND },
        observe: Observe::default(),
        checks: Checks { failover_bound_above: SECOND * 30, failover_bound: Gate::Warn },
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
    Backend {
        key: BackendKey::new("web", name),
        name: name.into(),
        endpoint: Endpoint { tls: false, host: part(word, '=').unwrap_or(&own).into(), port: 80 },
        pool: PoolId::new(0),
        region: RegionId::new(region),
        priority: u8::try_from(number('/', 1)).unwrap(),
        weight: number('*', 50),
        max_in_flight: None,
        drain: word.contains('!').then(|| Drain {
            reason: "test".into(),
            by: None,
            until: None,
            grace: SECOND,
            pinned_sessions: PinnedSessions::Move,
        }),
    }
}

fn region(name: &str) -> Region {
    let place = |code: &str, lat, lon| Place {
        country: Country::parse(code).unwrap(),
        state: None,
        position: Position::new(lat, lon),
    };
    let place = match name {
        "frankfurt" => Some(place("DE", 50.11, 8.68)),
        "virginia" => Some(place("US", 38.9, -77.5)),
        _ => None,
    };
    Region { name: name.into(), place, drain: None }
}

//! Small generations for the tests, written as words.

use nearside_core::generation::{
    Backend, Checks, Drain, Endpoint, Fleet, Gate, Generation, Observe, PinnedSessions, Pool, Region,
    Shutdown, Stamp, Tls,
};
use nearside_core::table::Table;
use nearside_core::{BackendId, BackendKey, PoolId, RegionId};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// One pool per text. Each word is a backend: `name@region`, then `/tier`, `*weight` and `!` (drained) as
/// needed. Regions stand in order of their names.
pub(crate) fn generation(pools: &[&str]) -> Generation {
    let words = || pools.iter().flat_map(|text| text.split_whitespace());
    let mut regions: Vec<&str> = words().map(|word| part(word, '@').unwrap()).collect();
    regions.sort_unstable();
    regions.dedup();
    let mut backends = Vec::new();
    let mut all = Vec::new();
    for (index, text) in pools.iter().enumerate() {
        let first = BackendId::new(backends.len());
        let pool_id = PoolId::new(index);
        backends.extend(text.split_whitespace().map(|word| backend(pool_id, word, &regions)));
        all.push(Pool::new(&index.to_string(), first, backends.len() - first.index()));
    }
    Generation {
        stamp: Stamp { number: 1, hash: 0 },
        fleet: Fleet { name: "test".into(), key_file: None },
        regions: regions
            .iter()
            .map(|name| Region { name: (*name).into(), place: None, drain: None })
            .collect(),
        pools: all.into(),
        backends: backends.into(),
        routes: Table::default(),
        listeners: Box::default(),
        tls: Tls::default(),
        shutdown: Shutdown { delay: Duration::ZERO, deadline: SECOND },
        observe: Observe::default(),
        checks: Checks { failover_bound_above: SECOND * 30, failover_bound: Gate::Warn },
    }
}

fn part(word: &str, mark: char) -> Option<&str> {
    word.split_once(mark).and_then(|(_, rest)| rest.split(['@', '/', '*', '!']).next())
}

fn backend(pool: PoolId, word: &str, regions: &[&str]) -> Backend {
    let name = word.split('@').next().unwrap();
    let region = regions.iter().position(|region| part(word, '@') == Some(region)).unwrap();
    let number = |mark: char, default: u16| part(word, mark).map_or(default, |text| text.parse().unwrap());
    Backend {
        key: BackendKey::new(&pool.index().to_string(), name),
        name: name.into(),
        endpoint: Endpoint { tls: false, host: "192.0.2.1".into(), port: 80 },
        pool,
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

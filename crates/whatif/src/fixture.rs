//! Small generations for the tests, written as words.

use nearside_core::generation::{
    Backend, Drain, Endpoint, Fleet, Generation, PinnedSessions, Pool, Region, Stamp,
};
use nearside_core::{BackendId, PoolId, RegionId};
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
        fleet: Fleet::new("test"),
        regions: regions.iter().map(|name| Region::new(name)).collect(),
        pools: all.into(),
        backends: backends.into(),
        ..Generation::default()
    }
}

fn part(word: &str, mark: char) -> Option<&str> {
    word.split_once(mark).and_then(|(_, rest)| rest.split(['@', '/', '*', '!']).next())
}

fn backend(pool: PoolId, word: &str, regions: &[&str]) -> Backend {
    let name = word.split('@').next().unwrap();
    let region = regions.iter().position(|region| part(word, '@') == Some(region)).unwrap();
    let number = |mark: char, default: u16| part(word, mark).map_or(default, |text| text.parse().unwrap());
    let endpoint = Endpoint { tls: false, host: "192.0.2.1".into(), port: 80 };
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
        ..Backend::new((pool, &pool.index().to_string()), name, endpoint, RegionId::new(region))
    }
}

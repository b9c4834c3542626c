//! Small generations for the tests, written as words.

use nearside_core::generation::{
    Backend, Checks, Drain, Endpoint, Fleet, Gate, Generation, Observe, PinnedSessions, Pool, Region,
    Shutdown, Stamp, Tls,
};
use nearside_core::policy::{
    AllDown, BackendTls, Balance, Connections, Failback, HostHeader, Passive, Probe, ProbeProtocol, Protocol,
    Retry, RetryWhen, Select, Share, Timeouts,
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
        all.push(pool(first, backends.len() - first.index(), index));
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

fn pool(first: BackendId, len: usize, index: usize) -> Pool {
    Pool {
        name: index.to_string().into(),
        first,
        len,
        host_header: HostHeader::Preserve,
        tls: BackendTls::default(),
        probe: Probe {
            protocol: ProbeProtocol::Auto,
            method: "HEAD".into(),
            path: "/".into(),
            host: None,
            port: None,
            headers: Box::default(),
            expect: Box::new([200..=299]),
            expect_body: None,
            interval: SECOND * 5,
            fast_interval: SECOND,
            timeout: SECOND * 2,
            jitter: Share::from_points(1000),
            fall: 3,
            rise: 2,
        },
        passive: Passive {
            consecutive_errors: 5,
            eject_for: SECOND * 10,
            max_ejected: Share::from_points(5000),
        },
        select: Select {
            latency_tolerance: Duration::from_millis(30),
            balance: Balance::P2c,
            failover_below: Share::default(),
            all_down: AllDown::TryAll,
        },
        failback: Failback { hold: SECOND * 60, ramp: SECOND * 300 },
        retry: Retry {
            max: 1,
            when: RetryWhen::default(),
            methods: Box::default(),
            budget_share: Share::from_points(2000),
            budget_min: 10,
            cross_region: true,
            body_buffer: 65_536,
        },
        timeouts: Timeouts {
            connect: SECOND * 2,
            response: SECOND * 30,
            request: None,
            body_idle: SECOND * 30,
            stream_idle: SECOND * 300,
            client_idle: SECOND * 60,
            client_header: SECOND * 10,
        },
        connections: Connections {
            protocol: Protocol::Auto,
            keepalive: SECOND * 55,
            max: 1024,
            max_pending: 1024,
        },
        loop_limit: 4,
    }
}

//! A small generation, and records of it.

use nearside_core::generation::{
    Backend, Checks, Drain, Endpoint, Fleet, Gate, Generation, Observe, PinnedSessions, Pool, Region,
    Shutdown, Stamp, Tls,
};
use nearside_core::host::Pattern;
use nearside_core::method::Methods;
use nearside_core::route::{Action, FieldEdits, Limits, PathPattern, Route};
use nearside_core::table::Table;
use nearside_core::{BackendId, BackendKey, PoolId, Reason, RegionId, RouteId};
use nearside_telemetry::{Asked, Protocol as Spoken, Record, TlsVersion};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

const SECOND: Duration = Duration::from_secs(1);

/// Routes with these ids to one pool, `web`, with one backend per region; a region with `!` is drained.
pub(crate) fn generation(number: u64, routes: &[&str], regions: &[&str]) -> Arc<Generation> {
    let bare = |name: &str| name.trim_end_matches('!').to_owned();
    let region = |name: &&str| Region {
        name: bare(name).into(),
        place: None,
        drain: name.ends_with('!').then(|| Drain {
            reason: "test".into(),
            by: None,
            until: None,
            grace: SECOND,
            pinned_sessions: PinnedSessions::Move,
        }),
    };
    let backends = regions.iter().enumerate().map(|(index, name)| backend(index, &bare(name)));
    Arc::new(Generation {
        stamp: Stamp { number, hash: 0x9f3a_1c02 },
        fleet: Fleet { name: "test".into(), key_file: None },
        regions: regions.iter().map(region).collect(),
        pools: Box::new([Pool::new("web", BackendId::new(0), regions.len())]),
        backends: backends.collect(),
        routes: Table::new(routes.iter().map(|id| route(id)).collect()),
        listeners: Box::default(),
        tls: Tls::default(),
        shutdown: Shutdown { delay: Duration::ZERO, deadline: SECOND },
        observe: Observe::default(),
        checks: Checks { failover_bound_above: SECOND * 30, failover_bound: Gate::Warn },
    })
}

/// A request for the first route, answered by the first backend in 1.5 ms.
pub(crate) fn record(generation: &Arc<Generation>) -> Record {
    Record {
        time: UNIX_EPOCH + Duration::from_millis(1_790_000_000_123),
        asked: Asked::new("5f3a", b"GET", b"www.example.com", b"/a/b?token=secret"),
        client: "192.0.2.7".parse().unwrap(),
        protocol: Spoken::Http2,
        tls: Some(TlsVersion::V13),
        generation: Arc::clone(generation),
        route: Some(RouteId::new(0)),
        backend: Some(BackendId::new(0)),
        reason: Some(Reason::WonLatency),
        status: Some(200),
        tries: 1,
        total: Duration::from_micros(1500),
        connect: None,
        first_byte: Some(Duration::from_micros(1200)),
        bytes_in: 10,
        bytes_out: 2000,
    }
}

fn route(id: &str) -> Route {
    Route {
        id: id.into(),
        hosts: Box::new([Pattern::Any]),
        path: PathPattern::Prefix("".into()),
        methods: Methods::Any,
        action: Action::Forward(PoolId::new(0)),
        to_client: FieldEdits::default(),
        to_backend: FieldEdits::default(),
        strip_prefix: None,
        websocket: false,
        limits: Limits { body: None, headers: 65_536, url: 8192, concurrency: None },
    }
}

fn backend(index: usize, region: &str) -> Backend {
    let name = format!("{region}-a");
    Backend {
        key: BackendKey::new("web", &name),
        name: name.into(),
        endpoint: Endpoint { tls: false, host: "192.0.2.1".into(), port: 80 },
        pool: PoolId::new(0),
        region: RegionId::new(index),
        priority: 1,
        weight: 50,
        max_in_flight: None,
        drain: None,
    }
}

//! A small generation, and records of it.

use nearside_core::generation::{
    Backend, Drain, Endpoint, Fleet, Generation, PinnedSessions, Pool, Region, Stamp,
};
use nearside_core::host::Pattern;
use nearside_core::route::Route;
use nearside_core::table::Table;
use nearside_core::{BackendId, PoolId, Reason, RegionId, RouteId};
use nearside_telemetry::trace::TraceId;
use nearside_telemetry::{Asked, Protocol as Spoken, Record, TlsVersion};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

const SECOND: Duration = Duration::from_secs(1);

/// Routes with these ids to one pool, `web`, with one backend per region; a region with `!` is drained.
pub(crate) fn generation(number: u64, routes: &[&str], regions: &[&str]) -> Arc<Generation> {
    let bare = |name: &str| name.trim_end_matches('!').to_owned();
    let region = |name: &&str| Region {
        drain: name.ends_with('!').then(|| Drain {
            reason: "test".into(),
            by: None,
            until: None,
            grace: SECOND,
            pinned_sessions: PinnedSessions::Move,
        }),
        ..Region::new(&bare(name))
    };
    let backends = regions.iter().enumerate().map(|(index, name)| backend(index, &bare(name)));
    Arc::new(Generation {
        stamp: Stamp { number, hash: 0x9f3a_1c02 },
        fleet: Fleet::new("test"),
        regions: regions.iter().map(region).collect(),
        pools: Box::new([Pool::new("web", BackendId::new(0), regions.len())]),
        backends: backends.collect(),
        routes: Table::new(routes.iter().map(|id| route(id)).collect()),
        ..Generation::default()
    })
}

/// A request for the first route, answered by the first backend in 1.5 ms.
pub(crate) fn record(generation: &Arc<Generation>) -> Record<'static> {
    Record {
        time: UNIX_EPOCH + Duration::from_millis(1_790_000_000_123),
        asked: Asked::new("5f3a", b"GET", b"www.example.com", b"/a/b?token=secret"),
        words: None,
        client: "192.0.2.7".parse().unwrap(),
        peer: "192.0.2.7".parse().unwrap(),
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
        trace: TraceId(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736),
    }
}

fn route(id: &str) -> Route {
    Route::new(id, Pattern::Any, PoolId::new(0))
}

fn backend(index: usize, region: &str) -> Backend {
    let endpoint = Endpoint { tls: false, host: "192.0.2.1".into(), port: 80 };
    Backend::new((PoolId::new(0), "web"), &format!("{region}-a"), endpoint, RegionId::new(index))
}

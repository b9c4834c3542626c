//! What every scrape asks for: the backends, the regions and the certificates as they are.

use nearside_core::{BackendId, Evidence, RegionId};
use nearside_health::BackendStatus;
use nearside_proxy::live::{Edge, Live};
use nearside_telemetry::{BackendSample, RegionSample, Samples};
use std::sync::{Arc, Weak};

/// Lets every scrape see them.
pub(crate) fn sample(edge: &Arc<Edge>) {
    let weak: Weak<Edge> = Arc::downgrade(edge);
    edge.metrics.sample(move || weak.upgrade().map_or_else(Samples::default, |edge| samples(&edge)));
}

fn samples(edge: &Edge) -> Samples {
    let live = edge.live.load_full();
    let known = live.evidence.snapshot();
    let held = live.certificates.held().iter();
    Samples {
        certificates: held.map(|one| (one.file.display().to_string().into(), one.not_after)).collect(),
        regions: regions(&live, &known),
        backends: backends(edge, &live, known),
    }
}

fn backends(edge: &Edge, live: &Live, known: Vec<BackendStatus>) -> Vec<BackendSample> {
    let (generation, now) = (&live.generation, live.evidence.now());
    let each = known.into_iter().zip(&generation.backends).enumerate();
    each.map(|(index, (status, backend))| {
        let state = live.evidence.state(BackendId::new(index), now);
        BackendSample {
            pool: generation.pool(backend.pool).map(|pool| Arc::clone(&pool.name)).unwrap_or_default(),
            backend: Arc::clone(&backend.name),
            region: generation
                .region(backend.region)
                .map(|region| Arc::clone(&region.name))
                .unwrap_or_default(),
            verdict: state.verdict,
            ejected: state.ejected,
            in_flight: state.in_flight,
            connections: status.connections,
            idle: u32::try_from(edge.reserves.idle(&backend.key)).unwrap_or(u32::MAX),
            rtt_micros: state.rtt_micros,
            trips: live
                .evidence
                .cell(BackendId::new(index))
                .map(|cell| cell.trips().read())
                .unwrap_or_default(),
            probes_ok: status.probes_passed,
            probes_failed: status.probes_failed,
        }
    })
    .collect()
}

fn regions(live: &Live, known: &[BackendStatus]) -> Vec<RegionSample> {
    let pops = u64::from(live.generation.fleet.pops.max(1));
    let each = live.generation.regions.iter().enumerate();
    each.map(|(index, region)| {
        let own = || known.iter().filter(|backend| backend.region == *region.name);
        RegionSample {
            region: Arc::clone(&region.name),
            in_flight: own().map(|backend| backend.in_flight).sum(),
            usable: own().filter(|backend| backend.usable).count() as u64,
            offered: live.evidence.rate(RegionId::new(index)),
            capacity: region.capacity.map(|capacity| capacity / pops),
        }
    })
    .collect()
}

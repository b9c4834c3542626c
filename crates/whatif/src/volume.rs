//! How many probes the backends get.

use nearside_core::{BackendId, Generation};
use std::time::Duration;

/// Probes per second from one PoP; a fleet sends that many times its number of PoPs.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeVolume {
    /// Per backend, in declared order.
    pub backends: Vec<(BackendId, Rate)>,
    /// To all of them.
    pub total: Rate,
}

/// Probes per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rate {
    /// While the verdict stands.
    pub steady: f64,
    /// From a first surprise until the verdict.
    pub looking: f64,
}

/// The probes that `generation` asks for. Standby tiers and drained backends are probed like the first.
#[must_use]
pub fn probe_volume(generation: &Generation) -> ProbeVolume {
    let backends: Vec<_> = (0..).map(BackendId::new).zip(&generation.backends).collect();
    let backends: Vec<_> = backends
        .into_iter()
        .filter_map(|(id, backend)| {
            let probe = &generation.pool(backend.pool)?.probe;
            let rate = Rate { steady: per_second(probe.interval), looking: per_second(probe.fast_interval) };
            Some((id, rate))
        })
        .collect();
    let total = backends.iter().fold(Rate::default(), |sum, (_, rate)| Rate {
        steady: sum.steady + rate.steady,
        looking: sum.looking + rate.looking,
    });
    ProbeVolume { backends, total }
}

fn per_second(interval: Duration) -> f64 {
    if interval.is_zero() { 0.0 } else { interval.as_secs_f64().recip() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::generation;

    #[test]
    fn every_backend_counts_by_its_pools_interval() {
        let mut generation = generation(&["a@x b@y/2", "c@x!"]);
        generation.pools[1].probe.interval = Duration::from_millis(500);
        let volume = probe_volume(&generation);
        let steady: Vec<f64> = volume.backends.iter().map(|(_, rate)| rate.steady).collect();
        assert_eq!(steady, [0.2, 0.2, 2.0]);
        assert!((volume.total.steady - 2.4).abs() < 1e-9 && (volume.total.looking - 3.0).abs() < 1e-9);
    }
}

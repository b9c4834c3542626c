//! The making of what is live: from a file that passed the gates to one `Live`, built aside.

use crate::gates::Passed;
use nearside_core::generation::Stamp;
use nearside_health::Registry;
use nearside_proxy::live::{Live, Pop, Prepared};
use nearside_telemetry::Metrics;
use nearside_tls::Identity;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// What outlives generations.
#[derive(Clone, Debug)]
pub(crate) struct Maker {
    /// This PoP.
    pub(crate) pop: Pop,
    /// The evidence.
    pub(crate) registry: Arc<Registry>,
    /// The counters.
    pub(crate) metrics: Arc<Metrics>,
}

impl Maker {
    /// The generation after the one with `number`.
    pub(crate) fn next(&self, passed: Passed, number: u64) -> Live {
        let hash = hash(&passed);
        let Passed { mut generation, certificates, backend_tls, geo, .. } = passed;
        generation.stamp = Stamp { number: number + 1, hash };
        let generation = Arc::new(generation);
        let position = self.pop.place.as_ref().and_then(|place| place.position);
        Live {
            geo: Arc::new(geo),
            certificates: Arc::new(certificates),
            backend_tls: Arc::new(backend_tls),
            evidence: Arc::new(self.registry.view(&generation, position)),
            cells: Arc::new(self.metrics.cells(&generation)),
            prepared: Prepared::new(&generation, &self.pop.name),
            generation,
        }
    }
}

/// What the file, its certificates and its geo tables come to, equal on every PoP that has the same: 32 bits of
/// SHA-256.
pub(crate) fn hash(passed: &Passed) -> u32 {
    let tables = passed.geo.files().map(|file| {
        let built = file.built.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        format!("{} {built} {}\n", file.kind, file.networks)
    });
    fingerprint(passed.source.text(), passed.certificates.identity(), &tables.collect::<String>())
}

fn fingerprint(text: &str, certificates: Identity, tables: &str) -> u32 {
    let mut digest = Sha256::new();
    digest.update(text.as_bytes());
    digest.update(certificates.as_bytes());
    digest.update(tables.as_bytes());
    digest.finalize().iter().take(4).fold(0, |hash, byte| (hash << 8) | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_certificates_and_tables_count() {
        let (one, other) = (Identity::of(["one"]), Identity::of(["other"]));
        assert_eq!(fingerprint("text", one, "a"), fingerprint("text", one, "a"));
        assert_ne!(fingerprint("text", one, "a"), fingerprint("text", other, "a"));
        assert_ne!(fingerprint("text", one, "a"), fingerprint("texts", one, "a"));
        assert_ne!(fingerprint("text", one, "a"), fingerprint("text", one, "b"));
    }
}

//! The making of what is live: from a file that passed the gates to one `Live`, built aside.

use crate::gates::Passed;
use nearside_core::generation::Stamp;
use nearside_health::Registry;
use nearside_proxy::claims::{Beliefs, SEAL};
use nearside_proxy::live::{Live, Pop, Prepared};
use nearside_telemetry::Metrics;
use nearside_tls::Identity;
use sha2::{Digest, Sha256};
use std::sync::Arc;

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
        let Passed { mut generation, certificates, backend_tls, geo, homes, pass, .. } = passed;
        generation.stamp = Stamp { number: number + 1, hash };
        let generation = Arc::new(generation);
        let beliefs = Beliefs::new(&generation, certificates.seal(SEAL), homes);
        let position = self.pop.place.as_ref().and_then(|place| place.position);
        Live {
            geo: Arc::new(geo),
            certificates: Arc::new(certificates),
            backend_tls: Arc::new(backend_tls),
            evidence: Arc::new(self.registry.view(&generation, position)),
            cells: Arc::new(self.metrics.cells(&generation)),
            beliefs,
            pass,
            prepared: Prepared::new(&generation, &self.pop.name),
            generation,
        }
    }
}

/// What the file, its certificates, the keys of homes and its geo tables come to, equal on every PoP that has the same:
/// 32 bits of SHA-256.
pub(crate) fn hash(passed: &Passed) -> u32 {
    let keys = [passed.certificates.identity(), passed.homes.identity()];
    fingerprint(passed.source.digest(), keys, passed.geo.files().map(|file| file.digest))
}

fn fingerprint<'a>(
    text: &[u8; 32],
    keys: [Identity; 2],
    tables: impl IntoIterator<Item = &'a [u8; 32]>,
) -> u32 {
    let mut digest = Sha256::new();
    digest.update(text);
    keys.iter().for_each(|keys| digest.update(keys.as_bytes()));
    tables.into_iter().for_each(|table| digest.update(table));
    digest.finalize().iter().take(4).fold(0, |hash, byte| (hash << 8) | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_certificates_keys_and_tables_count() {
        let (one, other) = (Identity::of(["one"]), Identity::of(["other"]));
        let (table, next, text) = ([1; 32], [2; 32], [3; 32]);
        let whole = fingerprint(&text, [one, other], [&table]);
        assert_eq!(fingerprint(&text, [one, other], [&table]), whole);
        assert_ne!(fingerprint(&text, [other, other], [&table]), whole);
        assert_ne!(fingerprint(&text, [one, one], [&table]), whole);
        assert_ne!(fingerprint(&[4; 32], [one, other], [&table]), whole);
        assert_ne!(fingerprint(&text, [one, other], [&next]), whole);
        assert_ne!(fingerprint(&text, [one, other], [&table, &next]), whole);
    }
}

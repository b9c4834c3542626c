//! What is live now: built aside, swapped whole.

use crate::claims::Beliefs;
use crate::dial::{Dial, Memory};
use crate::headers::Templates;
use crate::pool::Reserves;
use crate::service::Strain;
use arc_swap::ArcSwap;
use nearside_core::generation::ListenerKind;
use nearside_core::place::Place;
use nearside_core::{BackendId, Generation};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One generation and everything that was made from it. A request loads it once and keeps it to its log line.
#[derive(Debug)]
pub struct Live {
    /// What the file says.
    pub generation: Arc<Generation>,
    /// Which place an address is in.
    pub geo: Arc<nearside_geo::Tables>,
    /// Which certificate a name gets.
    pub certificates: Arc<nearside_tls::Table>,
    /// TLS towards the backends, by pool.
    pub backend_tls: Arc<nearside_tls::ClientTable>,
    /// What is known of the backends.
    pub evidence: Arc<nearside_health::View>,
    /// Where this generation's requests are counted.
    pub cells: Arc<nearside_telemetry::Cells>,
    /// What is believed of what requests say of themselves.
    pub beliefs: Beliefs,
    /// What opens the admin interface at its TCP address, where that asks for something.
    pub pass: Option<nearside_tls::Pass>,
    /// What was written out once.
    pub prepared: Prepared,
}

/// Texts that requests would otherwise make.
#[derive(Debug)]
pub struct Prepared {
    /// The generation's stamp as text.
    pub stamp: Box<str>,
    /// The port of the first TLS listener: where redirects to HTTPS lead.
    pub https_port: Option<u16>,
    authorities: Box<[Box<str>]>,
    pub(crate) templates: Templates,
}

impl Prepared {
    /// What `generation` needs at the PoP of this name.
    #[must_use]
    pub fn new(generation: &Generation, pop: &str) -> Self {
        Self {
            stamp: generation.stamp.to_string().into(),
            templates: Templates::new(generation, pop),
            https_port: generation
                .listeners
                .iter()
                .find(|listener| matches!(listener.kind, ListenerKind::Tls { .. }))
                .map(|listener| listener.bind.port()),
            authorities: generation
                .backends
                .iter()
                .map(|backend| backend.endpoint.authority().into())
                .collect(),
        }
    }

    /// The backend's own `Host`.
    #[must_use]
    pub fn authority(&self, backend: BackendId) -> &str {
        self.authorities.get(backend.index()).map_or("", |text| text)
    }
}

/// This PoP.
#[derive(Clone, Debug)]
pub struct Pop {
    /// Its name.
    pub name: Box<str>,
    /// Where it stands.
    pub place: Option<Place>,
}

/// What all workers share.
#[derive(Debug)]
pub struct Edge {
    /// The one thing that is swapped.
    pub live: ArcSwap<Live>,
    /// This PoP.
    pub pop: Pop,
    /// How backends are reached.
    pub dial: Arc<dyn Dial>,
    /// Which of their addresses did not answer of late.
    pub memory: Memory,
    /// What the workers share of the connections to them.
    pub reserves: Arc<Reserves>,
    /// Where every request leaves its line.
    pub access: nearside_telemetry::AccessLog,
    /// Whether there is more to do than can be done.
    pub strain: Strain,
    /// What is counted.
    pub metrics: Arc<nearside_telemetry::Metrics>,
    /// Mixed into refs and seeds, so that two runs never share any.
    pub salt: u64,
    /// Counts requests, for refs and seeds.
    pub serial: AtomicU64,
}

impl Edge {
    /// What backends are dialled with.
    pub(crate) fn dialler(&self) -> (&dyn Dial, &Memory) {
        (&*self.dial, &self.memory)
    }

    /// A number for the next request: its ref and its seed.
    #[must_use]
    pub fn next(&self) -> u64 {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        nearside_core::random::Random::new(self.salt ^ serial.wrapping_mul(0xD1B5_4A32_D192_ED03)).draw()
    }
}

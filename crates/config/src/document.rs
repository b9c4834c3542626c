//! The document: `routes.yaml` as its keys, each with its documentation, shape and default.
//!
//! These definitions are the only table of keys. The check, the defaults, `--effective`,
//! `docs/CONFIGURATION.md` and `docs/routes.schema.json` are all made from them.

mod entrance;
mod law;
mod policy;
mod pool;
mod region;
mod route;
mod session;
mod tracing;

pub(crate) use entrance::{
    AccessLog, CertificateEntry, Checks, ClientIp, ClientLimits, Listener, LogPath, Observe, Profile,
    Redacted, Shutdown, Tls, TlsProtocol,
};
pub(crate) use law::{Class, Geo, GeoRule, Residency, ResidencyRule};
pub(crate) use policy::{Defaults, Probe, Retry, RetryCause, Timeouts};
pub(crate) use pool::{Backend, BackendTls, HostHeader, Pool, Pools};
pub(crate) use region::{Drain, Place, Region};
pub(crate) use route::{FieldEdits, MethodList, Route, Upgrade};
pub(crate) use session::{Affinity, Home, HomeKey, UnknownHome};
pub(crate) use tracing::Tracing;

use crate::scalar::{FleetName, Int, Name, Version};
use crate::shape::{Names, Some1, document};
use std::path::PathBuf;

document! {
    entry
    /// The whole file.
    Document {
        /// The version of this language. Always `1`.
        version: Version,
        /// What all PoPs of the service share.
        fleet: Fleet = Fleet::default(),
        /// The regions by name: units of failure, capacity, jurisdiction and drain.
        regions: Names<Name, Region> = Names::default(),
        /// What is known of where addresses are.
        geo: Geo = Geo::default(),
        /// The residency classes by name.
        residency: Names<Name, Class> = Names::default(),
        /// The policy of every pool; each pool may override any of it.
        defaults: Defaults = Defaults::default(),
        /// The pools by name: backends that serve the same thing.
        pools: Pools = Pools::default(),
        /// The routes. Their order does not matter: the most specific wins.
        routes: Some1<Route>,
        /// Where clients connect. A change here needs `nearside upgrade`; a reload refuses it and says so.
        listeners: Some1<Listener> = Listener::usual(),
        /// What is taken of clients at most, whatever the route.
        limits: ClientLimits = ClientLimits::default(),
        /// Certificates towards clients, and the versions of TLS.
        tls: Tls = Tls::default(),
        /// How the process ends.
        shutdown: Shutdown = Shutdown::default(),
        /// How the process is watched.
        observe: Observe = Observe::default(),
        /// What is checked when the file is loaded, and how strictly.
        checks: Checks = Checks::default(),
    }
}

document! {
    settings
    /// What all PoPs of the service share.
    Fleet {
        /// The name of the service, also in `CDN-Loop`.
        name: FleetName = FleetName("nearside".into()),
        /// A file with the keys of the fleet, one a line: the first signs, all verify; the keys of TLS tickets
        /// and of affinity cookies derive from it. By default a random key is kept in the state folder.
        key_file: Option<PathBuf> = None,
        /// How many PoPs share the capacity of each region.
        pops: Int<1, 65_536> = Int(1),
    }
}

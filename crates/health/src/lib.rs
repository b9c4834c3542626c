//! Evidence: what this PoP knows of its backends, and how it comes to know it.
//!
//! A [`Registry`] keeps one [`Cell`] per backend under its key, so that evidence outlives generations. A [`View`]
//! is the registry as one generation indexes it; decisions read it, requests report to it. A [`Scheduler`] owns
//! the tasks that probe backends and resolve their names. Probes go out through a [`Prober`] that the proxy
//! implements, so that they use the connections' own TLS.
//!
//! Probes and names go through pingora-load-balancing's `HealthCheck`, `ServiceDiscovery` and `Backend`. Its
//! registry and its check loop are not used: they know neither round trips nor jitter, call a backend healthy
//! before anyone asked it, and lose its health when its weight changes.

mod cell;
mod change;
mod check;
mod clock;
mod count;
mod floor;
mod judge;
mod mark;
mod marks;
mod meter;
mod name;
mod pace;
mod pool;
mod probe;
mod registry;
mod rtt;
mod scheduler;
mod status;
mod suspect;
mod system;
mod trips;
mod view;

#[cfg(test)]
mod fixture;

pub use cell::{Cell, Fault, Memory};
pub use change::{By, Change, Figures, Standing};
pub use clock::Clock;
pub use count::{Count, InFlight};
pub use floor::Tier;
pub use mark::Mark;
pub use name::{Answer, Resolver, Unresolved};
pub use pace::LEAST;
pub use pool::{Place, PoolCell};
pub use probe::{Outcome, Prober, Target};
pub use registry::Registry;
pub use scheduler::Scheduler;
pub use status::BackendStatus;
pub use system::SystemResolver;
pub use trips::Trips;
pub use view::{ForRequest, View};

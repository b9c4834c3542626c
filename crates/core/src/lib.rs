//! Decides, from an input, what happens to a request, and says why when asked.
//!
//! Everything hangs on one line: [`decide()`] takes the facts of a request, a [`Generation`], the [`Evidence`]
//! about its backends, a time and a seed, and returns a [`Choice`]. The proxy, `explain`, `simulate` and the
//! property tests call this one function. This crate has no I/O, no clock, no randomness, no async, no serde
//! and no logging: what it has to say is in the [`Trace`].

pub mod candidates;
pub mod decide;
pub mod evidence;
pub mod explained;
pub mod facts;
pub mod generation;
pub mod hex;
pub mod home;
pub mod host;
pub mod id;
pub mod method;
pub mod path;
pub mod pin;
pub mod place;
pub mod policy;
pub mod random;
pub mod reason;
pub mod residency;
pub mod route;
mod seen;
mod stage;
pub mod table;
pub mod time;
pub mod trace;
pub mod tried;

pub use decide::{Choice, Input, Plan, decide};
pub use evidence::{Evidence, State, Verdict};
pub use facts::Facts;
pub use generation::Generation;
pub use host::Host;
pub use id::{BackendId, BackendKey, ClassId, PoolId, RegionId, RouteId};
pub use pin::{Pin, Target};
pub use place::Place;
pub use reason::Reason;
pub use route::Route;
pub use time::Now;
pub use trace::{FullTrace, Step, Trace};
pub use tried::{Failure, Tried};

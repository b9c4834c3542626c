//! Answers questions about a generation before traffic does: what serves a pool when a region is lost or
//! drained, how long a failover takes at worst, how many probes a backend gets, whether a request can leave its
//! residency class.
//!
//! Where traffic would go is asked of [`nearside_core::decide()`], the function that serves it.

mod bound;
mod prove;
mod serving;
mod volume;

#[cfg(test)]
mod fixture;

pub use bound::{Bound, failover_bound};
pub use prove::{Dark, Decide, Hole, Proof, World, dark, prove, prove_with};
pub use serving::{Loss, Part, Serving, drained, region_loss, serving};
pub use volume::{ProbeVolume, Rate, probe_volume};

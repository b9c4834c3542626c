//! Answers questions about a generation before traffic does: what serves a pool when a region is lost, where traffic
//! shifts and whether what is left can carry it, how long a failover takes at worst, how many probes a backend gets,
//! whether a request can leave its residency class.
//!
//! Where traffic would go is asked of [`nearside_core::decide()`], the function that serves it.

mod bound;
mod demand;
mod given;
mod kinds;
mod prove;
mod scene;
mod serving;
mod shift;
mod volume;

#[cfg(test)]
mod fixture;

pub use bound::{Bound, failover_bound};
pub use demand::{Demand, Origin};
pub use given::Given;
pub use prove::{AT_ONCE, Dark, Decide, Hole, Proof, World, dark, prove, prove_with};
pub use scene::{Entrance, Scene, mark};
pub use serving::{Loss, Part, Serving, region_loss, serving};
pub use shift::{Carried, Load, Overload, PlaceShift, RegionShift, Shift, Unserved, overloads};
pub use volume::{ProbeVolume, Rate, probe_volume};

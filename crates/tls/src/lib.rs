//! Knows which certificate a name gets; holds the rustls configurations of a generation.
//!
//! [`Table`] answers clients: by the name they ask for, at the listener they reach. [`ClientTable`] dials
//! backends. [`Seal`] signs for the fleet what clients carry, and [`Homes`] verifies what others have signed. [`Pass`]
//! opens the admin interface. All are
//! built aside, report every problem at once, and never change afterwards.

mod authority;
mod class;
mod client;
mod clock;
mod collector;
mod file;
mod homes;
mod identity;
mod keys;
mod names;
mod pair;
mod pass;
mod pem;
mod problem;
mod provider;
mod seal;
mod signed;
mod sources;
mod table;
mod ticket;
mod token;
mod trust;
mod verifier;
mod watched;

pub use client::{Client, ClientTable};
pub use clock::Clock;
pub use collector::collector;
pub use homes::{Doubt, Homes};
pub use identity::Identity;
pub use keys::Keys;
pub use pass::{Pass, SESSION};
pub use problem::{Problem, Warning};
pub use seal::Seal;
pub use table::{Held, Table, UNRECOGNIZED_NAME, Wanted};
pub use watched::watched;

//! Knows which place an address is in.

mod against;
mod diff;
mod embedded;
mod error;
mod file;
mod mmdb;
mod network;
mod overrides;
mod record;
mod table;
mod tables;
mod tree;
mod value;

pub use diff::{Change, Changes, Moved, Summary, diff};
pub use error::{Damage, Error};
pub use file::sum_path;
pub use tables::{File, Found, Source, Spec, Tables};

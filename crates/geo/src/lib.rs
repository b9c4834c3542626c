//! Knows which place an address is in.

mod tables;

pub use tables::{Error, Tables};

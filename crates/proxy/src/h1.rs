//! HTTP/1 on both sides: clients' connections, and connections to backends.

mod body;
mod client;
mod conn;
mod low_water;
mod serve;
mod upstream;

#[cfg(test)]
mod tests;

pub use client::Downstream;
pub use serve::serve;
pub(crate) use upstream::INTERIM;
pub use upstream::Upstream;

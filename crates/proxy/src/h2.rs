//! HTTP/2, to clients and to backends: how does one connection carry many exchanges?
//!
//! Framing, HPACK and flow control are the `h2` crate's. Under it lies a cork, so that all streams that are
//! ready leave in one send, with a shim that counts what the crate does not limit.
//!
//! What an idle connection keeps is the crate's: 16 KiB to write, 8 KiB to read and HPACK's tables, of which none
//! can be configured. Of ours there are about 2 KiB in all, and no buffer.

mod body;
mod client;
mod connection;
mod cork;
mod frames;
mod head;
mod serve;
mod shim;
mod upstream;

#[cfg(test)]
mod tests;

pub use client::Stream;
pub use connection::{Connection, connect};
pub use serve::serve;
pub use upstream::Upstream;

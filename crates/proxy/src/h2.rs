//! HTTP/2, to clients and to backends: how does one connection carry many exchanges?
//!
//! Towards clients the frames are ours: a task of the connection reads them and sends what the tasks of its streams have
//! written meanwhile, all in one write. What an idle connection keeps is HPACK's tables as far as they are filled, and about
//! 1 KiB; no buffer.
//!
//! Towards backends framing, HPACK and flow control are the `h2` crate's, over a cork, so that all streams that are ready
//! leave in one send, with a shim that counts what the crate does not limit.

mod block;
mod body;
mod budget;
mod client;
mod connection;
mod cork;
mod frames;
mod head;
mod hub;
mod inbound;
mod limits;
mod outbox;
mod refusal;
mod sending;
mod serve;
mod shim;
mod slots;
mod upstream;
mod window;
mod wire;

#[cfg(test)]
mod tests;

pub use client::Stream;
pub use connection::{Connection, connect};
pub use serve::serve;
pub use upstream::Upstream;

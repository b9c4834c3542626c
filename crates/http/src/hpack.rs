//! HPACK: how are fields packed on an HTTP/2 connection, and unpacked again (RFC 7541)?
//!
//! Each direction has a table of fields that were sent before. What is read fills it as the peer likes, within 4 KiB; what is
//! written puts in only fields whose values return, and never one that could be a secret.

mod decode;
mod encode;
mod huffman;
mod integer;
mod memory;
mod table;

pub use decode::{Decoder, Fault, MOST};
pub use encode::Encoder;

/// What the table of each direction may hold before SETTINGS say otherwise; we never say otherwise.
pub const TABLE: usize = 4096;

#[cfg(test)]
mod tests;

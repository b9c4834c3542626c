//! What clients and backends speak, end to end: real sockets, real certificates, clients that we did not write.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod announced;
mod bodies;
mod certificates;
mod clients;
mod drain;
mod grpc;
mod heads;
mod setting;
mod sockets;
mod streams;
mod untouched;
mod upgrades;
mod websocket;

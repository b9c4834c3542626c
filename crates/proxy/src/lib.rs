//! The engine: carries each request from its connection to a backend's and the answer back.
//!
//! One accept loop per worker thread, each worker with its own runtime and its own idle connections. A
//! connection's task reads requests; [`exchange`] drives one request and its answer, whatever the protocol on
//! either side, through the two traits of [`side`].

mod boxed;
pub mod claims;
mod client_ip;
mod congestion;
pub mod connection;
mod deadline;
pub mod dial;
pub mod exchange;
pub mod h1;
pub mod h2;
pub mod headers;
mod inbox;
pub mod io;
pub mod live;
pub mod page;
pub mod pool;
pub mod private;
pub mod prober;
mod refused;
pub mod request;
mod room;
mod round_trip;
pub mod secured;
pub mod service;
pub mod side;
mod socket;
pub mod stock;
pub mod supposed;
mod trace;
mod websocket;
pub mod worker;

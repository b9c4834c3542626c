//! The hand-over: a process leaves its sockets and what it knows to the next one, and serves on until that one is ready.
//!
//! The running process starts the program on disk with its own arguments. The two speak over a socket pair, which is
//! the new one's standard input. The old one sends its listening sockets and what it knows of the backends (`Legacy`); the
//! new one says when it could begin, or why it never will. The old one lets it begin, hears that it accepts, and closes:
//! both accept from the same sockets for a moment, and nobody is turned away. Until it has let the new one begin it can
//! take everything back, and no client has noticed anything.

mod keeper;
mod predecessor;
mod successor;
mod wire;

pub(crate) use keeper::Family;
pub(crate) use predecessor::{Met, Predecessor};
pub(crate) use successor::{Program, Succession};

use nearside_health::Memory;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::net::SocketAddr;

/// Which conversation this is. A program that holds another one says so, and is not upgraded to.
const PROTOCOL: u32 = 1;

/// What the old process says first. The descriptors follow: its standard error, the admin interface's Unix socket, its
/// TCP socket where there is one, and the listeners' sockets.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Legacy {
    protocol: u32,
    /// Its process.
    pub(crate) pid: u32,
    /// Whether a process further up stays for those who watch the one that they started.
    pub(crate) is_kept: bool,
    /// The number of its generation.
    pub(crate) generation: u64,
    listeners: Vec<SocketAddr>,
    admin: Option<SocketAddr>,
    /// Since when regions are marked drained, in milliseconds since the Unix epoch.
    pub(crate) marks: HashMap<String, u64>,
    /// What it knows of the backends.
    #[serde(default)]
    pub(crate) memories: Vec<Memory>,
}

/// What the new process answers.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    /// It could begin.
    Ready,
    /// It accepts.
    Serving(Serving),
    /// It ends, for this reason.
    Failed(String),
}

/// A process that has taken over.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Serving {
    /// Its process.
    pub(crate) pid: u32,
    /// Its version.
    pub(crate) version: String,
    /// What it serves.
    pub(crate) generation: String,
    /// Where it accepts, as its file names it.
    listeners: Vec<SocketAddr>,
}

/// What the old process says when it lets the new one begin, and again and again once that one serves: the new one
/// speaks for both.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Rest {
    /// What it still has in flight, by backend.
    pub(crate) in_flight: HashMap<String, u32>,
}

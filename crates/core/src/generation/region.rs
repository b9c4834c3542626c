//! Regions, the operator's mark, and what is known of places.

use super::Cidr;
use crate::place::{Country, Place};
use crate::random::salt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What is known of where addresses are.
#[derive(Clone, Debug, PartialEq)]
pub struct Geo {
    /// Tables in MaxMind's format; none is the table that is built in.
    pub tables: Box<[PathBuf]>,
    /// Networks whose place is known better.
    pub overrides: Box<[(Cidr, Place)]>,
    /// What a new table has to say.
    pub canaries: Box<[(IpAddr, Country)]>,
    /// How old a table may be before it is warned of.
    pub max_age: Duration,
}

impl Default for Geo {
    fn default() -> Self {
        Self {
            tables: Box::default(),
            overrides: Box::default(),
            canaries: Box::default(),
            max_age: Duration::from_secs(45 * 86_400),
        }
    }
}

/// A unit of failure, capacity, jurisdiction and drain.
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    /// Its name.
    pub name: Arc<str>,
    /// Where it stands.
    pub place: Option<Place>,
    /// The jurisdictions that it is under.
    pub jurisdictions: Box<[Arc<str>]>,
    /// The requests a second that it can carry, for all PoPs; `None` is unknown.
    pub capacity: Option<u64>,
    /// The operator's mark.
    pub drain: Option<Drain>,
    /// A number that stands for its name.
    pub salt: u64,
}

impl Region {
    /// A region of which nothing is declared.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            place: None,
            jurisdictions: Box::default(),
            capacity: None,
            drain: None,
            salt: salt(name),
        }
    }
}

/// The operator's mark on a region or a backend.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Drain {
    /// Why.
    pub reason: Box<str>,
    /// Who.
    pub by: Option<Box<str>>,
    /// A reminder, as RFC 3339 text; it ends nothing.
    pub until: Option<Box<str>>,
    /// How long pinned sessions and open streams may go on.
    pub grace: Duration,
    /// What happens to pinned sessions.
    pub pinned_sessions: PinnedSessions,
}

/// What happens to pinned sessions of a drained region.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PinnedSessions {
    /// They move at once.
    #[default]
    Move,
    /// They stay until grace ends.
    HonourUntilGrace,
}

//! Which certificate a name gets: its own, then the wildcard for its one first label (RFC 9525 section 6.3).

use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Names to the index of a certificate.
#[derive(Debug, Default)]
pub(crate) struct Names {
    exact: HashMap<Box<str>, usize, RandomState>,
    /// By what follows `*.`.
    below: HashMap<Box<str>, usize, RandomState>,
}

impl Names {
    /// Gives `name` to `certificate`; the one that has it already, if there is one.
    pub(crate) fn add(&mut self, name: &str, certificate: usize) -> Result<(), usize> {
        let (map, name) = match name.strip_prefix("*.") {
            Some(rest) => (&mut self.below, rest),
            None => (&mut self.exact, name),
        };
        match map.entry(name.into()) {
            Entry::Occupied(taken) => Err(*taken.get()),
            Entry::Vacant(free) => {
                free.insert(certificate);
                Ok(())
            }
        }
    }

    /// The certificate for `name`, a host in lower case.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        let wildcard = || name.split_once('.').and_then(|(_, rest)| self.below.get(rest));
        self.exact.get(name).or_else(wildcard).copied()
    }

    /// The certificate for all names of one more label below `host`.
    pub(crate) fn find_below(&self, host: &str) -> Option<usize> {
        self.below.get(host).copied()
    }
}

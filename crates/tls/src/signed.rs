//! Certificates that the local authority signs on demand, a bounded number of them kept.

use crate::authority::{Authority, LEAF_SECONDS};
use crate::class::{Certificate, Classes};
use nearside_core::host::{Host, Pattern};
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet, VecDeque};
use std::path::Path;
use std::sync::Arc;

const KEPT: usize = 1024;
/// What clients without a name get: the names by which a machine calls itself.
const OWN: &[&str] = &["localhost", "127.0.0.1", "::1"];

/// Signs for the hosts of the routes.
#[derive(Debug)]
pub(crate) struct Signed {
    authority: Authority,
    exact: HashSet<Box<str>>,
    below: HashSet<Box<str>>,
    any: bool,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    by_name: HashMap<Box<str>, (i64, Arc<Certificate>)>,
    oldest_first: VecDeque<Box<str>>,
}

impl Signed {
    pub(crate) fn new(authority: Authority, hosts: &[&Pattern]) -> Self {
        let (mut exact, mut below, mut any) = (HashSet::new(), HashSet::new(), false);
        for pattern in hosts {
            match pattern {
                Pattern::Exact(host) => drop(exact.insert(host.as_str().into())),
                Pattern::Below(host) => drop(below.insert(host.as_str().into())),
                Pattern::Any => any = true,
            }
        }
        Self { authority, exact, below, any, kept: Mutex::default() }
    }

    pub(crate) fn file(&self) -> &Path {
        self.authority.file()
    }

    /// Whether some route serves `name`.
    pub(crate) fn serves(&self, name: &str) -> bool {
        let parents = std::iter::successors(name.split_once('.'), |(_, rest)| rest.split_once('.'));
        let valid = || Host::parse(name).is_some_and(|host| host.as_str() == name);
        self.exact.contains(name)
            || parents.into_iter().any(|(_, parent)| self.below.contains(parent))
            || (self.any && valid())
    }

    /// A certificate for `name`, or for this machine where the client names none.
    pub(crate) fn certificate(
        &self,
        name: Option<&str>,
        classes: &Classes,
        now: i64,
    ) -> Option<Arc<Certificate>> {
        let known = name.unwrap_or_default();
        if name.is_some_and(|name| !self.serves(name)) {
            return None;
        }
        let fresh = |at: i64| (0..LEAF_SECONDS / 2).contains(&(now - at));
        let lock = || self.kept.lock();
        if let Some((at, certificate)) = lock().by_name.get(known)
            && fresh(*at)
        {
            return Some(Arc::clone(certificate));
        }
        // Signed without the lock; of two at the same time the later stays.
        let (certified, identity) = match name {
            Some(name) => self.authority.sign(&[name], now)?,
            None => self.authority.sign(OWN, now)?,
        };
        let certificate = Arc::new(Certificate::new(certified, identity, classes));
        lock().keep(known, now, Arc::clone(&certificate));
        Some(certificate)
    }
}

impl Kept {
    fn keep(&mut self, name: &str, now: i64, certificate: Arc<Certificate>) {
        if self.by_name.insert(name.into(), (now, certificate)).is_none() {
            self.oldest_first.push_back(name.into());
        }
        while self.by_name.len() > KEPT {
            let Some(oldest) = self.oldest_first.pop_front() else { break };
            self.by_name.remove(&oldest);
        }
    }
}

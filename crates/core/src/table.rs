//! The route table: host, path and method to a route, in well under a microsecond and without allocating.
//!
//! Exact hosts stand in a hash table; wildcards in another, asked once per label from the longest suffix
//! on; paths of one host in two sorted lists, asked once per segment. The walk is bounded by the depth of
//! what the file declares, not by what the client sends.

use crate::home::Home;
use crate::host::Pattern;
use crate::id::RouteId;
use crate::method::Methods;
use crate::reason::Reason;
use crate::route::{PathPattern, Route};
use foldhash::fast::FixedState;
use std::collections::HashMap;

type Map = HashMap<Box<str>, usize, FixedState>;

/// All routes of a generation.
#[derive(Clone, Debug, Default)]
pub struct Table {
    routes: Box<[Route]>,
    exact: Map,
    below: Map,
    below_depth: usize,
    any: Option<usize>,
    hosts: Vec<Paths>,
}

/// The paths of one host pattern.
#[derive(Clone, Debug, Default)]
struct Paths {
    exact: Vec<(Box<str>, Vec<RouteId>)>,
    prefixes: Vec<(Box<str>, Vec<RouteId>)>,
    depth: usize,
}

impl Table {
    /// Sorts `routes` into a table, where each has the id of its place among them. Of two for one host and path those with
    /// named methods come before one for any, and else the first wins.
    #[must_use]
    pub fn new(routes: Vec<Route>) -> Self {
        let mut table = Self { hosts: Vec::with_capacity(routes.len()), ..Self::default() };
        table.exact.reserve(routes.len());
        for (index, route) in routes.iter().enumerate() {
            for pattern in &route.hosts {
                let host = table.host_entry(pattern);
                if let Some(paths) = table.hosts.get_mut(host) {
                    paths.add(&route.path, RouteId::new(index));
                }
            }
        }
        table.exact.shrink_to_fit();
        table.hosts.shrink_to_fit();
        for paths in &mut table.hosts {
            paths.sort(&routes);
        }
        Self { routes: routes.into(), ..table }
    }

    /// The routes, by [`RouteId`].
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The route with this id.
    #[must_use]
    pub fn route(&self, id: RouteId) -> Option<&Route> {
        self.routes.get(id.index())
    }

    /// What the routes say of homes, to change where their keys are.
    pub fn homes_mut(&mut self) -> impl Iterator<Item = &mut Home> {
        self.routes.iter_mut().filter_map(|route| route.home.as_mut())
    }

    /// Whether some route names `host`, or `*` does.
    #[must_use]
    pub fn knows(&self, host: &str) -> bool {
        self.paths_of(host).is_some()
    }

    /// The route for a request: exact host, then longest wildcard, then `*`; exact path, then longest
    /// prefix; then methods.
    ///
    /// # Errors
    /// Which of the three failed. A match of one never falls through to a less specific one.
    pub fn find(&self, host: &str, path: &str, method: &str) -> Result<RouteId, Reason> {
        let paths = self.paths_of(host).ok_or(Reason::NoRouteHost)?;
        let routes = paths.find(path).ok_or(Reason::NoRoutePath)?;
        let serves = |id: &&RouteId| self.route(**id).is_some_and(|route| route.methods.hold(method));
        routes.iter().find(serves).copied().ok_or(Reason::NoRouteMethod)
    }

    /// The methods that the routes for `path` serve: what `Allow` says beside a 405.
    #[must_use]
    pub fn allowed(&self, host: &str, path: &str) -> Vec<&str> {
        let routes = self.paths_of(host).and_then(|paths| paths.find(path)).unwrap_or(&[]);
        let named = routes.iter().filter_map(|id| self.route(*id)).flat_map(|route| route.methods.names());
        let mut methods: Vec<&str> = named.map(|name| &**name).collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.sort_unstable();
        methods.dedup();
        methods
    }

    fn paths_of(&self, host: &str) -> Option<&Paths> {
        let index = self.exact.get(host).or_else(|| self.wildcard(host)).or(self.any.as_ref())?;
        self.hosts.get(*index)
    }

    fn wildcard(&self, host: &str) -> Option<&usize> {
        if self.below.is_empty() {
            return None;
        }
        let dots = host.bytes().filter(|byte| *byte == b'.').count();
        let mut rest = host;
        for labels in (1..=dots).rev() {
            (_, rest) = rest.split_once('.')?;
            if labels <= self.below_depth
                && let Some(found) = self.below.get(rest)
            {
                return Some(found);
            }
        }
        None
    }

    fn host_entry(&mut self, pattern: &Pattern) -> usize {
        let fresh = self.hosts.len();
        let index = match pattern {
            Pattern::Exact(host) => *self.exact.entry(host.as_str().into()).or_insert(fresh),
            Pattern::Below(host) => {
                self.below_depth = self.below_depth.max(host.as_str().split('.').count());
                *self.below.entry(host.as_str().into()).or_insert(fresh)
            }
            Pattern::Any => *self.any.get_or_insert(fresh),
        };
        if index == fresh {
            self.hosts.push(Paths::default());
        }
        index
    }
}

impl Paths {
    fn add(&mut self, path: &PathPattern, route: RouteId) {
        let (list, text) = match path {
            PathPattern::Exact(text) => (&mut self.exact, text),
            PathPattern::Prefix(text) => {
                self.depth = self.depth.max(slashes(text));
                (&mut self.prefixes, text)
            }
        };
        list.push((text.clone(), vec![route]));
    }

    /// Sorts the lists and joins equal paths, whose routes stay in their order, but those with named methods first.
    fn sort(&mut self, routes: &[Route]) {
        let any = |id: &RouteId| routes.get(id.index()).is_some_and(|route| route.methods == Methods::Any);
        for list in [&mut self.exact, &mut self.prefixes] {
            list.sort_by(|one, other| one.0.cmp(&other.0));
            list.dedup_by(|later, first| {
                let same = later.0 == first.0;
                if same {
                    first.1.append(&mut later.1);
                }
                same
            });
            list.iter_mut().for_each(|(_, routes)| routes.sort_by_key(any));
            list.shrink_to_fit();
        }
    }

    fn find(&self, path: &str) -> Option<&[RouteId]> {
        look_up(&self.exact, path).or_else(|| {
            // No declared prefix has more slashes than `depth`, so the walk starts at the last cut that could match.
            let deep = path.bytes().enumerate().filter(|(_, byte)| *byte == b'/').nth(self.depth);
            let mut rest = deep.map_or(path, |(at, _)| path.get(..at).unwrap_or(path));
            loop {
                if let Some(found) = look_up(&self.prefixes, rest) {
                    return Some(found);
                }
                rest = rest.rsplit_once('/')?.0;
            }
        })
    }
}

fn look_up<'a>(list: &'a [(Box<str>, Vec<RouteId>)], path: &str) -> Option<&'a [RouteId]> {
    let index = list.binary_search_by(|(text, _)| (**text).cmp(path)).ok()?;
    list.get(index).map(|(_, routes)| routes.as_slice())
}

fn slashes(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'/').count()
}

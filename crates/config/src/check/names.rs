//! What is referred to is declared.

use super::Found;
use crate::document::{Backend, Document};
use crate::node::{Node, quoted};
use crate::reader::suggest;
use crate::report::Finding;
use crate::rule;
use crate::shape::Some1;
use foldhash::HashSet;
use std::fmt;

pub(super) fn check(document: &Document, found: &mut Found<'_>) {
    // Names are taken from the tree: a region that could not be read is declared all the same.
    let tree = found.source.tree();
    let declared = |key| -> HashSet<&str> {
        let node = tree.and_then(|root: &Node| root.get(key));
        node.map(Node::entries).unwrap_or_default().iter().map(|entry| &*entry.key).collect()
    };
    let (regions, pools) = (declared("regions"), declared("pools"));
    for (path, backend) in backends(document) {
        if !regions.contains(&*backend.region.0) {
            let finding = undeclared("region", &backend.region.0, &regions);
            found.at(format!("{path}.region"), finding);
        }
    }
    for (index, route) in document.routes.placed() {
        if let Some(pool) = route.pool.as_ref().filter(|pool| !pools.contains(&*pool.0)) {
            found.at(format!("routes[{index}].pool"), undeclared("pool", &pool.0, &pools));
        }
    }
}

/// The path of a backend.
#[derive(Clone, Copy)]
pub(super) enum BackendPath<'a> {
    Pool(&'a str, usize),
    Route(usize, usize),
}

impl fmt::Display for BackendPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pool(name, index) => write!(f, "pools.{name}.backends[{index}]"),
            Self::Route(route, index) => write!(f, "routes[{route}].backends[{index}]"),
        }
    }
}

/// Every backend with its path, inline ones included.
pub(super) fn backends(document: &Document) -> impl Iterator<Item = (BackendPath<'_>, &Backend)> {
    let declared = document.pools.0.0.iter().flat_map(|(name, pool)| {
        let path = move |(index, backend)| (BackendPath::Pool(&name.0, index), backend);
        pool.backends.placed().map(path)
    });
    let inline = document.routes.placed().flat_map(|(route, declared)| {
        let list = declared.backends.iter().flat_map(Some1::placed);
        list.map(move |(index, backend)| (BackendPath::Route(route, index), backend))
    });
    declared.chain(inline)
}

pub(super) fn undeclared(kind: &str, name: &str, known: &HashSet<&str>) -> Finding {
    let finding = Finding::new(rule::UNDECLARED, format!("the {kind} {} is not declared", quoted(name)));
    let mut names: Vec<&str> = known.iter().copied().collect();
    names.sort_unstable();
    suggest(finding, name, names.into_iter())
}

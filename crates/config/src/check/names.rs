//! What is referred to is declared.

use super::Found;
use crate::document::{Backend, Document};
use crate::node::{Node, quoted};
use crate::reader::suggest;
use crate::report::Finding;
use crate::rule;
use crate::shape::Some1;
use foldhash::HashSet;

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

/// Every backend with its path, inline ones included.
pub(super) fn backends(document: &Document) -> impl Iterator<Item = (String, &Backend)> {
    let declared = document.pools.0.0.iter().flat_map(|(name, pool)| {
        let path = move |(index, backend)| (format!("pools.{}.backends[{index}]", name.0), backend);
        pool.backends.placed().map(path)
    });
    let inline = document.routes.placed().flat_map(|(route, declared)| {
        let list = declared.backends.iter().flat_map(Some1::placed);
        list.map(move |(index, backend)| (format!("routes[{route}].backends[{index}]"), backend))
    });
    declared.chain(inline)
}

fn undeclared(kind: &str, name: &str, known: &HashSet<&str>) -> Finding {
    let finding = Finding::new(rule::UNDECLARED, format!("the {kind} {} is not declared", quoted(name)));
    let mut names: Vec<&str> = known.iter().copied().collect();
    names.sort_unstable();
    suggest(finding, name, names.into_iter())
}

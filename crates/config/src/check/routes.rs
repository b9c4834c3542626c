//! What routes ask of each other, and the parts of one of each other.

use super::Found;
use crate::document::{Document, FieldEdits, MethodList, Route};
use crate::node::quoted;
use crate::report::Finding;
use crate::rule;
use crate::scalar::field::FieldName;
use crate::shape::Some1;
use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};
use nearside_core::host::Pattern;
use nearside_core::route::PathPattern;

pub(super) fn check(document: &Document, found: &mut Found<'_>) {
    let routes = &document.routes;
    for (index, route) in routes.placed() {
        check_target(index, route, found);
        check_answer(index, route, found);
        check_strip(index, route, found);
        check_edits((index, "to_client"), &route.headers.to_client, found);
        check_edits((index, "to_backend"), &route.headers.to_backend, found);
    }
    check_names(document, found);
    check_overlap(routes, found);
    check_rest(routes, found);
}

fn check_target(index: usize, route: &Route, found: &mut Found<'_>) {
    let message = match (&route.pool, &route.backends, &route.answer) {
        (Some(_), None, None) | (None, Some(_), None) | (None, None, Some(_)) => return,
        (None, None, None) => "the route leads nowhere",
        (Some(_), Some(_), _) => "the route has a pool and backends",
        (Some(_), None, Some(_)) => "the route has a pool and an answer",
        (None, Some(_), Some(_)) => "the route has backends and an answer",
    };
    let finding = Finding::new(rule::ROUTE_TARGET, message);
    let finding = finding.hint("name one of `pool`, `backends` and `answer`");
    let path = format!("routes[{index}]");
    found.given(&path, path.clone(), finding);
}

fn check_answer(index: usize, route: &Route, found: &mut Found<'_>) {
    let Some(answer) = &route.answer else { return };
    let status = answer.status.0;
    let redirect = matches!(status, 301 | 302 | 303 | 307 | 308);
    let (key, message) = match &answer.location {
        None if redirect => ("status", format!("the redirect {status} has no location")),
        Some(_) if !redirect && status != 201 => ("location", format!("an answer {status} has no location")),
        _ if matches!(status, 204 | 304) && !answer.body.is_empty() => {
            ("body", format!("an answer {status} has no body"))
        }
        _ => return,
    };
    let finding = Finding::new(rule::ANSWER, message);
    let finding = if redirect {
        finding.hint("add `location`, such as \"https://www.example.com{path}{query}\"")
    } else {
        finding.hint("leave it out, or choose another status")
    };
    found.given(&format!("routes[{index}].answer"), format!("routes[{index}].answer.{key}"), finding);
}

fn check_strip(index: usize, route: &Route, found: &mut Found<'_>) {
    let Some(prefix) = route.strip_prefix.as_ref().map(|prefix| &*prefix.0) else { return };
    let starts = |long: &str, short: &str| {
        long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let applies = match &route.path {
        PathPattern::Exact(exact) => starts(exact, prefix),
        PathPattern::Prefix(below) => starts(below, prefix) || starts(prefix, below),
    };
    if applies && !prefix.ends_with('/') && !prefix.contains(['*', '?']) {
        return;
    }
    let message = format!("no path of {} begins with {}", quoted(&route.path.to_string()), quoted(prefix));
    let finding = Finding::new(rule::STRIP_PREFIX, message);
    found.given(
        &format!("routes[{index}].path"),
        format!("routes[{index}].strip_prefix"),
        finding.hint("write whole segments, without a slash at the end"),
    );
}

fn check_edits((index, side): (usize, &str), edits: &FieldEdits, found: &mut Found<'_>) {
    let mut changed: HashSet<&FieldName> = HashSet::new();
    let mut added: HashSet<&FieldName> = HashSet::new();
    let removed = edits.remove.iter().map(|name| ("remove", name));
    let set = edits.set.0.iter().map(|(name, _)| ("set", name));
    let add = edits.add.0.iter().map(|(name, _)| ("add", name));
    for (key, name) in removed.chain(set).chain(add) {
        let names = if key == "add" { &mut added } else { &mut changed };
        if !names.insert(name) {
            let finding = Finding::new(rule::HEADER_TWICE, format!("{} is edited twice", quoted(&name.0)));
            let path = format!("routes[{index}].headers.{side}.{key}");
            found.at(path, finding.hint("`set` replaces, so it needs no `remove`"));
        }
    }
}

/// Ids differ, and so do the names of pools, of which inline backends make more.
fn check_names(document: &Document, found: &mut Found<'_>) {
    if document.routes.0.iter().all(|route| route.id.is_none() && route.backends.is_none()) {
        return;
    }
    let mut ids: HashMap<String, (usize, bool)> = HashMap::new();
    let mut pools: HashSet<String> = document.pools.0.0.iter().map(|(name, _)| name.0.to_string()).collect();
    for (index, route) in document.routes.placed() {
        let (name, own) = (route.name(), route.id.is_some());
        if route.backends.is_some() && !pools.insert(name.clone()) {
            let message = format!("there is a pool {} already", quoted(&name));
            let finding = Finding::new(rule::POOL_TAKEN, message);
            found.at(format!("routes[{index}].backends"), finding.hint("give the route another `id`"));
        }
        // Routes without an id that differ in methods alone share a name, which does no harm.
        if let Some((first, its_own)) = ids.insert(name.clone(), (index, own))
            && (own || its_own)
        {
            let finding = Finding::new(rule::ROUTE_ID, format!("two routes have the id {}", quoted(&name)));
            found
                .at(format!("routes[{index}].id"), finding.hint(format!("the other one is routes[{first}]")));
        }
    }
}

/// Routes that serve the same requests, and routes that serve none.
fn check_overlap(routes: &Some1<Route>, found: &mut Found<'_>) {
    let mut taken: HashMap<(&Pattern, &PathPattern, &str), usize> = HashMap::with_capacity(routes.0.len());
    for (index, route) in routes.placed() {
        if !found.all_read() {
            let deciding = ["host", "path", "methods"];
            if !deciding.iter().all(|key| found.read(&format!("routes[{index}].{key}"))) {
                continue;
            }
        }
        let mut again: Option<(&Pattern, &str, usize)> = None;
        let methods = methods(&route.methods);
        let head_is_served = |host| taken.contains_key(&(host, &route.path, "GET"));
        let shadowed = methods == ["HEAD"] && route.host.0.iter().all(head_is_served);
        for host in &route.host.0 {
            for method in &methods {
                if let Some(first) = taken.insert((host, &route.path, method), index) {
                    again = again.or(Some((host, method, first)));
                }
            }
        }
        if let Some((host, method, first)) = again {
            found.at(format!("routes[{index}]"), duplicate(route, host, method, (index, first)));
        } else if shadowed {
            let finding = Finding::new(rule::ROUTE_SHADOWED, "no request reaches this route");
            let hint = "a route above serves GET for the same host and path, and with it HEAD";
            found.at(format!("routes[{index}]"), finding.hint(hint));
        }
    }
}

fn methods(list: &MethodList) -> Vec<&str> {
    list.0.as_ref().map_or_else(|| vec!["*"], |list| list.0.iter().map(|method| &*method.0).collect())
}

fn duplicate(route: &Route, host: &Pattern, method: &str, (index, first): (usize, usize)) -> Finding {
    let of_method = if method == "*" { String::new() } else { format!(" and {method}") };
    let served = format!("{}{of_method}", quoted(&format!("{host}{}", route.path)));
    if index == first {
        return Finding::new(rule::ROUTE_DUPLICATE, format!("the route names {served} twice"));
    }
    let finding = Finding::new(rule::ROUTE_DUPLICATE, format!("two routes serve {served}"));
    finding.hint(format!("the other one is routes[{first}]"))
}

/// A host match never falls through to a less specific host, so a host without `/*` answers 404.
fn check_rest(routes: &Some1<Route>, found: &mut Found<'_>) {
    let whole = PathPattern::Prefix("".into());
    let with_rest: HashSet<&Pattern> =
        routes.0.iter().filter(|route| route.path == whole).flat_map(|route| &route.host.0).collect();
    let mut told: HashSet<&Pattern> = HashSet::new();
    for (index, route) in routes.placed().filter(|(_, route)| route.path != whole) {
        for host in &route.host.0 {
            if !with_rest.contains(host) && told.insert(host) {
                let message = format!("the host {} has no route for /*", quoted(&host.to_string()));
                let finding = Finding::new(rule::HOST_WITHOUT_REST, message);
                let finding = finding.hint("its other paths are answered with 404, whatever `*` says");
                found.given("routes", format!("routes[{index}].host"), finding);
            }
        }
    }
}

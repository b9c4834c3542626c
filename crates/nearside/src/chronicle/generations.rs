//! Generations: swapped, with what has changed; or refused, with the report.

use nearside_config::{Report, Severity};
use nearside_core::Generation;
use nearside_core::generation::{Backend, Pool};
use nearside_core::route::{Action, Route};
use nearside_telemetry::journal::{Entry, Kind};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Names that are written out of one kind of change.
const NAMED: usize = 20;
/// Problems that are written out of one report.
const PROBLEMS: usize = 50;

/// What differs between two generations, by name.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Changes(Vec<(&'static str, Difference)>);

#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Difference {
    added: Vec<String>,
    removed: Vec<String>,
    changed: Vec<String>,
}

impl Changes {
    /// What is different in `next`.
    pub(crate) fn between(before: &Generation, next: &Generation) -> Self {
        let regions =
            difference(&before.regions, &next.regions, |region| &region.name, |one, other| one == other);
        let pools = difference(
            &before.pools,
            &next.pools,
            |pool| &pool.name,
            |one, other| Pool { first: other.first, len: other.len, ..one.clone() } == *other,
        );
        let region = |generation: &Generation, backend: &Backend| {
            generation.region(backend.region).map(|region| Arc::clone(&region.name))
        };
        let backends = difference(
            &before.backends,
            &next.backends,
            |backend| backend.key.as_str(),
            |one, other| {
                let moved = Backend { pool: other.pool, region: other.region, ..one.clone() };
                moved == *other && region(before, one) == region(next, other)
            },
        );
        let routes = difference(
            before.routes.routes(),
            next.routes.routes(),
            |route| &route.id,
            |one, other| same_route((before, one), (next, other)),
        );
        let all = [("regions", regions), ("pools", pools), ("backends", backends), ("routes", routes)];
        Self(all.into_iter().filter(|(_, it)| *it != Difference::default()).collect())
    }

    /// In a line.
    fn words(&self) -> String {
        let mut words = Vec::new();
        for (kind, difference) in &self.0 {
            for (verb, names) in difference.parts() {
                match names.as_slice() {
                    [] => {}
                    [one] => words.push(format!("{} {one} {verb}", kind.trim_end_matches('s'))),
                    many => words.push(format!("{} {kind} {verb}", many.len())),
                }
            }
        }
        if words.is_empty() {
            return "no route, backend, pool or region has changed: certificates, keys, tables, settings or comments have"
                .to_owned();
        }
        words.join(", ")
    }

    fn figures(&self) -> Value {
        let part = |names: &[String]| json!({ "count": names.len(), "names": names.iter().take(NAMED).collect::<Vec<_>>() });
        let each = self.0.iter().map(|(kind, difference)| {
            let parts = difference.parts().into_iter().filter(|(_, names)| !names.is_empty());
            ((*kind).to_owned(), parts.map(|(verb, names)| (verb.to_owned(), part(names))).collect())
        });
        Value::Object(each.collect())
    }
}

impl Difference {
    fn parts(&self) -> [(&'static str, &Vec<String>); 3] {
        [("added", &self.added), ("removed", &self.removed), ("changed", &self.changed)]
    }
}

fn difference<T>(
    before: &[T],
    next: &[T],
    name: impl Fn(&T) -> &str,
    same: impl Fn(&T, &T) -> bool,
) -> Difference {
    let mut found = Difference::default();
    // Most often only few have changed, and all stand where they stood.
    let together = before.iter().zip(next).take_while(|(one, other)| name(one) == name(other));
    let mut count = 0;
    for (one, other) in together {
        count += 1;
        if !same(one, other) {
            found.changed.push(name(other).to_owned());
        }
    }
    let mut known: HashMap<&str, &T> = before.iter().skip(count).map(|one| (name(one), one)).collect();
    for other in next.iter().skip(count) {
        match known.remove(name(other)) {
            None => found.added.push(name(other).to_owned()),
            Some(one) if !same(one, other) => found.changed.push(name(other).to_owned()),
            Some(_) => {}
        }
    }
    found.removed = known.into_keys().map(str::to_owned).collect();
    found.removed.sort_unstable();
    found
}

fn same_route((before, one): (&Generation, &Route), (next, other): (&Generation, &Route)) -> bool {
    let action = match (&one.action, &other.action) {
        (Action::Forward(one), Action::Forward(other)) => {
            let (one, other) = (before.pool(*one), next.pool(*other));
            one.map(|pool| &pool.name) == other.map(|pool| &pool.name)
        }
        (one, other) => one == other,
    };
    // Ids of regions and classes stand for names only within one generation; where these lists differ, so may what they mean.
    action
        && (&one.hosts, &one.path, &one.methods) == (&other.hosts, &other.path, &other.methods)
        && (&one.to_client, &one.to_backend, &one.strip_prefix)
            == (&other.to_client, &other.to_backend, &other.strip_prefix)
        && (one.paths, one.websocket, &one.limits) == (other.paths, other.websocket, &other.limits)
        && (&one.geo, &one.residency, &one.home) == (&other.geo, &other.residency, &other.home)
}

/// The entry on a generation that serves from now on.
pub(crate) fn swapped(before: &Generation, next: &Generation, changes: &Changes, took: Duration) -> Entry {
    let mut entry = Entry::now(Kind::Generation, "swapped", next.stamp.to_string());
    (entry.from, entry.to) = (Some(before.stamp.to_string()), Some(next.stamp.to_string()));
    entry.reason = changes.words();
    entry.figure("changes", changes.figures());
    entry.figure("routes", next.routes.routes().len());
    entry.figure("backends", next.backends.len());
    entry.figure("took_ms", u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    entry
}

/// The entry on a file that was not taken.
pub(crate) fn refused(running: &Generation, file: &Path, text: &str, report: Option<&Report>) -> Entry {
    let mut entry = Entry::now(Kind::Generation, "refused", file.display().to_string());
    (entry.from, entry.to) = (Some(running.stamp.to_string()), Some(running.stamp.to_string()));
    let mut problems = report.iter().flat_map(|report| report.problems());
    let first = problems.find(|problem| problem.severity == Severity::Error).map(ToString::to_string);
    let first = first.unwrap_or_else(|| text.to_owned());
    entry.reason = first.lines().next().unwrap_or_default().to_owned();
    if let Some(report) = report {
        let mut told = report.to_json();
        if let Some(problems) = told.get_mut("problems").and_then(Value::as_array_mut) {
            problems.truncate(PROBLEMS);
        }
        entry.figure("report", told);
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generation(change: impl FnOnce(String) -> String) -> Generation {
        let text = "version: 1\nregions: { a: {}, b: {} }\npools:\n  web:\n    backends:\n      \
                    - { id: one, url: \"http://127.0.0.1:1\", region: a }\n      \
                    - { id: two, url: \"http://127.0.0.1:2\", region: b }\n\
                    routes:\n  - { id: www, host: h.example, pool: web }\n\
                    listeners: [{ bind: \"127.0.0.1:8443\" }]\n";
        nearside_config::load(&change(text.to_owned())).unwrap().0
    }

    fn check(from: &str, to: &str, expected: &str) {
        let (before, next) = (generation(|text| text), generation(|text| text.replace(from, to)));
        assert_eq!(Changes::between(&before, &next).words(), expected, "{from} to {to}");
    }

    #[test]
    fn what_has_changed_is_named() {
        let none = "no route, backend, pool or region has changed: certificates, keys, tables, settings or comments have";
        check("", "", none);
        check("version: 1", "# hello\nversion: 1", none);
        check("b: {}", "b: { drain: x }", "region b changed");
        check("region: b }", "region: b, weight: 7 }", "backend web/two changed");
        check("region: b }", "region: a }", "backend web/two changed");
        check("a: {}, b: {}", "c: {}, a: {}, b: {}", "region c added");
        check("id: two", "id: three", "backend web/three added, backend web/two removed");
        check("host: h.example", "host: i.example", "route www changed");
        check("    backends", "    failback: { hold: 1s }\n    backends", "pool web changed");
    }

    #[test]
    fn many_names_are_counted() {
        let before = generation(|text| text);
        let next = generation(|text| text.replace("id: one", "id: x").replace("id: two", "id: y"));
        let changes = Changes::between(&before, &next);
        assert_eq!(changes.words(), "2 backends added, 2 backends removed");
        assert_eq!(changes.figures()["backends"]["removed"]["names"], json!(["web/one", "web/two"]));
    }
}

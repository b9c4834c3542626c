//! What geo and residency ask of regions, pools and each other.

use super::Found;
use super::names::undeclared;
use crate::document::{Backend, Document, Residency, ResidencyRule, Route};
use crate::node::quoted;
use crate::report::Finding;
use crate::rule;
use crate::shape::Some1;
use foldhash::HashSet;
use nearside_core::place::Area;
use std::collections::BTreeSet;

pub(super) fn check(document: &Document, found: &mut Found<'_>) {
    let law = Law {
        document,
        regions: document.regions.0.iter().map(|(name, _)| &*name.0).collect(),
        classes: document.residency.0.iter().map(|(name, _)| &*name.0).collect(),
    };
    law.check_classes(found);
    for (index, route) in document.routes.placed() {
        law.check_geo(index, route, found);
        law.check_residency(index, route, found);
    }
}

struct Law<'a> {
    document: &'a Document,
    regions: HashSet<&'a str>,
    classes: HashSet<&'a str>,
}

impl Law<'_> {
    /// Each class has regions, and enough of them.
    fn check_classes(&self, found: &mut Found<'_>) {
        for (name, class) in &self.document.residency.0 {
            let path = format!("residency.{}", name.0);
            let regions = self.regions_of(&name.0);
            if regions.is_empty() {
                let message = format!("no region has a jurisdiction that {} allows", quoted(&name.0));
                let finding = Finding::new(rule::RESIDENCY_REGION, message);
                let hint = "name the jurisdictions of regions with `jurisdictions: [...]`";
                found.given("regions", format!("{path}.allow"), finding.hint(hint));
            } else if regions.len() <= class.survive.0 as usize {
                let finding = survive(&name.0, class.survive.0, regions.len(), "the file has");
                found.given("regions", format!("{path}.survive"), finding);
            }
        }
    }

    fn check_geo(&self, index: usize, route: &Route, found: &mut Found<'_>) {
        // Of thousands of routes few have any, and a path is only wanted where there is something to say.
        if route.geo.is_empty() {
            return;
        }
        let rules = route.geo.iter().enumerate().map(|(place, rule)| (place, rule.areas()));
        check_areas(&format!("routes[{index}].geo"), rules, found);
        for (place, rule) in route.geo.iter().enumerate() {
            let path = format!("routes[{index}].geo[{place}].to");
            for region in rule.to.0.iter().flat_map(|equals| &equals.0) {
                if !self.regions.contains(&*region.0) {
                    let finding = undeclared("region", &region.0, &self.regions);
                    found.given("regions", path.clone(), finding);
                } else if self.is_standby(route, &region.0) {
                    let message = format!("{} holds only standby backends", quoted(&region.0));
                    let finding = Finding::new(rule::GEO_STANDBY, message);
                    let hint = "a place is sent there although better tiers are up elsewhere";
                    found.given("pools", path.clone(), finding.hint(hint));
                }
            }
        }
    }

    fn check_residency(&self, index: usize, route: &Route, found: &mut Found<'_>) {
        let Some(residency) = &route.residency else { return };
        let path = format!("routes[{index}].residency");
        match residency {
            Residency::Class(class) => self.check_class(route, &class.0, &path, found),
            Residency::Chosen(rules) => {
                let for_places = rules.placed().filter(|(_, rule)| rule.home.is_none());
                check_areas(&path, for_places.map(|(place, rule)| (place, rule.areas())), found);
                check_homes(&path, rules, found);
                for (place, rule) in rules.placed() {
                    self.check_class(route, &rule.class.0, &format!("{path}[{place}].class"), found);
                }
            }
        }
    }

    /// A route's class is declared, and the route's pool can serve it after the losses that it has to survive.
    fn check_class(&self, route: &Route, class: &str, path: &str, found: &mut Found<'_>) {
        let Some((_, declared)) = self.document.residency.0.iter().find(|(name, _)| *name.0 == *class) else {
            found.given("residency", path.to_owned(), undeclared("residency class", class, &self.classes));
            return;
        };
        let lawful = self.regions_of(class);
        if lawful.len() <= declared.survive.0 as usize {
            return;
        }
        // Drain marks do not count: a mark that leaves too little is a warning, never a file that is refused.
        let backends = self.backends(route).filter(|backend| backend.weight.0 > 0);
        let left: BTreeSet<&str> =
            backends.map(|backend| &*backend.region.0).filter(|region| lawful.contains(region)).collect();
        if route.answer.is_none() && left.len() <= declared.survive.0 as usize {
            let finding = survive(class, declared.survive.0, left.len(), "this route's pool has");
            found.given("pools", path.to_owned(), finding);
        }
    }

    fn regions_of(&self, class: &str) -> BTreeSet<&str> {
        let declared = self.document.residency.0.iter().find(|(name, _)| *name.0 == *class);
        let allow: HashSet<&str> =
            declared.iter().flat_map(|(_, class)| &class.allow.0).map(|name| &*name.0).collect();
        let regions = self.document.regions.0.iter();
        let lawful = regions.filter(|(_, it)| it.jurisdictions.iter().any(|has| allow.contains(&*has.0)));
        lawful.map(|(name, _)| &*name.0).collect()
    }

    fn backends<'r>(&'r self, route: &'r Route) -> impl Iterator<Item = &'r Backend> {
        let named = route.pool.iter().flat_map(|name| {
            let pools = self.document.pools.0.0.iter().filter(move |(pool, _)| pool == name);
            pools.flat_map(|(_, pool)| &pool.backends.0)
        });
        named.chain(route.backends.iter().flat_map(|list| &list.0))
    }

    /// Whether all backends that the route has in `region` are of later tiers than its first.
    fn is_standby(&self, route: &Route, region: &str) -> bool {
        let first = self.backends(route).map(|backend| backend.priority.0).min();
        let mut here = self.backends(route).filter(|backend| *backend.region.0 == *region).peekable();
        here.peek().is_some() && here.all(|backend| Some(backend.priority.0) > first)
    }
}

fn survive(class: &str, losses: u32, regions: usize, who: &str) -> Finding {
    let regions = match regions {
        1 => "1 region".to_owned(),
        many => format!("{many} regions"),
    };
    let losses = if losses == 1 { "1 region".to_owned() } else { format!("{losses} regions") };
    let message = match &*losses {
        "0 regions" => format!("{} cannot be served: {who} {regions} for it", quoted(class)),
        _ => format!("{} does not survive the loss of {losses}: {who} {regions} for it", quoted(class)),
    };
    let hint = "add regions with an allowed jurisdiction, or lower `survive`";
    Finding::new(rule::SURVIVE, message).hint(hint)
}

/// Each entry names an area, and no two the same.
fn check_areas(list: &str, entries: impl Iterator<Item = (usize, Vec<Area>)>, found: &mut Found<'_>) {
    let mut seen: Vec<(Area, usize)> = Vec::new();
    for (index, areas) in entries {
        let path = format!("{list}[{index}]");
        if areas.is_empty() {
            let finding = Finding::new(rule::AREA, "the entry names no place");
            let hint = "add one of subnet, state, country, group, continent, or `world: true`";
            found.given(&path, path.clone(), finding.hint(hint));
        }
        for area in areas {
            match seen.iter().find(|(known, _)| *known == area) {
                Some((_, first)) => {
                    let finding = Finding::new(rule::AREA_TWICE, format!("{area} is named twice"));
                    found.at(path.clone(), finding.hint(format!("the other one is {list}[{first}]")));
                }
                None => seen.push((area, index)),
            }
        }
    }
}

/// An entry for a home names no place, and no two the same home.
fn check_homes(list: &str, rules: &Some1<ResidencyRule>, found: &mut Found<'_>) {
    let mut seen: Vec<(&str, usize)> = Vec::new();
    for (index, rule) in rules.placed() {
        let Some(home) = rule.home.as_ref().map(|home| &*home.0) else { continue };
        let path = format!("{list}[{index}]");
        if !rule.areas().is_empty() {
            let finding = Finding::new(rule::AREA, "the entry names a place and a home");
            found.at(path.clone(), finding.hint("make two entries of it: where both hold, both are law"));
        }
        match seen.iter().find(|(known, _)| *known == home) {
            Some((_, first)) => {
                let finding =
                    Finding::new(rule::AREA_TWICE, format!("the home {} is named twice", quoted(home)));
                found.at(format!("{path}.home"), finding.hint(format!("the other one is {list}[{first}]")));
            }
            None => seen.push((home, index)),
        }
    }
}

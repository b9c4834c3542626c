//! What homes and affinity ask of regions, residency and each other.

use super::Found;
use super::names::undeclared;
use crate::document::{Document, Home, HomeKey, Residency, Route};
use crate::node::quoted;
use crate::reader::suggest;
use crate::report::Finding;
use crate::rule;
use foldhash::{HashMap, HashMapExt, HashSet};
use nearside_core::host::Pattern;

pub(super) fn check(document: &Document, found: &mut Found<'_>) {
    let regions: HashSet<&str> = document.regions.0.iter().map(|(name, _)| &*name.0).collect();
    for (index, route) in document.routes.placed() {
        if let Some(home) = &route.home {
            check_home(&format!("routes[{index}].home"), home, &regions, found);
        }
        check_residency(index, route, found);
    }
    check_cookies(document, found);
}

fn check_home(path: &str, home: &Home, regions: &HashSet<&str>, found: &mut Found<'_>) {
    for (place, source) in home.from.placed() {
        let named = [source.cookie.is_some(), source.header.is_some(), source.jwt.is_some()];
        let message = match named.iter().filter(|named| **named).count() {
            1 => continue,
            0 => "the entry says nowhere",
            _ => "the entry names more than one place",
        };
        let (path, finding) = (format!("{path}.from[{place}]"), Finding::new(rule::HOME_SOURCE, message));
        let hint = "write one of cookie, header and jwt; further places are further entries";
        found.given(&path, path.clone(), finding.hint(hint));
    }
    for (value, region) in &home.map.0 {
        if !regions.contains(&*region.0) {
            let finding = undeclared("region", &region.0, regions);
            found.given("regions", format!("{path}.map.{}", value.0), finding);
        }
    }
    let Some(verify) = &home.verify else { return };
    if let Some(subject) = verify.subject.as_ref().filter(|it| it.cookie.is_some() == it.header.is_some()) {
        let both = subject.cookie.is_some();
        let message = if both { "the subject stands in two places" } else { "the subject stands nowhere" };
        let (path, finding) = (format!("{path}.verify.subject"), Finding::new(rule::HOME_SUBJECT, message));
        found.given(&path, path.clone(), finding.hint("write one of cookie and header"));
    }
    check_key(path, verify, found);
}

fn check_key(path: &str, verify: &HomeKey, found: &mut Found<'_>) {
    let message = match (&verify.hmac_key_file, &verify.public_key_file) {
        (Some(_), None) | (None, Some(_)) => return,
        (None, None) => "there is no key to verify with",
        (Some(_), Some(_)) => "there are two kinds of key to verify with",
    };
    let (path, finding) = (format!("{path}.verify"), Finding::new(rule::HOME_KEY, message));
    let hint = "write one of hmac_key_file and public_key_file; a file may hold several keys";
    found.given(&path, path.clone(), finding.hint(hint));
}

/// A home that decides residency is known to the route, and verified.
fn check_residency(index: usize, route: &Route, found: &mut Found<'_>) {
    let Some(Residency::Chosen(rules)) = &route.residency else { return };
    let homes = rules.placed().filter_map(|(place, rule)| Some((place, rule.home.as_ref()?)));
    let mut unverified = true;
    for (place, value) in homes {
        let path = format!("routes[{index}].residency[{place}].home");
        let scope = format!("routes[{index}].home");
        let Some(home) = &route.home else {
            let finding = Finding::new(rule::RESIDENCY_HOME, "the route does not say where a home stands");
            found.given(&scope, path, finding.hint("add `home` to the route"));
            continue;
        };
        if home.verify.is_none() && std::mem::replace(&mut unverified, false) {
            let finding =
                Finding::new(rule::HOME_UNVERIFIED, "a home that anybody can write decides residency");
            let finding = finding.hint("add `verify` with the key that homes are signed with");
            found.given(&scope, scope.clone(), finding);
        }
        if !home.map.0.iter().any(|(known, _)| known == value) {
            let message = format!("the home {} is not in the route's map", quoted(&value.0));
            let known = home.map.0.iter().map(|(known, _)| &*known.0);
            let finding = suggest(Finding::new(rule::RESIDENCY_HOME, message), &value.0, known);
            found.given(&format!("{scope}.map"), path, finding);
        }
    }
}

/// Two pools that one host leads to would overwrite each other's cookie with every answer.
fn check_cookies(document: &Document, found: &mut Found<'_>) {
    let pools = document.pools.0.0.iter();
    let cookies: HashMap<&str, &str> =
        pools.filter_map(|(name, pool)| Some((&*name.0, &*pool.affinity.as_ref()?.cookie.name.0))).collect();
    let mut taken: HashMap<(&Pattern, &str), &str> = HashMap::new();
    let mut told: HashSet<&str> = HashSet::default();
    for route in &document.routes.0 {
        let Some(pool) = route.pool.as_ref().map(|pool| &*pool.0) else { continue };
        let Some(cookie) = cookies.get(pool) else { continue };
        for host in &route.host.0 {
            let other = *taken.entry((host, cookie)).or_insert(pool);
            if other != pool && told.insert(pool) {
                let message = format!("the pools {} and {} set one cookie", quoted(other), quoted(pool));
                let finding = Finding::new(rule::AFFINITY_COOKIE, message);
                let hint = format!("both serve {host}; give one of them another `cookie.name`");
                let path = format!("pools.{pool}.affinity.cookie.name");
                found.given("pools", path, finding.hint(hint));
            }
        }
    }
}

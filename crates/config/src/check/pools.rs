//! What the backends of a pool ask of each other and of their pool.

use super::Found;
use crate::document::{Backend, Document, Pool, Probe};
use crate::node::quoted;
use crate::report::Finding;
use crate::rule;
use crate::shape::Some1;
use foldhash::{HashMap, HashMapExt, HashSet};
use nearside_core::generation::Endpoint;
use nearside_core::policy::{ProbeProtocol, Protocol};
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) fn check(document: &Document, found: &mut Found<'_>) {
    let routes = &document.routes;
    let used: HashSet<&str> = routes.0.iter().filter_map(|route| Some(&*route.pool.as_ref()?.0)).collect();
    let drained: HashSet<&str> = document
        .regions
        .0
        .iter()
        .filter(|(_, region)| region.drain.is_some())
        .map(|(name, _)| &*name.0)
        .collect();
    for (name, pool) in &document.pools.0.0 {
        let path = format!("pools.{}", name.0);
        if !used.contains(&*name.0) {
            let finding =
                Finding::new(rule::POOL_UNUSED, format!("no route uses the pool {}", quoted(&name.0)));
            found.given("routes", path.clone(), finding);
        }
        check_tls(&path, pool, found);
        let (protocol, tolerance) = (pool.connections.protocol, pool.select.latency_tolerance.0);
        let group = Group { path, backends: &pool.backends, protocol, probe: &pool.probe, tolerance };
        group.check(&drained, found);
    }
    let defaults = &document.defaults.0;
    let (protocol, tolerance) = (defaults.connections.protocol, defaults.select.latency_tolerance.0);
    for (index, route) in routes.placed() {
        if let Some(backends) = &route.backends {
            let (path, probe) = (format!("routes[{index}]"), &defaults.probe);
            let group = Group { path, backends, protocol, probe, tolerance };
            group.check(&drained, found);
        }
    }
}

/// The backends of a pool, or of a route, and what their checks need to know.
struct Group<'a> {
    path: String,
    backends: &'a Some1<Backend>,
    protocol: Protocol,
    probe: &'a Probe,
    tolerance: Duration,
}

impl Group<'_> {
    fn check(&self, drained: &HashSet<&str>, found: &mut Found<'_>) {
        let path = format!("{}.backends", self.path);
        let backends = &self.backends.0;
        if backends.len() > 256 {
            let message = format!("{} backends; at most 256 are possible", backends.len());
            found.at(path.clone(), Finding::new(rule::TOO_MANY, message));
        }
        self.check_identities(found);
        self.check_protocol(found);
        self.check_sockets(found);
        self.check_weights(found);
        let region = backends.first().map(|backend| &backend.region.0);
        if let Some(region) = region.filter(|region| backends.iter().all(|other| other.region.0 == **region))
        {
            let message = format!("every backend is in the region {}", quoted(region));
            let finding = Finding::new(rule::ONE_REGION, message);
            let finding = finding.hint("nothing is left when that region fails");
            found.given(&path, path.clone(), finding);
        }
        let is_drained = |backend: &Backend| backend.drain.is_some() || drained.contains(&*backend.region.0);
        if !backends.is_empty() && backends.iter().all(is_drained) {
            let finding = Finding::new(rule::ALL_DRAINED, "every backend is drained");
            found.given(&path, path.clone(), finding.hint("requests are answered with 503"));
        }
    }

    fn of(&self, index: usize, key: &str) -> String {
        format!("{}.backends[{index}].{key}", self.path)
    }

    fn check_identities(&self, found: &mut Found<'_>) {
        let mut urls: HashMap<&Endpoint, usize> = HashMap::new();
        let mut ids: HashMap<&str, usize> = HashMap::new();
        for (index, backend) in self.backends.placed() {
            let same_url = urls.insert(&backend.url.endpoint, index);
            let same_id = backend.id.as_ref().and_then(|id| ids.insert(&id.0, index));
            for (same, key) in [(same_id, "id"), (same_url, "url")] {
                if let Some(first) = same {
                    let message = format!("two backends of this pool have this {key}");
                    let finding = Finding::new(rule::BACKEND_DUPLICATE, message);
                    let other = format!("{}.backends[{first}]", self.path);
                    found.at(self.of(index, key), finding.hint(format!("the other one is {other}")));
                }
            }
        }
    }

    fn check_weights(&self, found: &mut Found<'_>) {
        let scope = format!("{}.backends", self.path);
        let mut tiers: BTreeMap<u32, Vec<(usize, u32)>> = BTreeMap::new();
        for (index, backend) in self.backends.placed() {
            tiers.entry(backend.priority.0).or_default().push((index, backend.weight.0));
        }
        for (priority, tier) in &tiers {
            let Some((first, weight)) = tier.first() else { continue };
            if tier.iter().all(|(_, weight)| *weight == 0) {
                let message = format!("every weight of priority {priority} is 0");
                let finding = Finding::new(rule::WEIGHTS_ZERO, message);
                let finding = finding.hint("such a tier gets no traffic; give one a weight, or drain it");
                found.given(&scope, self.of(*first, "weight"), finding);
            }
            let other = tier.iter().find(|(_, other)| other != weight);
            if let Some((index, _)) = other.filter(|_| self.tolerance.is_zero()) {
                let message =
                    "weights differ, but the latency tolerance is 0: the fastest backend gets everything";
                let finding = Finding::new(rule::WEIGHTS_WITHOUT_BAND, message);
                found.given(
                    &scope,
                    self.of(*index, "weight"),
                    finding.hint("raise `select.latency_tolerance`"),
                );
            }
        }
    }

    fn check_sockets(&self, found: &mut Found<'_>) {
        let (port, tls) = (self.probe.port.0.is_some(), self.probe.protocol == ProbeProtocol::Https);
        let what = match (port, tls) {
            (true, _) => "a port",
            (false, true) => "TLS",
            (false, false) => return,
        };
        for (index, backend) in self.backends.placed() {
            if backend.url.endpoint.socket().is_some() {
                let message = format!("this is a Unix socket, and its probe asks for {what}");
                let hint =
                    "give Unix sockets a pool of their own, with `probe: { port: auto, protocol: auto }`";
                found.at(self.of(index, "url"), Finding::new(rule::SOCKET_PROBE, message).hint(hint));
            }
        }
    }

    fn check_protocol(&self, found: &mut Found<'_>) {
        let needs_tls = match self.protocol {
            Protocol::H2 => true,
            Protocol::H2c => false,
            Protocol::Auto | Protocol::H1 => return,
        };
        for (index, backend) in self.backends.placed() {
            if backend.url.endpoint.tls != needs_tls {
                let (message, hint) = if needs_tls {
                    ("the pool speaks h2, which needs an https url", "write https://, or `protocol: h2c`")
                } else {
                    ("the pool speaks h2c, which needs an http url", "write http://, or `protocol: h2`")
                };
                let finding = Finding::new(rule::H2_WITHOUT_TLS, message).hint(hint);
                found.at(self.of(index, "url"), finding);
            }
        }
    }
}

fn check_tls(path: &str, pool: &Pool, found: &mut Found<'_>) {
    let (cert, key) = (pool.tls.client_cert.is_some(), pool.tls.client_key.is_some());
    if cert != key {
        let (there, missing) =
            if cert { ("client_cert", "client_key") } else { ("client_key", "client_cert") };
        let finding = Finding::new(rule::CLIENT_CERTIFICATE, format!("\"{missing}\" is missing"));
        found.at(format!("{path}.tls.{there}"), finding.hint("they come together"));
    }
    if !pool.tls.verify {
        let finding = Finding::new(rule::UNVERIFIED, "the certificates of these backends are not verified");
        let hint = "anyone on the way can answer for them; name their authority with `ca`";
        found.at(format!("{path}.tls.verify"), finding.hint(hint));
    }
}

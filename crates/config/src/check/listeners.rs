//! What listeners ask of each other, of certificates and of backends.

use super::{Found, names};
use crate::document::{CertificateEntry, ClientIp, Document, Listener};
use crate::report::Finding;
use crate::rule;
use foldhash::{HashMap, HashMapExt};
use nearside_core::generation::{ClientIpFrom, Endpoint};
use std::net::{IpAddr, SocketAddr};

pub(super) fn check(document: &Document, found: &mut Found<'_>) {
    let listeners = &document.listeners;
    let mut seen: HashMap<SocketAddr, String> = HashMap::new();
    for (index, listener) in listeners.placed() {
        let path = format!("listeners[{index}]");
        check_mode(&path, listener, found);
        check_client_ip(&path, &listener.client_ip, found);
        taken(listener.bind, format!("{path}.bind"), &mut seen, found);
    }
    if let Some(admin) = document.observe.admin {
        taken(admin, "observe.admin".to_owned(), &mut seen, found);
        check_admin(admin, document, found);
    }
    check_tls(document, found);
    check_loops(document, &seen, found);
}

/// What other machines can reach tells and does nothing without a secret, and the secret travels over TLS.
fn check_admin(admin: SocketAddr, document: &Document, found: &mut Found<'_>) {
    if admin.ip().is_loopback() {
        return;
    }
    let is_certified = !document.tls.certificates.is_empty() || document.tls.self_signed;
    let (what, hint) = match (&document.observe.admin_token, is_certified) {
        (None, _) => (
            "without a token",
            "name a file under `observe.admin_token` (openssl rand -hex 32 makes one), or bind it to 127.0.0.1",
        ),
        (Some(_), false) => (
            "without a certificate for TLS",
            "name one in `tls.certificates`, set `tls.self_signed: true` for development, or bind it to 127.0.0.1",
        ),
        (Some(_), true) => return,
    };
    let message = format!("the admin page at {admin} can be reached from other machines {what}");
    found.at("observe.admin".to_owned(), Finding::new(rule::ADMIN_PUBLIC, message).hint(hint));
}

fn taken(bind: SocketAddr, path: String, seen: &mut HashMap<SocketAddr, String>, found: &mut Found<'_>) {
    // Port 0 is a fresh port each time.
    if bind.port() == 0 {
        return;
    }
    if let Some(first) = seen.get(&bind) {
        let finding = Finding::new(rule::LISTENER_DUPLICATE, format!("{bind} is taken"));
        found.at(path, finding.hint(format!("by {first}")));
    } else {
        seen.insert(bind, path);
    }
}

fn check_mode(path: &str, listener: &Listener, found: &mut Found<'_>) {
    let usual = Listener::usual().0.first().map(|usual| usual.protocols.clone());
    let (key, message, hint) = match listener {
        Listener { tls: true, redirect_https: Some(_), .. } => (
            "redirect_https",
            "a TLS listener cannot redirect to HTTPS",
            "leave `tls` out, or `redirect_https`",
        ),
        Listener { tls: false, client_ca: Some(_), .. } => {
            ("client_ca", "only a TLS listener can ask clients for certificates", "add `tls: true`")
        }
        Listener { tls: false, protocols, .. } if Some(protocols) != usual.as_ref() => {
            ("protocols", "only a TLS listener can offer protocols", "add `tls: true`, or leave it out")
        }
        _ => return,
    };
    found.at(format!("{path}.{key}"), Finding::new(rule::LISTENER_MODE, message).hint(hint));
}

fn check_client_ip(path: &str, client_ip: &ClientIp, found: &mut Found<'_>) {
    let (message, hint) = match (client_ip.from, client_ip.trusted.is_empty()) {
        (ClientIpFrom::Socket, false) => {
            ("the socket's own address needs no trusted hops", "add `from: header`")
        }
        (ClientIpFrom::Header, true) => {
            ("no hop is trusted to name the client", "list the load balancers in front of this PoP")
        }
        (ClientIpFrom::ProxyProtocol, true) => {
            ("no peer is trusted to name the client", "list the load balancers in front of this PoP")
        }
        (ClientIpFrom::Socket, true) | (ClientIpFrom::Header | ClientIpFrom::ProxyProtocol, false) => return,
    };
    let finding = Finding::new(rule::CLIENT_IP, message).hint(hint);
    let scope = format!("{path}.client_ip");
    found.given(&scope, format!("{scope}.trusted"), finding);
}

fn check_tls(document: &Document, found: &mut Found<'_>) {
    let https = document.listeners.placed().find(|(_, listener)| listener.tls);
    let redirect = document.listeners.placed().find(|(_, listener)| listener.redirect_https.is_some());
    if let (None, Some((index, _))) = (https, redirect) {
        let finding = Finding::new(rule::REDIRECT_TARGET, "no TLS listener to redirect to");
        let hint = "add a listener with `tls: true`";
        found.given("listeners", format!("listeners[{index}].redirect_https"), finding.hint(hint));
    }
    if let Some((_, listener)) = https
        && document.tls.certificates.is_empty()
        && !document.tls.self_signed
    {
        let message = format!("the TLS listener {} has no certificate", listener.bind);
        let finding = Finding::new(rule::NO_CERTIFICATE, message);
        let hint = "name some in `tls.certificates`, or set `tls.self_signed: true` for development";
        found.given("tls", "tls.certificates".to_owned(), finding.hint(hint));
    }
    let default = |entry: &CertificateEntry| matches!(entry, CertificateEntry::Pair(pair) if pair.default);
    let mut defaults = document.tls.certificates.iter().enumerate().filter(|(_, entry)| default(entry));
    if let (Some((first, _)), Some((second, _))) = (defaults.next(), defaults.next()) {
        let finding = Finding::new(rule::DEFAULT_CERTIFICATE, "two certificates are the default");
        let hint = format!("the other one is tls.certificates[{first}]");
        found.given("tls", format!("tls.certificates[{second}].default"), finding.hint(hint));
    }
}

/// A backend that is nearside itself would send each request round in a circle.
fn check_loops(document: &Document, own: &HashMap<SocketAddr, String>, found: &mut Found<'_>) {
    for (path, backend) in names::backends(document) {
        let endpoint = &backend.url.endpoint;
        let mut same = own.iter().filter(|(bind, _)| is(endpoint, **bind)).map(|(_, path)| path);
        if let Some(first) = same.next() {
            let finding = Finding::new(rule::BACKEND_LOOP, "this backend is nearside itself");
            found.at(format!("{path}.url"), finding.hint(format!("see {first}")));
        }
    }
}

fn is(endpoint: &Endpoint, bind: SocketAddr) -> bool {
    let local = &*endpoint.host == "localhost";
    let address: Option<IpAddr> = endpoint.host.parse().ok();
    let here = local || address.is_some_and(|ip| ip.is_loopback() || ip.is_unspecified());
    let same = match bind.ip() {
        ip if ip.is_unspecified() => here,
        ip => address == Some(ip) || (local && ip.is_loopback()),
    };
    endpoint.port == bind.port() && same
}

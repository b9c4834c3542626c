//! TLS towards backends.

use crate::kit::{Ca, Session, Site, alert, listener, shake_at};
use nearside_core::generation::{Backend, Endpoint, Fleet, Generation, Pool, Region, Stamp};
use nearside_core::policy::{BackendTls, Connections, Protocol};
use nearside_core::{BackendId, PoolId, RegionId};
use nearside_tls::{ClientTable, Clock, Problem, Table};
use rustls::{AlertDescription, CertificateError, Error};
use std::sync::Arc;

const HOST: &str = "backend.example.internal";

/// One pool with two backends at `url`: `https` or `http`, and a host.
fn generation(tls: BackendTls, protocol: Protocol, (speaks_tls, host): (bool, &str)) -> Generation {
    let backend = |(name, port)| {
        let endpoint = Endpoint { tls: speaks_tls, host: host.into(), port };
        Backend::new((PoolId::new(0), "web"), name, endpoint, RegionId::new(0))
    };
    let connections = Connections { protocol, ..Connections::default() };
    let pool = Pool { tls, connections, ..Pool::new("web", BackendId::new(0), 2) };
    Generation {
        stamp: Stamp { number: 1, hash: 0 },
        fleet: Fleet::new("test"),
        regions: Box::new([Region::new("frankfurt")]),
        pools: Box::new([pool]),
        backends: [("a", 443), ("b", 444)].map(backend).to_vec().into(),
        ..Generation::default()
    }
}

fn load(generation: &Generation, previous: Option<&ClientTable>) -> Result<ClientTable, Vec<Problem>> {
    ClientTable::load(generation, &Clock::system(), previous).map(|(table, _)| table)
}

fn messages(generation: &Generation) -> Vec<String> {
    let problems = load(generation, None).err().unwrap_or_default();
    let name =
        |problem: &Problem| problem.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    problems.iter().map(|problem| format!("{} {}", problem.key_path, name(problem))).collect()
}

/// Dials the first backend of `generation`, which `table` plays.
fn dial(table: &Table, clients: &ClientTable) -> Result<Session, Error> {
    dial_one(table, clients, BackendId::new(0))
}

fn dial_one(table: &Table, clients: &ClientTable, id: BackendId) -> Result<Session, Error> {
    let name = clients.server_name(id).unwrap();
    shake_at(table, 0, &clients.backend(id).unwrap().config, &name.to_str())
}

/// A backend with a certificate for `names`, and the file of its authority.
fn backend(ca: &Ca, names: &[&str]) -> (Site, BackendTls) {
    let mut site = Site::new();
    site.explicit("backend", &ca.pair(names), &[HOST], true);
    let file = site.write("ca.pem", &ca.pem);
    (site, BackendTls { ca: Some(file), ..BackendTls::default() })
}

#[test]
fn a_backend_is_verified_by_the_pools_authority_and_its_name() {
    let ca = Ca::new();
    let (site, tls) = backend(&ca, &[HOST]);
    let table = site.table();
    let clients = load(&generation(tls.clone(), Protocol::Auto, (true, HOST)), None).unwrap();
    let session = dial(&table, &clients).unwrap();
    assert_eq!((session.alpn, session.resumed), (Some(b"h2".to_vec()), false));
    assert!(dial(&table, &clients).unwrap().resumed, "sessions are kept");

    let strange = site.write("strange.pem", &Ca::new().pem);
    let strange = BackendTls { ca: Some(strange), ..tls };
    let clients = load(&generation(strange, Protocol::Auto, (true, HOST)), None).unwrap();
    let refused = dial(&table, &clients).unwrap_err();
    assert_eq!(refused, Error::InvalidCertificate(CertificateError::UnknownIssuer));
}

#[test]
fn another_name_is_refused_unless_the_pool_says_which_to_expect() {
    let ca = Ca::new();
    let (site, tls) = backend(&ca, &["other.example.internal", HOST]);
    let table = site.table();
    let wrong = BackendTls { sni: Some("wrong.example.internal".into()), ..tls.clone() };
    let clients = load(&generation(wrong, Protocol::Auto, (true, HOST)), None).unwrap();
    assert_eq!(dial(&table, &clients).unwrap_err(), alert(AlertDescription::UnrecognisedName));
    let named = BackendTls { sni: Some(HOST.into()), ..tls };
    let clients = load(&generation(named, Protocol::Auto, (true, "192.0.2.1")), None).unwrap();
    assert!(dial(&table, &clients).is_ok());
}

#[test]
fn an_ip_address_is_verified_as_one_and_sends_no_name() {
    let ca = Ca::new();
    let (site, tls) = backend(&ca, &["192.0.2.1"]);
    let table = site.table();
    let clients = load(&generation(tls.clone(), Protocol::Auto, (true, "192.0.2.1")), None).unwrap();
    assert!(dial(&table, &clients).is_ok());
    let clients = load(&generation(tls, Protocol::Auto, (true, "192.0.2.2")), None).unwrap();
    assert!(matches!(dial(&table, &clients), Err(Error::InvalidCertificate(_))));
}

#[test]
fn verify_false_takes_any_certificate() {
    let ca = Ca::new();
    let (site, _) = backend(&ca, &["elsewhere.example"]);
    let tls = BackendTls { insecure: true, ..BackendTls::default() };
    let clients = load(&generation(tls, Protocol::Auto, (true, HOST)), None).unwrap();
    assert!(dial(&site.table(), &clients).is_ok());
}

#[test]
fn the_pools_certificate_names_us() {
    let (ca, ours) = (Ca::new(), Ca::new());
    let (mut site, tls) = backend(&ca, &[HOST]);
    let file = site.write("ours.pem", &ours.pem);
    site.listeners = vec![listener(true, true, Some(&file))];
    let table = site.table();
    let own = ours.pair(&["nearside"]);
    let client = (site.write("own.crt", &own.cert), site.write("own.key", &own.key));
    let named = BackendTls { client: Some(client), ..tls.clone() };
    let clients = load(&generation(named, Protocol::Auto, (true, HOST)), None).unwrap();
    assert!(dial(&table, &clients).unwrap().client_named);
    let clients = load(&generation(tls, Protocol::Auto, (true, HOST)), None).unwrap();
    assert_eq!(dial(&table, &clients).unwrap_err(), alert(AlertDescription::CertificateRequired));
}

#[test]
fn alpn_follows_the_pools_protocol() {
    let ca = Ca::new();
    let (site, tls) = backend(&ca, &[HOST]);
    let table = site.table();
    for (protocol, expected) in [(Protocol::Auto, "h2"), (Protocol::H1, "http/1.1"), (Protocol::H2, "h2")] {
        let clients = load(&generation(tls.clone(), protocol, (true, HOST)), None).unwrap();
        assert_eq!(dial(&table, &clients).unwrap().alpn.as_deref(), Some(expected.as_bytes()));
    }
}

#[test]
fn a_pool_without_tls_needs_nothing() {
    let absent = BackendTls { ca: Some("/absent.pem".into()), ..BackendTls::default() };
    let clients = load(&generation(absent, Protocol::Auto, (false, HOST)), None).unwrap();
    assert!(clients.pool(PoolId::new(0)).is_none());
    assert!(clients.server_name(BackendId::new(0)).is_none());
}

#[test]
fn an_unchanged_pool_keeps_its_sessions_over_a_reload() {
    let ca = Ca::new();
    let (site, tls) = backend(&ca, &[HOST]);
    let same = generation(tls.clone(), Protocol::Auto, (true, HOST));
    let before = load(&same, None).unwrap();
    let config = |table: &ClientTable| Arc::clone(&table.backend(BackendId::new(0)).unwrap().config);
    assert!(Arc::ptr_eq(&config(&before), &config(&load(&same, Some(&before)).unwrap())));
    site.write("ca.pem", &Ca::new().pem);
    assert!(!Arc::ptr_eq(&config(&before), &config(&load(&same, Some(&before)).unwrap())));
    let other = generation(tls, Protocol::H1, (true, HOST));
    assert!(!Arc::ptr_eq(&config(&before), &config(&load(&other, Some(&before)).unwrap())));
}

#[test]
fn backends_of_one_name_keep_their_sessions_apart() {
    let ca = Ca::new();
    let (site, tls) = backend(&ca, &[HOST]);
    let table = site.table();
    let clients = load(&generation(tls, Protocol::Auto, (true, HOST)), None).unwrap();
    let [a, b] = [0, 1].map(BackendId::new);
    let resumed = |id| dial_one(&table, &clients, id).unwrap().resumed;
    // What one has given would be worth nothing to the other, and be used up there.
    assert_eq!([a, b, a, b].map(resumed), [false, false, true, true]);
}

#[test]
fn every_wrong_file_and_name_of_a_pool_is_reported() {
    let ca = Ca::new();
    let (site, _) = backend(&ca, &[HOST]);
    let tls = BackendTls {
        sni: Some("not a name".into()),
        insecure: false,
        ca: Some(site.path("absent.pem")),
        client: Some((site.path("own.crt"), site.path("own.key"))),
    };
    assert_eq!(
        messages(&generation(tls, Protocol::Auto, (true, HOST))),
        ["pools.web.tls.client_cert own.crt", "pools.web.tls.ca absent.pem", "pools.web.tls.sni ",]
    );
}

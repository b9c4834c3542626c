//! The local authority of development.

use crate::kit::{Ca, Site, alert, client, roots, shake};
use nearside_core::host::Pattern;
use rustls::{AlertDescription, ClientConfig};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

fn site(hosts: &[&str]) -> Site {
    let mut site = Site::new();
    site.tls.self_signed = true;
    site.hosts = hosts.iter().map(|host| Pattern::parse(host).unwrap()).collect();
    site
}

/// A client that trusts what the state folder offers.
fn trusting(site: &Site) -> Arc<ClientConfig> {
    Arc::new(client(roots(&fs::read_to_string(site.path("state/ca.pem")).unwrap())))
}

#[test]
fn it_signs_for_hosts_of_routes_and_for_no_others() {
    let site = site(&["www.example.com", "*.apps.example.com"]);
    let table = site.table();
    assert_eq!(table.authority_file(), Some(site.path("state/ca.pem").as_path()));
    let client = trusting(&site);
    for name in ["www.example.com", "apps.example.com", "a.apps.example.com", "a.b.apps.example.com"] {
        let result = shake(&table, &client, name).map(drop);
        let expected = match name {
            // A wildcard route serves what is below it.
            "apps.example.com" => Err(alert(AlertDescription::UnrecognisedName)),
            _ => Ok(()),
        };
        assert_eq!(result, expected, "{name}");
    }
    let refused = shake(&table, &client, "api.example.com");
    assert_eq!(refused.unwrap_err(), alert(AlertDescription::UnrecognisedName));
}

#[test]
fn for_a_route_of_any_host_it_signs_on_demand_and_keeps_what_it_signed() {
    let site = site(&["*"]);
    let table = site.table();
    let client = trusting(&site);
    let certificate = |name: &str| shake(&table, &client, name).unwrap().certificate;
    let first = certificate("one.test");
    assert_ne!(certificate("two.test"), first);
    let fresh = trusting(&site);
    assert_eq!(shake(&table, &fresh, "one.test").unwrap().certificate, first);
}

#[test]
fn clients_without_a_name_get_the_names_of_this_machine() {
    let site = site(&["*"]);
    let table = site.table();
    let client = trusting(&site);
    for name in ["127.0.0.1", "::1"] {
        assert!(shake(&table, &client, name).is_ok(), "{name}");
    }
}

#[test]
fn a_host_with_a_certificate_keeps_it() {
    let ca = Ca::new();
    let pair = ca.pair(&["www.example.com"]);
    let mut site = site(&["www.example.com", "api.example.com"]);
    site.write("certs/www.pem", &pair.both());
    site.pattern();
    let table = site.table();
    let session = shake(&table, &Arc::new(client(ca.roots())), "www.example.com").unwrap();
    assert_eq!(session.certificate, pair.der());
    assert!(shake(&table, &trusting(&site), "api.example.com").is_ok());
}

#[test]
fn it_is_the_same_authority_next_time_and_its_key_is_private() {
    let site = site(&["www.example.com"]);
    let first = site.table();
    let client = trusting(&site);
    let again = site.table();
    assert!(!shake(&again, &client, "www.example.com").unwrap().resumed);
    assert!(shake(&first, &client, "www.example.com").unwrap().resumed, "a reload keeps sessions");
    assert_eq!(first.identity(), again.identity());
    let mode = |name: &str| fs::metadata(site.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("state/ca.key"), mode("state/ca.pem")), (0o600, 0o644));
}

#[test]
fn a_lost_or_foreign_ca_file_is_made_again_from_the_key() {
    let site = site(&["www.example.com"]);
    drop(site.table());
    let before = trusting(&site);
    for content in [None, Some(Ca::new().pem)] {
        match content {
            None => fs::remove_file(site.path("state/ca.pem")).unwrap(),
            Some(pem) => drop(site.write("state/ca.pem", &pem)),
        }
        let table = site.table();
        assert!(shake(&table, &trusting(&site), "www.example.com").is_ok());
        assert!(shake(&table, &before, "www.example.com").is_ok(), "who trusted it before still does");
    }
}

#[test]
fn what_it_signed_is_signed_anew_before_it_expires() {
    let site = site(&["www.example.com"]);
    let table = site.table();
    let certificate =
        || shake(&table, &trusting(&site), "www.example.com").map(|session| session.certificate);
    let first = certificate().unwrap();
    site.hands.turn_hours(24 * 40);
    assert_eq!(certificate().unwrap(), first);
    site.hands.turn_hours(24 * 6);
    // Its dates lie ahead of the client's clock now, so only that it is another one can be seen here.
    assert_ne!(certificate().ok(), Some(first));
}

#[test]
fn a_broken_key_of_the_authority_says_what_to_do() {
    let site = site(&["www.example.com"]);
    site.write("state/ca.key", "not a key");
    let problems = site.problems();
    assert!(
        problems[0].starts_with("tls.self_signed: state/ca.pem has no usable key beside it"),
        "{problems:?}"
    );
}

//! Which sessions resume where.

use crate::careless;
use crate::kit::{Ca, Pair, Session, Site, alert, client, client_as, client_with, listener, shake, shake_at};
use nearside_tls::Table;
use rustls::{AlertDescription, ClientConfig, Error, version};
use std::sync::Arc;

const OLD: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const NEW: &str = "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const WWW: &str = "www.example.com";

/// A PoP with `pair` and a file of these fleet keys.
fn pop(pair: &Pair, keys: &str) -> Site {
    let mut site = Site::with(&[("www", pair)]);
    site.key_file = Some(site.write("fleet.key", keys));
    site
}

fn resumes(table: &Table, client: &Arc<ClientConfig>) -> bool {
    shake(table, client, WWW).unwrap().resumed
}

fn careless(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.resumption = careless::resumption();
    Arc::new(config)
}

#[test]
fn a_session_resumes_at_another_pop_with_the_same_keys() {
    let ca = Ca::new();
    let pair = ca.pair(&[WWW]);
    let (here, there) = (pop(&pair, OLD).table(), pop(&pair, OLD).table());
    for version in [&version::TLS13, &version::TLS12] {
        let client = Arc::new(client_with(ca.roots(), &[version], &[]));
        assert!(!resumes(&here, &client), "{version:?}");
        assert!(resumes(&there, &client), "{version:?}");
        assert!(resumes(&here, &client), "{version:?}");
    }
}

#[test]
fn one_handshake_brings_one_ticket() {
    let ca = Ca::new();
    let table = Site::with(&[("www", &ca.pair(&[WWW]))]).table();
    assert_eq!(shake(&table, &Arc::new(client(ca.roots())), WWW).unwrap().tickets, 1);
}

#[test]
fn a_session_resumes_after_a_reload_but_not_with_other_keys() {
    let ca = Ca::new();
    let pair = ca.pair(&[WWW]);
    let local = Site::with(&[("www", &pair)]);
    let client = careless(client(ca.roots()));
    assert!(!resumes(&local.table(), &client));
    assert!(resumes(&local.table(), &client), "the state folder keeps the key");
    assert!(!resumes(&Site::with(&[("www", &pair)]).table(), &client), "another PoP has another");
    assert!(!resumes(&pop(&pair, OLD).table(), &client));
    assert!(!resumes(&pop(&pair, NEW).table(), &client));
}

#[test]
fn the_first_key_signs_and_all_verify() {
    let ca = Ca::new();
    let pair = ca.pair(&[WWW]);
    let client = careless(client(ca.roots()));
    let [old, both, reversed, new] =
        [OLD.to_owned(), format!("{OLD}\n{NEW}"), format!("{NEW}\n{OLD}"), NEW.to_owned()]
            .map(|keys| pop(&pair, &keys).table());
    assert!(!resumes(&old, &client));
    assert!(resumes(&reversed, &client), "a ticket of the old key opens, the next is of the new one");
    assert!(resumes(&both, &client), "a PoP that signs with the old key opens one of the new");
    assert!(resumes(&reversed, &client));
    assert!(resumes(&new, &client));
    assert!(!resumes(&old, &client));
}

#[test]
fn keys_turn_every_12_hours_and_neighbours_are_accepted() {
    let ca = Ca::new();
    let site = pop(&ca.pair(&[WWW]), OLD);
    let table = site.table();
    let after = |hours| {
        let client = careless(client(ca.roots()));
        assert!(!resumes(&table, &client));
        site.hands.turn_hours(hours);
        resumes(&table, &client)
    };
    assert!(after(12), "the last epoch's");
    assert!(after(-12), "the next epoch's, where clocks differ");
    assert!(!after(24));
    assert!(!after(-24));
}

#[test]
fn a_session_of_one_name_is_none_of_another() {
    let ca = Ca::new();
    let (shared, other) = (ca.pair(&["a.example.com", "b.example.com"]), ca.pair(&["c.example.com"]));
    let table = Site::with(&[("shared", &shared), ("other", &other)]).table();
    for version in [&version::TLS13, &version::TLS12] {
        let resumed = |second: &str| {
            let client = careless(client_with(ca.roots(), &[version], &[]));
            assert!(!shake(&table, &client, "a.example.com").unwrap().resumed);
            shake(&table, &client, second).unwrap().resumed
        };
        assert!(resumed("a.example.com"), "the careless client does resume where it may");
        assert!(!resumed("b.example.com"), "same certificate");
        assert!(!resumed("c.example.com"), "another certificate");
    }
}

#[test]
fn a_replaced_certificate_is_seen_by_everyone_at_once() {
    let ca = Ca::new();
    let (old, new) = (ca.pair(&[WWW]), ca.pair(&[WWW]));
    let site = Site::with(&[("www", &old)]);
    let client = careless(client(ca.roots()));
    assert!(!resumes(&site.table(), &client));
    site.write("certs/www.pem", &new.both());
    let session = shake(&site.table(), &client, WWW).unwrap();
    assert!(!session.resumed);
    assert_eq!(session.certificate, new.der());
}

#[test]
fn a_session_of_one_client_authority_is_none_of_another() {
    let (ca, ours, theirs) = (Ca::new(), Ca::new(), Ca::new());
    let mut site = pop(&ca.pair(&[WWW]), OLD);
    let (ours_file, theirs_file) = (site.write("ours.pem", &ours.pem), site.write("theirs.pem", &theirs.pem));
    site.listeners = vec![
        listener(true, true, None),
        listener(true, true, Some(&ours_file)),
        listener(true, true, Some(&theirs_file)),
    ];
    let table = site.table();
    let own = ours.pair(&["employee"]);
    let at = |listener, client: &Arc<ClientConfig>| shake_at(&table, listener, client, WWW);
    let seen = |result: Result<Session, Error>| result.map(|session| (session.resumed, session.client_named));

    let named = careless(client_as(ca.roots(), &own));
    assert_eq!(seen(at(1, &named)), Ok((false, true)));
    assert_eq!(seen(at(1, &named)), Ok((true, true)), "who it is stays known");
    assert_eq!(seen(at(2, &named)), Err(alert(AlertDescription::UnknownCA)), "their listener wants theirs");

    let unnamed = careless(client(ca.roots()));
    assert_eq!(seen(at(0, &unnamed)), Ok((false, false)));
    assert_eq!(seen(at(1, &unnamed)), Err(alert(AlertDescription::CertificateRequired)));
    assert_eq!(seen(at(0, &unnamed)), Ok((false, false)), "the refused try used its only ticket up");
    assert_eq!(seen(at(0, &unnamed)), Ok((true, false)));
}

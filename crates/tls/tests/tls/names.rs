//! Which certificate a name gets.

use crate::kit::{Ca, Site, alert, client, client_with, listener, shake, shake_at};
use nearside_core::host::Pattern;
use rustls::{AlertDescription, CipherSuite, Error, NamedGroup, ProtocolVersion, version};
use std::sync::Arc;

#[test]
fn each_name_gets_its_own_certificate() {
    let ca = Ca::new();
    let (one, other) = (ca.pair(&["a.example.com"]), ca.pair(&["b.example.com", "c.example.com"]));
    let table = Site::with(&[("a", &one), ("b", &other)]).table();
    let client = Arc::new(client(ca.roots()));
    for (name, pair) in [("a.example.com", &one), ("b.example.com", &other), ("C.Example.COM", &other)] {
        assert_eq!(shake(&table, &client, name).unwrap().certificate, pair.der(), "{name}");
    }
}

#[test]
fn a_wildcard_stands_for_one_label_and_an_exact_name_goes_first() {
    let ca = Ca::new();
    let (exact, wild) = (ca.pair(&["www.example.com"]), ca.pair(&["*.example.com"]));
    let table = Site::with(&[("a-wild", &wild), ("exact", &exact)]).table();
    let client = Arc::new(client(ca.roots()));
    let certificate = |name: &str| shake(&table, &client, name).map(|session| session.certificate);
    assert_eq!(certificate("www.example.com"), Ok(exact.der()));
    assert_eq!(certificate("api.example.com"), Ok(wild.der()));
    for name in ["example.com", "a.b.example.com"] {
        assert_eq!(certificate(name), Err(alert(AlertDescription::UnrecognisedName)), "{name}");
    }
}

#[test]
fn an_unknown_name_is_refused_even_beside_a_default() {
    let ca = Ca::new();
    let pair = ca.pair(&["www.example.com"]);
    let mut site = Site::new();
    site.explicit("www", &pair, &[], true);
    let refused = shake(&site.table(), &Arc::new(client(ca.roots())), "other.example.com");
    assert_eq!(refused.unwrap_err(), alert(AlertDescription::UnrecognisedName));
}

#[test]
fn a_client_without_a_name_gets_the_default_or_is_refused() {
    let ca = Ca::new();
    let pair = ca.pair(&["www.example.com"]);
    let mut unnamed = client(ca.roots());
    unnamed.enable_sni = false;
    let unnamed = Arc::new(unnamed);
    let mut site = Site::with(&[("www", &pair)]);
    let refused = shake(&site.table(), &unnamed, "www.example.com");
    assert_eq!(refused.unwrap_err(), alert(AlertDescription::UnrecognisedName));

    site.explicit("default", &ca.pair(&["other.example.com", "www.example.com"]), &[], true);
    assert!(shake(&site.table(), &unnamed, "other.example.com").is_ok());
}

#[test]
fn hosts_replace_the_names_of_the_certificate() {
    let ca = Ca::new();
    let pair = ca.pair(&["www.example.com", "api.example.com"]);
    let mut site = Site::new();
    site.explicit("www", &pair, &["api.example.com"], false);
    let (table, client) = (site.table(), Arc::new(client(ca.roots())));
    assert!(shake(&table, &client, "api.example.com").is_ok());
    assert!(shake(&table, &client, "www.example.com").is_err());
}

#[test]
fn a_key_may_stand_beside_its_certificate() {
    let ca = Ca::new();
    let pair = ca.pair(&["www.example.com"]);
    let mut site = Site::new();
    site.write("certs/www.pem", &pair.cert);
    site.write("certs/www.key", &pair.key);
    site.pattern();
    assert!(shake(&site.table(), &Arc::new(client(ca.roots())), "www.example.com").is_ok());
}

#[test]
fn of_two_certificates_for_a_name_the_longer_one_serves_unless_one_is_named_by_itself() {
    let ca = Ca::new();
    let names = ["www.example.com"];
    let (old, new) = (ca.pair_between(&names, -300, 60), ca.pair_between(&names, -1, 365));
    let mut site = Site::with(&[("1-old", &old), ("2-new", &new)]);
    let client = Arc::new(client(ca.roots()));
    let certificate = |site: &Site| shake(&site.table(), &client, "www.example.com").unwrap().certificate;
    assert_eq!(certificate(&site), new.der());
    assert_eq!(site.warnings(), ["tls.certificates[0]: certs/1-old.pem is not used for www.example.com"]);

    let named = ca.pair_between(&names, -1, 30);
    site.explicit("named", &named, &[], false);
    assert_eq!(certificate(&site), named.der());
}

#[test]
fn both_versions_are_spoken_unless_the_profile_says_1_3() {
    let ca = Ca::new();
    let mut site = Site::with(&[("www", &ca.pair(&["www.example.com"]))]);
    let old = Arc::new(client_with(ca.roots(), &[&version::TLS12], &[]));
    let new = Arc::new(client_with(ca.roots(), &[&version::TLS13], &[]));
    let version =
        |site: &Site, client| shake(&site.table(), client, "www.example.com").map(|session| session.version);
    assert_eq!(version(&site, &old), Ok(ProtocolVersion::TLSv1_2));
    assert_eq!(version(&site, &new), Ok(ProtocolVersion::TLSv1_3));
    site.tls.tls13_only = true;
    assert_eq!(version(&site, &old), Err(alert(AlertDescription::ProtocolVersion)));
    assert_eq!(version(&site, &new), Ok(ProtocolVersion::TLSv1_3));
}

#[test]
fn a_listener_offers_its_protocols_and_refuses_others() {
    let ca = Ca::new();
    let mut site = Site::with(&[("www", &ca.pair(&["www.example.com"]))]);
    site.listeners = vec![listener(true, true, None), listener(false, true, None)];
    let table = site.table();
    let alpn = |listener, offered: &[&str]| {
        let mut client = client(ca.roots());
        client.alpn_protocols = offered.iter().map(|name| (*name).into()).collect();
        shake_at(&table, listener, &Arc::new(client), "www.example.com").map(|session| session.alpn)
    };
    assert_eq!(alpn(0, &["http/1.1", "h2"]), Ok(Some(b"h2".to_vec())));
    assert_eq!(alpn(0, &["http/1.1"]), Ok(Some(b"http/1.1".to_vec())));
    assert_eq!(alpn(1, &["h2", "http/1.1"]), Ok(Some(b"http/1.1".to_vec())));
    assert_eq!(alpn(0, &[]), Ok(None));
    let refused: Error = alert(AlertDescription::NoApplicationProtocol);
    assert_eq!(alpn(0, &["spdy/3"]), Err(refused.clone()));
    assert_eq!(alpn(1, &["h2"]), Err(refused));
}

#[test]
fn aes_128_goes_first_unless_the_client_puts_chacha20_first() {
    let ca = Ca::new();
    let table = Site::with(&[("www", &ca.pair(&["www.example.com"]))]).table();
    let [aes128, aes256, chacha] = [
        CipherSuite::TLS13_AES_128_GCM_SHA256,
        CipherSuite::TLS13_AES_256_GCM_SHA384,
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
    ];
    let suite = |offered: &[CipherSuite]| {
        let client = client_with(ca.roots(), &[&version::TLS13], offered);
        shake(&table, &Arc::new(client), "www.example.com").unwrap().suite
    };
    assert_eq!(suite(&[aes256, aes128, chacha]), aes128);
    assert_eq!(suite(&[chacha, aes256, aes128]), chacha);
    assert_eq!(suite(&[aes256, chacha]), aes256);
}

#[test]
fn the_hybrid_key_exchange_is_had_by_clients_that_ask_for_it() {
    let ca = Ca::new();
    let table = Site::with(&[("www", &ca.pair(&["www.example.com"]))]).table();
    let session = shake(&table, &Arc::new(client(ca.roots())), "www.example.com").unwrap();
    assert_eq!(session.group, Some(NamedGroup::X25519MLKEM768));
}

#[test]
fn a_connection_covers_the_hosts_of_its_certificate() {
    let ca = Ca::new();
    let (both, other) = (ca.pair(&["a.example.com", "*.b.example.com"]), ca.pair(&["c.example.com"]));
    let table = Site::with(&[("both", &both), ("other", &other)]).table();
    assert!(table.covers(Some("a.example.com"), "a.example.com"));
    assert!(table.covers(Some("a.example.com"), "x.b.example.com"));
    assert!(!table.covers(Some("a.example.com"), "c.example.com"));
    assert!(!table.covers(Some("a.example.com"), "unknown.example.com"));
    assert!(table.covers(None, "c.example.com"));
}

#[test]
fn a_host_of_a_route_without_a_certificate_is_a_warning() {
    let ca = Ca::new();
    let mut site = Site::with(&[("www", &ca.pair(&["www.example.com", "*.apps.example.com"]))]);
    let hosts =
        ["www.example.com", "*.apps.example.com", "*.example.com", "api.example.com", "*", "*.other.org"];
    site.hosts = hosts.iter().map(|host| Pattern::parse(host).unwrap()).collect();
    let expected = "tls.certificates: no certificate certifies *.other.org, api.example.com: its TLS clients \
                    are refused";
    assert_eq!(site.warnings(), [expected]);
}

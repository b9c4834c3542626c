//! Clients that have to name themselves.

use crate::kit::{Ca, Pair, Site, alert, client, client_as, listener, shake};
use rustls::AlertDescription;
use std::sync::Arc;

const WWW: &str = "www.example.com";

#[test]
fn a_listener_with_client_ca_wants_a_certificate_of_that_authority() {
    let (ca, staff, stranger) = (Ca::new(), Ca::new(), Ca::new());
    let mut site = Site::with(&[("www", &ca.pair(&[WWW]))]);
    let file = site.write("staff.pem", &staff.pem);
    site.listeners = vec![listener(true, true, Some(&file))];
    let table = site.table();
    let named =
        |pair: &Pair| shake(&table, &Arc::new(client_as(ca.roots(), pair)), WWW).map(|s| s.client_named);
    assert_eq!(named(&staff.pair(&["employee"])), Ok(true));
    assert_eq!(named(&stranger.pair(&["employee"])), Err(alert(AlertDescription::UnknownCA)));
    assert_eq!(
        named(&staff.pair_between(&["employee"], -9, -1)),
        Err(alert(AlertDescription::CertificateExpired))
    );
    let unnamed = shake(&table, &Arc::new(client(ca.roots())), WWW);
    assert_eq!(unnamed.unwrap_err(), alert(AlertDescription::CertificateRequired));
}

#[test]
fn a_wrong_client_ca_is_a_problem_of_its_listener() {
    let ca = Ca::new();
    let mut site = Site::with(&[("www", &ca.pair(&[WWW]))]);
    let key_only = site.write("key.pem", &ca.pair(&["x"]).key);
    site.listeners = vec![
        listener(true, true, None),
        listener(true, true, Some(&site.path("absent.pem"))),
        listener(true, true, Some(&key_only)),
    ];
    assert_eq!(
        site.problems(),
        [
            "listeners[1].client_ca: absent.pem does not exist",
            "listeners[2].client_ca: key.pem holds no certificate",
        ]
    );
}

//! What is wrong with files, and that all of it is said at once.

use crate::kit::{Ca, Site};
use nearside_core::generation::CertificateSource;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn www(ca: &Ca) -> crate::kit::Pair {
    ca.pair(&["www.example.com"])
}

#[test]
fn every_problem_is_reported_at_once() {
    let ca = Ca::new();
    let (one, other) = (www(&ca), www(&ca));
    let mut site = Site::new();
    site.write("certs/1-garbage.pem", "hello");
    site.write("certs/2-no-key.pem", &one.cert);
    site.write("certs/3-key-only.pem", &one.key);
    site.write("certs/4-mismatch.pem", &format!("{}{}", one.cert, other.key));
    site.write("certs/5-expired.pem", &ca.pair_between(&["old.example.com"], -90, -3).both());
    site.write("certs/6-cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n");
    site.write(
        "certs/7-not-a-certificate.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    fs::create_dir(site.path("certs/8-folder.pem")).unwrap();
    site.write("certs/9-no-names.pem", &ca.pair(&[]).both());
    site.pattern();
    let problems = site.problems();
    let expected = [
        "certs/1-garbage.pem is not PEM",
        "certs/2-no-key.pem holds no private key, and none stands beside it",
        "certs/3-key-only.pem holds no certificate",
        "certs/4-mismatch.pem holds a key that does not belong to the certificate in certs/4-mismatch.pem",
        "certs/5-expired.pem holds a certificate that expired 2 days ago",
        "certs/6-cut.pem is no valid PEM file",
        "certs/7-not-a-certificate.pem holds no private key",
        "certs/7-not-a-certificate.pem holds a certificate that cannot be read",
        "certs/8-folder.pem is a directory",
        "certs/9-no-names.pem holds a certificate that names no host",
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.starts_with(&format!("tls.certificates[0]: {expected}")), "{problem}");
    }
}

#[test]
fn a_key_that_has_lost_its_line_ends_is_not_told() {
    let pair = www(&Ca::new());
    for lost in ["", " ", "\\n"] {
        let mut site = Site::new();
        site.explicit("www", &pair, &[], false);
        let broken = pair.key.trim_end().replace('\n', lost);
        site.write("www.key", &broken);
        let told = site.problems().join("\n");
        let secret = pair.key.lines().nth(1).unwrap();
        let as_numbers = format!("{:?}", secret.as_bytes());
        assert!(told.starts_with("tls.certificates[0].key: www.key "), "{told}");
        assert!(
            !told.contains(secret.get(..16).unwrap()) && !told.contains(as_numbers.trim_matches(['[', ']'])),
            "{told}"
        );
    }
}

#[test]
fn a_pair_names_the_file_that_is_wrong() {
    let ca = Ca::new();
    let mut site = Site::new();
    site.explicit("www", &www(&ca), &[], false);
    site.write("www.key", &www(&ca).key);
    assert_eq!(
        site.problems(),
        ["tls.certificates[0].key: www.key holds a key that does not belong to the certificate in www.crt"]
    );
    site.write("www.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    assert!(
        site.problems()[0]
            .starts_with("tls.certificates[0].key: www.key holds a private key that cannot be used")
    );
    site.write("www.key", &www(&ca).cert);
    assert_eq!(site.problems(), ["tls.certificates[0].key: www.key holds no private key"]);
    fs::remove_file(site.path("www.key")).unwrap();
    assert_eq!(site.problems(), ["tls.certificates[0].key: www.key does not exist"]);
    fs::remove_file(site.path("www.crt")).unwrap();
    assert_eq!(site.problems(), ["tls.certificates[0].cert: www.crt does not exist"]);
}

#[test]
fn a_key_with_a_passphrase_says_how_to_take_it_off() {
    let ca = Ca::new();
    let mut site = Site::new();
    site.explicit("www", &www(&ca), &[], false);
    site.write(
        "www.key",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let problems = site.load().unwrap_err();
    assert!(problems[0].message.ends_with("holds a key that is protected by a passphrase"));
    assert!(problems[0].hint.contains("openssl pkey"));
    assert_eq!(problems[0].path, site.path("www.key"));
}

#[test]
fn a_pattern_that_matches_nothing_is_a_problem_and_hidden_files_do_not_match() {
    let ca = Ca::new();
    let mut site = Site::new();
    site.pattern();
    assert_eq!(site.problems(), ["tls.certificates[0]: certs/*.pem matches no file"]);
    site.write("certs/.hidden.pem", &www(&ca).both());
    assert_eq!(site.problems().len(), 1);
    site.source(CertificateSource::Pattern(site.path("certs/absent.pem")));
    assert_eq!(site.problems()[1], "tls.certificates[1]: certs/absent.pem does not exist");
    site.source(CertificateSource::Pattern(site.path("certs/***.pem")));
    assert!(site.problems()[2].starts_with("tls.certificates[2]: certs/***.pem is no pattern"));
}

#[test]
fn a_large_file_and_a_pipe_are_not_read() {
    let ca = Ca::new();
    let mut site = Site::with(&[("www", &www(&ca))]);
    site.write("certs/big.pem", &"x".repeat(2 << 20));
    assert_eq!(site.problems(), ["tls.certificates[0]: certs/big.pem is larger than 1 MiB"]);
    site.source(CertificateSource::Pattern("/dev/null".into()));
    assert!(site.problems()[1].contains("/dev/null cannot be read: it is no regular file"));
}

#[test]
fn a_listener_that_speaks_tls_needs_a_certificate() {
    let mut site = Site::new();
    assert_eq!(site.problems(), ["tls.certificates: a listener speaks TLS, and there is no certificate"]);
    site.listeners.clear();
    assert_eq!(site.problems(), [""; 0]);
}

#[test]
fn only_one_certificate_is_the_default() {
    let ca = Ca::new();
    let mut site = Site::new();
    site.explicit("one", &ca.pair(&["one.example.com"]), &[], true);
    site.explicit("two", &ca.pair(&["two.example.com"]), &[], true);
    assert_eq!(site.problems(), ["tls.certificates[1].default: one.crt is the default already"]);
}

#[test]
fn hosts_are_host_names_that_the_certificate_certifies() {
    let ca = Ca::new();
    let mut site = Site::new();
    site.explicit("www", &ca.pair(&["*.example.com"]), &["www.example.com", "example.org"], false);
    assert_eq!(
        site.warnings(),
        [
            "tls.certificates[0].hosts[1]: www.crt holds a certificate that does not certify example.org: clients \
          refuse it there"
        ]
    );
    site.explicit("bad", &ca.pair(&["*.example.com"]), &["not a host", "*"], false);
    assert_eq!(
        site.problems(),
        [
            "tls.certificates[1].hosts[0]: \"not a host\" is no host name",
            "tls.certificates[1].hosts[1]: \"*\" is no host name",
        ]
    );
}

#[test]
fn dates_that_come_near_are_warnings() {
    let ca = Ca::new();
    let names = ["www.example.com"];
    let warnings = |from, to| Site::with(&[("www", &ca.pair_between(&names, from, to))]).warnings();
    assert_eq!(warnings(-1, 15), [""; 0]);
    assert_eq!(
        warnings(-1, 13),
        ["tls.certificates[0]: certs/www.pem holds a certificate that expires in 13 days"]
    );
    assert_eq!(
        warnings(2, 90),
        ["tls.certificates[0]: certs/www.pem holds a certificate that is not valid yet: clients refuse it"]
    );
}

#[test]
fn a_chain_beyond_a_first_flight_is_a_warning() {
    let ca = Ca::new();
    let (pair, site) = (www(&ca), Site::with(&[("www", &www(&ca))]));
    let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().len();
    let warnings = |above: usize| {
        site.write("certs/www.pem", &format!("{}{}{}", pair.cert, ca.pem.repeat(above), pair.key));
        site.warnings()
    };
    let above = (10 * 1024 - der(&pair.cert)) / der(&ca.pem);
    assert_eq!(warnings(above), [""; 0]);
    let bytes = der(&pair.cert) + (above + 1) * der(&ca.pem);
    assert_eq!(
        warnings(above + 1),
        [format!(
            "tls.certificates[0]: certs/www.pem holds a chain of {bytes} bytes: each full handshake takes a round trip more"
        )]
    );
}

#[test]
fn a_key_that_others_can_read_is_a_warning() {
    let ca = Ca::new();
    let mut site = Site::with(&[("www", &www(&ca))]);
    let open = |site: &Site, name: &str, mode| {
        fs::set_permissions(site.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    open(&site, "certs/www.pem", 0o640);
    assert_eq!(site.warnings(), [""; 0]);
    open(&site, "certs/www.pem", 0o644);
    assert_eq!(site.warnings(), ["tls.certificates[0]: certs/www.pem holds a key that others can read"]);
    site.explicit("api", &ca.pair(&["api.example.com"]), &[], false);
    open(&site, "api.crt", 0o644);
    open(&site, "api.key", 0o604);
    assert_eq!(site.warnings()[1..], ["tls.certificates[1].key: api.key holds a key that others can read"]);
}

#[test]
fn the_identity_follows_content_not_place() {
    let ca = Ca::new();
    let (one, other) = (www(&ca), www(&ca));
    let identity = |site: &Site| site.table().identity();
    let site = Site::with(&[("www", &one)]);
    let before = identity(&site);
    assert_eq!(
        before,
        identity(&Site::with(&[("elsewhere", &one)])),
        "another PoP, another folder and local key"
    );
    assert_ne!(before, identity(&Site::with(&[("www", &other)])));
    let api = ca.pair(&["api.example.com"]);
    assert_eq!(
        identity(&Site::with(&[("1", &one), ("2", &api)])),
        identity(&Site::with(&[("1", &api), ("2", &one)])),
        "another order"
    );
    let mut with_default = Site::new();
    with_default.explicit("www", &one, &[], true);
    assert_ne!(before, identity(&with_default));
    let mut keyed = Site::with(&[("www", &one)]);
    keyed.key_file = Some(keyed.write("fleet.key", &"ab".repeat(32)));
    assert_ne!(before, identity(&keyed));
}

//! What homes are signed with: each kind of key, and what it must not be taken in by.

use crate::kit::Site;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use data_encoding::BASE64URL_NOPAD;
use nearside_core::home::{Home, HomeKey};
use nearside_core::host::Pattern;
use nearside_core::table::Table;
use nearside_core::{Generation, PoolId, Route, RouteId};
use nearside_tls::{Doubt, Homes};
use proptest::prelude::{any, prop_assert_eq};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize, SigningKey};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

const NOW: u64 = 1_790_000_000;

/// An RSA key that is too short, and a key of another curve.
const SHORT: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDJegWh9InN6jpovOZBcL1rOUNJ
PGumQIkCS4iIok1bmM6/hINjACFX4CLgnBP5BBmqoWaPaBbaTPWeP6g5v72CiJD/
OYlTIQTCYBsbYgXL6jikZKFLGSOnrhMIPXpTvJBkWm/dGsbocErNXH3NvSjnMLAV
0kn99+pLCsmD++KzLQIDAQAB
-----END PUBLIC KEY-----
";
const P384: &str = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEv8Nb/UXuKGtvgw8vuIxneLMgyMErcvXa
085HXUXx69fSX32OfZfMqiOmjEIHnVcMWcpP8qp170Ei1sLsNkoSr4g20nQWxq8U
vBHN++qMTsYeMV6Kz2K7M51rF3VVhWgF
-----END PUBLIC KEY-----
";

/// Who signs.
enum Signer {
    Secret(Vec<u8>),
    Pair(KeyPair),
}

impl Signer {
    fn secret(byte: u8) -> Self {
        Self::Secret(vec![byte; 32])
    }

    fn all() -> Vec<Self> {
        let rsa = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let [ed, ec] =
            [&PKCS_ED25519, &PKCS_ECDSA_P256_SHA256].map(|way| KeyPair::generate_for(way).unwrap());
        vec![Self::secret(7), Self::Pair(ed), Self::Pair(ec), Self::Pair(rsa)]
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Secret(_) => "HS256",
            Self::Pair(pair) if pair.algorithm() == &PKCS_ED25519 => "EdDSA",
            Self::Pair(pair) if pair.algorithm() == &PKCS_ECDSA_P256_SHA256 => "ES256",
            Self::Pair(_) => "RS256",
        }
    }

    /// The file that verifies.
    fn file(&self) -> String {
        match self {
            Self::Secret(secret) => format!("{}\n", BASE64URL_NOPAD.encode(secret)),
            Self::Pair(pair) => pair.public_key_pem(),
        }
    }

    fn sign(&self, message: &str) -> String {
        let signature = match self {
            Self::Secret(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
            }
            Self::Pair(pair) if self.algorithm() == "ES256" => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pair.serialized_der());
                pair.unwrap().sign(&SystemRandom::new(), message.as_bytes()).unwrap().as_ref().to_vec()
            }
            Self::Pair(pair) => pair.sign(message.as_bytes()).unwrap(),
        };
        BASE64URL_NOPAD.encode(&signature)
    }

    fn value(&self, value: &str) -> String {
        format!("{value}.{}", self.sign(value))
    }

    /// A token that says of itself that it is signed by `algorithm`.
    fn token(&self, algorithm: &str, claims: &str) -> String {
        let header = BASE64URL_NOPAD.encode(format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#).as_bytes());
        let signed = format!("{header}.{}", BASE64URL_NOPAD.encode(claims.as_bytes()));
        format!("{signed}.{}", self.sign(&signed))
    }
}

fn generation(keys: &[Option<HomeKey>]) -> Generation {
    let route = |key: &Option<HomeKey>| Route {
        home: Some(Home {
            from: Box::default(),
            map: Box::default(),
            verify: key.clone(),
            subject: None,
            refuse_unknown: false,
        }),
        ..Route::new("web", Pattern::Any, PoolId::new(0))
    };
    Generation { routes: Table::new(keys.iter().map(route).collect()), ..Generation::default() }
}

/// The homes of a route whose key file holds `text`.
fn homes(text: &str, key: fn(PathBuf) -> HomeKey) -> Result<Homes, Vec<String>> {
    let site = Site::new();
    site.write("home.key", text);
    let loaded = Homes::load(&generation(&[Some(key(site.path("home.key")))]));
    let told = |problem: &nearside_tls::Problem| {
        problem.to_string().replace(&format!("{}/", site.folder.path().display()), "")
    };
    loaded.map(|(homes, _)| homes).map_err(|problems| problems.iter().map(told).collect())
}

fn route() -> RouteId {
    RouteId::new(0)
}

fn kind(signer: &Signer) -> fn(PathBuf) -> HomeKey {
    if matches!(signer, Signer::Secret(_)) { HomeKey::Hmac } else { HomeKey::Public }
}

#[test]
fn each_kind_of_key_verifies_what_it_has_signed_and_nothing_else() {
    let signers = Signer::all();
    for signer in &signers {
        let homes = homes(&signer.file(), kind(signer)).unwrap();
        let name = signer.algorithm();
        assert_eq!(homes.value(route(), &signer.value("eu.1"), None), Ok("eu.1"), "{name}");
        let token = signer.token(name, r#"{"home":"eu1"}"#);
        assert_eq!(homes.claim(route(), &token, "home", NOW), Ok(Some("eu1".to_owned())), "{name}");
        for other in &signers {
            if other.algorithm() != name {
                assert_eq!(homes.value(route(), &other.value("eu1"), None), Err(Doubt::Forged));
                let token = other.token(other.algorithm(), r#"{"home":"eu1"}"#);
                assert_eq!(homes.claim(route(), &token, "home", NOW), Err(Doubt::Forged));
            }
        }
        let moved = signer.value("eu1").replace("eu1", "us1");
        for forged in [moved.as_str(), "eu1", "eu1.", ".", "eu1.AAAA", "eu1.=="] {
            assert_eq!(homes.value(route(), forged, None), Err(Doubt::Forged), "{name} {forged}");
        }
    }
}

#[test]
fn a_value_that_is_signed_for_one_user_is_of_no_use_to_another() {
    for signer in Signer::all() {
        let homes = homes(&signer.file(), kind(&signer)).unwrap();
        let ask = |text: &str, subject: &str| {
            homes.value(route(), text, Some(subject.as_bytes())).map(str::to_owned)
        };
        let hers = format!("eu1.{}", signer.sign("eu1\nsession-a"));
        assert_eq!(ask(&hers, "session-a"), Ok("eu1".to_owned()));
        for other in ["session-b", "session-", "session-a ", ""] {
            assert_eq!(ask(&hers, other), Err(Doubt::Forged), "{other}");
        }
        assert_eq!(
            homes.value(route(), &hers, None),
            Err(Doubt::Forged),
            "signed for one, where anyone's are taken"
        );
        assert_eq!(ask(&signer.value("eu1"), "session-a"), Err(Doubt::Forged), "signed for nobody");
        let nobody = format!("eu1.{}", signer.sign("eu1\n"));
        assert_eq!(ask(&nobody, ""), Err(Doubt::Forged), "who says nothing of oneself is nobody");
    }
}

#[test]
fn no_drawn_home_is_believed_but_what_was_signed_for_this_user() {
    let signer = Signer::secret(7);
    let homes = homes(&signer.file(), HomeKey::Hmac).unwrap();
    let drawn = ("[a-z]{1,4}", "[a-z]{0,4}", "[a-z]{1,4}", "[a-z]{0,4}", 0..3_u8, any::<bool>());
    let config = Config { cases: 3000, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let outcome = runner.run(&drawn, |(value, user, sent, asking, kind, same)| {
        let (sent, asking) = if same { (value.clone(), user.clone()) } else { (sent, asking) };
        let by = if kind == 0 { &Signer::secret(8) } else { &signer };
        let signed = if kind == 1 { value.clone() } else { format!("{value}\n{user}") };
        let text = format!("{sent}.{}", by.sign(&signed));
        let rightful = kind == 2 && sent == value && asking == user && !user.is_empty();
        let expected = if rightful { Ok(sent.as_str()) } else { Err(Doubt::Forged) };
        prop_assert_eq!(homes.value(route(), &text, Some(asking.as_bytes())), expected);
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn the_key_says_how_it_is_signed_and_no_token_does() {
    let claims = r#"{"home":"eu1"}"#;
    for signer in Signer::all() {
        let homes = homes(&signer.file(), kind(&signer)).unwrap();
        for algorithm in ["none", "None", "", "HS256", "HS384", "RS256", "PS256", "ES256", "EdDSA"] {
            if algorithm != signer.algorithm() {
                let token = signer.token(algorithm, claims);
                assert_eq!(homes.claim(route(), &token, "home", NOW), Err(Doubt::Forged), "{algorithm}");
            }
        }
        // What everybody knows of a public key is no secret to sign with.
        let public = Signer::Secret(signer.file().into_bytes());
        assert_eq!(homes.claim(route(), &public.token("HS256", claims), "home", NOW), Err(Doubt::Forged));
        let unsigned = signer.token("none", claims);
        let unsigned = format!("{}.", unsigned.rsplit_once('.').unwrap().0);
        assert_eq!(homes.claim(route(), &unsigned, "home", NOW), Err(Doubt::Forged));
    }
}

#[test]
fn a_token_holds_between_its_times_and_only_then() {
    let signer = Signer::secret(7);
    let homes = homes(&signer.file(), HomeKey::Hmac).unwrap();
    let claim = |claims: String| homes.claim(route(), &signer.token("HS256", &claims), "home", NOW);
    assert_eq!(claim(format!(r#"{{"home":"eu1","exp":{}}}"#, NOW + 1)), Ok(Some("eu1".to_owned())));
    assert_eq!(claim(format!(r#"{{"home":"eu1","exp":{NOW}}}"#)), Err(Doubt::Expired));
    assert_eq!(claim(format!(r#"{{"home":"eu1","nbf":{}}}"#, NOW + 3600)), Err(Doubt::Expired));
    assert_eq!(claim(r#"{"sub":"someone"}"#.to_owned()), Ok(None));
    assert_eq!(homes.claim(route(), "opaque", "home", NOW), Ok(None), "no token at all");
}

#[test]
fn several_keys_of_a_file_all_verify() {
    let (old, new) = (Signer::secret(1), Signer::secret(2));
    let secrets = homes(&format!("# new\n{}# old\n{}", new.file(), old.file()), HomeKey::Hmac).unwrap();
    let pairs = Signer::all();
    let text: String = pairs.iter().skip(1).map(Signer::file).collect();
    let public = homes(&text, HomeKey::Public).unwrap();
    for signer in [&old, &new] {
        assert_eq!(secrets.value(route(), &signer.value("eu1"), None), Ok("eu1"));
    }
    for signer in pairs.iter().skip(1) {
        let token = signer.token(signer.algorithm(), r#"{"home":"eu1"}"#);
        assert_eq!(public.claim(route(), &token, "home", NOW), Ok(Some("eu1".to_owned())));
    }
}

#[test]
fn a_route_without_a_key_takes_what_is_said_but_no_token_whose_time_is_over() {
    let (homes, _) = Homes::load(&generation(&[None])).unwrap();
    assert_eq!(homes.value(route(), "eu1.signature", None), Ok("eu1.signature"));
    let token = |claims: &str| Signer::secret(9).token("HS256", claims);
    assert_eq!(homes.claim(route(), &token(r#"{"home":"a"}"#), "home", NOW), Ok(Some("a".to_owned())));
    assert_eq!(homes.claim(route(), &token(r#"{"home":"a","exp":1}"#), "home", NOW), Err(Doubt::Expired));
}

#[test]
fn what_is_wrong_with_a_key_file_is_said() {
    let check = |text: &str, key: fn(PathBuf) -> HomeKey, expected: &str| {
        let problems = homes(text, key).unwrap_err();
        let name = match key(PathBuf::new()) {
            HomeKey::Hmac(_) => "hmac_key_file",
            HomeKey::Public(_) => "public_key_file",
        };
        let told = format!("routes[0].home.verify.{name}: home.key {expected}");
        assert!(problems[0].starts_with(&told), "{problems:?}");
    };
    let pair = KeyPair::generate().unwrap();
    check("", HomeKey::Public, "holds no public key");
    check("secret", HomeKey::Public, "holds no public key");
    check(&pair.serialize_pem(), HomeKey::Public, "holds a private key");
    check(SHORT, HomeKey::Public, "holds an RSA key of 1024 bits, which is too short");
    check(P384, HomeKey::Public, "holds a key that is neither Ed25519, nor ECDSA with P-256, nor RSA");
    check("-----BEGIN PUBLIC KEY-----\nMIIB\n", HomeKey::Public, "is no valid PEM file");
    check("", HomeKey::Hmac, "holds no key");
    check("00ff\n", HomeKey::Hmac, "line 1: has a key of 2 bytes");
    check(&pair.public_key_pem(), HomeKey::Hmac, "line 1: is neither hex nor base64");
}

#[test]
fn routes_that_share_a_key_report_it_once_and_have_one_identity() {
    let site = Site::new();
    let key = || Some(HomeKey::Hmac(site.path("home.key")));
    let load = || Homes::load(&generation(&[key(), None, key()]));
    let problems = load().unwrap_err();
    assert_eq!(problems.len(), 1, "it is not there");
    assert_eq!(problems[0].key_path, "routes[0].home.verify.hmac_key_file");
    let path_of_key = site.write("home.key", &Signer::secret(1).file());
    std::fs::set_permissions(path_of_key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (before, warnings) = load().unwrap();
    assert_eq!(warnings.len(), 1, "others can read it");
    assert_eq!(before.identity(), load().unwrap().0.identity());
    site.write("home.key", &Signer::secret(2).file());
    assert_ne!(before.identity(), load().unwrap().0.identity());
}

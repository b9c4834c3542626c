//! The good files load, into what they say.

use nearside_config::load;
use nearside_core::RegionId;
use nearside_core::generation::{CertificateSource, ListenerKind};
use nearside_core::home::HomeKey;
use nearside_core::policy::Level;
use nearside_core::route::Action;
use std::time::Duration;

const SMALL: &str = include_str!("../../../tests/configs/good/small.yaml");
const FULL: &str = include_str!("../../../tests/configs/good/full.yaml");
const SHIPPED: &str = include_str!("../../../routes.yaml");

#[test]
fn the_small_file_gets_every_default() {
    let (generation, source, _) = load(SMALL).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(generation.regions.len(), 2);
    let pool = &generation.pools[0];
    let backends = generation.backends_of(pool);
    assert_eq!(backends[1].endpoint.host.as_ref(), "iad.example.internal");
    assert_eq!((backends[1].priority, backends[1].weight, backends[1].region.index()), (1, 50, 1));
    assert_eq!(backends[0].key.as_str(), "web/https://fra.example.internal");
    assert_eq!(pool.probe.interval, Duration::from_secs(5));
    assert_eq!(pool.retry.methods.len(), 5);
    assert_eq!(pool.retry.body_buffer, 65536);
    let route = generation.routes.find("www.example.com", "/a", "POST").unwrap();
    let route = generation.routes.route(route).unwrap();
    assert_eq!(&*route.id, "www.example.com/*");
    assert!(matches!(route.action, Action::Forward(id) if id.index() == 0));
    assert!(route.websocket);
    assert!(matches!(
        generation.listeners[0].kind,
        ListenerKind::Tls { h2: true, h1: true, client_ca: None }
    ));
    assert_eq!(generation.listeners[1].kind, ListenerKind::RedirectHttps { status: 308 });
    assert_eq!(*generation.tls.certificates, [CertificateSource::Pattern("certs/*.pem".into())]);
    assert_eq!(source.position("pools.web.backends[1].url").line, 9);
}

#[test]
fn the_full_file_says_what_it_says() {
    let (generation, ..) = load(FULL).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(&*generation.fleet.name, "example-prod");
    let dublin = &generation.regions[1];
    assert_eq!(dublin.drain.as_ref().map(|mark| &*mark.reason), Some("CHG-4412 kernel rollout"));
    assert!(dublin.place.as_ref().is_some_and(|place| place.position.is_some()));
    let names: Vec<&str> = generation.backends.iter().map(|backend| &*backend.name).collect();
    assert_eq!(names, ["fra-a", "dub-a", "iad-a"]);
    assert_eq!(generation.backends[0].max_in_flight, Some(512));
    let route = &generation.routes.routes()[0];
    assert_eq!((generation.fleet.pops, generation.regions[0].capacity), (3, Some(40_000)));
    let affinity = generation.pools[0].affinity.as_ref().unwrap();
    assert_eq!(
        (&*affinity.cookie, affinity.ttl, affinity.level, affinity.backup),
        ("__ns_aff", None, Level::Region, true)
    );
    let home = route.home.as_ref().unwrap();
    assert_eq!((home.from.len(), home.region("us1").map(RegionId::index)), (3, Some(2)));
    assert_eq!(home.verify, Some(HomeKey::Hmac("secrets/home.key".into())));
    assert_eq!(*route.to_backend.remove, ["x-debug".into()]);
    assert_eq!(*route.to_client.set, [("strict-transport-security".into(), "max-age=63072000".into())]);
}

#[test]
fn the_shipped_file_loads_without_a_warning() {
    let (generation, _, warnings) = load(SHIPPED).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(warnings, []);
    assert_eq!(generation.backends.len(), 4);
    assert!(generation.routes.find("localhost", "/hello", "GET").is_ok());
    assert!(generation.tls.self_signed);
}

//! What is told of a request is what would happen to it: by the file alone, and by the running PoP.

use crate::{HEAD, backends, pool, setting};
use data_encoding::BASE64URL_NOPAD;
use nearside_tests::client::{ask, region};
use nearside_tests::signed::value;
use nearside_tests::{Edge, Process};
use serde_json::Value;
use std::fs;

const KEY: [u8; 32] = [7; 32];

/// How the request with these arguments is explained: by the file, and by the PoP; as data and as text.
fn told(edge: &Edge, arguments: &[&str]) -> [(Value, String); 2] {
    [&["--place", "DE"][..], &["--live"]].map(|way| {
        let call = |more: &[&str]| {
            let output =
                edge.call(&[&["explain", "--host", "www.example.com"], arguments, way, more].concat());
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        (serde_json::from_str(&call(&["--json"])).unwrap(), call(&[]))
    })
}

async fn scene() -> (Edge, [Process; 3]) {
    let mut one = setting("ab");
    one.client_ip("{ from: header, trusted: [\"10.0.0.0/8\"] }");
    fs::write(one.folder().join("home.key"), BASE64URL_NOPAD.encode(&KEY)).unwrap();
    let backends = backends(&one).await;
    // What the file does not say is near, the running PoP measures.
    let place = |country: &str| format!("{{ place: {{ country: {country} }} }}");
    let regions = format!("frankfurt: {}, dublin: {}, virginia: {}", place("DE"), place("IE"), place("US"));
    let head = HEAD.replace("frankfurt: {}, dublin: {}, virginia: {}", &regions);
    let text = format!(
        "{head}pools:\n{}    affinity: {{ by: cookie }}\n{}    select: {{ balance: \"hash(header:x-user)\" }}\n\
         routes:\n  - {{ host: www.example.com, pool: web }}\n  - {{ host: www.example.com, path: /hash/*, pool: hash }}\n\
         \x20 - host: www.example.com\n    path: /home/*\n    pool: web\n    home:\n      from: [{{ cookie: home }}]\n\
         \x20     map: {{ eu1: frankfurt, us1: virginia }}\n      verify: {{ hmac_key_file: home.key }}\n",
        pool("web", &backends),
        pool("hash", &backends)
    );
    (one.run(&text).await, backends)
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_are_believed_where_the_proxy_believes_them() {
    let (one, _backends) = scene().await;
    let answer = ask(&one, "/", &[]).await;
    let pinned = region(&answer);
    let set = answer.headers()["set-cookie"].to_str().unwrap();
    let cookie = set.split(';').next().unwrap();
    for (told, text) in told(&one, &["--cookie", cookie]) {
        assert_eq!(told["choice"]["region"], pinned.as_str(), "{told}");
        assert_eq!(
            (&told["choice"]["reason"], &told["request"]["pin"][0]),
            (&"won.affinity".into(), &pinned.as_str().into())
        );
        assert!(text.contains(&format!("pinned to {pinned}, then ")), "{text}");
    }
    let forged = format!("{cookie}x");
    for (told, text) in told(&one, &["--cookie", "a=b", "--cookie", &forged]) {
        assert_eq!(told["request"]["disbelieved"][0]["claim"], "affinity", "{told}");
        assert_eq!(told["request"]["pin"], Value::Null);
        assert!(text.contains("not believed: the affinity cookie (forged); it has no effect"), "{text}");
    }

    let home = format!("home={}", value("us1", &KEY));
    for (told, text) in told(&one, &["--path", "/home/a", "--cookie", &home]) {
        assert_eq!(
            (&told["choice"]["region"], &told["choice"]["reason"]),
            (&"virginia".into(), &"won.home".into())
        );
        assert!(text.contains("home us1\n"), "{text}");
    }
    for (told, text) in told(&one, &["--path", "/home/a", "--cookie", "home=us1"]) {
        assert_eq!(told["request"]["home"], Value::Null, "{told}");
        assert!(text.contains("not believed: the home (forged); it has no effect"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_count_as_they_do_for_the_proxy() {
    let (one, _backends) = scene().await;
    for user in ["ann", "bob", "carl", "dora", "emil"] {
        let serves = region(&ask(&one, "/hash/", &[("x-user", user)]).await);
        for (told, _) in told(&one, &["--path", "/hash/", "--header", &format!("x-user: {user}")]) {
            assert_eq!(told["choice"]["region"], serves.as_str(), "{user}: {told}");
        }
    }

    let hops = ["--header", "X-Forwarded-For: 203.0.113.9"];
    for (told, _) in told(&one, &[&hops[..], &["--client", "10.1.2.3"]].concat()) {
        assert_eq!(told["request"]["client"], "203.0.113.9");
        assert_eq!(told["request"]["disbelieved"], serde_json::json!([]));
    }
    for (told, text) in told(&one, &[&hops[..], &["--client", "192.0.2.7"]].concat()) {
        assert_eq!(told["request"]["client"], "192.0.2.7");
        assert!(text.contains("not believed: what it says of the client's address"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pop_that_is_asked_is_the_one_that_is_meant() {
    let one = setting("ab");
    let backends = backends(&one).await;
    let text = format!(
        "{HEAD}pools:\n{}routes:\n  - {{ host: www.example.com, pool: web }}\n",
        pool("web", &backends)
    );
    let one = one.run(&text).await;
    let [(by_file, said), (live, _)] = told(&one, &["--pop", "test1"]);
    assert_eq!((&by_file["request"]["pop"], &live["request"]["pop"]), (&"test1".into(), &"test1".into()));
    assert!(said.contains(", at PoP test1\n"), "{said}");
    let other = one.call(&["explain", "--host", "www.example.com", "--pop", "fra9", "--live"]);
    assert_eq!(other.status.code(), Some(1));
    let said = String::from_utf8(other.stderr).unwrap();
    assert!(said.contains("the PoP that runs here is test1, not fra9"), "{said}");
    for wrong in [["--cookie", "no-value"], ["--cookie", "a=b; c=d"], ["--header", "x-home"]] {
        let output = one.call(&[&["explain", "--host", "www.example.com"], &wrong[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
}

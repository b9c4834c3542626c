//! Users go where their data lives, as far as they can prove it.

use crate::{HEAD, backends, disbelieved, pool, regions, setting};
use data_encoding::BASE64URL_NOPAD;
use nearside_tests::client::{ask, region};
use nearside_tests::signed::{sign, token, value};
use nearside_tests::{Process, eventually};
use std::fs;

const KEY: [u8; 32] = [7; 32];

fn file(backends: &[Process; 3], unknown: &str) -> String {
    format!(
        "{HEAD}pools:\n{}routes:\n  - host: www.example.com\n    pool: web\n    home:\n\
         \x20     from: [{{ cookie: home }}, {{ header: x-home }}, {{ jwt: {{ header: authorization, claim: home }} }}]\n\
         \x20     map: {{ eu1: frankfurt, us1: virginia }}\n\
         \x20     verify: {{ hmac_key_file: home.key }}\n      unknown: {unknown}\n",
        pool("web", backends)
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_is_read_from_a_cookie_a_header_or_a_token_and_only_if_it_is_signed() {
    let one = setting("ab");
    fs::write(one.folder().join("home.key"), BASE64URL_NOPAD.encode(&KEY)).unwrap();
    let backends = backends(&one).await;
    let one = one.run(&file(&backends, "by_latency")).await;
    let cookie = format!("a=b; home={}", value("eu1", &KEY));
    let far = token(r#"{"home":"us1","exp":9999999999}"#, &KEY);
    for (headers, home) in [
        (vec![("cookie", cookie.as_str())], "frankfurt"),
        (vec![("x-home", value("us1", &KEY).as_str())], "virginia"),
        (vec![("authorization", far.as_str())], "virginia"),
        (vec![("authorization", far.as_str()), ("cookie", cookie.as_str())], "frankfurt"),
    ] {
        assert_eq!(regions(&one, 10, &headers).await, [home], "{headers:?}");
    }
    assert_eq!(disbelieved(&one, "home", "forged"), 0);
    assert!(one.records().iter().any(|record| record["reason"] == "won.home"));
    let of_a_stranger = format!("home={}", value("eu1", &[8; 32]));
    let changed = format!("home=us1.{}", sign("eu1", &KEY));
    for (name, forged) in [
        ("cookie", "home=eu1"),
        ("cookie", of_a_stranger.as_str()),
        ("cookie", changed.as_str()),
        ("x-home", "eu1"),
        ("authorization", token(r#"{"home":"eu1"}"#, &[8; 32]).as_str()),
    ] {
        let before = disbelieved(&one, "home", "forged");
        assert_eq!(regions(&one, 40, &[(name, forged)]).await.len(), 3, "{name}: {forged}");
        assert_eq!(disbelieved(&one, "home", "forged"), before + 40, "{name}: {forged}");
    }
    let over = token(r#"{"home":"eu1","exp":1}"#, &KEY);
    assert_eq!(regions(&one, 40, &[("authorization", over.as_str())]).await.len(), 3);
    assert_eq!(disbelieved(&one, "home", "expired"), 40);
    // What is no claim of a home is none.
    let basic = [("authorization", "Basic dXNlcjpwYXNz")];
    assert_eq!(regions(&one, 40, &basic).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_that_was_signed_for_another_user_has_no_effect_and_is_counted() {
    let one = setting("ab");
    fs::write(one.folder().join("home.key"), BASE64URL_NOPAD.encode(&KEY)).unwrap();
    let backends = backends(&one).await;
    let text = file(&backends, "by_latency")
        .replace("hmac_key_file: home.key", "hmac_key_file: home.key, subject: { cookie: session }");
    let one = one.run(&text).await;
    let home = format!("us1.{}", sign("us1\nof-alice", &KEY));
    let (alice, mallory) =
        (format!("session=of-alice; home={home}"), format!("session=of-mallory; home={home}"));
    assert_eq!(regions(&one, 10, &[("cookie", &alice)]).await, ["virginia"]);
    assert_eq!(disbelieved(&one, "home", "forged"), 0);
    for (count, other) in [(1, mallory), (2, format!("home={home}"))] {
        assert_eq!(regions(&one, 40, &[("cookie", &other)]).await.len(), 3, "{other}");
        assert_eq!(disbelieved(&one, "home", "forged"), 40 * count, "{other}");
    }
    // A token says itself for whom it is.
    let token = token(r#"{"home":"us1"}"#, &KEY);
    assert_eq!(regions(&one, 10, &[("authorization", &token)]).await, ["virginia"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_home_is_refused_where_the_route_says_so() {
    let one = setting("ab");
    fs::write(one.folder().join("home.key"), BASE64URL_NOPAD.encode(&KEY)).unwrap();
    let backends = backends(&one).await;
    let one = one.run(&file(&backends, "refuse")).await;
    for cookie in ["", "home=eu1", "home=nowhere"] {
        let answer = ask(&one, "/", &[("cookie", cookie)]).await;
        assert_eq!(answer.status(), 503, "{cookie}");
        assert!(answer.headers()["proxy-status"].to_str().unwrap().contains("refused.home"));
    }
    let elsewhere = format!("home={}", value("nowhere", &KEY));
    assert_eq!(ask(&one, "/", &[("cookie", elsewhere.as_str())]).await.status(), 503);
    let home = format!("home={}", value("us1", &KEY));
    assert_eq!(region(&ask(&one, "/", &[("cookie", home.as_str())]).await), "virginia");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_taken_over_and_a_broken_one_leaves_what_runs() {
    let one = setting("ab");
    let key = one.folder().join("home.key");
    fs::write(&key, BASE64URL_NOPAD.encode(&KEY)).unwrap();
    let backends = backends(&one).await;
    let one = one.run(&file(&backends, "refuse")).await;
    let before = one.generation();
    fs::write(&key, "not a key").unwrap();
    eventually("a refused reload", async || {
        let last = one.status()["last_reload"].to_string();
        last.contains("routes[0].home.verify.hmac_key_file").then_some(())
    })
    .await;
    let old = format!("home={}", value("eu1", &KEY));
    assert_eq!(region(&ask(&one, "/", &[("cookie", old.as_str())]).await), "frankfurt");
    assert_eq!(one.generation(), before);
    let lines = [[8; 32], KEY].map(|key| BASE64URL_NOPAD.encode(&key)).join("\n");
    fs::write(&key, lines).unwrap();
    eventually("the next generation", async || (one.generation() > before).then_some(())).await;
    let new = format!("home={}", value("eu1", &[8; 32]));
    for cookie in [old.as_str(), new.as_str()] {
        assert_eq!(region(&ask(&one, "/", &[("cookie", cookie)]).await), "frankfurt");
    }
}

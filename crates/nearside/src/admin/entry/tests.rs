//! Requests at the entry, each with what it may.

use super::*;
use hyper::Request;
use std::fs;

const TOKEN: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn pass() -> Pass {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    fs::write(&path, TOKEN).unwrap();
    Pass::load(&path).unwrap().0
}

/// What becomes of a request, its headers one a line: what it may, or the status that turns it away.
fn check(way: Way, pass: Option<&Pass>, request: &str, expected: Result<Rights, u16>) {
    let mut lines = request.lines();
    let (method, path) = lines.next().and_then(|line| line.split_once(' ')).unwrap();
    let mut builder = Request::builder().method(method).uri(path);
    for (name, value) in lines.filter_map(|line| line.trim().split_once(": ")) {
        builder = builder.header(name, value);
    }
    let (parts, ()) = builder.body(()).unwrap().into_parts();
    let found = rights(&parts, way, pass).map_err(|answer| answer.status().as_u16());
    assert_eq!(found, expected, "{way:?}: {request}");
}

#[test]
fn only_addresses_and_localhost_pass_the_host_check() {
    for host in ["127.0.0.1:9901", "localhost", "LOCALHOST:1", "[::1]:9901", "10.1.2.3"] {
        assert!(names_an_address(host), "{host}");
    }
    for host in ["evil.example", "127.0.0.1.evil.example:9901", "localhost.evil.example", "[::1", ""] {
        assert!(!names_an_address(host), "{host}");
    }
}

#[test]
fn without_a_token_this_machine_may_look_and_the_socket_may_change() {
    check(Way::Plain, None, "GET /status\nhost: localhost:9901", Ok(Rights::Look));
    check(Way::Plain, None, "POST /drain\nhost: localhost:9901", Ok(Rights::Look));
    check(Way::Plain, None, "GET /status\nhost: evil.example", Err(403));
    check(Way::Plain, None, "GET /status", Err(403));
    check(Way::Unix, None, "GET /status\nhost: admin", Ok(Rights::Change));
    check(Way::Unix, None, "POST /drain", Ok(Rights::Change));
    check(Way::Unix, None, "POST /drain\nhost: evil.example", Err(403));
    check(Way::Tls, None, "GET /status\nhost: pop.example", Err(403));
}

#[test]
fn with_a_token_nobody_passes_without_it() {
    let pass = pass();
    let session = pass.session(now());
    let own = Some(&pass);
    for way in [Way::Plain, Way::Tls] {
        check(way, own, "GET /status\nhost: 127.0.0.1", Err(401));
        check(way, own, "GET /\nhost: 127.0.0.1", Err(401));
        check(way, own, "GET /readyz\nhost: 127.0.0.1", Ok(Rights::Look));
        check(
            way,
            own,
            &format!("GET /metrics\nhost: 127.0.0.1\nauthorization: Bearer {TOKEN}"),
            Ok(Rights::Change),
        );
        check(
            way,
            own,
            &format!("GET /\nhost: 127.0.0.1\ncookie: a=b; {NAME}={session}"),
            Ok(Rights::Change),
        );
        check(way, own, &format!("GET /\nhost: 127.0.0.1\ncookie: {NAME}={TOKEN}"), Err(401));
        check(way, own, &format!("GET /\nhost: 127.0.0.1\nauthorization: Bearer {session}"), Err(401));
        check(way, own, &format!("GET /\nhost: 127.0.0.1\nauthorization: Basic {TOKEN}"), Err(401));
    }
    check(Way::Unix, own, "GET /status\nhost: admin", Ok(Rights::Change));
}

#[test]
fn what_another_site_sends_is_turned_away_although_the_browser_adds_the_session() {
    let pass = pass();
    let session = pass.session(now());
    let post = |more: &str| format!("POST /drain\nhost: localhost:9901\ncookie: {NAME}={session}\n{more}");
    let own = Some(&pass);
    check(
        Way::Plain,
        own,
        &post("origin: http://localhost:9901\nsec-fetch-site: same-origin"),
        Ok(Rights::Change),
    );
    check(Way::Tls, own, &post("origin: https://localhost:9901"), Ok(Rights::Change));
    let forged = [
        "origin: http://evil.example",
        "origin: null",
        "origin: http://localhost:8080",
        "origin: https://localhost:9901",
        "sec-fetch-site: cross-site",
        "sec-fetch-site: same-site",
        "sec-fetch-site: none",
    ];
    for more in forged {
        check(Way::Plain, own, &post(more), Err(403));
        check(Way::Unix, None, &post(more), Err(403));
    }
    check(Way::Tls, own, &post("origin: http://localhost:9901"), Err(403));
}

#[test]
fn a_change_is_meant_where_it_is_json_and_says_so() {
    let check = |kind: &str, more: &str, expected| {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", kind.parse().unwrap());
        if !more.is_empty() {
            headers.insert(INTENT, more.parse().unwrap());
        }
        assert_eq!(is_meant(&headers), expected, "{kind} {more}");
    };
    check("application/json", "drain", true);
    check("application/json; charset=utf-8", "1", true);
    check("application/json", "", false);
    check("text/plain", "1", false);
    check("application/x-www-form-urlencoded", "1", false);
}

#[test]
fn the_form_gives_a_session_for_the_token_and_for_nothing_else() {
    let pass = pass();
    let answer = login(format!("token={TOKEN}").as_bytes(), Way::Tls, Some(&pass));
    let cookie = answer.headers().get(SET_COOKIE).unwrap().to_str().unwrap();
    assert_eq!(answer.status(), 303);
    assert!(cookie.ends_with("; HttpOnly; SameSite=Strict; Secure"), "{cookie}");
    assert!(!cookie.contains(TOKEN), "{cookie}");
    let session = cookie.split(['=', ';']).nth(1).unwrap();
    assert!(pass.lasts(session, now()));
    for form in ["token=ab", "", "other=x", "token=%ff"] {
        let answer = login(form.as_bytes(), Way::Tls, Some(&pass));
        assert_eq!((answer.status().as_u16(), answer.headers().get(SET_COOKIE)), (401, None), "{form}");
    }
    assert_eq!(login(format!("token={TOKEN}").as_bytes(), Way::Tls, None).status(), 401);
}

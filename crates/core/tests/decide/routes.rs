//! The route table.

use crate::scene::route;
use nearside_core::table::Table;
use nearside_core::{Reason, RouteId};

fn table() -> Table {
    Table::new(vec![
        route("www.example.com", "/*", &[]),
        route("www.example.com", "/a/*", &["GET"]),
        route("www.example.com", "/a/*", &["POST", "PUT"]),
        route("www.example.com", "/a/b", &[]),
        route("*.example.com", "/*", &[]),
        route("*.deep.example.com", "/x/y/*", &[]),
        route("api.example.com,shop.example.com", "/v1/*", &[]),
    ])
}

fn check(request: &str, expected: &str) {
    let table = table();
    let [method, host, path] = request.split(' ').collect::<Vec<_>>()[..] else { panic!("{request}") };
    let found = match table.find(host, path, method) {
        Ok(id) => table.route(id).unwrap().id.to_string(),
        Err(reason) => reason.to_string(),
    };
    assert_eq!(found, expected, "{request}");
}

#[test]
fn an_exact_host_comes_before_the_longest_wildcard_and_the_star() {
    check("GET www.example.com /", "www.example.com/*");
    check("GET other.example.com /", "*.example.com/*");
    check("GET a.b.c.example.com /", "*.example.com/*");
    check("GET a.deep.example.com /x/y", "*.deep.example.com/x/y/*");
    check("GET example.com /", "no_route.host");
    check("GET example.org /", "no_route.host");
}

#[test]
fn a_host_match_never_falls_through_to_a_less_specific_host() {
    check("GET a.deep.example.com /", "no_route.path");
    check("GET api.example.com /v2", "no_route.path");
    check("GET shop.example.com /v1/", "api.example.com,shop.example.com/v1/*");
}

#[test]
fn an_exact_path_comes_before_the_longest_prefix_and_prefixes_end_at_a_slash() {
    check("GET www.example.com /a/b", "www.example.com/a/b");
    check("GET www.example.com /a/b/", "www.example.com/a/*");
    check("GET www.example.com /a", "www.example.com/a/*");
    check("GET www.example.com /a/", "www.example.com/a/*");
    check("GET www.example.com /ab", "www.example.com/*");
    check("GET a.deep.example.com /x/y/z/w", "*.deep.example.com/x/y/*");
    check("GET a.deep.example.com /x", "no_route.path");
}

#[test]
fn methods_come_last_and_get_serves_head() {
    check("HEAD www.example.com /a/c", "www.example.com/a/*");
    check("PUT www.example.com /a/c", "www.example.com/a/*");
    check("DELETE www.example.com /a/c", "no_route.method");
    assert_eq!(table().allowed("www.example.com", "/a/c"), ["GET", "HEAD", "POST", "PUT"]);
}

#[test]
fn named_methods_come_before_any_wherever_they_stand() {
    let routes = vec![
        route("a.test", "/*", &[]),
        route("a.test", "/*", &["POST"]),
        route("a.test", "/*", &["PUT", "POST"]),
    ];
    let table = Table::new(routes.clone());
    let find = |method| table.find("a.test", "/x", method).map(RouteId::index);
    assert_eq!(["GET", "POST", "PUT"].map(find), [Ok(0), Ok(1), Ok(2)]);
    assert_eq!(table.routes(), routes, "an id is a place in the file");
}

#[test]
fn a_hostile_path_or_host_is_walked_in_bounds() {
    check(&format!("GET a.deep.example.com /x/y{}", "/".repeat(8000)), "*.deep.example.com/x/y/*");
    check(&format!("GET {}example.com /", "a.".repeat(120)), "*.example.com/*");
}

#[test]
fn the_star_is_last() {
    let table = Table::new(vec![route("*", "/*", &[]), route("a.test", "/x", &[])]);
    assert!(table.find("b.test", "/", "GET").is_ok());
    assert_eq!(table.find("a.test", "/", "GET"), Err(Reason::NoRoutePath));
}

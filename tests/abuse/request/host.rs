//! The host: there is one, it is a host and a port, and the target agrees with it (RFC 9112, 3.2; RFC 9110, 7.2).

use crate::case::Judged::{Answered, Arrives, Refused};
use crate::case::cases;

/// A request with this `Host`.
fn host(host: &str) -> String {
    format!("GET /a HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

/// A request for this target with this `Host`.
fn absolute(target: &str, host: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

/// A host of so many bytes, below one that is served.
fn long(bytes: usize) -> String {
    let below = ".shop.example.com";
    format!("{}{below}", "x".repeat(bytes - below.len()))
}

cases! {
    a_request_of_1_1_has_a_host {
        send: "GET /a HTTP/1.1\r\n\r\n",
        judged: Refused(400),
        neighbour: host("www.example.com"),
    }
    two_hosts_that_differ_are_refused {
        send: host("www.example.com\r\nHost: a.shop.example.com"),
        judged: Refused(400),
        neighbour: host("www.example.com"),
    }
    two_hosts_that_are_the_same_are_refused {
        send: host("www.example.com\r\nhost: www.example.com"),
        judged: Refused(400),
        neighbour: host("www.example.com"),
    }
    two_hosts_in_http_1_0_are_refused {
        send: "GET /a HTTP/1.0\r\nHost: www.example.com\r\nHost: b\r\n\r\n",
        judged: Refused(400),
        neighbour: "GET /a HTTP/1.0\r\nHost: www.example.com\r\n\r\n",
    }
    an_empty_host_is_refused {
        send: host(""),
        judged: Refused(400),
        neighbour: host("localhost"),
    }
    a_list_of_hosts_is_refused {
        send: host("www.example.com, localhost"),
        judged: Refused(400),
        neighbour: host("www.example.com"),
    }
    a_host_with_a_user_is_refused {
        send: host("www.example.com@localhost"),
        judged: Refused(400),
        neighbour: host("localhost"),
    }
    a_host_with_a_space_is_refused {
        send: host("www.example.com localhost"),
        judged: Refused(400),
        neighbour: host(" www.example.com "),
    }
    a_host_with_a_tab_is_refused {
        send: host("www.example.com\tlocalhost"),
        judged: Refused(400),
        neighbour: host("\twww.example.com"),
    }
    a_host_with_a_control_byte_is_refused {
        send: host("www.example.com\u{1}"),
        judged: Refused(400),
        neighbour: host("www.example.com"),
    }
    a_host_with_a_path_is_refused {
        send: host("www.example.com/a"),
        judged: Refused(400),
        neighbour: host("www.example.com"),
    }
    a_host_with_a_query_is_refused {
        send: host("www.example.com?a"),
        judged: Refused(400),
        neighbour: host("www.example.com"),
    }
    a_host_with_an_escape_is_refused {
        send: host("www%2eexample.com"),
        judged: Refused(400),
        neighbour: host("www.example.com"),
    }
    a_host_with_an_empty_label_is_refused {
        send: host("www..example.com"),
        judged: Refused(400),
        neighbour: host("www.example.com"),
    }
    a_host_beyond_ascii_is_refused {
        send: host("www.ex\u{e4}mple.com"),
        judged: Refused(400),
        neighbour: host("xn--a.shop.example.com"),
    }
    a_port_is_a_number {
        send: host("www.example.com:http"),
        judged: Refused(400),
        neighbour: host("www.example.com:80"),
    }
    a_port_is_above_0 {
        send: host("www.example.com:0"),
        judged: Refused(400),
        neighbour: host("www.example.com:1"),
    }
    a_port_is_below_65536 {
        send: host("www.example.com:65536"),
        judged: Refused(400),
        neighbour: host("www.example.com:65535"),
    }
    there_is_one_port {
        send: host("www.example.com:80:80"),
        judged: Refused(400),
        neighbour: host("www.example.com:80"),
    }
    a_bracket_is_closed {
        send: host("[::1"),
        judged: Refused(400),
        neighbour: host("www.example.com"),
    }
    a_zone_means_nothing_elsewhere {
        send: host("[fe80::1%25eth0]"),
        judged: Refused(400),
        neighbour: host("www.example.com"),
    }
    a_name_above_253_bytes_is_none {
        send: host(&long(254)),
        judged: Refused(400),
        neighbour: host(&long(253)),
    }
    a_host_that_nobody_serves_is_nobody_s {
        send: host("evil.example.org"),
        judged: Answered(404),
        neighbour: host("a.shop.example.com"),
    }
    the_dot_at_the_end_and_upper_case_are_the_same_host {
        send: host("WWW.Example.COM."),
        judged: Arrives("GET /a HTTP/1.1\nhost: www.example.com\n"),
        neighbour: host("www.example.com"),
    }
    an_absolute_target_arrives_as_a_path {
        send: absolute("http://www.example.com/a?b", "www.example.com"),
        judged: Arrives("GET /a?b HTTP/1.1\nhost: www.example.com\n"),
        neighbour: host("www.example.com"),
    }
    an_absolute_target_of_another_host_is_refused {
        send: absolute("http://localhost/a", "www.example.com"),
        judged: Refused(400),
        neighbour: absolute("http://localhost/a", "localhost"),
    }
    an_absolute_target_of_another_port_is_refused {
        send: absolute("http://www.example.com:81/a", "www.example.com"),
        judged: Refused(400),
        neighbour: absolute("http://www.example.com:80/a", "www.example.com"),
    }
    an_absolute_target_with_a_user_is_refused {
        send: absolute("http://localhost@www.example.com/a", "www.example.com"),
        judged: Refused(400),
        neighbour: absolute("http://www.example.com/a", "www.example.com"),
    }
    an_absolute_target_without_a_host_is_refused {
        send: absolute("http:///a", "www.example.com"),
        judged: Refused(400),
        neighbour: absolute("http://www.example.com/a", "www.example.com"),
    }
    an_absolute_target_does_not_stand_for_the_field {
        send: "GET http://www.example.com/a HTTP/1.1\r\n\r\n",
        judged: Refused(400),
        neighbour: absolute("http://www.example.com/a", "www.example.com"),
    }
    an_absolute_target_is_of_http {
        send: absolute("ftp://www.example.com/a", "www.example.com"),
        judged: Refused(400),
        neighbour: absolute("https://www.example.com/a", "www.example.com"),
    }
}

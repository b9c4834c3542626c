//! The request line (RFC 9112, 3), and what may stand before it.

use crate::case::Judged::{Answered, Arrives, Refused};
use crate::case::{cases, get};

/// A request with this first line.
fn line(line: &str) -> String {
    format!("{line}\r\nHost: www.example.com\r\n\r\n")
}

/// A first line of so many bytes.
fn long(bytes: usize) -> String {
    line(&format!("GET /{} HTTP/1.1", "x".repeat(bytes - "GET / HTTP/1.1".len())))
}

cases! {
    a_line_feed_alone_does_not_end_the_line {
        send: b"GET /a HTTP/1.1\nHost: www.example.com\r\n\r\n",
        judged: Refused(400),
        neighbour: line("GET /a HTTP/1.1"),
    }
    a_carriage_return_alone_does_not_end_the_line {
        send: b"GET /a HTTP/1.1\rHost: www.example.com\r\n\r\n",
        judged: Refused(400),
        neighbour: line("GET /a HTTP/1.1"),
    }
    two_carriage_returns_do_not_end_the_line {
        send: b"GET /a HTTP/1.1\r\r\nHost: www.example.com\r\n\r\n",
        judged: Refused(400),
        neighbour: line("GET /a HTTP/1.1"),
    }
    a_nul_in_the_target_is_refused {
        send: b"GET /a\0b HTTP/1.1\r\nHost: www.example.com\r\n\r\n",
        judged: Refused(400),
        neighbour: line("GET /ab HTTP/1.1"),
    }
    a_control_byte_in_the_target_is_refused {
        send: line("GET /a\u{1}b HTTP/1.1"),
        judged: Refused(400),
        neighbour: line("GET /a1b HTTP/1.1"),
    }
    a_byte_beyond_ascii_in_the_target_is_refused {
        send: b"GET /\xc3\xa4 HTTP/1.1\r\nHost: www.example.com\r\n\r\n",
        judged: Refused(400),
        neighbour: line("GET /%C3%A4 HTTP/1.1"),
    }
    a_fragment_is_no_part_of_a_target {
        send: line("GET /a#b HTTP/1.1"),
        judged: Refused(400),
        neighbour: line("GET /a%23b HTTP/1.1"),
    }
    a_target_begins_with_a_slash {
        send: line("GET a HTTP/1.1"),
        judged: Refused(400),
        neighbour: line("GET /a HTTP/1.1"),
    }
    only_options_is_for_the_whole_server {
        send: line("GET * HTTP/1.1"),
        judged: Refused(400),
        neighbour: line("OPTIONS /a HTTP/1.1"),
    }
    one_empty_line_before_it_is_forgiven_and_not_forwarded {
        send: format!("\r\n{}", get("")),
        judged: Arrives("GET /a HTTP/1.1\nhost: www.example.com\n"),
        neighbour: get(""),
    }
    a_second_empty_line_before_it_is_not {
        send: format!("\r\n\r\n{}", get("")),
        judged: Refused(400),
        neighbour: format!("\r\n{}", get("")),
    }
    an_empty_line_that_is_a_line_feed_is_not {
        send: format!("\n{}", get("")),
        judged: Refused(400),
        neighbour: format!("\r\n{}", get("")),
    }
    a_space_before_the_method_is_refused {
        send: line(" GET /a HTTP/1.1"),
        judged: Refused(400),
        neighbour: line("GET /a HTTP/1.1"),
    }
    two_spaces_before_the_target_are_refused {
        send: line("GET  /a HTTP/1.1"),
        judged: Refused(400),
        neighbour: line("GET /a HTTP/1.1"),
    }
    two_spaces_before_the_version_are_refused {
        send: line("GET /a  HTTP/1.1"),
        judged: Refused(400),
        neighbour: line("GET /a HTTP/1.1"),
    }
    a_space_within_the_target_is_refused {
        send: line("GET /a b HTTP/1.1"),
        judged: Refused(400),
        neighbour: line("GET /a%20b HTTP/1.1"),
    }
    a_space_behind_the_version_is_refused {
        send: line("GET /a HTTP/1.1 "),
        judged: Refused(400),
        neighbour: line("GET /a HTTP/1.1"),
    }
    a_tab_does_not_separate {
        send: line("GET\t/a\tHTTP/1.1"),
        judged: Refused(400),
        neighbour: line("GET /a HTTP/1.1"),
    }
    a_form_feed_does_not_separate {
        send: line("GET\u{c}/a HTTP/1.1"),
        judged: Refused(400),
        neighbour: line("GET /a HTTP/1.1"),
    }
    a_line_without_a_version_is_refused {
        send: line("GET /a"),
        judged: Refused(400),
        neighbour: line("GET /a HTTP/1.1"),
    }
    a_line_with_two_versions_is_refused {
        send: line("GET /a HTTP/1.1 HTTP/1.1"),
        judged: Refused(400),
        neighbour: line("GET /a HTTP/1.1"),
    }
    the_protocol_is_in_upper_case {
        send: line("GET /a http/1.1"),
        judged: Refused(400),
        neighbour: line("GET /a HTTP/1.1"),
    }
    a_minor_version_has_one_digit {
        send: line("GET /a HTTP/1.10"),
        judged: Refused(400),
        neighbour: line("GET /a HTTP/1.1"),
    }
    a_later_minor_version_is_not_guessed_at {
        send: line("GET /a HTTP/1.2"),
        judged: Refused(505),
        neighbour: line("GET /a HTTP/1.1"),
    }
    http_0_9_is_not_spoken {
        send: line("GET /a HTTP/0.9"),
        judged: Refused(505),
        neighbour: line("GET /a HTTP/1.0"),
    }
    the_preface_of_http_2_is_no_request {
        send: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        judged: Refused(505),
        neighbour: line("GET /a HTTP/1.1"),
    }
    a_client_hello_is_no_request {
        send: b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
        judged: Refused(400),
        neighbour: line("GET /a HTTP/1.1"),
    }
    a_method_is_a_token {
        send: line("G(T /a HTTP/1.1"),
        judged: Refused(400),
        neighbour: line("PURGE /a HTTP/1.1"),
    }
    there_is_a_method {
        send: line("/a HTTP/1.1"),
        judged: Refused(400),
        neighbour: line("GET /a HTTP/1.1"),
    }
    a_method_in_lower_case_is_another_one_and_stays_so {
        send: line("get /a HTTP/1.1"),
        judged: Arrives("get /a HTTP/1.1\nhost: www.example.com\n"),
        neighbour: line("GET /a HTTP/1.1"),
    }
    a_tunnel_to_anywhere_is_not_made {
        send: b"CONNECT www.example.com:443 HTTP/1.1\r\nHost: www.example.com:443\r\n\r\n",
        judged: Answered(405),
        neighbour: line("OPTIONS /a HTTP/1.1"),
    }
    a_trace_would_tell_what_was_added {
        send: line("TRACE /a HTTP/1.1"),
        judged: Answered(405),
        neighbour: line("OPTIONS /a HTTP/1.1"),
    }
    a_line_above_8_kib_is_refused {
        send: long(8193),
        judged: Refused(414),
        neighbour: long(8192),
    }
    options_that_may_not_be_forwarded_is_answered_here {
        send: "OPTIONS /a HTTP/1.1\r\nHost: www.example.com\r\nMax-Forwards: 0\r\n\r\n",
        judged: Answered(204),
        neighbour: "OPTIONS /a HTTP/1.1\r\nHost: www.example.com\r\nMax-Forwards: 1\r\n\r\n",
    }
    options_is_counted_down {
        send: "OPTIONS /a HTTP/1.1\r\nHost: www.example.com\r\nMax-Forwards: 7\r\n\r\n",
        judged: Arrives("OPTIONS /a HTTP/1.1\nhost: www.example.com\nmax-forwards: 6\n"),
        neighbour: get("Max-Forwards: 0\r\n"),
    }
}

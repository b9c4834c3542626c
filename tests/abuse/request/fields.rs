//! Fields, to the letter (RFC 9112, 5; RFC 9110, 5.5).

use crate::case::Judged::{Answered, Arrives, Refused};
use crate::case::{cases, get, post};

/// As many fields, the host among them.
fn many(count: usize) -> String {
    get(&"X-A: b\r\n".repeat(count - 1))
}

/// A head of so many bytes.
fn large(bytes: usize) -> String {
    get(&format!("X-A: {}\r\n", "b".repeat(bytes - get("X-A: \r\n").len())))
}

cases! {
    a_folded_field_is_refused {
        send: get("X-A: b\r\n c\r\n"),
        judged: Refused(400),
        neighbour: get("X-A: b c\r\n"),
    }
    a_field_folded_with_a_tab_is_refused {
        send: get("X-A: b\r\n\tX-C: d\r\n"),
        judged: Refused(400),
        neighbour: get("X-A: b\r\nX-C: d\r\n"),
    }
    an_empty_fold_at_the_end_is_refused {
        send: get("X-A: b\r\n \r\n"),
        judged: Refused(400),
        neighbour: get("X-A: b \r\n"),
    }
    a_first_field_that_is_folded_is_refused {
        send: "GET /a HTTP/1.1\r\n Host: www.example.com\r\n\r\n",
        judged: Refused(400),
        neighbour: get(""),
    }
    a_host_that_is_folded_is_refused {
        send: "GET /a HTTP/1.1\r\nHost:\r\n www.example.com\r\n\r\n",
        judged: Refused(400),
        neighbour: get(""),
    }
    a_space_before_the_colon_is_refused {
        send: get("X-A : b\r\n"),
        judged: Refused(400),
        neighbour: get("X-A: b\r\n"),
    }
    a_tab_before_the_colon_is_refused {
        send: get("X-A\t: b\r\n"),
        judged: Refused(400),
        neighbour: get("X-A:\tb\r\n"),
    }
    a_length_with_a_space_before_its_colon_is_refused {
        send: post("Content-Length : 5\r\n", "hello"),
        judged: Refused(400),
        neighbour: post("Content-Length: 5\r\n", "hello"),
    }
    a_coding_with_a_space_before_its_colon_is_refused {
        send: post("Transfer-Encoding : chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
        judged: Refused(400),
        neighbour: post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
    }
    a_line_without_a_colon_is_refused {
        send: get("X-A\r\n"),
        judged: Refused(400),
        neighbour: get("X-A:\r\n"),
    }
    a_field_has_a_name {
        send: get(": b\r\n"),
        judged: Refused(400),
        neighbour: get("b: b\r\n"),
    }
    a_name_has_no_space {
        send: get("X A: b\r\n"),
        judged: Refused(400),
        neighbour: get("X-A: b\r\n"),
    }
    a_name_has_no_bracket {
        send: get("X(A): b\r\n"),
        judged: Refused(400),
        neighbour: get("X-A: (b)\r\n"),
    }
    a_name_is_of_ascii {
        send: get("X-\u{e4}: b\r\n"),
        judged: Refused(400),
        neighbour: get("X-A: \u{e4}\r\n"),
    }
    a_name_has_no_nul {
        send: get("X\0A: b\r\n"),
        judged: Refused(400),
        neighbour: get("X0A: b\r\n"),
    }
    a_value_has_no_nul {
        send: get("X-A: b\0c\r\n"),
        judged: Refused(400),
        neighbour: get("X-A: b0c\r\n"),
    }
    a_value_has_no_carriage_return {
        send: get("X-A: b\rX-C: d\r\n"),
        judged: Refused(400),
        neighbour: get("X-A: b\r\nX-C: d\r\n"),
    }
    a_value_has_no_line_feed {
        send: get("X-A: b\nX-C: d\r\n"),
        judged: Refused(400),
        neighbour: get("X-A: b\r\nX-C: d\r\n"),
    }
    a_value_has_no_delete {
        send: get("X-A: b\u{7f}\r\n"),
        judged: Refused(400),
        neighbour: get("X-A: b~\r\n"),
    }
    a_value_has_no_other_control_byte {
        send: get("X-A: \u{1b}[2J\r\n"),
        judged: Refused(400),
        neighbour: get("X-A: [2J\r\n"),
    }
    a_line_feed_alone_does_not_end_the_head {
        send: "GET /a HTTP/1.1\r\nHost: www.example.com\r\n\nGET /b HTTP/1.1\r\nHost: www.example.com\r\n\r\n",
        judged: Refused(400),
        neighbour: get(""),
    }
    a_hundred_and_one_fields_are_refused {
        send: many(101),
        judged: Refused(431),
        neighbour: many(100),
    }
    a_head_above_64_kib_is_refused {
        send: large(64 * 1024 + 1),
        judged: Refused(431),
        neighbour: large(64 * 1024),
    }
    a_connection_that_names_33_fields_is_refused {
        send: get(&format!("Connection: {}\r\n", "x-a,".repeat(33))),
        judged: Refused(431),
        neighbour: get(&format!("Connection: {}\r\n", "x-a,".repeat(32))),
    }
    an_expectation_that_nobody_knows_is_refused {
        send: post("Content-Length: 5\r\nExpect: 200-ok\r\n", "hello"),
        judged: Refused(417),
        neighbour: post("Content-Length: 5\r\nExpect: 100-continue\r\n", "hello"),
    }
    bytes_beyond_ascii_in_a_value_arrive_as_they_came {
        send: get("X-A: caf\u{e9}\r\n"),
        judged: Arrives("GET /a HTTP/1.1\nhost: www.example.com\nx-a: caf\u{c3}\u{a9}\n"),
        neighbour: get("X-A: cafe\r\n"),
    }
    a_body_above_the_limit_is_refused_before_it_is_sent {
        send: "POST /small HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 11\r\n\r\nhello world",
        judged: Answered(413),
        neighbour: "POST /small HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 10\r\n\r\nhelloworld",
    }
}

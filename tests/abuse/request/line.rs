//! The request line (RFC 9112, 3).

use crate::case::Judged::{Answered, Arrives, Cut, Refused};
use crate::case::{cases, get, post};

/// A request with this first line.
fn line(line: &str) -> String {
    format!("{line}\r\nHost: www.example.com\r\n\r\n")
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
    a_nul_in_the_target_is_refused {
        send: b"GET /a\0b HTTP/1.1\r\nHost: www.example.com\r\n\r\n",
        judged: Refused(400),
        neighbour: line("GET /ab HTTP/1.1"),
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
    a_tunnel_to_anywhere_is_no_method_of_ours {
        send: b"CONNECT www.example.com:443 HTTP/1.1\r\nHost: www.example.com:443\r\n\r\n",
        judged: Answered(405),
        neighbour: line("OPTIONS /a HTTP/1.1"),
    }
    a_chunk_without_its_end_makes_no_request {
        send: post("Transfer-Encoding: chunked\r\n", "5\r\nhelloX"),
        judged: Cut(400),
        neighbour: post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
    }
}

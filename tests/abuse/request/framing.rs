//! Framing: where the body ends, and the next request begins (RFC 9112, 6). There is one way to read it.

use crate::case::Judged::{Arrives, Refused};
use crate::case::{cases, get, post};

/// Five bytes under this `Content-Length`.
fn length(length: &str) -> String {
    post(&format!("Content-Length: {length}\r\n"), "hello")
}

/// Five bytes in a chunk under this `Transfer-Encoding`.
fn coding(coding: &str) -> String {
    post(&format!("Transfer-Encoding: {coding}\r\n"), CHUNKS)
}

const CHUNKS: &str = "5\r\nhello\r\n0\r\n\r\n";

cases! {
    a_length_and_chunks_are_two_framings {
        send: post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", CHUNKS),
        judged: Refused(400),
        neighbour: coding("chunked"),
    }
    chunks_and_a_length_are_two_framings {
        send: post("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", CHUNKS),
        judged: Refused(400),
        neighbour: coding("chunked"),
    }
    two_lengths_that_differ_are_refused {
        send: length("5\r\nContent-Length: 6"),
        judged: Refused(400),
        neighbour: length("5"),
    }
    two_lengths_that_are_the_same_are_refused {
        send: length("5\r\ncontent-length: 5"),
        judged: Refused(400),
        neighbour: length("5"),
    }
    a_list_of_lengths_is_refused {
        send: length("5, 5"),
        judged: Refused(400),
        neighbour: length("5"),
    }
    a_length_has_no_plus {
        send: length("+5"),
        judged: Refused(400),
        neighbour: length("5"),
    }
    a_length_has_no_minus {
        send: length("-0"),
        judged: Refused(400),
        neighbour: length("5"),
    }
    a_length_is_not_hexadecimal {
        send: length("0x5"),
        judged: Refused(400),
        neighbour: length("05"),
    }
    a_length_has_no_space_within {
        send: length("5 5"),
        judged: Refused(400),
        neighbour: length(" 5 "),
    }
    a_length_has_no_point {
        send: length("5.0"),
        judged: Refused(400),
        neighbour: length("5"),
    }
    a_length_has_no_underscore {
        send: length("0_5"),
        judged: Refused(400),
        neighbour: length("5"),
    }
    a_length_is_of_ascii_digits {
        send: length("\u{665}"),
        judged: Refused(400),
        neighbour: length("5"),
    }
    a_length_is_not_empty {
        send: length(""),
        judged: Refused(400),
        neighbour: length("5"),
    }
    a_length_that_others_read_as_negative_is_refused {
        send: length("9223372036854775808"),
        judged: Refused(400),
        neighbour: length("5"),
    }
    a_length_that_others_read_as_5_is_refused {
        send: length("18446744073709551621"),
        judged: Refused(400),
        neighbour: length("5"),
    }
    a_length_of_twenty_digits_is_refused {
        send: length("00000000000000000005"),
        judged: Refused(400),
        neighbour: length("0000000000000000005"),
    }
    a_coding_stands_there_once {
        send: coding("chunked\r\nTransfer-Encoding: chunked"),
        judged: Refused(400),
        neighbour: coding("chunked"),
    }
    chunks_are_not_chunked_again {
        send: coding("chunked, chunked"),
        judged: Refused(400),
        neighbour: coding("chunked"),
    }
    a_list_that_begins_with_nothing_is_refused {
        send: coding(", chunked"),
        judged: Refused(400),
        neighbour: coding("chunked"),
    }
    an_empty_coding_is_refused {
        send: coding(""),
        judged: Refused(400),
        neighbour: coding("chunked"),
    }
    another_coding_before_chunks_is_not_spoken {
        send: coding("gzip, chunked"),
        judged: Refused(501),
        neighbour: coding("Chunked"),
    }
    another_coding_after_chunks_is_not_spoken {
        send: coding("chunked, identity"),
        judged: Refused(501),
        neighbour: coding("CHUNKED"),
    }
    identity_is_no_coding_any_more {
        send: post("Transfer-Encoding: identity\r\nContent-Length: 5\r\n", "hello"),
        judged: Refused(400),
        neighbour: length("5"),
    }
    a_coding_that_only_ends_in_chunked_is_another {
        send: coding("xchunked"),
        judged: Refused(501),
        neighbour: coding("chunked"),
    }
    a_quoted_coding_is_another {
        send: coding("\"chunked\""),
        judged: Refused(501),
        neighbour: coding("chunked"),
    }
    a_coding_with_a_parameter_is_another {
        send: coding("chunked;q=1"),
        judged: Refused(501),
        neighbour: coding("chunked"),
    }
    a_vertical_tab_is_no_space_before_a_coding {
        send: coding("\u{b}chunked"),
        judged: Refused(400),
        neighbour: coding("\tchunked"),
    }
    http_1_0_knows_no_chunks {
        send: format!("POST /a HTTP/1.0\r\nHost: www.example.com\r\nTransfer-Encoding: chunked\r\n\r\n{CHUNKS}"),
        judged: Refused(400),
        neighbour: "POST /a HTTP/1.0\r\nHost: www.example.com\r\nContent-Length: 5\r\n\r\nhello",
    }
    a_twin_of_the_length_does_not_arrive {
        send: post("Content_Length: 500\r\nContent-Length: 5\r\n", "hello"),
        judged: Arrives("POST /a HTTP/1.1\nhost: www.example.com\ncontent-length: 5\n\nhello\n"),
        neighbour: length("5"),
    }
    a_twin_of_the_coding_does_not_arrive {
        send: post("Transfer_Encoding: chunked\r\nTransfer.Encoding: chunked\r\nContent-Length: 5\r\n", "hello"),
        judged: Arrives("POST /a HTTP/1.1\nhost: www.example.com\ncontent-length: 5\n\nhello\n"),
        neighbour: length("5"),
    }
    a_body_of_get_arrives_framed {
        send: "GET /a HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 5\r\n\r\nhello",
        judged: Arrives("GET /a HTTP/1.1\nhost: www.example.com\ncontent-length: 5\n\nhello\n"),
        neighbour: get(""),
    }
    a_post_without_a_body_says_so {
        send: post("", ""),
        judged: Arrives("POST /a HTTP/1.1\nhost: www.example.com\ncontent-length: 0\n"),
        neighbour: length("5"),
    }
}

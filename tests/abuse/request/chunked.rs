//! Chunked bodies (RFC 9112, 7.1). What the backend has got of a body that turns out to be wrong never looks whole.

use crate::case::Judged::{Arrives, Cut};
use crate::case::{cases, post};

/// These chunks.
fn chunks(chunks: &str) -> String {
    post("Transfer-Encoding: chunked\r\n", chunks)
}

/// A lawful body.
fn lawful() -> String {
    chunks("5\r\nhello\r\n0\r\n\r\n")
}

/// As many chunks with as long extensions.
fn extended(count: usize, bytes: usize) -> String {
    let one = format!("1;{}\r\nx\r\n", "e".repeat(bytes - 1));
    chunks(&format!("{}0\r\n\r\n", one.repeat(count)))
}

cases! {
    a_chunk_without_its_end_makes_no_request {
        send: chunks("5\r\nhelloX"),
        judged: Cut(400),
        neighbour: lawful(),
    }
    a_size_that_ends_in_a_line_feed_is_refused {
        send: chunks("5\nhello\r\n0\r\n\r\n"),
        judged: Cut(400),
        neighbour: lawful(),
    }
    a_size_that_ends_in_a_carriage_return_is_refused {
        send: chunks("5\rhello\r\n0\r\n\r\n"),
        judged: Cut(400),
        neighbour: lawful(),
    }
    a_chunk_that_ends_in_a_line_feed_is_refused {
        send: chunks("5\r\nhello\n0\r\n\r\n"),
        judged: Cut(400),
        neighbour: lawful(),
    }
    a_chunk_that_ends_in_two_other_bytes_is_refused {
        send: chunks("5\r\nhelloXX0\r\n\r\n"),
        judged: Cut(400),
        neighbour: lawful(),
    }
    the_last_chunk_that_ends_in_a_line_feed_is_refused {
        send: chunks("5\r\nhello\r\n0\n\n"),
        judged: Cut(400),
        neighbour: lawful(),
    }
    an_empty_size_is_refused {
        send: chunks("\r\nhello\r\n0\r\n\r\n"),
        judged: Cut(400),
        neighbour: lawful(),
    }
    an_empty_line_after_a_chunk_is_refused {
        send: chunks("5\r\nhello\r\n\r\n0\r\n\r\n"),
        judged: Cut(400),
        neighbour: lawful(),
    }
    a_size_has_no_0x {
        send: chunks("0x5\r\nhello\r\n0\r\n\r\n"),
        judged: Cut(400),
        neighbour: chunks("05\r\nhello\r\n0\r\n\r\n"),
    }
    a_size_has_no_plus {
        send: chunks("+5\r\nhello\r\n0\r\n\r\n"),
        judged: Cut(400),
        neighbour: lawful(),
    }
    a_size_has_no_minus {
        send: chunks("-5\r\nhello\r\n0\r\n\r\n"),
        judged: Cut(400),
        neighbour: lawful(),
    }
    a_size_has_no_space_before_it {
        send: chunks(" 5\r\nhello\r\n0\r\n\r\n"),
        judged: Cut(400),
        neighbour: lawful(),
    }
    a_size_has_no_space_behind_it {
        send: chunks("5 \r\nhello\r\n0\r\n\r\n"),
        judged: Cut(400),
        neighbour: lawful(),
    }
    a_size_has_no_underscore {
        send: chunks("0_5\r\nhello\r\n0\r\n\r\n"),
        judged: Cut(400),
        neighbour: lawful(),
    }
    a_size_of_17_digits_is_refused {
        send: chunks("00000000000000005\r\nhello\r\n0\r\n\r\n"),
        judged: Cut(400),
        neighbour: chunks("0000000000000005\r\nhello\r\n0\r\n\r\n"),
    }
    a_size_that_others_read_as_5_is_refused {
        send: chunks("10000000000000005\r\nhello\r\n0\r\n\r\n"),
        judged: Cut(400),
        neighbour: lawful(),
    }
    digits_are_of_either_case_and_arrive_as_ours {
        send: chunks("A\r\n0123456789\r\n000\r\n\r\n"),
        judged: Arrives("POST /a HTTP/1.1\nhost: www.example.com\ntransfer-encoding: chunked\n\n0123456789\n"),
        neighbour: chunks("a\r\n0123456789\r\n0\r\n\r\n"),
    }
    an_extension_does_not_arrive {
        send: chunks("5;a=b;c=\"d;\\\"e\"\r\nhello\r\n0;last\r\n\r\n"),
        judged: Arrives("POST /a HTTP/1.1\nhost: www.example.com\ntransfer-encoding: chunked\n\nhello\n"),
        neighbour: chunks("5;a\r\nhello\r\n0\r\n\r\n"),
    }
    an_extension_has_no_carriage_return {
        send: chunks("5;a=\rb\r\nhello\r\n0\r\n\r\n"),
        judged: Cut(400),
        neighbour: chunks("5;a=b\r\nhello\r\n0\r\n\r\n"),
    }
    an_extension_has_no_line_feed {
        send: chunks("5;a\n=b\r\nhello\r\n0\r\n\r\n"),
        judged: Cut(400),
        neighbour: chunks("5;a=b\r\nhello\r\n0\r\n\r\n"),
    }
    an_extension_has_no_nul {
        send: chunks("5;a=\0\r\nhello\r\n0\r\n\r\n"),
        judged: Cut(400),
        neighbour: chunks("5;a=0\r\nhello\r\n0\r\n\r\n"),
    }
    an_extension_has_a_name {
        send: chunks("5;=b\r\nhello\r\n0\r\n\r\n"),
        judged: Cut(400),
        neighbour: chunks("5;a=b\r\nhello\r\n0\r\n\r\n"),
    }
    an_extension_is_not_empty {
        send: chunks("5;\r\nhello\r\n0\r\n\r\n"),
        judged: Cut(400),
        neighbour: chunks("5;a\r\nhello\r\n0\r\n\r\n"),
    }
    a_quote_in_an_extension_is_closed {
        send: chunks("5;a=\"b\r\nhello\r\n0\r\n\r\n"),
        judged: Cut(400),
        neighbour: chunks("5;a=\"b\"\r\nhello\r\n0\r\n\r\n"),
    }
    an_extension_is_no_longer_than_512_bytes {
        send: extended(1, 513),
        judged: Cut(400),
        neighbour: extended(1, 500),
    }
    all_extensions_are_no_longer_than_16_kib {
        send: extended(40, 500),
        judged: Cut(400),
        neighbour: extended(30, 500),
    }
    the_next_request_does_not_begin_within_the_last_chunk {
        send: chunks("5\r\nhello\r\n0\r\nGET /b HTTP/1.1\r\nHost: www.example.com\r\n\r\n"),
        judged: Cut(400),
        neighbour: lawful(),
    }
}

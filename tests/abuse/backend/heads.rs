//! Heads of answers, to the letter (RFC 9112, 4 and 5).

use super::answer::Judged::{BadGateway, Gets};
use super::answer::Then::{Close, Stay};
use super::answer::answers;

/// An answer with these lines of fields, and five bytes.
fn with(fields: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 5\r\n\r\nhello")
}

/// An answer with this first line.
fn line(line: &str) -> String {
    format!("{line}\r\nContent-Length: 5\r\n\r\nhello")
}

/// Five bytes under these lines of framing.
fn framed(fields: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\nhello")
}

/// As many interim answers before a final one.
fn interim(count: usize) -> String {
    format!("{}{}", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(count), with(""))
}

answers! {
    an_answer_with_two_lengths_that_differ {
        says: framed("Content-Length: 5\r\nContent-Length: 50"), then: Stay, judged: BadGateway, neighbour: with(""),
    }
    an_answer_with_two_lengths_that_are_the_same {
        says: framed("Content-Length: 5\r\nContent-Length: 5"), then: Stay, judged: BadGateway, neighbour: with(""),
    }
    an_answer_with_a_list_of_lengths {
        says: framed("Content-Length: 5, 5"), then: Stay, judged: BadGateway, neighbour: with(""),
    }
    an_answer_with_a_signed_length {
        says: framed("Content-Length: +5"), then: Stay, judged: BadGateway, neighbour: with(""),
    }
    an_answer_with_a_negative_length {
        says: framed("Content-Length: -5"), then: Stay, judged: BadGateway, neighbour: with(""),
    }
    an_answer_with_a_length_in_hexadecimal {
        says: framed("Content-Length: 0x5"), then: Stay, judged: BadGateway, neighbour: with(""),
    }
    an_answer_with_a_length_beyond_all_numbers {
        says: framed("Content-Length: 18446744073709551621"), then: Stay, judged: BadGateway, neighbour: with(""),
    }
    an_answer_with_an_empty_length {
        says: framed("Content-Length:"), then: Stay, judged: BadGateway, neighbour: with(""),
    }
    an_answer_with_a_length_and_chunks {
        says: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        then: Stay, judged: BadGateway, neighbour: with(""),
    }
    an_answer_in_an_unknown_coding {
        says: framed("Transfer-Encoding: gzip"), then: Close, judged: BadGateway,
        neighbour: framed("Content-Encoding: gzip"),
    }
    an_answer_in_two_codings {
        says: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        then: Stay, judged: BadGateway, neighbour: with(""),
    }
    an_answer_that_names_its_coding_twice {
        says: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        then: Stay, judged: BadGateway, neighbour: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    }
    an_answer_of_1_0_in_chunks {
        says: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        then: Close, judged: BadGateway, neighbour: "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    }
    an_answer_with_a_nul {
        says: with("X-A: b\0c\r\n"), then: Stay, judged: BadGateway, neighbour: with("X-A: b0c\r\n"),
    }
    an_answer_with_a_line_feed_alone {
        says: with("X-A: b\nX-C: d\r\n"), then: Stay, judged: BadGateway, neighbour: with("X-A: b\r\nX-C: d\r\n"),
    }
    an_answer_with_a_carriage_return_alone {
        says: with("X-A: b\rX-C: d\r\n"), then: Stay, judged: BadGateway, neighbour: with("X-A: b\r\nX-C: d\r\n"),
    }
    an_answer_whose_line_ends_in_a_line_feed {
        says: "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", then: Stay, judged: BadGateway, neighbour: with(""),
    }
    an_answer_with_a_folded_field {
        says: with("X-A: b\r\n c\r\n"), then: Stay, judged: BadGateway, neighbour: with("X-A: b c\r\n"),
    }
    an_answer_with_a_space_before_a_colon {
        says: with("X-A : b\r\n"), then: Stay, judged: BadGateway, neighbour: with("X-A: b\r\n"),
    }
    an_answer_with_a_line_that_is_no_field {
        says: with("X-A\r\n"), then: Stay, judged: BadGateway, neighbour: with("X-A:\r\n"),
    }
    an_answer_with_a_name_that_is_none {
        says: with("X A: b\r\n"), then: Stay, judged: BadGateway, neighbour: with("X-A: b\r\n"),
    }
    an_answer_with_a_control_byte {
        says: with("X-A: \u{8}\r\n"), then: Stay, judged: BadGateway, neighbour: with("X-A: 8\r\n"),
    }
    an_answer_that_is_none {
        says: "hello\r\n\r\n", then: Stay, judged: BadGateway, neighbour: with(""),
    }
    an_answer_after_an_empty_line {
        says: format!("\r\n{}", with("")), then: Stay, judged: BadGateway, neighbour: with(""),
    }
    an_answer_of_another_version {
        says: line("HTTP/2.0 200 OK"), then: Stay, judged: BadGateway, neighbour: line("HTTP/1.1 200 OK"),
    }
    an_answer_of_another_protocol {
        says: line("ICY 200 OK"), then: Stay, judged: BadGateway, neighbour: line("HTTP/1.1 200 OK"),
    }
    an_answer_with_a_status_of_two_digits {
        says: line("HTTP/1.1 20 OK"), then: Stay, judged: BadGateway, neighbour: line("HTTP/1.1 200 OK"),
    }
    an_answer_with_a_status_of_four_digits {
        says: line("HTTP/1.1 2000 OK"), then: Stay, judged: BadGateway, neighbour: line("HTTP/1.1 200 OK"),
    }
    an_answer_with_a_status_below_100 {
        says: line("HTTP/1.1 099 OK"), then: Stay, judged: BadGateway, neighbour: line("HTTP/1.1 299 OK"),
    }
    an_answer_with_a_status_above_599 {
        says: line("HTTP/1.1 600 OK"), then: Stay, judged: BadGateway, neighbour: line("HTTP/1.1 599 OK"),
    }
    an_answer_with_a_control_byte_in_its_phrase {
        says: line("HTTP/1.1 200 O\u{1}K"), then: Stay, judged: BadGateway, neighbour: line("HTTP/1.1 200 Fine"),
    }
    an_answer_with_a_head_above_64_kib {
        says: with(&format!("X-A: {}\r\n", "b".repeat(64 * 1024))), then: Stay, judged: BadGateway,
        neighbour: with(&format!("X-A: {}\r\n", "b".repeat(60 * 1024))),
    }
    an_answer_with_a_head_that_does_not_end {
        says: format!("HTTP/1.1 200 OK\r\n{}", "X-A: b\r\n".repeat(10_000)), then: Stay, judged: BadGateway,
        neighbour: with("X-A: b\r\n"),
    }
    an_answer_with_a_hundred_and_one_fields {
        says: with(&"X-A: b\r\n".repeat(100)), then: Stay, judged: BadGateway, neighbour: with(&"X-A: b\r\n".repeat(99)),
    }
    an_answer_after_a_flood_of_interim_ones {
        says: interim(17), then: Stay, judged: BadGateway, neighbour: with(""),
    }
    an_answer_that_does_not_come {
        says: "", then: Close, judged: BadGateway, neighbour: with(""),
    }
    an_answer_whose_head_is_cut {
        says: "HTTP/1.1 200 OK\r\nContent-Len", then: Close, judged: BadGateway, neighbour: with(""),
    }
    an_answer_with_a_phrase_of_its_own {
        says: line("HTTP/1.1 203 Second Hand"), then: Stay,
        judged: Gets("HTTP/1.1 203 Second Hand\ncontent-length: 5\n\nhello\n"), neighbour: with(""),
    }
}

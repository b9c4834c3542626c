//! Bodies of answers: what is cut never looks whole.

use super::answer::Judged::{Cut, Gets};
use super::answer::Then::{Close, Stay};
use super::answer::answers;

/// These chunks.
fn chunks(chunks: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")
}

/// So many bytes announced, and these sent.
fn length(length: usize, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn lawful() -> String {
    chunks("5\r\nhello\r\n0\r\n\r\n")
}

answers! {
    a_body_that_is_shorter_than_announced {
        says: length(6, "hello"), then: Close, judged: Cut, neighbour: length(5, "hello"),
    }
    a_body_that_does_not_begin {
        says: length(6, ""), then: Close, judged: Cut, neighbour: length(0, ""),
    }
    chunks_that_do_not_end {
        says: chunks("5\r\nhello\r\n"), then: Close, judged: Cut, neighbour: lawful(),
    }
    chunks_that_end_within_one {
        says: chunks("50\r\nhello"), then: Close, judged: Cut, neighbour: lawful(),
    }
    chunks_that_end_within_a_size {
        says: chunks("5\r\nhello\r\n1"), then: Close, judged: Cut, neighbour: lawful(),
    }
    chunks_without_the_last_empty_line {
        says: chunks("5\r\nhello\r\n0\r\n"), then: Close, judged: Cut, neighbour: lawful(),
    }
    a_chunk_with_a_size_that_is_none {
        says: chunks("5\r\nhello\r\nfive\r\nhello\r\n0\r\n\r\n"), then: Stay, judged: Cut, neighbour: lawful(),
    }
    a_chunk_with_a_size_of_17_digits {
        says: chunks("5\r\nhello\r\n00000000000000005\r\nhello\r\n0\r\n\r\n"), then: Stay, judged: Cut,
        neighbour: lawful(),
    }
    a_chunk_whose_size_ends_in_a_line_feed {
        says: chunks("5\r\nhello\r\n5\nhello\r\n0\r\n\r\n"), then: Stay, judged: Cut, neighbour: lawful(),
    }
    a_chunk_that_is_longer_than_its_size {
        says: chunks("5\r\nhelloo\r\n0\r\n\r\n"), then: Stay, judged: Cut, neighbour: lawful(),
    }
    a_chunk_with_a_broken_extension {
        says: chunks("5\r\nhello\r\n5;=\r\nhello\r\n0\r\n\r\n"), then: Stay, judged: Cut,
        neighbour: chunks("5;a=b\r\nhello\r\n0\r\n\r\n"),
    }
    a_chunk_with_an_extension_above_its_limit {
        says: chunks(&format!("5\r\nhello\r\n5;{}\r\nhello\r\n0\r\n\r\n", "e".repeat(600))), then: Stay, judged: Cut,
        neighbour: chunks(&format!("5;{}\r\nhello\r\n0\r\n\r\n", "e".repeat(400))),
    }
    a_trailer_with_a_nul {
        says: chunks("5\r\nhello\r\n0\r\nX-A: \0\r\n\r\n"), then: Stay, judged: Cut,
        neighbour: chunks("5\r\nhello\r\n0\r\nX-A: 0\r\n\r\n"),
    }
    a_trailer_that_is_no_field {
        says: chunks("5\r\nhello\r\n0\r\nX-A\r\n\r\n"), then: Stay, judged: Cut,
        neighbour: chunks("5\r\nhello\r\n0\r\nX-A: b\r\n\r\n"),
    }
    trailers_that_do_not_end {
        says: chunks(&format!("5\r\nhello\r\n0\r\n{}", "X-A: b\r\n".repeat(2000))), then: Stay, judged: Cut,
        neighbour: chunks("5\r\nhello\r\n0\r\nX-A: b\r\n\r\n"),
    }
    a_body_that_ends_with_its_connection_is_whole {
        says: "HTTP/1.1 200 OK\r\n\r\nhello", then: Close,
        judged: Gets("HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\nhello\n"),
        neighbour: "HTTP/1.0 200 OK\r\n\r\nhello",
    }
    bytes_behind_a_body_are_not_the_client_s {
        says: length(5, "hello, world"), then: Stay,
        judged: Gets("HTTP/1.1 200 OK\ncontent-length: 5\n\nhello\n"), neighbour: length(12, "hello, world"),
    }
    a_body_behind_204_is_not_the_client_s {
        says: "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", then: Stay,
        judged: Gets("HTTP/1.1 204 No Content\n"), neighbour: "HTTP/1.1 204 No Content\r\n\r\n",
    }
    a_body_behind_304_is_not_the_client_s {
        says: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello", then: Stay,
        judged: Gets("HTTP/1.1 304 Not Modified\ncontent-length: 5\n"),
        neighbour: "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n",
    }
    chunks_arrive_framed_anew {
        says: chunks("2;a=b\r\nhe\r\n003\r\nllo\r\n000\r\n\r\n"), then: Stay,
        judged: Gets("HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\nhello\n"), neighbour: lawful(),
    }
}

//! Trailers: fields behind a body are late, and none of them may change what was decided (RFC 9110, 6.5).

use crate::case::Judged::{Arrives, Cut};
use crate::case::{cases, post};

/// A body with these lines of trailers.
fn trailers(lines: &str) -> String {
    under("", lines)
}

/// The same with further fields in its head.
fn under(fields: &str, lines: &str) -> String {
    post(&format!("Transfer-Encoding: chunked\r\n{fields}"), &format!("5\r\nhello\r\n0\r\n{lines}\r\n"))
}

/// What arrives of it when nothing of its trailers may.
const BARE: &str = "POST /a HTTP/1.1\nhost: www.example.com\ntransfer-encoding: chunked\n\nhello\n";

/// What arrives of it with a lawful trailer.
const SUMMED: &str =
    "POST /a HTTP/1.1\nhost: www.example.com\ntransfer-encoding: chunked\n\nhello\ntrailer x-sum: 1\n";

cases! {
    a_length_does_not_come_late {
        send: trailers("Content-Length: 500\r\nX-Sum: 1\r\n"),
        judged: Arrives(SUMMED),
        neighbour: trailers("X-Sum: 1\r\n"),
    }
    a_coding_does_not_come_late {
        send: trailers("Transfer-Encoding: gzip\r\nX-Sum: 1\r\n"),
        judged: Arrives(SUMMED),
        neighbour: trailers("X-Sum: 1\r\n"),
    }
    a_host_does_not_come_late {
        send: trailers("Host: localhost\r\nX-Sum: 1\r\n"),
        judged: Arrives(SUMMED),
        neighbour: trailers("X-Sum: 1\r\n"),
    }
    rights_do_not_come_late {
        send: trailers("Authorization: Basic eDp5\r\nCookie: a=b\r\n"),
        judged: Arrives(BARE),
        neighbour: trailers("X-Sum: 1\r\n"),
    }
    who_the_client_is_does_not_come_late {
        send: trailers("X-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\n"),
        judged: Arrives(BARE),
        neighbour: trailers("X-Sum: 1\r\n"),
    }
    what_we_add_does_not_come_late {
        send: trailers("X-Nearside-Ref: 0\r\nX-Nearside-Home: x\r\nVia: 1.1 x\r\nCDN-Loop: x\r\n"),
        judged: Arrives(BARE),
        neighbour: trailers("X-Sum: 1\r\n"),
    }
    a_condition_does_not_come_late {
        send: trailers("If-Match: \"a\"\r\nExpect: 100-continue\r\nRange: bytes=0-\r\n"),
        judged: Arrives(BARE),
        neighbour: trailers("X-Sum: 1\r\n"),
    }
    what_the_body_is_does_not_come_late {
        send: trailers("Content-Type: text/html\r\nContent-Encoding: gzip\r\nContent-Range: bytes 0-4/5\r\n"),
        judged: Arrives(BARE),
        neighbour: trailers("Content-Digest: sha-256=:YQ==:\r\n"),
    }
    a_twin_does_not_come_late {
        send: trailers("Content_Length: 500\r\nX_Forwarded_For: 1.2.3.4\r\n"),
        judged: Arrives(BARE),
        neighbour: trailers("X_Sum: 1\r\n"),
    }
    what_belongs_to_the_connection_does_not_come_late {
        send: trailers("Connection: close\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\nTE: trailers\r\n"),
        judged: Arrives(BARE),
        neighbour: trailers("X-Sum: 1\r\n"),
    }
    a_trailer_that_connection_names_ends_here {
        send: under("Connection: x-secret\r\n", "X-Secret: 1\r\nX-Sum: 1\r\n"),
        judged: Arrives(SUMMED),
        neighbour: under("Connection: x-other\r\n", "X-Secret: 1\r\n"),
    }
    a_line_feed_alone_ends_no_trailer {
        send: trailers("X-Sum: 1\nX-More: 2\r\n"),
        judged: Cut(400),
        neighbour: trailers("X-Sum: 1\r\nX-More: 2\r\n"),
    }
    a_line_feed_alone_does_not_end_the_trailers {
        send: trailers("X-Sum: 1\r\n\n"),
        judged: Cut(400),
        neighbour: trailers("X-Sum: 1\r\n"),
    }
    a_carriage_return_alone_ends_no_trailer {
        send: trailers("X-Sum: 1\rX-More: 2\r\n"),
        judged: Cut(400),
        neighbour: trailers("X-Sum: 1\r\n"),
    }
    a_nul_in_a_trailer_is_refused {
        send: trailers("X-Sum: \0\r\n"),
        judged: Cut(400),
        neighbour: trailers("X-Sum: 0\r\n"),
    }
    a_folded_trailer_is_refused {
        send: trailers("X-Sum: 1\r\n 2\r\n"),
        judged: Cut(400),
        neighbour: trailers("X-Sum: 1 2\r\n"),
    }
    a_space_before_the_colon_of_a_trailer_is_refused {
        send: trailers("X-Sum : 1\r\n"),
        judged: Cut(400),
        neighbour: trailers("X-Sum: 1\r\n"),
    }
    more_than_64_trailers_are_refused {
        send: trailers(&"X-Sum: 1\r\n".repeat(65)),
        judged: Cut(400),
        neighbour: trailers(&"X-Sum: 1\r\n".repeat(64)),
    }
    trailers_above_8_kib_are_refused {
        send: trailers(&format!("X-Sum: {}\r\n", "1".repeat(8192))),
        judged: Cut(400),
        neighbour: trailers(&format!("X-Sum: {}\r\n", "1".repeat(8000))),
    }
}

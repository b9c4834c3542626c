//! Blocks of fields: what HPACK cannot be, and what stands between the frames of a block (RFC 9113, 4.3 and 6.10; RFC 7541).

use super::Judged::Connection;
use super::{cases, lawful};
use nearside_tests::frames::code::{CALM, COMPRESSION, PROTOCOL};
use nearside_tests::frames::{block, field, flag, frame, get, integer, kind, line};

const END: u8 = flag::END_STREAM;
/// A block that cannot be read.
const UNREADABLE: &[u32] = &[COMPRESSION];

/// A request for `path` whose block ends in `more`.
fn with(path: &str, more: &[u8]) -> Vec<u8> {
    frame(kind::HEADERS, END | flag::END_HEADERS, 1, &[block(&line("GET", path)), more.to_vec()].concat())
}

/// A request whose block comes in pieces, with `between` after the first of them.
fn in_pieces(path: &str, between: &[u8]) -> Vec<u8> {
    let whole = block(&line("GET", path));
    let (one, two) = whole.split_at(20);
    let (first, last) =
        (frame(kind::HEADERS, END, 1, one), frame(kind::CONTINUATION, flag::END_HEADERS, 1, two));
    [&first[..], between, &last].concat()
}

cases! {
    a_reference_to_nothing {
        send: with("/hostile", &[0x80]),
        judged: Connection(UNREADABLE),
        neighbour: with("/lawful", &[0x90]),
    }
    a_reference_beyond_the_table {
        send: with("/hostile", &integer(0x80, 7, 62)),
        judged: Connection(UNREADABLE),
        neighbour: with("/lawful", &[&[0x40][..], &field("x-kept", "1")[1..], &integer(0x80, 7, 62)].concat()),
    }
    a_table_larger_than_allowed {
        send: frame(kind::HEADERS, END | flag::END_HEADERS, 1, &[integer(0x20, 5, 4_097), block(&line("GET", "/hostile"))].concat()),
        judged: Connection(UNREADABLE),
        neighbour: frame(kind::HEADERS, END | flag::END_HEADERS, 1, &[integer(0x20, 5, 4_096), block(&line("GET", "/lawful"))].concat()),
    }
    a_table_that_changes_its_size_behind_a_field {
        send: with("/hostile", &integer(0x20, 5, 100)),
        judged: Connection(UNREADABLE),
        neighbour: frame(kind::HEADERS, END | flag::END_HEADERS, 1, &[integer(0x20, 5, 100), block(&line("GET", "/lawful"))].concat()),
    }
    a_text_longer_than_its_block {
        send: with("/hostile", &[0, 1, b'x', 9, b'y']),
        judged: Connection(UNREADABLE),
        neighbour: with("/lawful", &[0, 1, b'x', 1, b'y']),
    }
    a_number_without_end {
        send: with("/hostile", &[&[0xff][..], &[0xff; 30]].concat()),
        judged: Connection(UNREADABLE),
        neighbour: with("/lawful", &[0x90]),
    }
    a_huffman_text_that_holds_the_end_of_text {
        send: with("/hostile", &[0, 1, b'x', 0x84, 0xff, 0xff, 0xff, 0xff]),
        judged: Connection(UNREADABLE),
        neighbour: with("/lawful", &[0, 1, b'x', 0x81, 0x1f]),
    }
    a_huffman_text_padded_with_zeros {
        send: with("/hostile", &[0, 1, b'x', 0x81, 0x18]),
        judged: Connection(UNREADABLE),
        neighbour: with("/lawful", &[0, 1, b'x', 0x81, 0x1f]),
    }
    data_within_a_block {
        send: in_pieces("/hostile", &frame(kind::DATA, 0, 1, b"x")),
        judged: Connection(&[PROTOCOL]),
        neighbour: in_pieces("/lawful", &[]),
    }
    another_head_within_a_block {
        send: in_pieces("/hostile", &get(3, "/hostile")),
        judged: Connection(&[PROTOCOL]),
        neighbour: in_pieces("/lawful", &[]),
    }
    a_ping_within_a_block {
        send: in_pieces("/hostile", &frame(kind::PING, 0, 0, &[0; 8])),
        judged: Connection(&[PROTOCOL]),
        neighbour: in_pieces("/lawful", &[]),
    }
    an_unknown_kind_within_a_block {
        send: in_pieces("/hostile", &frame(0xfa, 0, 0, b"x")),
        judged: Connection(&[PROTOCOL]),
        neighbour: [frame(0xfa, 0, 0, b"x"), in_pieces("/lawful", &[])].concat(),
    }
    a_block_that_goes_on_in_another_stream {
        send: in_pieces("/hostile", &frame(kind::CONTINUATION, 0, 3, &[])),
        judged: Connection(&[PROTOCOL]),
        neighbour: in_pieces("/lawful", &frame(kind::CONTINUATION, 0, 1, &[])),
    }
    a_block_that_goes_on_before_it_began {
        send: frame(kind::CONTINUATION, flag::END_HEADERS, 1, &block(&line("GET", "/hostile"))),
        judged: Connection(&[PROTOCOL]),
        neighbour: get(1, "/lawful"),
    }
    a_block_that_goes_on_after_its_end {
        send: [get(1, "/before"), frame(kind::CONTINUATION, flag::END_HEADERS, 1, &field("x", "/hostile"))].concat(),
        judged: Connection(&[PROTOCOL]),
        neighbour: lawful(&[("x", "y")]),
    }
    a_block_in_pieces_without_end {
        send: [frame(kind::HEADERS, END, 1, &block(&line("GET", "/hostile"))), frame(kind::CONTINUATION, 0, 1, &field("x", "y")).repeat(50)].concat(),
        judged: Connection(&[CALM]),
        neighbour: in_pieces("/lawful", &frame(kind::CONTINUATION, 0, 1, &[]).repeat(3)),
    }
    a_block_in_empty_pieces_without_end {
        send: [frame(kind::HEADERS, END, 1, &[]), frame(kind::CONTINUATION, 0, 1, &[]).repeat(200)].concat(),
        judged: Connection(&[CALM]),
        neighbour: [frame(kind::HEADERS, END, 1, &[]), frame(kind::CONTINUATION, flag::END_HEADERS, 1, &block(&line("GET", "/lawful")))].concat(),
    }
    a_field_that_is_named_ten_thousand_times {
        send: with("/hostile", &[&[0x40][..], &field("x", "y".repeat(4_000))[1..], &integer(0x80, 7, 62).repeat(10_000)].concat()),
        judged: Connection(&[CALM]),
        neighbour: with("/lawful", &[&[0x40][..], &field("x", "y".repeat(400))[1..], &integer(0x80, 7, 62).repeat(10)].concat()),
    }
}

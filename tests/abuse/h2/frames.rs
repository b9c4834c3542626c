//! The shape of frames: sizes, streams, padding, kinds (RFC 9113, 4.1, 4.2, 6).

use super::Judged::{Connection, CutConnection, Stream};
use super::{cases, lawful, post, upload};
use nearside_tests::frames::code::{COMPRESSION, FRAME_SIZE, PROTOCOL};
use nearside_tests::frames::{block, flag, frame, get, kind, line};

const END: u8 = flag::END_STREAM;

/// The block of a hostile request.
fn hostile_block() -> Vec<u8> {
    block(&line("GET", "/hostile"))
}

/// HEADERS of a request for `path`, with `ahead` before its block, `behind` after it and these flags.
fn around(path: &str, flags: u8, ahead: &[u8], behind: &[u8]) -> Vec<u8> {
    let payload = [ahead, &block(&line("GET", path)), behind].concat();
    frame(kind::HEADERS, flags | flag::END_HEADERS | END, 1, &payload)
}

cases! {
    data_above_the_largest_frame {
        send: [upload(&[]), frame(kind::DATA, END, 1, &[b'x'; 16_385])].concat(),
        judged: CutConnection(&[FRAME_SIZE]),
        neighbour: [post(&[]), frame(kind::DATA, END, 1, &[b'x'; 16_384])].concat(),
    }
    a_head_above_the_largest_frame {
        send: frame(kind::HEADERS, END | flag::END_HEADERS, 1, &[hostile_block(), vec![0; 16_385]].concat()),
        judged: Connection(&[FRAME_SIZE]),
        neighbour: lawful(&[("x-long", &"v".repeat(16_000))]),
    }
    an_unknown_kind_above_the_largest_frame {
        send: frame(0xfa, 0, 0, &[0; 16_385]),
        judged: Connection(&[FRAME_SIZE]),
        neighbour: [frame(0xfa, 0, 0, &[0; 16_384]), get(1, "/lawful")].concat(),
    }
    settings_of_a_size_that_no_settings_have {
        send: frame(kind::SETTINGS, 0, 0, &[0, 4, 0, 1, 0]),
        judged: Connection(&[FRAME_SIZE]),
        neighbour: [frame(kind::SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0]), get(1, "/lawful")].concat(),
    }
    an_answer_to_settings_that_carries_something {
        send: frame(kind::SETTINGS, flag::ACK, 0, &[0, 4, 0, 1, 0, 0]),
        judged: Connection(&[FRAME_SIZE]),
        neighbour: [frame(kind::SETTINGS, 0, 0, &[]), get(1, "/lawful")].concat(),
    }
    a_ping_that_is_too_short {
        send: frame(kind::PING, 0, 0, &[0; 7]),
        judged: Connection(&[FRAME_SIZE]),
        neighbour: [frame(kind::PING, 0, 0, &[7; 8]), get(1, "/lawful")].concat(),
    }
    a_ping_that_is_too_long {
        send: frame(kind::PING, 0, 0, &[0; 9]),
        judged: Connection(&[FRAME_SIZE]),
        neighbour: [frame(kind::PING, flag::ACK, 0, &[7; 8]), get(1, "/lawful")].concat(),
    }
    a_reset_that_is_too_short {
        send: [upload(&[]), frame(kind::RESET, 0, 1, &[0; 3])].concat(),
        judged: CutConnection(&[FRAME_SIZE]),
        neighbour: get(1, "/lawful"),
    }
    a_window_update_that_is_too_long {
        send: frame(kind::WINDOW, 0, 0, &[0, 0, 0, 1, 0]),
        judged: Connection(&[FRAME_SIZE]),
        neighbour: [frame(kind::WINDOW, 0, 0, &[0, 0, 0, 1]), get(1, "/lawful")].concat(),
    }
    a_priority_that_is_too_short {
        send: frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 0]),
        judged: Connection(&[FRAME_SIZE]),
        neighbour: [frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 0, 9]), get(1, "/lawful")].concat(),
    }
    a_farewell_that_is_too_short {
        send: frame(kind::GOAWAY, 0, 0, &[0; 7]),
        judged: Connection(&[FRAME_SIZE]),
        neighbour: [frame(kind::PING, 0, 0, &[0; 8]), get(1, "/lawful")].concat(),
    }
    data_of_no_stream {
        send: frame(kind::DATA, END, 0, b"x"),
        judged: Connection(&[PROTOCOL]),
        neighbour: [post(&[]), frame(kind::DATA, END, 1, b"x")].concat(),
    }
    a_head_of_no_stream {
        send: frame(kind::HEADERS, END | flag::END_HEADERS, 0, &hostile_block()),
        judged: Connection(&[PROTOCOL]),
        neighbour: get(1, "/lawful"),
    }
    a_reset_of_no_stream {
        send: frame(kind::RESET, 0, 0, &[0; 4]),
        judged: Connection(&[PROTOCOL]),
        neighbour: get(1, "/lawful"),
    }
    a_priority_of_no_stream {
        send: frame(kind::PRIORITY, 0, 0, &[0; 5]),
        judged: Connection(&[PROTOCOL]),
        neighbour: [frame(kind::PRIORITY, 0, 7, &[0; 5]), get(1, "/lawful")].concat(),
    }
    settings_of_a_stream {
        send: frame(kind::SETTINGS, 0, 1, &[]),
        judged: Connection(&[PROTOCOL]),
        neighbour: [frame(kind::SETTINGS, 0, 0, &[]), get(1, "/lawful")].concat(),
    }
    a_ping_of_a_stream {
        send: frame(kind::PING, 0, 1, &[0; 8]),
        judged: Connection(&[PROTOCOL]),
        neighbour: [frame(kind::PING, 0, 0, &[0; 8]), get(1, "/lawful")].concat(),
    }
    a_farewell_of_a_stream {
        send: frame(kind::GOAWAY, 0, 1, &[0; 8]),
        judged: Connection(&[PROTOCOL]),
        neighbour: get(1, "/lawful"),
    }
    a_promise_by_a_client {
        send: frame(kind::PUSH, flag::END_HEADERS, 1, &[&[0, 0, 0, 2][..], &hostile_block()].concat()),
        judged: Connection(&[PROTOCOL]),
        neighbour: get(1, "/lawful"),
    }
    padding_longer_than_its_data {
        send: [upload(&[]), frame(kind::DATA, END | flag::PADDED, 1, &[5, b'x', 0, 0, 0])].concat(),
        judged: CutConnection(&[PROTOCOL]),
        neighbour: [post(&[]), frame(kind::DATA, END | flag::PADDED, 1, &[3, b'x', 0, 0, 0])].concat(),
    }
    padded_data_without_the_length_of_its_padding {
        send: [upload(&[]), frame(kind::DATA, END | flag::PADDED, 1, &[])].concat(),
        judged: CutConnection(&[PROTOCOL, FRAME_SIZE]),
        neighbour: [post(&[]), frame(kind::DATA, END | flag::PADDED, 1, &[0])].concat(),
    }
    padding_longer_than_its_head {
        send: around("/hostile", flag::PADDED, &[255], &[]),
        judged: Connection(&[PROTOCOL]),
        neighbour: around("/lawful", flag::PADDED, &[3], &[0; 3]),
    }
    a_priority_that_is_announced_and_missing {
        send: frame(kind::HEADERS, END | flag::END_HEADERS | flag::PRIORITY, 1, &[0, 0, 0]),
        judged: Connection(&[PROTOCOL, FRAME_SIZE]),
        neighbour: around("/lawful", flag::PRIORITY, &[0, 0, 0, 0, 15], &[]),
    }
    a_head_that_depends_on_itself {
        send: around("/hostile", flag::PRIORITY, &[0, 0, 0, 1, 15], &[]),
        judged: Stream(&[PROTOCOL]),
        neighbour: around("/lawful", flag::PRIORITY, &[0, 0, 0, 3, 15], &[]),
    }
    flags_that_mean_nothing_and_a_reserved_bit {
        send: frame(kind::HEADERS, 0xd7, 1, &[hostile_block(), vec![0x80]].concat()),
        judged: Connection(&[COMPRESSION]),
        neighbour: frame(kind::HEADERS, 0xc0 | END | flag::END_HEADERS, 0x8000_0001, &block(&line("GET", "/lawful"))),
    }
}

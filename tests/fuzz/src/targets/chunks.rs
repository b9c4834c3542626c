//! Chunked bodies: read alike however they are cut, and written again so that a second parser reads the same.

use nearside_http::Refusal;
use nearside_http::chunked::{Decoder, END, Step, size_line, write_end};
use nearside_tests::wire::{Kind, Message};

pub(super) const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"0\r\n\r\n",
    b"0\r\n",
    b"1\r\nx\r\n",
    b"5;a=b\r\nhello\r\n",
    b";a=\"b\"",
    b";\"",
    b"ffffffffffffffff",
    b"00000000000000000",
    b"0x1",
    b"etag: a\r\n",
    b"content-length: 3\r\n",
    b"transfer-encoding: chunked\r\n",
    b"x: y\r\n\r\n",
];

/// What a body came to.
#[derive(Debug, Default, Eq, PartialEq)]
struct Read {
    data: Vec<u8>,
    trailers: Vec<(Vec<u8>, Vec<u8>)>,
    /// How many bytes it took.
    end: Option<usize>,
    refused: Option<Refusal>,
}

pub(super) fn attack(bytes: &[u8]) {
    let whole = read(bytes, bytes.len().max(1));
    for piece in [1, 2, 7] {
        assert_eq!(read(bytes, piece), whole, "in pieces of {piece}");
    }
    if whole.end.is_none() {
        return;
    }
    let mut decoder = Decoder::new();
    decode(&mut decoder, bytes, bytes.len().max(1));
    let mut wire = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for piece in whole.data.chunks(1_000) {
        wire.extend_from_slice(&size_line(piece.len()));
        wire.extend_from_slice(piece);
        wire.extend_from_slice(END);
    }
    write_end(decoder.trailers(), &mut wire);
    let told = wire.escape_ascii().to_string();
    let (message, length) =
        Message::read(&wire, Kind::Request, true).unwrap_or_else(|fault| panic!("{fault:?}: {told}"));
    assert_eq!((length, &message.body), (wire.len(), &whole.data), "{told}");
    assert_eq!(message.trailers.len(), whole.trailers.len(), "{told}");
    for (name, _) in &message.trailers {
        assert!(
            !matches!(name.as_str(), "content-length" | "transfer-encoding" | "host" | "connection"),
            "{name}"
        );
    }
}

fn read(bytes: &[u8], piece: usize) -> Read {
    decode(&mut Decoder::new(), bytes, piece)
}

fn decode(decoder: &mut Decoder, bytes: &[u8], piece: usize) -> Read {
    let mut read = Read::default();
    let mut at = 0;
    while at < bytes.len() {
        let input = &bytes[at..bytes.len().min(at + piece)];
        match decoder.decode(input) {
            Ok(Step::Data(range)) => {
                assert!(!range.is_empty() && range.end <= input.len());
                at += range.end;
                read.data.extend_from_slice(&input[range]);
            }
            Ok(Step::More) => at += input.len(),
            Ok(Step::End(used)) => {
                let trailers = decoder.trailers().iter();
                read.trailers = trailers.map(|field| (field.name.to_vec(), field.value.to_vec())).collect();
                read.end = Some(at + used);
                assert!(decoder.is_done());
                break;
            }
            Err(refusal) => {
                read.refused = Some(refusal);
                break;
            }
        }
    }
    read
}

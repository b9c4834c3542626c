//! Chunks: however the bytes arrive, the same body comes out, or the same refusal.

use super::{Decoder, LAST, Step, size_line, write_end};
use crate::{Fields, Refusal, trailers};
use proptest::prelude::{any, prop, proptest};

/// Decodes input that arrives in pieces of so many bytes: the data, the trailers, and what was left.
fn decode(raw: &[u8], piece: usize) -> Result<Option<(Vec<u8>, String, usize)>, Refusal> {
    let mut decoder = Decoder::new();
    let (mut data, mut start) = (Vec::new(), 0);
    for part in raw.chunks(piece) {
        let mut at = 0;
        loop {
            match decoder.decode(&part[at..])? {
                Step::Data(range) => {
                    assert!(!range.is_empty());
                    data.extend_from_slice(&part[at..][range.clone()]);
                    at += range.end;
                }
                Step::More => break,
                Step::End(used) => {
                    assert!(decoder.is_done());
                    let lines =
                        decoder.trailers().iter().map(|field| [field.name, b"=", field.value, b";"].concat());
                    let text = String::from_utf8(lines.flatten().collect()).unwrap();
                    return Ok(Some((data, text, raw.len() - start - at - used)));
                }
            }
        }
        start += part.len();
    }
    Ok(None)
}

fn outcome(raw: &[u8]) -> Result<Option<(Vec<u8>, String, usize)>, Refusal> {
    let whole = decode(raw, raw.len().max(1));
    for piece in [1, 2, 3, 7] {
        assert_eq!(decode(raw, piece), whole, "{} in pieces of {piece}", raw.escape_ascii());
    }
    whole
}

fn check(raw: &str, data: &str, trailers: &str, left: usize) {
    assert_eq!(outcome(raw.as_bytes()), Ok(Some((data.into(), trailers.into(), left))), "{raw:?}");
}

/// A body that is refused, and its nearest neighbour that is not.
fn refused(raw: &str, refusal: Refusal, neighbour: &str) {
    assert_eq!(outcome(raw.as_bytes()), Err(refusal), "{raw:?}");
    assert!(matches!(outcome(neighbour.as_bytes()), Ok(Some(_))), "{neighbour:?}");
}

#[test]
fn data_comes_out_and_the_next_request_is_left() {
    check("0\r\n\r\n", "", "", 0);
    check("3\r\nabc\r\n0\r\n\r\nGET", "abc", "", 3);
    check("a\r\n0123456789\r\nA\r\n0123456789\r\n000\r\n\r\n", "01234567890123456789", "", 0);
    check("0000000000000001\r\nx\r\n0\r\n\r\n", "x", "", 0);
    check("1;a\r\nx\r\n1;a=b;c=\"d\\\"; \"\r\ny\r\n0 ; e = f\r\n\r\n", "xy", "", 0);
    assert_eq!(outcome(b"3\r\nabc\r\n0\r\n"), Ok(None));
    assert_eq!(outcome(b"3\r\nab"), Ok(None));
}

#[test]
fn trailers_come_out_but_for_those_that_decide_something() {
    check(
        "0\r\ngrpc-status: 0\r\nContent-Length: 5\r\nHost: x\r\nAuthorization: y\r\nX_Forwarded_For: z\r\nx-sum:  1 \r\n\r\n!",
        "",
        "grpc-status=0;x-sum=1;",
        1,
    );
}

#[test]
fn chunks_are_read_to_the_letter() {
    let one = "1\r\nx\r\n0\r\n\r\n";
    for (raw, refusal) in [
        ("\r\n0\r\n\r\n", Refusal::ChunkSize),
        (";a\r\n", Refusal::ChunkSize),
        ("+1\r\nx\r\n0\r\n\r\n", Refusal::ChunkSize),
        ("-1\r\nx\r\n0\r\n\r\n", Refusal::ChunkSize),
        ("0x1\r\nx\r\n0\r\n\r\n", Refusal::ChunkSize),
        (" 1\r\nx\r\n0\r\n\r\n", Refusal::ChunkSize),
        ("1_\r\nx\r\n", Refusal::ChunkSize),
        ("g\r\n", Refusal::ChunkSize),
        ("00000000000000001\r\nx\r\n0\r\n\r\n", Refusal::ChunkSize),
        ("1\nx\r\n0\r\n\r\n", Refusal::BareLf),
        ("1\rx\r\n0\r\n\r\n", Refusal::BareCr),
        ("1\r\rx", Refusal::BareCr),
        ("1 \r\nx\r\n0\r\n\r\n", Refusal::ChunkExtension),
        ("1\r\nx\n0\r\n\r\n", Refusal::ChunkEnd),
        ("1\r\nxy\r\n0\r\n\r\n", Refusal::ChunkEnd),
        ("1\r\nx0\r\n\r\n", Refusal::ChunkEnd),
        ("1\r\nx\r0", Refusal::ChunkEnd),
        ("1\r\nx\r\n\r\n", Refusal::ChunkSize),
        ("0\r\n\n", Refusal::BareLf),
        ("0\r\n\rx", Refusal::BareCr),
    ] {
        refused(raw, refusal, one);
    }
}

#[test]
fn extensions_are_well_formed_and_few() {
    let with = |extension: &str| format!("1{extension}\r\nx\r\n0\r\n\r\n");
    for (bad, refusal, good) in [
        (";", Refusal::ChunkExtension, ";a"),
        (";a=", Refusal::ChunkExtension, ";a=b"),
        (";=b", Refusal::ChunkExtension, ";a=b"),
        (";a b", Refusal::ChunkExtension, ";a;b"),
        (";a=\"b", Refusal::ChunkExtension, ";a=\"b\""),
        (";a=\"b\"c", Refusal::ChunkExtension, ";a=\"bc\""),
        (";a\n", Refusal::BareLf, ";a"),
        (";a=\"\n\"", Refusal::BareLf, ";a=\"\t\""),
        (";a\u{1}", Refusal::ChunkExtension, ";a1"),
        (" x", Refusal::ChunkExtension, " ;x"),
    ] {
        refused(&with(bad), refusal, &with(good));
    }
    let long = |length: usize| with(&format!(";{}", "a".repeat(length - 1)));
    refused(&long(513), Refusal::ChunkExtensionsTooLarge, &long(512));
    let many = |count: usize| format!("{}0\r\n\r\n", format!("1;{}\r\nx\r\n", "a".repeat(511)).repeat(count));
    refused(&many(33), Refusal::ChunkExtensionsTooLarge, &many(32));
}

#[test]
fn trailers_are_read_to_the_letter_and_bounded() {
    let with = |trailers: &str| format!("0\r\n{trailers}\r\n\r\n");
    for (bad, refusal, good) in [
        ("x: y\nz: a", Refusal::BareLf, "x: y\r\nz: a"),
        ("x: y\rz", Refusal::BareCr, "x: yz"),
        ("x: \0", Refusal::Nul, "x: 0"),
        ("x : y", Refusal::SpaceBeforeColon, "x: y"),
        (" x: y", Refusal::Fold, "x: y"),
        ("x: y\r\n z", Refusal::Fold, "x: y z"),
        (":status: 200", Refusal::FieldName, "status: 200"),
        ("x", Refusal::FieldName, "x:"),
    ] {
        refused(&with(bad), refusal, &with(good));
    }
    let long = |length: usize| with(&format!("x: {}", "y".repeat(length - 7)));
    refused(&long(8193), Refusal::TrailersTooLarge, &long(8192));
    let many = |count: usize| with(&vec!["x: y"; count].join("\r\n"));
    refused(&many(65), Refusal::TrailersTooLarge, &many(64));
}

#[test]
fn sizes_are_written_in_the_fewest_digits() {
    for (size, line) in [(0, "0\r\n"), (1, "1\r\n"), (15, "f\r\n"), (16, "10\r\n"), (65536, "10000\r\n")] {
        assert_eq!(size_line(size).as_slice(), line.as_bytes());
    }
    assert_eq!(size_line(usize::MAX).as_slice(), format!("{:x}\r\n", usize::MAX).as_bytes());
}

#[test]
fn an_end_is_written_with_the_trailers_that_may_pass() {
    let end = |fields: &[(&[u8], &[u8])]| {
        let mut into = Fields::new();
        trailers::read_parts(&mut into, fields.iter().copied()).unwrap();
        let mut out = Vec::new();
        write_end(&into, &mut out);
        out
    };
    assert_eq!(end(&[]), LAST);
    assert_eq!(end(&[(b"grpc-status", b"0"), (b"content-length", b"5")]), b"0\r\ngrpc-status: 0\r\n\r\n");
}

proptest! {
    #[test]
    fn what_is_written_in_chunks_is_read_again(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6)) {
        let mut raw = Vec::new();
        for part in &parts {
            for piece in [size_line(part.len()).as_slice(), part, super::END] {
                raw.extend_from_slice(piece);
            }
        }
        raw.extend_from_slice(LAST);
        assert_eq!(outcome(&raw), Ok(Some((parts.concat(), String::new(), 0))));
    }

    #[test]
    fn noise_never_panics_and_reads_the_same_in_any_pieces(noise in prop::collection::vec(prop::sample::select(b"0123af;= \"\\\r\n\r\nx:\0".to_vec()), 0..40)) {
        drop(outcome(&noise));
    }
}

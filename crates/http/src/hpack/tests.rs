//! The examples of the standard, and what is written read again.

use super::{Decoder, Encoder, Fault, MOST, TABLE, huffman};
use crate::Known;
use proptest::prelude::{any, prop, proptest};

pub(super) fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn read(decoder: &mut Decoder, block: &[u8]) -> Result<String, Fault> {
    let mut text = String::new();
    decoder.decode(block, |name, value| {
        text.push_str(&format!("{}: {}\n", name.escape_ascii(), value.escape_ascii()));
    })?;
    Ok(text)
}

/// Reads these blocks of one connection.
fn check(blocks: &[(&str, &str)]) {
    let mut decoder = Decoder::default();
    for (block, fields) in blocks {
        assert_eq!(read(&mut decoder, &bytes(block)).as_deref(), Ok(*fields), "{block}");
    }
}

/// RFC 7541, C.2.
#[test]
fn each_form_of_a_field_is_read() {
    check(&[(
        "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
        "custom-key: custom-header\n",
    )]);
    check(&[("040c 2f73 616d 706c 652f 7061 7468", ":path: /sample/path\n")]);
    check(&[("1008 7061 7373 776f 7264 0673 6563 7265 74", "password: secret\n")]);
    check(&[("82", ":method: GET\n")]);
}

const FIRST: &str = ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\n";
const SECOND: &str =
    ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\ncache-control: no-cache\n";
const THIRD: &str = ":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\n\
                     custom-key: custom-value\n";

/// RFC 7541, C.3 and C.4.
#[test]
fn the_requests_of_the_standard_are_read() {
    check(&[
        ("8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", FIRST),
        ("8286 84be 5808 6e6f 2d63 6163 6865", SECOND),
        ("8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65", THIRD),
    ]);
    check(&[
        ("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", FIRST),
        ("8286 84be 5886 a8eb 1064 9cbf", SECOND),
        ("8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", THIRD),
    ]);
}

/// RFC 7541, C.5 and C.6: a table of 256 bytes, of which fields are forgotten.
#[test]
fn the_answers_of_the_standard_are_read() {
    let fields = |status: &str, second: &str, rest: &str| {
        format!(
            ":status: {status}\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:{second} GMT\n\
             location: https://www.example.com\n{rest}"
        )
    };
    let cookie =
        "content-encoding: gzip\nset-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1\n";
    let all = [fields("302", "21", ""), fields("307", "21", ""), fields("200", "22", cookie)];
    let [one, two, three] = &all;
    check(&[
        (
            "3fe101 4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 \
             3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
            one,
        ),
        ("4803 3330 37c1 c0bf", two),
        (
            "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 \
             666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 \
             3630 303b 2076 6572 7369 6f6e 3d31",
            three,
        ),
    ]);
    check(&[
        (
            "3fe101 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad \
             1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
            one,
        ),
        ("4883 640e ffc1 c0bf", two),
        (
            "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 \
             b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
            three,
        ),
    ]);
}

#[test]
fn what_breaks_the_rules_is_not_read() {
    for block in [
        "80",
        "be",
        "7e",
        "0f",
        "40",
        "4001",
        "40016101",
        "82 20",
        "3fe21f",
        "3fe21f82",
        "ffffffffff7f",
        "00 0161 7f",
        "00 0161 81",
        "00 0161 8118",
        "00 0161 84ffffffff",
        "ff80808080808001",
        "be82",
        "c1",
        "0f2f",
    ] {
        assert_eq!(read(&mut Decoder::default(), &bytes(block)), Err(Fault::Unreadable), "{block}");
    }
    for block in ["", "20", "203fe11f82", "3fe11f", "00 0161 00", "00 00 00"] {
        assert!(read(&mut Decoder::default(), &bytes(block)).is_ok(), "{block}");
    }
}

#[test]
fn a_bomb_is_put_down() {
    let mut decoder = Decoder::default();
    let field = [&[0x40, 1, b'x', 0x7f, 0xa1, 0x1e][..], &[b'y'; 4_000]].concat();
    let most = MOST / (4_001 + 32);
    assert!(read(&mut decoder, &[&field[..], &[0xbe].repeat(most - 1)].concat()).is_ok());
    assert_eq!(read(&mut decoder, &[0xbe].repeat(most + 1)), Err(Fault::TooLarge));
    assert_eq!(read(&mut decoder, &[0x82].repeat(MOST / 32)), Err(Fault::TooLarge));
}

/// Writes an answer's block and reads it.
fn packed(encoder: &mut Encoder, decoder: &mut Decoder, fields: &[(&str, &str)]) -> (usize, String) {
    let mut out = Vec::new();
    encoder.begin(&mut out);
    encoder.status(200, &mut out);
    for (name, value) in fields {
        encoder.field(Known::classify(name.as_bytes()), name.as_bytes(), value.as_bytes(), &mut out);
    }
    (out.len(), read(decoder, &out).unwrap())
}

#[test]
fn fields_that_return_become_one_byte_each() {
    let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
    let fields =
        [("Content-Type", "text/html"), ("server", "nginx"), ("date", "Mon, 21 Oct 2013 20:13:21 GMT")];
    let read = ":status: 200\ncontent-type: text/html\nserver: nginx\ndate: Mon, 21 Oct 2013 20:13:21 GMT\n";
    assert_eq!(packed(&mut encoder, &mut decoder, &fields), (1 + 11 + 7 + 31, read.into()));
    assert_eq!(packed(&mut encoder, &mut decoder, &fields), (1 + 3, read.into()));
    for known in [Known::SetCookie, Known::Location, Known::XNearsideRef, Known::Etag] {
        for _ in 0..2 {
            let name = known.name().unwrap();
            assert!(packed(&mut encoder, &mut decoder, &[(name, "value")]).0 > 7, "{name} is not remembered");
        }
    }
}

#[test]
fn every_status_and_length_is_written() {
    let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
    for status in 100..600 {
        let mut out = Vec::new();
        encoder.status(status, &mut out);
        encoder.length(u64::from(status) << 32, &mut out);
        let read = read(&mut decoder, &out).unwrap();
        assert_eq!(read, format!(":status: {status}\ncontent-length: {}\n", u64::from(status) << 32));
    }
}

#[test]
fn a_table_that_a_client_makes_smaller_is_told_so() {
    let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
    let fields = [("server", "nginx")];
    packed(&mut encoder, &mut decoder, &fields);
    encoder.offer(u32::MAX);
    assert_eq!(packed(&mut encoder, &mut decoder, &fields).0, 2, "one above the usual is not used");
    encoder.offer(0);
    encoder.offer(100);
    let mut out = Vec::new();
    encoder.begin(&mut out);
    assert_eq!(&out[..], [0x20, 0x3f, 100 - 31]);
    assert_eq!(read(&mut decoder, &out).as_deref(), Ok(""));
    assert_eq!(packed(&mut encoder, &mut decoder, &fields).0, 1 + 7);
    assert_eq!(packed(&mut encoder, &mut decoder, &fields).0, 2);
    encoder.offer(0);
    for _ in 0..2 {
        assert!(packed(&mut encoder, &mut decoder, &fields).0 > 7, "nothing is remembered");
    }
    encoder.offer(4096);
    assert_eq!(packed(&mut encoder, &mut decoder, &fields).0, 3 + 1 + 7);
    assert_eq!(packed(&mut encoder, &mut decoder, &fields).0, 2);
}

/// A literal that is remembered or not, its texts packed or not.
fn literal(name: &str, value: &str, remembered: bool, is_packed: bool) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(&[if remembered { 0x40 } else { 0 }]);
    for text in [name, value] {
        let (first, text) =
            if is_packed { (0x80, huffman::encode(text.as_bytes())) } else { (0, text.as_bytes().to_vec()) };
        super::integer::write(first, 7, text.len(), &mut out);
        out.extend_from_slice(&text);
    }
    out.to_vec()
}

proptest! {
    #[test]
    fn any_fields_come_back(
        fields in prop::collection::vec(("[a-z-]{1,20}|date|server|vary|cache-control", "[ -~]{0,200}", any::<u8>()), 0..60),
        sizes in prop::collection::vec(0..6_000_u32, 0..6),
    ) {
        let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
        let mut sizes = sizes.into_iter();
        for fields in fields.chunks(10) {
            sizes.next().into_iter().for_each(|size| encoder.offer(size));
            // Values of few kinds return.
            let fields: Vec<(&str, String)> = fields.iter().map(|(name, value, kind)| {
                (name.as_str(), if *kind < 128 { format!("{}", kind % 4) } else { value.clone() })
            }).collect();
            let borrowed: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            for _ in 0..2 {
                let expected: String = fields.iter().map(|(name, value)| {
                    format!("{name}: {}\n", value.as_bytes().escape_ascii())
                }).collect();
                assert_eq!(packed(&mut encoder, &mut decoder, &borrowed).1, format!(":status: 200\n{expected}"));
            }
        }
    }

    #[test]
    fn literals_of_any_form_come_back(
        fields in prop::collection::vec(("[a-z]{0,40}", "[ -~]{0,300}", any::<bool>(), any::<bool>()), 0..100),
    ) {
        let mut decoder = Decoder::default();
        let mut kept: Vec<(String, String)> = Vec::new();
        for (name, value, remembered, is_packed) in fields {
            let expected = format!("{name}: {}\n", value.as_bytes().escape_ascii());
            let block = literal(&name, &value, remembered, is_packed);
            assert_eq!(read(&mut decoder, &block), Ok(expected));
            if remembered {
                kept.insert(0, (name, value));
            }
            let (mut size, mut number) = (0, 62);
            for (name, value) in &kept {
                size += name.len() + value.len() + 32;
                let mut block = Vec::new();
                super::integer::write(0x80, 7, number, &mut block);
                let expected = format!("{name}: {}\n", value.as_bytes().escape_ascii());
                let expected = if size <= TABLE { Ok(expected) } else { Err(Fault::Unreadable) };
                assert_eq!(read(&mut decoder, &block), expected);
                number += 1;
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic(blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..10)) {
        let mut decoder = Decoder::default();
        for block in blocks {
            if read(&mut decoder, &block).is_err() {
                break;
            }
        }
    }
}

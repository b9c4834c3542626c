//! Blocks of fields, one behind the other on a connection: read within their bound, and written again so that the same is read.

use nearside_http::Known;
use nearside_http::hpack::{Decoder, Encoder, MOST};

pub(super) const WORDS: &[&[u8]] = &[
    // Fields by number; literals that are remembered, not remembered, never to be; the latest; sizes of the table.
    b"\x82\x86\x84",
    b"\x40\x01x\x01y",
    b"\x00\x01x\x01y",
    b"\x10\x01x\x01y",
    b"\xbe",
    b"\xc5",
    b"\x7e\x02zz",
    b"\x20",
    b"\x3f\xe1\x1f",
    b"\x3f\xe2\x1f",
    b"\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff",
    b"\x61\x1dMon, 21 Oct 2013 20:13:21 GMT",
    b"\x84\xff\xff\xff\xff",
    b"\xff\x80\x80\x80\x80\x01",
];

/// Each block has its length before it, in one byte.
pub(super) fn attack(bytes: &[u8]) {
    let (mut decoder, mut encoder, mut peer) = (Decoder::default(), Encoder::default(), Decoder::default());
    let mut rest = bytes;
    while let Some((length, behind)) = rest.split_first() {
        let (block, behind) = behind.split_at_checked((*length).into()).unwrap_or((behind, &[]));
        rest = behind;
        let mut fields: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        if decoder
            .decode(block, |name, value| fields.push((name.to_ascii_lowercase(), value.to_vec())))
            .is_err()
        {
            return;
        }
        let size: usize = fields.iter().map(|(name, value)| name.len() + value.len() + 32).sum();
        assert!(size <= MOST, "{size} bytes out of {}", block.len());
        encoder.offer(u32::from(*length) * 32);
        let mut out = Vec::new();
        encoder.begin(&mut out);
        for (name, value) in &fields {
            encoder.field(Known::classify(name), name, value, &mut out);
        }
        let mut again = Vec::new();
        peer.decode(&out, |name, value| again.push((name.to_vec(), value.to_vec())))
            .expect("what we write can be read");
        assert_eq!(again, fields);
    }
}

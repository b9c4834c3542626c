//! Text in HPACK's code (RFC 7541, 5.2 and appendix B).
//!
//! The code is canonical: of each length, codes follow each other in the order of their bytes, and all are greater than those
//! of shorter ones. So the lengths tell everything.

/// How many bits each byte has.
#[rustfmt::skip]
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];

/// The longest code. Four have so many bits: three bytes and, the greatest, the end of text, which no text holds.
const LONGEST: usize = 30;

/// The code, as it is read.
static CODE: Code = Code::new();

struct Code {
    /// By the next eight bits: the byte and its length where that is no more than eight, 0 otherwise.
    short: [(u8, u8); 256],
    /// By length: the first word, its bits from the left, that belongs to a longer code.
    ends: [u64; LONGEST + 1],
    /// By length: the first code of it, and where its byte stands among `bytes`.
    firsts: [(u32, u32); LONGEST + 1],
    /// The bytes in the order of their codes.
    bytes: [u8; 256],
}

impl Code {
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "runs while compiling, where a bad index is a compile error"
    )]
    const fn new() -> Self {
        let mut table = Self {
            short: [(0, 0); 256],
            ends: [0; LONGEST + 1],
            firsts: [(0, 0); LONGEST + 1],
            bytes: [0; 256],
        };
        let (mut code, mut at, mut length) = (0_u32, 0, 1);
        while length <= LONGEST {
            code <<= 1;
            table.firsts[length] = (code, at as u32);
            let mut byte = 0;
            while byte < 256 {
                if LENGTHS[byte] as usize == length {
                    table.bytes[at] = byte as u8;
                    let mut filled = 0;
                    while length <= 8 && filled < 1 << (8 - length) {
                        table.short[(code << (8 - length)) as usize + filled] = (byte as u8, length as u8);
                        filled += 1;
                    }
                    at += 1;
                    code += 1;
                }
                byte += 1;
            }
            table.ends[length] = (code as u64) << (64 - length);
            length += 1;
        }
        assert!(at == 256 && code == (1 << LONGEST) - 1, "one code is left, for the end of text");
        table
    }

    /// The byte at the start of `bits`, and its length. `None` for the end of text.
    fn long(&self, bits: u64) -> Option<(u8, u8)> {
        let length = (9..=LONGEST).find(|length| self.ends.get(*length).is_some_and(|end| bits < *end))?;
        let (first, at) = self.firsts.get(length)?;
        let index = (bits >> (64 - length)).checked_sub(u64::from(*first))? + u64::from(*at);
        Some((*self.bytes.get(usize::try_from(index).ok()?)?, u8::try_from(length).ok()?))
    }
}

/// Appends what `text` says to `out`; `None` if it says nothing lawful: it holds the end of text, or its last bits are not the
/// first of that, or are a whole byte of them.
pub(super) fn decode(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    // The bits that were taken and not understood yet, from the left.
    let (mut bits, mut count) = (0_u64, 0_u32);
    let mut rest = text.iter();
    loop {
        while count <= 56 {
            let Some(byte) = rest.next() else { break };
            bits |= u64::from(*byte) << (56 - count);
            count += 8;
        }
        let (byte, length) = match CODE.short.get(usize::from(top(bits))) {
            Some((byte, length @ 1..)) => (*byte, u32::from(*length)),
            _ if count < 8 => return is_padding(bits, count),
            _ => CODE.long(bits).map(|(byte, length)| (byte, length.into()))?,
        };
        if length > count {
            return is_padding(bits, count);
        }
        out.push(byte);
        bits <<= length;
        count -= length;
    }
}

/// The first eight bits.
fn top(bits: u64) -> u8 {
    let [first, ..] = bits.to_be_bytes();
    first
}

/// Whether these last bits only fill up their byte.
fn is_padding(bits: u64, count: u32) -> Option<()> {
    let ones = u64::MAX.checked_shl(64 - count).unwrap_or(0);
    (count < 8 && bits == ones).then_some(())
}

#[cfg(test)]
pub(super) fn encode(text: &[u8]) -> Vec<u8> {
    let mut bits = Vec::new();
    for byte in text {
        let length = LENGTHS[usize::from(*byte)];
        let (first, at) = CODE.firsts[usize::from(length)];
        let index = CODE.bytes.iter().position(|other| other == byte).unwrap();
        let code = first + u32::try_from(index).unwrap() - at;
        bits.extend((0..length).rev().map(|bit| code >> bit & 1 == 1));
    }
    while bits.len() % 8 != 0 {
        bits.push(true);
    }
    bits.chunks(8).map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit))).collect()
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};
    use crate::hpack::tests::bytes;
    use proptest::prelude::{any, proptest};

    fn check(text: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        decode(text, &mut out).map(|()| out)
    }

    /// RFC 7541, C.4 and C.6.
    #[test]
    fn the_examples_of_the_standard_are_read_and_written() {
        for (text, code) in [
            (&b"www.example.com"[..], "f1e3c2e5f23a6ba0ab90f4ff"),
            (b"no-cache", "a8eb10649cbf"),
            (b"custom-key", "25a849e95ba97d7f"),
            (b"custom-value", "25a849e95bb8e8b4bf"),
            (b"302", "6402"),
            (b"private", "aec3771a4b"),
            (b"Mon, 21 Oct 2013 20:13:21 GMT", "d07abe941054d444a8200595040b8166e082a62d1bff"),
            (b"https://www.example.com", "9d29ad171863c78f0b97c8e9ae82ae43d3"),
            (
                b"foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
                "94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
            ),
        ] {
            let bytes = bytes(code);
            assert_eq!(check(&bytes).as_deref(), Some(text));
            assert_eq!(encode(text), bytes);
        }
    }

    #[test]
    fn padding_is_short_and_of_ones() {
        assert_eq!(check(&[]), Some(Vec::new()));
        assert_eq!(check(&[0x1f]), Some(b"a".to_vec()));
        for unlawful in
            [&[0x18][..], &[0x1f, 0xff], &[0xff], &[0xff; 4], &[0xff; 5], &[0x1e], &[0xff, 0xff, 0xfe]]
        {
            assert_eq!(check(unlawful), None, "{unlawful:x?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(text: Vec<u8>) {
            assert_eq!(check(&encode(&text)), Some(text));
        }

        #[test]
        fn what_is_read_has_one_code(code in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Some(text) = check(&code) {
                assert_eq!(encode(&text), code);
            }
        }
    }
}

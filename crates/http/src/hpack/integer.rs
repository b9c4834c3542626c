//! Integers with a prefix, whose first byte they share with other bits (RFC 7541, 5.1).

use bytes::BufMut;

/// Bits of a number that nobody needs: what is larger is no length of ours and no number of a field.
const MOST: usize = 1 << 28;

/// Reads the integer at the start of `input`, whose prefix has this many bits; and what stands behind it.
pub(super) fn read(input: &[u8], bits: u32) -> Option<(usize, &[u8])> {
    let (first, mut rest) = input.split_first()?;
    let full = (1_usize << bits) - 1;
    let mut number = usize::from(*first) & full;
    if number < full {
        return Some((number, rest));
    }
    for shift in [0, 7, 14, 21] {
        let (byte, behind) = rest.split_first()?;
        rest = behind;
        number += usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((number, rest)).filter(|_| number <= MOST);
        }
    }
    None
}

/// Writes an integer below the bits of `first`.
pub(super) fn write(first: u8, bits: u32, number: usize, out: &mut Vec<u8>) {
    let full = (1_usize << bits) - 1;
    if number < full {
        out.put_u8(first | low(number));
        return;
    }
    out.put_u8(first | low(full));
    let mut rest = number - full;
    while rest >= 0x80 {
        out.put_u8(low(rest & 0x7f) | 0x80);
        rest >>= 7;
    }
    out.put_u8(low(rest));
}

/// A number below 256 as its byte.
fn low(number: usize) -> u8 {
    u8::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{MOST, read, write};

    /// RFC 7541, C.1.
    #[test]
    fn numbers_are_written_as_the_standard_writes_them() {
        for (first, bits, number, expected) in [
            (0, 5, 10, &[0x0a][..]),
            (0, 5, 1337, &[0x1f, 0x9a, 0x0a]),
            (0, 8, 42, &[0x2a]),
            (0x80, 7, 127, &[0xff, 0]),
        ] {
            let mut out = Vec::new();
            write(first, bits, number, &mut out);
            assert_eq!(&out[..], expected);
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for number in (0..70_000).chain([MOST - 1, MOST]) {
            for bits in 4..8 {
                let mut out = Vec::new();
                write(0, bits, number, &mut out);
                out.extend_from_slice(b"behind");
                assert_eq!(read(&out, bits), Some((number, &b"behind"[..])));
                assert_eq!(read(&out[..out.len() - 7], bits), None);
            }
        }
    }

    #[test]
    fn a_number_without_end_or_measure_is_none() {
        assert_eq!(read(&[0xff; 30], 7), None);
        assert_eq!(read(&[0x7f, 0x80, 0x80, 0x80, 0x80, 0x00], 7), None);
        assert_eq!(read(&[0x7f, 0xff, 0xff, 0xff, 0xff], 7), None);
        assert_eq!(read(&[], 7), None);
    }
}

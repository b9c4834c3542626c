//! Hexadecimal digits of numbers, as refs and ids of traces are written.

/// Sixteen digits in lower case, eight at a time: each nibble is moved into a byte of its own and becomes its digit there.
#[must_use]
pub fn digits(number: u64) -> [u8; 16] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let digits = |half: u64| {
        let mut nibbles = half;
        for (shift, kept) in [(16, 0x0000_ffff_0000_ffff), (8, 0x00ff_00ff_00ff_00ff), (4, ONES * 15)] {
            nibbles = (nibbles | nibbles << shift) & kept;
        }
        let letters = (nibbles + ONES * 6) >> 4 & ONES;
        (nibbles + ONES * u64::from(b'0') + letters * u64::from(b'a' - b'0' - 10)).to_be_bytes()
    };
    let mut text = [0; 16];
    let halves = [number >> 32, number & 0xffff_ffff];
    for (part, half) in text.as_chunks_mut().0.iter_mut().zip(halves) {
        *part = digits(half);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::digits;

    #[test]
    fn they_are_those_of_the_standard_library() {
        for number in [0, 9, 10, 0x9a9a_f0f0, 0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, u64::MAX] {
            assert_eq!(digits(number).as_slice(), format!("{number:016x}").as_bytes());
        }
    }
}

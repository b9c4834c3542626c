//! Bytes by the class they belong to: tokens, values, hexadecimal digits; and spans of a buffer.

/// What a byte may be in a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Letter {
    /// A letter, a digit or a dash.
    Usual,
    /// What else may stand in a token.
    Odd,
    /// No part of a token.
    None,
}

impl Letter {
    const ALL: [Self; 256] = Self::all();

    /// What the byte is.
    pub(crate) fn of(byte: u8) -> Self {
        Self::ALL.get(usize::from(byte)).copied().unwrap_or(Self::None)
    }

    const fn classify(byte: u8) -> Self {
        match byte {
            b'-' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => Self::Usual,
            b'!' | b'#'..=b'\'' | b'*' | b'+' | b'.' | b'^'..=b'`' | b'|' | b'~' => Self::Odd,
            _ => Self::None,
        }
    }

    #[expect(clippy::indexing_slicing, reason = "a constant function has no other way to look into a slice")]
    const fn all() -> [Self; 256] {
        let mut all = [Self::None; 256];
        let mut byte = 0_u8;
        while byte < 0x80 {
            all[byte as usize] = Self::classify(byte);
            byte += 1;
        }
        all
    }
}

/// Whether the byte may stand in a token (RFC 9110, 5.6.2).
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    !matches!(Letter::classify(byte), Letter::None)
}

/// Whether the bytes are a token: at least one, and nothing else in between.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| is_token_byte(*byte))
}

/// Whether the byte may stand in a field value: visible, space, tab, or above ASCII.
pub(crate) const fn is_value_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

/// Whether the bytes are a field value without whitespace around it.
pub(crate) fn is_value(bytes: &[u8]) -> bool {
    (is_plain(bytes) || bytes.iter().all(|byte| is_value_byte(*byte))) && trim(bytes).len() == bytes.len()
}

/// A byte of a word of eight.
pub(crate) const fn eight(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The high bit of each byte below `least` (of at most 0x80), and perhaps of some above the lowest of these (Warren, Hacker's
/// Delight, 6-1).
const fn below(word: u64, least: u8) -> u64 {
    word.wrapping_sub(eight(least)) & !word & eight(0x80)
}

/// The high bit of each byte that is `byte`, and perhaps of some above the lowest of these.
const fn equal(word: u64, byte: u8) -> u64 {
    below(word ^ eight(byte), 1)
}

/// Where the first byte stands that `is`; eight are looked at in one step, by `marks`.
fn first(bytes: &[u8], marks: impl Fn(u64) -> u64, is: impl Fn(u8) -> bool) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let found = marks(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(index * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    rest.iter().position(|byte| is(*byte)).map(|at| words.len() * 8 + at)
}

/// Where the first byte below 0x20 stands.
pub(crate) fn control(bytes: &[u8]) -> Option<usize> {
    first(bytes, |word| below(word, 0x20), |byte| byte < 0x20)
}

const fn stops(word: u64) -> u64 {
    below(word, 0x20) | equal(word, 0x7f)
}

/// Whether there is neither a control byte nor a tab.
pub(crate) fn is_plain(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    let bad = words.iter().fold(0, |bad, word| bad | stops(u64::from_le_bytes(*word)));
    bad == 0 && rest.iter().all(|byte| *byte >= 0x20 && *byte != 0x7f)
}

/// The bytes without spaces and tabs around them.
pub(crate) const fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The value of a hexadecimal digit.
pub(crate) const fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// A stretch of a buffer. Heads are far below 4 GiB: what does not fit ends at the very end and reads as empty.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start: narrow(start), end: narrow(end) }
    }

    /// The span of `part`, which lies in `whole`.
    pub(crate) fn within(whole: &[u8], part: &[u8]) -> Self {
        let start = part.as_ptr().addr().saturating_sub(whole.as_ptr().addr());
        Self::new(start, start + part.len())
    }

    pub(crate) fn of(self, buffer: &[u8]) -> &[u8] {
        buffer.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

pub(crate) fn narrow(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

/// Appends a number in decimal without allocating.
pub(crate) fn decimal(number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut rest = number;
    let mut first = digits.len();
    for (index, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        first = index;
        if rest == 0 {
            break;
        }
    }
    digits.get(first..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{control, decimal, is_plain, is_token, is_value, is_value_byte, trim};

    #[test]
    fn numbers_are_written_as_the_standard_library_writes_them() {
        for number in [0, 7, 10, 99, 100, 4_294_967_296, u64::MAX] {
            assert_eq!(decimal(number, &mut [0; 20]), number.to_string().as_bytes());
        }
    }

    #[test]
    fn a_byte_that_is_no_value_is_found_wherever_it_stands() {
        for byte in 0..=255_u8 {
            for at in 0..20 {
                let mut bytes = [b'a'; 20];
                bytes[at] = byte;
                assert_eq!(control(&bytes), (byte < 0x20).then_some(at), "{byte} at {at}");
                assert_eq!(is_plain(&bytes), is_value_byte(byte) && byte != b'\t', "{byte} at {at}");
            }
        }
    }

    #[test]
    fn a_token_has_no_separator_and_a_value_no_control() {
        assert!(is_token(b"x-a_b.c!#$%&'*+^`|~") && !is_token(b"") && !is_token(b"a b") && !is_token(b"a:b"));
        assert!(
            !is_token(b"a\"") && !is_token(b"(a)") && !is_token(b"a/b") && !is_token("\u{e4}".as_bytes())
        );
        assert!(is_value(b"a\tb \xff") && is_value(b"") && !is_value(b" a") && !is_value(b"a\x7f"));
        assert_eq!(trim(b" \ta b\t "), b"a b");
    }
}

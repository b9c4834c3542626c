//! What stands in a frame behind its head.

use super::frame::{Head, LONGEST, flag};
use super::{WIDEST, kind};

/// Why a stream or a connection ends (RFC 9113, section 7).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Code {
    /// Nothing is wrong.
    None = 0x0,
    /// A rule is broken that has no code of its own.
    Protocol = 0x1,
    /// Something is wrong here.
    Internal = 0x2,
    /// More was sent than a window allows.
    FlowControl = 0x3,
    /// SETTINGS were not answered.
    SettingsTimeout = 0x4,
    /// The stream has ended already.
    StreamClosed = 0x5,
    /// A frame of another size than its kind has.
    FrameSize = 0x6,
    /// The stream was not looked at.
    Refused = 0x7,
    /// The stream is not wanted any more.
    Cancel = 0x8,
    /// A block of fields cannot be read.
    Compression = 0x9,
    /// The peer does too much.
    Calm = 0xb,
}

/// What a peer's SETTINGS say, as far as it matters to who writes to it; `None` is not said.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Settings {
    /// The least and the last size of the table that its fields are read with: each of them counts (RFC 7541, 4.2).
    pub table: Option<(u32, u32)>,
    /// The window of each stream.
    pub window: Option<u32>,
}

/// Reads SETTINGS.
///
/// # Errors
/// A value that its setting cannot have.
pub fn settings(payload: &[u8]) -> Result<Settings, Code> {
    let mut said = Settings::default();
    for [a, b, rest @ ..] in payload.as_chunks::<6>().0 {
        let value = u32::from_be_bytes(*rest);
        match u16::from_be_bytes([*a, *b]) {
            0x1 => {
                let least = said.table.map_or(value, |(least, _)| least.min(value));
                said.table = Some((least, value));
            }
            // Whether it takes pushed streams, and whether it makes tunnels of streams.
            0x2 | 0x8 if value > 1 => return Err(Code::Protocol),
            0x4 if value > WIDEST => return Err(Code::FlowControl),
            0x4 => said.window = Some(value),
            0x5 if !(LONGEST..1 << 24).contains(&value) => return Err(Code::Protocol),
            _ => {}
        }
    }
    Ok(said)
}

/// What DATA or HEADERS carry, without padding.
///
/// # Errors
/// The padding is longer than all of it.
pub fn unpadded(head: Head, payload: &[u8]) -> Result<&[u8], Code> {
    if !head.has(flag::PADDED) {
        return Ok(payload);
    }
    let (padding, rest) = payload.split_first().ok_or(Code::FrameSize)?;
    let kept = rest.len().checked_sub((*padding).into()).ok_or(Code::Protocol)?;
    rest.get(..kept).ok_or(Code::Protocol)
}

/// The block in HEADERS, and whether the stream is said to depend on itself. Other priorities mean nothing.
///
/// # Errors
/// What is announced before the block or behind it is not there.
pub fn fragment(head: Head, payload: &[u8]) -> Result<(&[u8], bool), Code> {
    let rest = unpadded(head, payload)?;
    if head.kind != kind::HEADERS || !head.has(flag::PRIORITY) {
        return Ok((rest, false));
    }
    let (priority, block) = rest.split_at_checked(5).ok_or(Code::FrameSize)?;
    Ok((block, number(priority) == Some(head.stream)))
}

/// The number in the first four bytes, without the reserved bit: a stream, or by how much a window grows.
pub fn number(payload: &[u8]) -> Option<u32> {
    payload.first_chunk().map(|bytes| u32::from_be_bytes(*bytes) & WIDEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(kind: u8, flags: u8) -> Head {
        Head { length: 0, kind, flags, stream: 3 }
    }

    #[test]
    fn padding_is_taken_off_and_no_longer_than_the_rest() {
        let padded = head(kind::DATA, flag::PADDED);
        assert_eq!(unpadded(head(kind::DATA, 0), &[9, 1]), Ok(&[9, 1][..]));
        assert_eq!(unpadded(padded, &[0]), Ok(&[][..]));
        assert_eq!(unpadded(padded, &[2, 7, 0, 0]), Ok(&[7][..]));
        assert_eq!(unpadded(padded, &[3, 0, 0, 0]), Ok(&[][..]));
        assert_eq!(unpadded(padded, &[4, 0, 0, 0]), Err(Code::Protocol));
        assert_eq!(unpadded(padded, &[]), Err(Code::FrameSize));
    }

    #[test]
    fn a_priority_stands_before_the_block_and_names_another_stream() {
        let both = head(kind::HEADERS, flag::PADDED | flag::PRIORITY);
        assert_eq!(fragment(both, &[1, 0x80, 0, 0, 1, 15, 0x82, 0]), Ok((&[0x82][..], false)));
        assert_eq!(fragment(both, &[0, 0x80, 0, 0, 3, 15]), Ok((&[][..], true)));
        assert_eq!(fragment(both, &[1, 0, 0, 0, 1, 15]), Err(Code::FrameSize));
        assert_eq!(fragment(head(kind::HEADERS, 0), &[0x82]), Ok((&[0x82][..], false)));
        assert_eq!(fragment(head(kind::CONTINUATION, flag::PRIORITY), &[0x82]), Ok((&[0x82][..], false)));
    }

    #[test]
    fn settings_have_their_bounds_and_unknown_ones_none() {
        let one = |name: u16, value: u32| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat();
        for (name, lawful, unlawful) in [
            (2, &[0, 1][..], &[(2, Code::Protocol)][..]),
            (3, &[0, u32::MAX], &[]),
            (4, &[0, WIDEST], &[(WIDEST + 1, Code::FlowControl)]),
            (5, &[16_384, (1 << 24) - 1], &[(16_383, Code::Protocol), (1 << 24, Code::Protocol)]),
            (6, &[0, u32::MAX], &[]),
            (8, &[0, 1], &[(2, Code::Protocol)]),
            (0xfa, &[0, u32::MAX], &[]),
        ] {
            assert!(lawful.iter().all(|value| settings(&one(name, *value)).is_ok()), "{name}");
            assert!(
                unlawful.iter().all(|(value, code)| settings(&one(name, *value)) == Err(*code)),
                "{name}"
            );
        }
        let said = [one(1, 100), one(4, 7), one(1, 50), one(1, 9_000), one(4, 8)].concat();
        assert_eq!(settings(&said), Ok(Settings { table: Some((50, 9_000)), window: Some(8) }));
        assert_eq!(settings(&[]), Ok(Settings::default()));
    }

    #[test]
    fn numbers_have_no_reserved_bit() {
        assert_eq!(number(&[0xff, 0xff, 0xff, 0xfe]), Some(WIDEST - 1));
        assert_eq!(number(&[0; 3]), None);
    }
}

//! Writing the fields of one line of JSON.

use crate::record::Word;
use crate::trace::TraceId;
use nearside_core::hex;
use std::io::Write;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A line's first field, a text, up to its value, as a constant: `{"name":"`.
macro_rules! first {
    ($name:expr) => {
        $crate::lines::line::framed!("{\"", $name, "\":\"")
    };
}
/// A text's end, and another text's name: `","name":"`.
macro_rules! next {
    ($name:expr) => {
        $crate::lines::line::framed!("\",\"", $name, "\":\"")
    };
}
/// The name of a text that follows what is none: `,"name":"`.
macro_rules! text {
    ($name:expr) => {
        $crate::lines::line::framed!(",\"", $name, "\":\"")
    };
}
/// The name of what is no text: `,"name":`.
macro_rules! key {
    ($name:expr) => {
        $crate::lines::line::framed!(",\"", $name, "\":")
    };
}
macro_rules! framed {
    ($before:literal, $name:expr, $after:literal) => {{
        const FRAMED: [u8; $before.len() + $name.len() + $after.len()] =
            $crate::lines::line::joined([$before, $name, $after]);
        &FRAMED
    }};
}
pub(super) use {first, framed, key, next, text};

/// One text of several, `LENGTH` bytes in all.
pub(super) const fn joined<const LENGTH: usize>(parts: [&str; 3]) -> [u8; LENGTH] {
    let mut joined = [0; LENGTH];
    let [before, name, after] = parts;
    let (place, rest) = joined.split_at_mut(before.len());
    place.copy_from_slice(before.as_bytes());
    let (place, rest) = rest.split_at_mut(name.len());
    place.copy_from_slice(name.as_bytes());
    rest.copy_from_slice(after.as_bytes());
    joined
}

/// The last decimal digit of `number`.
fn digit(number: u32) -> u8 {
    b'0' + u8::try_from(number % 10).unwrap_or(0)
}

pub(super) fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Writing into memory cannot fail, so the results of `write!` have nothing to say.
pub(super) struct Line<'a> {
    pub(super) out: &'a mut Vec<u8>,
}

#[expect(clippy::inline_always, reason = "a name that the compiler sees is a few words stored, not a copy")]
impl Line<'_> {
    /// What is JSON already.
    #[inline(always)]
    pub(super) fn raw(&mut self, json: &[u8]) {
        self.out.extend_from_slice(json);
    }

    /// The inside of a text of somebody else's.
    pub(super) fn said(&mut self, value: &[u8]) {
        if is_plain(value) {
            self.out.extend_from_slice(value);
        } else {
            let quoted = serde_json::to_string(&String::from_utf8_lossy(value)).unwrap_or_default();
            let inside = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            self.out.extend_from_slice(inside.unwrap_or_default().as_bytes());
        }
    }

    /// A text with its name and its end.
    #[inline(always)]
    pub(super) fn text(&mut self, name: &[u8], value: &str) {
        self.raw(name);
        self.said(value.as_bytes());
        self.out.push(b'"');
    }

    #[inline(always)]
    pub(super) fn optional(&mut self, name: &[u8], value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// A text of the client's, without its end.
    pub(super) fn word(&mut self, name: &[u8], value: Option<&Word>) {
        if let Some(value) = value {
            self.raw(name);
            self.said(value.bytes());
        }
    }

    #[inline(always)]
    pub(super) fn number(&mut self, value: u64) {
        match u8::try_from(value) {
            Ok(value @ 0..=9) => self.out.push(b'0' + value),
            _ => self.raw(itoa::Buffer::new().format(value).as_bytes()),
        }
    }

    pub(super) fn micros(&mut self, value: Duration) {
        let seconds = value.as_secs().saturating_mul(1_000_000);
        self.number(seconds.saturating_add(u64::from(value.subsec_micros())));
    }

    /// A moment of the second whose text, up to its fraction, is `second`.
    pub(super) fn time(&mut self, second: &str, time: SystemTime) {
        self.raw(second.as_bytes());
        let millis = since_epoch(time).subsec_millis();
        let [hundreds, tens, ones] = [100, 10, 1].map(|unit| digit(millis / unit));
        self.raw(&[hundreds, tens, ones, b'Z']);
    }

    /// The 32 digits of a trace's id.
    pub(super) fn trace(&mut self, value: TraceId) {
        value.halves().into_iter().for_each(|half| self.raw(&hex::digits(half)));
    }

    pub(super) fn address(&mut self, value: IpAddr) {
        let IpAddr::V4(address) = value else {
            drop(write!(self.out, "{value}"));
            return;
        };
        // Put together here, as each byte that goes into `out` asks whether there is room.
        let (mut text, mut length) = ([0; 16], 0);
        let mut put = |byte| {
            if let Some(place) = text.get_mut(length) {
                *place = byte;
                length += 1;
            }
        };
        for (index, octet) in address.octets().map(u32::from).into_iter().enumerate() {
            if index > 0 {
                put(b'.');
            }
            if octet >= 100 {
                put(digit(octet / 100));
            }
            if octet >= 10 {
                put(digit(octet / 10));
            }
            put(digit(octet));
        }
        // Whole, since a length that the compiler sees makes two stores of a copy.
        self.raw(&text);
        self.out.truncate(self.out.len() - (text.len() - length));
    }
}

/// Whether JSON has the bytes as they are: ASCII without controls, quotes and backslashes. Eight are looked at in one
/// step; a subtraction that borrows sets the high bit of the byte that it is asked about (Warren, Hacker's Delight, 6-1).
fn is_plain(bytes: &[u8]) -> bool {
    const fn eight(byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8])
    }
    const fn is(word: u64, byte: u8) -> u64 {
        (word ^ eight(byte)).wrapping_sub(eight(1))
    }
    const fn found(word: u64) -> u64 {
        word | word.wrapping_sub(eight(b' ')) | is(word, b'"') | is(word, b'\\')
    }
    let Some(last) = bytes.last_chunk() else {
        return found(bytes.iter().fold(eight(b'a'), |word, byte| word << 8 | u64::from(*byte)))
            & eight(0x80)
            == 0;
    };
    // The last eight stand for what is over; some of them may have been looked at before.
    let (words, _) = bytes.as_chunks::<8>();
    let all = words
        .iter()
        .fold(found(u64::from_le_bytes(*last)), |all, word| all | found(u64::from_le_bytes(*word)));
    all & eight(0x80) == 0
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn what_json_escapes_is_found_wherever_it_stands() {
        for byte in 0..=255_u8 {
            let as_it_is = byte.is_ascii() && serde_json::to_string(&char::from(byte)).unwrap().len() == 3;
            for (length, at) in (1..20).flat_map(|length| (0..length).map(move |at| (length, at))) {
                let mut bytes = vec![b'a'; length];
                bytes[at] = byte;
                assert_eq!(is_plain(&bytes), as_it_is, "{byte} at {at} of {length}");
            }
        }
    }
}

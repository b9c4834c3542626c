//! Frames as they are written.

use super::frame::Head;
use super::{Code, kind};
use bytes::BufMut;

/// The head of a frame.
pub fn head(head: Head, out: &mut Vec<u8>) {
    let [_, a, b, c] = head.length.to_be_bytes();
    let [s, t, u, v] = head.stream.to_be_bytes();
    out.extend_from_slice(&[a, b, c, head.kind, head.flags, s, t, u, v]);
}

fn small(kind: u8, flags: u8, stream: u32, payload: &[u8], out: &mut Vec<u8>) {
    head(Head { length: u32::try_from(payload.len()).unwrap_or_default(), kind, flags, stream }, out);
    out.extend_from_slice(payload);
}

/// One of our settings, to stand behind the head of SETTINGS.
pub fn setting(name: u16, value: u32, out: &mut Vec<u8>) {
    out.put_u16(name);
    out.put_u32(value);
}

/// A PING, or the answer to one.
pub fn ping(flags: u8, payload: &[u8], out: &mut Vec<u8>) {
    small(kind::PING, flags, 0, payload, out);
}

/// `WINDOW_UPDATE`.
pub fn window(stream: u32, more: u32, out: &mut Vec<u8>) {
    small(kind::WINDOW, 0, stream, &more.to_be_bytes(), out);
}

/// `RST_STREAM`.
pub fn reset(stream: u32, code: Code, out: &mut Vec<u8>) {
    small(kind::RESET, 0, stream, &(code as u32).to_be_bytes(), out);
}

/// GOAWAY.
pub fn goaway(last: u32, code: Code, out: &mut Vec<u8>) {
    head(Head { length: 8, kind: kind::GOAWAY, flags: 0, stream: 0 }, out);
    out.put_u32(last);
    out.put_u32(code as u32);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::h2::flag;

    #[test]
    fn what_is_written_is_read() {
        let mut out = Vec::new();
        goaway(7, Code::Calm, &mut out);
        ping(flag::ACK, b"01234567", &mut out);
        window(5, 1 << 20, &mut out);
        reset(9, Code::Refused, &mut out);
        head(Head { length: 6, kind: kind::SETTINGS, flags: 0, stream: 0 }, &mut out);
        setting(4, 9, &mut out);
        let mut seen = Vec::new();
        let mut rest = &out[..];
        while let Some((bytes, behind)) = rest.split_first_chunk() {
            let head = Head::read(bytes);
            let (payload, behind) = behind.split_at(head.length as usize);
            assert!(head.is_sized() && head.is_placed());
            seen.push((head.kind, head.stream, payload.to_vec()));
            rest = behind;
        }
        let expected = [
            (kind::GOAWAY, 0, vec![0, 0, 0, 7, 0, 0, 0, 0xb]),
            (kind::PING, 0, b"01234567".to_vec()),
            (kind::WINDOW, 5, vec![0, 0x10, 0, 0]),
            (kind::RESET, 9, vec![0, 0, 0, 7]),
            (kind::SETTINGS, 0, vec![0, 4, 0, 0, 0, 9]),
        ];
        assert_eq!(seen, expected);
    }
}

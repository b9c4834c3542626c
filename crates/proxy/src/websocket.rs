//! WebSocket (RFC 6455), as far as a proxy has to know it: the proof of a handshake, and the last frame.

use aws_lc_rs::{digest, rand};
use data_encoding::BASE64;
use nearside_http::{Edits, Known, RequestHead, ResponseHead};

/// What is hashed with the key (RFC 6455, 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A key of our own, for a client that has none: HTTP/2 knows no keys.
pub(crate) fn key() -> String {
    let mut nonce = [0; 16];
    fill(&mut nonce);
    BASE64.encode(&nonce)
}

/// What proves that `key` was read.
pub(crate) fn accept(key: &[u8]) -> String {
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key);
    hash.update(GUID);
    BASE64.encode(hash.finish().as_ref())
}

/// The proof that the answer to a request with these edits has to give.
pub(crate) fn expected(head: &RequestHead, edits: &Edits) -> Option<String> {
    let own = edits.added().find(|(name, _)| Known::classify(name) == Known::SecWebSocketKey);
    own.map(|(_, key)| key).or_else(|| head.fields().get(Known::SecWebSocketKey)).map(accept)
}

/// Whether a 101 gives the proof, once.
pub(crate) fn proves(head: &ResponseHead, expected: &str) -> bool {
    let mut given = head.fields().all(Known::SecWebSocketAccept);
    given.next() == Some(expected.as_bytes()) && given.next().is_none()
}

/// To whom a frame of our own goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Towards {
    /// A client: in the clear.
    Client,
    /// A backend: masked, as all that a client sends is.
    Backend,
}

/// A Close that says 1001, going away.
pub(crate) fn going_away(towards: Towards) -> Vec<u8> {
    let [high, low] = 1001_u16.to_be_bytes();
    match towards {
        Towards::Client => vec![0x88, 2, high, low],
        Towards::Backend => {
            let mut mask = [0; 4];
            fill(&mut mask);
            let [a, b, c, d] = mask;
            vec![0x88, 0x82, a, b, c, d, high ^ a, low ^ b]
        }
    }
}

/// Chance for what need only differ from time to time: where the system has none to give, zeros serve too.
fn fill(bytes: &mut [u8]) {
    rand::fill(bytes).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_is_the_one_of_the_specification() {
        assert_eq!(accept(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_key_is_the_base64_of_16_bytes_and_no_two_are_alike() {
        let one = key();
        assert_eq!(BASE64.decode(one.as_bytes()).unwrap().len(), 16);
        assert_ne!(one, key());
    }

    #[test]
    fn the_last_frame_says_1001_and_is_masked_towards_a_backend() {
        assert_eq!(going_away(Towards::Client), [0x88, 2, 0x03, 0xE9]);
        let masked = going_away(Towards::Backend);
        let [0x88, 0x82, mask @ .., high, low] = &masked[..] else { panic!("{masked:?}") };
        assert_eq!([high ^ mask[0], low ^ mask[1]], [0x03, 0xE9]);
    }
}

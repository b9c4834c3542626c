//! Seals: what this fleet has signed for a purpose of its own, and nobody else.

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign, verify};
use data_encoding::BASE64URL_NOPAD;
use std::fmt;

/// The bytes of a signature.
const SIGNATURE: usize = 32;
/// The most bytes of a message with its signature.
const LONGEST: usize = 128;

/// Signs with the fleet's first key, and verifies with all of them.
#[derive(Clone)]
pub struct Seal(Box<[Key]>);

impl Seal {
    pub(crate) fn new(keys: impl Iterator<Item = [u8; 32]>) -> Self {
        Self(keys.map(|key| Key::new(HMAC_SHA256, &key)).collect())
    }

    /// `message` and its signature as text: base64url, without padding.
    #[must_use]
    pub fn close(&self, message: &[u8]) -> String {
        let mut whole = message.to_vec();
        if let Some(first) = self.0.first() {
            whole.extend_from_slice(sign(first, message).as_ref());
        }
        BASE64URL_NOPAD.encode(&whole)
    }

    /// The message of `N` bytes in `text`, if one of the keys has signed it.
    #[must_use]
    pub fn open<const N: usize>(&self, text: &[u8]) -> Option<[u8; N]> {
        let mut whole = [0; LONGEST];
        let whole = whole.get_mut(..N + SIGNATURE)?;
        // The length first: the decoder takes it for granted that both agree.
        if BASE64URL_NOPAD.decode_len(text.len()) != Ok(whole.len()) {
            return None;
        }
        BASE64URL_NOPAD.decode_mut(text, whole).ok()?;
        let (message, signature) = whole.split_first_chunk::<N>()?;
        self.0.iter().any(|key| verify(key, message, signature).is_ok()).then_some(*message)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").field("keys", &self.0.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::{Clock, Keys};

    fn keys(lines: &[&str]) -> Keys {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fleet.key");
        let text: String = lines.iter().map(|line| line.repeat(32) + "\n").collect();
        crate::file::replace(&path, text.as_bytes(), 0o600).unwrap();
        Keys::load(Some(&path), folder.path(), Clock::system()).unwrap().0
    }

    #[test]
    fn the_first_key_signs_and_all_verify_for_one_purpose() {
        let old = keys(&["ab"]).seal("affinity");
        let rotated = keys(&["cd", "ab"]).seal("affinity");
        let text = old.close(b"pin");
        assert_eq!(old.open(text.as_bytes()), Some(*b"pin"));
        assert_eq!(rotated.open(text.as_bytes()), Some(*b"pin"));
        assert_eq!(old.open::<3>(rotated.close(b"pin").as_bytes()), None, "a key that it does not have");
        assert_eq!(keys(&["ab"]).seal("other").open::<3>(text.as_bytes()), None, "another purpose");
    }

    #[test]
    fn what_was_touched_or_cut_does_not_open() {
        let seal = keys(&["ab"]).seal("affinity");
        let text = seal.close(b"pin").into_bytes();
        for index in 0..text.len() {
            let mut touched = text.clone();
            touched[index] = if touched[index] == b'A' { b'B' } else { b'A' };
            assert_eq!(seal.open::<3>(&touched), None, "byte {index}");
            assert_eq!(seal.open::<3>(&text[..index]), None, "cut at {index}");
        }
        assert_eq!(seal.open::<3>(&[text.as_slice(), b"A"].concat()), None);
        assert_eq!(seal.open::<4>(&text), None);
        assert_eq!(seal.open::<100>(seal.close(&[0; 100]).as_bytes()), None, "longer than any of ours");
        assert_eq!(seal.open::<3>("ü".repeat(24).as_bytes()), None);
    }
}

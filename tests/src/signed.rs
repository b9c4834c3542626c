//! Values that say where a user's home is, signed as an issuer signs them.

use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;

/// The value with its signature, for a cookie or a header.
#[must_use]
pub fn value(value: &str, key: &[u8]) -> String {
    format!("{value}.{}", sign(value, key))
}

/// A header `authorization` with a token of these claims.
#[must_use]
pub fn token(claims: &str, key: &[u8]) -> String {
    let part = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
    let signed = format!("{}.{}", part(r#"{"alg":"HS256"}"#), part(claims));
    format!("Bearer {signed}.{}", sign(&signed, key))
}

/// The signature of a message.
#[must_use]
pub fn sign(message: &str, key: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    BASE64URL_NOPAD.encode(hmac::sign(&key, message.as_bytes()).as_ref())
}

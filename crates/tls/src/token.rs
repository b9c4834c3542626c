//! JSON Web Tokens (RFC 7519) in their compact form, as far as a home is read from them.

use crate::homes::Doubt;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value};

/// Issuers' clocks may be ahead of ours by this many seconds; a token that has expired is over at once.
const AHEAD: f64 = 60.0;

/// A token that was taken apart. Nothing of it is believed yet.
#[derive(Debug)]
pub(crate) struct Token<'t> {
    /// What is signed: header and claims as they were sent.
    pub(crate) signed: &'t str,
    pub(crate) signature: Vec<u8>,
    algorithm: Box<str>,
    claims: Map<String, Value>,
}

impl<'t> Token<'t> {
    /// Takes `text` apart; `None` where it does not have the shape of a token.
    pub(crate) fn parse(text: &'t str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let part = |part: &str| match serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).ok()?) {
            Ok(Value::Object(map)) => Some(map),
            _ => None,
        };
        let (header, claims) = (part(header)?, part(claims)?);
        // What an extension changes is not known here, so a token that insists on one is none (RFC 7515, 4.1.11).
        if header.contains_key("crit") {
            return None;
        }
        Some(Self {
            signed,
            signature: BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?,
            algorithm: header.get("alg")?.as_str()?.into(),
            claims,
        })
    }

    /// How it says that it is signed.
    pub(crate) fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// What it says under `claim`, at `now` in seconds since the Unix epoch.
    pub(crate) fn claim(mut self, claim: &str, now: u64) -> Result<Option<String>, Doubt> {
        #[expect(clippy::cast_precision_loss, reason = "seconds stay below 2^53 for some time")]
        let now = now as f64;
        let moment = |name: &str| match self.claims.get(name) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or(Doubt::Forged),
        };
        let ended = moment("exp")?.is_some_and(|end| end <= now);
        let to_come = moment("nbf")?.is_some_and(|begin| begin > now + AHEAD);
        if ended || to_come {
            return Err(Doubt::Expired);
        }
        match self.claims.remove(claim) {
            Some(Value::String(value)) => Ok(Some(value)),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str) -> String {
        let part = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        format!("{}.{}.{}", part(header), part(claims), part("signature"))
    }

    fn check(claims: &str, expected: Result<Option<&str>, Doubt>) {
        let text = token(r#"{"alg":"HS256"}"#, claims);
        let found = Token::parse(&text).unwrap().claim("home", 1000);
        assert_eq!(
            found.as_ref().map(|value| value.as_deref()),
            expected.as_ref().map(|value| *value),
            "{claims}"
        );
    }

    #[test]
    fn a_claim_holds_between_its_times() {
        check(r#"{"home":"eu1"}"#, Ok(Some("eu1")));
        check(r#"{"home":"eu1","exp":1001,"nbf":1060}"#, Ok(Some("eu1")));
        check(r#"{"home":"eu1","exp":1000.5}"#, Ok(Some("eu1")));
        check(r#"{"home":"eu1","exp":1000}"#, Err(Doubt::Expired));
        check(r#"{"home":"eu1","nbf":1061}"#, Err(Doubt::Expired));
        check(r#"{"home":"eu1","exp":"2000"}"#, Err(Doubt::Forged));
        check(r#"{"home":["eu1"]}"#, Ok(None));
        check("{}", Ok(None));
    }

    #[test]
    fn what_has_another_shape_is_no_token() {
        assert!(Token::parse(&token(r#"{"alg":"HS256"}"#, "{}")).is_some());
        for (header, claims) in [
            (r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, "{}"),
            ("{}", "{}"),
            (r#"{"alg":5}"#, "{}"),
            (r#"{"alg":"HS256"}"#, "[]"),
            (r#"{"alg":"HS256"}"#, "{"),
        ] {
            assert!(Token::parse(&token(header, claims)).is_none(), "{header} {claims}");
        }
        for text in ["", "a", "a.b", "a.b.c", "..", "e30.e30.", "e30=.e30=.e30="] {
            assert!(Token::parse(text).is_none(), "{text}");
        }
    }
}

//! Verifiers: what a home has to be signed with.

use crate::file::Content;
use crate::homes::Doubt;
use crate::identity::Identity;
use crate::keys::{self, Secret};
use crate::pem::fault;
use crate::problem::{Problem, Warning};
use crate::token::Token;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, VerificationAlgorithm,
};
use data_encoding::BASE64URL_NOPAD;
use nearside_core::home::HomeKey;
use rustls_pki_types::pem::{self, SectionKind};
use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo};

const PUBLIC_HINT: &str = "write PEM with `BEGIN PUBLIC KEY`: openssl pkey -in FILE -pubout";
const SHORTEST_RSA: usize = 2048;

/// The keys of one file, of which any may have signed.
#[derive(Debug)]
pub(crate) struct Verifier {
    keys: Box<[Key]>,
    pub(crate) identity: Identity,
}

/// A key, and with it the one way to sign that it verifies: no token has a say in that.
enum Key {
    Secret(Box<Secret>),
    Public(ParsedPublicKey, &'static str),
}

impl Verifier {
    /// Reads the keys that `routes.yaml` names at `key_path`.
    pub(crate) fn load(key: &HomeKey, key_path: &str) -> Result<(Self, Option<Warning>), Vec<Problem>> {
        let (HomeKey::Hmac(path) | HomeKey::Public(path)) = key;
        let content = Content::read(key_path, path).map_err(|problem| vec![problem])?;
        match key {
            HomeKey::Hmac(_) => {
                let secrets = keys::secrets(key_path, path, &content.bytes)?;
                let identity = Identity::of(secrets.iter().map(|secret| secret.derive("fingerprint", &[])));
                let keys = secrets.into_iter().map(|secret| Key::Secret(Box::new(secret))).collect();
                Ok((Self { keys, identity }, content.exposure(key_path, path)))
            }
            HomeKey::Public(_) => {
                let keys = public(key_path, path, &content).map_err(|problem| vec![problem])?;
                Ok((Self { keys, identity: Identity::of([&content.bytes]) }, None))
            }
        }
    }

    /// The value of `value.signature`, if one of the keys has signed it: alone, or with a line feed and `subject` after it.
    pub(crate) fn value<'v>(&self, signed: &'v str, subject: Option<&[u8]>) -> Result<&'v str, Doubt> {
        let (value, signature) = signed.rsplit_once('.').ok_or(Doubt::Forged)?;
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).map_err(|_no_base64| Doubt::Forged)?;
        let message = match subject {
            None => Cow::Borrowed(value.as_bytes()),
            Some([]) => return Err(Doubt::Forged),
            // No field's value has a line feed, so that no value can be taken for another one with a subject.
            Some(subject) => Cow::Owned([value.as_bytes(), b"\n", subject].concat()),
        };
        let known = self.keys.iter().any(|key| key.verifies(&message, &signature));
        if known { Ok(value) } else { Err(Doubt::Forged) }
    }

    /// Whether one of the keys has signed `token`, in the way that it says and the key is for.
    pub(crate) fn signed(&self, token: &Token<'_>) -> bool {
        let mut keys = self.keys.iter().filter(|key| key.algorithm() == token.algorithm());
        keys.any(|key| key.verifies(token.signed.as_bytes(), &token.signature))
    }
}

impl Key {
    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Secret(secret) => secret.verifies(message, signature),
            Self::Public(key, _) => key.verify_sig(message, signature).is_ok(),
        }
    }

    /// What a token calls the way to sign (RFC 7518, 3.1; RFC 8037, 3.1).
    fn algorithm(&self) -> &'static str {
        match self {
            Self::Secret(_) => "HS256",
            Self::Public(_, algorithm) => algorithm,
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.algorithm())
    }
}

fn public(key_path: &str, path: &Path, content: &Content) -> Result<Box<[Key]>, Problem> {
    let problem = |what: &str| Problem::new(key_path, path, what, PUBLIC_HINT);
    let (mut rest, mut keys) = (content.bytes.as_slice(), Vec::new());
    loop {
        match pem::from_buf(&mut rest) {
            Ok(Some((SectionKind::PublicKey, der))) => {
                keys.push(public_key(&der).map_err(|what| problem(&what))?)
            }
            Ok(Some((
                SectionKind::PrivateKey | SectionKind::EcPrivateKey | SectionKind::RsaPrivateKey,
                _,
            ))) => {
                return Err(problem("holds a private key, which has no place here"));
            }
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(cause) => return Err(problem(&format!("is no valid PEM file: {}", fault(&cause)))),
        }
    }
    if keys.is_empty() { Err(problem("holds no public key")) } else { Ok(keys.into()) }
}

/// The key in `der`, a `SubjectPublicKeyInfo` (RFC 5280, 4.1).
fn public_key(der: &[u8]) -> Result<Key, String> {
    let ways: [(&'static dyn VerificationAlgorithm, &'static str); 3] =
        [(&ED25519, "EdDSA"), (&ECDSA_P256_SHA256_FIXED, "ES256"), (&RSA_PKCS1_2048_8192_SHA256, "RS256")];
    let parsed = ways.iter().find_map(|(way, name)| Some((ParsedPublicKey::new(*way, der).ok()?, *name)));
    let Some((key, name)) = parsed else {
        return Err("holds a key that is neither Ed25519, nor ECDSA with P-256, nor RSA".to_owned());
    };
    let bits =
        SubjectPublicKeyInfo::from_der(der).ok().and_then(|(_, info)| Some(info.parsed().ok()?.key_size()));
    match bits {
        Some(bits) if name == "RS256" && bits < SHORTEST_RSA => {
            Err(format!("holds an RSA key of {bits} bits, which is too short"))
        }
        _ => Ok(Key::Public(key, name)),
    }
}

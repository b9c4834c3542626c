//! Home: the region where a user's data lives, as the request says it.

use crate::id::RegionId;
use std::path::PathBuf;

/// How a route finds the home of a request's user.
#[derive(Clone, Debug, PartialEq)]
pub struct Home {
    /// Where the value stands; the first that has one says it.
    pub from: Box<[HomeSource]>,
    /// Values and the region that each means.
    pub map: Box<[(Box<str>, RegionId)]>,
    /// What a value has to be signed with, or it counts for nothing.
    pub verify: Option<HomeKey>,
    /// What a value in a cookie or header is signed together with, so that nobody else can use it; a token is for whom it
    /// says.
    pub subject: Option<Subject>,
    /// Whether a request without a known home is refused, instead of going wherever it is best.
    pub refuse_unknown: bool,
}

/// Where the value that names a home stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HomeSource {
    /// In this cookie.
    Cookie(Box<str>),
    /// In this field, in lower case.
    Header(Box<str>),
    /// In a claim of a JSON Web Token (RFC 7519) in a field, in lower case, with or without `Bearer `.
    Jwt {
        /// The field.
        header: Box<str>,
        /// The claim.
        claim: Box<str>,
    },
}

/// Where the request says what tells its user from others: something that only the user has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Subject {
    /// In this cookie.
    Cookie(Box<str>),
    /// In this field, in lower case.
    Header(Box<str>),
}

/// The key that a home value is verified with.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum HomeKey {
    /// A file with the secret of an HMAC with SHA-256.
    Hmac(PathBuf),
    /// A PEM file with the public key of a signature: Ed25519, ECDSA P-256 or RSA.
    Public(PathBuf),
}

impl Home {
    /// The region that `value` means.
    #[must_use]
    pub fn region(&self, value: &str) -> Option<RegionId> {
        self.map.iter().find(|(known, _)| **known == *value).map(|(_, region)| *region)
    }
}

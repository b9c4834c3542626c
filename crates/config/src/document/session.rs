//! Sessions: where a user's data lives, and where a session stays.

use crate::scalar::field::FieldName;
use crate::scalar::http::CookieName;
use crate::scalar::quantity::Time;
use crate::scalar::{Name, Says, words};
use crate::shape::{Names, Some1, Word, WordOr, document};
use nearside_core::policy::Level;
use std::path::PathBuf;

document! {
    entry
    /// The region where a user's data lives, as the request says it. While that region is usable, it is used alone.
    Home {
        /// Where the value stands; the first that is there says it. One that is not signed as `verify` asks counts as none.
        from: Some1<HomeSource>,
        /// The values and the region that each means.
        map: Names<Says, Name>,
        /// What the value has to be signed with; without it anybody can choose a home. Required where a home decides residency.
        verify: Option<HomeKey> = None,
        /// Where a request without a known home goes: wherever it is best, or nowhere (503).
        unknown: UnknownHome = UnknownHome::ByLatency,
    }
}

document! {
    settings
    /// Where the value stands: one of these.
    HomeSource {
        /// In this cookie.
        cookie: Option<CookieName> = None,
        /// In this header.
        header: Option<FieldName> = None,
        /// In a claim of a JSON Web Token.
        jwt: Option<Jwt> = None,
    }
}

document! {
    entry
    /// A JSON Web Token.
    Jwt {
        /// The header that it stands in, alone or after `Bearer`.
        header: FieldName,
        /// The claim that holds the value.
        claim: Says,
    }
}

document! {
    settings
    /// The key, one of two, and for whom it signs. A cookie or header is signed as `value.signature`, the signature in base64url without padding; a token as HS256, EdDSA, ES256 or RS256, as the key is.
    HomeKey {
        /// A file with the secrets of an HMAC with SHA-256, one a line in hex or base64, at least 32 bytes each; all verify.
        hmac_key_file: Option<PathBuf> = None,
        /// A PEM file with public keys: Ed25519, ECDSA with P-256, or RSA of 2048 bits and more; all verify.
        public_key_file: Option<PathBuf> = None,
        /// What tells users apart: a cookie or header is then signed for one of them, and of no use to another. Without it a value is good for whoever has it.
        subject: Option<Subject> = None,
    }
}

document! {
    settings
    /// What only the user has, as a session's secret: one of these. The signature is of the value, a line feed and this.
    Subject {
        /// The value of this cookie.
        cookie: Option<CookieName> = None,
        /// The value of this header.
        header: Option<FieldName> = None,
    }
}

/// Where a request without a known home goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum UnknownHome {
    ByLatency,
    Refuse,
}

words!(UnknownHome { "by_latency" => UnknownHome::ByLatency, "refuse" => UnknownHome::Refuse });

document! {
    settings
    /// Where sessions stay.
    Affinity {
        /// What tells sessions apart.
        by: AffinityBy = AffinityBy::Cookie,
        /// The cookie, which nearside sets and signs; backends do not see it.
        cookie: AffinityCookie = AffinityCookie::default(),
        /// What a session stays at: a region, or one backend.
        level: Level = Level::Region,
        /// Whether the cookie also names where the session goes while it cannot stay, so that every PoP sends it to the same place.
        backup: bool = true,
    }
}

/// What tells sessions apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum AffinityBy {
    Cookie,
}

words!(AffinityBy { "cookie" => AffinityBy::Cookie });
words!(Level { "region" => Level::Region, "backend" => Level::Backend });

/// `session`: as long as the browser's session.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Session;

impl Word for Session {
    const WORD: &'static str = "session";
}

document! {
    settings
    /// The cookie of a session.
    AffinityCookie {
        /// Its name.
        name: CookieName = CookieName("__ns_aff".into()),
        /// How long a session without requests stays where it is: as long as the browser's session, or a duration.
        ttl: WordOr<Session, Time> = WordOr::word(),
    }
}

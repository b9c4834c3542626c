//! Known: the field names that a rule speaks of, so that later rules compare one byte.

use crate::bytes_of::eight;

/// Declares the names, and with them the table of [`Known::classify`].
macro_rules! names {
    ($($variant:ident $name:literal),* $(,)?) => {
        /// A field name that some rule speaks of; all others are `Other`.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[repr(u8)]
        pub enum Known {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
            /// Any further name that starts with `x-nearside-`.
            XNearsideOther,
            /// Any further name that starts with `x-forwarded-`.
            XForwardedOther,
            /// Every other name.
            Other,
        }

        const NAMES: &[(&str, Known)] = &[$(($name, Known::$variant),)*];

        /// The names as they begin a line.
        const PREFIXES: &[&str] = &[$(concat!($name, ": "),)*];
    };
}

names! {
    Te "te",
    Age "age",
    Via "via",
    Date "date",
    Etag "etag",
    Host "host",
    Vary "vary",
    Range "range",
    Accept "accept",
    Cookie "cookie",
    Expect "expect",
    Pragma "pragma",
    Server "server",
    Expires "expires",
    Trailer "trailer",
    Upgrade "upgrade",
    CdnLoop "cdn-loop",
    Location "location",
    Forwarded "forwarded",
    XRealIp "x-real-ip",
    Connection "connection",
    KeepAlive "keep-alive",
    SetCookie "set-cookie",
    TraceState "tracestate",
    RetryAfter "retry-after",
    TraceParent "traceparent",
    ContentType "content-type",
    MaxForwards "max-forwards",
    ProxyStatus "proxy-status",
    Authorization "authorization",
    CacheControl "cache-control",
    ContentRange "content-range",
    ContentLength "content-length",
    Http2Settings "http2-settings",
    XNearsideGen "x-nearside-gen",
    XNearsidePop "x-nearside-pop",
    XNearsideRef "x-nearside-ref",
    XForwardedFor "x-forwarded-for",
    ContentEncoding "content-encoding",
    ProxyConnection "proxy-connection",
    WwwAuthenticate "www-authenticate",
    XForwardedHost "x-forwarded-host",
    XForwardedPort "x-forwarded-port",
    XNearsidePlace "x-nearside-place",
    XNearsideProbe "x-nearside-probe",
    SecWebSocketKey "sec-websocket-key",
    TransferEncoding "transfer-encoding",
    XForwardedProto "x-forwarded-proto",
    ProxyAuthenticate "proxy-authenticate",
    XNearsideExplain "x-nearside-explain",
    ProxyAuthorization "proxy-authorization",
    SecWebSocketAccept "sec-websocket-accept",
    SecWebSocketVersion "sec-websocket-version",
    SecWebSocketExtensions "sec-websocket-extensions",
    ProxyAuthenticationInfo "proxy-authentication-info",
}

/// Which of `NAMES` a token may be, by its [`place`].
const PLACES: [u8; 256] = places();

/// Of no name.
const NOWHERE: u8 = u8::MAX;

/// A set of names, one bit each.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Set(u64);

/// Fields that belong to one connection and never pass on (RFC 9110, 7.6.1).
pub(crate) const HOP_BY_HOP: Set = Set::of(&[
    Known::Connection,
    Known::Http2Settings,
    Known::KeepAlive,
    Known::ProxyAuthenticate,
    Known::ProxyAuthenticationInfo,
    Known::ProxyAuthorization,
    Known::ProxyConnection,
    Known::Te,
    Known::TransferEncoding,
    Known::Upgrade,
]);

/// Fields that we alone write.
pub(crate) const NEARSIDE: Set = Set::of(&[
    Known::XNearsideExplain,
    Known::XNearsideGen,
    Known::XNearsideOther,
    Known::XNearsidePlace,
    Known::XNearsidePop,
    Known::XNearsideProbe,
    Known::XNearsideRef,
]);

/// Fields that `Connection` cannot take away: framing, routing, who the client is, and what we add.
pub(crate) const PROTECTED: Set = Set::of(&[
    Known::Authorization,
    Known::CacheControl,
    Known::CdnLoop,
    Known::ContentLength,
    Known::Cookie,
    Known::Forwarded,
    Known::Host,
    Known::SetCookie,
    Known::TraceParent,
    Known::TraceState,
    Known::TransferEncoding,
    Known::Via,
    Known::XForwardedFor,
    Known::XForwardedHost,
    Known::XForwardedOther,
    Known::XForwardedPort,
    Known::XForwardedProto,
    Known::XRealIp,
])
.with(NEARSIDE);

impl Known {
    /// The class of a token, whatever its case.
    pub fn classify(name: &[u8]) -> Self {
        let index = PLACES.get(place(name)).copied().unwrap_or(NOWHERE);
        match NAMES.get(usize::from(index)) {
            Some((known, class)) if same(name, known.as_bytes()) => *class,
            _ => Self::by_prefix(name),
        }
    }

    /// The name in lower case; `None` for the classes of many names.
    pub fn name(self) -> Option<&'static str> {
        NAMES.get(self as usize).map(|(name, _)| *name)
    }

    /// The name, colon and space, as they begin a line; `None` for the classes of many names.
    pub(crate) fn prefix(self) -> Option<&'static str> {
        PREFIXES.get(self as usize).copied()
    }

    /// The name of the class that has this number, for tables that are made while compiling.
    #[expect(clippy::indexing_slicing, reason = "a constant function has no other way to look into a slice")]
    pub(crate) const fn name_at(number: usize) -> Option<&'static str> {
        if number < NAMES.len() { Some(NAMES[number].0) } else { None }
    }

    /// Whether the field belongs to one connection and never passes on.
    pub const fn is_hop_by_hop(self) -> bool {
        HOP_BY_HOP.has(self)
    }

    /// Whether the field is one of ours (`x-nearside-*`).
    pub const fn is_nearside(self) -> bool {
        NEARSIDE.has(self)
    }

    fn by_prefix(name: &[u8]) -> Self {
        if !matches!(name.first(), Some(b'x' | b'X')) {
            Self::Other
        } else if starts_with(name, b"x-nearside-") {
            Self::XNearsideOther
        } else if starts_with(name, b"x-forwarded-") {
            Self::XForwardedOther
        } else {
            Self::Other
        }
    }
}

impl Set {
    pub(crate) const fn of(members: &[Known]) -> Self {
        let mut set = Self(0);
        let mut rest = members;
        while let [first, others @ ..] = rest {
            set = set.and(*first);
            rest = others;
        }
        set
    }

    pub(crate) const fn and(self, known: Known) -> Self {
        Self(self.0 | 1 << known as u8)
    }

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn without(self, known: Known) -> Self {
        Self(self.0 & !(1 << known as u8))
    }

    pub(crate) const fn has(self, known: Known) -> bool {
        self.0 >> known as u8 & 1 == 1
    }
}

/// Whether a token is this name, which is in lower case, whatever its own. Names hold letters, digits and dashes only, and
/// the only tokens that become these by setting a bit of each byte are the same in upper case; so eight bytes are compared in
/// one step.
pub(crate) fn same(token: &[u8], name: &[u8]) -> bool {
    let words = |token: &[u8; 8], name: &[u8; 8]| {
        u64::from_le_bytes(*token) | eight(0x20) == u64::from_le_bytes(*name)
    };
    if token.len() != name.len() {
        return false;
    }
    let (Some((first, last)), Some((name_first, name_last))) = (ends(token), ends(name)) else {
        return same_short(token, name);
    };
    words(last, name_last)
        && words(first, name_first)
        && (token.len() <= 16 || {
            let (token, name) = (token.as_chunks().0, name.as_chunks().0);
            token.iter().zip(name).all(|(token, name)| words(token, name))
        })
}

/// As [`same`], of up to seven bytes.
fn same_short(token: &[u8], name: &[u8]) -> bool {
    match (ends(token), ends(name)) {
        (Some((first, last)), Some((name_first, name_last))) => {
            lower(*first) == u32::from_le_bytes(*name_first) && lower(*last) == u32::from_le_bytes(*name_last)
        }
        _ => token.eq_ignore_ascii_case(name),
    }
}

/// The first and the last bytes, which may overlap.
const fn ends<const N: usize>(token: &[u8]) -> Option<(&[u8; N], &[u8; N])> {
    match (token.first_chunk(), token.last_chunk()) {
        (Some(first), Some(last)) => Some((first, last)),
        _ => None,
    }
}

/// Four bytes of a token, the same in upper and lower case.
const fn lower(bytes: [u8; 4]) -> u32 {
    u32::from_le_bytes(bytes) | 0x2020_2020
}

/// Whether the name starts with the prefix, whatever its case.
pub(crate) fn starts_with(name: &[u8], prefix: &[u8]) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Whether the name, read as careless programs read it (`_` and other punctuation as `-`), is one that a rule
/// speaks of. Such a twin would slip past the rule and arrive as the real thing.
pub(crate) fn is_twin(name: &[u8]) -> bool {
    if !name.iter().any(|byte| dashed(*byte) != *byte) {
        return false;
    }
    let mut plain = [0; 32];
    let kept = name.len().min(plain.len());
    for (to, from) in plain.iter_mut().zip(name) {
        *to = dashed(*from);
    }
    Known::classify(plain.get(..kept).unwrap_or_default()) != Known::Other
}

/// Whether two names are the same to a careless program.
pub(crate) fn alike(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|(a, b)| dashed(*a).eq_ignore_ascii_case(&dashed(*b)))
}

const fn dashed(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte } else { b'-' }
}

/// A number below 256, the same for a token in upper and lower case. No two of the names share one: it is made of the length
/// and of the last four bytes, by a factor that was found by trying.
pub(crate) const fn place(token: &[u8]) -> usize {
    const FACTOR: usize = 0xc87a_3da1;
    let end = match token {
        [.., a, b, c, d] => lower([*a, *b, *c, *d]),
        [b, c, d] => lower([0, *b, *c, *d]),
        [c, d] => lower([0, 0, *c, *d]),
        [d] => lower([0, 0, 0, *d]),
        [] => lower([0; 4]),
    };
    (end as usize + token.len()).wrapping_mul(FACTOR) >> 24 & 0xff
}

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "runs while compiling, where a bad index is a compile error"
)]
const fn places() -> [u8; 256] {
    let mut places = [NOWHERE; 256];
    let mut index = 0;
    while index < NAMES.len() {
        let at = place(NAMES[index].0.as_bytes());
        assert!(places[at] == NOWHERE, "two names in one place: another factor is wanted");
        places[at] = index as u8;
        index += 1;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::{HOP_BY_HOP, Known, NAMES, alike, is_twin};

    #[test]
    fn every_name_is_found_in_any_case() {
        for (index, (name, known)) in NAMES.iter().enumerate() {
            assert_eq!(Known::classify(name.as_bytes()), *known, "{name}");
            assert_eq!(Known::classify(name.to_uppercase().as_bytes()), *known, "{name}");
            assert_eq!((known.name(), *known as usize), (Some(*name), index));
        }
        assert!((Known::Other as u8) < 64, "a set has 64 bits");
    }

    #[test]
    fn names_outside_the_table_are_classed_by_prefix() {
        assert_eq!(Known::classify(b"X-Nearside-Whatever"), Known::XNearsideOther);
        assert_eq!(Known::classify(b"x-forwarded-prefix"), Known::XForwardedOther);
        assert_eq!(Known::classify(b"x-forwarde"), Known::Other);
        assert_eq!(Known::classify(&[b'a'; 80]), Known::Other);
        assert_eq!(Known::Other.name(), None);
        assert_eq!(Known::XNearsideOther.name(), None);
    }

    #[test]
    fn a_twin_is_seen_through_its_punctuation() {
        for twin in
            ["Content_Length", "X_Forwarded_For", "transfer.encoding", "x_nearside_anything_at_all_of_ours"]
        {
            assert!(is_twin(twin.as_bytes()), "{twin}");
        }
        for own in ["content-length", "x_own_field", "user_id", "contentlength", "x-nearside-ref"] {
            assert!(!is_twin(own.as_bytes()), "{own}");
        }
        assert!(alike(b"X_Tenant", b"x-tenant") && !alike(b"x-tenants", b"x-tenant"));
    }

    #[test]
    fn host_is_not_hop_by_hop_and_te_is() {
        assert!(HOP_BY_HOP.has(Known::Te) && !HOP_BY_HOP.has(Known::Host) && !HOP_BY_HOP.has(Known::Other));
    }
}

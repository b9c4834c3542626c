//! The static table (RFC 7541, appendix A), and where in it a name stands.

use crate::known::{Known, place, same};

/// How many fields it has; the first is number 1.
pub(super) const COUNT: usize = FIELDS.len();

/// No field of the table.
const NONE: u8 = 0;

const FIELDS: [(&[u8], &[u8]); 61] = [
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    (b":status", b"200"),
    (b":status", b"204"),
    (b":status", b"206"),
    (b":status", b"304"),
    (b":status", b"400"),
    (b":status", b"404"),
    (b":status", b"500"),
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    (b"accept-language", b""),
    (b"accept-ranges", b""),
    (b"accept", b""),
    (b"access-control-allow-origin", b""),
    (b"age", b""),
    (b"allow", b""),
    (b"authorization", b""),
    (b"cache-control", b""),
    (b"content-disposition", b""),
    (b"content-encoding", b""),
    (b"content-language", b""),
    (b"content-length", b""),
    (b"content-location", b""),
    (b"content-range", b""),
    (b"content-type", b""),
    (b"cookie", b""),
    (b"date", b""),
    (b"etag", b""),
    (b"expect", b""),
    (b"expires", b""),
    (b"from", b""),
    (b"host", b""),
    (b"if-match", b""),
    (b"if-modified-since", b""),
    (b"if-none-match", b""),
    (b"if-range", b""),
    (b"if-unmodified-since", b""),
    (b"last-modified", b""),
    (b"link", b""),
    (b"location", b""),
    (b"max-forwards", b""),
    (b"proxy-authenticate", b""),
    (b"proxy-authorization", b""),
    (b"range", b""),
    (b"referer", b""),
    (b"refresh", b""),
    (b"retry-after", b""),
    (b"server", b""),
    (b"set-cookie", b""),
    (b"strict-transport-security", b""),
    (b"transfer-encoding", b""),
    (b"user-agent", b""),
    (b"vary", b""),
    (b"via", b""),
    (b"www-authenticate", b""),
];

/// The numbers of names that no rule speaks of, by [`place`].
const PLACES: [[u8; 2]; 256] = places();

/// The numbers of those that have a class.
const CLASSED: [u8; 64] = classed();

/// The number of `:status`, and of `content-length`.
pub(super) const STATUS: u8 = 8;
pub(super) const CONTENT_LENGTH: u8 = 28;

/// The field of this number.
pub(super) fn field(number: usize) -> Option<(&'static [u8], &'static [u8])> {
    FIELDS.get(number.checked_sub(1)?).copied()
}

/// The number of a field of this name, whatever its case; `known` is its class.
pub(super) fn number(known: Known, name: &[u8]) -> Option<u8> {
    let found = if known.name().is_some() {
        CLASSED.get(known as usize).copied().unwrap_or(NONE)
    } else {
        let own = |number: &u8| field((*number).into()).is_some_and(|(own, _)| same(name, own));
        PLACES.get(place(name)).into_iter().flatten().copied().find(own).unwrap_or(NONE)
    };
    (found != NONE).then_some(found)
}

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "runs while compiling, where a bad index is a compile error"
)]
const fn places() -> [[u8; 2]; 256] {
    let mut places = [[NONE; 2]; 256];
    let mut number = STATUS as usize + 7;
    while number <= COUNT {
        let at = place(FIELDS[number - 1].0);
        let second = (places[at][0] != NONE) as usize;
        assert!(places[at][second] == NONE, "three names in one place");
        places[at][second] = number as u8;
        number += 1;
    }
    places
}

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "runs while compiling, where a bad index is a compile error"
)]
const fn classed() -> [u8; 64] {
    let mut classed = [NONE; 64];
    let mut number = COUNT;
    while number > 0 {
        let mut index = 0;
        while let Some(name) = Known::name_at(index) {
            if equal(name.as_bytes(), FIELDS[number - 1].0) {
                classed[index] = number as u8;
            }
            index += 1;
        }
        number -= 1;
    }
    classed
}

#[expect(clippy::indexing_slicing, reason = "runs while compiling, where a bad index is a compile error")]
const fn equal(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

#[cfg(test)]
mod tests {
    use super::{CONTENT_LENGTH, COUNT, STATUS, field, number};
    use crate::Known;

    #[test]
    fn every_name_is_found_by_its_class_or_its_letters() {
        for at in usize::from(STATUS) + 7..=COUNT {
            let (name, _) = field(at).unwrap();
            let found = |name: &[u8]| number(Known::classify(name), name).map(usize::from);
            assert_eq!(found(name), Some(at));
            assert_eq!(found(&name.to_ascii_uppercase()), Some(at));
        }
        for other in ["x-own", "dnt", "x-nearside-ref", "if-matches", "", "etags"] {
            assert_eq!(number(Known::classify(other.as_bytes()), other.as_bytes()), None, "{other}");
        }
        assert_eq!(field(STATUS.into()), Some((&b":status"[..], &b"200"[..])));
        assert_eq!(field(CONTENT_LENGTH.into()), Some((&b"content-length"[..], &b""[..])));
        assert!(field(0).is_none() && field(62).is_none());
    }
}

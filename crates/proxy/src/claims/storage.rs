//! Storage: whether a shared cache may store an answer (RFC 9111, section 3). One that does hands its `Set-Cookie` to
//! everybody.

use nearside_http::{Edits, Known, ResponseHead, list};

/// Who may store an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Storage {
    /// No shared cache.
    Private,
    /// The answer says nothing of it, and a cache may think what it likes.
    Unsaid,
    /// Everybody.
    Shared,
}

impl Storage {
    /// Of an answer as it goes out with `edits`, to a request whose method is GET or HEAD or another.
    pub(super) fn of(head: &ResponseHead, edits: &Edits, to_read: bool) -> Self {
        let mut said = false;
        for value in edits.values(head.fields(), Known::CacheControl) {
            for directive in list::members(value) {
                let name = directive.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
                // `private="name"` is about that field alone.
                let whole = name.len() == directive.len();
                if name.eq_ignore_ascii_case(b"no-store") || (whole && name.eq_ignore_ascii_case(b"private"))
                {
                    return Self::Private;
                }
                said = true;
            }
        }
        let dated = |name: &str| {
            head.fields().get_name(name).is_some()
                || edits.added().any(|(added, _)| added.eq_ignore_ascii_case(name.as_bytes()))
        };
        // A cache guesses from `Last-Modified` how long an answer stays fresh (RFC 9111, 4.2.2).
        if said || dated("expires") || dated("last-modified") || head.status() == 304 {
            Self::Shared
        } else if to_read && by_default(head.status()) {
            Self::Unsaid
        } else {
            Self::Private
        }
    }
}

/// Whether answers with this status may be stored though nothing says so (RFC 9110, 15.1).
fn by_default(status: u16) -> bool {
    matches!(status, 200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearside_http::{Limits, Method, response};

    fn check(status: u16, fields: &str, edits: &Edits, expected: Storage) {
        let text = format!("HTTP/1.1 {status} Some\r\ncontent-length: 0\r\n{fields}\r\n");
        let mut head = ResponseHead::new();
        response::parse(text.as_bytes(), &Limits::default(), Method::Get, &mut head).unwrap();
        assert_eq!(Storage::of(&head, edits, true), expected, "{status} {fields}");
    }

    #[test]
    fn what_says_private_or_no_store_is_private() {
        for fields in [
            "Cache-Control: private\r\n",
            "Cache-Control: max-age=60, Private\r\n",
            "Cache-Control: max-age=60\r\nCache-Control: no-store\r\n",
        ] {
            check(200, fields, &Edits::new(), Storage::Private);
        }
    }

    #[test]
    fn what_says_anything_else_may_be_stored() {
        for fields in [
            "Cache-Control: public\r\n",
            "Cache-Control: max-age=60\r\n",
            "Cache-Control: no-cache\r\n",
            "Cache-Control: private=\"x-user\"\r\n",
            "Expires: Thu, 01 Jan 2026 00:00:00 GMT\r\n",
            "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n",
        ] {
            check(200, fields, &Edits::new(), Storage::Shared);
            check(302, fields, &Edits::new(), Storage::Shared);
        }
        check(304, "ETag: \"a\"\r\n", &Edits::new(), Storage::Shared);
    }

    #[test]
    fn what_says_nothing_may_be_stored_by_its_status_alone() {
        for (status, expected) in [
            (200, Storage::Unsaid),
            (404, Storage::Unsaid),
            (301, Storage::Unsaid),
            (302, Storage::Private),
            (201, Storage::Private),
            (401, Storage::Private),
        ] {
            check(status, "", &Edits::new(), expected);
        }
        let head = {
            let mut head = ResponseHead::new();
            head.begin(200, Method::Other);
            head
        };
        assert_eq!(
            Storage::of(&head, &Edits::new(), false),
            Storage::Private,
            "another method than GET and HEAD"
        );
    }

    #[test]
    fn the_routes_own_edits_count() {
        let mut edits = Edits::new();
        edits.set(Known::CacheControl, b"max-age=60");
        check(200, "Cache-Control: private\r\n", &edits, Storage::Shared);
        edits.set(Known::CacheControl, b"no-store");
        check(200, "Cache-Control: public\r\n", &edits, Storage::Private);
        edits.remove(Known::CacheControl);
        check(200, "Cache-Control: public\r\n", &edits, Storage::Unsaid);
        edits.set_name("Expires", b"0").unwrap();
        check(200, "", &edits, Storage::Shared);
    }
}

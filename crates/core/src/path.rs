//! Path: the normal form by which routes are chosen, so that a route and a backend cannot understand different things.

/// Whether the path (without its query) is in its normal form, but for the case of its escapes: then all programs read it
/// in one way.
///
/// It is not with what some backends read differently from how a route matches it: dot segments (with parameters, too:
/// `..;x`), empty segments, a backslash, and escapes that are broken or stand for a slash, a backslash, a control
/// byte, or a character that needs none (`%61` is `a`, `%2e` is a dot).
#[must_use]
pub fn is_plain(path: &str) -> bool {
    if path == "*" {
        return true; // `OPTIONS *`
    }
    let [b'/', rest @ ..] = path.as_bytes() else { return false };
    let mut segments = rest.split(|byte| *byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        if segment.is_empty() && !is_last || is_dots(segment) || !has_plain_bytes(segment) {
            return false;
        }
    }
    true
}

/// The normal form of the path (RFC 3986, 6.2.2): escapes in upper case and only where they are needed, no dot segments,
/// one slash between two segments, whether it came as a slash, a backslash or as an escape of one.
///
/// None where there is none: a byte that no path has, escaped or not, a broken escape, dot segments with parameters, and
/// what does not begin with a slash.
#[must_use]
pub fn normal(path: &str) -> Option<String> {
    if path == "*" {
        return Some(path.to_owned());
    }
    if !path.starts_with('/') {
        return None;
    }
    let slashed = unescaped(path)?;
    let mut segments = Vec::new();
    let mut ends_open = false;
    for segment in slashed.strip_prefix('/')?.split('/') {
        ends_open = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            _ if is_dots(segment.as_bytes()) => return None,
            _ => segments.push(segment),
        }
    }
    let mut normal = String::with_capacity(slashed.len());
    for segment in &segments {
        normal.push('/');
        normal.push_str(segment);
    }
    if ends_open || segments.is_empty() {
        normal.push('/');
    }
    Some(normal)
}

/// Whether an escape of the path has a digit in lower case, which means the same as in upper case.
#[must_use]
pub fn has_lower_escapes(path: &str) -> bool {
    let mut rest = path.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        let escaped = rest.get(at + 1..at + 3).unwrap_or_default();
        if escaped.iter().any(u8::is_ascii_lowercase) {
            return true;
        }
        rest = rest.get(at + 1..).unwrap_or_default();
    }
    false
}

/// The path with all escapes in upper case and only where they are needed, and only slashes between segments.
fn unescaped(path: &str) -> Option<String> {
    let mut plain = String::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match byte {
            b'%' => {
                let [high, low, after @ ..] = tail else { return None };
                let escaped = hex(*high)? << 4 | hex(*low)?;
                rest = after;
                match escaped {
                    b'/' | b'\\' => plain.push('/'),
                    _ if escaped.is_ascii_control() => return None,
                    _ if needs_none(escaped) => plain.push(char::from(escaped)),
                    _ => {
                        let digits = [high, low].map(|digit| char::from(digit.to_ascii_uppercase()));
                        plain.extend(['%'].into_iter().chain(digits));
                    }
                }
            }
            b'\\' => plain.push('/'),
            b'#' | b'?' | ..=b' ' | 0x7f.. => return None,
            _ => plain.push(char::from(*byte)),
        }
    }
    Some(plain)
}

/// Whether a server that drops parameters would step to this or the parent folder.
fn is_dots(segment: &[u8]) -> bool {
    matches!(segment, [b'.'] | [b'.', b'.'] | [b'.', b';', ..] | [b'.', b'.', b';', ..])
}

fn has_plain_bytes(segment: &[u8]) -> bool {
    let mut rest = segment;
    while let [byte, tail @ ..] = rest {
        rest = match byte {
            b'%' => match tail {
                [high, low, tail @ ..] if is_plain_escape(*high, *low) => tail,
                _ => return false,
            },
            b'\\' | b'#' | b'?' | ..=b' ' | 0x7f.. => return false,
            _ => tail,
        };
    }
    true
}

fn is_plain_escape(high: u8, low: u8) -> bool {
    let (Some(high), Some(low)) = (hex(high), hex(low)) else { return false };
    let byte = high << 4 | low;
    !(needs_none(byte) || byte.is_ascii_control() || matches!(byte, b'/' | b'\\'))
}

/// Whether the byte means the same with and without an escape (RFC 3986, 2.3).
fn needs_none(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::{has_lower_escapes, is_plain, normal};

    #[test]
    fn a_path_with_one_reading_is_its_own_normal_form() {
        for path in [
            "/",
            "/a",
            "/a/",
            "/a/b.c/..d/.e/f../...",
            "/a%20b",
            "/caf%C3%A9",
            "/a%25b",
            "/a%252fb",
            "/a;v=1/b",
            "/%3Ca%3E",
            "/@:!$&'()*+,=",
            "/a|b",
            "*",
            "/;",
            "/%40",
        ] {
            assert!(is_plain(path), "{path}");
            assert_eq!(normal(path).as_deref(), Some(path));
        }
    }

    #[test]
    fn a_path_with_several_readings_has_one_normal_form() {
        for (path, expected) in [
            ("/.", "/"),
            ("/..", "/"),
            ("/a/../b", "/b"),
            ("/a/./b", "/a/b"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/../../a", "/a"),
            ("//", "/"),
            ("//a", "/a"),
            ("/a//b/", "/a/b/"),
            ("/a\\b", "/a/b"),
            ("/a\\..\\b", "/b"),
            ("/a%2fb", "/a/b"),
            ("/a%2F%2fb", "/a/b"),
            ("/a%5cb", "/a/b"),
            ("/a/..%2fb", "/b"),
            ("/%2e%2e/a", "/a"),
            ("/.%2e/a", "/a"),
            ("/a/%2E", "/a/"),
            ("/%61%7e", "/a~"),
        ] {
            assert!(!is_plain(path), "{path}");
            let found = normal(path).unwrap();
            assert_eq!(found, expected, "{path}");
            assert!(is_plain(&found), "{found}");
        }
    }

    #[test]
    fn escapes_are_of_one_case() {
        assert!(is_plain("/%c3%a4") && has_lower_escapes("/%c3%A4") && has_lower_escapes("/a%4f"));
        assert!(!has_lower_escapes("/a%C3%A4b") && !has_lower_escapes("/ab"));
        assert_eq!(normal("/%c3%a4b").as_deref(), Some("/%C3%A4b"));
    }

    #[test]
    fn what_no_two_programs_agree_on_has_no_normal_form() {
        for path in [
            "",
            "a",
            "**",
            "/..;/a",
            "/a/.;x/b",
            "/%2e%2e;x",
            "/a%00",
            "/a%0a",
            "/a%7f",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%%20",
            "/a b",
            "/a\tb",
            "/a\0",
            "/a#b",
            "/a?b",
            "/a\x7f",
            "/\u{e4}",
            "%2fa",
        ] {
            assert!(!is_plain(path), "{path}");
            assert_eq!(normal(path), None, "{path}");
        }
    }
}

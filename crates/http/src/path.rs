//! Path: which ones have a single reading, so that a route and a backend cannot understand different things.

use crate::Refusal;
use crate::bytes_of::hex;

/// Whether the path (without its query) may be matched and forwarded as it stands.
///
/// Refused is what some backends read differently from how a route matches it: dot segments (with parameters, too:
/// `..;x`), empty segments, a backslash, and escapes that are broken or stand for a slash, a backslash, a control
/// byte, or a character that needs none (`%61` is `a`, `%2e` is a dot).
///
/// # Errors
/// [`Refusal::Path`].
pub fn check(path: &[u8]) -> Result<(), Refusal> {
    if path == b"*" {
        return Ok(()); // `OPTIONS *`
    }
    let [b'/', rest @ ..] = path else { return Err(Refusal::Path) };
    let mut segments = rest.split(|byte| *byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        if segment.is_empty() && !is_last || is_dots(segment) || !is_plain(segment) {
            return Err(Refusal::Path);
        }
    }
    Ok(())
}

/// Whether a server that drops parameters would step to this or the parent folder.
fn is_dots(segment: &[u8]) -> bool {
    matches!(segment, [b'.'] | [b'.', b'.'] | [b'.', b';', ..] | [b'.', b'.', b';', ..])
}

fn is_plain(segment: &[u8]) -> bool {
    let mut rest = segment;
    while let [byte, tail @ ..] = rest {
        rest = match byte {
            b'%' => match tail {
                [high, low, tail @ ..] if is_plain_escape(*high, *low) => tail,
                _ => return false,
            },
            b'\\' | b'#' | ..=b' ' | 0x7f.. => return false,
            _ => tail,
        };
    }
    true
}

fn is_plain_escape(high: u8, low: u8) -> bool {
    let (Some(high), Some(low)) = (hex(high), hex(low)) else { return false };
    let byte = high << 4 | low;
    !(byte.is_ascii_alphanumeric()
        || byte.is_ascii_control()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/' | b'\\'))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::Refusal;

    #[test]
    fn a_path_with_one_reading_passes_as_it_is() {
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
            "/%3Ca%3e",
            "/@:!$&'()*+,=",
            "/a|b",
            "*",
            "/;",
            "/%40",
        ] {
            assert_eq!(check(path.as_bytes()), Ok(()), "{path}");
        }
    }

    #[test]
    fn a_path_with_two_readings_is_refused() {
        for path in [
            "",
            "a",
            "**",
            "/.",
            "/..",
            "/a/../b",
            "/a/./b",
            "/a/..",
            "/..;/a",
            "/a/.;x/b",
            "//",
            "//a",
            "/a//b",
            "/a\\b",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a%00",
            "/a%0a",
            "/a%7f",
            "/%2e%2e/a",
            "/.%2e/a",
            "/%61",
            "/%7e",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%%20",
            "/a b",
            "/a\tb",
            "/a\0",
            "/a#b",
            "/a\x7f",
            "/\u{e4}",
        ] {
            assert_eq!(check(path.as_bytes()), Err(Refusal::Path), "{path}");
        }
    }
}

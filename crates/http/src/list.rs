//! List: the members of a comma-separated field value, and the few lists that we read ourselves.

use crate::bytes_of::trim;

/// The members of a list, trimmed, without empty ones. A comma in a quoted string does not separate.
pub fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    split(value, b',').filter(|member| !member.is_empty())
}

/// The parts of a value between separators, trimmed. A separator in a quoted string does not count.
pub fn split(value: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let value = rest?;
        let end = unquoted(value, separator);
        rest = value.get(end + 1..);
        Some(trim(value.get(..end).unwrap_or_default()))
    })
}

/// Whether the list has the member, whatever its case.
pub fn contains(value: &[u8], member: &str) -> bool {
    members(value).any(|found| found.eq_ignore_ascii_case(member.as_bytes()))
}

/// Whether a client with this `Accept` would rather read JSON than a page for people.
///
/// Only types that are named count: `*/*` wishes for nothing.
pub fn prefers_json(accept: &[u8]) -> bool {
    let (mut json, mut html) = (0, 0);
    for member in members(accept) {
        let mut parts = split(member, b';');
        let range = parts.next().unwrap_or_default();
        let quality = parts.find_map(quality).unwrap_or(1000);
        let subtype = range.get(b"application/".len()..).unwrap_or_default();
        if range.eq_ignore_ascii_case(b"text/html") || range.eq_ignore_ascii_case(b"application/xhtml+xml") {
            html = html.max(quality);
        } else if crate::known::starts_with(range, b"application/")
            && (subtype.eq_ignore_ascii_case(b"json") || ends_in_json(subtype))
        {
            json = json.max(quality);
        }
    }
    json > html
}

/// The weight of a `q` parameter in thousandths.
fn quality(parameter: &[u8]) -> Option<u32> {
    let [b'q' | b'Q', b'=', value @ ..] = parameter else { return None };
    match value {
        [b'1', ..] => Some(1000),
        [b'0', b'.', digits @ ..] => Some(
            digits
                .iter()
                .chain(b"000")
                .take(3)
                .fold(0, |sum, digit| sum * 10 + u32::from(digit.saturating_sub(b'0').min(9))),
        ),
        _ => Some(0),
    }
}

fn ends_in_json(subtype: &[u8]) -> bool {
    subtype
        .len()
        .checked_sub(5)
        .and_then(|at| subtype.get(at..))
        .is_some_and(|end| end.eq_ignore_ascii_case(b"+json"))
}

/// Where the first separator stands outside of quotes, or the length.
fn unquoted(value: &[u8], separator: u8) -> usize {
    let mut quoted = false;
    let mut escaped = false;
    for (index, byte) in value.iter().enumerate() {
        match *byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            byte if byte == separator && !quoted => return index,
            _ => {}
        }
    }
    value.len()
}

#[cfg(test)]
mod tests {
    use super::{contains, members, prefers_json};

    fn check(value: &str, expected: &[&str]) {
        let found: Vec<_> =
            members(value.as_bytes()).map(|member| std::str::from_utf8(member).unwrap()).collect();
        assert_eq!(found, expected, "{value}");
    }

    #[test]
    fn commas_separate_unless_quoted() {
        check("a, b ,,c", &["a", "b", "c"]);
        check(r#"a="x,y\",z", b"#, &[r#"a="x,y\",z""#, "b"]);
        check(r#"a="unclosed, b"#, &[r#"a="unclosed, b"#]);
        check(" , ", &[]);
        assert!(contains(b"gzip, Chunked", "chunked") && !contains(b"xchunked", "chunked"));
    }

    #[test]
    fn json_is_preferred_only_when_named_and_weightier_than_html() {
        for accept in [
            "application/json",
            "application/problem+json",
            "application/json, text/plain, */*",
            "text/html;q=0.8, application/json;q=0.9",
            "application/json; charset=utf-8; q=0.5",
        ] {
            assert!(prefers_json(accept.as_bytes()), "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "application/xml",
            "text/html, application/json;q=0.9",
            "application/json;q=0",
            "text/html;q=1.0, application/json",
        ] {
            assert!(!prefers_json(accept.as_bytes()), "{accept}");
        }
    }
}

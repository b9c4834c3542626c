//! Paths and hosts: what passes has a single reading, which parsers of URLs that are not ours share. The first line of the
//! input is a host, the rest a path.

use nearside_core::path;
use nearside_http::Authority;

pub(super) const WORDS: &[&[u8]] = &[
    b"/../",
    b"/./",
    b"//",
    b"%2f",
    b"%2e%2e",
    b"%00",
    b"%61",
    b"%25",
    b"%c3%a4",
    b"\\",
    b"/..;/",
    b";",
    b"?a=b",
    b"#",
    b"a.example",
    b":443",
    b":0",
    b"[::1]",
    b"[2001:db8::1]:80",
    b"user@",
    b"xn--",
    b".",
    b"%zz",
];

pub(super) fn attack(bytes: &[u8]) {
    let cut = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (host, rest) = bytes.split_at(cut);
    one_host(host);
    one_path(rest.strip_prefix(b"\n").unwrap_or(rest));
}

fn one_host(raw: &[u8]) {
    let Ok(authority) = Authority::parse(raw) else { return };
    let text = authority.as_str();
    assert_eq!(Authority::parse(text.as_bytes()).as_ref(), Ok(&authority), "another form of {text}");
    let second: http::uri::Authority = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!((second.host(), second.port_u16()), (authority.host(), authority.port()));
    assert!(!text.contains(['@', '/', '%', ',', ' ']) && !text.bytes().any(|byte| byte.is_ascii_uppercase()));
}

fn one_path(raw: &[u8]) {
    let Ok(text) = std::str::from_utf8(raw) else { return };
    let normal = path::normal(text);
    if let Some(normal) = &normal {
        assert!(
            path::is_plain(normal) && !path::has_lower_escapes(normal),
            "{text} has {normal} for its normal form"
        );
        assert_eq!(path::normal(normal).as_ref(), Some(normal), "{text} has several normal forms");
    }
    if text == "*" || !path::is_plain(text) {
        return;
    }
    assert!(
        normal.is_some_and(|normal| normal.eq_ignore_ascii_case(text)),
        "{text} is plain and not its normal form"
    );
    let url =
        url::Url::parse(&format!("http://a.example{text}")).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!((url.query(), url.fragment(), url.host_str()), (None, None, Some("a.example")), "{text}");
    assert_eq!(decoded(url.path()), decoded(text), "{text} is another path to a browser");
    let segments = decoded(text);
    assert_eq!(
        segments.iter().filter(|byte| **byte == b'/').count(),
        text.bytes().filter(|byte| *byte == b'/').count(),
        "{text} hides a slash"
    );
    let segments: Vec<&[u8]> = segments.split(|byte| *byte == b'/').collect();
    assert!(segments.iter().all(|segment| *segment != b"." && *segment != b".."), "{text} steps aside");
    let inner = &segments[1..segments.len().max(2) - 1];
    assert!(inner.iter().all(|segment| !segment.is_empty()), "{text} holds nothing between slashes");
}

/// With every escape undone.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escape = (*first == b'%').then(|| tail.get(..2)).flatten();
        let escape = escape.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(escape.unwrap_or(*first));
        rest = if escape.is_some() { &tail[2..] } else { tail };
    }
    bytes
}

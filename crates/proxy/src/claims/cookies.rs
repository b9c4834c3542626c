//! Cookies of a request (RFC 6265, 5.4), read and taken out.

use nearside_http::{Edits, Fields, Known, RequestHead};

/// A client that sends more cookies of one name is not looked at further.
pub(super) const MOST: usize = 4;

/// The values of the cookies of this name, in their order.
pub(super) fn find<'h>(fields: &'h Fields, name: &str) -> impl Iterator<Item = &'h [u8]> {
    pairs(fields).filter_map(move |pair| value(pair, name))
}

/// Forwards the request without the cookies of this name.
pub(crate) fn strip(edits: &mut Edits, head: &RequestHead, name: &str) {
    if find(head.fields(), name).next().is_none() {
        return;
    }
    let others = pairs(head.fields()).filter(|pair| value(pair, name).is_none());
    let kept = others.collect::<Vec<_>>().join(&b"; "[..]);
    if kept.is_empty() {
        edits.remove(Known::Cookie);
    } else {
        edits.set(Known::Cookie, &kept);
    }
}

fn pairs(fields: &Fields) -> impl Iterator<Item = &[u8]> {
    let pairs = fields.all(Known::Cookie).flat_map(|line| line.split(|byte| *byte == b';'));
    pairs.map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty())
}

fn value<'h>(pair: &'h [u8], name: &str) -> Option<&'h [u8]> {
    let rest = pair.strip_prefix(name.as_bytes())?.trim_ascii_start();
    Some(rest.strip_prefix(b"=")?.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearside_http::{Limits, request};

    fn head(cookies: &[&str]) -> RequestHead {
        let lines: String = cookies.iter().map(|cookie| format!("Cookie: {cookie}\r\n")).collect();
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
        let mut head = RequestHead::new();
        request::parse(text.as_bytes(), &Limits::default(), &mut head).unwrap();
        head
    }

    fn check(cookies: &[&str], found: &[&str], forwarded: Option<&str>) {
        let head = head(cookies);
        let values: Vec<_> =
            find(head.fields(), "pin").map(|value| std::str::from_utf8(value).unwrap()).collect();
        assert_eq!(values, found, "{cookies:?}");
        let mut edits = Edits::new();
        strip(&mut edits, &head, "pin");
        let set: Vec<_> =
            edits.added().map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect();
        assert_eq!(set.first().map(String::as_str), forwarded, "{cookies:?}");
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name_and_taken_out_alone() {
        check(&[], &[], None);
        check(&["a=1; spin=2; pinned=3; Pin=4; pin"], &[], None);
        check(&["a=1; pin=x=y; b=2"], &["x=y"], Some("a=1; b=2"));
        check(&["pin=", "a=1;;pin=2 ;"], &["", "2"], Some("a=1"));
        check(&["pin=1"], &["1"], None);
    }

    #[test]
    fn a_request_with_nothing_but_the_cookie_is_forwarded_without_any() {
        let (head, mut edits) = (head(&["pin=1", "pin=2"]), Edits::new());
        edits.set(Known::Cookie, b"of a template");
        strip(&mut edits, &head, "pin");
        assert_eq!(edits.added().count(), 0);
    }
}

//! What backends and clients see besides what the other side sent (SPEC, section 5), as edits of a head.

use crate::request::Visit;
use nearside_core::BackendId;
use nearside_core::generation::Pool;
use nearside_core::policy::HostHeader;
use nearside_core::route::{FieldEdits, Route};
use nearside_http::{Edits, Known, RequestHead, list};

/// How we name ourselves in `Via` (RFC 9110, 7.6.3).
const VIA: &[u8] = b"1.1 nearside";
const VIA_2: &[u8] = b"2.0 nearside";

/// Fills `edits` with what changes on the way to backend `id`.
pub(crate) fn to_backend(
    edits: &mut Edits,
    visit: &Visit<'_>,
    head: &RequestHead,
    (pool, route, id): (&Pool, &Route, BackendId),
) {
    edits.clear();
    // What clients send under our name means nothing.
    for known in [
        Known::XNearsideOther,
        Known::XNearsideExplain,
        Known::XNearsideGen,
        Known::XNearsideProbe,
        Known::Forwarded,
        Known::XRealIp,
        Known::XForwardedOther,
        Known::XForwardedPort,
    ] {
        edits.remove(known);
    }
    let edge = &visit.worker.edge;
    edits.set(Known::XNearsideRef, visit.reference.as_bytes());
    edits.set(Known::XNearsidePop, edge.pop.name.as_bytes());
    edits.set(Known::XNearsidePlace, visit.place().as_str().as_bytes());
    edits.set(Known::XForwardedFor, visit.connection.address.as_bytes());
    edits.set(Known::XForwardedHost, head.authority().as_str().as_bytes());
    edits.set(
        Known::XForwardedProto,
        if visit.connection.tls.is_some() { b"https".as_slice() } else { b"http" },
    );
    edits.append(Known::Via, if head.version() == nearside_http::Version::Http2 { VIA_2 } else { VIA });
    edits.append(Known::CdnLoop, visit.live.generation.fleet.name.as_bytes());
    trace_parent(edits, visit, head);
    match &pool.host_header {
        HostHeader::Preserve => {}
        HostHeader::Backend => edits.set(Known::Host, visit.live.prepared.authority(id).as_bytes()),
        HostHeader::Literal(host) => edits.set(Known::Host, host.as_bytes()),
    }
    declared(edits, &route.to_backend);
    strip(edits, head, route);
}

/// Fills `edits` with what changes on the way to the client.
pub(crate) fn to_client(edits: &mut Edits, visit: &Visit<'_>, route: Option<&FieldEdits>) {
    edits.clear();
    edits.set(Known::XNearsideRef, visit.reference.as_bytes());
    edits.set(Known::XNearsideGen, visit.live.prepared.stamp.as_bytes());
    if let Some(route) = route {
        declared(edits, route);
    }
}

/// How often the request has passed a PoP of this fleet (RFC 8586).
pub(crate) fn passed(head: &RequestHead, fleet: &str) -> usize {
    let ours = |member: &&[u8]| {
        let name = list::split(member, b';').next().unwrap_or(&[]);
        name.eq_ignore_ascii_case(fleet.as_bytes())
    };
    head.fields().all(Known::CdnLoop).flat_map(list::members).filter(ours).count()
}

/// The text of a request's ref: 16 hexadecimal digits.
pub(crate) fn reference(number: u64) -> Reference {
    let mut text = [0; 16];
    hex(&mut text, number);
    Reference(text)
}

/// A ref as text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reference([u8; 16]);

impl Reference {
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

fn hex(text: &mut [u8], number: u64) {
    for (index, digit) in text.iter_mut().rev().enumerate() {
        let nibble = (number >> (4 * index)) & 15;
        *digit = b"0123456789abcdef".get(usize::try_from(nibble).unwrap_or(0)).copied().unwrap_or(b'0');
    }
}

/// Continues the client's trace, or begins one whose id holds the ref (W3C Trace Context).
fn trace_parent(edits: &mut Edits, visit: &Visit<'_>, head: &RequestHead) {
    let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
    let sent = head.fields().get(Known::TraceParent).filter(|value| is_trace_parent(value));
    let span = visit.number ^ visit.live.generation.stamp.number.rotate_left(32);
    if let (Some(sent), Some(room)) = (sent, text.get_mut(..)) {
        room.copy_from_slice(sent);
    } else {
        text.get_mut(3..19).into_iter().for_each(|room| hex(room, visit.worker.edge.salt | 1));
        text.get_mut(19..35).into_iter().for_each(|room| hex(room, visit.number));
        // The state belongs to the trace that we do not continue.
        edits.remove(Known::TraceState);
    }
    text.get_mut(36..52).into_iter().for_each(|room| hex(room, span | 1));
    edits.set(Known::TraceParent, &text);
}

fn is_trace_parent(value: &[u8]) -> bool {
    let lawful = |(at, byte): (usize, &u8)| match at {
        2 | 35 | 52 => *byte == b'-',
        0 | 1 => *byte == b'0',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    };
    let some = |range| value.get(range).is_some_and(|id: &[u8]| id.iter().any(|byte| *byte != b'0'));
    value.len() == 55 && value.iter().enumerate().all(lawful) && some(3..35) && some(36..52)
}

/// What the route declares; the names were checked at load.
fn declared(edits: &mut Edits, route: &FieldEdits) {
    for name in &route.remove {
        edits.remove_name(name);
    }
    for (name, value) in &route.set {
        edits.set_name(name, value.as_bytes()).unwrap_or_default();
    }
    for (name, value) in &route.add {
        edits.append_name(name, value.as_bytes()).unwrap_or_default();
    }
}

/// Takes the route's prefix off the path, at a slash only.
fn strip(edits: &mut Edits, head: &RequestHead, route: &Route) {
    let Some(prefix) = &route.strip_prefix else { return };
    let Some(rest) = head.path().strip_prefix(prefix.trim_end_matches('/')) else { return };
    if !rest.is_empty() && !rest.starts_with('/') {
        return;
    }
    let mut target = Vec::with_capacity(rest.len() + 1);
    if rest.is_empty() {
        target.push(b'/');
    }
    target.extend_from_slice(rest.as_bytes());
    if let Some(query) = head.query() {
        target.push(b'?');
        target.extend_from_slice(query.as_bytes());
    }
    edits.target(&target).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ref_is_sixteen_digits() {
        assert_eq!(reference(0xabc).as_str(), "0000000000000abc");
        assert_eq!(reference(u64::MAX).as_str(), "ffffffffffffffff");
    }

    #[test]
    fn only_a_lawful_trace_is_continued() {
        assert!(is_trace_parent(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        assert!(!is_trace_parent(b"00-00000000000000000000000000000000-00f067aa0ba902b7-01"));
        assert!(!is_trace_parent(b"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"));
        assert!(!is_trace_parent(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0"));
    }
}

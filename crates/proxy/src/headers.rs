//! What backends and clients see besides what the other side sent (SPEC, section 5), as edits of a head.

use crate::claims;
use crate::request::Visit;
use crate::trace::{self, Caller};
use crate::websocket;
use nearside_core::generation::Pool;
use nearside_core::policy::HostHeader;
use nearside_core::route::{FieldEdits, Route};
use nearside_core::{BackendId, Generation, hex};
use nearside_http::{Blank, Edits, Known, Method, RequestHead, Version, list};

/// A ref before it is known.
const REFERENCE: [u8; 16] = [b'0'; 16];

/// A trace before it is known (W3C Trace Context).
const TRACE: [u8; 55] = *b"00-00000000000000000000000000000000-0000000000000000-00";

/// The edits of a generation that are the same for many requests, written once.
#[derive(Debug)]
pub(crate) struct Templates {
    /// Towards backends: for plain clients and for those with TLS, by their protocol.
    to_backend: [[Template; 2]; 2],
    to_client: Template,
}

/// Edits with blanks for what differs from request to request.
#[derive(Debug)]
struct Template {
    edits: Edits,
    reference: Option<Blank>,
    trace: Option<Blank>,
}

impl Template {
    fn new(edits: Edits) -> Self {
        let (reference, trace) = (edits.blank(Known::XNearsideRef), edits.blank(Known::TraceParent));
        Self { edits, reference, trace }
    }

    fn write(&self, edits: &mut Edits, reference: Reference) {
        edits.start(&self.edits);
        if let Some(blank) = self.reference {
            edits.fill(blank, reference.as_bytes());
        }
    }
}

impl Templates {
    /// What requests under `generation` need at the PoP of this name.
    pub(crate) fn new(generation: &Generation, pop: &str) -> Self {
        let to_backend = |scheme: &str, version: &str| {
            let mut edits = Edits::new();
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
            edits.set(Known::XNearsideRef, &REFERENCE);
            edits.set(Known::XNearsidePop, pop.as_bytes());
            edits.set(Known::XForwardedProto, scheme.as_bytes());
            edits.append(Known::Via, format!("{version} nearside").as_bytes());
            edits.append(Known::CdnLoop, generation.fleet.name.as_bytes());
            edits.set(Known::TraceParent, &TRACE);
            Template::new(edits)
        };
        let mut to_client = Edits::new();
        to_client.set(Known::XNearsideRef, &REFERENCE);
        to_client.set(Known::XNearsideGen, generation.stamp.to_string().as_bytes());
        Self {
            to_backend: ["http", "https"]
                .map(|scheme| ["1.1", "2.0"].map(|version| to_backend(scheme, version))),
            to_client: Template::new(to_client),
        }
    }

    fn to_backend(&self, tls: bool, version: Version) -> &Template {
        let [plain, encrypted] = &self.to_backend;
        let [h1, h2] = if tls { encrypted } else { plain };
        if version == Version::Http2 { h2 } else { h1 }
    }
}

/// Fills `edits` with what changes on the way to backend `id`.
pub(crate) fn to_backend(
    edits: &mut Edits,
    visit: &Visit<'_>,
    head: &RequestHead,
    (pool, route, id): (&Pool, &Route, BackendId),
) {
    let prepared = &visit.live.prepared;
    let template = prepared.templates.to_backend(visit.connection.tls.is_some(), head.version());
    template.write(edits, visit.reference);
    if let Some(blank) = template.trace {
        trace_parent(edits, blank, visit, head);
    }
    edits.put(Known::XNearsidePlace, visit.place.country.as_bytes());
    if visit.believed.by_hop {
        edits.append(Known::XForwardedFor, visit.connection.address.as_bytes());
    } else {
        edits.put(Known::XForwardedFor, visit.connection.address.as_bytes());
    }
    edits.put(Known::XForwardedHost, head.authority().as_str().as_bytes());
    match &pool.host_header {
        HostHeader::Preserve => {}
        HostHeader::Backend => edits.set(Known::Host, prepared.authority(id).as_bytes()),
        HostHeader::Literal(host) => edits.set(Known::Host, host.as_bytes()),
    }
    if let Some(affinity) = &pool.affinity {
        claims::strip(edits, head, &affinity.cookie);
    }
    declared(edits, &route.to_backend);
    retarget(edits, visit, head, route);
    if head.method() == Method::Options {
        count_down(edits, head);
    }
}

/// Adds what a tunnel needs on the way to a backend: a key, for a client whose protocol knows none.
pub(crate) fn to_tunnel(edits: &mut Edits, head: &RequestHead) {
    if head.version() == Version::Http2 {
        edits.set(Known::SecWebSocketKey, websocket::key().as_bytes());
    }
}

/// Adds what a granted tunnel needs on the way to the client: the proof that its key was read, where it has one.
pub(crate) fn from_tunnel(edits: &mut Edits, asked: &RequestHead) {
    match asked.fields().get(Known::SecWebSocketKey) {
        Some(key) if asked.version() != Version::Http2 => {
            edits.set(Known::SecWebSocketAccept, websocket::accept(key).as_bytes());
        }
        _ => edits.remove(Known::SecWebSocketAccept),
    }
}

/// Fills `edits` with what changes on the way to the client.
pub(crate) fn to_client(edits: &mut Edits, visit: &Visit<'_>, route: Option<&FieldEdits>) {
    visit.live.prepared.templates.to_client.write(edits, visit.reference);
    if let Some(route) = route {
        declared(edits, route);
    }
    if let Some(explanation) = &visit.explanation {
        // Names of backends are of printable ASCII, as the file's rules have it.
        edits.set(Known::XNearsideExplain, explanation.as_bytes());
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
    Reference(hex::digits(number))
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

/// Continues the client's trace, or begins one whose id holds the ref (W3C Trace Context).
fn trace_parent(edits: &mut Edits, blank: Blank, visit: &Visit<'_>, head: &RequestHead) {
    let (trace, span, flags) = match &visit.course {
        Some(course) => (course.trace, course.span_under_way(), course.flags),
        None => {
            let caller = Caller::of(head);
            let begun = || trace::begun(visit.number, visit.worker.edge.salt);
            let span = visit.number ^ visit.live.generation.stamp.number.rotate_left(32);
            (caller.map_or_else(begun, |it| it.trace), span | 1, caller.map_or(0, |it| it.flags))
        }
    };
    let is_begun = trace == trace::begun(visit.number, visit.worker.edge.salt);
    let [high, low] = if is_begun {
        // The state belongs to a trace that is continued.
        edits.remove(Known::TraceState);
        [visit.worker.trace, visit.reference.0]
    } else {
        trace.halves().map(hex::digits)
    };
    let mut text = TRACE;
    let mut put = |at: usize, digits: &[u8]| {
        text.get_mut(at..at + digits.len()).into_iter().for_each(|room| room.copy_from_slice(digits));
    };
    put(3, &high);
    put(19, &low);
    put(36, &hex::digits(span));
    if flags != 0 {
        put(53, hex::digits(flags.into()).last_chunk::<2>().unwrap_or(b"00"));
    }
    edits.fill(blank, &text);
}

/// Takes one off `Max-Forwards` (RFC 9110, 7.6.2).
fn count_down(edits: &mut Edits, head: &RequestHead) {
    if let Some(left @ 1..) = forwards(head) {
        edits.set(Known::MaxForwards, (left - 1).to_string().as_bytes());
    }
}

/// How often the request may still be forwarded, where it says so.
pub(crate) fn forwards(head: &RequestHead) -> Option<u32> {
    let text = std::str::from_utf8(head.fields().get(Known::MaxForwards)?).ok()?;
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().unwrap_or(u32::MAX))
        .filter(|_| !text.is_empty())
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

/// Changes the target: to the path's normal form where that is forwarded, and without the route's prefix.
fn retarget(edits: &mut Edits, visit: &Visit<'_>, head: &RequestHead, route: &Route) {
    let path = visit.new_path().unwrap_or_else(|| head.path());
    let stripped = route.strip_prefix.as_ref().and_then(|prefix| strip(path, prefix));
    let Some(path) = stripped.or(visit.new_path()) else { return };
    let mut target = Vec::with_capacity(path.len() + 1);
    if path.is_empty() {
        target.push(b'/');
    }
    target.extend_from_slice(path.as_bytes());
    if let Some(query) = head.query() {
        target.push(b'?');
        target.extend_from_slice(query.as_bytes());
    }
    edits.target(&target).unwrap_or_default();
}

/// What is left of the path without the prefix, which ends at a slash only.
fn strip<'p>(path: &'p str, prefix: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(prefix.trim_end_matches('/'))?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ref_is_sixteen_digits() {
        assert_eq!(reference(0xabc).as_str(), "0000000000000abc");
        assert_eq!(reference(u64::MAX).as_str(), "ffffffffffffffff");
        assert_eq!(reference(0x0123_4567_89ab_cdef).as_str(), "0123456789abcdef");
    }
}

//! Writing a request: what of the client's head reaches a backend, and how it is framed there.

use super::RequestHead;
use crate::bytes_of::Span;
use crate::known::{Known, NEARSIDE, Set};
use crate::write::{self, Kept};
use crate::{Body, Edits, Method, Persist};
use bytes::BufMut;

/// Fields that are written anew.
const REWRITTEN: Set = NEARSIDE.and(Known::Host).and(Known::ContentLength);

impl RequestHead {
    /// Writes the head for a backend that speaks HTTP/1.1, with `body` as the framing of what follows.
    ///
    /// There is one `host`, which is the authority that was judged, one framing, and no field that belongs to the
    /// client's connection. What is as it would be written goes on as it came, in one piece with its neighbours. `Persist::Upgrade` asks the backend for a WebSocket.
    pub fn write(&self, edits: &Edits, body: Body, persist: Persist, out: &mut impl BufMut) {
        let mut kept = self.kept(edits);
        if body != Body::Chunked {
            kept.left_out = kept.left_out.and(Known::Trailer);
        }
        if self.goes_on_as_it_came(edits) {
            kept.left_out = kept.left_out.without(Known::Host);
            kept.copy(self.line, out);
        } else {
            out.put_slice(self.method_text.of(self.fields.buffer()));
            out.put_slice(b" ");
            out.put_slice(edits.new_target().unwrap_or(self.target.as_bytes()));
            out.put_slice(b" HTTP/1.1\r\nhost: ");
            out.put_slice(edits.new_host().unwrap_or(self.authority.as_str().as_bytes()));
            out.put_slice(b"\r\n");
            kept.copy(Span::default(), out);
        }
        match body {
            Body::Length(length) => write::length(length, out),
            Body::Chunked => write::chunked(out),
            // Servers expect to be told that there is nothing where they expect something (RFC 9110, 8.6).
            _ if matches!(self.method, Method::Post | Method::Put | Method::Patch) => write::length(0, out),
            _ => {}
        }
        self.write_connection(persist, out);
        edits.write_added(out);
        out.put_slice(b"\r\n");
    }

    /// The fields that go on to a backend of HTTP/2, edits included: without the host, which is its `:authority`,
    /// without `content-length`, which [`RequestHead::body`] knows, and with `te: trailers` as the client said it.
    ///
    /// Names keep the case they came in.
    pub fn forwarded<'a>(&'a self, edits: &'a Edits) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let kept = self.kept(edits).lines().map(|line| self.fields.field(line));
        let te: Option<(&[u8], &[u8])> = self.accepts_trailers.then_some((b"te", b"trailers"));
        kept.map(|field| (field.name, field.value)).chain(te).chain(edits.added())
    }

    /// Whether the first line and the host that was judged stand in the head as they are to be written.
    fn goes_on_as_it_came(&self, edits: &Edits) -> bool {
        self.line != Span::default()
            && edits.new_target().is_none()
            && edits.new_host().is_none()
            && !edits.removed().has(Known::Host)
            && self.fields.get(Known::Host) == Some(self.authority.as_str().as_bytes())
    }

    fn kept<'a>(&'a self, edits: &'a Edits) -> Kept<'a> {
        let left_out = if self.expects_continue { REWRITTEN } else { REWRITTEN.and(Known::Expect) };
        Kept { fields: &self.fields, edits, left_out }
    }

    fn write_connection(&self, persist: Persist, out: &mut impl BufMut) {
        let te = self.accepts_trailers && persist != Persist::Upgrade;
        if te {
            out.put_slice(b"te: trailers\r\n");
        }
        out.put_slice(match (persist, te) {
            (Persist::Keep, false) => b"",
            (Persist::Keep, true) => b"connection: te\r\n",
            (Persist::KeepAlive, false) => b"connection: keep-alive\r\n",
            (Persist::KeepAlive, true) => b"connection: keep-alive, te\r\n",
            (Persist::Close, false) => b"connection: close\r\n",
            (Persist::Close, true) => b"connection: close, te\r\n",
            (Persist::Upgrade, _) => b"connection: upgrade\r\nupgrade: websocket\r\n",
        });
    }
}

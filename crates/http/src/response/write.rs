//! Writing an answer: what of the backend's head reaches a client, and how it is framed there.

use super::ResponseHead;
use crate::bytes_of::{Span, decimal};
use crate::hpack::Encoder;
use crate::known::{Known, NEARSIDE, Set};
use crate::write::{self, Kept};
use crate::{Body, Edits, Persist};
use bytes::BufMut;

/// Fields that are written anew, or are ours alone to send.
const REWRITTEN: Set = NEARSIDE.and(Known::ContentLength);

impl ResponseHead {
    /// Writes the head for a client that speaks HTTP/1, with `body` as the framing of what follows.
    ///
    /// A status that has no body gets none, whatever `body` says; `Body::UntilClose` always says that the connection
    /// closes. HEAD and 304 keep the length that the backend declared. `Persist::Upgrade` makes it a 101 to a WebSocket,
    /// whatever its status: HTTP/2 has another one for that.
    pub fn write(&self, edits: &Edits, body: Body, persist: Persist, out: &mut impl BufMut) {
        let mut line = Span::default();
        if persist == Persist::Upgrade {
            out.put_slice(b"HTTP/1.1 101 Switching Protocols\r\n");
        } else if self.line != line {
            line = self.line;
        } else {
            out.put_slice(b"HTTP/1.1 ");
            out.put_slice(decimal(self.status.into(), &mut [0; 20]));
            out.put_slice(b" ");
            out.put_slice(self.reason().as_bytes());
            out.put_slice(b"\r\n");
        }
        let body = if crate::status::is_bodiless(self.status) { Body::None } else { body };
        let mut kept = self.kept(edits);
        if body != Body::Chunked {
            kept.left_out = kept.left_out.and(Known::Trailer);
        }
        let says_length = matches!(body, Body::Length(length) if self.says(length, edits));
        if says_length {
            kept.left_out = kept.left_out.without(Known::ContentLength);
        }
        kept.copy(line, out);
        match body {
            Body::Length(_) if says_length => {}
            Body::Length(length) => write::length(length, out),
            Body::Chunked => write::chunked(out),
            Body::None => {
                if let Some(length) = self.announced_length() {
                    write::length(length, out);
                }
            }
            Body::UntilClose => {}
        }
        let persist = if body == Body::UntilClose { Persist::Close } else { persist };
        out.put_slice(match persist {
            Persist::Keep => b"",
            Persist::KeepAlive => b"connection: keep-alive\r\n",
            Persist::Close => b"connection: close\r\n",
            Persist::Upgrade => b"connection: upgrade\r\nupgrade: websocket\r\n",
        });
        edits.write_added(out);
        out.put_slice(b"\r\n");
    }

    /// Packs the head for a client that speaks HTTP/2, under the status and with the length of what follows, where that is
    /// known. It is a block of its own.
    pub fn pack(
        &self,
        edits: &Edits,
        (status, length): (u16, Option<u64>),
        encoder: &mut Encoder,
        out: &mut Vec<u8>,
    ) {
        encoder.begin(out);
        encoder.status(status, out);
        for line in self.kept(edits).lines() {
            let field = self.fields.field(line);
            encoder.field(field.known, field.name, field.value, out);
        }
        for (name, value) in edits.added() {
            encoder.field(Known::classify(name), name, value, out);
        }
        if let Some(length) = length {
            encoder.length(length, out);
        }
    }

    /// Whether a field that goes on says this length, in the one way in which a number is written.
    fn says(&self, length: u64, edits: &Edits) -> bool {
        self.declared_length == Some(length)
            && !edits.removed().has(Known::ContentLength)
            && matches!(self.fields.get(Known::ContentLength), Some([b'1'..=b'9', ..] | b"0"))
    }

    /// The length of a body that does not follow, where it may be told: the answer to HEAD, and 304.
    pub fn announced_length(&self) -> Option<u64> {
        let may_tell = self.status == 304 || self.to_head && !crate::status::is_bodiless(self.status);
        self.declared_length.filter(|_length| may_tell)
    }

    fn kept<'a>(&'a self, edits: &'a Edits) -> Kept<'a> {
        Kept { fields: &self.fields, edits, left_out: REWRITTEN }
    }
}

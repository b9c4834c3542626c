//! Streams: what they are told by, and how a request that lives for long is carried and ended.

use super::ending::{Cause, Ending};
use super::pump::Carried;
use super::tunnel::{Over, Passed, Tunnel};
use super::{End, Journey, Next};
use crate::deadline::Deadline;
use crate::headers;
use crate::pool::Conn;
use crate::side::{Client, Length};
use nearside_core::{BackendId, Reason};
use nearside_http::{Body, Fields, Known, RequestHead, trailers};

/// Whether the body is gRPC's, or gRPC-Web's.
pub(super) fn is_grpc(fields: &Fields) -> bool {
    has_type(fields, b"application/grpc")
}

/// Whether the body is gRPC's own, whose status is in its trailers; gRPC-Web has it in the body.
pub(super) fn ends_in_trailers(fields: &Fields) -> bool {
    is_grpc(fields) && !has_type(fields, b"application/grpc-web")
}

/// Whether the body is a stream of server-sent events.
pub(super) fn is_events(fields: &Fields) -> bool {
    has_type(fields, b"text/event-stream")
}

fn has_type(fields: &Fields, begins: &[u8]) -> bool {
    let begun =
        |value: &[u8]| value.get(..begins.len()).is_some_and(|start| start.eq_ignore_ascii_case(begins));
    fields.get(Known::ContentType).is_some_and(begun)
}

impl Journey<'_, '_> {
    /// What follows the request's head; what asking for a tunnel takes is added to its edits.
    pub(super) fn length(&mut self, head: &RequestHead) -> Length {
        if self.asks_tunnel {
            headers::to_tunnel(&mut self.edits.to_backend, head);
            return Length::Tunnel;
        }
        match head.body() {
            Body::None => Length::None,
            Body::Length(bytes) => Length::Known(bytes),
            Body::Chunked | Body::UntilClose => Length::Unknown,
        }
    }

    /// Carries the tunnel that was granted just now.
    pub(super) async fn carry_tunnel<C: Client>(
        &mut self,
        client: &mut C,
        id: BackendId,
        mut conn: Conn,
        deadline: &mut Deadline,
    ) -> Next {
        let ending = Ending::of(self.visit, id);
        let tunnel = Tunnel::new(client, &mut conn, deadline, self.pool.timeouts.stream_idle, ending);
        // Boxed, so that other requests do not carry its state.
        let Passed { over, up, down } = Box::pin(tunnel.run()).await;
        self.visit.note_carried(up, down, None);
        Next::Stop(match over {
            Over::Ended => End::Answered,
            Over::Closed(cause) => {
                self.tell(id, cause);
                End::Closed(cause.reason())
            }
            Over::ClientGone => End::Cut(Reason::FailedClientGone),
            // Of what has passed, a client may be the cause as well: it accuses nobody.
            Over::Backend(error) => {
                // So does RFC 8441, section 5, have it.
                client.cancel();
                End::Cut(error.reason())
            }
        })
    }

    /// Ends a request from here, in its protocol's way.
    pub(super) fn end<C: Client>(
        &self,
        client: &mut C,
        id: BackendId,
        cause: Cause,
        carried: &Carried,
    ) -> End {
        self.tell(id, cause);
        if !client.is_answered() {
            return End::Unanswered(cause.refusal());
        }
        match carried.messages {
            // Between two messages a call can be ended by its own rules.
            Some(messages) if messages.is_between() => client.finish(Some(&unavailable(cause.message()))),
            _ => client.cancel(),
        }
        End::Closed(cause.reason())
    }

    /// Tells of a stream that is ended from here; of one that was idle its record tells enough.
    fn tell(&self, id: BackendId, cause: Cause) {
        if cause != Cause::Idle {
            self.visit.tell_ended(id, cause.message());
        }
    }
}

/// The trailers that end a call of gRPC as one that may be tried elsewhere: 14 is UNAVAILABLE.
fn unavailable(message: &str) -> Fields {
    let mut fields = Fields::new();
    let lines = [("grpc-status", "14"), ("grpc-message", message)];
    let lines = lines.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    // Our own names and values are lawful.
    trailers::read_parts(&mut fields, lines).unwrap_or_default();
    fields
}

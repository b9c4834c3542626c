//! A client's stream: its request's body comes in, its answer goes out.

use crate::h2::body::{Inbound, Outbound, Stopped};
use crate::h2::head;
use crate::page::Page;
use crate::side::{Client, ClientError, Fill, Length, Sink, Source};
use ::h2::server::SendResponse;
use ::h2::{Reason, RecvStream};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use nearside_http::{Edits, Fields, Known, Method, Refusal, RequestHead, ResponseHead, Upgrade};
use std::task::{Context, Poll, ready};

/// The client's side of one exchange on an HTTP/2 connection.
#[derive(Debug)]
pub struct Stream {
    head: Box<RequestHead>,
    body: Inbound,
    trailers: Option<Fields>,
    respond: SendResponse<Bytes>,
    answer: Option<Outbound>,
    /// Whether the client waits for 100 before it sends the body.
    expects: bool,
    /// Whether what the client sends is left alone: it asks for a tunnel that is not granted yet.
    held: bool,
}

impl Stream {
    /// Takes a request up, into a head that was lent; `scheme` is the connection's own.
    ///
    /// # Errors
    /// The head is not taken.
    pub(super) fn begin(
        request: Request<RecvStream>,
        respond: SendResponse<Bytes>,
        scheme: &str,
        mut head: Box<RequestHead>,
    ) -> Result<Self, Refused> {
        let (parts, body) = request.into_parts();
        let body = Inbound::new(body);
        let is_head = parts.method == http::Method::HEAD;
        match head::read_request(&Request::from_parts(parts, ()), scheme, body.is_end(), &mut head) {
            Ok(()) => {
                let expects = head.expects_continue();
                let held = head.upgrade() == Upgrade::WebSocket;
                Ok(Self { head, body, trailers: None, respond, answer: None, expects, held })
            }
            Err(refusal) => Err(Refused { refusal, respond, is_head }),
        }
    }

    /// The head, to be given back.
    pub(super) fn into_head(self) -> Box<RequestHead> {
        self.head
    }

    fn reset(&mut self, reason: Reason) {
        match &mut self.answer {
            Some(answer) => answer.abort(reason),
            None => self.respond.send_reset(reason),
        }
    }

    /// Asks for the body that the client holds back.
    fn urge(&mut self) {
        if std::mem::take(&mut self.expects) && self.answer.is_none() {
            let mut interim = Response::new(());
            *interim.status_mut() = StatusCode::CONTINUE;
            // A stream that was reset takes none; `poll_fill` finds that out.
            drop(self.respond.send_informational(interim));
        }
    }
}

/// A stream whose head is not taken.
pub(super) struct Refused {
    refusal: Refusal,
    respond: SendResponse<Bytes>,
    is_head: bool,
}

impl Refused {
    /// The status that the client is answered; `None` when the stream is reset instead.
    pub(super) fn status(&self) -> Option<u16> {
        (!breaks_http2(self.refusal)).then(|| self.refusal.status())
    }

    /// Resets the stream.
    pub(super) fn reset(mut self) {
        self.respond.send_reset(Reason::PROTOCOL_ERROR);
    }

    /// Answers with a page.
    pub(super) fn answer(mut self, page: Page, reference: &[u8]) {
        let mut edits = Edits::new();
        edits.set(Known::XNearsideRef, reference);
        edits.set(Known::ContentType, page.content_type.as_bytes());
        for (name, value) in &page.fields {
            // Our own names are tokens.
            edits.set_name(name, value.as_bytes()).unwrap_or_default();
        }
        let mut head = ResponseHead::new();
        head.begin(page.status, Method::Get);
        let response = head::write_response(&head, &edits, Length::Known(page.body.len() as u64));
        // A stream that was reset meanwhile takes nothing.
        if let Ok(mut body) = self.respond.send_response(response, self.is_head)
            && !self.is_head
        {
            drop(body.send_data(page.body.into_owned().into(), true));
        }
    }
}

/// Whether the head is malformed in the sense of RFC 9113, section 8.1.1.
fn breaks_http2(refusal: Refusal) -> bool {
    matches!(
        refusal,
        Refusal::FieldName
            | Refusal::FieldValue
            | Refusal::ConnectionField
            | Refusal::ContentLength
            | Refusal::ContentLengthTwice
            | Refusal::TwoFramings
            | Refusal::TransferEncoding
            | Refusal::Method
            | Refusal::Target
            | Refusal::HostTwice
            | Refusal::HostDisagrees
    )
}

impl Source for Stream {
    type Error = ClientError;

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<Fill, ClientError>> {
        if self.held {
            return Poll::Ready(Ok(Fill::End));
        }
        let filled = self.body.poll_fill(cx);
        if filled.is_pending() {
            self.urge();
        }
        match ready!(filled) {
            Ok(Fill::Data) => Poll::Ready(Ok(Fill::Data)),
            Ok(Fill::End) => {
                if let Some(trailers) = self.body.take_trailers() {
                    self.trailers = Some(head::read_trailers(&trailers).map_err(ClientError::Malformed)?);
                }
                Poll::Ready(Ok(Fill::End))
            }
            // What `h2` itself has found wrong with the body is its length; it has reset the stream for it.
            Err(error) if error.is_library() && error.is_reset() => {
                Poll::Ready(Err(ClientError::Malformed(Refusal::ContentLength)))
            }
            Err(_) => Poll::Ready(Err(ClientError::Gone)),
        }
    }

    fn data(&self) -> &[u8] {
        self.body.data()
    }

    fn consume(&mut self, count: usize) {
        self.body.consume(count);
    }

    fn is_end(&self) -> bool {
        self.held || self.body.is_end()
    }

    fn trailers(&mut self) -> Option<&Fields> {
        self.trailers.as_ref().filter(|trailers| !trailers.is_empty())
    }
}

impl Sink for Stream {
    type Error = ClientError;

    fn poll_write(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<Result<usize, ClientError>> {
        match &mut self.answer {
            Some(answer) => answer.poll_write(cx, data).map_err(|Stopped| ClientError::Gone),
            None => Poll::Ready(Err(ClientError::Gone)),
        }
    }

    fn finish(&mut self, trailers: Option<&Fields>) {
        if let Some(answer) = &mut self.answer {
            answer.finish(trailers.map(head::write_trailers));
        }
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        if let Some(answer) = &mut self.answer {
            answer.push();
        }
        // The connection's task sends it as the windows allow.
        Poll::Ready(Ok(()))
    }
}

impl Client for Stream {
    fn head(&self) -> &RequestHead {
        &self.head
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.answer {
            Some(answer) => answer.poll_gone(cx),
            None => self.respond.poll_reset(cx).map(drop),
        }
    }

    fn informational(&mut self, head: &ResponseHead, edits: &Edits) {
        if self.answer.is_none() {
            // A stream that was reset takes none; whoever waits for it finds that out.
            drop(self.respond.send_informational(head::write_response(head, edits, Length::None)));
        }
    }

    fn answer(&mut self, head: &ResponseHead, edits: &Edits, length: Length) {
        if self.answer.is_some() {
            return;
        }
        let bodiless = matches!(length, Length::None | Length::Known(0))
            || self.head.method() == Method::Head
            || matches!(head.status(), 204 | 304);
        let response = if length == Length::Tunnel {
            self.held = false;
            head::write_grant(head, edits)
        } else {
            head::write_response(head, edits, length)
        };
        self.answer = Some(match self.respond.send_response(response, bodiless) {
            Ok(stream) if bodiless => Outbound::Nothing(stream),
            Ok(stream) => Outbound::new(stream, length),
            Err(_) => Outbound::Stopped,
        });
    }

    fn is_answered(&self) -> bool {
        self.answer.is_some()
    }

    fn cancel(&mut self) {
        self.reset(Reason::CANCEL);
    }

    fn abort(&mut self) {
        self.reset(Reason::INTERNAL_ERROR);
    }
}

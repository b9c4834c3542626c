//! A stream to a backend: its request's body goes out, its answer comes in.

use crate::h1::INTERIM;
use crate::h2::body::{Inbound, Outbound, Stopped};
use crate::h2::connection::Slot;
use crate::h2::head;
use crate::side::{Backend, BackendError, Fill, Head, Length, Sink, Source};
use ::h2::Reason;
use ::h2::client::{ResponseFuture, SendRequest};
use bytes::Bytes;
use http::Response;
use nearside_http::{Body, Edits, Fields, Method, RequestHead, ResponseHead};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The backend's side of one try on an HTTP/2 connection. Dropping it before its answer has ended resets the stream.
#[derive(Debug)]
pub struct Upstream {
    slot: Slot,
    requests: SendRequest<Bytes>,
    tls: bool,
    method: Method,
    stream: u32,
    request: Outbound,
    answer: Answer,
    /// A 1xx answer that was found while the end of the stream was looked for.
    interim: Option<Response<()>>,
    head: ResponseHead,
    trailers: Option<Fields>,
    /// Whether the head of the answer excludes a body.
    bodiless: bool,
    /// Whether the request asks for a tunnel.
    asks_tunnel: bool,
    /// How many 1xx answers have come.
    interims: u32,
}

/// How far the answer has come.
#[derive(Debug)]
enum Answer {
    /// The request was not sent, for this reason.
    Failed(BackendError),
    /// The head is waited for.
    Awaited(ResponseFuture),
    /// The head has come.
    Body(Inbound),
}

impl Upstream {
    pub(super) fn new(requests: SendRequest<Bytes>, slot: Slot, tls: bool) -> Self {
        Self {
            slot,
            requests,
            tls,
            method: Method::Get,
            stream: 0,
            request: Outbound::Stopped,
            answer: Answer::Failed(BackendError::Unseen),
            interim: None,
            head: ResponseHead::new(),
            trailers: None,
            bodiless: false,
            asks_tunnel: false,
            interims: 0,
        }
    }

    /// Whether the backend makes tunnels of streams (RFC 8441). Its SETTINGS say so, and are waited for.
    pub async fn takes_tunnels(&self) -> bool {
        self.slot.state().settled().await;
        self.requests.is_extended_connect_protocol_enabled()
    }

    /// What an error of the stream means for the try.
    fn blame(&self, error: &::h2::Error) -> BackendError {
        if self.slot.state().is_unseen(self.stream) {
            return BackendError::Unseen;
        }
        match error.reason() {
            // Only streams above the last one of GOAWAY end with it.
            _ if error.is_go_away() && error.is_remote() => BackendError::Unseen,
            Some(Reason::REFUSED_STREAM) if error.is_remote() => BackendError::Unseen,
            _ if error.is_library() => BackendError::Protocol,
            _ => BackendError::Reset,
        }
    }

    /// What it means that the backend takes no more of the request. The sending side does not tell a stream that was
    /// never looked at from one that was cut, so the receiving side is asked.
    fn stopped(&mut self, cx: &mut Context<'_>) -> BackendError {
        if let Answer::Awaited(answer) = &mut self.answer
            && self.interim.is_none()
            && let Poll::Ready(Some(found)) = answer.poll_informational(cx)
        {
            match found {
                Ok(interim) => self.interim = Some(interim),
                Err(error) => return self.blame(&error),
            }
        }
        BackendError::Reset
    }

    /// Takes a head over.
    fn take(&mut self, response: &Response<()>, end: bool) -> Result<(), BackendError> {
        head::read_response(response, self.method, end, &mut self.head)
            .map_err(|_refusal| BackendError::Protocol)
    }

    fn poll_interim(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Response<()>>, BackendError>> {
        if let Some(interim) = self.interim.take() {
            return Poll::Ready(Ok(Some(interim)));
        }
        let found = match &mut self.answer {
            Answer::Failed(error) => return Poll::Ready(Err(*error)),
            Answer::Body(_) => return Poll::Ready(Err(BackendError::Protocol)),
            Answer::Awaited(answer) => ready!(answer.poll_informational(cx)),
        };
        Poll::Ready(found.transpose().map_err(|error| self.blame(&error)))
    }
}

impl Source for Upstream {
    type Error = BackendError;

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<Fill, BackendError>> {
        let Answer::Body(body) = &mut self.answer else { return Poll::Ready(Err(BackendError::Protocol)) };
        match ready!(body.poll_fill(cx)) {
            Ok(Fill::Data) if self.bodiless => Poll::Ready(Err(BackendError::Protocol)),
            Ok(Fill::Data) => Poll::Ready(Ok(Fill::Data)),
            Ok(Fill::End) => {
                if let Some(trailers) = body.take_trailers() {
                    let trailers =
                        head::read_trailers(&trailers).map_err(|_refusal| BackendError::Protocol)?;
                    self.trailers = Some(trailers);
                }
                Poll::Ready(Ok(Fill::End))
            }
            Err(error) => Poll::Ready(Err(self.blame(&error))),
        }
    }

    fn data(&self) -> &[u8] {
        match &self.answer {
            Answer::Body(body) => body.data(),
            Answer::Failed(_) | Answer::Awaited(_) => &[],
        }
    }

    fn consume(&mut self, count: usize) {
        if let Answer::Body(body) = &mut self.answer {
            body.consume(count);
        }
    }

    fn is_end(&self) -> bool {
        match &self.answer {
            Answer::Body(body) => body.is_end(),
            Answer::Failed(_) | Answer::Awaited(_) => false,
        }
    }

    fn trailers(&mut self) -> Option<&Fields> {
        self.trailers.as_ref().filter(|trailers| !trailers.is_empty())
    }
}

impl Sink for Upstream {
    type Error = BackendError;

    fn poll_write(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<Result<usize, BackendError>> {
        match ready!(self.request.poll_write(cx, data)) {
            Ok(count) => Poll::Ready(Ok(count)),
            Err(Stopped) => Poll::Ready(Err(self.stopped(cx))),
        }
    }

    fn finish(&mut self, trailers: Option<&Fields>) {
        self.request.finish(trailers.map(head::write_trailers));
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BackendError>> {
        self.request.push();
        // The connection's task sends it as the windows allow.
        Poll::Ready(Ok(()))
    }
}

impl Backend for Upstream {
    fn request(&mut self, head: &RequestHead, edits: &Edits, length: Length) {
        self.method = head.method();
        let bodiless = matches!(length, Length::None | Length::Known(0));
        let Some(request) = head::write_request(head, edits, length, self.tls) else {
            self.answer = Answer::Failed(BackendError::Protocol);
            return;
        };
        // A failure means that the connection has ended or takes no more streams; nothing was sent then.
        if let Ok((answer, request)) = self.requests.send_request(request, bodiless) {
            self.stream = answer.stream_id().as_u32();
            self.asks_tunnel = length == Length::Tunnel;
            let nothing = bodiless || self.asks_tunnel;
            self.request = if nothing { Outbound::Nothing(request) } else { Outbound::new(request, length) };
            self.answer = Answer::Awaited(answer);
        }
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, BackendError>> {
        if let Some(interim) = ready!(self.poll_interim(cx))? {
            self.interims += 1;
            if self.interims > INTERIM {
                return Poll::Ready(Err(BackendError::Protocol));
            }
            self.take(&interim, false)?;
            return Poll::Ready(Ok(Head::Informational));
        }
        let Answer::Awaited(answer) = &mut self.answer else { return Poll::Pending };
        match ready!(Pin::new(answer).poll(cx)) {
            Ok(response) => {
                let (parts, body) = response.into_parts();
                let body = Inbound::new(body);
                self.take(&Response::from_parts(parts, ()), body.is_end())?;
                self.answer = Answer::Body(body);
                if self.asks_tunnel && self.head.status() / 100 == 2 {
                    self.request.open();
                    return Poll::Ready(Ok(Head::Final(Length::Tunnel)));
                }
                let length = match self.head.body() {
                    Body::None => Length::None,
                    Body::Length(length) => Length::Known(length),
                    Body::Chunked | Body::UntilClose => Length::Unknown,
                };
                self.bodiless = length == Length::None;
                Poll::Ready(Ok(Head::Final(length)))
            }
            Err(error) => Poll::Ready(Err(self.blame(&error))),
        }
    }

    fn head(&self) -> &ResponseHead {
        &self.head
    }
}

//! HTTP/2 connections, on the `h2` crate itself: it can send interim answers and refuse streams.

use parking_lot::{Mutex, MutexGuard};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::header::{CONTENT_LENGTH, EXPECT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;

use crate::answers::{Backend, NoAnswer};
use crate::body::{Body, BoxError};
use crate::identity::Session;
use crate::wire::Interim;

const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
const STREAMS: u32 = 1_000;

type Shared = Arc<Mutex<SendResponse<Bytes>>>;

/// Serves a connection until either side ends it; its streams end with it.
pub(crate) async fn serve<S>(io: S, backend: &Arc<Backend>, session: &Session) -> Result<(), h2::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut builder = Builder::new();
    builder.initial_window_size(STREAM_WINDOW).initial_connection_window_size(CONNECTION_WINDOW);
    let mut connection = builder.max_concurrent_streams(STREAMS).handshake::<_, Bytes>(io).await?;
    let mut streams = JoinSet::new();
    loop {
        tokio::select! {
            accepted = connection.accept() => {
                let Some(accepted) = accepted else { return Ok(()) };
                let (request, answer) = accepted?;
                let (backend, session) = (Arc::clone(backend), session.clone());
                streams.spawn(async move { exchange(request, answer, &backend, &session).await });
            }
            Some(_) = streams.join_next() => {}
        }
    }
}

async fn exchange(
    request: Request<RecvStream>,
    answer: SendResponse<Bytes>,
    backend: &Backend,
    session: &Session,
) {
    let answer: Shared = Arc::new(Mutex::new(answer));
    let interim = Interim::H2(Arc::clone(&answer));
    let waits = request.headers().get(EXPECT).is_some_and(|expected| expected == "100-continue");
    let head_only = request.method() == Method::HEAD;
    let go_on = waits.then(|| interim.clone());
    let request = request.map(|stream| Upload { stream, go_on, ended: false }.boxed_unsync());
    let outcome = tokio::select! {
        outcome = backend.answer(request, session, interim) => outcome,
        _ = poll_fn(|cx| lock(&answer).poll_reset(cx)) => return,
    };
    // Whatever fails from here on is the client's going away.
    match outcome {
        Ok(response) => drop(send(response, head_only, &answer).await),
        Err(NoAnswer::Cut | NoAnswer::Unread(_)) => lock(&answer).send_reset(Reason::INTERNAL_ERROR),
        Err(NoAnswer::Refused) => lock(&answer).send_reset(Reason::REFUSED_STREAM),
    }
}

async fn send(response: Response<Body>, head_only: bool, answer: &Shared) -> Result<(), h2::Error> {
    let (mut head, mut body) = response.into_parts();
    let has_body = !matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if let Some(length) = body.size_hint().exact().filter(|_| has_body) {
        head.headers.entry(CONTENT_LENGTH).or_insert(HeaderValue::from(length));
    }
    let ends = head_only || !has_body || body.is_end_stream();
    let mut stream = lock(answer).send_response(Response::from_parts(head, ()), ends)?;
    if ends {
        return Ok(());
    }
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            stream.send_reset(Reason::INTERNAL_ERROR);
            return Ok(());
        };
        match frame.into_data() {
            Ok(data) => send_data(&mut stream, data).await?,
            Err(other) => return stream.send_trailers(other.into_trailers().unwrap_or_default()),
        }
    }
    stream.send_data(Bytes::new(), true)
}

/// Sends as the client's windows allow, so that a slow reader holds the answer back.
async fn send_data(stream: &mut SendStream<Bytes>, mut data: Bytes) -> Result<(), h2::Error> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let capacity = poll_fn(|cx| stream.poll_capacity(cx)).await.unwrap_or(Err(Reason::CANCEL.into()))?;
        stream.send_data(data.split_to(capacity.min(data.len())), false)?;
    }
    Ok(())
}

fn lock(answer: &Shared) -> MutexGuard<'_, SendResponse<Bytes>> {
    answer.lock()
}

/// A request's body: its window opens as it is read, and 100 is sent when it is first asked for.
struct Upload {
    stream: RecvStream,
    go_on: Option<Interim>,
    ended: bool,
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(interim) = self.go_on.take() {
            interim.send(StatusCode::CONTINUE, &HeaderMap::new());
        }
        if self.ended {
            return Poll::Ready(None);
        }
        match ready!(self.stream.poll_data(cx)).transpose()? {
            Some(data) => {
                self.stream.flow_control().release_capacity(data.len())?;
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            None => {
                let trailers = ready!(self.stream.poll_trailers(cx))?;
                self.ended = true;
                Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_end_stream() { SizeHint::with_exact(0) } else { SizeHint::default() }
    }
}

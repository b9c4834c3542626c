//! What a backend does wrong, on demand.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::{Sleep, sleep};

use crate::body::{Body, BoxError};

/// How many pieces a dripping answer comes in.
const PIECES: u64 = 10;
/// The wait before each of them.
const GAP: Duration = Duration::from_millis(200);

/// A fault that lasts until another one is set.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Fault {
    /// None: it is well.
    #[default]
    None,
    /// It answers 500 to everything.
    Errors,
    /// It answers 500 to everything but `/healthz`, so that probes find it well.
    Hidden,
    /// Its answers begin at once and then come in ten pieces, a fifth of a second apart.
    Drip,
}

impl Fault {
    /// The fault of this name in `POST /control/fault/NAME`.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "none" => Some(Self::None),
            "errors" => Some(Self::Errors),
            "hidden" => Some(Self::Hidden),
            "drip" => Some(Self::Drip),
            _ => None,
        }
    }

    /// Whether a request for this path is answered 500.
    pub(crate) fn fails(self, path: &[&str]) -> bool {
        self == Self::Errors || self == Self::Hidden && path != ["healthz"]
    }
}

/// The same answer, in slow pieces.
pub(crate) fn drip(answer: Response<Body>) -> Response<Body> {
    answer.map(|body| {
        let length = body.size_hint().lower();
        let piece = usize::try_from(length.div_ceil(PIECES)).unwrap_or(usize::MAX).max(1);
        Slow { body, rest: Bytes::new(), piece, wait: Box::pin(sleep(GAP)) }.boxed_unsync()
    })
}

/// A body that is held back piece by piece.
struct Slow {
    body: Body,
    rest: Bytes,
    piece: usize,
    wait: Pin<Box<Sleep>>,
}

impl HttpBody for Slow {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)).transpose()?.map(Frame::into_data) {
                Some(Ok(data)) => self.rest = data,
                Some(Err(other)) => return Poll::Ready(Some(Ok(other))),
                None => return Poll::Ready(None),
            }
        }
        ready!(self.wait.as_mut().poll(cx));
        self.wait = Box::pin(sleep(GAP));
        let length = self.piece.min(self.rest.len());
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let kept = self.rest.len() as u64;
        // The upper bound first: a lower one above it is refused.
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + kept);
        }
        hint.set_lower(hint.lower() + kept);
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::full;

    #[tokio::test(start_paused = true)]
    async fn a_dripping_answer_is_whole_in_the_end() {
        let begun = tokio::time::Instant::now();
        let text = "a".repeat(95);
        let answer = drip(Response::new(full(text.clone()))).into_body();
        assert_eq!(answer.size_hint().exact(), Some(95));
        assert_eq!(answer.collect().await.unwrap().to_bytes(), text);
        assert_eq!(begun.elapsed(), GAP * 10);
    }

    #[test]
    fn only_the_hidden_fault_spares_the_probe() {
        assert!(Fault::Errors.fails(&["healthz"]) && Fault::Errors.fails(&["digest"]));
        assert!(!Fault::Hidden.fails(&["healthz"]) && Fault::Hidden.fails(&["digest"]));
        assert!(!Fault::Drip.fails(&["digest"]) && !Fault::None.fails(&["digest"]));
    }
}

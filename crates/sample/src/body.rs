//! Bodies: the request's, counted for the ledger, and what is common to all.

use std::collections::BTreeMap;
use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use sha2::{Digest, Sha256};

use crate::ledger::Ledger;

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;
/// A body of either direction and any protocol.
pub(crate) type Body = UnsyncBoxBody<Bytes, BoxError>;

/// A body that is there whole.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// The request's body on its way to whoever reads it; the ledger hears when its end was reached.
pub(crate) struct Counted {
    pub(crate) body: Body,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) sequence: u64,
    pub(crate) length: u64,
    pub(crate) noted: bool,
}

impl Counted {
    /// Nobody may ever ask for a body that is known to be empty.
    pub(crate) fn note_if_empty(&mut self) {
        if self.body.is_end_stream() {
            self.note_end();
        }
    }

    fn note_end(&mut self) {
        if !self.noted {
            self.noted = true;
            self.ledger.whole(self.sequence, self.length);
        }
    }
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            self.length += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        // Whoever knows the length asks no more after the last byte.
        if frame.is_none() || self.body.is_end_stream() {
            self.note_end();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What was read of a body.
pub(crate) struct Received {
    pub(crate) length: u64,
    pub(crate) sha256: String,
    pub(crate) trailers: BTreeMap<String, String>,
}

/// Reads a body to its end.
pub(crate) async fn receive(mut body: Body) -> Result<Received, BoxError> {
    let (mut digest, mut length, mut trailers) = (Sha256::new(), 0, BTreeMap::new());
    while let Some(frame) = body.frame().await {
        match frame?.into_data() {
            Ok(data) => {
                digest.update(&data);
                length += data.len() as u64;
            }
            Err(other) => trailers.extend(other.trailers_ref().map(words).unwrap_or_default()),
        }
    }
    Ok(Received { length, sha256: format!("{:x}", digest.finalize()), trailers })
}

/// Header fields as text; of several with one name the last.
pub(crate) fn words(headers: &HeaderMap) -> BTreeMap<String, String> {
    let word = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), word(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_ledger_hears_of_a_bodys_end_once() {
        let ledger = Arc::new(Ledger::default());
        let body = Counted {
            body: full("seven b"),
            ledger: Arc::clone(&ledger),
            sequence: 1,
            length: 0,
            noted: false,
        };
        let received = receive(body.boxed_unsync()).await.unwrap();
        assert_eq!((received.length, ledger.counts().whole), (7, 1));
    }
}

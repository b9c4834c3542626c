//! What the tests' edge answers, by path.

use crate::deadline::Deadline;
use crate::h2::Stream;
use crate::h2::serve::{Service, Waits};
use crate::h2::tests::kit::{begin, read, write};
use crate::headers::{self, Reference};
use crate::page::Page;
use crate::side::{Client, ClientError, Fill, Length, Sink, Source};
use nearside_core::Reason;
use nearside_http::{Edits, Known, ResponseHead};
use std::future::poll_fn;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// What happened at the edge.
#[derive(Default)]
pub(super) struct Site {
    /// Notes of the streams, in their order.
    pub(super) notes: Mutex<Vec<String>>,
    pub(super) noted: Notify,
    /// How much of an answer was taken.
    pub(super) taken: AtomicUsize,
    /// Lets `/wait` answer.
    pub(super) go: Notify,
}

impl Site {
    fn note(&self, note: impl Into<String>) {
        self.notes.lock().unwrap().push(note.into());
        self.noted.notify_one();
    }

    /// The next note.
    pub(super) async fn next(&self) -> String {
        loop {
            let note = self.notes.lock().unwrap().pop();
            match note {
                Some(note) => return note,
                None => self.noted.notified().await,
            }
        }
    }

    async fn echo(&self, stream: &mut Stream) -> Result<(), ClientError> {
        begin(stream, 200, Length::Unknown);
        while poll_fn(|cx| stream.poll_fill(cx)).await? == Fill::Data {
            let data = stream.data().to_vec();
            stream.consume(data.len());
            write(stream, &data).await?;
        }
        let trailers = stream.trailers().cloned();
        stream.finish(trailers.as_ref());
        Ok(())
    }

    async fn big(&self, stream: &mut Stream) -> Result<(), ClientError> {
        let piece = vec![b'x'; 10_000];
        begin(stream, 200, Length::Known(100_000_000));
        while self.taken.load(Ordering::Relaxed) < 100_000_000 {
            let count = poll_fn(|cx| stream.poll_write(cx, &piece)).await?;
            self.taken.fetch_add(count, Ordering::Relaxed);
        }
        stream.finish(None);
        Ok(())
    }

    /// Answers with the fields of the request.
    fn fields(&self, stream: &mut Stream) {
        let mut head = ResponseHead::new();
        head.begin(200, stream.head().method());
        let mut edits = Edits::new();
        for field in stream.head().fields().iter() {
            edits.append_name(std::str::from_utf8(field.name).unwrap(), field.value).unwrap();
        }
        stream.answer(&head, &edits, Length::Known(0));
    }

    fn hints(&self, stream: &mut Stream) {
        let mut hints = ResponseHead::new();
        hints.begin(103, stream.head().method());
        let mut edits = Edits::new();
        edits.set_name("link", b"</a.css>").unwrap();
        stream.informational(&hints, &edits);
        begin(stream, 200, Length::Known(0));
    }

    /// Answers without end.
    async fn huge(&self, stream: &mut Stream) -> Result<(), ClientError> {
        let piece = vec![b'x'; 100_000];
        begin(stream, 200, Length::Unknown);
        loop {
            write(stream, &piece).await?;
        }
    }

    /// Answers five bytes where the head says `length`.
    async fn five(&self, stream: &mut Stream, length: u64) -> Result<(), ClientError> {
        begin(stream, 200, Length::Known(length));
        let mut rest = b"whole".as_slice();
        while !rest.is_empty() {
            let count = poll_fn(|cx| stream.poll_write(cx, rest)).await?;
            rest = &rest[count..];
        }
        stream.finish(None);
        Ok(())
    }

    async fn answer(&self, stream: &mut Stream) -> Result<(), ClientError> {
        match stream.head().path() {
            "/echo" => self.echo(stream).await?,
            "/big" => self.big(stream).await?,
            "/huge" => self.huge(stream).await?,
            "/size" => {
                let body = read(stream).await?;
                begin(stream, 200, Length::Unknown);
                write(stream, body.len().to_string().as_bytes()).await?;
                stream.finish(None);
            }
            "/hints" => self.hints(stream),
            "/gone" => poll_fn(|cx| stream.poll_gone(cx)).await,
            "/gone-late" => {
                begin(stream, 200, Length::Unknown);
                poll_fn(|cx| stream.poll_flush(cx)).await?;
                poll_fn(|cx| stream.poll_gone(cx)).await;
            }
            "/wait" => {
                self.note("waits");
                self.go.notified().await;
                begin(stream, 200, Length::Known(4));
                write(stream, b"done").await?;
                stream.finish(None);
            }
            "/abort" => {
                begin(stream, 200, Length::Known(100));
                write(stream, b"half").await?;
                stream.abort();
            }
            "/whole" => self.five(stream, 5).await?,
            "/short" => self.five(stream, 6).await?,
            "/long" => self.five(stream, 4).await?,
            "/early" => begin(stream, 413, Length::Known(0)),
            "/none" => begin(stream, 204, Length::None),
            "/length" => {
                begin(stream, 200, Length::Known(1234));
                write(stream, &[b'x'; 1234]).await?;
                stream.finish(None);
            }
            "/fields" => self.fields(stream),
            "/seen" => {
                let mut head = ResponseHead::new();
                head.begin(200, stream.head().method());
                let mut edits = Edits::new();
                edits.set(Known::Server, stream.head().fields().get(Known::Cookie).unwrap_or_default());
                edits.set(Known::Location, stream.head().authority().as_str().as_bytes());
                stream.answer(&head, &edits, Length::Known(0));
            }
            other => panic!("nothing at {other}"),
        }
        Ok(())
    }
}

impl Service for Site {
    fn waits(&self) -> Waits {
        Waits { preface: Duration::from_secs(10), idle: Duration::from_secs(60) }
    }

    fn refuse(&self, status: Option<u16>) -> (Page, Reference) {
        let page = Page::with_status(status.unwrap_or(400), Reason::RefusedMalformed, "ref", false);
        (page, headers::reference(1))
    }

    async fn serve(&self, stream: &mut Stream, _: &mut Deadline) {
        let path = stream.head().path().to_owned();
        match self.answer(stream).await {
            Ok(()) => self.note(format!("{path}: done")),
            Err(error) => self.note(format!("{path}: {error}")),
        }
    }
}

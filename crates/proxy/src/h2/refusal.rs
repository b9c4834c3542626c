//! The answer to a head that is not taken.

use crate::deadline::Deadline;
use crate::h2::client::Stream;
use crate::page::Page;
use crate::side::{Client, Length, Sink};
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

/// The longest that a client may take to take it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Answers with a page.
pub(super) async fn answer(stream: &mut Stream, page: &Page, reference: &[u8]) {
    let (head, edits) = page.refusal(reference);
    stream.answer(&head, &edits, Length::Known(page.body.len() as u64));
    let mut deadline = Deadline::default();
    deadline.set(Some(PATIENCE));
    let mut rest = page.body.as_bytes();
    poll_fn(|cx| {
        while !rest.is_empty() {
            match stream.poll_write(cx, rest) {
                Poll::Ready(Ok(count)) => rest = rest.get(count..).unwrap_or_default(),
                Poll::Ready(Err(_gone)) => return Poll::Ready(()),
                Poll::Pending => return deadline.poll(cx),
            }
        }
        stream.finish(None);
        Poll::Ready(())
    })
    .await;
}

//! An answer of our own, and what it takes to give it.

use super::Visit;
use crate::deadline::Deadline;
use crate::exchange::End;
use crate::headers;
use crate::page::Page;
use crate::side::{Client, ClientError, Length};
use nearside_core::Reason;
use nearside_http::{Edits, Known, Method, ResponseHead};
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

/// The longest that a client may take to take an answer of our own.
const OWN_ANSWER: Duration = Duration::from_secs(30);

impl Visit<'_> {
    /// Answers with a page of our own.
    pub(super) async fn say<C: Client>(
        &mut self,
        client: &mut C,
        page: &Page,
        reason: Option<Reason>,
        deadline: &mut Deadline,
    ) -> End {
        self.note.reason = reason;
        self.note.status = Some(page.status);
        if reason == Some(Reason::FailedClientGone) {
            return End::Cut(Reason::FailedClientGone);
        }
        let mut edits = Edits::new();
        let route = self.route.and_then(|id| self.live.generation.routes.route(id));
        headers::to_client(&mut edits, self, route.map(|route| &route.to_client));
        for (name, value) in &page.fields {
            edits.set_name(name, value.as_bytes()).unwrap_or_default();
        }
        if !page.content_type.is_empty() {
            edits.set(Known::ContentType, page.content_type.as_bytes());
        }
        let mut head = ResponseHead::new();
        let method = client.head().method();
        head.begin(page.status, method);
        let (body, length) = match method {
            Method::Head => (&[][..], Length::None),
            _ => (page.body.as_bytes(), Length::Known(page.body.len() as u64)),
        };
        client.answer(&head, &edits, length);
        deadline.set(Some(OWN_ANSWER));
        let (mut rest, mut finished) = (body, false);
        let sent = poll_fn(|cx| {
            while !rest.is_empty() {
                match client.poll_write(cx, rest) {
                    Poll::Ready(Ok(count)) => rest = rest.get(count..).unwrap_or(&[]),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => return deadline.poll(cx).map(|()| Err(ClientError::Gone)),
                }
            }
            if !std::mem::replace(&mut finished, true) {
                client.finish(None);
            }
            match client.poll_flush(cx) {
                Poll::Pending => deadline.poll(cx).map(|()| Err(ClientError::Gone)),
                Poll::Ready(flushed) => Poll::Ready(flushed),
            }
        });
        match sent.await {
            Ok(()) => End::Answered,
            Err(_gone) => End::Cut(Reason::FailedClientGone),
        }
    }
}

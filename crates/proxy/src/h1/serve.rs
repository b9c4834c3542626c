//! The life of a client's connection: request after request, in order, until one of the two sides ends it.

use super::client::{Arrival, Downstream, READ_OUT};
use crate::boxed::boxed;
use crate::connection::Connection;
use crate::deadline::Deadline;
use crate::headers::Reference;
use crate::io::Io;
use crate::page::Page;
use crate::refused;
use crate::request;
use crate::service::Presence;
use crate::side::{Fill, Sink, Source};
use crate::worker::Worker;
use nearside_core::Reason;
use nearside_http::Refusal;
use nearside_telemetry::Protocol;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// How long a connection that closes listens on, so that the client sees its last answer.
const LINGER: Duration = Duration::from_secs(5);

/// How much it listens to.
const LINGER_BYTES: usize = 1024 * 1024;

/// How long a client that was let in before the service closed has to begin.
const PARTING: Duration = Duration::from_secs(1);

/// How long clients are waited for where no pool says otherwise.
const IDLE: Duration = Duration::from_secs(60);
const HEAD: Duration = Duration::from_secs(10);

/// How long a client may hold a connection without a whole head on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waits {
    /// Between two requests.
    pub(super) idle: Duration,
    /// For a whole head, from its first byte on; for the first one from the connection's beginning on.
    pub(super) head: Duration,
}

/// What is done with a connection's requests.
pub(super) trait Service: Sync {
    /// How long requests are waited for.
    fn waits(&self) -> Waits;

    /// Answers the client's request; whether the connection may be kept.
    fn serve(&self, client: &mut Downstream, deadline: &mut Deadline) -> impl Future<Output = bool> + Send;

    /// Notes a head that is not taken; the page for it, and its ref.
    fn refuse(&self, status: u16, reason: Reason) -> (Page, Reference);
}

/// Serves a client's connection to its end.
pub async fn serve(worker: Arc<Worker>, connection: Connection, io: Io, presence: Presence) {
    let mut client = Downstream::new(io, Arc::clone(&worker.stock), presence);
    let requests = Requests { worker, connection };
    run(&requests, &mut client).await;
    requests.worker.pools.left(requests.connection.parties());
}

struct Requests {
    worker: Arc<Worker>,
    connection: Connection,
}

impl Service for Requests {
    /// Before the head nobody knows which pool it will be, so the most patient one counts.
    fn waits(&self) -> Waits {
        let live = self.worker.edge.live.load();
        let pools = &live.generation.pools;
        Waits {
            idle: pools.iter().map(|pool| pool.timeouts.client_idle).max().unwrap_or(IDLE),
            head: pools.iter().map(|pool| pool.timeouts.client_header).max().unwrap_or(HEAD),
        }
    }

    async fn serve(&self, client: &mut Downstream, deadline: &mut Deadline) -> bool {
        // Boxed, so that an idle connection does not keep room for an exchange.
        boxed(|| request::serve(&self.worker, &self.connection, client, deadline)).await.whole
    }

    fn refuse(&self, status: u16, reason: Reason) -> (Page, Reference) {
        refused::refuse(&self.worker, &self.connection, Protocol::Http11, Some(status), reason)
    }
}

/// Runs the connection.
pub(super) async fn run<S: Service>(service: &S, client: &mut Downstream) {
    let mut deadline = Deadline::default();
    let waits = service.waits();
    let mut first = true;
    loop {
        deadline.set(Some(if first { waits.head } else { waits.idle }));
        let arrived = arrival(client, &mut deadline, waits.head, first).await;
        first = false;
        let refusal = match arrived {
            Ok(Arrival::Request) => None,
            Ok(Arrival::End) => return,
            Ok(Arrival::Refused(refusal)) => Some((refusal.status(), reason(refusal))),
            Err(Late) => Some((408, Reason::RefusedTimeout)),
        };
        if let Some((status, reason)) = refusal {
            let (page, reference) = service.refuse(status, reason);
            client.refuse(&page, reference.as_bytes());
            return close(client, &mut deadline).await;
        }
        let kept = service.serve(client, &mut deadline).await;
        if !settle(client, &mut deadline, kept).await {
            return;
        }
    }
}

/// A head has begun and did not end in time.
struct Late;

/// Waits for the next request. A connection on which nothing has begun ends without a word when its time is over,
/// or when the service closes; then a client that was only just let in is still heard, and one whose request is
/// in the socket already.
async fn arrival(
    client: &mut Downstream,
    deadline: &mut Deadline,
    head: Duration,
    first: bool,
) -> Result<Arrival, Late> {
    let mut begun = false;
    let mut told = false;
    poll_fn(|cx| {
        if let Poll::Ready(arrival) = client.poll_request(cx) {
            return Poll::Ready(Ok(arrival));
        }
        if !begun && client.has_begun() {
            begun = true;
            deadline.set(Some(head));
        }
        if !begun && !told && client.poll_closing(cx).is_ready() {
            told = true;
            if !first && !client.has_spoken() {
                return Poll::Ready(Ok(Arrival::End));
            }
            deadline.set(Some(PARTING.min(head)));
        }
        deadline.poll(cx).map(|()| if begun { Err(Late) } else { Ok(Arrival::End) })
    })
    .await
}

/// Ends an exchange; whether the connection goes on.
async fn settle(client: &mut Downstream, deadline: &mut Deadline, kept: bool) -> bool {
    if !client.is_whole() {
        return false;
    }
    if kept && client.keeps() && (client.is_read_out() || read_out(client, deadline).await) {
        client.rest();
        return true;
    }
    close(client, deadline).await;
    false
}

/// Sends what is left of the answer and reads what is left of the request; whether both came to their end.
async fn read_out(client: &mut Downstream, deadline: &mut Deadline) -> bool {
    let mut budget = READ_OUT;
    let mut waits = false;
    poll_fn(|cx| {
        let flushed = match client.poll_flush(cx) {
            Poll::Ready(Err(_)) => return Poll::Ready(false),
            flushed => flushed.is_ready(),
        };
        loop {
            let count = client.data().len();
            if count > budget {
                return Poll::Ready(false);
            }
            budget -= count;
            client.consume(count);
            match client.poll_fill(cx) {
                Poll::Ready(Ok(Fill::Data)) => {}
                Poll::Ready(Ok(Fill::End)) if flushed => return Poll::Ready(true),
                Poll::Ready(Err(_)) => return Poll::Ready(false),
                Poll::Ready(Ok(Fill::End)) | Poll::Pending => {
                    if !std::mem::replace(&mut waits, true) {
                        deadline.set(Some(LINGER));
                    }
                    return deadline.poll(cx).map(|()| false);
                }
            }
        }
    })
    .await
}

/// Closes in an orderly way: our direction first, then, while the client may still be sending, the other. Closing
/// both at once would reset the connection, and with it an answer that is still on its way.
async fn close(client: &mut Downstream, deadline: &mut Deadline) {
    deadline.set(Some(LINGER));
    let mut budget = LINGER_BYTES;
    let mut shut = false;
    poll_fn(|cx| {
        if !shut {
            match client.poll_shutdown(cx) {
                Poll::Ready(Ok(())) => shut = true,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return deadline.poll(cx),
            }
        }
        if client.is_silent() {
            return Poll::Ready(());
        }
        client.part();
        while let Poll::Ready(count) = client.poll_discard(cx) {
            budget = budget.saturating_sub(count);
            if count == 0 || budget == 0 {
                return Poll::Ready(());
            }
        }
        deadline.poll(cx)
    })
    .await;
}

fn reason(refusal: Refusal) -> Reason {
    match refusal.status() {
        413 | 414 | 431 => Reason::RefusedTooLarge,
        _ => Reason::RefusedMalformed,
    }
}

//! Events: the status anew whenever it has changed, for pages that are open. Nothing is made while nobody listens.

use crate::status::Desk;
use hyper::body::Bytes;
use parking_lot::{Mutex, MutexGuard};
use serde_json::{Value, json};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep};

/// Pages that are told at one time.
const LISTENERS: usize = 16;
/// Statuses that wait for a page that is slow; what comes then passes it by.
const WAITING: usize = 2;
/// How often it is looked whether something has changed.
const LOOK: Duration = Duration::from_millis(500);
/// How long nothing may be told: rates and round trips move all the time.
const QUIET: Duration = Duration::from_secs(2);
/// How long one answer goes on. A page asks again, and shows its token anew.
const LASTS: Duration = Duration::from_secs(50);
/// The part of the control thread that this may take: one in so many.
const PART: u32 = 20;

/// Who listens.
pub(super) struct Feed {
    /// None once it is over.
    listeners: Mutex<Option<Vec<Listener>>>,
    wanted: Notify,
}

struct Listener {
    to: mpsc::Sender<Bytes>,
    until: Instant,
}

/// What one of them hears.
pub(super) struct Events(mpsc::Receiver<Bytes>);

impl Events {
    /// The next event; none when it is over.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.0.poll_recv(context)
    }
}

impl Feed {
    /// A feed that can be listened to.
    pub(super) fn open() -> Self {
        Self { listeners: Mutex::new(Some(Vec::new())), wanted: Notify::new() }
    }

    /// Listens from now on; `None` where too many do, or it is over.
    pub(super) fn listen(&self) -> Option<Events> {
        let mut listeners = self.lock();
        let listeners = listeners.as_mut()?;
        listeners.retain(Listener::hears);
        if listeners.len() >= LISTENERS {
            return None;
        }
        let (to, events) = mpsc::channel(WAITING);
        // How soon a page that was left comes back. The first one has a place free.
        drop(to.try_send(Bytes::from_static(b"retry: 1000\n\n")));
        listeners.push(Listener { to, until: Instant::now() + LASTS });
        self.wanted.notify_one();
        Some(Events(events))
    }

    /// Tells the listeners, for as long as it is polled.
    pub(super) async fn tell(&self, desk: &Desk) {
        loop {
            self.wanted.notified().await;
            let mut told: Option<(Value, Instant)> = None;
            // Whoever is new is told at once, and the others with them.
            while self.is_listened_to() {
                let began = Instant::now();
                let status = desk.read();
                let outline = outline(&status);
                let is_news = |(before, at): &(Value, Instant)| *before != outline || at.elapsed() >= QUIET;
                if told.as_ref().is_none_or(is_news) {
                    self.send(&Bytes::from(format!("data: {status}\n\n")));
                    told = Some((outline, began));
                }
                tokio::select! {
                    () = sleep(LOOK.max(began.elapsed() * PART)) => {}
                    () = self.wanted.notified() => told = None,
                }
            }
        }
    }

    /// Ends what is told.
    pub(super) fn close(&self) {
        *self.lock() = None;
    }

    fn send(&self, event: &Bytes) {
        if let Some(listeners) = &mut *self.lock() {
            listeners.retain(Listener::hears);
            for listener in listeners {
                // Who is slow hears the next one.
                drop(listener.to.try_send(event.clone()));
            }
        }
    }

    fn is_listened_to(&self) -> bool {
        self.lock().as_mut().is_some_and(|listeners| {
            listeners.retain(Listener::hears);
            !listeners.is_empty()
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Listener>>> {
        self.listeners.lock()
    }
}

impl Listener {
    fn hears(&self) -> bool {
        !self.to.is_closed() && Instant::now() < self.until
    }
}

/// What of a status is news at once: not what moves all the time.
fn outline(status: &Value) -> Value {
    let of = |list: &str, keys: &[&str]| -> Vec<Value> {
        let all = status.get(list).and_then(Value::as_array).into_iter().flatten();
        all.map(|one| keys.iter().map(|key| one.get(key).cloned().unwrap_or_default()).collect()).collect()
    };
    let whole = ["generation", "phase", "ready", "last_reload", "warnings"].map(|key| status.get(key));
    json!([
        whole,
        of("drains", &["target", "state", "reason", "in_flight"]),
        of("backends", &["key", "standing", "by", "usable"]),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[test]
    fn a_verdict_is_news_and_a_round_trip_is_not() {
        let status = |standing: &str, rtt: f64| json!({ "now": rtt, "backends": [{ "key": "web/a", "standing": standing, "rtt_ms": rtt }] });
        assert_eq!(outline(&status("healthy", 1.0)), outline(&status("healthy", 2.0)));
        assert_ne!(outline(&status("healthy", 1.0)), outline(&status("unhealthy", 1.0)));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_so_many_listen_and_each_ends_in_time() {
        let feed = Feed::open();
        let mut all: Vec<Events> = std::iter::from_fn(|| feed.listen()).take(LISTENERS + 1).collect();
        assert_eq!(all.len(), LISTENERS);
        drop(all.pop());
        let mut last = feed.listen().expect("who left makes room");
        feed.send(&Bytes::from_static(b"data: 1\n\n"));
        assert!(poll_fn(|cx| last.poll_next(cx)).await.is_some_and(|event| event.starts_with(b"retry")));
        assert_eq!(poll_fn(|cx| last.poll_next(cx)).await.as_deref(), Some(&b"data: 1\n\n"[..]));
        tokio::time::advance(LASTS).await;
        assert!(!feed.is_listened_to());
        assert_eq!(poll_fn(|cx| last.poll_next(cx)).await, None);
        feed.close();
        assert!(feed.listen().is_none());
    }
}

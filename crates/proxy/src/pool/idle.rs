//! Connections that wait for their next request, the one used last on top.

use super::gate::Permit;
use super::key::Key;
use crate::io::{Io, Readable, Wire};
use crate::round_trip;
use nearside_health::InFlight;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Instant;

/// The right of one connection to exist, and its place in the backend's count.
#[derive(Debug)]
pub(super) struct Lease {
    _permit: Permit<Idle>,
    _counted: InFlight,
}

impl Lease {
    pub(super) fn new(permit: Permit<Idle>, counted: InFlight) -> Self {
        Self { _permit: permit, _counted: counted }
    }
}

/// An HTTP/1 connection without a request on it. It holds no buffer.
#[derive(Debug)]
pub(super) struct Idle {
    pub(super) io: Io,
    pub(super) key: Arc<Key>,
    pub(super) address: Option<SocketAddr>,
    pub(super) lease: Arc<Lease>,
    /// Since when it is idle.
    pub(super) since: Instant,
    /// How long it may be.
    pub(super) keepalive: Duration,
    /// Whether it has carried a request, and was not only made ready for one.
    pub(super) used: bool,
}

/// What a look at an idle connection finds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Finding {
    Alive,
    /// It has been idle for as long as it may.
    Old,
    /// The backend has closed it, or says something that nobody asked for.
    Closed,
}

impl Idle {
    /// Looks at the connection. This costs no system call while nothing has arrived.
    pub(super) fn look(&mut self, now: Instant) -> Finding {
        if now >= self.since + self.keepalive {
            return Finding::Old;
        }
        let mut byte = [0; 1];
        let is_silent = match &mut self.io {
            // As below, without a waker that nobody wants.
            Io::Plain(Wire::Tcp(stream)) => {
                stream.try_read(&mut byte).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
            }
            io => {
                let mut cx = Context::from_waker(Waker::noop());
                io.poll_readable(&mut cx).is_pending()
                    || Pin::new(io).poll_read(&mut cx, &mut ReadBuf::new(&mut byte)).is_pending()
            }
        };
        if is_silent { Finding::Alive } else { Finding::Closed }
    }

    /// Whether its worker has no use for it of late, as far as one can tell.
    fn is_spare(&self, now: Instant) -> bool {
        !self.used || now >= self.since + SPARE
    }

    /// Whether its age does not end it before `until`.
    fn lasts(&self, until: Instant) -> bool {
        self.since + self.keepalive > until
    }
}

/// The stack of idle connections.
#[derive(Debug, Default)]
pub(super) struct Stack {
    list: Vec<Idle>,
    /// Many backends wait for a first request less long than for a further one, or longer.
    learned: [Option<Learned>; 2],
    /// Whether one that came back from a request was asked for its round trip since the last sweep, and what it said: a
    /// connection that is always at work is never found idle.
    asked: bool,
    returned: Option<Duration>,
}

/// What a sweep has found.
#[derive(Debug, Default)]
pub(super) struct Swept {
    /// What is to be closed.
    pub(super) dead: Vec<Idle>,
    /// Whether the backend has closed one soon that was made ready for it.
    pub(super) spurned: bool,
}

/// How long the backend lets connections idle, as it was seen to close them.
#[derive(Clone, Copy, Debug)]
struct Learned {
    keepalive: Duration,
    until: Instant,
}

/// How long a lesson is remembered: a backend that closed connections because it restarted is soon trusted again.
const LESSON: Duration = Duration::from_mins(5);

/// A backend that closes one sooner, before there was a request, does not want any to be ready.
pub(super) const SPURNED: Duration = Duration::from_secs(10);

/// What its worker has not used for so long may go to another.
const SPARE: Duration = Duration::from_secs(1);

/// So many connections, those used last, are asked for their round trip.
const ASKED: usize = 2;

/// A connection that closes sooner than this teaches nothing.
const LEAST_LESSON: Duration = Duration::from_secs(2);

/// What is taken off a keepalive, so that we are the first to close.
const MARGIN: Duration = Duration::from_secs(1);

impl Stack {
    pub(super) fn push(&mut self, mut idle: Idle, now: Instant) {
        let learned = self.learned.get(usize::from(idle.used)).copied().flatten();
        if let Some(learned) = learned.filter(|learned| now < learned.until) {
            idle.keepalive = idle.keepalive.min(learned.keepalive);
        }
        if idle.used {
            if !std::mem::replace(&mut self.asked, true) {
                self.returned = round_trip::of_late(idle.io.wire());
            }
            self.list.push(idle);
        } else {
            // Those that have carried something go first: their windows are open.
            self.list.insert(0, idle);
        }
    }

    /// The live connection that was used last; what is found dead on the way is closed.
    pub(super) fn take(&mut self, now: Instant) -> Option<Idle> {
        loop {
            let mut idle = self.list.pop()?;
            match idle.look(now) {
                Finding::Alive => return Some(idle),
                finding => self.note(&idle, finding, now),
            }
        }
    }

    /// A live connection for another worker: one that this one can spare, or `any`.
    pub(super) fn take_for_other(&mut self, now: Instant, any: bool) -> Option<Idle> {
        loop {
            let at = self.list.iter().position(|idle| any || idle.is_spare(now))?;
            let mut idle = self.list.remove(at);
            match idle.look(now) {
                Finding::Alive => return Some(idle),
                finding => self.note(&idle, finding, now),
            }
        }
    }

    /// How many there are that will not be closed for their age before `until`; no more than `most` are counted.
    pub(super) fn lasting(&self, until: Instant, most: u32) -> u32 {
        let lasting = self.list.iter().filter(|idle| idle.lasts(until));
        (0..most).zip(lasting).fold(0, |count, _| count + 1)
    }

    /// The connection that was used longest ago.
    pub(super) fn take_oldest(&mut self) -> Option<Idle> {
        (!self.list.is_empty()).then(|| self.list.remove(0))
    }

    /// Takes out what has died or may idle no longer.
    pub(super) fn sweep(&mut self, now: Instant) -> Swept {
        let list = std::mem::take(&mut self.list);
        let mut swept = Swept::default();
        for mut idle in list {
            match idle.look(now) {
                Finding::Alive => self.list.push(idle),
                finding => {
                    self.note(&idle, finding, now);
                    let soon = finding == Finding::Closed && now < idle.since + SPURNED;
                    swept.spurned |= soon && !idle.used;
                    swept.dead.push(idle);
                }
            }
        }
        swept
    }

    /// The least round trip that the connections used last have seen of late: those that are idle, and one that came back
    /// since this was asked before.
    pub(super) fn round_trip(&mut self) -> Option<Duration> {
        self.asked = false;
        let returned = self.returned.take();
        let last = self.list.iter().rev().take(ASKED);
        last.filter_map(|idle| round_trip::of_late(idle.io.wire())).chain(returned).min()
    }

    /// Takes everything out.
    pub(super) fn clear(&mut self) -> Vec<Idle> {
        std::mem::take(&mut self.list)
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    fn note(&mut self, idle: &Idle, finding: Finding, now: Instant) {
        let lasted = now.saturating_duration_since(idle.since);
        let lesson = self.learned.get_mut(usize::from(idle.used));
        if let Some(learned) = lesson.filter(|_| finding == Finding::Closed && lasted >= LEAST_LESSON) {
            let keepalive = lasted.saturating_sub(MARGIN);
            *learned = Some(Learned { keepalive, until: now + LESSON });
        }
    }
}

/// How long a connection may idle: what the pool says, or less where the backend says so.
pub(super) fn keepalive(pool: Duration, said: Option<Duration>) -> Duration {
    said.map_or(pool, |said| pool.min(said.saturating_sub(MARGIN)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::pool::gate::Gate;
    use nearside_core::BackendKey;
    use nearside_core::generation::Endpoint;
    use nearside_core::policy::Protocol;
    use nearside_health::Count;
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};

    pub(in crate::pool) fn key() -> Arc<Key> {
        let endpoint = Endpoint { tls: false, host: "127.0.0.1".into(), port: 80 };
        let backend = BackendKey::new("web", "a");
        Arc::new(Key { backend, endpoint, protocol: Protocol::Auto, tls: None, preamble: None })
    }

    /// An idle connection under `gate`, and its other end.
    pub(in crate::pool) async fn idle(gate: &Arc<Gate<Idle>>, keepalive: u64) -> (Idle, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let near = TcpStream::connect(address).await.unwrap();
        let far = listener.accept().await.unwrap().0;
        let permit = gate.try_enter(u32::MAX).unwrap();
        let lease = Arc::new(Lease::new(permit, Arc::new(Count::default()).enter()));
        let (io, since) = (Io::Plain(Wire::Tcp(near)), Instant::now());
        let keepalive = Duration::from_secs(keepalive);
        (Idle { io, key: key(), address: Some(address), lease, since, keepalive, used: true }, far)
    }

    fn later(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    /// Lets the reactor see what has arrived.
    async fn settle() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    #[tokio::test]
    async fn the_connection_used_last_is_taken_first() {
        let gate = Arc::new(Gate::new());
        let mut stack = Stack::default();
        let (first, _a) = idle(&gate, 55).await;
        let (second, _b) = idle(&gate, 55).await;
        let last = second.address;
        stack.push(first, later(0));
        stack.push(second, later(0));
        assert_eq!(stack.take(later(0)).unwrap().address, last);
        assert_eq!((stack.len(), gate.open()), (1, 1));
    }

    #[tokio::test]
    async fn a_closed_or_talking_connection_is_not_taken() {
        let gate = Arc::new(Gate::new());
        let mut stack = Stack::default();
        let (closed, far) = idle(&gate, 55).await;
        drop(far);
        let (talking, mut far) = idle(&gate, 55).await;
        far.write_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n").await.unwrap();
        stack.push(closed, later(0));
        stack.push(talking, later(0));
        settle().await;
        assert!(stack.take(later(0)).is_none());
        assert_eq!(gate.open(), 0);
    }

    #[tokio::test]
    async fn a_connection_that_is_always_at_work_tells_its_round_trip_too() {
        let gate = Arc::new(Gate::new());
        let mut stack = Stack::default();
        let (busy, _far) = idle(&gate, 55).await;
        stack.push(busy, later(0));
        let _busy = stack.take(later(0)).unwrap();
        assert!(stack.round_trip().is_some());
        assert!(stack.round_trip().is_none(), "it has carried nothing since");
    }

    #[tokio::test]
    async fn a_connection_idles_no_longer_than_it_may() {
        let gate = Arc::new(Gate::new());
        let mut stack = Stack::default();
        let (old, _a) = idle(&gate, 5).await;
        let (young, _b) = idle(&gate, 50).await;
        stack.push(young, later(0));
        stack.push(old, later(0));
        assert_eq!(stack.sweep(later(4)).dead.len(), 0);
        assert_eq!(stack.sweep(later(6)).dead.len(), 1);
        assert!(stack.take(later(51)).is_none());
    }

    #[tokio::test]
    async fn a_backend_that_closes_early_is_learned_from_for_a_while() {
        let gate = Arc::new(Gate::new());
        let mut stack = Stack::default();
        let (closed, far) = idle(&gate, 55).await;
        drop(far);
        stack.push(closed, later(0));
        settle().await;
        assert_eq!(stack.sweep(later(10)).dead.len(), 1);
        let (next, _b) = idle(&gate, 55).await;
        stack.push(next, later(10));
        assert!(stack.take(later(0)).unwrap().keepalive < Duration::from_secs(10));
        let (much_later, _c) = idle(&gate, 55).await;
        stack.push(much_later, later(311));
        assert_eq!(stack.take(later(0)).unwrap().keepalive, Duration::from_secs(55));
    }

    #[test]
    fn a_backend_may_shorten_the_keepalive_and_not_lengthen_it() {
        let seconds = Duration::from_secs;
        assert_eq!(keepalive(seconds(55), None), seconds(55));
        assert_eq!(keepalive(seconds(55), Some(seconds(5))), seconds(4));
        assert_eq!(keepalive(seconds(55), Some(seconds(600))), seconds(55));
        assert_eq!(keepalive(seconds(55), Some(seconds(0))), seconds(0));
    }
}

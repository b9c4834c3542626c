//! The race for the first of several addresses that answers (RFC 8305, "happy eyeballs").

use super::{Dial, Dialling, Memory};
use crate::deadline::Deadline;
use crate::io::Wire;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// How long an address has to answer before the next one is tried beside it.
const STAGGER: Duration = Duration::from_millis(250);

/// The connection that won.
pub(super) struct Winner {
    pub(super) wire: Wire,
    /// None of a Unix socket.
    pub(super) address: Option<SocketAddr>,
    /// How long it took.
    pub(super) took: Duration,
}

/// Connects to whichever of `addresses` answers first; `None` where there is none, and the last failure when all
/// have failed.
pub(super) async fn connect(
    dial: &dyn Dial,
    memory: &Memory,
    addresses: &[SocketAddr],
    region: &str,
) -> Option<io::Result<Winner>> {
    let mut order = interleave(addresses);
    if let [only] = order.as_slice() {
        // Nearly always: no race, no list.
        let start = Instant::now();
        let wire = dial.connect(*only, region).await;
        return Some(wire.map(|wire| Winner { wire, address: Some(*only), took: start.elapsed() }));
    }
    memory.order(&mut order);
    let mut race = Race {
        dial,
        memory,
        region,
        waiting: order.into_iter(),
        running: Vec::new(),
        next: Deadline::default(),
        failure: None,
    };
    poll_fn(|cx| race.poll(cx)).await
}

struct Race<'a> {
    dial: &'a dyn Dial,
    memory: &'a Memory,
    region: &'a str,
    waiting: std::vec::IntoIter<SocketAddr>,
    running: Vec<Runner<'a>>,
    next: Deadline,
    failure: Option<io::Error>,
}

struct Runner<'a> {
    address: SocketAddr,
    start: Instant,
    dialling: Dialling<'a>,
}

impl Race<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Winner>>> {
        loop {
            if let Some(winner) = self.poll_runners(cx) {
                return Poll::Ready(Some(Ok(winner)));
            }
            // A failure starts the next address at once, silence does after a while.
            let due = self.running.is_empty() || self.next.poll(cx).is_ready();
            let next = if due { self.waiting.next() } else { None };
            if next.is_some() {
                let silent = self.running.iter().filter(|runner| runner.start.elapsed() >= STAGGER);
                silent.for_each(|runner| self.memory.note_failure(runner.address));
            }
            match next {
                Some(address) => self.start(address),
                None if self.running.is_empty() => return Poll::Ready(self.failure.take().map(Err)),
                None => return Poll::Pending,
            }
        }
    }

    fn start(&mut self, address: SocketAddr) {
        let dialling = self.dial.connect(address, self.region);
        self.running.push(Runner { address, start: Instant::now(), dialling });
        let more = !self.waiting.as_slice().is_empty();
        self.next.set(more.then_some(STAGGER));
    }

    fn poll_runners(&mut self, cx: &mut Context<'_>) -> Option<Winner> {
        let mut winner = None;
        let failure = &mut self.failure;
        let (next, memory) = (&mut self.next, self.memory);
        self.running.retain_mut(|runner| match runner.dialling.as_mut().poll(cx) {
            Poll::Pending => true,
            Poll::Ready(Ok(wire)) => {
                memory.note_answer(runner.address);
                winner = Some(Winner { wire, address: Some(runner.address), took: runner.start.elapsed() });
                false
            }
            Poll::Ready(Err(cause)) => {
                memory.note_failure(runner.address);
                *failure = Some(cause);
                next.set(Some(Duration::ZERO));
                false
            }
        });
        winner
    }
}

/// The families in turn, IPv6 first, each in its own order.
fn interleave(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut six = addresses.iter().filter(|address| address.is_ipv6());
    let mut four = addresses.iter().filter(|address| address.is_ipv4());
    let mut order = Vec::with_capacity(addresses.len());
    while order.len() < addresses.len() {
        order.extend(six.next());
        order.extend(four.next());
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use tokio::net::TcpStream;

    /// Port 1 refuses, port 2 is silent, port 3 refuses late; others are real.
    #[derive(Debug)]
    struct Scripted;

    impl Dial for Scripted {
        fn connect<'a>(&'a self, to: SocketAddr, _region: &'a str) -> Dialling<'a> {
            Box::pin(async move {
                match to.port() {
                    1 => Err(io::ErrorKind::ConnectionRefused.into()),
                    2 => std::future::pending().await,
                    3 => {
                        tokio::time::sleep(Duration::from_millis(300)).await;
                        Err(io::ErrorKind::ConnectionRefused.into())
                    }
                    _ => {
                        let stream = std::net::TcpStream::connect(to)?;
                        stream.set_nonblocking(true)?;
                        TcpStream::from_std(stream).map(Wire::Tcp)
                    }
                }
            })
        }
    }

    async fn check(ports: &[u16], expected: Option<Result<(), io::ErrorKind>>, millis: u128) {
        check_again(&Memory::default(), ports, expected, millis).await;
    }

    async fn check_again(
        memory: &Memory,
        ports: &[u16],
        expected: Option<Result<(), io::ErrorKind>>,
        millis: u128,
    ) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let real = listener.local_addr().unwrap();
        let address = |port: &u16| if *port == 0 { real } else { SocketAddr::from(([127, 0, 0, 1], *port)) };
        let addresses: Vec<_> = ports.iter().map(address).collect();
        let start = Instant::now();
        let outcome = connect(&Scripted, memory, &addresses, "fra").await;
        let outcome = outcome.map(|outcome| outcome.map(|winner| assert_eq!(winner.address, Some(real))));
        assert_eq!(outcome.map(|outcome| outcome.map_err(|cause| cause.kind())), expected);
        assert_eq!(start.elapsed().as_millis(), millis, "{ports:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_address_starts_when_one_is_refused_or_silent_for_a_while() {
        check(&[0], Some(Ok(())), 0).await;
        check(&[1, 0], Some(Ok(())), 0).await;
        check(&[2, 0], Some(Ok(())), 250).await;
        check(&[2, 2, 0], Some(Ok(())), 500).await;
        check(&[2, 1, 0], Some(Ok(())), 250).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_race_is_lost_when_every_address_has_failed() {
        let refused = io::ErrorKind::ConnectionRefused;
        check(&[], None, 0).await;
        check(&[1], Some(Err(refused)), 0).await;
        check(&[1, 1, 1], Some(Err(refused)), 0).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_is_waited_for_once_and_again_when_it_is_forgotten() {
        let memory = Memory::default();
        check_again(&memory, &[2, 0], Some(Ok(())), 250).await;
        check_again(&memory, &[2, 0], Some(Ok(())), 0).await;
        tokio::time::advance(Duration::from_mins(1)).await;
        check_again(&memory, &[2, 0], Some(Ok(())), 250).await;
        // Where all have failed all are tried, and nothing is worse than at first.
        let refused = io::ErrorKind::ConnectionRefused;
        check_again(&memory, &[2, 1, 0], Some(Ok(())), 0).await;
        check_again(&memory, &[1, 1], Some(Err(refused)), 0).await;
    }

    #[tokio::test(start_paused = true)]
    async fn only_who_was_given_the_time_is_silent() {
        // The third starts when the first refuses, 50 ms after the second.
        let memory = Memory::default();
        check_again(&memory, &[3, 2, 0], Some(Ok(())), 300).await;
        check_again(&memory, &[2, 0], Some(Ok(())), 250).await;
    }

    #[test]
    fn families_take_turns_and_ipv6_is_first() {
        let parse =
            |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        assert_eq!(
            interleave(&parse(&["1.1.1.1:1", "2.2.2.2:1", "3.3.3.3:1", "[::1]:1", "[::2]:1"])),
            parse(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "3.3.3.3:1"])
        );
    }
}

//! The round trip of a connection, as the kernel has measured it.

use crate::io::Wire;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// How lately data must have gone out and been acknowledged: a sweep's second, and one for a sweep that is late.
const LATELY: Duration = Duration::from_secs(2);
/// The smoothed round trip bears the least one out while it lies above it by no more than a quarter, or a millisecond.
const SLACK: u32 = 4;
const LEAST_SLACK: Duration = Duration::from_millis(1);

/// What TCP knows.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// The average that the kernel keeps, of which the newest sample is an eighth.
    smooth: Duration,
    /// The least of the last five minutes (`tcp_min_rtt_wlen`).
    least: Duration,
    /// Since data was sent last, and since something was acknowledged.
    sent: Duration,
    heard: Duration,
}

/// The round trip of the handshake that has made this connection, with the simulated distance where there is one.
pub(crate) fn of_handshake(wire: &Wire) -> Option<Duration> {
    let (seen, added) = look(wire)?;
    (!seen.smooth.is_zero()).then_some(seen.smooth + added)
}

/// The least round trip that a connection has seen, where what it carried of late bears that out.
pub(crate) fn of_late(wire: &Wire) -> Option<Duration> {
    let (seen, added) = look(wire)?;
    Some(seen.borne_out()? + added)
}

/// The least round trip that a connection has seen.
pub(crate) fn least(wire: &Wire) -> Option<Duration> {
    let (seen, added) = look(wire)?;
    Some(seen.least + added)
}

fn look(wire: &Wire) -> Option<(Seen, Duration)> {
    let info = pingora_core::protocols::l4::ext::get_tcp_info(wire.socket().as_raw_fd()).ok()?;
    let micros = |value: u32| Duration::from_micros(u64::from(value));
    let millis = |value: u32| Duration::from_millis(u64::from(value));
    let seen = Seen {
        smooth: micros(info.tcpi_rtt),
        least: micros(info.tcpi_min_rtt),
        sent: millis(info.tcpi_last_data_sent),
        heard: millis(info.tcpi_last_ack_recv),
    };
    let added = match wire {
        Wire::Tcp(_) | Wire::Unix(_) => Duration::ZERO,
        Wire::Far(far) => far.round_trip(),
    };
    Some((seen, added))
}

impl Seen {
    /// The least round trip, unless the path may have become longer since it was seen.
    fn borne_out(self) -> Option<Duration> {
        let limit = self.least + (self.least / SLACK).max(LEAST_SLACK);
        let lately = self.sent <= LATELY && self.heard <= LATELY;
        (lately && !self.least.is_zero() && self.smooth <= limit).then_some(self.least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    const MS: Duration = Duration::from_millis(1);

    fn check(smooth: u32, least: u32, (sent, heard): (u32, u32), expected: Option<u32>) {
        let seen = Seen { smooth: MS * smooth, least: MS * least, sent: MS * sent, heard: MS * heard };
        assert_eq!(seen.borne_out(), expected.map(|millis| MS * millis), "{seen:?}");
    }

    #[test]
    fn the_least_round_trip_counts_while_the_others_are_like_it() {
        check(21, 20, (10, 10), Some(20));
        check(25, 20, (10, 10), Some(20));
        check(26, 20, (10, 10), None);
        check(2, 1, (10, 10), Some(1));
        check(3, 1, (10, 10), None);
        check(20, 0, (10, 10), None);
    }

    #[test]
    fn a_connection_that_has_carried_nothing_of_late_says_nothing() {
        check(20, 20, (2000, 2000), Some(20));
        check(20, 20, (2001, 10), None);
        check(20, 20, (10, 2001), None);
    }

    #[tokio::test]
    async fn the_kernel_is_asked() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut far = listener.accept().await.unwrap().0;
        near.write_all(b"?").await.unwrap();
        far.read_exact(&mut [0]).await.unwrap();
        let (seen, added) = look(&Wire::Tcp(near)).unwrap();
        assert!(seen.least > Duration::ZERO && seen.least <= seen.smooth, "{seen:?}");
        assert_eq!(added, Duration::ZERO);
        let (unix, _other) = tokio::net::UnixStream::pair().unwrap();
        assert!(of_late(&Wire::Unix(unix)).is_none());
    }
}

//! Tracing: which requests leave spans, and where those go.

use super::{Cidr, Endpoint};
use crate::policy::Share;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Where spans are sent, and of which requests.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tracing {
    /// The collector.
    pub endpoint: Endpoint,
    /// The path that takes traces.
    pub path: Box<str>,
    /// Of traces that begin here.
    pub sample: Share,
    /// The peers whose word on whether a trace is sampled counts.
    pub trusted: Box<[Cidr]>,
    /// What the service is called.
    pub service: Box<str>,
    /// A file of header fields for the collector, such as its credentials.
    pub headers_file: Option<PathBuf>,
    /// A PEM file of the authorities that sign the collector; `None` is the machine's own.
    pub ca: Option<PathBuf>,
    /// How long the collector may take to answer.
    pub timeout: Duration,
    /// Requests whose spans wait at most.
    pub queue: usize,
}

impl Tracing {
    /// Whether what `peer` says counts.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.holds(peer))
    }

    /// Whether a trace that begins here is sampled, by the part of its id that chance has made: the same for
    /// everybody who judges by the id and the same share.
    #[must_use]
    pub fn samples(&self, chance: u64) -> bool {
        // A share of the whole is everything, the greatest number included.
        self.sample.points() >= 10_000 || chance < self.sample.of(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn tracing(points: u16) -> Tracing {
        Tracing {
            endpoint: Endpoint { tls: false, host: "127.0.0.1".into(), port: 4318 },
            path: "/v1/traces".into(),
            sample: Share::from_points(points),
            trusted: Box::new([Cidr { address: IpAddr::from([10, 0, 0, 0]), prefix: 8 }]),
            service: "nearside".into(),
            headers_file: None,
            ca: None,
            timeout: Duration::from_secs(10),
            queue: 1,
        }
    }

    #[test]
    fn as_many_are_sampled_as_the_share_says() {
        for (points, expected) in [(0, 0), (100, 1000), (5000, 50_000), (10_000, 100_000)] {
            let (tracing, mut random) = (tracing(points), Random::new(7));
            let count = (0..100_000).filter(|_| tracing.samples(random.draw())).count();
            assert!(count.abs_diff(expected) < 400, "{points}: {count}");
        }
        assert!(tracing(10_000).samples(u64::MAX) && !tracing(0).samples(0));
    }

    #[test]
    fn the_word_of_listed_peers_counts() {
        let trusts = |peer: [u8; 4]| tracing(0).trusts(IpAddr::from(peer));
        assert!(trusts([10, 1, 2, 3]) && !trusts([11, 1, 2, 3]));
    }
}

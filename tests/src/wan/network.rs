//! The network: where a packet goes, and when it arrives there. Of devices and clocks it knows nothing.

use super::host;
use nearside_core::random::Random;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// Where the destination stands in an IPv4 header.
const DESTINATION: std::ops::Range<usize> = 16..20;
const MILLION: u64 = 1_000_000;

/// One direction between two hosts: a queue before a bottleneck, then loss, then delay.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Link {
    /// How long a packet travels.
    pub delay: Duration,
    /// How far that varies, either way and evenly. No packet overtakes another.
    pub jitter: Duration,
    /// How many of a million packets are lost.
    pub lost: u64,
    /// Bits a second through the bottleneck; without one there is none.
    pub rate: Option<u64>,
    /// Bytes that may wait before the bottleneck; a packet that finds no room is lost.
    pub queue: u64,
}

impl Link {
    /// Half of a round trip, without loss or limit.
    #[must_use]
    pub fn of_round_trip(round_trip: Duration) -> Self {
        Self { delay: round_trip / 2, ..Self::default() }
    }
}

/// All links, by the hosts that they lead from and to.
pub(super) struct Network {
    lines: Vec<Vec<Line>>,
    random: Random,
}

/// A link in use.
#[derive(Clone, Default)]
struct Line {
    link: Link,
    /// When the last packet so far has left the bottleneck.
    free_at: Option<Instant>,
    /// When the last packet so far arrives.
    last_due: Option<Instant>,
}

impl Network {
    pub(super) fn new(hosts: usize) -> Self {
        Self { lines: vec![vec![Line::default(); hosts]; hosts], random: Random::new(1) }
    }

    pub(super) fn set(&mut self, from: usize, to: usize, link: Link) {
        self.lines[from][to] = Line { link, ..Line::default() };
    }

    /// Takes a packet that `from` has sent: to whom it goes and when it arrives, or nothing when it is lost.
    pub(super) fn forward(&mut self, from: usize, packet: &[u8], now: Instant) -> Option<(usize, Instant)> {
        let destination: [u8; 4] = packet.get(DESTINATION)?.try_into().ok()?;
        if packet.first()? >> 4 != 4 {
            return None;
        }
        let to = host::of_address(Ipv4Addr::from(destination))?;
        let line = self.lines.get_mut(from)?.get_mut(to)?;
        Some((to, line.send(packet.len(), now, &mut self.random)?))
    }
}

impl Line {
    fn send(&mut self, bytes: usize, now: Instant, random: &mut Random) -> Option<Instant> {
        let Link { delay, jitter, lost, rate, queue } = self.link;
        let leaves = match rate {
            None => now,
            Some(rate) => {
                let begins = self.free_at.map_or(now, |free_at| free_at.max(now));
                let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
                if bytes_in(begins - now, rate) + bytes > queue {
                    return None;
                }
                *self.free_at.insert(begins + Duration::from_nanos(bytes * 8 * 1_000_000_000 / rate.max(1)))
            }
        };
        if random.below(MILLION) < lost {
            return None;
        }
        let swing = u64::try_from(jitter.as_nanos() * 2).unwrap_or(u64::MAX);
        let travels =
            (delay + Duration::from_nanos(random.below(swing.saturating_add(1)))).saturating_sub(jitter);
        let due = leaves + travels;
        let due = self.last_due.map_or(due, |last| last.max(due));
        self.last_due = Some(due);
        Some(due)
    }
}

/// How many bytes pass at `rate` bits a second in `time`.
fn bytes_in(time: Duration, rate: u64) -> u64 {
    u64::try_from(time.as_nanos() * u128::from(rate) / 8_000_000_000).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn packet(to: usize, bytes: usize) -> Vec<u8> {
        let mut packet = vec![0; bytes];
        packet[0] = 0x45;
        packet[DESTINATION].copy_from_slice(&host::address(to).octets());
        packet
    }

    /// Two hosts, 5 ms from each other.
    fn network(change: impl FnOnce(&mut Link)) -> Network {
        let mut network = Network::new(2);
        let mut link = Link::of_round_trip(MS * 10);
        change(&mut link);
        network.set(0, 1, link);
        network
    }

    #[test]
    fn a_packet_arrives_after_the_delay_and_one_to_nobody_goes_nowhere() {
        let (mut network, now) = (network(|_| {}), Instant::now());
        assert_eq!(network.forward(0, &packet(1, 100), now), Some((1, now + MS * 5)));
        assert_eq!(network.forward(0, &packet(2, 100), now), None);
        assert_eq!(network.forward(0, &packet(1, 100)[..19], now), None);
        let mut of_version_6 = packet(1, 100);
        of_version_6[0] = 0x60;
        assert_eq!(network.forward(0, &of_version_6, now), None);
    }

    #[test]
    fn the_rate_spaces_packets_and_a_full_queue_loses_them() {
        // 1,500 bytes take a millisecond.
        let limit = |link: &mut Link| (link.rate, link.queue) = (Some(12_000_000), 3000);
        let (mut network, now, packet) = (network(limit), Instant::now(), packet(1, 1500));
        assert_eq!(network.forward(0, &packet, now), Some((1, now + MS * 6)));
        assert_eq!(network.forward(0, &packet, now), Some((1, now + MS * 7)));
        assert_eq!(network.forward(0, &packet, now), None);
        assert_eq!(network.forward(0, &packet, now + MS * 2), Some((1, now + MS * 8)));
    }

    #[test]
    fn jitter_stays_in_its_range_and_in_order() {
        let (mut network, start) = (network(|link| link.jitter = MS * 2), Instant::now());
        let (mut last, mut waits) = (start, Vec::new());
        for number in 0..1000 {
            let now = start + MS * number / 10;
            let (_, due) = network.forward(0, &packet(1, 100), now).unwrap();
            assert!(due >= last && due >= now + MS * 3 && due <= now + MS * 7);
            waits.push(due - now);
            last = due;
        }
        assert!(waits.iter().any(|wait| *wait > MS * 6), "it does vary");
    }

    #[test]
    fn as_many_are_lost_as_the_link_says() {
        let (mut network, now) = (network(|link| link.lost = 100_000), Instant::now());
        let arrived = (0..10_000).filter(|_| network.forward(0, &packet(1, 100), now).is_some()).count();
        assert!((8_800..9_200).contains(&arrived), "{arrived}");
        network.set(0, 1, Link { lost: MILLION, ..Link::default() });
        assert_eq!(network.forward(0, &packet(1, 100), now), None);
    }
}

//! How much is sent for one figure: the more a meter swings, the more; the slower the machine under it, the less.

use super::Arguments;
use super::scenario::{Load, Scenario};

/// Requests by which each of many hosts has been asked for: the first ones for a host make copies of a worker's memory, which costs
/// nginx a quarter more.
const KNOWN: usize = 10_000;

/// The rounds of a scenario, and the loads of a round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Extent {
    /// The figure shown is the least of them.
    pub(super) rounds: usize,
    /// Requests of the cheapest scenario's load.
    all: usize,
    /// Which part of a load goes ahead of it, unmeasured.
    ahead: usize,
    /// How many times as long a second load is; with 1 there is none. What it costs more is the figure, so that what
    /// connections cost goes out by subtraction: of few requests it would be the most.
    pub(super) times: usize,
}

impl Extent {
    /// A count needs no second round, and no more requests than it takes to level out what is rare. The kernel's part is the same
    /// only once every buffer has been in use, so a whole load goes ahead where it is counted.
    pub(super) fn of(arguments: &Arguments) -> Self {
        let Arguments { rounds, requests, .. } = *arguments;
        match *arguments {
            Arguments { count: true, .. } => Self { rounds: 1, all: requests / 20, ahead: 10, times: 2 },
            Arguments { emulate: true, .. } => Self { rounds: 1, all: requests / 20, ahead: 1, times: 3 },
            Arguments { .. } => Self { rounds, all: requests, ahead: 10, times: 1 },
        }
    }

    /// Requests that go ahead, and those of the load: at least one on each connection.
    pub(super) fn requests(&self, scenario: &Scenario) -> (usize, usize) {
        let load = (self.all / scenario.part).max(scenario.connections());
        let least = if matches!(scenario.load, Load::Hosts(_)) { KNOWN } else { scenario.connections() };
        ((load / self.ahead).max(least), load)
    }
}

#[cfg(test)]
mod tests {
    use super::super::scenario::{ROUTING, USUAL};
    use super::*;

    fn requests(extent: Extent, name: &str) -> (usize, usize) {
        extent.requests(USUAL.iter().chain(ROUTING).find(|scenario| scenario.name == name).unwrap())
    }

    #[test]
    fn a_short_round_has_a_request_for_every_connection() {
        let long = Extent { rounds: 3, all: 40_000, ahead: 10, times: 1 };
        assert_eq!([requests(long, "A"), requests(long, "E")], [(4_000, 40_000), (10, 100)]);
        let short = Extent { rounds: 1, all: 10, ahead: 1, times: 3 };
        assert_eq!([requests(short, "A"), requests(short, "E")], [(64, 64), (8, 8)]);
    }

    #[test]
    fn every_one_of_many_hosts_is_known_before() {
        assert_eq!(requests(Extent { rounds: 1, all: 1_000, ahead: 1, times: 3 }, "I"), (10_000, 1_000));
    }
}

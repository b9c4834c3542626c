//! What one decision has seen of the backends that law leaves: each is asked once, so that it sees one state.

use crate::candidates::{MAX_BACKENDS, Set};
use crate::decide::Input;
use crate::evidence::{Evidence, State, Verdict};
use crate::generation::{Pool, Roster};
use arrayvec::ArrayVec;

/// The backends of one pool by their states, by their places in it.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    roster: &'a Roster,
    /// Probes fail.
    pub(crate) unhealthy: Set,
    /// Removed on live evidence.
    pub(crate) ejected: Set,
    /// Recovered, and held back.
    pub(crate) held: Set,
    /// Requests hang on them.
    pub(crate) suspected: Set,
    /// Without a verdict.
    pub(crate) unknown: Set,
    /// So newly marked that grace runs.
    pub(crate) in_grace: Set,
    /// At their `max_in_flight`.
    pub(crate) full: Set,
    /// With a round trip that is known.
    pub(crate) timed: Set,
    /// Taking a part of their weight only.
    ramped: Set,
    /// By place; no more than the pool has backends.
    figures: ArrayVec<Figures, MAX_BACKENDS>,
}

/// What of a backend's state is a number.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    rtt_micros: u32,
    in_flight: u32,
    ramp: u16,
}

impl<'a> Seen<'a> {
    /// Nothing seen yet of a pool. To be filled where it stands: moving it would cost more than the rest of a small
    /// decision.
    pub(crate) fn nothing(roster: &'a Roster) -> Self {
        let none = Set::default();
        Self {
            roster,
            unhealthy: none,
            ejected: none,
            held: none,
            suspected: none,
            unknown: none,
            in_grace: none,
            full: none,
            timed: none,
            ramped: none,
            figures: ArrayVec::new(),
        }
    }

    /// Asks for the states of `asked`.
    pub(crate) fn read<E: Evidence>(&mut self, input: &Input<'_, E>, asked: Set) {
        // Only so many as there are: to clear room for all that could be would cost as much as a small decision.
        for _ in self.figures.len()..self.roster.weights.len().min(MAX_BACKENDS) {
            self.figures.push(Figures::default());
        }
        asked.iter().for_each(|index| {
            self.note(index, &input.evidence.state(self.roster.id(index), input.now));
        });
        for (index, limit) in self.roster.limits.iter().filter(|(index, _)| asked.holds(*index)) {
            self.full.put(*index, self.in_flight(*index) >= *limit);
        }
    }

    /// The round trip to the backend at `index` in microseconds, where it is [`timed`](Self::timed).
    pub(crate) fn rtt_micros(&self, index: usize) -> u32 {
        at(&self.figures, index).rtt_micros
    }

    /// The requests that the backend at `index` answers now.
    pub(crate) fn in_flight(&self, index: usize) -> u32 {
        at(&self.figures, index).in_flight
    }

    /// What the backend at `index` weighs now, at least 1.
    pub(crate) fn weight(&self, index: usize) -> u64 {
        let ramp = self.ramped.holds(index).then(|| at(&self.figures, index).ramp);
        Pool::ramped(at(&self.roster.weights, index), ramp).max(1)
    }

    fn note(&mut self, index: usize, state: &State) {
        self.unhealthy.put(index, state.verdict == Verdict::Unhealthy);
        self.unknown.put(index, state.verdict == Verdict::Unknown);
        self.ejected.put(index, state.ejected);
        self.held.put(index, state.held);
        self.suspected.put(index, state.suspected);
        self.in_grace.put(index, state.in_grace);
        self.timed.put(index, state.rtt_micros.is_some());
        self.ramped.put(index, state.ramp.is_some());
        if let Some(figures) = self.figures.get_mut(index) {
            *figures = Figures {
                rtt_micros: state.rtt_micros.unwrap_or(0),
                in_flight: state.in_flight,
                ramp: state.ramp.unwrap_or(0),
            };
        }
    }
}

fn at<T: Copy + Default>(list: &[T], index: usize) -> T {
    list.get(index).copied().unwrap_or_default()
}

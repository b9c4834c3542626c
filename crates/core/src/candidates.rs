//! The backends that may still serve a request: a set that only shrinks.

use crate::generation::Roster;
use crate::id::RegionId;
use crate::reason::Reason;
use crate::trace::Trace;

/// The most backends one pool may hold: what is known of them stands on the stack while a request is decided.
pub const MAX_BACKENDS: usize = 256;

/// A set of small numbers, without allocation.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Set([u64; MAX_BACKENDS / 64]);

impl Set {
    /// Nothing but `index`.
    #[must_use]
    pub fn of(index: usize) -> Self {
        let mut set = Self::default();
        set.insert(index);
        set
    }

    /// Adds `index`; numbers from [`MAX_BACKENDS`] on are ignored.
    pub fn insert(&mut self, index: usize) {
        if let Some(word) = self.0.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }

    /// Adds `index`, if it `is_in`. Without a branch, since nobody can foresee it.
    pub(crate) fn put(&mut self, index: usize, is_in: bool) {
        if let Some(word) = self.0.get_mut(index / 64) {
            *word |= u64::from(is_in) << (index % 64);
        }
    }

    /// Takes out whatever `keep` does not want.
    pub fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        self.iter().for_each(|index| {
            if let Some(word) = self.0.get_mut(index / 64).filter(|_| !keep(index)) {
                *word &= !(1 << (index % 64));
            }
        });
    }

    /// Whether the set holds `index`.
    #[must_use]
    pub fn holds(&self, index: usize) -> bool {
        self.0.get(index / 64).is_some_and(|word| word & (1 << (index % 64)) != 0)
    }

    /// What both sets hold.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        self.with(other, |one, two| one & two)
    }

    /// What either set holds.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        self.with(other, |one, two| one | two)
    }

    /// What this set holds and `other` does not.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        self.with(other, |one, two| one & !two)
    }

    /// Whether the sets have something in common.
    #[must_use]
    pub fn meets(self, other: Self) -> bool {
        !self.intersection(other).is_empty()
    }

    /// Whether the set holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// The smallest number that the set holds.
    #[must_use]
    pub fn first(&self) -> Option<usize> {
        self.iter().next()
    }

    /// What the set holds, in ascending order.
    pub fn iter(&self) -> Members {
        Members { words: self.0, at: 0 }
    }

    fn with(mut self, other: Self, join: impl Fn(u64, u64) -> u64) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word = join(*word, other));
        self
    }
}

/// What a set holds, in ascending order.
#[derive(Clone, Debug)]
pub struct Members {
    /// What is to come.
    words: [u64; MAX_BACKENDS / 64],
    at: usize,
}

impl Iterator for Members {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        loop {
            let word = self.words.get_mut(self.at)?;
            if *word != 0 {
                return Some(self.at * 64 + take_lowest(word));
            }
            self.at += 1;
        }
    }

    /// Word by word: `next` has to find its word again for each number.
    fn fold<B, F: FnMut(B, usize) -> B>(self, init: B, mut add: F) -> B {
        let mut sum = init;
        for (at, mut word) in self.words.into_iter().enumerate() {
            while word != 0 {
                sum = add(sum, at * 64 + take_lowest(&mut word));
            }
        }
        sum
    }
}

/// Takes the lowest bit out of `word`, which has one; its place.
fn take_lowest(word: &mut u64) -> usize {
    let bit = word.trailing_zeros() as usize;
    *word &= *word - 1;
    bit
}

/// What is left of a pool's backends, by their places in it. Nothing can be added to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidates<'a> {
    roster: &'a Roster,
    left: Set,
}

impl<'a> Candidates<'a> {
    /// All backends of a pool.
    pub(crate) fn all(roster: &'a Roster) -> Self {
        Self { roster, left: roster.all }
    }

    /// The pool that they are of.
    pub(crate) fn roster(&self) -> &'a Roster {
        self.roster
    }

    /// Those that are left.
    pub(crate) fn left(&self) -> Set {
        self.left
    }

    /// Whether one is left of a pool that has no other.
    pub(crate) fn is_lone(&self) -> bool {
        self.roster.weights.len() == 1 && !self.is_empty()
    }

    /// Whether none is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Whether one of `set` is left.
    pub(crate) fn meets(&self, set: Set) -> bool {
        self.left.meets(set)
    }

    /// The lowest tier of which one is left.
    pub(crate) fn tier(&self) -> Option<u8> {
        self.roster.tiers.iter().find(|(_, tier)| self.meets(*tier)).map(|(tier, _)| *tier)
    }

    /// The region of the first that is left, and all backends there.
    pub(crate) fn region(&self) -> Option<(RegionId, Set)> {
        let first = self.left.first()?;
        self.roster.regions.iter().find(|(_, here)| here.holds(first)).copied()
    }

    /// Drops those of `out`, and tells the trace.
    #[must_use]
    pub(crate) fn without<T: Trace>(self, trace: &mut T, out: Set, reason: Reason) -> Self {
        let out = self.left.intersection(out);
        trace.all_dropped(out.iter().map(|index| self.roster.id(index)), reason);
        Self { left: self.left.minus(out), ..self }
    }

    /// Keeps those of `wanted`, and tells the trace.
    #[must_use]
    pub(crate) fn only<T: Trace>(self, trace: &mut T, wanted: Set, reason: Reason) -> Self {
        self.without(trace, self.left.minus(wanted), reason)
    }

    /// Keeps those of `wanted`, unless none of them is left: a preference never empties the set.
    #[must_use]
    pub(crate) fn preferring<T: Trace>(self, trace: &mut T, wanted: Set, reason: Reason) -> Self {
        if self.meets(wanted) { self.only(trace, wanted, reason) } else { self }
    }
}

//! The backends that may still serve a request: a set that only shrinks.

use crate::evidence::State;
use crate::generation::{Backend, Generation, Pool};
use crate::id::BackendId;
use crate::reason::Reason;
use crate::trace::Trace;
use arrayvec::ArrayVec;

/// The most backends one pool may hold: their states stand on the stack while a request is decided.
pub const MAX_BACKENDS: usize = 256;

/// A set of small numbers, without allocation.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Set([u64; MAX_BACKENDS / 64]);

impl Set {
    /// Adds `index`; numbers from [`MAX_BACKENDS`] on are ignored.
    pub fn insert(&mut self, index: usize) {
        if let Some(word) = self.0.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }

    /// Whether the set holds `index`.
    #[must_use]
    pub fn holds(&self, index: usize) -> bool {
        self.0.get(index / 64).is_some_and(|word| word & (1 << (index % 64)) != 0)
    }

    /// What both sets hold.
    #[must_use]
    pub fn intersection(mut self, other: Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= other);
        self
    }

    /// Whether the set holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// What the set holds, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + use<> {
        let Self(mut words) = *self;
        let mut at = 0;
        std::iter::from_fn(move || {
            loop {
                let word = words.get_mut(at)?;
                if *word != 0 {
                    let bit = word.trailing_zeros() as usize;
                    *word &= *word - 1;
                    return Some(at * 64 + bit);
                }
                at += 1;
            }
        })
    }

    fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }
}

/// One backend that may still serve the request, with its state.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its id.
    pub id: BackendId,
    /// What the generation says of it.
    pub backend: &'a Backend,
    /// What the evidence says of it.
    pub state: &'a State,
    index: usize,
}

/// The states of a pool's backends, in the pool's order.
pub type States = ArrayVec<State, MAX_BACKENDS>;

/// What is left of a pool's backends. Nothing can be added to it.
#[derive(Clone, Copy, Debug)]
pub struct Candidates<'a> {
    pool: &'a Pool,
    backends: &'a [Backend],
    states: &'a [State],
    left: Set,
}

impl<'a> Candidates<'a> {
    /// All backends of `pool`.
    #[must_use]
    pub fn all(generation: &'a Generation, pool: &'a Pool, states: &'a States) -> Self {
        let backends = generation.backends_of(pool);
        let mut left = Set::default();
        for index in 0..backends.len().min(states.len()) {
            left.insert(index);
        }
        Self { pool, backends, states, left }
    }

    /// What is left, in declared order.
    pub fn iter(&self) -> impl Iterator<Item = Candidate<'a>> + use<'a> {
        let Self { pool, backends, states, left } = *self;
        left.iter().filter_map(move |index| {
            let (backend, state) = (backends.get(index)?, states.get(index)?);
            Some(Candidate { id: BackendId::new(pool.first.index() + index), backend, state, index })
        })
    }

    /// How many are left.
    #[must_use]
    pub fn len(&self) -> usize {
        self.left.len()
    }

    /// Whether none is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Whether `candidate`, of the same pool, is left.
    #[must_use]
    pub fn holds(&self, candidate: &Candidate<'_>) -> bool {
        self.left.holds(candidate.index)
    }

    /// The first that is left.
    #[must_use]
    pub fn first(&self) -> Option<Candidate<'a>> {
        self.iter().next()
    }

    /// Drops every candidate for which `verdict` gives a reason, and tells the trace.
    #[must_use]
    pub fn without<T: Trace>(
        self,
        trace: &mut T,
        verdict: impl Fn(&Candidate<'a>) -> Option<Reason>,
    ) -> Self {
        let mut left = Set::default();
        for candidate in self.iter() {
            match verdict(&candidate) {
                Some(reason) => trace.dropped(candidate.id, reason),
                None => left.insert(candidate.index),
            }
        }
        Self { left, ..self }
    }

    /// Keeps those that `keep` wants, unless that is none of them: a preference never empties the set.
    #[must_use]
    pub fn preferring<T: Trace>(
        self,
        trace: &mut T,
        reason: Reason,
        keep: impl Fn(&Candidate<'a>) -> bool,
    ) -> Self {
        if !self.iter().any(|candidate| keep(&candidate)) {
            return self;
        }
        self.without(trace, |candidate| (!keep(candidate)).then_some(reason))
    }
}

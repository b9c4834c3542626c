//! The scheduler: owns the tasks that probe backends and resolve names.

use crate::cell::Counted;
use crate::check::{Check, Subject};
use crate::name::{Lookup, Name, Resolver};
use crate::probe::Prober;
use crate::view::View;
use nearside_core::policy::{Probe, Share};
use nearside_core::random::Random;
use nearside_core::{BackendId, BackendKey};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout_at};

/// The most probes under way at one time, so that a pool gone silent does not use up the descriptors that requests
/// need. A backend has one at a time, so up to this many backends none waits for another.
const AT_ONCE: usize = 1024;

/// Probes the backends and resolves the names of the view that it follows. Dropping it ends its tasks.
pub struct Scheduler {
    prober: Arc<dyn Prober>,
    resolver: Arc<dyn Resolver>,
    random: Random,
    tasks: JoinSet<()>,
    under_way: Arc<Semaphore>,
    probes: HashMap<BackendKey, (Arc<Check>, AbortHandle)>,
    names: Vec<(Arc<Name>, AbortHandle)>,
}

impl Scheduler {
    /// A scheduler that follows nothing yet. `seed` varies its intervals.
    #[must_use]
    pub fn new(prober: Arc<dyn Prober>, resolver: Arc<dyn Resolver>, seed: u64) -> Self {
        let (random, tasks) = (Random::new(seed), JoinSet::new());
        let under_way = Arc::new(Semaphore::new(AT_ONCE));
        Self { prober, resolver, random, tasks, under_way, probes: HashMap::new(), names: Vec::new() }
    }

    /// Follows `view` from now on; to be called in a tokio runtime, after the swap that makes it live.
    ///
    /// Backends whose probe stays as it is are not disturbed; others are probed soon. Evidence is never lost.
    pub fn follow(&mut self, view: &Arc<View>) {
        while self.tasks.try_join_next().is_some() {}
        view.relieve_all();
        self.follow_names(view);
        let mut old = std::mem::take(&mut self.probes);
        let mut fresh = Vec::new();
        for (index, entry) in view.entries.iter().enumerate() {
            let subject = Subject { view: Arc::clone(view), id: BackendId::new(index) };
            let key = entry.cell.key();
            match old.remove(key).filter(|(check, task)| keeps(check, task, &subject)) {
                Some((check, task)) => {
                    check.follow(subject);
                    self.probes.insert(key.clone(), (check, task));
                }
                None => fresh.push((key.clone(), subject)),
            }
        }
        for (_, task) in old.values() {
            task.abort();
        }
        let count = u32::try_from(fresh.len()).unwrap_or(u32::MAX);
        for (place, (key, subject)) in (0..).zip(fresh) {
            // The first verdicts come within the fast interval, and no two probes leave at once.
            let within = subject.probe().map_or(Duration::ZERO, |probe| probe.fast_interval);
            self.watch(key, subject, within * place / count.max(1));
        }
    }

    /// Ends all tasks and waits for them.
    pub async fn shutdown(mut self) {
        self.tasks.shutdown().await;
    }

    fn watch(&mut self, key: BackendKey, subject: Subject, first: Duration) {
        let check = Arc::new(Check::new(subject, Arc::clone(&self.prober)));
        let random = Random::new(self.random.draw());
        let task = self.tasks.spawn(watch(Arc::clone(&check), first, random, Arc::clone(&self.under_way)));
        if let Some((_, before)) = self.probes.insert(key, (check, task)) {
            before.abort();
        }
    }

    fn follow_names(&mut self, view: &View) {
        let names = view.entries.iter().map(|entry| &entry.name).filter(|name| !name.is_literal());
        let mut kept: Vec<(Arc<Name>, AbortHandle)> = Vec::new();
        for name in names {
            let is_it = |(known, _): &(Arc<Name>, AbortHandle)| Arc::ptr_eq(known, name);
            if kept.iter().any(is_it) {
                continue;
            }
            match self.names.iter().position(|known| is_it(known) && !known.1.is_finished()) {
                Some(index) => kept.push(self.names.swap_remove(index)),
                None => {
                    let lookup = Lookup { name: Arc::clone(name), resolver: Arc::clone(&self.resolver) };
                    kept.push((Arc::clone(name), self.tasks.spawn(resolve(lookup))));
                }
            }
        }
        for (_, task) in std::mem::replace(&mut self.names, kept) {
            task.abort();
        }
    }
}

/// Whether the task of `check` can go on with `subject`; if not, it is ended.
fn keeps(check: &Check, task: &AbortHandle, subject: &Subject) -> bool {
    let keeps = !task.is_finished() && check.subject().same_probe(subject);
    if !keeps {
        task.abort();
    }
    keeps
}

async fn resolve(lookup: Lookup) {
    loop {
        let pause = lookup.name.refresh(&lookup).await;
        sleep(pause).await;
    }
}

async fn watch(check: Arc<Check>, first: Duration, mut random: Random, probes: Arc<Semaphore>) {
    let subject = check.subject();
    let Some((cell, name)) = subject.entry().map(|entry| (Arc::clone(&entry.cell), Arc::clone(&entry.name)))
    else {
        return;
    };
    drop(subject);
    name.asked().await;
    let mut due = Instant::now() + first;
    let mut begins = true;
    loop {
        let asked_for = timeout_at(due, cell.asked_for.notified()).await.is_ok();
        // One that was under way when it was asked for has answered the question.
        if asked_for && cell.is_trusted(check.subject().view.now()) {
            continue;
        }
        // The semaphore lives as long as this task and is never closed.
        let Ok(permit) = probes.acquire().await else { return };
        let sent = Instant::now();
        let counted = check.round(asked_for).await;
        drop(permit);
        let subject = check.subject();
        let Some(probe) = subject.probe() else { return };
        // From one probe's begin to the next one's, so that a slow answer does not stretch the interval.
        due = (sent + pause(probe, counted, begins, &mut random)).max(Instant::now());
        begins &= counted == Counted::Surprises;
    }
}

/// The time from a probe to the next.
fn pause(probe: &Probe, counted: Counted, begins: bool, random: &mut Random) -> Duration {
    if counted == Counted::Surprises {
        return jittered(probe.fast_interval, probe.jitter, random);
    }
    if begins {
        // The first probes stand close together; from here on they are spread over the interval.
        let room = probe.interval.saturating_sub(probe.fast_interval);
        return probe.fast_interval.min(probe.interval) + part(room, random);
    }
    jittered(probe.interval, probe.jitter, random)
}

/// `interval`, varied by `jitter` either way.
fn jittered(interval: Duration, jitter: Share, random: &mut Random) -> Duration {
    let micros = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
    let swing = Duration::from_micros(jitter.of(micros));
    (interval + part(swing * 2, random)).saturating_sub(swing)
}

/// Some part of `whole`.
fn part(whole: Duration, random: &mut Random) -> Duration {
    Duration::from_micros(
        random.below(u64::try_from(whole.as_micros()).unwrap_or(u64::MAX).saturating_add(1)),
    )
}

#[cfg(test)]
mod tests;

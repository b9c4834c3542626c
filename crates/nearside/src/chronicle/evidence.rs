//! The evidence, written down from time to time: whenever a backend stands otherwise, and every ten seconds what has
//! passed and what has drifted.

use super::wall;
use crate::past::{History, Line, STRETCH, Sample, Seen};
use crate::status::Desk;
use nearside_core::{BackendId, Evidence as _, Now, RegionId, State, Verdict};
use nearside_health::{BackendStatus, By};
use nearside_proxy::live::Live;
use nearside_telemetry::Ended;
use nearside_telemetry::journal::{Journal, stamp};
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// How often all is written, and how often something at least, so that one can tell silence from absence.
const WHOLE: Duration = Duration::from_hours(1);
const ALIVE: Duration = Duration::from_secs(60);

/// What was written last.
#[derive(Default)]
pub(super) struct Evidence {
    states: Vec<Short>,
    written: BTreeMap<String, Seen>,
    generation: u64,
    day: u64,
    whole: Option<Instant>,
    last: Option<Instant>,
    stretch: Option<(Instant, HashMap<Ended, u64>)>,
}

/// What of a state is news at once.
type Short = (Verdict, [bool; 4]);

impl Evidence {
    /// Writes down what is new.
    pub(super) fn look(&mut self, desk: &Desk, live: &Live, journal: &Journal) {
        let (now, time) = (live.evidence.now(), SystemTime::now());
        let states: Vec<State> = (0..live.generation.backends.len())
            .map(|index| live.evidence.state(BackendId::new(index), now))
            .collect();
        let shorts: Vec<Short> = states.iter().map(short).collect();
        let day = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs() / 86_400;
        let is_new = self.generation != live.generation.stamp.number;
        let is_whole = is_new || self.day != day || self.whole.is_none_or(|whole| whole.elapsed() >= WHOLE);
        let is_due = self.stretch.as_ref().is_none_or(|(begun, _)| begun.elapsed() >= STRETCH);
        if !is_whole && !is_due && self.states == shorts {
            return;
        }
        self.states = shorts;
        let told = desk.backends(live);
        let sample = is_due.then(|| self.sample(desk, live, &told, &desk.history)).flatten();
        let mut backends: BTreeMap<String, Seen> = told
            .iter()
            .zip(&states)
            .map(|(backend, state)| (backend.key.clone(), Seen::of(state, why(backend, now))))
            .collect();
        if !is_whole {
            backends.retain(|key, seen| self.written.get(key).is_none_or(|before| before.differs(seen)));
        }
        let is_idle = backends.is_empty() && sample.as_ref().is_none_or(Sample::is_idle);
        if is_idle && !is_whole && self.last.is_some_and(|last| last.elapsed() < ALIVE) {
            return;
        }
        let Some(names) = desk.story.kept(live.generation.stamp.number) else { return };
        if is_whole {
            // What serves is in use, however long ago it was written.
            names.iter().for_each(|name| journal.touch(name));
            self.written.clear();
            (self.whole, self.generation, self.day) =
                (Some(Instant::now()), live.generation.stamp.number, day);
        }
        self.last = Some(Instant::now());
        self.written.extend(backends.clone());
        let [text, _] = names;
        let line = Line {
            time: stamp(time),
            pop: desk.edge.pop.name.to_string(),
            pid: std::process::id(),
            generation: live.prepared.stamp.to_string(),
            text,
            whole: is_whole,
            backends,
            offered: offered(live),
            sample,
        };
        if let Ok(mut line) = serde_json::to_vec(&line) {
            line.push(b'\n');
            journal.evidence(time, line);
        }
    }

    /// What has passed since the stretch before, which is remembered; nothing at the first.
    fn sample(
        &mut self,
        desk: &Desk,
        live: &Live,
        told: &[BackendStatus],
        history: &History,
    ) -> Option<Sample> {
        let counts = desk.edge.metrics.traffic();
        let before = self.stretch.replace((Instant::now(), counts));
        let (_, counts) = self.stretch.as_ref()?;
        let (begun, before) = before?;
        let sample = Sample::between(&before, counts, begun.elapsed()).with(live, told);
        history.push(Sample { time: stamp(SystemTime::now()), ..sample.clone() });
        Some(sample)
    }
}

fn short(state: &State) -> Short {
    (state.verdict, [state.ejected, state.suspected, state.held, state.in_grace])
}

fn offered(live: &Live) -> BTreeMap<String, u64> {
    let each = live.generation.regions.iter().enumerate();
    let counted = each.filter_map(|(index, region)| {
        Some((region.name.to_string(), live.evidence.rate(RegionId::new(index)).filter(|rate| *rate > 0)?))
    });
    counted.collect()
}

/// Who says what of a backend that is not simply well.
fn why(backend: &BackendStatus, now: Now) -> Option<String> {
    let is_well = backend.standing == "healthy" && backend.held_until.is_none() && backend.drain.is_none();
    if is_well || backend.by == By::Initial {
        return None;
    }
    let since = stamp(wall(Now::from_millis(backend.since), now));
    Some(format!("{} says so since {since}: {}", backend.by.name(), backend.evidence))
}

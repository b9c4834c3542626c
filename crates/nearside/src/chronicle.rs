//! The chronicle: what changes at this PoP is followed, and written into the journal.

mod certificates;
mod evidence;
mod generations;
mod marks;
mod processes;
mod serving;

pub(crate) use generations::{Changes, refused, swapped};
pub(crate) use processes::Process;

use crate::status::Desk;
use certificates::Certificates;
use evidence::Evidence;
use marks::Marks;
use nearside_core::{Generation, Now};
use nearside_health::{Change, Standing};
use nearside_proxy::live::Live;
use nearside_proxy::service::Phase;
use nearside_telemetry::journal::{Entry, Journal, Kind, stamp};
use serving::Serving;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::{Instant, sleep_until};

/// How often what nobody tells of is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Follows what changes, for as long as the process lives.
pub(crate) async fn follow(desk: &Desk, journal: &Journal) {
    let live = desk.edge.live.load_full();
    let mut changes = live.evidence.changes();
    let mut chronicle = Chronicle::new(desk, journal, &live);
    let mut ends = false;
    chronicle.look();
    loop {
        let next = chronicle.next_look();
        tokio::select! {
            told = told(&mut changes) => chronicle.changed(&told),
            () = sleep_until(next) => chronicle.look(),
            () = desk.story.changed() => chronicle.look(),
            () = desk.shutdown.reached(Phase::Draining), if !ends => {
                ends = true;
                journal.write(&chronicle.stopping());
            }
        }
    }
}

/// A change, or how many were too many to be told.
enum Told {
    Change(Box<Change>),
    Missed(u64),
}

async fn told(changes: &mut Receiver<Change>) -> Told {
    match changes.recv().await {
        Ok(change) => Told::Change(Box::new(change)),
        Err(RecvError::Lagged(missed)) => Told::Missed(missed),
        // The registry lives as long as the process.
        Err(RecvError::Closed) => std::future::pending().await,
    }
}

/// What has been seen so far.
struct Chronicle<'a> {
    desk: &'a Desk,
    journal: &'a Journal,
    live: Arc<Live>,
    looked: Instant,
    marks: Marks,
    certificates: Certificates,
    serving: Serving,
    evidence: Evidence,
}

impl<'a> Chronicle<'a> {
    fn new(desk: &'a Desk, journal: &'a Journal, live: &Arc<Live>) -> Self {
        Self {
            desk,
            journal,
            live: Arc::clone(live),
            looked: Instant::now(),
            marks: Marks::default(),
            certificates: Certificates::default(),
            serving: Serving::default(),
            evidence: Evidence::default(),
        }
    }

    /// Whether this process is the one that speaks for the PoP: a successor does so once it serves, and then alone.
    fn speaks(&self) -> bool {
        let is_first = self.desk.predecessor.is_none();
        (is_first || self.desk.story.is_ready()) && !self.desk.shutdown.is_handed_over()
    }

    fn next_look(&self) -> Instant {
        let usual = self.looked + LOOK;
        // A moment before a drain's time is over, so that it can be said what is left then.
        self.marks.due(self.live.evidence.now()).map_or(usual, |due| usual.min(Instant::now() + due))
    }

    fn changed(&self, told: &Told) {
        if !self.speaks() {
            return;
        }
        match told {
            Told::Missed(missed) => {
                let mut entry = Entry::now(Kind::Journal, "lost", "journal");
                entry.reason = "more changes came at once than can be followed".to_owned();
                entry.figure("lines", *missed);
                self.journal.write(&entry);
            }
            Told::Change(change) if change.from == change.to => {}
            Told::Change(change) => {
                let entry = health(change, &self.live.generation, self.live.evidence.now());
                self.journal.write(&entry);
            }
        }
    }

    fn look(&mut self) {
        self.looked = Instant::now();
        let live = self.desk.edge.live.load_full();
        let is_new = !Arc::ptr_eq(&live, &self.live);
        self.live = live;
        if is_new {
            self.journal.keep(self.live.generation.observe.journal.keep);
        }
        if !self.speaks() {
            return;
        }
        let mut entries = self.marks.look(&self.live, is_new, || self.desk.backends(&self.live));
        entries.extend(self.certificates.look(&self.live, SystemTime::now()));
        entries.extend(self.serving.look(&self.live, self.desk.story.is_ready()));
        for entry in entries {
            self.journal.write(&entry);
        }
        self.evidence.look(self.desk, &self.live, self.journal);
    }

    fn stopping(&self) -> Entry {
        let handed_over = self.desk.shutdown.is_handed_over();
        let mut entry = processes::entry(if handed_over { "handed_over" } else { "stopping" });
        let backends = self.desk.backends(&self.live);
        entry.from = Some(self.live.prepared.stamp.to_string());
        entry.reason = match handed_over {
            true => "another process serves; what is in flight may end".to_owned(),
            false => "it was told to end; what is in flight may end".to_owned(),
        };
        entry.figure("in_flight", backends.iter().map(|backend| backend.in_flight).sum::<u32>());
        entry
    }
}

/// The moment of the wall's clock that `at` was by the registry's, where it is `now`.
fn wall(at: Now, now: Now) -> SystemTime {
    let time = SystemTime::now();
    time.checked_sub(now.since(at)).unwrap_or(time)
}

/// A change of what is thought of a backend.
fn health(change: &Change, generation: &Generation, now: Now) -> Entry {
    let is_ejection = change.from == Standing::Ejected || change.to == Standing::Ejected;
    let kind = if is_ejection { Kind::Ejection } else { Kind::Health };
    let event = match (change.from, change.to) {
        (_, Standing::Ejected) => "ejected",
        (_, Standing::Unhealthy) => "fell",
        (_, Standing::Suspected) => "suspected",
        (Standing::Ejected, _) => "returned",
        (Standing::Suspected, _) => "cleared",
        (_, Standing::Healthy) => "rose",
        (_, Standing::Unknown) => "unknown",
    };
    let mut entry = Entry::now(kind, event, change.key.as_str());
    entry.time = wall(change.at, now);
    let backend = generation.backends.iter().find(|backend| backend.key == change.key);
    let region = backend.and_then(|backend| generation.region(backend.region));
    entry.region = region.map(|region| region.name.to_string());
    entry.from = Some(change.from.name().to_owned());
    entry.to = Some(change.to.name().to_owned());
    entry.by = Some(change.by.name().to_owned());
    entry.reason = change.evidence.to_string();
    let figures = &change.figures;
    entry.figure("since", stamp(wall(figures.since, now)));
    entry.figure("lasted_s", change.at.since(figures.since).as_secs());
    entry.figure("probes_failed_in_a_row", figures.fails);
    entry.figure("probes_passed_in_a_row", figures.successes);
    entry.figure("faults", figures.faults);
    entry.figure("in_flight", figures.in_flight);
    if let Some((at, text)) = &figures.last_error {
        entry.figure("last_error", &**text);
        entry.figure("last_error_at", stamp(wall(*at, now)));
    }
    entry
}

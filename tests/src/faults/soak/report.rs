//! What a soak came to: a row for each fault, and all that should not have been.

use super::gauge::Gauge;
use super::{Deed, Life};
use crate::backend::Process;
use crate::faults::Fault;
use crate::faults::account;
use crate::load::Outcome;
use nearside_sample::repeated_ids;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::{Duration, Instant};

/// A process that lived shorter is not judged by its memory.
const JUDGED: Duration = Duration::from_secs(60);
/// Growth that is none, besides an eighth: the allocator's arenas breathe.
const BREATH: u64 = 3 * 1024;
/// Descriptors that may be open for a moment: a probe, the question itself.
pub(super) const PASSING: usize = 4;
/// Failures that are told in words.
const TOLD: usize = 12;

/// What a soak came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// The tables, as text.
    pub text: String,
    /// What should not have been; empty when all was well.
    pub wrong: Vec<String>,
}

/// What a report is drawn from.
pub(super) struct Told<'a> {
    pub(super) deeds: &'a [Deed],
    pub(super) lives: &'a [Life],
    pub(super) outcomes: &'a [Outcome],
    pub(super) backends: &'a [Process],
    /// What the first process had before the load, and the last one after it.
    pub(super) cold: Gauge,
    pub(super) left: Gauge,
}

/// What became of requests in all deeds of one fault.
#[derive(Clone, Copy, Default)]
struct Row {
    times: usize,
    requests: usize,
    get_failed: usize,
    /// POSTs that failed and were on a backend, or on their way, when that was killed.
    in_flight: usize,
    /// POSTs that failed and were on a backend that was stopped or answered 500.
    on_faulty: usize,
    /// POSTs that failed, and no faulty backend had them.
    elsewhere: usize,
    slowest: Duration,
}

/// A deed in a line.
pub(super) fn line(deed: &Deed, began: Instant) -> String {
    let seconds = (deed.began - began).as_secs_f64();
    let struck: Vec<&str> = deed.struck.iter().map(|number| super::BACKENDS[*number].0).collect();
    let took = deed.began.elapsed().as_secs_f64();
    let Gauge { private, descriptors } = deed.after;
    let mut line = format!(
        "{seconds:7.1} s  {:<13} {:<12} {took:5.1} s, then {private} KiB private, {descriptors} descriptors",
        deed.fault.name(),
        struck.join(","),
    );
    for what in &deed.wrong {
        write!(line, "\n    WRONG: {what}").expect("text grows");
    }
    line
}

/// Compares what clients saw with what the ledgers say.
pub(super) fn draw(told: &Told<'_>) -> Report {
    let ledgers: Vec<BTreeSet<String>> = told.backends.iter().map(ids).collect();
    let (mut rows, mut wrong) = (BTreeMap::<&str, Row>::new(), Vec::new());
    for deed in told.deeds {
        rows.entry(deed.fault.name()).or_default().times += 1;
        wrong.extend(deed.wrong.iter().map(|what| format!("{}: {what}", deed.fault.name())));
    }
    for outcome in told.outcomes {
        let after = told.deeds.partition_point(|deed| deed.began <= outcome.began);
        let deed = after.checked_sub(1).and_then(|index| told.deeds.get(index));
        let row = rows.entry(deed.map_or("before", |deed| deed.fault.name())).or_default();
        row.requests += 1;
        if !outcome.post {
            row.slowest = row.slowest.max(outcome.took());
        }
        if outcome.is_fine() {
            continue;
        }
        let at = deed.map_or(outcome.began, |deed| deed.began);
        let excuse = deed.map_or(Excuse::None, |deed| excuse(outcome, deed, &ledgers));
        match (outcome.post, excuse) {
            (false, _) => row.get_failed += 1,
            (true, Excuse::Killed) => row.in_flight += 1,
            (true, Excuse::Faulty) => row.on_faulty += 1,
            (true, Excuse::None) => row.elsewhere += 1,
        }
        if (!outcome.post || excuse == Excuse::None) && wrong.len() < TOLD {
            wrong.push(account::told(outcome, at));
        }
    }
    wrong.extend(disagreements(told, &ledgers));
    let mut text = table(&rows);
    text.push_str(&processes(told, &mut wrong));
    Report { text, wrong }
}

fn ids(process: &Process) -> BTreeSet<String> {
    process.requests().into_iter().filter_map(|arrival| arrival.id).collect()
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Excuse {
    None,
    /// It was on a backend, or on its way, when that was killed: nobody can know whether it took effect.
    Killed,
    /// It was on a backend that was stopped, or answered 500.
    Faulty,
}

fn excuse(outcome: &Outcome, deed: &Deed, ledgers: &[BTreeSet<String>]) -> Excuse {
    let was_there = deed.struck.iter().any(|number| ledgers[*number].contains(&outcome.id));
    let is_killed = matches!(deed.fault, Fault::KillOne | Fault::KillTier | Fault::Flap);
    if deed.kills.iter().any(|span| outcome.was_under_way(span)) || is_killed && was_there {
        Excuse::Killed
    } else if was_there {
        Excuse::Faulty
    } else {
        Excuse::None
    }
}

/// Where ledgers say otherwise than clients, and what the configuration forbids.
fn disagreements(told: &Told<'_>, ledgers: &[BTreeSet<String>]) -> Vec<String> {
    let mut wrong = Vec::new();
    let arrivals: Vec<_> = told.backends.iter().flat_map(Process::requests).collect();
    let twice = repeated_ids(arrivals.iter().filter(|arrival| arrival.method == "POST"));
    if !twice.is_empty() {
        wrong.push(format!("{} POSTs arrived twice: {twice:?}", twice.len()));
    }
    let fine = told.outcomes.iter().filter(|outcome| outcome.is_fine());
    let unknown = fine.filter(|outcome| !ledgers.iter().any(|ids| ids.contains(&outcome.id))).count();
    if unknown > 0 {
        wrong.push(format!("{unknown} answers are from no backend"));
    }
    let stale = account::stale(told.outcomes);
    if stale > 0 {
        wrong.push(format!("{stale} answers by an older configuration than one seen before"));
    }
    let marked: BTreeSet<u64> = told.deeds.iter().filter_map(|deed| deed.draining).collect();
    let is_late = |outcome: &&Outcome| {
        outcome.config.is_some_and(|number| marked.contains(&number))
            && outcome.region.as_deref() == Some("frankfurt")
    };
    let late = told.outcomes.iter().filter(is_late).count();
    if late > 0 {
        wrong.push(format!("{late} answers by a drained region"));
    }
    wrong
}

fn table(rows: &BTreeMap<&str, Row>) -> String {
    let mut text = "| fault | times | requests | GET failed | POST failed | POST in flight at a kill | \
                    POST on a faulty backend | slowest GET (ms) |\n|---|---:|---:|---:|---:|---:|---:|---:|\n"
        .to_owned();
    let mut all = Row::default();
    let mut write = |name: &str, row: &Row| {
        let Row { times, requests, get_failed, in_flight, on_faulty, elsewhere, slowest } = row;
        let slowest = slowest.as_millis();
        writeln!(
            text,
            "| {name} | {times} | {requests} | {get_failed} | {elsewhere} | {in_flight} | {on_faulty} | {slowest} |"
        )
        .expect("text grows");
    };
    let order = ["before"].into_iter().chain(Fault::ALL.iter().map(|fault| fault.name()));
    for (name, row) in order.filter_map(|name| Some((name, rows.get(name)?))) {
        write(name, row);
        all.times += row.times;
        all.requests += row.requests;
        all.get_failed += row.get_failed;
        all.in_flight += row.in_flight;
        all.on_faulty += row.on_faulty;
        all.elsewhere += row.elsewhere;
        all.slowest = all.slowest.max(row.slowest);
    }
    write("all", &all);
    text
}

/// Memory and descriptors, a row for each process.
fn processes(told: &Told<'_>, wrong: &mut Vec<String>) -> String {
    let mut text = "\n| process | seconds | faults | private KiB, warm | in the end | growth |\n\
                    |---|---:|---:|---:|---:|---:|\n"
        .to_owned();
    for (number, life) in told.lives.iter().enumerate() {
        let until = told.lives.get(number + 1).map(|next| next.began);
        let own = told.deeds.iter().filter(|deed| deed.began >= life.began);
        let mut own: Vec<&Deed> = own.filter(|deed| until.is_none_or(|until| deed.began < until)).collect();
        if until.is_some() {
            // The last of them is what replaced it.
            own.pop();
        }
        let Some(last) = own.last() else { continue };
        let seconds = (last.began - life.began).as_secs();
        let end = median(own.iter().rev().take(3).map(|deed| deed.after.private).collect());
        let growth = i128::from(end) - i128::from(life.warm.private);
        let (warm, faults, number) = (life.warm.private, own.len(), number + 1);
        writeln!(text, "| {number} | {seconds} | {faults} | {warm} | {end} | {growth} |")
            .expect("text grows");
        let most = warm / 8 + BREATH;
        if seconds >= JUDGED.as_secs() && end > warm + most {
            wrong.push(format!("process {number} grew by {growth} KiB, {most} are none"));
        }
    }
    let (cold, left) = (told.cold.descriptors, told.left.descriptors);
    writeln!(text, "\nDescriptors: {cold} before the load, {left} after it.").expect("text grows");
    if left > cold + PASSING {
        wrong.push(format!("{left} descriptors are left of {cold}"));
    }
    text
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

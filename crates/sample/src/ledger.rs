//! The ledger of a backend: what reached it, written down before it is answered.

use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};

/// How many arrivals are kept in memory; the counts and the file know of all.
const KEPT: usize = 100_000;

/// What reached a backend.
#[derive(Debug, Default)]
pub struct Ledger {
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    counts: Counts,
    arrivals: VecDeque<Arrival>,
    file: Option<File>,
}

/// How often something happened.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Connections accepted.
    pub connections: u64,
    /// Requests whose head arrived.
    pub arrived: u64,
    /// Requests that were read to their end.
    pub whole: u64,
    /// Requests by method.
    pub methods: BTreeMap<String, u64>,
    /// Probes among the requests.
    pub probes: u64,
    /// Lines that could not be written to the file.
    pub unwritten: u64,
}

/// One request that reached the backend.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Arrival {
    /// Its number at this backend, from 1.
    pub sequence: u64,
    /// Its method.
    pub method: String,
    /// Its path and query.
    pub path: String,
    /// Its `X-Nearside-Ref`.
    pub reference: Option<String>,
    /// Its `X-Ledger-Id`: a client's own name for it, the same in every repeat.
    pub id: Option<String>,
    /// Whether it carries `X-Nearside-Probe`.
    pub probe: bool,
    /// The length of its body, once that was read to its end.
    pub whole: Option<u64>,
}

impl Ledger {
    pub(crate) fn open(path: Option<&Path>) -> io::Result<Self> {
        let file = path.map(|path| OpenOptions::new().create(true).append(true).open(path)).transpose()?;
        Ok(Self { book: Mutex::new(Book { file, ..Book::default() }) })
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        self.with(|book| book.counts.clone())
    }

    /// The latest arrivals, oldest first; a hundred thousand are kept.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.with(|book| book.arrivals.iter().cloned().collect())
    }

    /// Reads the arrivals back from a ledger's file, in their order. A last line that was cut short is left out.
    ///
    /// # Errors
    /// When the file cannot be read or holds something else than a ledger.
    pub fn read(path: &Path) -> io::Result<Vec<Arrival>> {
        let text = std::fs::read_to_string(path)?;
        let whole_lines = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
        let mut arrivals: Vec<Arrival> = Vec::new();
        let mut places = HashMap::new();
        for line in whole_lines.lines() {
            let record: Value = serde_json::from_str(line)?;
            if record.get("event").and_then(Value::as_str) == Some("head") {
                let arrival =
                    Arrival::of(&record).ok_or_else(|| io::Error::other(format!("no arrival: {line}")))?;
                // A backend that was started again counts from 1 again, so the latest of a number is meant.
                places.insert(arrival.sequence, arrivals.len());
                arrivals.push(arrival);
                continue;
            }
            let place = record.get("sequence").and_then(Value::as_u64).and_then(|number| places.get(&number));
            if let Some(arrival) = place.and_then(|place| arrivals.get_mut(*place)) {
                arrival.whole = record.get("length").and_then(Value::as_u64);
            }
        }
        Ok(arrivals)
    }

    pub(crate) fn connected(&self) {
        self.with(|book| book.counts.connections += 1);
    }

    /// Notes a request whose head arrived, and gives it its number.
    pub(crate) fn arrived(&self, mut arrival: Arrival) -> u64 {
        self.with(|book| {
            book.counts.arrived += 1;
            book.counts.probes += u64::from(arrival.probe);
            *book.counts.methods.entry(arrival.method.clone()).or_default() += 1;
            arrival.sequence = book.counts.arrived;
            book.write(&arrival.record());
            if book.arrivals.len() == KEPT {
                book.arrivals.pop_front();
            }
            book.arrivals.push_back(arrival);
            book.counts.arrived
        })
    }

    /// Notes that a request's body of this length was read to its end.
    pub(crate) fn whole(&self, sequence: u64, length: u64) {
        self.with(|book| {
            book.counts.whole += 1;
            book.write(&json!({ "event": "whole", "sequence": sequence, "length": length }));
            if let Some(arrival) = book.arrivals.iter_mut().rev().find(|arrival| arrival.sequence == sequence)
            {
                arrival.whole = Some(length);
            }
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut Book) -> T) -> T {
        act(&mut self.book.lock())
    }
}

impl Book {
    /// One call of the system for each line: what was written stays, even if the process is killed at once.
    fn write(&mut self, record: &Value) {
        let Some(file) = &mut self.file else { return };
        if file.write_all(format!("{record}\n").as_bytes()).is_err() {
            self.counts.unwritten += 1;
        }
    }
}

impl Arrival {
    fn record(&self) -> Value {
        json!({
            "event": "head", "sequence": self.sequence, "method": self.method, "path": self.path,
            "ref": self.reference, "id": self.id, "probe": self.probe,
        })
    }

    fn of(record: &Value) -> Option<Self> {
        let word = |key: &str| record.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            sequence: record.get("sequence")?.as_u64()?,
            method: word("method")?,
            path: word("path")?,
            reference: word("ref"),
            id: word("id"),
            probe: record.get("probe")?.as_bool()?,
            whole: None,
        })
    }
}

/// The ids that arrived more than once, at whichever backends the arrivals are from.
pub fn repeated_ids<'a>(arrivals: impl IntoIterator<Item = &'a Arrival>) -> Vec<&'a str> {
    let mut seen = HashSet::new();
    let ids = arrivals.into_iter().filter_map(|arrival| arrival.id.as_deref());
    ids.filter(|id| !seen.insert(*id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(method: &str, id: &str) -> Arrival {
        let (method, path, id) = (method.to_owned(), "/a?b".to_owned(), Some(id.to_owned()));
        Arrival { sequence: 0, method, path, reference: None, id, probe: false, whole: None }
    }

    #[test]
    fn the_file_says_what_memory_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let ledger = Ledger::open(Some(&path)).unwrap();
        let first = ledger.arrived(arrival("POST", "one"));
        ledger.arrived(arrival("GET", "two"));
        ledger.whole(first, 7);
        let read = Ledger::read(&path).unwrap();
        assert_eq!(read, ledger.arrivals());
        assert_eq!(read.iter().map(|arrival| arrival.whole).collect::<Vec<_>>(), [Some(7), None]);
    }

    #[test]
    fn a_backend_started_again_goes_on_in_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        for _ in 0..2 {
            let ledger = Ledger::open(Some(&path)).unwrap();
            let sequence = ledger.arrived(arrival("POST", "one"));
            ledger.whole(sequence, 1);
        }
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"event\":\"he").unwrap();
        let read = Ledger::read(&path).unwrap();
        assert_eq!(read.iter().map(|arrival| arrival.whole).collect::<Vec<_>>(), [Some(1), Some(1)]);
        assert_eq!(repeated_ids(&read), ["one"]);
    }

    #[test]
    fn only_repeats_are_repeated() {
        let arrivals = [arrival("POST", "one"), arrival("POST", "two")];
        assert!(repeated_ids(&arrivals).is_empty());
    }

    #[test]
    fn counts_go_by_method() {
        let ledger = Ledger::default();
        for (method, probe) in [("GET", false), ("HEAD", true), ("GET", false)] {
            ledger.arrived(Arrival { probe, ..arrival(method, "x") });
        }
        let counts = ledger.counts();
        assert_eq!((counts.arrived, counts.whole, counts.probes), (3, 0, 1));
        assert_eq!(counts.methods.get("GET"), Some(&2));
    }
}

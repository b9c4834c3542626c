//! Lines of the access log, and what happens when nobody takes them.

use crate::scene::{generation, record};
use nearside_core::{BackendId, Reason, RouteId};
use nearside_telemetry::{AccessLog, Asked, Metrics, Record, field};
use serde_json::Value;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};

/// A sink that keeps what it was given.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A sink that says when it is asked, and then stands still until it is let go.
struct Stuck {
    asked: Sender<()>,
    go: Receiver<()>,
}

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Once the test has let go of its ends, nothing holds the sink up any more.
        if self.asked.send(()).is_ok() && self.go.recv().is_ok() {
            return Err(io::ErrorKind::Other.into());
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lines that `records` leave.
fn lines(records: Vec<Record<'_>>) -> String {
    let kept = Kept::default();
    let log = AccessLog::start(kept.clone(), Arc::default()).unwrap();
    records.into_iter().for_each(|record| log.write(&record));
    log.close();
    let bytes = kept.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_line_says_what_happened() {
    let record = record(&generation(118, &["www"], &["frankfurt", "dublin"]));
    let expected = concat!(
        r#"{"time":"2026-09-21T14:13:20.123Z","ref":"5f3a","client":"192.0.2.7","protocol":"HTTP/2","tls":"1.3","#,
        r#""host":"www.example.com","method":"GET","path":"/a/b","status":200,"reason":"won.latency","#,
        r#""route":"www","pool":"web","region":"frankfurt","backend":"frankfurt-a","tries":1,"#,
        r#""total_us":1500,"first_byte_us":1200,"bytes_in":10,"bytes_out":2000,"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","generation":"118-9f3a1c02"}"#,
        "\n"
    );
    assert_eq!(lines(vec![record]), expected);
}

#[test]
fn a_refusal_leaves_out_what_it_did_not_reach() {
    let mut record = record(&generation(1, &["www"], &["frankfurt"]));
    (record.route, record.backend, record.tls) = (None, None, None);
    (record.reason, record.status, record.first_byte) = (Some(Reason::FailedClientGone), None, None);
    let line: Value = serde_json::from_str(&lines(vec![record])).unwrap();
    let absent = [
        field::TLS,
        field::STATUS,
        field::ROUTE,
        field::POOL,
        field::REGION,
        field::BACKEND,
        field::CONNECT_US,
        field::FIRST_BYTE_US,
    ];
    assert!(absent.iter().all(|name| line.get(name).is_none()), "{line}");
    assert_eq!(line[field::REASON], "failed.client_gone");
}

#[test]
fn a_route_that_reached_no_backend_still_names_its_pool() {
    let mut record = record(&generation(1, &["www"], &["frankfurt"]));
    (record.backend, record.reason) = (None, Some(Reason::RefusedDrained));
    let line: Value = serde_json::from_str(&lines(vec![record])).unwrap();
    assert_eq!((&line[field::POOL], line.get(field::REGION)), (&Value::from("web"), None));
}

/// What lines keep of one another is never said of another route, backend or generation.
#[test]
fn each_line_names_its_own_way() {
    let names = |first: &str| (0..80).map(|number| format!("{first}{number}")).collect::<Vec<_>>();
    let generation = |number, first: &str| {
        let (routes, regions) = (names("r"), names(first));
        let [routes, regions] =
            [&routes, &regions].map(|names| names.iter().map(String::as_str).collect::<Vec<_>>());
        generation(number, &routes, &regions)
    };
    let generations = [generation(1, "a"), generation(2, "b")];
    let ways = || (0..80).flat_map(|route| [0, 7, 70].map(|backend| (route, (route + backend) % 80)));
    let all = generations.iter().chain(generations.first());
    let all = all.flat_map(|generation| ways().chain(ways().rev()).map(move |way| (generation, way)));
    let records = all.clone().map(|(generation, (route, backend))| Record {
        route: Some(RouteId::new(route)),
        backend: Some(BackendId::new(backend)),
        ..record(generation)
    });
    let text = lines(records.collect());
    let mut told = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    for (generation, (route, backend)) in all {
        let line = told.next().unwrap();
        let first = if generation.stamp.number == 1 { "a" } else { "b" };
        assert_eq!(line[field::ROUTE], format!("r{route}"));
        assert_eq!(line[field::REGION], format!("{first}{backend}"));
        assert_eq!(line[field::BACKEND], format!("{first}{backend}-a"));
    }
    assert!(told.next().is_none());
}

#[test]
fn whatever_a_client_sends_stays_in_its_line() {
    let mut hostile = record(&generation(1, &["www"], &["frankfurt"]));
    hostile.asked = Asked::new("r", b"G\"ET", b"a\n{\"status\":200}\n", b"/\xff\x00\\\x1b[31m");
    let text = lines(vec![hostile.clone(), hostile]);
    assert_eq!(text.lines().count(), 2);
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line[field::HOST], "a\n{\"status\":200}\n");
        assert_eq!(line[field::METHOD], "G\"ET");
        assert_eq!(line[field::PATH], "/\u{fffd}\0\\\u{1b}[31m");
    }
    assert!(!text.contains('\u{1b}') && !text.contains('\0'));
}

#[test]
fn every_field_of_a_line_is_in_the_list() {
    let mut record = record(&generation(1, &["www"], &["frankfurt"]));
    record.connect = Some(record.total);
    let line: Value = serde_json::from_str(&lines(vec![record])).unwrap();
    let names: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
    assert!(names.iter().all(|name| field::ALL.contains(name)), "{names:?}");
    assert_eq!(names.len(), 22);
}

#[test]
fn lines_keep_their_order_and_none_is_lost_below_the_bound() {
    let generation = generation(1, &["www"], &["frankfurt"]);
    let records = (0..8000_u64).map(|count| Record { bytes_in: count, ..record(&generation) });
    let text = lines(records.collect());
    let counts =
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()[field::BYTES_IN].as_u64());
    assert!(counts.eq((0..8000).map(Some)));
}

#[test]
fn a_sink_that_stands_still_holds_nobody_up_and_what_is_lost_is_counted() {
    let metrics = Metrics::new();
    let generation = generation(1, &["www"], &["frankfurt"]);
    let ((asked, is_asked), (go, wait)) = (mpsc::channel(), mpsc::channel());
    let log = AccessLog::start(Stuck { asked, go: wait }, metrics.lines_dropped()).unwrap();
    log.write(&record(&generation));
    is_asked.recv().unwrap();
    // The thread stands in its first line; four megabytes more fit the queue.
    let fit = (4 << 20) / lines(vec![record(&generation)]).len();
    for _ in 0..fit + 37 {
        log.write(&record(&generation));
    }
    let dropped = metrics.lines_dropped().load(Ordering::Relaxed);
    drop((go, is_asked));
    log.close();
    assert_eq!(dropped, 37);
    assert!(metrics.render().contains("nearside_log_lines_dropped_total 37\n"));
    log.write(&record(&generation));
    assert_eq!(metrics.lines_dropped().load(Ordering::Relaxed), 38, "after the end nothing is written");
}

#[test]
fn lines_that_a_broken_sink_refuses_are_counted() {
    let dropped: Arc<AtomicU64> = Arc::default();
    let log = AccessLog::start(Broken, Arc::clone(&dropped)).unwrap();
    let generation = generation(1, &["www"], &["frankfurt"]);
    (0..5).for_each(|_| log.write(&record(&generation)));
    log.close();
    assert_eq!(dropped.load(Ordering::Relaxed), 5);
}

//! What has been seen so far: the last look, and what changes from look to look.

use super::Seen;
use super::look::Look;
use super::scrape::{Routes, Totals};
use crate::past::Sample;
use crate::told::{list, text};
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// How far back a rate reaches.
const WINDOW: Duration = Duration::from_secs(10);
/// Round trips of a backend that are remembered, one a look.
const REMEMBERED: usize = 120;

/// The picture of a PoP.
#[derive(Debug, Default)]
pub(super) struct Picture {
    last: Look,
    /// What routes had at the looks of the window, the oldest first.
    totals: VecDeque<(Duration, Routes)>,
    /// By backend: its round trips in milliseconds, one a look.
    round_trips: HashMap<String, VecDeque<Option<f64>>>,
    history: Vec<Sample>,
    /// Why the last look saw nothing, if it did not.
    trouble: Option<String>,
}

/// How a route does at the moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rates {
    /// Its id.
    pub(super) route: String,
    /// Requests a second.
    pub(super) requests: f64,
    /// Those that fail.
    pub(super) failed: f64,
    /// What a request takes on average, in milliseconds; `None` where none has ended.
    pub(super) took_ms: Option<f64>,
    /// Bytes to clients a second.
    pub(super) bytes_out: f64,
    /// Requests since its PoP began to count.
    pub(super) total: f64,
}

impl Picture {
    /// Adds what was seen, or that nothing was.
    pub(super) fn see(&mut self, seen: Seen) {
        match seen {
            Ok(Some(look)) => self.add(look),
            Ok(None) => self.trouble = Some("no nearside runs there any more".to_owned()),
            Err(cause) => self.trouble = Some(cause),
        }
    }

    /// Adds a look.
    pub(super) fn add(&mut self, mut look: Look) {
        self.trouble = None;
        if let Some(history) = look.history.take() {
            self.history = history;
        }
        let is_old = |(at, _): &(Duration, Routes)| look.at.saturating_sub(*at) > WINDOW;
        while self.totals.len() > 1 && self.totals.front().is_some_and(is_old) {
            self.totals.pop_front();
        }
        self.totals.push_back((look.at, look.routes.clone()));
        let known: Vec<String> = list(&look.status, "backends").map(|one| text(one, "key")).collect();
        self.round_trips.retain(|key, _| known.contains(key));
        for backend in list(&look.status, "backends") {
            let seen = self.round_trips.entry(text(backend, "key")).or_default();
            if seen.len() >= REMEMBERED {
                seen.pop_front();
            }
            seen.push_back(backend["rtt_ms"].as_f64().filter(|_| backend["rtt_by"] != "distance"));
        }
        self.last = look;
    }

    /// The last status.
    pub(super) fn status(&self) -> &Value {
        &self.last.status
    }

    /// The latest entries of the journal, the oldest first.
    pub(super) fn journal(&self) -> &[Value] {
        &self.last.journal
    }

    /// Why there is nothing newer.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// The round trips of a backend, the oldest first.
    pub(super) fn round_trips(&self, backend: &str) -> impl DoubleEndedIterator<Item = Option<f64>> {
        self.round_trips.get(backend).into_iter().flatten().copied()
    }

    /// Requests a second in the stretches of the last hours, the oldest first: of a region, or of all.
    pub(super) fn history(&self, region: Option<&str>) -> impl DoubleEndedIterator<Item = Option<f64>> {
        self.history.iter().map(move |sample| {
            let flows = sample.regions.iter().filter(|(name, _)| region.is_none_or(|asked| asked == *name));
            let requests: u64 = flows.map(|(_, flow)| flow.requests).sum();
            (sample.window_s > 0.0).then(|| per_second(requests, sample.window_s))
        })
    }

    /// How the routes do that have had requests.
    pub(super) fn routes(&self) -> Vec<Rates> {
        let Some((at, now)) = self.totals.back() else { return Vec::new() };
        let nothing = (Duration::ZERO, Routes::new());
        let (since, before) = self.totals.front().unwrap_or(&nothing);
        let window = at.saturating_sub(*since).as_secs_f64();
        let rates = |(route, now): (&String, &Totals)| {
            let none = Totals::default();
            // A PoP that has begun anew counts from 0.
            let before = before.get(route).filter(|before| before.requests <= now.requests).unwrap_or(&none);
            let rate =
                |now: f64, before: f64| if window > 0.0 { (now - before).max(0.0) / window } else { 0.0 };
            let ended = now.requests - before.requests;
            Rates {
                route: route.clone(),
                requests: rate(now.requests, before.requests),
                failed: rate(now.failed, before.failed),
                took_ms: (ended > 0.0).then(|| (now.seconds - before.seconds).max(0.0) / ended * 1000.0),
                bytes_out: rate(now.bytes_out, before.bytes_out),
                total: now.requests,
            }
        };
        now.iter().map(rates).collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a picture needs no more than 52 bits")]
fn per_second(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn look(seconds: u64, requests: f64, rtt: Option<f64>) -> Look {
        let totals = Totals { requests, failed: requests / 2.0, seconds: requests / 100.0, bytes_out: 0.0 };
        Look {
            at: Duration::from_secs(seconds),
            status: json!({ "backends": [{ "key": "web/a", "rtt_ms": rtt, "rtt_by": "measured" }] }),
            routes: Routes::from([("www".to_owned(), totals)]),
            ..Look::default()
        }
    }

    #[test]
    fn rates_are_what_came_in_the_last_ten_seconds() {
        let mut picture = Picture::default();
        picture.add(look(0, 100.0, None));
        assert_eq!(picture.routes()[0].requests, 0.0);
        for second in 1..=20 {
            picture.add(look(second, if second <= 10 { 100.0 } else { 200.0 }, None));
        }
        let www = &picture.routes()[0];
        assert_eq!((www.requests, www.failed, www.total), (10.0, 5.0, 200.0));
        assert!((www.took_ms.unwrap() - 10.0).abs() < 1e-9);
        // A process that begins anew has had no more than it says.
        picture.add(look(21, 11.0, None));
        assert_eq!(picture.routes()[0].requests, 1.1);
    }

    #[test]
    fn round_trips_are_remembered_one_a_look_and_trouble_until_the_next() {
        let mut picture = Picture::default();
        picture.add(look(0, 1.0, Some(20.0)));
        picture.see(Ok(None));
        assert_eq!(picture.trouble(), Some("no nearside runs there any more"));
        picture.see(Err("no answer".to_owned()));
        assert_eq!(picture.trouble(), Some("no answer"));
        picture.see(Ok(Some(look(1, 1.0, None))));
        assert_eq!(picture.trouble(), None);
        assert_eq!(picture.round_trips("web/a").collect::<Vec<_>>(), [Some(20.0), None]);
        for second in 2..500 {
            picture.add(look(second, 1.0, Some(1.0)));
        }
        assert_eq!(picture.round_trips("web/a").count(), REMEMBERED);
    }
}

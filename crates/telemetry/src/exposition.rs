//! The counters as families of metrics.

use crate::cells::{NO_REGION, parts};
use crate::counts::BUCKETS;
use crate::family::{self, Family, Kind};
use crate::metrics::{BackendName, BackendSample, Book, Disbelieved, Names, Samples};
use crate::trace::{Exemplar, Fate};
use nearside_core::{Reason, Verdict};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

/// Reads the book at each scrape.
#[derive(Debug)]
pub(crate) struct Exposition(pub(crate) Arc<Book>);

/// Stands where a label has nothing to say: no route matched, no backend was reached.
const NONE: &str = "-";
const CLASSES: [&str; 8] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx", "6xx", "7xx"];

type Label<'a> = (&'static str, &'a str);

impl Collector for Exposition {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let mut page = Page(&mut encoder);
        let names = self.0.names();
        self.requests(&names, &mut page)?;
        self.backends(&names, &mut page)?;
        connections(&names, &mut page)?;
        self.process(&names, &mut page)?;
        drop(names);
        let sampler = self.0.sampler.lock();
        let samples = sampler.as_ref().map(|sampler| sampler()).unwrap_or_default();
        drop(sampler);
        sampled(&samples.backends, &mut page)?;
        regions(&samples, &mut page)
    }
}

impl Exposition {
    fn requests(&self, names: &Names, page: &mut Page<'_, '_>) -> fmt::Result {
        let declared = names.routes.iter().map(|(id, cells)| (&**id, &**cells));
        let all = declared.chain([(NONE, &*self.0.no_route)]);
        let mut routes: Vec<_> = all.filter_map(|(id, cells)| Some((id, cells.touched()?))).collect();
        routes.sort_unstable_by_key(|(id, _)| *id);

        let requests = routes.iter().flat_map(|(id, cells)| {
            cells.requests.iter().map(move |(key, count)| {
                let (region, reason, class) = parts(key);
                let region = names.regions.get(usize::from(region)).filter(|_| region != NO_REGION);
                let labels = [
                    ("route", *id),
                    ("region", region.map_or(NONE, |name| name)),
                    ("reason", reason.map_or(NONE, Reason::name)),
                    ("status_class", CLASSES.get(usize::from(class)).copied().unwrap_or(NONE)),
                ];
                (labels, count)
            })
        });
        page.counters(&family::REQUESTS, requests)?;

        let bytes = routes.iter().flat_map(|(id, cells)| {
            [("in", &cells.bytes_in), ("out", &cells.bytes_out)].map(|(direction, count)| {
                ([("route", *id), ("direction", direction)], count.load(Ordering::Relaxed))
            })
        });
        page.counters(&family::BODY_BYTES, bytes)?;
        page.histograms(
            &family::REQUEST_DURATION,
            routes.iter().map(|(id, cells)| ([("route", *id)], cells.total.read())),
        )?;
        let examples = routes.iter().enumerate().flat_map(|(index, (_, cells))| {
            cells.exemplars.all().map(move |(bucket, exemplar)| (index * BUCKETS + bucket, exemplar))
        });
        *self.0.exemplars.lock() = examples.collect();

        let counts = Reason::ALL.iter().zip(self.0.decisions.0.iter());
        let decisions =
            counts.map(|(reason, count)| ([("reason", reason.name())], count.load(Ordering::Relaxed)));
        page.counters(&family::DECISIONS, decisions.filter(|(_, count)| *count > 0))
    }

    fn backends(&self, names: &Names, page: &mut Page<'_, '_>) -> fmt::Result {
        let mut backends: Vec<_> = names.backends.values().collect();
        backends.sort_unstable_by_key(|(name, _)| (&name.pool, &name.backend));
        let tries = backends.iter().flat_map(|(name, cells)| {
            cells.tries.iter().map(move |(key, count)| {
                let failed =
                    key.checked_sub(1).and_then(|index| Reason::ALL.get(usize::try_from(index).ok()?));
                let [pool, backend, region] = name.labels();
                ([pool, backend, region, ("result", failed.map_or("ok", |reason| reason.name()))], count)
            })
        });
        page.counters(&family::TRIES, tries)?;
        let times = backends.iter().map(|(name, cells)| (name.labels(), cells.first_byte.read()));
        page.histograms(&family::FIRST_BYTE, times.filter(|(_, (_, count, _))| *count > 0))
    }

    fn process(&self, names: &Names, page: &mut Page<'_, '_>) -> fmt::Result {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let results = ["swapped", "unchanged", "refused"].into_iter().zip(&self.0.reloads);
        let reloads = results.map(|(result, count)| ([("result", result)], load(count)));
        page.counters(&family::RELOADS, reloads)?;
        let claims = Disbelieved::LABELS.iter().zip(&self.0.disbelieved);
        let claims = claims.map(|((claim, why), count)| ([("claim", *claim), ("why", *why)], load(count)));
        page.counters(&family::DISBELIEVED, claims.filter(|(_, count)| *count > 0))?;
        let dropped = ConstCounter::new(load(&self.0.lines_dropped));
        page.alone(&family::LOG_LINES_DROPPED, &dropped)?;
        let lost = ConstCounter::new(load(&self.0.journal_lost));
        page.alone(&family::JOURNAL_LINES_LOST, &lost)?;
        let spans = Fate::ALL.map(|fate| ([("fate", fate.name())], self.0.traces.counts().read(fate)));
        page.counters(&family::SPANS, spans.into_iter().filter(|(_, count)| *count > 0))?;
        if names.stamp.is_empty() {
            return Ok(());
        }
        page.alone(&family::GENERATION, &Info::new(vec![("generation", names.stamp.clone())]))?;
        let number = ConstGauge::new(names.number);
        page.alone(&family::GENERATION_NUMBER, &number)?;
        let drained =
            names.drained.iter().map(|(region, drained)| ([("region", &**region)], u64::from(*drained)));
        page.gauges(&family::REGION_DRAINED, drained)?;
        let marked = names.marked.iter().map(|(kind, target)| ([("kind", *kind), ("target", target)], 1_u64));
        page.gauges(&family::DRAIN_ACTIVE, marked)
    }
}

/// The page with these examples behind the lines of their buckets, by the lines' numbers. The library writes those of
/// its own histograms only.
pub(crate) fn exemplified(page: String, exemplars: &[(usize, Exemplar)]) -> String {
    if exemplars.is_empty() {
        return page;
    }
    let mut text = String::with_capacity(page.len() + exemplars.len() * 80);
    let (mut rest, mut buckets) = (exemplars.iter().peekable(), 0);
    for line in page.lines() {
        text.push_str(line);
        if line.starts_with(concat!("nearside_", "request_duration_seconds_bucket{")) {
            if let Some((_, Exemplar { trace, took, at })) = rest.next_if(|(number, _)| *number == buckets) {
                let at = at.duration_since(UNIX_EPOCH).unwrap_or_default();
                let at = format!("{}.{:03}", at.as_secs(), at.subsec_millis());
                text.push_str(&format!(" # {{trace_id=\"{trace}\"}} {} {at}", took.as_secs_f64()));
            }
            buckets += 1;
        }
        text.push('\n');
    }
    text
}

fn connections(names: &Names, page: &mut Page<'_, '_>) -> fmt::Result {
    let listeners: Vec<_> = names.listeners.iter().map(|(bind, cells)| (bind.to_string(), cells)).collect();
    let open =
        listeners.iter().map(|(bind, cells)| ([("listener", &**bind)], cells.open.load(Ordering::Relaxed)));
    page.gauges(&family::CONNECTIONS_OPEN, open)?;
    let accepted = listeners
        .iter()
        .map(|(bind, cells)| ([("listener", &**bind)], cells.accepted.load(Ordering::Relaxed)));
    page.counters(&family::CONNECTIONS, accepted)?;
    let failed = listeners
        .iter()
        .map(|(bind, cells)| ([("listener", &**bind)], cells.handshakes_failed.load(Ordering::Relaxed)));
    page.counters(&family::HANDSHAKES_FAILED, failed)?;
    let refused = listeners
        .iter()
        .map(|(bind, cells)| ([("listener", &**bind)], cells.refused.load(Ordering::Relaxed)));
    page.counters(&family::CONNECTIONS_REFUSED, refused)?;
    let unbelieved = listeners
        .iter()
        .map(|(bind, cells)| ([("listener", &**bind)], cells.unbelieved.load(Ordering::Relaxed)));
    page.counters(&family::CLIENTS_UNBELIEVED, unbelieved)
}

fn sampled(samples: &[BackendSample], page: &mut Page<'_, '_>) -> fmt::Result {
    let verdicts = samples.iter().flat_map(|sample| {
        [Verdict::Healthy, Verdict::Unhealthy, Verdict::Unknown].map(|verdict| {
            let [pool, backend, region] = sample.labels();
            ([pool, backend, region, ("verdict", verdict.name())], u64::from(sample.verdict == verdict))
        })
    });
    page.gauges(&family::BACKEND_VERDICT, verdicts)?;
    let ejected = samples.iter().map(|sample| (sample.labels(), u64::from(sample.ejected)));
    page.gauges(&family::BACKEND_EJECTED, ejected)?;
    let in_flight = samples.iter().map(|sample| (sample.labels(), u64::from(sample.in_flight)));
    page.gauges(&family::BACKEND_IN_FLIGHT, in_flight)?;
    let connections = samples.iter().flat_map(|sample| {
        [("idle", sample.idle), ("busy", sample.connections.saturating_sub(sample.idle))].map(
            |(state, count)| {
                let [pool, backend, region] = sample.labels();
                ([pool, backend, region, ("state", state)], u64::from(count))
            },
        )
    });
    page.gauges(&family::BACKEND_CONNECTIONS, connections)?;
    let rtt =
        samples.iter().filter_map(|sample| Some((sample.labels(), f64::from(sample.rtt_micros?) / 1e6)));
    page.gauges(&family::BACKEND_RTT, rtt)?;
    let trips = samples.iter().filter(|sample| sample.trips.1 > 0);
    page.histograms(
        &family::BACKEND_ROUND_TRIP,
        trips.map(|sample| (sample.labels(), sample.trips.clone())),
    )?;
    let probes = samples.iter().flat_map(|sample| {
        [("ok", sample.probes_ok), ("failed", sample.probes_failed)].map(|(result, count)| {
            let [pool, backend, region] = sample.labels();
            ([pool, backend, region, ("result", result)], count)
        })
    });
    page.counters(&family::PROBES, probes)
}

/// What an autoscaler can act on, and what expires.
fn regions(samples: &Samples, page: &mut Page<'_, '_>) -> fmt::Result {
    let files = samples.certificates.iter().map(|(file, expires)| ([("file", &**file)], *expires));
    page.gauges(&family::CERTIFICATE_EXPIRY, files)?;
    let all = samples.regions.iter();
    let each = || all.clone().map(|region| ([("region", &*region.region)], region));
    page.gauges(
        &family::REGION_IN_FLIGHT,
        each().map(|(labels, region)| (labels, u64::from(region.in_flight))),
    )?;
    page.gauges(&family::REGION_USABLE, each().map(|(labels, region)| (labels, region.usable)))?;
    let offered = each().filter_map(|(labels, region)| Some((labels, region.offered?)));
    page.gauges(&family::REGION_OFFERED, offered)?;
    let capacity = each().filter_map(|(labels, region)| Some((labels, region.capacity?)));
    page.gauges(&family::REGION_CAPACITY, capacity)?;
    let both = || each().filter_map(|(labels, region)| Some((labels, region.offered?, region.capacity?)));
    let shed = both().map(|(labels, offered, capacity)| (labels, offered.saturating_sub(capacity)));
    page.gauges(&family::REGION_SHED, shed)?;
    let headroom = both().map(|(labels, offered, capacity)| (labels, capacity.saturating_sub(offered)));
    page.gauges(&family::REGION_HEADROOM, headroom)
}

impl BackendName {
    fn labels(&self) -> [Label<'_>; 3] {
        [("pool", &*self.pool), ("backend", &*self.backend), ("region", &*self.region)]
    }
}

impl BackendSample {
    fn labels(&self) -> [Label<'_>; 3] {
        [("pool", &*self.pool), ("backend", &*self.backend), ("region", &*self.region)]
    }
}

/// Families, one after another; one without a sample is left out.
struct Page<'a, 'b>(&'a mut DescriptorEncoder<'b>);

impl Page<'_, '_> {
    fn counters<S: EncodeLabelSet>(
        &mut self,
        family: &Family,
        samples: impl IntoIterator<Item = (S, u64)>,
    ) -> fmt::Result {
        let samples = samples.into_iter().map(|(labels, value)| (labels, ConstCounter::new(value)));
        self.family(family, samples)
    }

    fn gauges<S: EncodeLabelSet, N>(
        &mut self,
        family: &Family,
        samples: impl IntoIterator<Item = (S, N)>,
    ) -> fmt::Result
    where
        ConstGauge<N>: EncodeMetric,
    {
        let samples = samples.into_iter().map(|(labels, value)| (labels, ConstGauge::new(value)));
        self.family(family, samples)
    }

    /// Each sample with its sum, its count and its buckets.
    fn histograms<S: EncodeLabelSet>(
        &mut self,
        family: &Family,
        samples: impl IntoIterator<Item = (S, (f64, u64, Vec<(f64, u64)>))>,
    ) -> fmt::Result {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut metric = self.0.encode_descriptor(family.name, family.help, None, MetricType::Histogram)?;
        for (labels, (sum, count, buckets)) in samples {
            metric.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
        Ok(())
    }

    /// A family of one sample without labels.
    fn alone(&mut self, family: &Family, value: &impl EncodeMetric) -> fmt::Result {
        value.encode(self.0.encode_descriptor(family.name, family.help, None, value.metric_type())?)
    }

    fn family<S: EncodeLabelSet, M: EncodeMetric>(
        &mut self,
        family: &Family,
        samples: impl Iterator<Item = (S, M)>,
    ) -> fmt::Result {
        let mut samples = samples.peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let kind = match family.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
            Kind::Histogram => MetricType::Histogram,
            Kind::Info => MetricType::Info,
        };
        let mut metric = self.0.encode_descriptor(family.name, family.help, None, kind)?;
        for (labels, value) in samples {
            value.encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

//! Traces: which one a request belongs to, which spans it makes of it, and whether they are sent (W3C Trace Context).

use crate::exchange::End;
use crate::live::Live;
use nearside_core::random::mix;
use nearside_core::{Plan, Reason};
use nearside_http::{Known, RequestHead};
use nearside_telemetry::trace::{TraceId, Try};
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::Instant;

/// The flag that says that a trace is sampled.
const SAMPLED: u8 = 1;

/// What a caller says of the trace that it has begun.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Caller {
    /// The trace.
    pub(crate) trace: TraceId,
    /// The caller's own span.
    pub(crate) span: u64,
    /// The flags.
    pub(crate) flags: u8,
}

impl Caller {
    /// Reads the field of `head`; `None` where there is none, or one that breaks the rules.
    pub(crate) fn of(head: &RequestHead) -> Option<Self> {
        head.fields().get(Known::TraceParent).and_then(Self::read)
    }

    /// Reads `00-` and 32, 16 and 2 digits in lower case, of which the first two are not all zero.
    fn read(value: &[u8]) -> Option<Self> {
        let (parts, rest): (&[u8; 55], &[u8]) = value.split_first_chunk()?;
        let [b'0', b'0', b'-', numbers @ .., _, _, _] = parts else { return None };
        let (trace, numbers) = numbers.split_first_chunk::<32>()?;
        let (span, flags) = (numbers.get(1..17)?, parts.get(53..)?);
        let dashes = [numbers.first(), parts.get(52)];
        if !rest.is_empty() || dashes != [Some(&b'-'); 2] {
            return None;
        }
        let (high, low) = trace.split_at_checked(16)?;
        let trace = u128::from(digits(high)?) << 64 | u128::from(digits(low)?);
        let (span, flags) = (digits(span)?, u8::try_from(digits(flags)?).ok()?);
        (trace != 0 && span != 0).then_some(Self { trace: TraceId(trace), span, flags })
    }
}

/// The number of up to 16 hexadecimal digits in lower case.
fn digits(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0, |number: u64, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u64::from(digit))
    })
}

/// The trace that begins with the request of this number: its later half is the request's ref.
pub(crate) fn begun(number: u64, salt: u64) -> TraceId {
    TraceId(u128::from(salt | 1) << 64 | u128::from(number))
}

/// The trace that a request belongs to.
pub(crate) fn of(head: &RequestHead, number: u64, salt: u64) -> TraceId {
    Caller::of(head).map_or_else(|| begun(number, salt), |caller| caller.trace)
}

/// What a request's spans will say, where there are any.
#[derive(Debug)]
pub(crate) struct Course {
    pub(crate) trace: TraceId,
    pub(crate) parent: Option<u64>,
    /// Whether its spans are sent, however it ends.
    pub(crate) was_chosen: bool,
    /// The caller's flags, with our own word on whether it is sampled.
    pub(crate) flags: u8,
    number: u64,
    /// How many tries there were, the one under way included.
    count: u32,
    /// When the try under way began; `None` between tries.
    since: Option<Instant>,
    /// The tries that have failed and were followed by others: of most requests none.
    failed: Vec<Try>,
    last: Option<Last>,
}

/// How the last try ended.
#[derive(Clone, Copy, Debug)]
struct Last {
    since: Instant,
    at: Instant,
    status: Option<u16>,
    failed: Option<Reason>,
}

impl Course {
    /// The course of the request of this number from `peer`; `None` where nothing is traced.
    pub(crate) fn begin(
        live: &Live,
        (number, salt): (u64, u64),
        peer: IpAddr,
        head: &RequestHead,
    ) -> Option<Self> {
        let tracing = live.generation.observe.tracing.as_ref()?;
        let caller = Caller::of(head);
        let was_chosen = match caller {
            Some(caller) if tracing.trusts(peer) => caller.flags & SAMPLED != 0,
            // Who is not trusted chooses no ids by which more is sampled than the file says.
            Some(_) | None => tracing.samples(number),
        };
        Some(Self {
            trace: caller.map_or_else(|| begun(number, salt), |caller| caller.trace),
            parent: caller.map(|caller| caller.span),
            was_chosen,
            flags: caller.map_or(0, |caller| caller.flags & !SAMPLED) | u8::from(was_chosen),
            number,
            count: 0,
            since: None,
            failed: Vec::new(),
            last: None,
        })
    }

    /// The id of the span of the whole request.
    pub(crate) fn span_of_all(&self) -> u64 {
        self.span(0)
    }

    /// The id of the span of the try under way.
    pub(crate) fn span_under_way(&self) -> u64 {
        self.span(self.count)
    }

    fn span(&self, count: u32) -> u64 {
        // No span has the id 0.
        mix(self.number ^ u64::from(count).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x7472_6163_6573) | 1
    }

    /// Notes that a try begins.
    pub(crate) fn go(&mut self) {
        self.count = self.count.saturating_add(1);
        self.since = Some(Instant::now());
    }

    /// Notes that the try under way, by `plan`, has failed.
    pub(crate) fn failed(&mut self, plan: Plan, noted: &Noted, reason: Reason) {
        let Some(since) = self.since.take() else { return };
        // What never had a connection has no time of one.
        let connect = noted.connect.filter(|_| reason != Reason::FailedConnect);
        let last = Last { since, at: Instant::now(), status: noted.status, failed: Some(reason) };
        let attempt = last.attempt(plan, noted.started, connect, self.span_under_way());
        self.failed.push(attempt);
    }

    /// Notes how forwarding has ended, and when, if that is known: no try ends after its request.
    pub(crate) fn arrived(&mut self, end: End, status: Option<u16>, at: Option<Instant>) {
        let Some(since) = self.since.take() else { return };
        let (failed, status) = match end {
            End::Answered => (None, status),
            End::Cut(reason) | End::Closed(reason) => (Some(reason), status),
            // What had come of it was not let through.
            End::Unanswered(reason) => (Some(reason), None),
        };
        self.last = Some(Last { since, at: at.unwrap_or_else(Instant::now), status, failed });
    }

    /// All tries, the last one by `plan`.
    pub(crate) fn tries(&self, plan: Option<Plan>, noted: &Noted) -> Vec<Try> {
        let span = self.span_under_way();
        let last = self.last.zip(plan);
        let last = last.map(|(last, plan)| last.attempt(plan, noted.started, noted.connect, span));
        self.failed.iter().copied().chain(last).collect()
    }
}

/// What is noted of a request that its tries are told by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noted {
    /// When it began.
    pub(crate) started: Instant,
    /// What the last connection took to make.
    pub(crate) connect: Option<Duration>,
    /// The status that the try was given up for.
    pub(crate) status: Option<u16>,
}

impl Last {
    fn attempt(self, plan: Plan, started: Instant, connect: Option<Duration>, span: u64) -> Try {
        Try {
            span,
            backend: plan.backend,
            reason: plan.reason,
            after: self.since.duration_since(started),
            took: self.at.duration_since(self.since),
            connect,
            status: self.status,
            failed: self.failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::fixture::World;
    use nearside_core::candidates::Set;
    use nearside_core::generation::{Endpoint, Tracing};
    use nearside_core::policy::Share;
    use nearside_core::{BackendId, PoolId, RegionId, RouteId};
    use nearside_http::Limits;
    use nearside_http::request::parse;
    use std::net::SocketAddr;

    fn read(text: &str) -> Option<Caller> {
        Caller::read(text.as_bytes())
    }

    #[test]
    fn only_a_lawful_trace_is_continued() {
        let caller = read("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
        assert_eq!(caller.trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!((caller.span, caller.flags), (0x00f0_67aa_0ba9_02b7, 1));
        for unlawful in [
            "",
            "00",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7x01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736x00f067aa0ba902b7-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00x4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        ] {
            assert_eq!(read(unlawful), None, "{unlawful}");
        }
    }

    /// A world that traces this share of requests, and trusts nobody.
    fn world(points: u16) -> World {
        let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
        World::new(&[nobody], |generation| {
            generation.observe.tracing = Some(Tracing {
                endpoint: Endpoint { tls: false, host: "127.0.0.1".into(), port: 1 },
                path: "/v1/traces".into(),
                sample: Share::from_points(points),
                trusted: Box::default(),
                service: "nearside".into(),
                headers_file: None,
                ca: None,
                timeout: Duration::from_secs(1),
                queue: 1,
            });
        })
    }

    #[tokio::test]
    async fn a_request_that_is_not_chosen_allocates_nothing_and_one_that_failed_has_its_tries() {
        let live = world(0).live();
        let mut head = RequestHead::new();
        let text = b"GET / HTTP/1.1\r\nhost: h\r\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n";
        parse(text, &Limits::default(), &mut head).unwrap();
        let peer = IpAddr::from([127, 0, 0, 1]);
        let allocations = allocation_counter::measure(|| {
            let mut course = Course::begin(&live, (7, 9), peer, &head).unwrap();
            course.go();
            course.arrived(End::Answered, Some(200), None);
            assert!(!course.was_chosen && course.flags == 0, "nobody is trusted, and nothing is sampled");
        });
        assert_eq!(allocations.count_total, 0);
        let mut course = Course::begin(&live, (7, 9), peer, &head).unwrap();
        let noted = Noted { started: Instant::now(), connect: None, status: Some(503) };
        let plan = Plan {
            route: RouteId::new(0),
            pool: PoolId::new(0),
            backend: BackendId::new(0),
            region: RegionId::new(0),
            offered: Set::default(),
            reason: Reason::WonOnly,
        };
        course.go();
        let first = course.span_under_way();
        course.failed(plan, &noted, Reason::FailedReset);
        course.go();
        let second = course.span_under_way();
        course.arrived(End::Answered, Some(200), None);
        let tries = course.tries(Some(plan), &noted);
        let told: Vec<_> = tries.iter().map(|it| (it.span, it.status, it.failed)).collect();
        assert_eq!(told, [(first, Some(503), Some(Reason::FailedReset)), (second, Some(200), None)]);
        assert!(first != second && second != course.span_of_all());
    }

    #[test]
    fn a_trace_that_begins_here_ends_in_the_ref() {
        assert_eq!(begun(0xabc, 6).to_string(), "00000000000000070000000000000abc");
    }
}

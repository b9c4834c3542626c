//! One request, from its head to its line in the log.

pub(crate) mod form;
mod say;
mod tell;
mod verdict;

use crate::boxed::boxed;
use crate::claims::{Claims, Reader};
use crate::client_ip::{Believed, believe};
use crate::connection::Connection;
use crate::deadline::Deadline;
use crate::exchange::{self, End};
use crate::headers::{self, Reference};
use crate::live::Live;
use crate::page::Page;
use crate::side::Client;
use crate::trace::Course;
use crate::worker::Worker;
pub(crate) use form::Form;
use form::Reading;
use nearside_core::generation::{ClientIp, ListenerKind};
use nearside_core::policy::Retry;
use nearside_core::route::Action;
use nearside_core::{
    BackendId, Choice, Facts, FullTrace, Host, Input, Place, Plan, Reason, RouteId, Tried, decide, explained,
};
use nearside_health::{Fault, ForRequest, InFlight};
use nearside_http::{Body, Known, Method, RequestHead, Upgrade, Version};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use verdict::Verdict;

/// What a connection's loop has to know afterwards.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// Whether the client got a whole answer, so that the connection may carry another request.
    pub whole: bool,
}

/// One request under way.
#[derive(Debug)]
pub(crate) struct Visit<'a> {
    pub(crate) worker: &'a Arc<Worker>,
    pub(crate) connection: &'a Connection,
    pub(crate) live: Arc<Live>,
    /// Its seed, and the number of its ref.
    pub(crate) number: u64,
    pub(crate) reference: Reference,
    pub(crate) started: Instant,
    /// When the client had its answer, where it came from a backend.
    pub(crate) ended: Option<Instant>,
    /// Whom it is from.
    pub(crate) believed: Believed,
    /// Where that is, as the tables know.
    pub(crate) place: Place,
    /// Why the last try failed.
    pub(crate) last_failure: Option<Reason>,
    /// The last decision in one line, for a peer that may ask and does.
    pub(crate) explanation: Option<String>,
    /// What its spans will say, where it is traced.
    pub(crate) course: Option<Box<Course>>,
    plan: Option<Plan>,
    route: Option<RouteId>,
    turn: Option<u64>,
    claims: Option<Box<Claims>>,
    /// The path's normal form, where it came in another.
    form: Option<Box<Form>>,
    note: Note,
}

/// What the request's record will say, as far as it is known.
#[derive(Debug, Default)]
struct Note {
    reason: Option<Reason>,
    status: Option<u16>,
    tries: u32,
    connect: Option<Duration>,
    first_byte: Option<Duration>,
    bytes_in: u64,
    bytes_out: u64,
}

/// Serves one request and writes its record.
pub async fn serve<C: Client>(
    worker: &Arc<Worker>,
    connection: &Connection,
    client: &mut C,
    deadline: &mut Deadline,
) -> Outcome {
    let mut visit = Visit::begin(worker, connection, client.head());
    let (mut end, place) = match visit.judge(client.head()) {
        // Boxed, so that a request that is forwarded does not carry the state of it.
        Verdict::Page(page, reason) => (Box::pin(visit.say(client, &page, reason, deadline)).await, None),
        Verdict::Forward(plan, place) => {
            let end = boxed(|| exchange::forward(&mut visit, client, plan, deadline)).await;
            let (status, at) = (visit.note.status, visit.ended);
            visit.course.iter_mut().for_each(|course| course.arrived(end, status, at));
            (end, Some(place))
        }
    };
    if let End::Unanswered(reason) = end {
        let page = visit.error(client.head(), reason);
        end = Box::pin(visit.say(client, &page, Some(reason), deadline)).await;
    }
    if let End::Cut(_) = end {
        client.abort();
    }
    drop(place);
    visit.write_down(client.head(), end);
    Outcome { whole: end == End::Answered }
}

impl<'a> Visit<'a> {
    fn begin(worker: &'a Arc<Worker>, connection: &'a Connection, head: &RequestHead) -> Self {
        let number = worker.edge.next();
        let live = worker.edge.live.load_full();
        let believed = match live.generation.listeners.get(connection.listener) {
            Some(listener) => believe(&listener.client_ip, connection.client.ip(), head.fields()),
            None => believe(&ClientIp::default(), connection.client.ip(), head.fields()),
        };
        if believed.claimed {
            connection.cells.unbelieved();
        }
        let place = connection.places.of(believed.address, &live);
        let mut askers = live.generation.observe.debug_from.iter();
        let asks = head.fields().contains(Known::XNearsideExplain)
            && askers.any(|network| network.holds(connection.peer.ip()));
        let course = Course::begin(&live, (number, worker.edge.salt), connection.peer.ip(), head);
        Self {
            worker,
            connection,
            live,
            believed,
            place,
            number,
            reference: headers::reference(number),
            started: Instant::now(),
            ended: None,
            last_failure: None,
            explanation: asks.then(String::new),
            course: course.map(Box::new),
            plan: None,
            route: None,
            turn: None,
            claims: None,
            form: None,
            note: Note::default(),
        }
    }

    /// Decides, knowing what was tried.
    pub(crate) fn decide(&mut self, head: &RequestHead, tried: &Tried) -> Choice {
        let evidence = ForRequest::new(&self.live.evidence, self.turn);
        let input = Input {
            facts: &self.facts(head),
            tried,
            generation: &self.live.generation,
            evidence: &evidence,
            now: self.live.evidence.at(if tried.count() == 0 { self.started } else { Instant::now() }),
            seed: self.number.wrapping_add(u64::from(tried.count())),
        };
        let choice = decide(&input, &mut ());
        let explanation = self.explanation.is_some().then(|| {
            let mut trace = FullTrace::default();
            explained::line(&self.live.generation, decide(&input, &mut trace), &trace)
        });
        self.turn = evidence.turn_taken();
        self.explanation = explanation;
        match choice {
            Choice::Forward(Plan { reason, .. }) | Choice::Refuse(reason, _) => {
                self.live.cells.decided(reason)
            }
            Choice::Answer(_) => {}
        }
        choice
    }

    /// Notes that a try at `backend` has failed.
    pub(crate) fn failed(&mut self, backend: BackendId, reason: Reason, fault: Fault) {
        self.live.cells.tried(backend, Some(reason));
        self.trace_failed(reason, fault);
        self.last_failure = Some(reason);
    }

    /// The path by which the route is chosen.
    pub(crate) fn path<'f>(&'f self, head: &'f RequestHead) -> &'f str {
        self.form.as_ref().map_or_else(|| head.path(), |form| &form.judged)
    }

    /// The path that is forwarded, if it is not as it came.
    pub(crate) fn new_path(&self) -> Option<&str> {
        self.form.as_ref().filter(|form| form.forwarded).map(|form| &*form.judged)
    }

    /// What the request says of itself, where its route asks.
    pub(crate) fn claims(&self) -> Option<&Claims> {
        self.claims.as_deref()
    }

    /// A place in the budget of repeats, if there is one.
    pub(crate) fn budget(&self, retry: &Retry) -> Option<InFlight> {
        self.live.evidence.pool(self.plan?.pool)?.repeat(retry)
    }

    /// Notes that a try begins.
    pub(crate) fn go(&mut self, plan: Plan) {
        self.plan = Some(plan);
        self.note.tries = self.note.tries.saturating_add(1);
        self.course.iter_mut().for_each(|course| course.go());
    }

    /// Notes how long a try's connection took to make; `None` for a kept one.
    pub(crate) fn note_connect(&mut self, took: Option<Duration>) {
        self.note.connect = took;
    }

    /// Notes the answer's status.
    pub(crate) fn note_status(&mut self, status: u16) {
        self.note.status = Some(status);
    }

    /// Notes what a try carried.
    pub(crate) fn note_carried(&mut self, up: u64, down: u64, head_at: Option<Instant>) {
        self.note.bytes_in += up;
        self.note.bytes_out += down;
        self.note.first_byte = head_at.map(|at| at.duration_since(self.started)).or(self.note.first_byte);
    }

    fn judge(&mut self, head: &RequestHead) -> Verdict {
        let reading = Reading::of(head.path());
        if let Some(reason) = self.refused(head, &reading) {
            return Verdict::page(self.error(head, reason), Some(reason));
        }
        let generation = Arc::clone(&self.live.generation);
        if let Some(ListenerKind::RedirectHttps { status }) =
            generation.listeners.get(self.connection.listener).map(|listener| &listener.kind)
        {
            return self.redirect(head, *status);
        }
        match form::of(head, reading, &generation.routes) {
            Ok(form) => self.form = form,
            Err(form::Ambiguous) => {
                let reason = Reason::RefusedMalformed;
                return Verdict::page(self.error(head, reason), Some(reason));
            }
        }
        if self.live.beliefs.any {
            let reader = Reader {
                generation: &generation,
                beliefs: &self.live.beliefs,
                now: self.live.evidence.at(self.started),
                number: self.number,
            };
            let metrics = &self.worker.edge.metrics;
            self.claims = reader.read(head, &self.facts(head), |doubt| metrics.disbelieved(doubt));
        }
        match self.decide(head, &Tried::default()) {
            Choice::Refuse(reason, route) => {
                self.route = route;
                Verdict::page(self.error(head, reason), Some(reason))
            }
            // In HTTP/2 any success would tell the client that it has its tunnel.
            Choice::Answer(id) if connects(head) => {
                self.route = Some(id);
                Verdict::page(self.error(head, Reason::NoRouteMethod), Some(Reason::NoRouteMethod))
            }
            Choice::Answer(id) => {
                self.route = Some(id);
                let action = generation.routes.route(id).map(|route| &route.action);
                match action {
                    Some(Action::Answer(answer)) => {
                        Verdict::page(Page::fixed(answer, head, self.path(head)), None)
                    }
                    _ => Verdict::page(self.error(head, Reason::NoRoutePath), Some(Reason::NoRoutePath)),
                }
            }
            Choice::Forward(plan) => self.admit(head, plan),
        }
    }

    /// Counts the request into its route and looks for loops.
    fn admit(&mut self, head: &RequestHead, plan: Plan) -> Verdict {
        self.route = Some(plan.route);
        self.live.evidence.offer(&plan.offered, self.started);
        let generation = &self.live.generation;
        let route = generation.routes.route(plan.route);
        if connects(head) && route.is_none_or(|route| !route.websocket) {
            return Verdict::page(self.error(head, Reason::NoRouteMethod), Some(Reason::NoRouteMethod));
        }
        if head.method() == Method::Options && headers::forwards(head) == Some(0) {
            return Verdict::page(self.options(head), None);
        }
        let limit = route.and_then(|route| route.limits.concurrency);
        let loops = generation.pool(plan.pool).map_or(0, |pool| pool.loop_limit);
        let passed = headers::passed(head, &generation.fleet.name);
        if passed > usize::try_from(loops).unwrap_or(usize::MAX) {
            return Verdict::page(self.error(head, Reason::RefusedLoop), Some(Reason::RefusedLoop));
        }
        let Some(limit) = limit else { return Verdict::Forward(plan, None) };
        match self.live.evidence.enter_route(plan.route, Some(limit)) {
            Some(place) => Verdict::Forward(plan, Some(place)),
            None => Verdict::page(self.error(head, Reason::RefusedLimit), Some(Reason::RefusedLimit)),
        }
    }

    /// Why a request is not served, whatever its route.
    fn refused(&self, head: &RequestHead, reading: &Reading) -> Option<Reason> {
        if matches!(head.method(), Method::Trace | Method::Connect) {
            return Some(Reason::NoRouteMethod);
        }
        if self.worker.is_strained() {
            return Some(Reason::RefusedOverload);
        }
        if matches!(reading, Reading::None) {
            return Some(Reason::RefusedMalformed);
        }
        let sni = self.connection.sni.as_ref().map(Host::as_str);
        let covered =
            self.connection.tls.is_none() || self.live.certificates.covers(sni, head.authority().host());
        (!covered).then_some(Reason::RefusedMisdirected)
    }

    fn redirect(&self, head: &RequestHead, status: u16) -> Verdict {
        let host = head.authority().host();
        if !self.live.generation.routes.knows(host) {
            return Verdict::page(self.error(head, Reason::NoRouteHost), Some(Reason::NoRouteHost));
        }
        let port = self.live.prepared.https_port.filter(|port| *port != 443);
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let query = head.query().map(|query| format!("?{query}")).unwrap_or_default();
        Verdict::page(Page::redirect(status, format!("https://{host}{port}{}{query}", head.path())), None)
    }

    /// The answer to OPTIONS that may not be forwarded (RFC 9110, 7.6.2).
    fn options(&self, head: &RequestHead) -> Page {
        let allowed =
            self.live.generation.routes.allowed(head.authority().host(), self.path(head)).join(", ");
        let fields = [("allow", allowed)].into_iter().filter(|(_, allowed)| !allowed.is_empty());
        Page { status: 204, content_type: "", body: "".into(), fields: fields.collect() }
    }

    fn error(&self, head: &RequestHead, reason: Reason) -> Page {
        let json = head.fields().get(Known::Accept).is_some_and(nearside_http::list::prefers_json);
        let mut page = Page::error(reason, self.reference.as_str(), json);
        if reason == Reason::NoRouteMethod {
            let allowed = self.live.generation.routes.allowed(head.authority().host(), self.path(head));
            page.fields.push(("allow", allowed.join(", ")));
        }
        page
    }
}

/// Whether it is an extended CONNECT: unlike an upgrade in HTTP/1, it is nothing else if it is not let through.
fn connects(head: &RequestHead) -> bool {
    head.upgrade() == Upgrade::WebSocket && head.version() == Version::Http2
}

impl Visit<'_> {
    /// What is known of the request.
    pub(crate) fn facts<'f>(&'f self, head: &'f RequestHead) -> Facts<'f> {
        let client = SocketAddr::new(self.believed.address, self.connection.client.port());
        Facts { path: self.path(head), ..facts(head, client, self.place, self.claims()) }
    }
}

/// What is known of the request with this head from `client`.
pub(crate) fn facts<'f>(
    head: &'f RequestHead,
    client: SocketAddr,
    place: Place,
    claims: Option<&'f Claims>,
) -> Facts<'f> {
    let mut facts = Facts {
        place,
        url_bytes: head.path().len() + head.query().map_or(0, |query| query.len() + 1),
        header_bytes: head.fields().buffer().len(),
        body_bytes: match head.body() {
            Body::None => Some(0),
            Body::Length(bytes) => Some(bytes),
            Body::Chunked | Body::UntilClose => None,
        },
        ..Facts::new(head.authority().host(), head.path(), head.method_text(), client)
    };
    if let Some(claims) = claims {
        claims.tell(&mut facts);
    }
    facts
}

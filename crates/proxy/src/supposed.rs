//! A request that nobody has sent: read and believed as one that somebody has.

use crate::claims::{Beliefs, Claims, Reader};
use crate::client_ip::believe;
use crate::request::{Form, facts, form};
use nearside_core::generation::{ClientIp, ListenerKind};
use nearside_core::{Facts, Generation, Now, Place};
use nearside_geo::Tables;
use nearside_http::{Limits, Progress, Refusal, RequestHead, request};
use nearside_telemetry::Disbelieved;
use std::net::{IpAddr, SocketAddr};

/// The words of a request.
#[derive(Clone, Copy, Debug)]
pub struct Wording<'a> {
    /// Its host.
    pub host: &'a str,
    /// Its path, with or without a query.
    pub path: &'a str,
    /// Its method.
    pub method: &'a str,
    /// Its fields, `name: value` a line.
    pub fields: &'a str,
    /// Who brings it: the client, or a hop before it.
    pub peer: IpAddr,
    /// Its own number.
    pub number: u64,
}

/// What it would be read by.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// What the file says.
    pub generation: &'a Generation,
    /// What is believed.
    pub beliefs: &'a Beliefs,
    /// Where addresses are.
    pub geo: &'a Tables,
    /// When.
    pub now: Now,
}

/// A request as it would be read.
#[derive(Debug)]
pub struct Supposed {
    head: RequestHead,
    form: Option<Box<Form>>,
    client: IpAddr,
    place: Place,
    claims: Option<Box<Claims>>,
    doubts: Vec<Disbelieved>,
    is_claimed: bool,
}

impl Supposed {
    /// Reads `wording` as on the first listener that serves.
    ///
    /// # Errors
    /// It is malformed.
    pub fn read(wording: &Wording<'_>, reading: &Reading<'_>) -> Result<Self, Refusal> {
        let Wording { host, path, method, fields, peer, number } = wording;
        let lines: String = fields.lines().map(|line| format!("{line}\r\n")).collect();
        let text = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{lines}\r\n");
        let mut head = RequestHead::new();
        match request::parse(text.as_bytes(), &Limits::default(), &mut head)? {
            Progress::Complete { .. } => {}
            Progress::Partial => return Err(Refusal::FirstLine),
        }
        let Reading { generation, beliefs, geo, now } = *reading;
        let reading = form::Reading::of(head.path());
        let form = form::of(&head, reading, &generation.routes).map_err(|form::Ambiguous| Refusal::Path)?;
        let mut serving = generation.listeners.iter();
        let listener = serving.find(|it| !matches!(it.kind, ListenerKind::RedirectHttps { .. }));
        let peer = peer.to_canonical();
        let believed = match listener {
            Some(listener) => believe(&listener.client_ip, peer, head.fields()),
            None => believe(&ClientIp::default(), peer, head.fields()),
        };
        let place = geo.place(believed.address);
        let mut doubts = Vec::new();
        let reader = Reader { generation, beliefs, now, number: *number };
        let mut this = Self {
            head,
            form,
            client: believed.address,
            place,
            claims: None,
            doubts: Vec::new(),
            is_claimed: believed.claimed,
        };
        this.claims = reader.read(&this.head, &this.facts(), |doubt| doubts.push(doubt));
        this.doubts = doubts;
        Ok(this)
    }

    /// What is known of it.
    #[must_use]
    pub fn facts(&self) -> Facts<'_> {
        let client = SocketAddr::new(self.client, 0);
        let facts = facts(&self.head, client, self.place, self.claims.as_deref());
        Facts { path: self.form.as_ref().map_or(facts.path, |form| &form.judged), ..facts }
    }

    /// What it says of itself and is not believed, and why.
    pub fn doubts(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let hops = self.is_claimed.then_some(("client", "of a peer that is not trusted"));
        self.doubts.iter().map(|doubt| doubt.label()).chain(hops)
    }
}

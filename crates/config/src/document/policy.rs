//! Policy: what each pool inherits from `defaults` and may override.

use crate::node::{Kind, Node, quoted};
use crate::reader::Reader;
use crate::report::Finding;
use crate::rule;
use crate::scalar::answer::Statuses;
use crate::scalar::field::{FieldName, FieldValue};
use crate::scalar::http::{self, Authority, Idempotent, Method, Target};
use crate::scalar::quantity::{Pause, Percent, Size, Time};
use crate::scalar::{Int, Says, words};
use crate::shape::{Form, Names, Scalar, Shape, Some1, Word, WordOr, document};
use nearside_core::policy::{AllDown, Balance, HashKey, ProbeProtocol, Protocol, ProxyProtocol};

/// `auto`: as the url says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Auto;

impl Word for Auto {
    const WORD: &'static str = "auto";
}

document! {
    settings
    /// A policy.
    Policy {
        /// The active check of each backend.
        probe: Probe = Probe::default(),
        /// Removal of a backend on live evidence.
        passive: Passive = Passive::default(),
        /// How one of several usable backends is chosen.
        select: Select = Select::default(),
        /// How a recovered backend comes back.
        failback: Failback = Failback::default(),
        /// Which failed tries are repeated. A connect failure is no repeat: the next candidate is tried anyway.
        retry: Retry = Retry::default(),
        /// Deadlines.
        timeouts: Timeouts = Timeouts::default(),
        /// Connections to each backend from each PoP.
        connections: Connections = Connections::default(),
        /// How often a request may have passed PoPs of this fleet, by `CDN-Loop`; more is refused with 508.
        loop_limit: Int<1, 255> = Int(4),
    }
}

/// The policy that pools inherit. Reading it hands it on to the pools that are read after it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Defaults(pub(crate) Policy);

impl Shape for Defaults {
    fn form() -> Form {
        Policy::form()
    }

    fn read<'a>(reader: &mut Reader<'a>, node: &'a Node, _base: Option<&Self>) -> Option<Self> {
        let defaults = Policy::read(reader, node, None).map(Self)?;
        reader.defaults = defaults.clone();
        Some(defaults)
    }

    fn write(&self) -> serde_yaml::Value {
        self.0.write()
    }
}

document! {
    settings
    /// The active check of a backend.
    Probe {
        /// What the probe speaks: `auto` is as the backend's url says, with the pool's `connections.protocol`; `tcp` is a handshake only.
        protocol: ProbeProtocol = ProbeProtocol::Auto,
        /// The method of an HTTP probe.
        method: Method = Method("HEAD".into()),
        /// The path of an HTTP probe.
        path: Target = Target("/".into()),
        /// The `Host` of an HTTP probe; `auto` is the backend's own.
        host: WordOr<Auto, Authority> = WordOr::word(),
        /// The port; `auto` is the backend's own.
        port: WordOr<Auto, Int<1, 65535>> = WordOr::word(),
        /// Further headers of an HTTP probe.
        headers: Names<FieldName, FieldValue> = Names::default(),
        /// The statuses that mean healthy.
        expect: Some1<Statuses> = vec![Statuses(200..=299)].into(),
        /// A text that the body of a healthy answer holds.
        expect_body: Option<Says> = None,
        /// The time from one probe to the next.
        interval: Time = Time::secs(5),
        /// The same from the first surprise until the verdict.
        fast_interval: Time = Time::secs(1),
        /// When a probe without an answer has failed; shorter than `interval`.
        timeout: Time = Time::secs(2),
        /// How far an interval is varied, either way, so that PoPs do not probe in step.
        jitter: Percent<5000> = Percent(1000),
        /// The failures in a row that make a backend unhealthy.
        fall: Int<1, 1000> = Int(3),
        /// The successes in a row that make it healthy.
        rise: Int<1, 1000> = Int(2),
    }
}

words!(ProbeProtocol {
    "auto" => ProbeProtocol::Auto,
    "http" => ProbeProtocol::Http,
    "https" => ProbeProtocol::Https,
    "tcp" => ProbeProtocol::Tcp,
});

document! {
    settings
    /// Removal on live evidence.
    Passive {
        /// The errors in a row that eject a backend.
        consecutive_errors: Int<1, 1_000_000> = Int(5),
        /// How long the first ejection lasts; each further one doubles it, up to 5 minutes.
        eject_for: Time = Time::secs(10),
        /// The most of a tier that may be ejected at one time; never its last backend. For errors, a later tier that is usable lifts that; for slowness nothing does.
        max_ejected: Percent<10_000> = Percent(5000),
    }
}

document! {
    settings
    /// How one of several usable backends is chosen.
    Select {
        /// Backends within the fastest plus this count as equally near.
        latency_tolerance: Pause = Pause::millis(30),
        /// How equals share: `p2c` takes two at random, by weight, and of them the one with less in flight; with `hash` requests that are alike in the key go to the same one, and when one comes or goes no others move.
        balance: Balance = Balance::P2c,
        /// Below this healthy share of its weight, a tier hands requests to the next.
        failover_below: Percent<10_000> = Percent(0),
        /// What happens when no backend is up: try one anyway, or answer 503.
        all_down: AllDown = AllDown::TryAll,
    }
}

impl Scalar for Balance {
    fn what() -> String {
        "`p2c`, `round_robin`, `hash(client)`, `hash(path)`, `hash(header:NAME)` or `hash(cookie:NAME)`"
            .to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        let key = text.strip_prefix("hash(").and_then(|rest| rest.strip_suffix(')'));
        let name = |name: &str| FieldName::parse(name.trim()).ok().map(|name| name.0);
        let hash = |key: &str| match key.split_once(':') {
            None if key == "client" => Some(HashKey::Client),
            None if key == "path" => Some(HashKey::Path),
            Some(("header", header)) => name(header).map(HashKey::Header),
            Some(("cookie", cookie)) if http::token(cookie.trim()) => {
                Some(HashKey::Cookie(cookie.trim().into()))
            }
            _ => None,
        };
        match (text, key.and_then(hash)) {
            ("p2c", _) => Ok(Self::P2c),
            ("round_robin", _) => Ok(Self::RoundRobin),
            (_, Some(key)) => Ok(Self::Hash(key)),
            _ => {
                let finding = Finding::new(rule::CHOICE, format!("{} is no way to balance", quoted(text)));
                Err(finding.hint(format!("write {}", <Self as Scalar>::what())))
            }
        }
    }

    fn write(&self) -> serde_yaml::Value {
        match self {
            Self::P2c => "p2c".into(),
            Self::RoundRobin => "round_robin".into(),
            Self::Hash(HashKey::Client) => "hash(client)".into(),
            Self::Hash(HashKey::Path) => "hash(path)".into(),
            Self::Hash(HashKey::Header(name)) => format!("hash(header:{name})").into(),
            Self::Hash(HashKey::Cookie(name)) => format!("hash(cookie:{name})").into(),
        }
    }

    fn json() -> serde_json::Value {
        serde_json::json!({ "anyOf": [
            { "enum": ["p2c", "round_robin", "hash(client)", "hash(path)"] },
            { "type": "string", "pattern": "^hash\\((header|cookie):[^)]+\\)$" },
        ] })
    }
}

words!(AllDown { "try_all" => AllDown::TryAll, "refuse" => AllDown::Refuse });

document! {
    settings
    /// How a recovered backend comes back.
    Failback {
        /// It is held back this long.
        hold: Pause = Pause::secs(60),
        /// Then its weight grows from 5 % to the whole over this time.
        ramp: Pause = Pause::secs(300),
    }
}

document! {
    settings
    /// Which failed tries are repeated.
    Retry {
        /// The repeats of one request at most. Connect failures do not count.
        max: Int<0, 16> = Int(1),
        /// What is repeated: `connect`, `reset` (the connection ended before the answer began, or the backend was marked down meanwhile), `timeout`, or a 5xx status.
        when: Vec<RetryCause> = vec![RetryCause::Connect, RetryCause::Reset],
        /// The methods that are repeated, of the idempotent ones.
        methods: Vec<Idempotent> =
            ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"].map(|method| Idempotent(method.into())).into(),
        /// How many repeats there may be at one time.
        budget: Budget = Budget::default(),
        /// Whether a repeat may go to another region.
        cross_region: bool = true,
        /// How much of a request's body is kept for a repeat; a longer one is not repeated.
        body_buffer: Size<{ 64 << 20 }> = Size(64 << 10),
    }
}

document! {
    settings
    /// How many repeats there may be at one time.
    Budget {
        /// The most repeats at one time, as a share of the requests in flight.
        share: Percent<10_000> = Percent(2000),
        /// The repeats that are possible whatever the share says.
        min: Int<0, { u32::MAX }> = Int(10),
    }
}

/// What is repeated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RetryCause {
    Connect,
    Reset,
    Timeout,
    Status(u16),
}

impl Scalar for RetryCause {
    const KINDS: &'static [Kind] = &[Kind::Text, Kind::Number];

    fn what() -> String {
        "`connect`, `reset`, `timeout` or a 5xx status".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Finding> {
        match (text, text.parse()) {
            ("connect", _) => Ok(Self::Connect),
            ("reset", _) => Ok(Self::Reset),
            ("timeout", _) => Ok(Self::Timeout),
            (_, Ok(status @ 500..=599)) => Ok(Self::Status(status)),
            _ => {
                let finding =
                    Finding::new(rule::RETRY_WHEN, format!("{} is no cause for a repeat", quoted(text)));
                Err(finding.hint(format!("write {}", Self::what())))
            }
        }
    }

    fn write(&self) -> serde_yaml::Value {
        match self {
            Self::Connect => "connect".into(),
            Self::Reset => "reset".into(),
            Self::Timeout => "timeout".into(),
            Self::Status(status) => (*status).into(),
        }
    }

    fn json() -> serde_json::Value {
        serde_json::json!({ "anyOf": [
            { "enum": ["connect", "reset", "timeout"] },
            { "type": "integer", "minimum": 500, "maximum": 599 },
        ] })
    }
}

document! {
    settings
    /// Deadlines.
    Timeouts {
        /// To connect, TLS included.
        connect: Time = Time::secs(2),
        /// From the end of the request to the head of the answer.
        response: Time = Time::secs(30),
        /// For the whole request, all tries included. By default there is none.
        request: Option<Time> = None,
        /// Between two pieces of a body, either way.
        body_idle: Time = Time::secs(30),
        /// The same on streams: WebSocket, server-sent events, gRPC.
        stream_idle: Time = Time::secs(300),
        /// Between two requests of a client's connection.
        client_idle: Time = Time::secs(60),
        /// For the whole head of a request.
        client_header: Time = Time::secs(10),
        /// The bytes of a body, request's or answer's, that a client has to send or take each second, on average over the last `body_idle`, while it is waited for; 0 is no least. Streams are exempt.
        body_rate: Int<0, 1_000_000_000> = Int(240),
        /// How long a client may be waited for before that counts.
        body_grace: Pause = Pause::secs(10),
    }
}

document! {
    settings
    /// Connections to each backend from each PoP.
    Connections {
        /// What is spoken: `auto` is what ALPN finds, and HTTP/1.1 without TLS; `h2c` is HTTP/2 without TLS.
        protocol: Protocol = Protocol::Auto,
        /// How long an idle one is kept; less where the backend says or shows that it keeps it shorter.
        keepalive: Pause = Pause::secs(55),
        /// The most connections.
        max: Int<1, 1_000_000> = Int(1024),
        /// The most requests that wait for one.
        max_pending: Int<0, 1_000_000> = Int(1024),
        /// How many are kept ready before requests want them, with TLS where there is any, in later tiers too: so many of HTTP/1.1, one with free streams of HTTP/2. They count as part of `max`. 0 makes none ahead. With `proxy_protocol` there are none.
        prewarm: Int<0, 1000> = Int(4),
        /// Each connection begins with a PROXY protocol header of this version, which tells the client's address and the one that it connected to. Such a connection carries requests of one client connection only. Probes are announced as our own (v1 `UNKNOWN`, v2 `LOCAL`), and without a header where `probe.port` is set.
        proxy_protocol: Option<ProxyProtocol> = None,
    }
}

words!(ProxyProtocol { "v1" => ProxyProtocol::V1, "v2" => ProxyProtocol::V2 });

words!(Protocol {
    "auto" => Protocol::Auto,
    "h1" => Protocol::H1,
    "h2" => Protocol::H2,
    "h2c" => Protocol::H2c,
});

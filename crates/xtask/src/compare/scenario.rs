//! The scenarios of a comparison: how requests are sent, and what nearside may cost at most beside whom.

/// One way to send requests.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) tls: bool,
    pub(super) load: Load,
    /// Requests of a round, as a part of those of the cheapest scenario.
    pub(super) part: usize,
    /// The most that nearside may cost, as a ratio to a peer, or to its own in another scenario.
    pub(super) at_most: &'static [(&'static str, f64)],
}

/// Who sends the requests.
pub(super) enum Load {
    /// `h2load` with these arguments, to this path.
    Kept(&'static [&'static str], &'static str),
    /// As [`Load::Kept`], each request with a body of 1 MB.
    Upload(&'static [&'static str]),
    /// A connection for each request, 8 at once; with or without the tickets of the ones before.
    Fresh { resumed: bool },
    /// As [`Load::Kept`], to a thousand of the hosts.
    Hosts(&'static [&'static str]),
}

impl Scenario {
    /// The most connections at once.
    pub(super) fn connections(&self) -> usize {
        if self.part == 1 { 64 } else { 8 }
    }
}

const B: Scenario = Scenario {
    name: "B",
    title: "HTTP/1.1 over TLS 1.3, 1 KB",
    tls: true,
    load: Load::Kept(&["--h1", "-c64"], "/"),
    part: 1,
    at_most: &[("nginx", 0.65)],
};

/// What every proxy is put through in its usual configuration.
pub(super) const USUAL: &[Scenario] = &[
    Scenario {
        name: "A",
        title: "HTTP/1.1, 1 KB",
        tls: false,
        load: Load::Kept(&["--h1", "-c64"], "/"),
        part: 1,
        at_most: &[("nginx", 0.80)],
    },
    B,
    Scenario {
        name: "C",
        title: "HTTP/2 over TLS 1.3, 8 x 32 streams, 1 KB",
        tls: true,
        load: Load::Kept(&["-c8", "-m32"], "/"),
        part: 1,
        at_most: &[("haproxy", 0.85)],
    },
    Scenario {
        name: "D",
        title: "full handshake and one request",
        tls: true,
        load: Load::Fresh { resumed: false },
        part: 10,
        at_most: &[("nginx", 0.35), ("envoy", 0.65)],
    },
    Scenario {
        name: "D2",
        title: "resumed handshake and one request",
        tls: true,
        load: Load::Fresh { resumed: true },
        part: 10,
        at_most: &[("nginx", 0.35), ("envoy", 0.65)],
    },
    Scenario {
        name: "E",
        title: "download of 10 MB over TLS",
        tls: true,
        load: Load::Kept(&["--h1", "-c8"], "/10m"),
        part: 400,
        at_most: &[("envoy", 0.75)],
    },
    Scenario {
        name: "F",
        title: "upload of 1 MB over TLS",
        tls: true,
        load: Load::Upload(&["--h1", "-c8"]),
        part: 40,
        at_most: &[("envoy", 0.75)],
    },
];

/// What every proxy is put through with [`super::setup::MANY`] hosts: A, to many of them.
pub(super) const ROUTING: &[Scenario] = &[Scenario {
    name: "I",
    title: "HTTP/1.1, 1 KB, 10,000 hosts",
    tls: false,
    load: Load::Hosts(&["--h1", "-c64"]),
    part: 1,
    at_most: &[],
}];

/// B again, for nearside with its log.
pub(super) const LOGGED: &[Scenario] =
    &[Scenario { name: "L", title: "B with its log", at_most: &[("B", 1.10)], ..B }];

/// B again, for nearside with its log and a decision over three regions.
pub(super) const FULL: &[Scenario] = &[Scenario {
    name: "S",
    title: "B with its log and a decision over three regions",
    at_most: &[("B", 1.10)],
    ..B
}];

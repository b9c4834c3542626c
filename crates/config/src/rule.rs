//! The rules that a file is held to, each with its stable name.

use std::fmt;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is taken.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Error { "error" } else { "warning" })
    }
}

/// A rule: its name never changes, so that scripts may rely on it.
#[derive(Debug)]
pub struct Rule {
    /// Its name.
    pub id: &'static str,
    /// What breaking it costs.
    pub severity: Severity,
    /// What it asks for.
    pub about: &'static str,
}

macro_rules! rules {
    ($($severity:ident { $($name:ident = $id:literal: $about:literal)* })*) => {
        $($(pub(crate) const $name: &Rule = &Rule { id: $id, severity: Severity::$severity, about: $about };)*)*

        /// Every rule of this crate.
        pub const RULES: &[&Rule] = &[$($($name),*),*];
    };
}

rules! {
    Error {
        SIZE_OF_FILE = "yaml.size": "The file has at most 16 MiB."
        EMPTY_FILE = "yaml.empty": "The file says something."
        NUL = "yaml.nul": "The file holds no NUL byte."
        ENCODING = "yaml.encoding": "The file is UTF-8."
        SYNTAX = "yaml.syntax": "The file is YAML 1.2."
        TAB = "yaml.tab": "Lines are indented by spaces."
        DUPLICATE_KEY = "yaml.duplicate_key": "A key stands once in its mapping."
        KEY = "yaml.key": "A key is text."
        TAG = "yaml.tag": "Values bear no YAML tag."
        DOCUMENTS = "yaml.documents": "The file is one YAML document."
        DEPTH = "yaml.depth": "Values nest at most 32 deep."
        ALIAS = "yaml.alias": "Aliases repeat at most 10000 values, and no value holds itself."
        UNKNOWN_KEY = "config.unknown_key": "Every key is known."
        MISSING = "config.missing": "A required key is there."
        VERSION = "config.version": "The version is 1."
        TYPE = "config.type": "A value has the type that its key asks for."
        RANGE = "config.range": "A number lies in its range."
        CHOICE = "config.choice": "A word is one of those that its key knows."
        EMPTY_LIST = "config.empty_list": "A list that needs an entry has one."
        EMPTY_TEXT = "config.empty_text": "A text that says something is not empty."
        TOO_MANY = "config.too_many": "At most 256 regions, and 256 backends in a pool."
        NAME = "config.name": "A name is letters, digits, `.`, `_` and `-`, at most 64."
        FLEET_NAME = "config.fleet_name": "The fleet's name is a token, as `CDN-Loop` needs it."
        DURATION = "config.duration": "A duration is a whole number with ms, s, m, h or d."
        BYTES = "config.size": "A size is a whole number of bytes, or one with B, KB, KiB, MB, MiB, GB or GiB."
        PERCENT = "config.percent": "A share is a percentage."
        DATE = "config.date": "`until` is an RFC 3339 date, or date and time."
        COUNTRY = "config.country": "A country is an ISO 3166-1 code."
        PLACE_BOOLEAN = "config.place_boolean": "A place is no boolean."
        STATE = "config.state": "A state is an ISO 3166-2 code of its country."
        POSITION = "config.position": "A position has both `lat` and `lon`."
        GROUP = "config.group": "A group of countries is EU, EEA or GDPR."
        CONTINENT = "config.continent": "A continent is AF, AN, AS, EU, NA, OC or SA."
        CLOUD = "config.cloud": "A cloud's region is known, and stands instead of a place."
        AREA = "config.area": "An entry for a place names one, and one for a home nothing else."
        AREA_TWICE = "config.area_twice": "A place is named once in a list."
        RESIDENCY_REGION = "config.residency_region": "A residency class has a region."
        RATE = "config.rate": "A rate is a number of requests a second, such as `40000 rps`."
        COOKIE_NAME = "config.cookie_name": "A cookie's name is a token."
        HOME_SOURCE = "config.home_source": "A home's value stands in one of cookie, header and jwt."
        HOME_KEY = "config.home_key": "A home's value is verified with one of hmac_key_file and public_key_file."
        HOME_SUBJECT = "config.home_subject": "A home's subject stands in one of cookie and header."
        HOME_UNVERIFIED = "config.home_unverified": "A home that decides residency is verified."
        RESIDENCY_HOME = "config.residency_home": "A home that decides residency is one that the route knows."
        AFFINITY_COOKIE = "config.affinity_cookie": "The affinity cookies of one host differ in name."
        SURVIVE = "config.survive": "A residency class is served still after the losses that it has to survive."
        URL = "config.url": "A backend's url is `http://host[:port]`, `https://host[:port]` or `unix:/path`."
        COLLECTOR = "config.collector": "A collector's endpoint is `http://host:4318/v1/traces`, or the same with https."
        HOST = "config.host": "A host is a name, `*.name` or `*`."
        SNI = "config.sni": "A TLS server name is a host name."
        PATH = "config.path": "A route's path is exact (`/a`) or a prefix (`/a/*`)."
        PROBE_PATH = "config.probe_path": "A probe's path begins with a slash."
        METHOD = "config.method": "A method is a token in upper case, and neither TRACE nor CONNECT."
        RETRY_METHOD = "config.retry_method": "Only idempotent methods are repeated."
        RETRY_WHEN = "config.retry_when": "A repeat's cause is connect, reset, timeout or a 5xx status."
        STATUS = "config.status": "A status, or a range of them, lies in its range."
        HEADER_NAME = "config.header_name": "A header's name is a token."
        HEADER_VALUE = "config.header_value": "A header's value is printable ASCII."
        HEADER_RESERVED = "config.header_reserved": "Hop-by-hop, framing and X-Nearside- headers are nearside's own."
        HEADER_TWICE = "config.header_twice": "A header is edited once."
        ADDRESS = "config.address": "An address is an IP address with a port."
        NETWORK = "config.network": "A network is an IP address, or one with a prefix length and no bits after it."
        FILE = "config.file": "A file's path is not empty."
        LOCATION = "config.location": "A location is a URL or a path, with {path}, {query} and {host} in it."
        ANSWER = "config.answer": "A redirect has a location, nothing else has one, and 204 and 304 have no body."
        UNDECLARED = "config.undeclared": "What is referred to is declared."
        ROUTE_TARGET = "config.route_target": "A route has one of pool, backends and answer."
        ROUTE_DUPLICATE = "config.route_duplicate": "Two routes differ in host, path or methods."
        ROUTE_ID = "config.route_id": "Two routes differ in id."
        POOL_TAKEN = "config.pool_taken": "Inline backends make a pool with a name of its own."
        STRIP_PREFIX = "config.strip_prefix": "`strip_prefix` begins the route's path."
        BACKEND_DUPLICATE = "config.backend_duplicate": "Two backends of a pool differ in id, or in url."
        BACKEND_LOOP = "config.backend_loop": "No backend is a listener or the admin address."
        WEIGHTS_ZERO = "config.weights_zero": "Some weight of a tier is above 0."
        PROBE_TIMEOUT = "config.probe_timeout": "A probe's timeout is shorter than its interval."
        PROBE_BODY = "config.probe_body": "A probe that expects a body uses a method whose answer has one."
        SOCKET_PROBE = "config.socket_probe": "The probe of a Unix socket has neither a port nor TLS."
        H2_WITHOUT_TLS = "config.h2_without_tls": "`h2` needs https backends, and `h2c` http ones."
        CLIENT_CERTIFICATE = "config.client_certificate": "A client certificate and its key come together."
        LISTENER_DUPLICATE = "config.listener_duplicate": "Two listeners, or a listener and the admin page, differ in address."
        LISTENER_MODE = "config.listener_mode": "A listener serves TLS or redirects; what belongs to TLS stands at TLS listeners."
        CLIENT_IP = "config.client_ip": "Who else says the client's address is a trusted hop; a socket needs none."
        ADMIN_PUBLIC = "config.admin_public": "An admin address that other machines can reach has a token and certificates."
        REDIRECT_TARGET = "config.redirect_target": "A listener that redirects to HTTPS needs a TLS listener."
        NO_CERTIFICATE = "config.no_certificate": "A TLS listener needs certificates or `self_signed`."
        DEFAULT_CERTIFICATE = "config.default_certificate": "One certificate at most is the default."
    }
    Warning {
        HOST_WITHOUT_REST = "config.host_without_rest": "A host has a route for `/*`."
        ROUTE_SHADOWED = "config.route_shadowed": "Some request reaches a route."
        POOL_UNUSED = "config.pool_unused": "Some route uses a pool."
        ONE_REGION = "config.one_region": "A pool's backends stand in more than one region."
        WEIGHTS_WITHOUT_BAND = "config.weights_without_band": "Weights that differ have a latency tolerance to work in."
        ALL_DRAINED = "config.all_drained": "Some backend of a pool is not drained."
        UNVERIFIED = "config.unverified": "Backends' certificates are verified."
        GEO_STANDBY = "config.geo_standby": "A place is not sent to a region of standby backends alone."
        FAST_INTERVAL = "config.fast_interval": "A probe's fast interval is not longer than its interval."
    }
}

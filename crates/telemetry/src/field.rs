//! The names of fields, the same in the access log and in the program's own events.

macro_rules! fields {
    ($($(#[doc = $help:literal])* $name:ident = $text:literal;)*) => {
        $($(#[doc = $help])* pub const $name: &str = $text;)*

        /// Every field, in the order of the list.
        pub const ALL: &[&str] = &[$($name,)*];
    };
}

fields! {
    /// When the request's head had arrived, RFC 3339 in UTC.
    TIME = "time";
    /// The request's unique id, as in `X-Nearside-Ref`.
    REF = "ref";
    /// The client's address, as believed.
    CLIENT = "client";
    /// The address at the other end of the socket, where that is another.
    PEER = "peer";
    /// What the client spoke.
    PROTOCOL = "protocol";
    /// The TLS version, when there was one.
    TLS = "tls";
    /// The host that was asked for.
    HOST = "host";
    /// The method.
    METHOD = "method";
    /// The path, without its query.
    PATH = "path";
    /// The query, where it is not left out.
    QUERY = "query";
    /// The client's cookies, where they are not left out.
    COOKIE = "cookie";
    /// The client's credentials, where they are not left out.
    AUTHORIZATION = "authorization";
    /// The answer's status; absent when the client got none.
    STATUS = "status";
    /// Why the request went where it went, or was not served.
    REASON = "reason";
    /// The route's id.
    ROUTE = "route";
    /// The pool's name.
    POOL = "pool";
    /// The region's name.
    REGION = "region";
    /// The backend's id, or its url.
    BACKEND = "backend";
    /// How many backends were tried.
    TRIES = "tries";
    /// Microseconds from the request's head to the end of its answer.
    TOTAL_US = "total_us";
    /// Microseconds that the last connection took to make; absent when a kept one served.
    CONNECT_US = "connect_us";
    /// Microseconds from the request's head to the first byte of the answer's head.
    FIRST_BYTE_US = "first_byte_us";
    /// Bytes of request body.
    BYTES_IN = "bytes_in";
    /// Bytes of answer body.
    BYTES_OUT = "bytes_out";
    /// The id of the trace that it belongs to, as backends were told.
    TRACE_ID = "trace_id";
    /// The generation's number and content hash.
    GENERATION = "generation";
    /// The address of a listener.
    LISTENER = "listener";
    /// What went wrong.
    CAUSE = "cause";
}

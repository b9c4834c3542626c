//! Connection: what a head says of the connection it travels on.

use crate::known::same;
use crate::{Fields, Known, Refusal, bytes_of, list};
use std::time::Duration;

/// The most names that `Connection` may name besides its own words.
const NOMINATIONS: usize = 32;

/// What a written head says of the connection.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Persist {
    /// Nothing: HTTP/1.1 stays open.
    #[default]
    Keep,
    /// That it stays open, to a client that speaks HTTP/1.0.
    KeepAlive,
    /// That it closes after this exchange.
    Close,
    /// That it becomes a WebSocket.
    Upgrade,
}

/// The protocol that a head asks for, or switches to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Upgrade {
    /// None.
    #[default]
    None,
    /// `websocket`.
    WebSocket,
    /// Something that is never passed on, such as `h2c`.
    Other,
}

/// The options of `Connection`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    pub(crate) close: bool,
    pub(crate) keep_alive: bool,
    pub(crate) upgrade: bool,
}

impl Options {
    /// Notes an option; whether it is one of ours.
    fn take(&mut self, option: &[u8]) -> bool {
        if same(option, b"keep-alive") {
            self.keep_alive = true;
        } else if same(option, b"close") {
            self.close = true;
        } else if same(option, b"upgrade") {
            self.upgrade = true;
        } else {
            return false;
        }
        true
    }
}

/// Reads the options and marks the fields that they name.
pub(crate) fn options(fields: &mut Fields) -> Result<Options, Refusal> {
    let mut options = Options::default();
    if !fields.contains(Known::Connection) {
        return Ok(options);
    }
    let mut nominations = 0;
    for value in fields.all(Known::Connection) {
        // Nearly always there is one option.
        if !options.take(value) {
            let each = value.split(|byte| *byte == b',').map(bytes_of::trim);
            nominations += each.filter(|option| !option.is_empty() && !options.take(option)).count();
        }
    }
    if nominations > NOMINATIONS {
        return Err(Refusal::TooManyFields);
    }
    if nominations > 0 {
        fields.mark_named()?;
    }
    Ok(options)
}

/// What a request's `Upgrade` names, if `Connection` names `Upgrade`: a WebSocket only with a lawful key.
pub(crate) fn asked(fields: &Fields, options: Options) -> Upgrade {
    if !options.upgrade || !fields.contains(Known::Upgrade) {
        Upgrade::None
    } else if fields.all(Known::Upgrade).any(|value| list::contains(value, "websocket"))
        && !fields.is_repeated(Known::SecWebSocketKey)
        && fields.get(Known::SecWebSocketKey).is_some_and(is_key)
    {
        Upgrade::WebSocket
    } else {
        Upgrade::Other
    }
}

/// What a 101 switches to: a WebSocket only where it names nothing else.
pub(crate) fn switched(fields: &Fields, options: Options) -> Upgrade {
    match fields.get(Known::Upgrade) {
        Some(protocol) if options.upgrade => {
            if protocol.eq_ignore_ascii_case(b"websocket") && !fields.is_repeated(Known::Upgrade) {
                Upgrade::WebSocket
            } else {
                Upgrade::Other
            }
        }
        _ => Upgrade::None,
    }
}

/// Whether it is the base64 of 16 bytes (RFC 6455, 4.2.1).
fn is_key(value: &[u8]) -> bool {
    match value {
        [text @ .., b'=', b'='] => {
            text.len() == 22
                && text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
        }
        _ => false,
    }
}

/// How long the peer says it keeps an idle connection.
pub(crate) fn timeout(fields: &Fields) -> Option<Duration> {
    let parameters = fields.all(Known::KeepAlive).flat_map(list::members);
    let mut timeouts = parameters.filter_map(|parameter| {
        let at = parameter.iter().position(|byte| *byte == b'=')?;
        let name = bytes_of::trim(parameter.get(..at)?);
        let digits = std::str::from_utf8(bytes_of::trim(parameter.get(at + 1..)?)).ok()?;
        let seconds: u32 =
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
        name.eq_ignore_ascii_case(b"timeout").then_some(Duration::from_secs(seconds.into()))
    });
    timeouts.next()
}

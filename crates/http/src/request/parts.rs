//! Parts: a request that came as pseudo-headers and fields, by the rules of HTTP/2 (RFC 9113, 8).

use super::{Form, RequestHead, Scheme};
use crate::bytes_of::{Span, is_token, is_token_byte, is_value};
use crate::fields::{Fields, no_twin};
use crate::known::{HOP_BY_HOP, Known};
use crate::{Body, Limits, Method, Refusal, Upgrade, Version, framing};

/// The pseudo-headers of a request.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// `:method`
    pub method: &'a str,
    /// `:scheme`
    pub scheme: Option<&'a str>,
    /// `:authority`
    pub authority: Option<&'a str>,
    /// `:path`
    pub path: &'a str,
    /// `:protocol`, of extended CONNECT (RFC 8441).
    pub protocol: Option<&'a str>,
    /// Whether the stream ended with its head.
    pub end: bool,
}

impl RequestHead {
    /// Takes a request from its parts. The buffer is laid out as the HTTP/1 head that says the same: an extended CONNECT
    /// to a WebSocket is the GET that asks for one.
    ///
    /// # Errors
    /// What [`super::parse`] refuses, as far as it can be said in parts; upper case in names; fields that belong to a
    /// connection; an authority and a `host` that disagree; a `content-length` where the stream has ended.
    pub fn read_parts<'f>(
        &mut self,
        parts: &Parts<'_>,
        fields: impl IntoIterator<Item = (&'f [u8], &'f [u8])>,
        limits: &Limits,
    ) -> Result<(), Refusal> {
        self.clear();
        self.version = Version::Http2;
        self.keep_alive = true;
        self.take_line(parts, limits)?;
        for (name, value) in fields {
            if self.fields.len() >= limits.fields {
                return Err(Refusal::TooManyFields);
            }
            self.take_field(name, value)?;
            if self.fields.buffer().len() + self.cookie.len() > limits.head_bytes {
                return Err(Refusal::HeadTooLarge);
            }
        }
        if !self.cookie.is_empty() {
            self.fields.push(b"cookie", &self.cookie);
        }
        self.read_host_of_parts()?;
        self.read_body_of_parts(parts.end)?;
        self.read_expectations()
    }

    fn take_line(&mut self, parts: &Parts<'_>, limits: &Limits) -> Result<(), Refusal> {
        if !is_token(parts.method.as_bytes()) {
            return Err(Refusal::Method);
        }
        if parts.method.len() + parts.path.len() > limits.line_bytes {
            return Err(Refusal::LineTooLong);
        }
        let is_web_socket = parts.protocol.is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"));
        let method = if is_web_socket && parts.method == "CONNECT" {
            self.upgrade = Upgrade::WebSocket;
            "GET"
        } else {
            parts.method
        };
        self.method = Method::classify(method.as_bytes());
        self.fields.begin(&[method.as_bytes(), b" ", parts.path.as_bytes(), b" HTTP/1.1\r\n"]);
        self.method_text = Span::new(0, method.len());
        if let Some(authority) = parts.authority {
            self.authority.read(authority.as_bytes())?;
        }
        if self.method == Method::Connect {
            self.form = Form::Authority;
            return if self.authority.host().is_empty() { Err(Refusal::HostMissing) } else { Ok(()) };
        }
        let scheme = parts.scheme.and_then(|scheme| Scheme::parse(scheme.as_bytes()));
        self.scheme = Some(scheme.ok_or(Refusal::Target)?);
        if !parts.path.starts_with('/') && parts.path != "*" {
            return Err(Refusal::Target);
        }
        self.read_target(parts.path)
    }

    fn take_field(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
        check_field(name, value)?;
        let known = Known::classify(name);
        match known {
            Known::Te if value.eq_ignore_ascii_case(b"trailers") => self.fields.push(name, value),
            Known::Cookie => {
                // Crumbs of one cookie field, which HTTP/1 has on one line (RFC 9113, 8.2.3).
                if !self.cookie.is_empty() && !value.is_empty() {
                    self.cookie.extend_from_slice(b"; ");
                }
                self.cookie.extend_from_slice(value);
            }
            _ if is_connections(known) => return Err(Refusal::ConnectionField),
            _ if no_twin(name, known) => self.fields.push(name, value),
            _ => {}
        }
        Ok(())
    }

    fn read_host_of_parts(&mut self) -> Result<(), Refusal> {
        if self.fields.is_repeated(Known::Host) {
            return Err(Refusal::HostTwice);
        }
        match self.fields.get(Known::Host) {
            None if self.authority.host().is_empty() => Err(Refusal::HostMissing),
            None => Ok(()),
            Some(host) if self.authority.host().is_empty() => self.authority.read(host),
            Some(host) => {
                self.other.read(host)?;
                let default_port = self.scheme.map_or(443, Scheme::default_port);
                if self.authority.agrees(&self.other, default_port) {
                    Ok(())
                } else {
                    Err(Refusal::HostDisagrees)
                }
            }
        }
    }

    fn read_body_of_parts(&mut self, end: bool) -> Result<(), Refusal> {
        let declared = framing::declared(&self.fields, self.version)?;
        if self.upgrade == Upgrade::WebSocket {
            // What follows is no body of this request, but what a tunnel carries once there is one.
            return if declared.length.is_some() { Err(Refusal::ContentLength) } else { Ok(()) };
        }
        self.body = match (declared.length, end) {
            (Some(1..), true) => return Err(Refusal::ContentLength),
            (Some(length), _) => Body::Length(length),
            (None, true) => Body::None,
            (None, false) => Body::Chunked,
        };
        Ok(())
    }
}

/// Whether a field of HTTP/2 may stand there at all.
pub(crate) fn check_field(name: &[u8], value: &[u8]) -> Result<(), Refusal> {
    if name.is_empty() || !name.iter().all(|byte| is_token_byte(*byte) && !byte.is_ascii_uppercase()) {
        Err(Refusal::FieldName)
    } else if !is_value(value) {
        Err(Refusal::FieldValue)
    } else {
        Ok(())
    }
}

/// Whether the field speaks of a connection, which HTTP/2 has no field for (RFC 9113, 8.2.2).
pub(crate) fn is_connections(known: Known) -> bool {
    matches!(
        known,
        Known::Connection
            | Known::KeepAlive
            | Known::ProxyConnection
            | Known::Te
            | Known::TransferEncoding
            | Known::Upgrade
    ) && HOP_BY_HOP.has(known)
}

/// Takes the fields of an answer or of trailers as lines.
pub(crate) fn take_fields<'f>(
    into: &mut Fields,
    fields: impl IntoIterator<Item = (&'f [u8], &'f [u8])>,
    limits: &Limits,
    keep: fn(&[u8], Known) -> bool,
) -> Result<(), Refusal> {
    for (name, value) in fields {
        check_field(name, value)?;
        let known = Known::classify(name);
        if is_connections(known) {
            return Err(Refusal::ConnectionField);
        }
        if keep(name, known) {
            into.push(name, value);
        }
        if into.len() > limits.fields {
            return Err(Refusal::TooManyFields);
        }
        if into.buffer().len() > limits.head_bytes {
            return Err(Refusal::HeadTooLarge);
        }
    }
    Ok(())
}

//! Target: what a request is for, in each of the forms that a first line may have (RFC 9112, 3.2).

use super::RequestHead;
use crate::{Method, Refusal};

/// The form that the target came in.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Form {
    /// A path, as it is sent to servers.
    #[default]
    Origin,
    /// A whole URI, as it is sent to proxies.
    Absolute,
    /// A host and port, as CONNECT has it.
    Authority,
    /// `*`, of OPTIONS.
    Asterisk,
}

/// The scheme that a target names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scheme {
    /// `http`
    Http,
    /// `https`
    Https,
}

impl Scheme {
    /// The scheme of this name, whatever its case.
    pub fn parse(name: &[u8]) -> Option<Self> {
        if name.eq_ignore_ascii_case(b"https") {
            Some(Self::Https)
        } else if name.eq_ignore_ascii_case(b"http") {
            Some(Self::Http)
        } else {
            None
        }
    }

    /// The port that stands for none.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl RequestHead {
    /// Takes the target apart by its form.
    pub(super) fn read_target(&mut self, target: &[u8]) -> Result<(), Refusal> {
        if !is_target(target) {
            return Err(Refusal::Target);
        }
        let target = std::str::from_utf8(target).map_err(|_other| Refusal::Target)?;
        if self.method == Method::Connect {
            self.form = Form::Authority;
            return self.authority.read(target.as_bytes()).map_err(|_host| Refusal::Target);
        }
        if target.starts_with('/') {
            self.take_path(target);
        } else if target == "*" {
            self.form = Form::Asterisk;
            if self.method != Method::Options {
                return Err(Refusal::Target);
            }
            self.take_path(target);
        } else {
            self.form = Form::Absolute;
            let (scheme, rest) = target.split_once("://").ok_or(Refusal::Target)?;
            self.scheme = Some(Scheme::parse(scheme.as_bytes()).ok_or(Refusal::Target)?);
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
            self.authority.read(authority.as_bytes())?;
            self.take_path_after_authority(path);
        }
        Ok(())
    }

    /// An absolute target may leave out its first slash; for OPTIONS, nothing at all means `*`.
    fn take_path_after_authority(&mut self, path: &str) {
        if path.is_empty() && self.method == Method::Options {
            self.take_path("*");
            return;
        }
        if !path.starts_with('/') {
            self.target.push('/');
        }
        self.take_path(path);
    }

    pub(super) fn take_path(&mut self, target: &str) {
        self.target.push_str(target);
        self.path_len = memchr::memchr(b'?', self.target.as_bytes()).unwrap_or(self.target.len());
    }
}

/// Whether the bytes can be a target: visible ASCII without a fragment.
pub(crate) fn is_target(target: &[u8]) -> bool {
    !target.is_empty() && target.iter().all(|byte| matches!(byte, b'!'..=b'~') && *byte != b'#')
}

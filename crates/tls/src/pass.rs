//! A pass: the secrets that open the admin interface, and the sessions of browsers that have shown one.

use crate::file::Content;
use crate::identity::Identity;
use crate::keys::{self, Secret};
use crate::problem::{Problem, Warning};
use crate::seal::Seal;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use std::fmt;
use std::path::Path;
use std::time::Duration;

const KEY_PATH: &str = "observe.admin_token";
/// How long a session lasts.
pub const SESSION: Duration = Duration::from_hours(12);

/// Who knows one of these secrets may ask.
#[derive(Clone)]
pub struct Pass {
    prints: Box<[[u8; 32]]>,
    sessions: Seal,
}

impl Pass {
    /// Reads the secrets in the file at `path`.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn load(path: &Path) -> Result<(Self, Vec<Warning>), Vec<Problem>> {
        let content = Content::read(KEY_PATH, path).map_err(|problem| vec![problem])?;
        let secrets = keys::secrets(KEY_PATH, path, &content.bytes)?;
        let pass = Self {
            prints: secrets.iter().map(print).collect(),
            sessions: Seal::new(secrets.iter().map(|secret| secret.derive("admin session", &[]))),
        };
        Ok((pass, content.exposure(KEY_PATH, path).into_iter().collect()))
    }

    /// Whether `token` is one of the secrets, as text. How long that takes says nothing of them.
    #[must_use]
    pub fn admits(&self, token: &str) -> bool {
        let Some(bytes) = keys::decode(token.trim()) else { return false };
        let shown = print(&Secret::new(&bytes));
        // All are looked at, so that it does not show which one it was.
        let found = self.prints.iter().filter(|own| verify_slices_are_equal(*own, &shown).is_ok());
        found.count() > 0
    }

    /// A session that begins at `now`, in seconds since 1970, as the value of a cookie.
    #[must_use]
    pub fn session(&self, now: u64) -> String {
        self.sessions.close(&now.saturating_add(SESSION.as_secs()).to_be_bytes())
    }

    /// Whether `session` is one of ours that still lasts at `now`.
    #[must_use]
    pub fn lasts(&self, session: &str, now: u64) -> bool {
        self.sessions.open(session.as_bytes()).is_some_and(|until| now < u64::from_be_bytes(until))
    }

    /// Equal where the secrets are equal.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity::of(&self.prints)
    }
}

fn print(secret: &Secret) -> [u8; 32] {
    secret.derive("admin token", &[])
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pass").field("secrets", &self.prints.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file;

    const ONE: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const OTHER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=";

    fn pass(text: &str) -> Result<(Pass, Vec<Warning>), Vec<Problem>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.token");
        file::replace(&path, text.as_bytes(), 0o600).unwrap();
        Pass::load(&path)
    }

    #[test]
    fn each_secret_opens_and_nothing_else_does() {
        let two = format!("# one for people, one for Prometheus\n{ONE}\n{}\n", "ab".repeat(32));
        let (pass, warnings) = pass(&two).unwrap();
        assert_eq!(warnings, []);
        for token in [ONE, &format!(" {ONE}\n"), &ONE.to_uppercase(), &"ab".repeat(32)] {
            assert!(pass.admits(token), "{token}");
        }
        for token in ["", "#", ONE.trim_end_matches("1f"), &format!("{ONE}01"), &"ac".repeat(32), OTHER, "ü"]
        {
            assert!(!pass.admits(token), "{token}");
        }
    }

    #[test]
    fn a_session_lasts_for_its_time_and_under_its_secrets() {
        let (pass, other) = (self::pass(ONE).unwrap().0, self::pass(&"ab".repeat(32)).unwrap().0);
        let session = pass.session(1_000);
        assert!(pass.lasts(&session, 1_000) && pass.lasts(&session, 999 + SESSION.as_secs()));
        assert!(!pass.lasts(&session, 1_000 + SESSION.as_secs()));
        assert!(!other.lasts(&session, 1_000), "the secrets were changed");
        assert!(!pass.lasts(ONE, 1_000) && !pass.lasts("", 1_000) && !pass.admits(&session));
        assert_ne!(pass.identity(), other.identity());
    }

    #[test]
    fn a_weak_or_missing_secret_is_named_with_its_remedy() {
        let told = pass("secret\n").unwrap_err();
        assert!(told[0].message.contains("line 1"), "{}", told[0]);
        assert!(told[0].hint.contains("openssl rand -hex 32"), "{}", told[0]);
        assert!(Pass::load(Path::new("/nonexistent/token")).is_err());
    }
}

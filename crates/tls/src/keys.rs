//! The fleet's keys: the first signs, all verify.

use crate::clock::Clock;
use crate::file::{self, Content};
use crate::problem::{Problem, Warning};
use crate::seal::Seal;
use aws_lc_rs::{hmac, rand};
use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

const KEY_PATH: &str = "fleet.key_file";
const SHORTEST: usize = 32;
const HINT: &str = "put one key of 32 bytes or more on each line, as hex or base64: openssl rand -hex 32";

/// The fleet's keys, with the clock that says which epoch it is.
#[derive(Clone)]
pub struct Keys {
    secrets: Arc<[Secret]>,
    clock: Clock,
    shared: bool,
}

/// One key of the fleet: what is derived from it is derived with HMAC-SHA256.
#[derive(Clone)]
pub(crate) struct Secret(hmac::Key);

impl Secret {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// Whether `tag` is its HMAC of `message`, in constant time.
    pub(crate) fn verifies(&self, message: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&self.0, message, tag).is_ok()
    }

    /// The 32 bytes that belong to `purpose` and `parts`, each of which has one length under its purpose.
    pub(crate) fn derive(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(purpose.as_bytes());
        context.update(&[0]);
        parts.iter().for_each(|part| context.update(part));
        let mut derived = [0; 32];
        derived.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        derived
    }
}

impl Keys {
    /// Reads the keys from `key_file`; without one, a random key that is kept in `state_dir`.
    ///
    /// # Errors
    /// All that is wrong with the file.
    pub fn load(
        key_file: Option<&Path>,
        state_dir: &Path,
        clock: Clock,
    ) -> Result<(Self, Vec<Warning>), Vec<Problem>> {
        let Some(path) = key_file else {
            let secrets = Arc::from([local_secret(state_dir).map_err(|problem| vec![problem])?]);
            return Ok((Self { secrets, clock, shared: false }, Vec::new()));
        };
        let content = Content::read(KEY_PATH, path).map_err(|problem| vec![problem])?;
        let secrets = secrets(KEY_PATH, path, &content.bytes)?;
        let warnings = content.exposure(KEY_PATH, path).into_iter().collect();
        Ok((Self { secrets: secrets.into(), clock, shared: true }, warnings))
    }

    pub(crate) fn secrets(&self) -> &[Secret] {
        &self.secrets
    }

    /// What signs and verifies for `purpose`.
    #[must_use]
    pub fn seal(&self, purpose: &str) -> Seal {
        Seal::new(self.secrets.iter().map(|secret| secret.derive("seal", &[purpose.as_bytes()])))
    }

    /// The clock that they were loaded with.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What tells these keys from others without telling them; nothing for a key of this PoP alone.
    pub(crate) fn fingerprints(&self) -> Vec<[u8; 32]> {
        let shared = self.secrets.iter().filter(|_| self.shared);
        shared.map(|secret| secret.derive("fingerprint", &[])).collect()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("count", &self.secrets.len()).finish_non_exhaustive()
    }
}

fn local_secret(state_dir: &Path) -> Result<Secret, Problem> {
    let mut fresh = [0; SHORTEST];
    let failed = |what: &str| {
        let hint = "check --state-dir, or name a file under fleet.key_file";
        Problem::new(KEY_PATH, &state_dir.join("fleet.key"), what, hint)
    };
    rand::fill(&mut fresh).map_err(|_unspecified| failed("cannot be made: the system has no randomness"))?;
    let line = HEXLOWER_PERMISSIVE.encode(&fresh).into_bytes();
    let kept = file::kept(state_dir, "fleet.key", || line)
        .map_err(|cause| failed(&format!("cannot be kept: {cause}")))?;
    let secrets = secrets(KEY_PATH, &state_dir.join("fleet.key"), &kept).unwrap_or_default();
    secrets.into_iter().next().ok_or_else(|| failed("holds no key"))
}

/// The keys in what the file at `path` holds, which `routes.yaml` names at `key_path`: one a line.
pub(crate) fn secrets(key_path: &str, path: &Path, bytes: &[u8]) -> Result<Vec<Secret>, Vec<Problem>> {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().map(str::trim).enumerate();
    let (mut secrets, mut problems) = (Vec::new(), Vec::new());
    for (index, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let wrong = |what: &str| Problem::new(key_path, path, &format!("line {}: {what}", index + 1), HINT);
        match decode(line) {
            None => problems.push(wrong("is neither hex nor base64")),
            Some(key) if key.len() < SHORTEST => {
                problems.push(wrong(&format!("has a key of {} bytes, which is too short", key.len())));
            }
            Some(key) => secrets.push(Secret::new(&key)),
        }
    }
    if secrets.is_empty() && problems.is_empty() {
        problems.push(Problem::new(key_path, path, "holds no key", HINT));
    }
    if problems.is_empty() { Ok(secrets) } else { Err(problems) }
}

/// A line of hex digits alone is hex, even where it could be base64 too.
pub(crate) fn decode(line: &str) -> Option<Vec<u8>> {
    let line = line.as_bytes();
    let encodings = [HEXLOWER_PERMISSIVE, BASE64, BASE64_NOPAD, BASE64URL_NOPAD];
    encodings.iter().find_map(|encoding| encoding.decode(line).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const SAME_IN_BASE64: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn load(text: &str) -> Result<(Keys, Vec<Warning>), Vec<Problem>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fleet.key");
        file::replace(&path, text.as_bytes(), 0o600).unwrap();
        Keys::load(Some(&path), folder.path(), Clock::system())
    }

    fn problem(text: &str) -> String {
        load(text).unwrap_err().iter().map(|problem| problem.message.clone()).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn hex_and_base64_say_the_same_key() {
        let (keys, warnings) = load(&format!("# rotated in May\n{HEX}\n\n{SAME_IN_BASE64}\n")).unwrap();
        assert_eq!(keys.fingerprints().len(), 2);
        assert_eq!(keys.fingerprints()[0], keys.fingerprints()[1]);
        assert_eq!(warnings, []);
    }

    #[test]
    fn a_short_key_and_a_wrong_line_are_both_reported() {
        let problems = problem(&format!("{HEX}\n00ff\nnot a key\n"));
        assert!(problems.contains("line 2: has a key of 2 bytes"), "{problems}");
        assert!(problems.contains("line 3: is neither hex nor base64"), "{problems}");
        assert!(problem("# nothing\n").contains("holds no key"));
    }

    #[test]
    fn a_key_file_that_others_can_read_is_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fleet.key");
        file::replace(&path, HEX.as_bytes(), 0o644).unwrap();
        let (_, warnings) = Keys::load(Some(&path), folder.path(), Clock::system()).unwrap();
        assert!(warnings[0].message.ends_with("holds a key that others can read"), "{}", warnings[0]);
    }

    #[test]
    fn the_local_key_is_kept_private_and_is_the_same_next_time() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let derived = |keys: &Keys| keys.secrets()[0].derive("test", &[]);
        let (first, _) = Keys::load(None, &state, Clock::system()).unwrap();
        let (second, _) = Keys::load(None, &state, Clock::system()).unwrap();
        assert_eq!(derived(&first), derived(&second));
        let kept: Vec<_> = std::fs::read_dir(&state).unwrap().map(|entry| entry.unwrap()).collect();
        assert_eq!(kept.len(), 1, "nothing is left beside it");
        assert_eq!(kept[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(first.fingerprints().len(), 0, "a PoP's own key is no part of the fleet's content");
    }
}

//! The client of the admin socket: how commands ask the PoP that runs.

use crate::question::Question;
use crate::state;
use anyhow::{Context, bail};
use serde_json::Value;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a command says that has nobody to ask.
pub(crate) fn nobody(folder: &Path) -> String {
    format!(
        "no nearside runs with the state folder {}; start one with `nearside run`, or name its folder with --state-dir",
        folder.display()
    )
}

/// The status of the PoP with this state folder; `None` when none runs there.
///
/// # Errors
/// It cannot be asked, or answers nonsense.
pub(crate) fn status(folder: &Path) -> anyhow::Result<Option<Value>> {
    let Some(body) = get(folder, "/status")? else { return Ok(None) };
    Ok(Some(serde_json::from_str(&body).context("the status is no JSON")?))
}

/// A page of the PoP with this state folder; `None` when none runs there.
///
/// # Errors
/// It cannot be asked, or has no such page.
pub(crate) fn get(folder: &Path, page: &str) -> anyhow::Result<Option<String>> {
    match ask(folder, "GET", page, PATIENCE)? {
        None => Ok(None),
        Some((200, body)) => Ok(Some(body)),
        Some((status, body)) => bail!("the admin interface answered {status}: {}", body.trim()),
    }
}

/// How the PoP with this state folder would decide; `None` when none runs there.
///
/// # Errors
/// It cannot be asked, or the question makes no sense to it.
pub(crate) fn explain(folder: &Path, question: &Question) -> anyhow::Result<Option<Value>> {
    let query = serde_urlencoded::to_string(question)?;
    match ask(folder, "GET", &format!("/explain?{query}"), PATIENCE)? {
        None => Ok(None),
        Some((200, body)) => Ok(Some(serde_json::from_str(&body).context("the answer is no JSON")?)),
        Some((_, body)) => bail!("{}", body.trim()),
    }
}

/// Asks the PoP with this state folder to do something: status code and text; `None` when none runs there.
///
/// # Errors
/// It cannot be asked, or answers nonsense.
pub(crate) fn post(folder: &Path, path: &str, patience: Duration) -> anyhow::Result<Option<(u16, String)>> {
    ask(folder, "POST", path, patience)
}

fn ask(
    folder: &Path,
    method: &str,
    target: &str,
    patience: Duration,
) -> anyhow::Result<Option<(u16, String)>> {
    let path = state::socket(folder);
    let stream = match UnixStream::connect(&path) {
        Ok(stream) => stream,
        Err(cause) if matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(cause) if cause.kind() == io::ErrorKind::PermissionDenied => {
            bail!("{} may only be used by nearside's user and group; try it as that user", path.display())
        }
        Err(cause) => return Err(cause).with_context(|| format!("cannot connect to {}", path.display())),
    };
    let answer = converse(stream, method, target, patience);
    let answer = answer.with_context(|| format!("no answer from {}", path.display()))?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer is no HTTP")?;
    let status =
        head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("the answer is no HTTP")?;
    Ok(Some((status, body.to_owned())))
}

/// HTTP/1.0, so that the answer ends with the connection and comes in one piece.
fn converse(mut stream: UnixStream, method: &str, path: &str, patience: Duration) -> io::Result<String> {
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    stream.write_all(format!("{method} {path} HTTP/1.0\r\nhost: localhost\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

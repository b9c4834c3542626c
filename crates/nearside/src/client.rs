//! The client of the admin socket: how commands ask the PoP that runs.

use crate::state;
use anyhow::{Context, bail};
use serde_json::Value;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The status of the PoP with this state folder; `None` when none runs there.
///
/// # Errors
/// It cannot be asked, or answers nonsense.
pub(crate) fn status(folder: &Path) -> anyhow::Result<Option<Value>> {
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
    let answer = ask(stream, "/status").with_context(|| format!("no answer from {}", path.display()))?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer is no HTTP")?;
    if head.split(' ').nth(1) != Some("200") {
        bail!("the admin interface answered: {}", head.lines().next().unwrap_or_default());
    }
    Ok(Some(serde_json::from_str(body).context("the status is no JSON")?))
}

/// HTTP/1.0, so that the answer ends with the connection and comes in one piece.
fn ask(mut stream: UnixStream, path: &str) -> io::Result<String> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

//! The header fields that a collector asks for, out of a file that is no part of `routes.yaml`.

use anyhow::{Context, bail};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use std::fs;
use std::path::Path;

/// Reads them: `name: value`, one a line; empty lines and those that begin with `#` say nothing.
///
/// # Errors
/// The file cannot be read, or a line of it is no field. What stands in the line is not told, as it may be a secret.
pub(crate) fn read(path: &Path) -> anyhow::Result<HeaderMap> {
    // Opening a FIFO would wait for its other end.
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        bail!("{} is no regular file", path.display());
    }
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut headers = HeaderMap::new();
    let lines = text.lines().map(str::trim).enumerate();
    for (index, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let field = line.split_once(':').and_then(|(name, value)| {
            let mut value = HeaderValue::from_str(value.trim()).ok()?;
            value.set_sensitive(true);
            Some((HeaderName::from_bytes(name.trim().as_bytes()).ok()?, value))
        });
        let Some((name, value)) = field else {
            bail!("line {} of {} is no `name: value`", index + 1, path.display());
        };
        headers.append(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<usize, &str>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        let found = read(file.path()).map(|headers| headers.len()).map_err(|cause| cause.to_string());
        match expected {
            Ok(count) => assert_eq!(found, Ok(count), "{text}"),
            Err(told) => assert!(found.clone().is_err_and(|cause| cause.contains(told)), "{text}: {found:?}"),
        }
    }

    #[test]
    fn fields_stand_one_a_line_and_no_mistake_gives_a_secret_away() {
        check("authorization: Bearer abc\n# a remark\n\nx-scope: 1\n", Ok(2));
        check("", Ok(0));
        check("authorization: x\nsecret", Err("line 2 of "));
        check("a b: c", Err("line 1 of "));
        let cause = read(Path::new("/nowhere/headers")).unwrap_err();
        assert!(cause.to_string().contains("/nowhere/headers cannot be read"));
    }
}

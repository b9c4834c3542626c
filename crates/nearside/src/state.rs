//! The state folder: keys, the local authority and the admin socket of one PoP.

use anyhow::{Context, bail};
use std::env;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The folder of the PoP that `chosen` names, or of this user's.
///
/// # Errors
/// Neither an argument nor the environment names one.
pub(crate) fn folder(chosen: Option<&Path>) -> anyhow::Result<PathBuf> {
    let folder = match chosen {
        Some(path) => path.to_owned(),
        None => usual(|name| env::var(name).ok().filter(|value| !value.is_empty()))
            .context("HOME is not set, so there is no state folder; name one with --state-dir")?,
    };
    Ok(std::path::absolute(&folder).unwrap_or(folder))
}

/// As systemd gives it, or as the XDG rules do.
fn usual(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    if let Some(folders) = variable("STATE_DIRECTORY") {
        // systemd lists one for each StateDirectory= word.
        return folders.split(':').next().map(PathBuf::from);
    }
    let home = || variable("HOME").map(|home| Path::new(&home).join(".local/state"));
    variable("XDG_STATE_HOME").map(PathBuf::from).or_else(home).map(|state| state.join("nearside"))
}

/// Makes `folder` for its owner alone, where it is not there.
///
/// # Errors
/// It cannot be made or written.
pub(crate) fn make(folder: &Path) -> anyhow::Result<()> {
    let name = folder.display();
    let remedy = "name another with --state-dir";
    if let Err(cause) = DirBuilder::new().recursive(true).mode(0o700).create(folder) {
        bail!("cannot make the state folder {name}: {cause}; {remedy}");
    }
    let mode = fs::metadata(folder).with_context(|| format!("cannot read the state folder {name}"))?;
    if mode.permissions().mode() & 0o002 != 0 {
        bail!(
            "everybody can write to the state folder {name}, which holds keys; chmod o-w {name}, or {remedy}"
        );
    }
    Ok(())
}

/// Where the admin socket of the PoP with this folder is.
pub(crate) fn socket(folder: &Path) -> PathBuf {
    folder.join("admin.sock")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(environment: &[(&str, &str)], expected: Option<&str>) {
        let find = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        assert_eq!(usual(find), expected.map(PathBuf::from), "{environment:?}");
    }

    #[test]
    fn systemd_says_it_before_xdg_and_home() {
        let home = ("HOME", "/home/u");
        check(
            &[home, ("XDG_STATE_HOME", "/s"), ("STATE_DIRECTORY", "/var/lib/nearside:/var/lib/more")],
            Some("/var/lib/nearside"),
        );
        check(&[home, ("XDG_STATE_HOME", "/s")], Some("/s/nearside"));
        check(&[home], Some("/home/u/.local/state/nearside"));
        check(&[], None);
    }

    #[test]
    fn a_fresh_folder_is_its_owners_alone() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("a/state");
        make(&folder).unwrap();
        make(&folder).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(make(&folder).unwrap_err().to_string().contains("everybody can write"));
    }
}

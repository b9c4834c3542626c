//! A temporary folder of a tool's own, which goes with it.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// The folder; dropping it removes it with all that is in it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Makes one for `purpose`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn make(purpose: &str) -> Result<Self> {
        let folder = Self(std::env::temp_dir().join(format!("nearside-{purpose}-{}", std::process::id())));
        fs::create_dir_all(&folder.0).with_context(|| format!("cannot make {}", folder.0.display()))?;
        Ok(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

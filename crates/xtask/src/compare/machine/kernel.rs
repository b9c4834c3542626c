//! The emulated machine's kernel: Debian's package of it, unpacked and not installed.

use crate::process;
use anyhow::{Context, Result};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What always depends on the newest kernel.
const NEWEST: &str = "linux-image-amd64";
/// How the packages that hold kernels are called.
const PACKAGES: &str = "linux-image-";

/// An unpacked kernel with its modules.
pub(super) struct Kernel {
    folder: PathBuf,
    release: String,
}

impl Kernel {
    /// The kernel that was unpacked in `folder`; where there is none, the newest is. So figures of one folder are of one kernel.
    ///
    /// # Errors
    /// When apt has none, or it cannot be unpacked.
    pub(super) fn fetch(folder: &Path) -> Result<Self> {
        if let Some(kernel) = Self::unpacked(folder) {
            return Ok(kernel);
        }
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let told = process::output(Command::new("apt-cache").args(["depends", NEWEST]))?;
        let package = dependency(&told).with_context(|| format!("apt tells no package of {NEWEST}"))?;
        let mut download = Command::new("apt-get");
        // apt's own user may have no right to write here.
        download.args(["-qq", "-o", "Acquire::Retries=3", "-o", "APT::Sandbox::User=", "download", package]);
        process::run(download.current_dir(folder))?;
        let archive = entry(folder, |name| name.starts_with(package)).context("nothing was downloaded")?;
        let aside = folder.join("unpacking");
        process::run(Command::new("dpkg-deb").arg("-x").arg(&archive).arg(&aside))?;
        fs::remove_file(&archive).context("cannot remove the archive")?;
        fs::rename(&aside, folder.join(package)).context("cannot rename the unpacked kernel")?;
        Self::unpacked(folder).with_context(|| format!("{package} holds no kernel"))
    }

    fn unpacked(folder: &Path) -> Option<Self> {
        let folder = entry(folder, |name| name.starts_with(PACKAGES)).filter(|found| found.is_dir())?;
        let modules = entry(&folder.join("lib/modules"), |_| true)?;
        let release = modules.file_name()?.to_string_lossy().into_owned();
        Some(Self { folder, release })
    }

    /// What boots.
    pub(super) fn image(&self) -> PathBuf {
        self.folder.join(format!("boot/vmlinuz-{}", self.release))
    }

    /// One of its modules, by its path among them.
    pub(super) fn module(&self, path: &str) -> PathBuf {
        self.folder.join(format!("lib/modules/{}/kernel/{path}.ko", self.release))
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Linux {}", self.release)
    }
}

/// The first entry of the folder with such a name.
fn entry(folder: &Path, has_name: impl Fn(&str) -> bool) -> Option<PathBuf> {
    let mut entries = fs::read_dir(folder).ok()?.flatten();
    entries.find(|entry| has_name(&entry.file_name().to_string_lossy())).map(|entry| entry.path())
}

/// The package that holds the kernel, out of what apt tells of another that depends on it.
fn dependency(told: &str) -> Option<&str> {
    let mut packages = told.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    packages.find(|package| package.starts_with(PACKAGES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_of_a_kernel_is_what_the_newest_depends_on() {
        let told = "linux-image-amd64\n  Depends: linux-image-6.1.0-56-amd64\n  Conflicts: linux-headers\n";
        assert_eq!(dependency(told), Some("linux-image-6.1.0-56-amd64"));
        assert_eq!(dependency("linux-image-amd64\n"), None);
    }

    #[test]
    fn an_unpacked_kernel_is_found_with_its_release() {
        let folder = crate::folder::Folder::make("kernel").unwrap();
        assert!(Kernel::unpacked(folder.path()).is_none());
        fs::create_dir_all(folder.path().join("linux-image-6.1.0-9-amd64/lib/modules/6.1.0-9-amd64"))
            .unwrap();
        let kernel = Kernel::unpacked(folder.path()).unwrap();
        assert_eq!(kernel.to_string(), "Linux 6.1.0-9-amd64");
        assert!(kernel.module("fs/9p/9p").ends_with("6.1.0-9-amd64/kernel/fs/9p/9p.ko"));
    }
}

//! What the emulated machine starts with: busybox, the modules by which it finds the host's files, and a script.

use super::SHARED;
use super::kernel::Kernel;
use crate::process;
use crate::tools;
use anyhow::{Context, Result, bail};
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const INIT: &str = include_str!("init.sh");

/// In the order in which they need each other; each has the name of its file.
const MODULES: &[&str] = &[
    "drivers/virtio/virtio_ring",
    "drivers/virtio/virtio",
    "drivers/virtio/virtio_pci_legacy_dev",
    "drivers/virtio/virtio_pci_modern_dev",
    "drivers/virtio/virtio_pci",
    "fs/netfs/netfs",
    "fs/fscache/fscache",
    "net/9p/9pnet",
    "net/9p/9pnet_virtio",
    "fs/9p/9p",
    "fs/overlayfs/overlay",
];

/// Puts it together in a folder of its own within `folder`, and writes it to `path`.
///
/// # Errors
/// When busybox is missing or needs libraries, or the kernel lacks a module.
pub(super) fn write(kernel: &Kernel, folder: &Path, path: &Path) -> Result<()> {
    let tree = folder.join("tree");
    let busybox = busybox()?;
    fs::create_dir_all(tree.join("bin")).with_context(|| format!("cannot make {}", tree.display()))?;
    copy(&busybox, &tree.join("bin/busybox"))?;
    let mut names = Vec::new();
    for module in MODULES {
        let name = module.rsplit('/').next().unwrap_or(module);
        copy(&kernel.module(module), &tree.join(format!("{name}.ko")))?;
        names.push(name);
    }
    let init = INIT.replace("{modules}", &names.join(" ")).replace("{shared}", SHARED);
    fs::write(tree.join("init"), init).context("cannot write init")?;
    fs::set_permissions(tree.join("init"), Permissions::from_mode(0o755)).context("cannot make init run")?;
    let mut names: Vec<String> = names.iter().map(|name| format!("{name}.ko")).collect();
    names.extend(["bin", "bin/busybox", "init"].map(str::to_owned));
    pack(&busybox, &tree, &names.join("\n"), path)
}

/// Packs these files of the tree.
fn pack(busybox: &Path, tree: &Path, names: &str, path: &Path) -> Result<()> {
    let packed = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut command = Command::new(busybox);
    command.args(["cpio", "-o", "-H", "newc"]).current_dir(tree);
    command.stdin(Stdio::piped()).stdout(packed).stderr(Stdio::null());
    let mut cpio = command.spawn().context("cannot start busybox")?;
    cpio.stdin.take().context("no input")?.write_all(names.as_bytes()).context("cpio takes no names")?;
    let status = cpio.wait().context("cpio did not end")?;
    if !status.success() {
        bail!("`{}` ended with {status}", process::spell(&command));
    }
    Ok(())
}

/// The machine starts without a single library.
fn busybox() -> Result<PathBuf> {
    let busybox = tools::find("busybox").context("busybox is missing")?;
    let program = fs::read(&busybox).context("cannot read busybox")?;
    if program.windows(b"/ld-linux".len()).any(|part| part == b"/ld-linux") {
        bail!("{} needs libraries; the package busybox-static has one that does not", busybox.display());
    }
    Ok(busybox)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}

//! The emulated machine of a comparison, in which an instruction is a nanosecond.
//!
//! QEMU translates every instruction and counts it (`-icount shift=0`); the machine's only clock is that count. So the time that its
//! scheduler accounts to a process, in user space and in the kernel, is the number of instructions that it has executed, whatever
//! else the host does meanwhile. It sees the host's files and writes into memory; what it leaves lies in one shared folder.

mod initramfs;
mod kernel;

use crate::process;
use crate::tools;
use anyhow::{Context, Result, bail};
use kernel::Kernel;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the run inside finds the shared folder.
pub(super) const SHARED: &str = "/mnt";

/// A string instruction counts as often as it repeats, where a real machine counts one: without the two features that make them
/// the choice for every copy, kernel and libraries move words instead, for all proxies alike.
const PROCESSOR: &str = "max,-erms,-fsrm";
const MEMORY: &str = "3G";
/// The first version of QEMU, major and minor, that has the instructions for SHA, as all servers' processors do by now.
const HASHES: (u32, u32) = (8, 2);
/// How much of a console that ended early is told, in bytes.
const LAST_WORDS: usize = 2_000;

/// A machine that can be started.
pub(super) struct Machine {
    folder: PathBuf,
    qemu: PathBuf,
    kernel: Kernel,
}

impl Machine {
    /// Fetches what it needs into `folder`, unless it is there.
    ///
    /// # Errors
    /// When this is no x86-64 machine, QEMU or busybox is missing, or the kernel cannot be had.
    pub(super) fn make(folder: &Path) -> Result<Self> {
        if !cfg!(target_arch = "x86_64") {
            bail!("only programs for x86-64 are counted in an emulated machine");
        }
        let qemu = tools::find("qemu-system-x86_64").context("qemu-system-x86_64 is missing")?;
        let kernel = Kernel::fetch(folder)?;
        let machine = Self { folder: folder.to_owned(), qemu, kernel };
        fs::create_dir_all(machine.shared()).context("cannot make the shared folder")?;
        initramfs::write(&machine.kernel, folder, &machine.initramfs())?;
        if version(&machine.version()?).is_none_or(|version| version < HASHES) {
            eprintln!(
                "warning: this QEMU emulates no SHA instructions, so that D and D2 read a third dearer: \
                 Debian's backports (bookworm-backports) and Debian 13 have one that does"
            );
        }
        Ok(machine)
    }

    /// The folder that host and machine share; inside it is [`SHARED`].
    pub(super) fn shared(&self) -> PathBuf {
        self.folder.join("shared")
    }

    /// What figures from it depend on, in one sentence.
    ///
    /// # Errors
    /// When QEMU does not tell its version.
    pub(super) fn model(&self) -> Result<String> {
        let version = self.version()?;
        Ok(format!(
            "Counted in an emulated machine: {version}, one processor `{PROCESSOR}`, {}.",
            self.kernel
        ))
    }

    fn version(&self) -> Result<String> {
        let told = process::output(Command::new(&self.qemu).arg("--version"))?;
        Ok(told.lines().next().unwrap_or_default().to_owned())
    }

    /// Boots, runs the command there, and shows what it prints. The command's status is what is returned.
    ///
    /// # Errors
    /// When the machine ends before the command does; the message holds the end of its console.
    pub(super) fn run<'a>(&self, words: impl Iterator<Item = &'a OsStr>) -> Result<i32> {
        let words: Vec<String> = words.map(|word| quoted(&word.to_string_lossy())).collect();
        fs::write(self.shared().join("command"), words.join(" ")).context("cannot write the command")?;
        let status = self.shared().join("status");
        drop(fs::remove_file(&status));
        println!("+ {} (the emulated machine starts within a minute)", process::spell(&self.command()));
        let ended = self.command().stdin(Stdio::null()).status().context("cannot start QEMU")?;
        let Ok(status) = fs::read_to_string(status) else {
            bail!("the emulated machine ended early ({ended}); its console: {}", self.last_words());
        };
        status.trim().parse().with_context(|| format!("no exit status: {status:?}"))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.qemu);
        command.args(["-M", "q35", "-accel", "tcg", "-cpu", PROCESSOR, "-smp", "1", "-m", MEMORY]);
        // An idle machine waits in real time: what the host does for it, as reading a file, takes no time of its own clock's making.
        command.args(["-icount", "shift=0,sleep=on", "-rtc", "clock=vm"]);
        command.args(["-nodefaults", "-display", "none", "-no-reboot"]);
        command.arg("-kernel").arg(self.kernel.image()).arg("-initrd").arg(self.initramfs());
        command.args(["-append", "console=ttyS0 quiet panic=-1"]);
        command.arg("-serial").arg(format!("file:{}", self.console().display())).args(["-serial", "stdio"]);
        command.arg("-virtfs").arg(share(Path::new("/"), "host", ",readonly=on"));
        command.arg("-virtfs").arg(share(&self.shared(), "shared", ""));
        command
    }

    fn initramfs(&self) -> PathBuf {
        self.folder.join("initramfs")
    }

    fn console(&self) -> PathBuf {
        self.folder.join("console")
    }

    fn last_words(&self) -> String {
        let told = fs::read(self.console()).unwrap_or_default();
        let end = told.get(told.len().saturating_sub(LAST_WORDS)..).unwrap_or_default();
        String::from_utf8_lossy(end).trim().to_owned()
    }
}

/// Major and minor version, out of what QEMU tells of itself.
fn version(told: &str) -> Option<(u32, u32)> {
    let mut numbers = told.strip_prefix("QEMU emulator version ")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// A folder of the host's, as QEMU is told of it. A comma would end the path, so it is doubled.
fn share(folder: &Path, tag: &str, rest: &str) -> String {
    let path = folder.display().to_string().replace(',', ",,");
    format!("local,path={path},mount_tag={tag},security_model=none,multidevs=remap{rest}")
}

/// The word as a shell reads it back.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_survives_the_shell() {
        let words = ["plain", "two words", "it's", "$HOME", ""].map(quoted).join(" ");
        let told =
            process::output(Command::new("sh").arg("-c").arg(format!("printf '[%s]' {words}"))).unwrap();
        assert_eq!(told, "[plain][two words][it's][$HOME][]");
    }

    #[test]
    fn a_version_is_read_from_what_qemu_tells() {
        assert_eq!(version("QEMU emulator version 7.2.22 (Debian 1:7.2)"), Some((7, 2)));
        assert_eq!(version("QEMU emulator version 10.0.2 (Debian 1:10.0.2)"), Some((10, 0)));
        assert_eq!(version("QEMU"), None);
    }

    #[test]
    fn a_comma_in_a_path_is_doubled() {
        let told = share(Path::new("/a,b"), "host", ",readonly=on");
        assert_eq!(told, "local,path=/a,,b,mount_tag=host,security_model=none,multidevs=remap,readonly=on");
    }
}

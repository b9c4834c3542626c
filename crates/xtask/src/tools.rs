//! The programs that builds and tests need beside the Rust toolchain: which, why, and how to come by them.

use std::env;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

/// What a tool is needed for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Need {
    /// Building nearside: nothing goes without.
    Build,
    /// Following the demo's suggestions.
    Demo,
    /// Tests with clients and servers that we did not write.
    Test,
    /// Counts of instructions.
    Count,
    /// Counts of instructions in an emulated machine.
    Emulate,
    /// Comparisons with other proxies.
    Compare,
    /// Other proxies beside ours.
    Peers,
    /// Packages.
    Package,
    /// Which functions run.
    Order,
    /// Profiles, by which the program is built for release.
    Profile,
}

/// Who installs a tool.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum By {
    /// Debian's package tool, where this is root.
    Apt,
    /// Cargo, among the user's own programs.
    Cargo,
}

/// Which tools to look for.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What they are for.
    #[arg(long = "for", value_enum, value_delimiter = ',', default_values = ["build", "test"])]
    needs: Vec<Need>,
}

/// One program from outside.
#[derive(Debug)]
struct Tool {
    program: &'static str,
    package: &'static str,
    by: By,
    why: &'static str,
    needs: &'static [Need],
}

const TOOLS: &[Tool] = &[
    Tool {
        program: "cc",
        package: "build-essential",
        by: By::Apt,
        why: "compiles C libraries",
        needs: &[Need::Build],
    },
    Tool {
        program: "cmake",
        package: "cmake",
        by: By::Apt,
        why: "configures C libraries",
        needs: &[Need::Build],
    },
    Tool {
        program: "make",
        package: "make",
        by: By::Apt,
        why: "builds what cmake configured",
        needs: &[Need::Build],
    },
    Tool {
        program: "curl",
        package: "curl",
        by: By::Apt,
        why: "a client we did not write",
        needs: &[Need::Demo, Need::Test],
    },
    Tool {
        program: "h2load",
        package: "nghttp2-client",
        by: By::Apt,
        why: "loads HTTP/2",
        needs: &[Need::Test, Need::Count, Need::Emulate, Need::Compare, Need::Order, Need::Profile],
    },
    Tool {
        program: "nghttp",
        package: "nghttp2-client",
        by: By::Apt,
        why: "an HTTP/2 client we did not write",
        needs: &[Need::Test],
    },
    Tool {
        program: "haproxy",
        package: "haproxy",
        by: By::Apt,
        why: "a receiver of PROXY protocol headers that we did not write, and what nearside is compared with",
        needs: &[Need::Test, Need::Peers],
    },
    Tool {
        program: "valgrind",
        package: "valgrind",
        by: By::Apt,
        why: "counts instructions",
        needs: &[Need::Count, Need::Compare, Need::Order],
    },
    Tool {
        program: "ip",
        package: "iproute2",
        by: By::Apt,
        why: "makes the hosts of a wide area network",
        needs: &[Need::Test],
    },
    Tool {
        program: "pip3",
        package: "python3-pip",
        by: By::Apt,
        why: "fetches gRPC for Python",
        needs: &[Need::Test],
    },
    Tool {
        program: "promtool",
        package: "prometheus",
        by: By::Apt,
        why: "judges metrics, and tests alerts",
        needs: &[Need::Test],
    },
    Tool {
        program: "chromium",
        package: "chromium",
        by: By::Apt,
        why: "shows the page",
        needs: &[Need::Test],
    },
    Tool {
        program: "chromedriver",
        package: "chromium-driver",
        by: By::Apt,
        why: "drives Chromium",
        needs: &[Need::Test],
    },
    Tool {
        program: "openssl",
        package: "openssl",
        by: By::Apt,
        why: "makes the certificate of a comparison",
        needs: &[Need::Count, Need::Emulate, Need::Compare],
    },
    Tool {
        program: "perf",
        package: "linux-perf",
        by: By::Apt,
        why: "counts instructions, and tells where they go",
        needs: &[Need::Compare, Need::Emulate],
    },
    Tool {
        program: "nginx",
        package: "nginx-light",
        by: By::Apt,
        why: "what nearside is compared with, and a backend we did not write",
        needs: &[Need::Test, Need::Count, Need::Emulate, Need::Compare, Need::Peers],
    },
    Tool {
        program: "llvm-profdata-22",
        package: "llvm-22",
        by: By::Apt,
        why: "makes profiles that the compiler reads",
        needs: &[Need::Profile],
    },
    Tool {
        program: "qemu-system-x86_64",
        package: "qemu-system-x86",
        by: By::Apt,
        why: "emulates the machine in which instructions are counted",
        needs: &[Need::Emulate],
    },
    Tool {
        program: "busybox",
        package: "busybox-static",
        by: By::Apt,
        why: "starts the emulated machine",
        needs: &[Need::Emulate],
    },
    Tool {
        program: "cargo-deb",
        package: "cargo-deb",
        by: By::Cargo,
        why: "puts the Debian package together",
        needs: &[Need::Test, Need::Package],
    },
    Tool {
        program: "dpkg-shlibdeps",
        package: "dpkg-dev",
        by: By::Apt,
        why: "finds the libraries that the Debian package depends on",
        needs: &[Need::Test, Need::Package],
    },
    Tool {
        program: "lintian",
        package: "lintian",
        by: By::Apt,
        why: "judges the Debian package",
        needs: &[Need::Test],
    },
    Tool {
        program: "groff",
        package: "groff-base",
        by: By::Apt,
        why: "sets the manual pages",
        needs: &[Need::Test],
    },
    Tool {
        program: "fish",
        package: "fish",
        by: By::Apt,
        why: "completes what is typed",
        needs: &[Need::Test],
    },
    Tool {
        program: "zsh",
        package: "zsh",
        by: By::Apt,
        why: "completes what is typed",
        needs: &[Need::Test],
    },
    Tool {
        program: "kubectl",
        package: "kubernetes-client",
        by: By::Apt,
        why: "builds the Kubernetes manifests",
        needs: &[Need::Test],
    },
];

/// What may be done about missing tools.
#[derive(Debug, Eq, PartialEq)]
enum Remedy {
    /// We may install them: these packages.
    Install(Vec<&'static str>),
    /// Somebody else has to: this command.
    Ask(String),
}

/// Looks for the tools, and installs those that are missing where it may.
///
/// # Errors
/// When a tool without which nothing is built is missing and cannot be installed.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    ensure(&arguments.needs)?;
    for tool in wanted(&arguments.needs) {
        match find(tool.program) {
            Some(path) => println!("{:<14} {} ({})", tool.program, path.display(), tool.why),
            None => println!("{:<14} missing ({})", tool.program, tool.why),
        }
    }
    Ok(())
}

/// Makes sure of the tools for all `needs`: what a build cannot go without must be there in the end, the absence of
/// others is told.
///
/// # Errors
/// When a tool for building is missing and cannot be installed; the message holds the command that does it.
pub(crate) fn ensure(needs: &[Need]) -> Result<()> {
    let missing: Vec<&Tool> = wanted(needs).filter(|tool| find(tool.program).is_none()).collect();
    let (required, advised): (Vec<&Tool>, Vec<&Tool>) =
        missing.into_iter().partition(|tool| tool.needs.contains(&Need::Build));
    let may_install = is_root() && find("apt-get").is_some();
    let mut apt = Apt { updated: false };
    if !required.is_empty() {
        match remedy(&required, may_install) {
            Remedy::Install(packages) => apt.install(&packages).with_context(|| told(&required))?,
            Remedy::Ask(command) => bail!("{}; install with: {command}", told(&required)),
        }
    }
    let (from_debian, from_cargo): (Vec<&Tool>, Vec<&Tool>) =
        advised.into_iter().partition(|tool| tool.by == By::Apt);
    if !from_debian.is_empty() {
        let why_not = match remedy(&from_debian, may_install) {
            Remedy::Install(packages) => apt.install(&packages).err().map(|error| format!("{error:#}")),
            Remedy::Ask(command) => Some(format!("install with: {command}")),
        };
        tell_skipped(&from_debian, why_not);
    }
    for tool in from_cargo {
        let why_not = install_by_cargo(tool.package).err().map(|error| format!("{error:#}"));
        tell_skipped(&[tool], why_not);
    }
    Ok(())
}

fn tell_skipped(missing: &[&Tool], why_not: Option<String>) {
    if let Some(why_not) = why_not {
        eprintln!("SKIPPED: what needs these: {}; {why_not}", told(missing));
    }
}

/// Without optimisation, which takes half the time and matters to nobody.
fn install_by_cargo(package: &str) -> Result<()> {
    let mut install = process::cargo(&process::root()?);
    // In a folder that is gone afterwards: what it is built of belongs to nobody here.
    install.env_remove("CARGO_TARGET_DIR").args(["install", "--quiet", "--locked", "--debug", package]);
    process::run(&mut install)
}

/// Where a program is, or nowhere.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // Servers live in sbin, and what cargo installs in a folder of its own; neither is on everybody's path.
    let cargo = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo = cargo.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    let sbin = ["/usr/local/sbin".into(), "/usr/sbin".into()];
    let folders = env::split_paths(&path).chain(sbin).chain(cargo.map(|cargo| cargo.join("bin")));
    find_in(program, folders)
}

fn find_in(program: &str, mut folders: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    folders.find_map(|folder| Some(folder.join(program)).filter(|path| is_executable(path)))
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn wanted(needs: &[Need]) -> impl Iterator<Item = &'static Tool> {
    TOOLS.iter().filter(move |tool| tool.needs.iter().any(|need| needs.contains(need)))
}

fn remedy(missing: &[&Tool], may_install: bool) -> Remedy {
    let mut packages: Vec<&'static str> = missing.iter().map(|tool| tool.package).collect();
    packages.sort_unstable();
    packages.dedup();
    if may_install {
        return Remedy::Install(packages);
    }
    let list = packages.join(" ");
    Remedy::Ask(format!("sudo apt-get update && sudo apt-get install --yes {list}"))
}

fn told(missing: &[&Tool]) -> String {
    let each: Vec<String> = missing.iter().map(|tool| format!("{} ({})", tool.program, tool.why)).collect();
    format!("missing: {}", each.join(", "))
}

/// Debian's package tool, whose lists are brought up to date once.
struct Apt {
    updated: bool,
}

impl Apt {
    fn install(&mut self, packages: &[&str]) -> Result<()> {
        println!(
            "installing what is missing, as this is root on a system with apt-get: {}",
            packages.join(" ")
        );
        if !self.updated {
            self.updated = true;
            // A source that cannot be reached need not hold what is wanted: installing will tell.
            if let Err(error) = process::run(Self::command().arg("update")) {
                eprintln!("warning: {error:#}");
            }
        }
        process::run(Self::command().args(["install", "--yes", "--no-install-recommends"]).args(packages))
    }

    fn command() -> Command {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args([
            "-qq",
            "-o",
            "Acquire::Retries=3",
            "-o",
            "Dpkg::Use-Pty=0",
        ]);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(programs: &[&str]) -> Vec<&'static Tool> {
        TOOLS.iter().filter(|tool| programs.contains(&tool.program)).collect()
    }

    #[test]
    fn the_demo_needs_no_tool_of_the_tests() {
        let programs: Vec<&str> = wanted(&[Need::Build, Need::Demo]).map(|tool| tool.program).collect();
        assert_eq!(programs, ["cc", "cmake", "make", "curl"]);
    }

    #[test]
    fn root_installs_each_package_once() {
        let remedy = remedy(&named(&["h2load", "nghttp", "curl"]), true);
        assert_eq!(remedy, Remedy::Install(vec!["curl", "nghttp2-client"]));
    }

    #[test]
    fn others_are_given_the_command() {
        let expected = "sudo apt-get update && sudo apt-get install --yes cmake make";
        assert_eq!(remedy(&named(&["cmake", "make"]), false), Remedy::Ask(expected.to_owned()));
    }

    #[test]
    fn what_is_missing_is_told_with_its_reason() {
        assert_eq!(told(&named(&["cmake"])), "missing: cmake (configures C libraries)");
    }

    #[test]
    fn a_program_is_an_executable_file_on_the_path() {
        let folders = || ["/nowhere", "/etc", "/bin", "/usr/bin"].into_iter().map(PathBuf::from);
        assert!(find_in("sh", folders()).is_some_and(|path| path.ends_with("bin/sh")));
        assert_eq!(find_in("passwd", ["/etc".into()].into_iter()), None, "a file, but not executable");
        assert_eq!(find_in("no-such-program", folders()), None);
    }
}

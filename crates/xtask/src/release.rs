//! The program as it is released: built twice, the second time by a profile of the first under load. The compiler then knows
//! which way requests go, and spends a fifth fewer instructions on them.

use crate::process;
use crate::server::wait_for;
use crate::site::Site;
use crate::tools::{self, Need};
use anyhow::{Context, Result, bail};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Requests of each load.
const REQUESTS: &str = "-n20000";

/// Handshakes at once; each connection carries one request.
const HANDSHAKES: &[&str] = &["--h1", "-c100", "-n100"];

/// Builds the program for release, and says where it is.
///
/// # Errors
/// When a tool is missing, or something fails.
pub(crate) fn run() -> Result<()> {
    let root = process::root()?;
    tools::ensure(&[Need::Build])?;
    println!("{}", built(&root)?.display());
    Ok(())
}

/// The program, built for release. A profile is made once for each program that is profiled, so that what has not changed is
/// not built again.
///
/// # Errors
/// When a tool is missing, or something fails.
pub(crate) fn built(root: &Path) -> Result<PathBuf> {
    tools::ensure(&[Need::Profile])?;
    let compiler = Compiler::ask()?;
    let target = process::target(root)?;
    let folder = target.join("profile");
    let profiled = compiler.build(root, "-Cprofile-generate", &folder)?;
    let mut hasher = DefaultHasher::new();
    fs::read(&profiled).with_context(|| format!("no {}", profiled.display()))?.hash(&mut hasher);
    // Named by what it is of: another one is another flag, by which cargo builds anew.
    let profile = folder.join(format!("{:016x}.profdata", hasher.finish()));
    if !profile.is_file() {
        compiler.merge(&Trained::by(&profiled)?, &profile)?;
    }
    compiler.build(root, &format!("-Cprofile-use={}", profile.display()), &target)
}

/// The compiler, as far as profiles depend on it.
struct Compiler {
    /// The platform that it runs on, which is built for: named, so that flags are not those of build scripts, too.
    host: String,
    /// What makes one profile of several, and of the same version.
    profdata: PathBuf,
}

impl Compiler {
    fn ask() -> Result<Self> {
        let told = process::output(Command::new("rustc").arg("-vV"))?;
        let told = |name: &str| {
            let line = told.lines().find_map(|line| line.strip_prefix(name));
            line.map(str::trim).with_context(|| format!("rustc does not tell its {name}"))
        };
        let host = told("host:")?.to_owned();
        let major = told("LLVM version:")?.split('.').next().unwrap_or_default();
        let sysroot = process::output(Command::new("rustc").args(["--print", "sysroot"]))?;
        let own = Path::new(sysroot.trim()).join("lib/rustlib").join(&host).join("bin/llvm-profdata");
        let profdata = if own.is_file() { Some(own) } else { tools::find(&format!("llvm-profdata-{major}")) };
        let Some(profdata) = profdata else {
            bail!(
                "llvm-profdata of version {major} is missing, which this rustc's profiles need; \
                 install with: rustup component add llvm-tools, or: sudo apt-get install llvm-{major}"
            );
        };
        Ok(Self { host, profdata })
    }

    fn build(&self, root: &Path, flag: &str, target: &Path) -> Result<PathBuf> {
        let mut cargo = process::cargo(root);
        let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
        cargo.env("RUSTFLAGS", format!("{flags} {flag}").trim());
        cargo.args(["build", "--release", "--locked", "--package", "nearside", "--bin", "nearside"]);
        cargo.arg("--target").arg(&self.host).arg("--target-dir").arg(target);
        process::run(&mut cargo)?;
        Ok(target.join(&self.host).join("release/nearside"))
    }

    /// Makes one profile of what has run.
    fn merge(&self, trained: &Trained, profile: &Path) -> Result<()> {
        let mut merge = Command::new(&self.profdata);
        merge.args(["merge", "--sparse", "--output"]).arg(profile).arg(trained.site.path("profiles"));
        process::run_quietly(&mut merge)
    }
}

/// What a run under load has left.
struct Trained {
    site: Site,
}

impl Trained {
    /// Runs the instrumented program from its start through every kind of load and a reload to its orderly end, at which
    /// it writes down what it did.
    fn by(program: &Path) -> Result<Self> {
        let site = Site::make("profile", program)?;
        let mut edge = Command::new(program);
        let edge = site.serve(edge.env("LLVM_PROFILE_FILE", site.path("profiles/%p")))?;
        wait_for(site.plain)?;
        wait_for(site.tls)?;
        let (plain, tls) =
            (format!("http://localhost:{}/", site.plain), format!("https://localhost:{}/", site.tls));
        let body = site.path("body");
        fs::write(&body, vec![b'u'; 1_000_000]).context("cannot write the upload")?;
        let upload = body.to_string_lossy();
        load(&["--h1", "-c64", REQUESTS], &plain)?;
        load(&["--h1", "-c64", REQUESTS], &tls)?;
        load(&["-c8", "-m32", REQUESTS], &tls)?;
        for _ in 0..5 {
            load(HANDSHAKES, &tls)?;
        }
        for words in [["--h1", "-c8", "-n100"], ["-c2", "-m4", "-n100"]] {
            load(&words, &format!("{tls}bytes/1000000"))?;
            load(&[&words[..], &["-d", &upload]].concat(), &format!("{tls}echo"))?;
        }
        site.change()?;
        load(&["-c8", "-m32", REQUESTS], &tls)?;
        edge.end()?;
        Ok(Self { site })
    }
}

fn load(words: &[&str], url: &str) -> Result<()> {
    let mut command = Command::new(tools::find("h2load").context("h2load is missing")?);
    let told = process::output(command.args(words).arg(url))?;
    if !told.contains(" 0 failed, 0 errored") {
        bail!("not every request succeeded with `{}`:\n{told}", process::spell(&command));
    }
    Ok(())
}

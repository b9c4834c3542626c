//! The rights that the unit leaves: another user than root, one capability, and no way to gain more.

use nearside_tests::client::{HOST, connect};
use nearside_tests::edge::Setting;
use nearside_tests::{QUICK, tool};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Nobody.
const USER: u32 = 65_534;

#[tokio::test(flavor = "multi_thread")]
async fn one_capability_is_enough_for_low_ports_and_reloads() {
    if !tool::is_root() || !Path::new("/usr/bin/setpriv").exists() {
        tool::skip("only root can give rights up");
        return;
    }
    let mut setting = Setting::new();
    // An address of its own, so that nobody else on this machine has its port.
    let low = setting.listen(([127, 77, 3, 1], 443).into());
    let folder = setting.folder().to_owned();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.join("nearside");
    fs::copy(nearside_tests::program(), &program).unwrap();
    let rights = [
        "setpriv",
        "--clear-groups",
        "--no-new-privs",
        "--bounding-set=-all,+net_bind_service",
        "--inh-caps=-all,+net_bind_service",
        "--ambient-caps=-all,+net_bind_service",
    ];
    // The folder is only filled when the edge starts, so it is given away in the moment before.
    let give = format!("chown -R {USER}:{USER} . && exec \"$0\" \"$@\"");
    let mut words: Vec<OsString> = ["sh", "-c", &give].map(OsString::from).into();
    let (first, rest) = rights.split_first().unwrap();
    words.push(first.into());
    words.extend([format!("--reuid={USER}"), format!("--regid={USER}")].map(OsString::from));
    words.extend(rest.iter().map(OsString::from));
    words.push(program.into());
    let body = format!(
        "{QUICK}pools:\n  web: {{ backends: [{{ url: \"http://127.0.0.1:9\", region: frankfurt }}] }}\n\
         routes:\n  - {{ host: {HOST}, answer: {{ status: 200, body: hello }} }}\n"
    );
    let edge = setting.run_by(&words, &body).await;
    let status = fs::read_to_string(format!("/proc/{}/status", edge.pid())).unwrap();
    let value = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).unwrap().trim().to_owned();
    assert!(value("Uid:").starts_with("65534"), "{status}");
    // Bit 10 is CAP_NET_BIND_SERVICE.
    for set in ["CapPrm:", "CapEff:", "CapBnd:"] {
        assert_eq!(u64::from_str_radix(&value(set), 16).unwrap(), 1 << 10, "{set}");
    }
    assert_eq!(value("NoNewPrivs:"), "1");
    connect(edge.authority.trusting(&[b"h2"]), low, HOST).await.expect("the low port is served");
    edge.reload(|text| text.replace("body: hello", "body: again")).await;
    let state = edge.folder().join("state");
    assert_eq!(fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o700);
    for entry in fs::read_dir(&state).unwrap().map(Result::unwrap) {
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o007, 0, "{:?} has mode {mode:o}", entry.path());
    }
}

//! What systemd is told, in order.

use super::{stage_by, upgrade};
use nearside_tests::{Stage, eventually};
use std::ffi::OsString;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// The service manager's end.
struct Manager {
    socket: UnixDatagram,
    _folder: tempfile::TempDir,
}

impl Manager {
    fn new() -> (Self, OsString) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut variable = OsString::from("NOTIFY_SOCKET=");
        variable.push(path);
        (Self { socket, _folder: folder }, variable)
    }

    /// The next message that is no sign of life.
    fn next(&self) -> String {
        loop {
            let text = self.message();
            if text != "WATCHDOG=1" {
                return text;
            }
        }
    }

    fn message(&self) -> String {
        let mut buffer = [0; 4096];
        let count = tokio::task::block_in_place(|| self.socket.recv(&mut buffer)).expect("a message in time");
        std::str::from_utf8(&buffer[..count]).unwrap().trim_end().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_state_is_told_in_its_order() {
    let (manager, variable) = Manager::new();
    // The manager's own number for the first process is another one than the second has.
    let words = ["env".into(), variable, "WATCHDOG_USEC=2000000".into()];
    let Stage { mut edge, frankfurt: _frankfurt, virginia: _virginia } = stage_by(&words, "").await;
    let first = edge.generation();
    let ready = manager.next();
    assert!(ready.starts_with(&format!("READY=1\nSTATUS=generation {first}-")), "{ready}");
    assert!(ready.ends_with("2 of 2 backends usable"), "{ready}");
    assert_eq!(manager.message(), "WATCHDOG=1");

    edge.reload(|text| format!("{text}# changed\n")).await;
    let reloading = manager.next();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    let ready = manager.next();
    assert!(ready.starts_with(&format!("READY=1\nSTATUS=generation {}-", first + 1)), "{ready}");

    edge.rewrite(|text| text.replace("pools:", "poolz:"));
    assert!(manager.next().starts_with("RELOADING=1"));
    assert!(manager.next().ends_with("; the last reload was refused"));
    edge.reload(|text| text.replace("poolz:", "pools:").replace("# changed", "# mended")).await;
    assert!(manager.next().starts_with("RELOADING=1"));
    assert!(manager.next().starts_with("READY=1"));

    let successor = upgrade(&edge);
    assert!(manager.next().starts_with(&format!("MAINPID={successor}\n")));
    assert!(manager.next().starts_with("READY=1\n"));
    assert_eq!(manager.message(), "WATCHDOG=1", "the successor lives");
    // systemd knows the main process: nobody has to stay for it.
    assert_eq!(edge.ended().await.code(), Some(0), "{}", edge.log());
    let status = std::process::Command::new("kill").args(["-TERM", &successor.to_string()]).status().unwrap();
    assert!(status.success());
    assert!(manager.next().starts_with("STOPPING=1\nEXTEND_TIMEOUT_USEC="));
    eventually("the end of the successor", async || edge.serving().is_none().then_some(())).await;
}

//! `nearside top`: on a terminal that is one for the program, and as text for scripts.

use nearside_tests::client::{self, url};
use nearside_tests::{Edge, Stage, eventually, tool};
use std::fs;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::process::{self, Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use vt100::Parser;

async fn asked(edge: &Edge) {
    let client = client::reqwest(edge, true);
    for _ in 0..3 {
        assert!(client.get(url(edge, "/")).send().await.unwrap().status().is_success());
    }
}

fn size(size: u16) -> NonZeroU16 {
    NonZeroU16::new(size).unwrap()
}

/// A terminal of so many lines and columns, made by `script`, in which the program runs for an edge.
struct Terminal {
    script: Child,
    keys: ChildStdin,
    screen: Arc<Mutex<Parser>>,
    pid: u32,
}

impl Terminal {
    async fn open(edge: &Edge, lines: u16, columns: u16) -> Option<Self> {
        let program = nearside_tests::program();
        let call = format!(
            "stty rows {lines} cols {columns}; echo $$ > shell; exec {} top --state-dir state",
            program.display()
        );
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--flush", "--command", &call, "/dev/null"]);
        command.current_dir(edge.folder()).env("TERM", "xterm-256color");
        let mut script = tool::spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        let screen = Arc::new(Mutex::new(Parser::new(size(lines), size(columns), 0)));
        let (drawn, mut output) = (Arc::clone(&screen), script.stdout.take().unwrap());
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                drawn.lock().unwrap().process(&bytes[..count]);
            }
        });
        let told = || fs::read_to_string(edge.folder().join("shell")).ok()?.trim().parse().ok();
        let pid = eventually("the program in its terminal", async || told()).await;
        fs::remove_file(edge.folder().join("shell")).unwrap();
        Some(Self { keys: script.stdin.take().unwrap(), script, screen, pid })
    }

    fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    async fn shows(&self, words: &[&str]) -> String {
        let all = || Some(self.text()).filter(|text| words.iter().all(|word| text.contains(word)));
        eventually(&format!("{words:?} on the screen"), async || all()).await
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).and_then(|()| self.keys.flush()).unwrap();
    }

    fn resize(&self, lines: u16, columns: u16) {
        self.screen.lock().unwrap().screen_mut().set_size(size(lines), size(columns));
        let tty = fs::read_link(format!("/proc/{}/fd/0", self.pid)).unwrap();
        let (lines, columns) = (lines.to_string(), columns.to_string());
        let mut stty = Command::new("stty");
        stty.arg("-F").arg(tty).args(["rows", &lines, "cols", &columns]);
        assert!(stty.status().unwrap().success());
    }

    /// Waits for its end, and until the terminal is as it was.
    async fn ended(mut self) -> ExitStatus {
        let script = &mut self.script;
        let status = eventually("its end", async || script.try_wait().unwrap()).await;
        eventually("the terminal as it was", async || {
            let parser = self.screen.lock().unwrap();
            (!parser.screen().alternate_screen() && !parser.screen().hide_cursor()).then_some(())
        })
        .await;
        status
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_shows_what_passes_follows_keys_and_its_size_and_is_left_as_it_was() {
    let stage = Stage::new().await;
    asked(&stage.edge).await;
    let Some(mut terminal) = Terminal::open(&stage.edge, 44, 160).await else { return };
    let text = terminal.shows(&["PoP test1", "frankfurt", "virginia", "journal: the latest first"]).await;
    assert!(text.contains("q quit") && text.contains("backends as declared"), "{text}");
    // What comes while it is looked at is seen.
    asked(&stage.edge).await;
    terminal.shows(&["routes by rate", "www.example.com"]).await;
    terminal.press("\t");
    let text = terminal.shows(&["backends as declared"]).await;
    assert!(text.contains("VERDICT"), "{text}");
    terminal.press("s");
    terminal.shows(&["backends by verdict"]).await;
    terminal.press("\x1b[C");
    eventually("the routes alone", async || {
        let text = terminal.text();
        (text.contains("routes by rate") && !text.contains("VERDICT")).then_some(())
    })
    .await;
    terminal.press("4");
    eventually("the journal alone", async || {
        let text = terminal.text();
        (text.contains("journal: the latest first") && !text.contains("routes by")).then_some(())
    })
    .await;
    terminal.press("1");
    terminal.shows(&["regions: the last minute"]).await;
    terminal.resize(24, 80);
    eventually("a frame of the new size", async || {
        let text = terminal.text();
        let last = text.lines().nth(23).unwrap_or_default();
        (last.contains("q quit") && text.contains("regions: the last minute")).then_some(())
    })
    .await;
    terminal.press("q");
    let status = terminal.ended().await;
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn control_c_and_a_signal_leave_the_terminal_as_it_was() {
    let stage = Stage::new().await;
    for signal in [None, Some("-TERM")] {
        let Some(mut terminal) = Terminal::open(&stage.edge, 30, 120).await else { return };
        terminal.shows(&["PoP test1", "frankfurt"]).await;
        match signal {
            None => terminal.press("\x03"),
            Some(signal) => {
                let pid = terminal.pid.to_string();
                assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
            }
        }
        let status = terminal.ended().await;
        assert!(status.success(), "{signal:?}: {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_frame_is_text_and_nobody_is_said_to_be_nobody() {
    let mut stage = Stage::new().await;
    asked(&stage.edge).await;
    let read = |output: &process::Output| {
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned())
    };
    for (arguments, hint) in [(&["top", "--once"][..], ""), (&["top"], "this is no terminal: one frame")] {
        let output = stage.edge.call(arguments);
        let [text, said] = read(&output);
        assert!(output.status.success() && said.contains(hint), "{said}");
        for told in ["PoP test1", "frankfurt", "healthy", "www.example.com", "generation"] {
            assert!(text.contains(told), "{told} is missing in\n{text}");
        }
        assert!(!text.contains('\x1b'), "{text:?}");
    }
    stage.edge.signal("TERM");
    assert!(stage.edge.ended().await.success());
    let output = stage.edge.call(&["top"]);
    let [text, said] = read(&output);
    assert_eq!((output.status.code(), text.as_str()), (Some(1), ""));
    assert!(said.contains("no nearside runs with the state folder"), "{said}");
}

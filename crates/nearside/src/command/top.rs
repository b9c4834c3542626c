//! `nearside top`: what the running PoP does, live on a terminal.

mod draw;
mod look;
mod picture;
mod scrape;
mod spark;
mod tables;
mod view;

use crate::args::TopArgs;
use crate::{Done, client, out, state};
use anyhow::Context;
use look::{Asker, Look};
use picture::Picture;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use ratatui::{DefaultTerminal, Terminal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;
use view::{Key, View};

/// How long keys are waited for before a look is asked after.
const WAIT: Duration = Duration::from_millis(100);
/// The shortest look: each costs the PoP some thousand decisions.
const SHORTEST: Duration = Duration::from_millis(200);
/// Between the two looks of a single frame: rates are what is between them.
const BETWEEN: Duration = Duration::from_secs(1);

/// What comes of a look: what was seen, nobody, or why nothing was.
type Seen = Result<Option<Look>, String>;

/// Shows the PoP with this state folder until the person who asked leaves; or once, as text.
pub(crate) fn run(args: &TopArgs) -> anyhow::Result<Done> {
    let folder = state::folder(args.state.state_dir.as_deref())?;
    let is_terminal = io::stdout().is_terminal() && io::stdin().is_terminal();
    if !args.once && !is_terminal {
        out::error("this is no terminal: one frame, as with --once");
    }
    let mut asker = Asker::new(folder.clone());
    let Some(first) = asker.look()? else {
        out::error(&client::nobody(&folder));
        return Ok(Done::Refused);
    };
    let mut picture = Picture::default();
    picture.add(first);
    if args.once || !is_terminal {
        return once(&folder, asker, picture);
    }
    watch(picture, &ask_on(asker, args.every.max(SHORTEST))?)
}

/// Prints a frame as plain text.
fn once(folder: &Path, mut asker: Asker, mut picture: Picture) -> anyhow::Result<Done> {
    thread::sleep(BETWEEN);
    let Some(second) = asker.look()? else {
        out::error(&client::nobody(folder));
        return Ok(Done::Refused);
    };
    picture.add(second);
    let (width, height) = draw::whole(&picture);
    let mut paper = Terminal::new(TestBackend::new(width, height))?;
    paper.draw(|frame| draw::frame(frame, &picture, &mut View::still()))?;
    out::text(&text_of(paper.backend()));
    Ok(Done::Fine)
}

/// What stands on the paper.
fn text_of(paper: &TestBackend) -> String {
    let buffer = paper.buffer();
    let width = usize::from(buffer.area.width).max(1);
    let lines = buffer.content.chunks(width).map(|cells| {
        let line: String = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
        format!("{}\n", line.trim_end())
    });
    lines.collect()
}

/// Looks again and again, on a thread of its own, so that a PoP that is slow to answer holds up no key.
fn ask_on(mut asker: Asker, every: Duration) -> anyhow::Result<Receiver<Seen>> {
    let (news, seen) = sync_channel(1);
    let ask = move || {
        loop {
            thread::sleep(every);
            // Once nobody watches any more, this ends; the process does not wait for it.
            if news.send(asker.look().map_err(|cause| format!("{cause:#}"))).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("looks".to_owned()).spawn(ask).context("cannot start a thread")?;
    Ok(seen)
}

fn watch(mut picture: Picture, looks: &Receiver<Seen>) -> anyhow::Result<Done> {
    let told = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&told)).context("signals cannot be received")?;
    }
    let mut view = View::default();
    let mut screen = Screen::open()?;
    let mut is_new = true;
    while !told.load(Ordering::Relaxed) {
        if is_new {
            screen.terminal.draw(|frame| draw::frame(frame, &picture, &mut view))?;
        }
        is_new = false;
        if event::poll(WAIT)? {
            is_new = true;
            match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => {
                    let key = Key::of(key);
                    if key == Some(Key::Quit) {
                        break;
                    }
                    key.into_iter().for_each(|key| view.press(key));
                }
                // Anything else is drawn anew, in the size that the terminal has now.
                _ => {}
            }
        }
        match looks.try_recv() {
            Ok(seen) => {
                picture.see(seen);
                is_new = true;
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
        }
    }
    Ok(Done::Fine)
}

/// The terminal while it is ours; however this ends, it is as it was before. A panic has a hook of its own for that.
struct Screen {
    terminal: DefaultTerminal,
}

impl Screen {
    fn open() -> anyhow::Result<Self> {
        match ratatui::try_init() {
            Ok(terminal) => Ok(Self { terminal }),
            Err(cause) => {
                restore();
                Err(cause).context("the terminal cannot be drawn on")
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Leaving the other screen leaves the cursor as that had it.
        drop(self.terminal.show_cursor());
        restore();
    }
}

/// A terminal that has gone needs nothing back.
fn restore() {
    drop(ratatui::try_restore());
}

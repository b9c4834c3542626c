//! `nearside sample`: a sample backend, as the demo and the tests start them.

use crate::Done;
use crate::args::SampleArgs;
use crate::out;
use anyhow::Context;
use nearside_sample::{Options, Tls};
use std::fs;
use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::thread;

/// Serves until it is killed, or until whoever started it is gone.
pub(crate) fn run(args: SampleArgs) -> anyhow::Result<Done> {
    let mut options = Options::new(args.name, args.region);
    options.bind = args.bind;
    options.ledger = args.ledger;
    if let Some(file) = &args.cert {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        options.tls = Some(Tls { certificate: text.clone(), key: text, client_ca: None });
    }
    end_with_parent()?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    let serving = nearside_sample::serve(options, |address| out::text(&format!("listening on {address}")));
    runtime.block_on(serving)?;
    Ok(Done::Fine)
}

/// Ends this process when its standard input is a pipe and closes: the other end is its parent's, however that ends.
fn end_with_parent() -> anyhow::Result<()> {
    let is_pipe = fs::metadata("/dev/stdin").is_ok_and(|input| input.file_type().is_fifo());
    if !is_pipe {
        return Ok(());
    }
    let wait = || {
        let mut rest = [0; 64];
        while std::io::stdin().read(&mut rest).is_ok_and(|count| count > 0) {}
        end();
    };
    thread::Builder::new().name("parent".to_owned()).spawn(wait).context("cannot start a thread")?;
    Ok(())
}

#[expect(clippy::exit, reason = "nothing of a sample is worth keeping once nobody is there to ask it")]
fn end() {
    std::process::exit(0);
}

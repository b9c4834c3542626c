//! `nearside sample`, which the demo and the tests call.

use clap::Args as ClapArgs;
use std::net::SocketAddr;
use std::path::PathBuf;

/// `nearside sample`.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct SampleArgs {
    /// Where it listens.
    #[arg(long)]
    pub(crate) bind: SocketAddr,
    /// Its name.
    #[arg(long)]
    pub(crate) name: String,
    /// Its region.
    #[arg(long)]
    pub(crate) region: String,
    /// A file of JSON lines that tells what reached it.
    #[arg(long)]
    pub(crate) ledger: Option<PathBuf>,
    /// A PEM file with its certificate and the key of it; without one it speaks in clear.
    #[arg(long)]
    pub(crate) cert: Option<PathBuf>,
}

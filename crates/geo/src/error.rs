//! Why a table is not used, and what to do about it.

use maxminddb::MaxMindDbError;
use nearside_core::place::Country;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use time::Date;

/// Why a table is not used. The tables that run stay.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read, or is no regular file.
    #[error("cannot read geo table {path:?}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The file is larger than what is read into memory.
    #[error("geo table {path:?} has {bytes} bytes, more than {limit}")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The largest size.
        limit: u64,
    },
    /// Somebody wrote to the file while it was read.
    #[error("geo table {path:?} changed while it was read")]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The file is not the one that the sum beside it was made of, or that sum is none.
    #[error("geo table {path:?} does not agree with {sum:?}")]
    Sum {
        /// The file.
        path: PathBuf,
        /// The file with its SHA-256.
        sum: PathBuf,
    },
    /// The file is no table in MaxMind's format, or it is damaged.
    #[error("geo table {path:?} is damaged, or is none")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        damage: Damage,
    },
    /// The file says that it was built in the future.
    #[error("geo table {path:?} says that it was built on {built}, which is still to come")]
    Future {
        /// The file.
        path: PathBuf,
        /// When it says it was built.
        built: Date,
    },
    /// The table is sound and says nothing of use: no place, no number of an autonomous system.
    #[error("geo table {path:?} ({kind}) knows neither places nor numbers of networks")]
    Nothing {
        /// The file.
        path: PathBuf,
        /// Its type, as it says itself.
        kind: Box<str>,
    },
    /// The file is older than the one in use.
    #[error("geo table {path:?} was built on {built}, before the one in use ({running})")]
    Older {
        /// The file.
        path: PathBuf,
        /// When it was built.
        built: Date,
        /// When the one in use was built.
        running: Date,
    },
    /// The table differs from the one in use by more than a new edition does.
    #[error(
        "geo table {path:?} knows {networks} networks {of}; after the one in use about {expected} are expected"
    )]
    Different {
        /// The file.
        path: PathBuf,
        /// Which networks: of a country, or altogether.
        of: String,
        /// How many it has.
        networks: u64,
        /// How many a like table would have.
        expected: u64,
    },
    /// The tables do not say what the operator knows.
    #[error("the geo tables place {address} in {found}, and the canary says {expected}")]
    Canary {
        /// The address.
        address: IpAddr,
        /// Where the operator knows it to be.
        expected: Country,
        /// Where the tables place it.
        found: Country,
    },
}

/// How a file is no sound table.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// Its metadata or a record cannot be decoded.
    #[error("its metadata or a record cannot be decoded")]
    Format(#[from] MaxMindDbError),
    /// Its tree is cut, goes in a loop, is too deep, or has parts that no address reaches.
    #[error("its tree {0}")]
    Tree(&'static str),
    /// A record is no map from names to values.
    #[error("a record is no map")]
    Record,
}

impl Error {
    /// The file that it is about; `None` for what is wrong with all together.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Read { path, .. }
            | Self::TooLarge { path, .. }
            | Self::Changed { path }
            | Self::Sum { path, .. }
            | Self::Damaged { path, .. }
            | Self::Future { path, .. }
            | Self::Nothing { path, .. }
            | Self::Older { path, .. }
            | Self::Different { path, .. } => Some(path),
            Self::Canary { .. } => None,
        }
    }

    /// What the operator can do.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Read { .. } => "check the path in geo.tables and the rights of the file",
            Self::TooLarge { .. } => {
                "name a smaller table, for instance one of countries or without names of cities"
            }
            Self::Changed { .. } => {
                "write the new file beside it and rename it into place, as geoipupdate does"
            }
            Self::Sum { .. } => "fetch the table again, and make the sum with sha256sum",
            Self::Damaged { .. } => "fetch the table again; it has to be a .mmdb file, unpacked",
            Self::Future { .. } => "check this machine's clock, then fetch the table again",
            Self::Nothing { .. } => "name a table of countries, cities or autonomous systems",
            Self::Older { .. } => "to go back on purpose, give the older file another name in geo.tables",
            Self::Different { .. } => {
                "look at `nearside geo --diff`; to use it all the same, give it another name in geo.tables"
            }
            Self::Canary { .. } => "correct geo.canaries, or add an override for the network",
        }
    }
}

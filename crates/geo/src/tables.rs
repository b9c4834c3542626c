//! Tables of countries by address, in memory.

use maxminddb::{LookupResult, MaxMindDbError, PathElement, Reader};
use nearside_core::place::Country;
use std::fmt;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Which country an address is in, by the first table that knows.
///
/// A table is read whole, never mapped: a file that is replaced in place cannot change or crash a running
/// generation.
#[derive(Default)]
pub struct Tables(Vec<Reader<Vec<u8>>>);

/// Why a table is not used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read geo table {path:?}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The file is no table in MaxMind's format, or it is damaged.
    #[error("geo table {path:?} is damaged, or is none")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: MaxMindDbError,
    },
}

/// Where vendors keep the country's code: nested (MaxMind, DB-IP), flat (ip-location-db, IPinfo).
const LAYOUTS: [&[PathElement<'static>]; 3] = [
    &[PathElement::Key("country"), PathElement::Key("iso_code")],
    &[PathElement::Key("country_code")],
    &[PathElement::Key("country")],
];

impl Tables {
    /// No tables: every country is unknown.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads the tables at `paths` and walks each of them once, so that a damaged one is found now.
    ///
    /// # Errors
    /// The first table that cannot be read or is damaged.
    pub fn load<P: AsRef<Path>>(paths: &[P]) -> Result<Self, Error> {
        paths.iter().map(|path| open(path.as_ref())).collect::<Result<_, _>>().map(Self)
    }

    /// The country of `address`; [`Country::UNKNOWN`] where no table knows one.
    #[must_use]
    pub fn country(&self, address: IpAddr) -> Country {
        // Not every vendor's table repeats its IPv4 part under ::ffff:0:0/96.
        let address = address.to_canonical();
        let found = self.0.iter().filter_map(|table| country(&table.lookup(address).ok()?));
        found.into_iter().next().unwrap_or(Country::UNKNOWN)
    }
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = self.0.iter().map(|table| &table.metadata().database_type);
        f.debug_list().entries(kinds).finish()
    }
}

fn open(path: &Path) -> Result<Reader<Vec<u8>>, Error> {
    let damaged = |cause| Error::Damaged { path: path.to_owned(), cause };
    let bytes = fs::read(path).map_err(|cause| Error::Read { path: path.to_owned(), cause })?;
    let reader = Reader::from_source(bytes).map_err(damaged)?;
    reader.verify().map_err(damaged)?;
    Ok(reader)
}

fn country(found: &LookupResult<'_, Vec<u8>>) -> Option<Country> {
    let texts = LAYOUTS.iter().filter_map(|layout| found.decode_path::<&str>(layout).ok().flatten());
    texts.into_iter().find_map(Country::parse).filter(|country| *country != Country::UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
    }

    fn check(tables: &Tables, address: &str, expected: &str) {
        assert_eq!(tables.country(address.parse().unwrap()).as_str(), expected, "{address}");
    }

    /// A table of one node: addresses below 128.0.0.0 have `record`, the others have none.
    fn half(record: &[u8]) -> Tables {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("half.mmdb");
        let text = |text: &str| [&[0x40 | u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
        let number = |value: u8| vec![0xa1, value];
        let mut file = vec![0, 0, 17, 0, 0, 1];
        file.extend([0; 16]);
        file.extend(record);
        file.extend(b"\xab\xcd\xefMaxMind.com\xe9");
        for (key, value) in [
            ("node_count", vec![0xc1, 1]),
            ("record_size", number(24)),
            ("ip_version", number(4)),
            ("database_type", text("half")),
            ("languages", vec![0x01, 0x04, 0x42, b'e', b'n']),
            ("binary_format_major_version", number(2)),
            ("binary_format_minor_version", vec![0xa0]),
            ("build_epoch", vec![0x01, 0x02, 1]),
            ("description", [vec![0xe1], text("en"), text("half")].concat()),
        ] {
            file.extend([text(key), value].concat());
        }
        fs::write(&path, file).unwrap();
        Tables::load(&[path]).unwrap()
    }

    #[test]
    fn a_nested_table_knows_the_country() {
        let tables = Tables::load(&[data("GeoLite2-Country-Test.mmdb")]).unwrap();
        check(&tables, "217.65.48.1", "GI");
        check(&tables, "89.160.20.112", "SE");
        check(&tables, "::ffff:89.160.20.112", "SE");
        check(&tables, "2a02:cf40::1", "NO");
    }

    #[test]
    fn flat_tables_know_the_country() {
        let by_code = half(b"\xe1\x4ccountry_code\x42gb");
        check(&by_code, "81.2.69.142", "GB");
        check(&by_code, "::ffff:81.2.69.142", "GB");
        check(&by_code, "200.0.0.1", "ZZ");
        check(&half(b"\xe1\x47country\x42DE"), "81.2.69.142", "DE");
        check(&half(b"\xe1\x47country\x42QQ"), "81.2.69.142", "ZZ");
    }

    #[test]
    fn what_no_table_knows_is_unknown() {
        check(&Tables::none(), "81.2.69.142", "ZZ");
        let tables = Tables::load(&[data("GeoLite2-Country-Test.mmdb")]).unwrap();
        check(&tables, "127.0.0.1", "ZZ");
        let only_v4 = Tables::load(&[data("MaxMind-DB-test-ipv4-24.mmdb")]).unwrap();
        check(&only_v4, "2a02:cf40::1", "ZZ");
        check(&only_v4, "1.1.1.1", "ZZ");
    }

    #[test]
    fn the_first_table_that_knows_answers() {
        let names = ["MaxMind-DB-test-ipv4-24.mmdb", "GeoLite2-Country-Test.mmdb"];
        check(&Tables::load(&names.map(data)).unwrap(), "89.160.20.112", "SE");
    }

    #[test]
    fn a_damaged_table_is_refused_by_name() {
        let refused = |path: &Path| Tables::load(&[path]).unwrap_err().to_string();
        assert!(refused(&data("MaxMind-DB-test-broken-pointers-24.mmdb")).contains("is damaged"));
        assert!(refused(&data("LICENSE-MIT")).contains("LICENSE-MIT\" is damaged"));
        assert!(refused(&data("absent.mmdb")).starts_with("cannot read geo table"));
        assert!(refused(&data("")).starts_with("cannot read geo table"));
    }
}

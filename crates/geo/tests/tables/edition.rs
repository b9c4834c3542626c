//! A new edition of a table, held against the one in use.

use crate::made::{cidr, countries, put};
use crate::{data, ip, load, now, numbers};
use nearside_core::generation::Cidr;
use nearside_core::place::Country;
use nearside_geo::{Error, Spec, Tables};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::slice;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A thousand and more networks, the first `germans` of them in Germany.
fn edition(epoch: u32, networks: u16, germans: u16) -> Vec<u8> {
    let network = |number: u16| {
        let [high, low] = number.to_be_bytes();
        Cidr { address: [10, high, low, 0].into(), prefix: 24 }
    };
    let rows: Vec<_> =
        (0..networks).map(|number| (network(number), if number < germans { "DE" } else { "US" })).collect();
    countries(epoch, &rows)
}

fn again(path: &Path, running: &Tables) -> Result<Tables, String> {
    let files = [path.to_owned()];
    Tables::load(Spec { files: &files, ..Spec::default() }, Some(running), now())
        .map_err(|errors| errors.iter().map(Error::to_string).collect())
}

fn running(folder: &tempfile::TempDir) -> (PathBuf, Tables) {
    let path = folder.path().join("t.mmdb");
    put(&path, &edition(1_000_000_000, 2000, 1000));
    let tables = load(slice::from_ref(&path)).unwrap();
    (path, tables)
}

#[test]
fn a_file_that_did_not_change_is_not_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let (path, tables) = running(&folder);
    let kind = |tables: &Tables| tables.files().next().unwrap().kind.as_ptr();
    assert_eq!(kind(&again(&path, &tables).unwrap()), kind(&tables));
    put(&path, &edition(1_000_000_000, 2000, 1000));
    assert_ne!(kind(&again(&path, &tables).unwrap()), kind(&tables));
}

#[test]
fn the_next_edition_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (path, tables) = running(&folder);
    for (networks, germans) in [(2000, 1000), (2200, 1000), (1800, 1000), (2000, 1200), (2400, 1400)] {
        put(&path, &edition(1_000_000_001, networks, germans));
        let next = again(&path, &tables).unwrap();
        assert_eq!(
            next.files().next().unwrap().built - Duration::from_secs(1),
            tables.files().next().unwrap().built
        );
        assert_eq!(next.files().next().unwrap().networks, u64::from(networks));
    }
}

#[test]
fn an_older_or_absurdly_different_table_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (path, tables) = running(&folder);
    let check = |(epoch, networks, germans), expected: &str| {
        put(&path, &edition(epoch, networks, germans));
        let told = again(&path, &tables).unwrap_err();
        assert!(told.contains(expected), "{told}");
        assert!(load(slice::from_ref(&path)).is_ok(), "alone it is sound");
    };
    check((999_000_000, 2000, 1000), "was built on 2001-08-28, before the one in use (2001-09-09)");
    check((1_000_000_001, 1400, 700), "knows 1400 networks altogether; after the one in use about 2000");
    check((1_000_000_001, 2600, 1300), "knows 2600 networks altogether");
    check((1_000_000_001, 2000, 1400), "knows 1400 networks in DE; after the one in use about 1000");
    check((1_000_000_001, 2000, 0), "knows 0 networks in DE");
}

#[test]
fn under_another_name_a_table_is_a_choice_of_the_operator() {
    let folder = tempfile::tempdir().unwrap();
    let (_, tables) = running(&folder);
    let other = folder.path().join("other.mmdb");
    put(&other, &edition(1, 10, 0));
    assert!(again(&other, &tables).is_ok());
}

#[test]
fn a_table_from_the_future_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.mmdb");
    let epoch = u32::try_from(now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()).unwrap();
    put(&path, &edition(epoch + 80_000, 1, 0));
    assert!(load(slice::from_ref(&path)).is_ok());
    put(&path, &edition(epoch + 90_000, 1, 0));
    assert!(matches!(load(&[path]).unwrap_err().as_slice(), [Error::Future { .. }]));
}

#[test]
fn canaries_hold() {
    let country = |code| Country::parse(code).unwrap();
    let check = |files: &[PathBuf], address: &str, code| {
        let overrides = [(cidr("10.9.0.0/16"), nearside_core::place::Place::of(country("FR")))];
        let spec = Spec { files, overrides: &overrides, canaries: &[(ip(address), country(code))] };
        Tables::load(spec, None, now())
            .map_err(|errors| errors.iter().map(Error::to_string).collect::<String>())
    };
    let file = [data("GeoLite2-Country-Test.mmdb")];
    assert!(check(&file, "89.160.20.112", "SE").is_ok());
    assert!(check(&file, "10.9.8.7", "FR").is_ok());
    assert!(check(&[], "8.8.8.8", "US").is_ok());
    let told = check(&file, "8.8.8.8", "US").unwrap_err();
    assert_eq!(told, "the geo tables place 8.8.8.8 in ZZ, and the canary says US");
}

#[test]
fn a_file_overwritten_in_place_does_no_harm_to_who_asks() {
    let folder = tempfile::tempdir().unwrap();
    let (path, tables) = running(&folder);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asks = scope.spawn(|| {
            let mut asked = 0;
            while !done.load(Ordering::Relaxed) || asked < 1000 {
                assert_eq!(tables.place(ip("10.0.9.1")).country.as_str(), "DE");
                asked += 1;
            }
        });
        let mut number = numbers(5);
        for _ in 0..100 {
            let mut file =
                OpenOptions::new().write(true).truncate(number().is_multiple_of(2)).open(&path).unwrap();
            let noise: Vec<u8> = (0..4096).map(|_| u8::try_from(number() & 255).unwrap()).collect();
            file.write_all(&noise).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        asks.join().unwrap();
    });
    assert!(again(&path, &tables).unwrap_err().contains("is damaged"));
    fs::remove_file(&path).unwrap();
    assert!(again(&path, &tables).unwrap_err().contains("cannot read"));
    assert_eq!(tables.place(ip("10.0.9.1")).country.as_str(), "DE");
}

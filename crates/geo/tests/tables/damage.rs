//! Broken files: refused or answered right.

use crate::made::put;
use crate::{data, load, numbers};
use nearside_geo::{Error, diff};
use std::error::Error as _;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::slice;

const SOUND: &str = "GeoLite2-City-Test.mmdb";

/// Why a file alone is refused: the message, and what lies behind it.
fn refusal(path: PathBuf) -> Option<String> {
    let errors = load(&[path]).err()?;
    let [error] = errors.as_slice() else { panic!("{errors:?}") };
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(told, ": {error}").unwrap();
        cause = error.source();
    }
    assert!(!error.remedy().is_empty());
    Some(told)
}

#[test]
fn every_file_of_maxmind_is_taken_or_refused_for_what_is_wrong_with_it() {
    let mut told = String::new();
    let folders = [data(""), data("bad")];
    let mut files: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap())
        .map(|file| file.unwrap().path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "mmdb"));
    files.sort();
    for path in files {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let folder = path.parent().unwrap().to_string_lossy().into_owned();
        let verdict = refusal(path).map_or("taken".to_owned(), |why| why.replace(&format!("{folder}/"), ""));
        let verdict = verdict.replace(&format!("geo table \"{name}.mmdb\" "), "");
        writeln!(told, "{name}: {verdict}").unwrap();
    }
    let expected = data("verdicts.txt");
    if std::env::var_os("RECORD").is_some() {
        fs::write(&expected, &told).unwrap();
    }
    assert_eq!(told, fs::read_to_string(expected).unwrap());
}

#[test]
fn what_is_no_table_is_refused_by_name() {
    let why = |name| refusal(data(name)).unwrap();
    assert!(why("LICENSE-MIT").contains("LICENSE-MIT\" is damaged, or is none"));
    assert!(why("absent.mmdb").starts_with("cannot read geo table"));
    assert!(why("bad").ends_with("it is no regular file"));
    let folder = tempfile::tempdir().unwrap();
    let large = folder.path().join("large.mmdb");
    fs::File::create(&large).unwrap().set_len((1 << 30) + 1).unwrap();
    assert!(refusal(large).unwrap().contains("has 1073741825 bytes, more than 1073741824"));
}

#[test]
fn of_several_files_each_bad_one_is_named() {
    let errors = load(&[data("absent.mmdb"), data(SOUND), data("LICENSE-MIT")]).unwrap_err();
    assert!(matches!(errors.as_slice(), [Error::Read { .. }, Error::Damaged { .. }]), "{errors:?}");
}

#[test]
fn a_table_that_is_cut_anywhere_is_refused() {
    let bytes = fs::read(data(SOUND)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.mmdb");
    let mut number = numbers(1);
    for _ in 0..200 {
        let length = usize::try_from(number()).unwrap() % bytes.len();
        put(&path, &bytes[..length]);
        assert!(refusal(path.clone()).is_some(), "{length} bytes of {}", bytes.len());
    }
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

#[test]
fn one_bit_that_changed_is_noticed_by_the_sum_beside_the_file() {
    let bytes = fs::read(data(SOUND)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flipped.mmdb");
    let mut number = numbers(2);
    let sum = folder.path().join("flipped.mmdb.sha256");
    fs::write(&sum, format!("{}  flipped.mmdb\n", sha256(&bytes))).unwrap();
    put(&path, &bytes);
    assert_eq!(refusal(path.clone()), None);
    for _ in 0..200 {
        put(&path, &flipped(&bytes, usize::try_from(number()).unwrap() % (bytes.len() * 8)));
        assert!(refusal(path.clone()).unwrap().contains("does not agree with"));
    }
    fs::write(&sum, "no sum\n").unwrap();
    assert!(refusal(path).unwrap().contains("does not agree with"));
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(bytes))
}

#[test]
fn without_a_sum_a_changed_bit_is_refused_or_changes_nothing_or_one_value() {
    let bytes = fs::read(data(SOUND)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flipped.mmdb");
    let right = load(&[data(SOUND)]).unwrap();
    let (tree, separator) = (1465 * 7 * 8, 16 * 8);
    let mut number = numbers(3);
    // Of the tree, what remains are leaves that lead to another whole record; of the records, letters and digits.
    let parts = [
        ("tree", 0, tree, 20),
        ("separator", tree, tree + separator, 0),
        ("records", tree + separator, bytes.len() * 8, 20),
    ];
    for (part, from, to, most) in parts {
        let mut unnoticed = 0;
        for _ in 0..200 {
            put(&path, &flipped(&bytes, from + usize::try_from(number()).unwrap() % (to - from)));
            unnoticed += usize::from(
                load(slice::from_ref(&path)).is_ok_and(|tables| diff(&right, &tables).next().is_some()),
            );
        }
        println!("{part}: {unnoticed} of 200 unnoticed");
        assert!(unnoticed <= most, "{part}: {unnoticed} of 200");
    }
}

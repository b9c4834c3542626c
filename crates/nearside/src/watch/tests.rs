//! Real files, changed in every way that files are changed.

use super::*;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use tokio::time::timeout;

struct Place {
    folder: PathBuf,
    watch: Watch,
    _kept: tempfile::TempDir,
}

impl Place {
    fn new(path: &str, build: impl FnOnce(&Path)) -> Self {
        let kept = tempfile::tempdir().unwrap();
        let folder = kept.path().canonicalize().unwrap();
        build(&folder);
        let mut watch = Watch::new().unwrap();
        assert!(watch.follow(&[folder.join(path)]).unwrap(), "its folder was not watched before");
        Self { folder, watch, _kept: kept }
    }

    async fn sees(&self, what: &str) {
        timeout(Duration::from_secs(10), self.watch.changed())
            .await
            .unwrap_or_else(|_| panic!("{what} was not seen"));
    }

    /// What was done before this was seen, and nothing since.
    async fn rests(&self) {
        let seen = timeout(Duration::from_millis(150), self.watch.changed()).await;
        assert!(seen.is_err(), "nothing had changed");
    }
}

#[tokio::test]
async fn a_write_in_place_and_a_rename_over_are_seen() {
    let place = Place::new("routes.yaml", |folder| fs::write(folder.join("routes.yaml"), "1").unwrap());
    fs::write(place.folder.join("routes.yaml"), "2").unwrap();
    place.sees("a write in place").await;
    for round in ["the first rename", "a second rename"] {
        fs::write(place.folder.join("fresh"), "3").unwrap();
        fs::rename(place.folder.join("fresh"), place.folder.join("routes.yaml")).unwrap();
        place.sees(round).await;
    }
    fs::remove_file(place.folder.join("routes.yaml")).unwrap();
    place.sees("a removal").await;
}

#[tokio::test]
async fn reading_the_file_and_changing_its_neighbours_is_no_change() {
    let place = Place::new("routes.yaml", |folder| fs::write(folder.join("routes.yaml"), "1").unwrap());
    fs::read(place.folder.join("routes.yaml")).unwrap();
    fs::write(place.folder.join("notes.txt"), "1").unwrap();
    place.rests().await;
}

#[tokio::test]
async fn a_link_turned_around_as_kubernetes_does_is_seen_each_time() {
    let mut place = Place::new("mount/routes.yaml", |folder| {
        fs::create_dir_all(folder.join("mount/..1")).unwrap();
        fs::write(folder.join("mount/..1/routes.yaml"), "1").unwrap();
        symlink("..1", folder.join("mount/..data")).unwrap();
        symlink("..data/routes.yaml", folder.join("mount/routes.yaml")).unwrap();
    });
    let path = place.folder.join("mount/routes.yaml");
    for turn in 2..5 {
        let mount = place.folder.join("mount");
        fs::create_dir(mount.join(format!("..{turn}"))).unwrap();
        fs::write(mount.join(format!("..{turn}/routes.yaml")), turn.to_string()).unwrap();
        symlink(format!("..{turn}"), mount.join("..data_tmp")).unwrap();
        fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
        fs::remove_dir_all(mount.join(format!("..{}", turn - 1))).unwrap();
        place.sees("the turn").await;
        assert_eq!(fs::read_to_string(&path).unwrap(), turn.to_string());
        place.watch.follow(std::slice::from_ref(&path)).unwrap();
    }
}

#[tokio::test]
async fn a_folder_that_was_made_anew_is_watched_on() {
    let mut place = Place::new("certs/www.pem", |folder| {
        fs::create_dir(folder.join("certs")).unwrap();
        fs::write(folder.join("certs/www.pem"), "1").unwrap();
    });
    let certs = place.folder.join("certs");
    fs::remove_dir_all(&certs).unwrap();
    place.sees("the removal").await;
    place.watch.follow(&[certs.join("www.pem")]).unwrap();
    fs::create_dir(&certs).unwrap();
    place.sees("the new folder").await;
    place.watch.follow(&[certs.join("www.pem")]).unwrap();
    fs::write(certs.join("www.pem"), "2").unwrap();
    place.sees("the new file").await;
}

#[tokio::test]
async fn a_new_file_for_a_pattern_is_seen() {
    let place = Place::new("certs", |folder| fs::create_dir(folder.join("certs")).unwrap());
    fs::write(place.folder.join("certs/new.pem"), "1").unwrap();
    place.sees("the new file").await;
}

#[tokio::test]
async fn a_burst_of_changes_is_one_change() {
    let place = Place::new("routes.yaml", |folder| fs::write(folder.join("routes.yaml"), "1").unwrap());
    for step in 0..20 {
        fs::write(place.folder.join("routes.yaml"), step.to_string()).unwrap();
    }
    place.sees("the burst").await;
    place.rests().await;
}

#[tokio::test]
async fn a_file_that_is_being_written_is_waited_for_longer_than_one_that_is_whole() {
    let place = Place::new("routes.yaml", |folder| fs::write(folder.join("routes.yaml"), "1").unwrap());
    let half = || place.watch.shared.half.load(Ordering::Relaxed);
    let mut file = fs::File::options().append(true).open(place.folder.join("routes.yaml")).unwrap();
    file.write_all(b"2").unwrap();
    place.sees("the first half").await;
    assert!(half());
    file.write_all(b"3").unwrap();
    drop(file);
    place.sees("the second half").await;
    assert!(!half());
    fs::write(place.folder.join("fresh"), "4").unwrap();
    fs::rename(place.folder.join("fresh"), place.folder.join("routes.yaml")).unwrap();
    place.sees("the rename").await;
    assert!(!half());
}

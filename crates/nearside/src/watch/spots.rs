//! The spots to watch: names in folders where a change of a file can show itself.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Links in a row; the kernel gives up there too.
const MOST_LINKS: usize = 40;
/// Entries of a watched folder whose links are followed.
const MOST_ENTRIES: usize = 10_000;

/// Names in folders.
#[derive(Debug, Default)]
pub(super) struct Spots {
    names: HashMap<PathBuf, HashSet<OsString>>,
    /// Folders in which every name counts.
    whole: HashSet<PathBuf>,
}

impl Spots {
    /// The spots of these files and folders.
    pub(super) fn of(paths: &[PathBuf]) -> Self {
        let mut spots = Self::default();
        for path in paths {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            let found = spots.add(&path);
            if found.is_dir() {
                spots.add_whole(&found);
            }
        }
        spots
    }

    /// The folders to watch.
    pub(super) fn folders(&self) -> impl Iterator<Item = &Path> {
        let named = self.names.keys().filter(|folder| !self.whole.contains(*folder));
        named.chain(&self.whole).map(PathBuf::as_path)
    }

    /// Whether `path`, a folder's path with a name, is a spot. A watched folder that tells of itself is one too.
    pub(super) fn holds(&self, path: &Path) -> bool {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return true };
        self.whole.contains(folder)
            || self.whole.contains(path)
            || self.names.get(folder).is_some_and(|names| names.contains(name))
    }

    /// Adds the spots of `path`, and says where it leads.
    fn add(&mut self, path: &Path) -> PathBuf {
        let mut here = PathBuf::new();
        let mut rest: Vec<OsString> = parts(path);
        let mut links = 0;
        while let Some(part) = rest.pop() {
            if part == ".." {
                here.pop();
                continue;
            }
            let next = here.join(&part);
            match fs::read_link(&next) {
                Ok(target) if links < MOST_LINKS => {
                    links += 1;
                    self.note(&here, &part);
                    if target.is_absolute() {
                        here = PathBuf::new();
                    }
                    rest.extend(parts(&target));
                }
                _ if rest.is_empty() => {
                    self.note(&here, &part);
                    self.note_folder(&here);
                    return next;
                }
                _ if next.is_dir() => here = next,
                _ => {
                    // What is missing shows itself where it will be made.
                    self.note(&here, &part);
                    self.note_folder(&here);
                    return next;
                }
            }
        }
        here
    }

    /// Adds a folder with all that is in it, and what its links lead to.
    fn add_whole(&mut self, folder: &Path) {
        if !self.whole.insert(folder.to_owned()) || self.whole.len() > MOST_ENTRIES {
            return;
        }
        self.note_folder(folder);
        let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(MOST_ENTRIES);
        for entry in entries {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.add_whole(&path),
                Ok(kind) if kind.is_symlink() => {
                    self.add(&path);
                }
                _ => {}
            }
        }
    }

    fn note(&mut self, folder: &Path, name: &OsString) {
        self.names.entry(folder.to_owned()).or_default().insert(name.clone());
    }

    /// The folder itself, by its name in the one above.
    fn note_folder(&mut self, folder: &Path) {
        if let (Some(above), Some(name)) = (folder.parent(), folder.file_name()) {
            self.note(above, &name.to_owned());
        }
    }
}

/// The parts of a path, the first one last.
fn parts(path: &Path) -> Vec<OsString> {
    let kept = path.components().filter(|part| !matches!(part, Component::CurDir));
    kept.map(|part| part.as_os_str().to_owned()).rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn check(spots: &Spots, folder: &Path, names: &[&str]) {
        for name in names {
            assert!(spots.holds(&folder.join(name)), "{name} in {spots:?}");
            let above = folder.join(name).parent().unwrap().to_owned();
            assert!(spots.folders().any(|watched| watched == above), "{name} in {spots:?}");
        }
    }

    #[test]
    fn every_link_on_the_way_is_a_spot_and_so_is_what_it_leads_to() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().canonicalize().unwrap();
        fs::create_dir_all(folder.join("mount/..2026")).unwrap();
        fs::write(folder.join("mount/..2026/routes.yaml"), "").unwrap();
        symlink("..2026", folder.join("mount/..data")).unwrap();
        symlink("..data/routes.yaml", folder.join("mount/routes.yaml")).unwrap();
        let spots = Spots::of(&[folder.join("mount/routes.yaml")]);
        check(&spots, &folder, &["mount/routes.yaml", "mount/..data", "mount/..2026/routes.yaml"]);
        assert!(!spots.holds(&folder.join("mount/other")));
        assert!(!spots.holds(&folder.join("other")));
    }

    #[test]
    fn what_is_missing_is_watched_where_it_will_be_made() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let spots = Spots::of(&[folder.join("certs/www.pem")]);
        check(&spots, &folder, &["certs"]);
    }

    #[test]
    fn in_a_folder_every_name_counts_and_links_are_followed() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().canonicalize().unwrap();
        fs::create_dir_all(folder.join("live/www")).unwrap();
        fs::create_dir(folder.join("archive")).unwrap();
        fs::write(folder.join("archive/www1.pem"), "").unwrap();
        symlink("../../archive/www1.pem", folder.join("live/www/tls.pem")).unwrap();
        let spots = Spots::of(&[folder.join("live")]);
        check(&spots, &folder, &["live", "live/new", "live/www/new", "live/www/tls.pem", "archive/www1.pem"]);
    }

    #[test]
    fn links_in_a_circle_end() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        symlink("b", folder.join("a")).unwrap();
        symlink("a", folder.join("b")).unwrap();
        let spots = Spots::of(&[folder.join("a")]);
        check(&spots, &folder, &["a", "b"]);
    }
}

//! The rewriting of a file in one step: who reads it sees the old text or the new one, whole.

use rustix::fs::Access;
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

/// Puts `new` into the file at `path`, which held `old` when it was read; links are followed, mode and owner kept.
///
/// # Errors
/// The folder cannot be written, or the file has changed meanwhile. It is left as it was.
pub(crate) fn replace(path: &Path, old: &str, new: &str) -> io::Result<()> {
    let real = fs::canonicalize(path)?;
    let folder = real.parent().unwrap_or(Path::new("/"));
    let before = fs::metadata(&real)?;
    // A file that may not be written is not replaced either, although its folder would allow that.
    drop(fs::OpenOptions::new().append(true).open(&real)?);
    let mut fresh = tempfile::Builder::new().prefix(".routes-").tempfile_in(folder)?;
    fresh.write_all(new.as_bytes())?;
    fresh.as_file().set_permissions(Permissions::from_mode(before.mode() & 0o7777))?;
    let own = fresh.as_file().metadata()?;
    if (own.uid(), own.gid()) != (before.uid(), before.gid()) {
        chown(fresh.path(), Some(before.uid()), Some(before.gid()))?;
    }
    fresh.as_file().sync_all()?;
    if fs::read(&real)? != old.as_bytes() {
        return Err(io::Error::other("somebody else has just changed it; look at it and try again"));
    }
    fresh.persist(&real)?;
    Ok(())
}

/// Whether [`replace`] may put something there.
///
/// # Errors
/// Why not.
pub(crate) fn may_replace(path: &Path) -> io::Result<()> {
    let real = fs::canonicalize(path)?;
    drop(fs::OpenOptions::new().append(true).open(&real)?);
    Ok(rustix::fs::access(real.parent().unwrap_or(Path::new("/")), Access::WRITE_OK | Access::EXEC_OK)?)
}

/// What leads from `old` to `new`, for patch(1).
pub(crate) fn patch(name: &str, old: &str, new: &str) -> String {
    const AROUND: usize = 3;
    let (before, after): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let front = before.iter().zip(&after).take_while(|(one, other)| one == other).count();
    let shorter = before.len().min(after.len()) - front;
    let back = before.iter().rev().zip(after.iter().rev()).take(shorter);
    let back = back.take_while(|(one, other)| one == other).count();
    let start = front.saturating_sub(AROUND);
    let part = |lines: &[&str], mark: char, to: usize| -> String {
        lines.iter().take(to).skip(front).map(|line| format!("{mark}{line}\n")).collect()
    };
    let kept = |lines: &[&str], from: usize, count: usize| -> String {
        lines.iter().skip(from).take(count).map(|line| format!(" {line}\n")).collect()
    };
    let (old_end, new_end) = (before.len() - back, after.len() - back);
    let tail = back.min(AROUND);
    let hunk = format!(
        "@@ -{},{} +{},{} @@\n",
        start + 1,
        old_end + tail - start,
        start + 1,
        new_end + tail - start
    );
    [
        format!("--- {name}\n+++ {name}\n{hunk}"),
        kept(&before, start, front - start),
        part(&before, '-', old_end),
        part(&after, '+', new_end),
        kept(&before, old_end, tail),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn links_mode_and_neighbours_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real/routes.yaml"), folder.path().join("routes.yaml"));
        fs::create_dir(folder.path().join("real")).unwrap();
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, Permissions::from_mode(0o640)).unwrap();
        symlink("real/routes.yaml", &link).unwrap();
        replace(&link, "old", "new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert_eq!(fs::metadata(&real).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(fs::read_dir(folder.path().join("real")).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_somebody_else_wrote_meanwhile_is_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("routes.yaml");
        fs::write(&path, "theirs").unwrap();
        assert!(replace(&path, "old", "new").unwrap_err().to_string().contains("somebody else"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_reader_never_sees_half_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("routes.yaml");
        let texts = ["a".repeat(100_000), "b".repeat(150_000)];
        fs::write(&path, &texts[0]).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut reads = 0;
                while !done.load(Ordering::Relaxed) || reads == 0 {
                    let seen = fs::read_to_string(&path).unwrap();
                    assert!(texts.contains(&seen), "{} bytes of neither text", seen.len());
                    reads += 1;
                }
            });
            for turn in 0..50 {
                replace(&path, &texts[turn % 2], &texts[(turn + 1) % 2]).unwrap();
            }
            done.store(true, Ordering::Relaxed);
            reader.join().unwrap();
        });
    }

    #[test]
    fn the_patch_is_what_patch_1_takes() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n";
        let check = |new: &str, expected: &str| assert_eq!(patch("f", old, new), expected);
        check(
            "1\n2\n3\n4\nnew\n5\n6\n7\n8\n",
            "--- f\n+++ f\n@@ -2,6 +2,7 @@\n 2\n 3\n 4\n+new\n 5\n 6\n 7\n",
        );
        check("1\n2\n3\n4\n5\n6\n7\nnew\n", "--- f\n+++ f\n@@ -5,4 +5,4 @@\n 5\n 6\n 7\n-8\n+new\n");
        check("2\n3\n4\n5\n6\n7\n8\n", "--- f\n+++ f\n@@ -1,4 +1,3 @@\n-1\n 2\n 3\n 4\n");
    }
}

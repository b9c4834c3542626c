//! The journal's rules.

use super::*;
use serde_json::Value;
use std::os::unix::fs::symlink;

const KEEP: Duration = Duration::from_hours(24);

fn journal(state: &Path) -> (Journal, Arc<AtomicU64>) {
    let lost = Arc::default();
    (Journal::start(state, KEEP, Arc::clone(&lost)).unwrap(), lost)
}

fn entry(subject: &str, at: &str) -> Entry {
    Entry { time: moment(at).unwrap(), ..Entry::now(Kind::Health, "fell", subject) }
}

fn today() -> PathBuf {
    Path::new(JOURNAL).join(format!("{}.jsonl", daily::day(SystemTime::now())))
}

fn subjects(page: &Page) -> Vec<&str> {
    page.lines.iter().filter_map(|line| line["subject"].as_str()).collect()
}

fn all(state: &Path) -> Page {
    pages(&state.join(JOURNAL), Span::default()).unwrap()
}

#[test]
fn an_entry_is_a_line_that_leaves_out_what_it_does_not_know() {
    let mut entry = entry("web/a", "2026-11-21T14:03:00.5Z");
    (entry.from, entry.to) = (Some("healthy".to_owned()), Some("unhealthy".to_owned()));
    entry.figure("fails", 3);
    entry.figure("last_error", Value::Null);
    assert_eq!(
        String::from_utf8(entry.line()).unwrap(),
        "{\"time\":\"2026-11-21T14:03:00.500Z\",\"kind\":\"health\",\"event\":\"fell\",\"subject\":\"web/a\",\
         \"from\":\"healthy\",\"to\":\"unhealthy\",\"evidence\":{\"fails\":3}}\n"
    );
}

#[test]
fn entries_are_read_back_by_day_and_in_order_of_time() {
    let state = tempfile::tempdir().unwrap();
    let (journal, lost) = journal(state.path());
    journal.keep(Duration::from_hours(24 * 36_500));
    for (subject, at) in [
        ("a", "2026-11-20T23:59:59.999Z"),
        ("c", "2026-11-21T08:00:00Z"),
        ("b", "2026-11-21T07:00:00Z"),
        ("d", "2026-11-22T00:00:00Z"),
    ] {
        journal.write(&entry(subject, at));
    }
    journal.close();
    assert_eq!((subjects(&all(state.path())), lost.load(Ordering::Relaxed)), (vec!["a", "b", "c", "d"], 0));
    let folder = state.path().join(JOURNAL);
    assert_eq!(days(&folder).unwrap().len(), 3);
    let span = |since: &str, until: &str| {
        let span = Span { since: moment(since), until: moment(until) };
        subjects(&pages(&folder, span).unwrap()).join("")
    };
    assert_eq!(span("2026-11-21T07:00:00Z", "2026-11-21T07:30:00Z"), "b");
    assert_eq!(span("2026-11-20T23:59:59.999Z", "2026-11-21T07:00:00Z"), "ab");
    assert_eq!(span("2026-11-21T07:00:00.001Z", "2026-12-21T07:00:00Z"), "cd");
}

#[test]
fn a_torn_last_line_is_skipped_and_counted_and_takes_no_other_with_it() {
    let state = tempfile::tempdir().unwrap();
    fs::create_dir(state.path().join(JOURNAL)).unwrap();
    fs::write(state.path().join(today()), "{\"time\":\"2026-11-21T00:00:00.000Z\",\"subj").unwrap();
    let (journal, _) = journal(state.path());
    journal.write(&Entry::now(Kind::Process, "started", "after"));
    journal.close();
    let page = all(state.path());
    assert_eq!((subjects(&page), page.unreadable), (vec!["after"], 1));
}

#[test]
fn days_that_are_over_are_forgotten() {
    let state = tempfile::tempdir().unwrap();
    let folder = state.path().join(JOURNAL);
    fs::create_dir(&folder).unwrap();
    let yesterday = daily::day(SystemTime::now() - KEEP);
    for day in ["2020-01-01", "2020-01-02", &yesterday] {
        fs::write(folder.join(format!("{day}.jsonl")), "").unwrap();
    }
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    let (journal, _) = journal(state.path());
    journal.write(&Entry::now(Kind::Process, "started", "x"));
    journal.close();
    let known: Vec<_> = days(&folder).unwrap().into_iter().map(|(day, _)| day).collect();
    assert_eq!(known, [yesterday, daily::day(SystemTime::now())]);
    assert!(folder.join("notes.txt").exists(), "what is not ours is left alone");
}

#[test]
fn the_oldest_days_make_room_when_all_together_are_too_large() {
    let folder = tempfile::tempdir().unwrap();
    let mut daily = Daily::new(folder.path().to_owned(), 250);
    let line = [b'x'; 100];
    for day in 1..=5 {
        let time = moment(&format!("2026-11-0{day}T12:00:00Z")).unwrap();
        daily.append(time, &line, Duration::from_hours(24 * 365)).unwrap();
    }
    let known: Vec<_> = days(folder.path()).unwrap().into_iter().map(|(day, _)| day).collect();
    assert_eq!(known, ["2026-11-03", "2026-11-04", "2026-11-05"]);
}

#[test]
fn a_full_disk_loses_lines_that_are_counted_and_told_once_there_is_room() {
    let state = tempfile::tempdir().unwrap();
    fs::create_dir(state.path().join(JOURNAL)).unwrap();
    symlink("/dev/full", state.path().join(today())).unwrap();
    let (journal, lost) = journal(state.path());
    for subject in ["a", "b"] {
        journal.write(&Entry::now(Kind::Health, "fell", subject));
    }
    while lost.load(Ordering::Relaxed) < 2 {
        thread::yield_now();
    }
    fs::remove_file(state.path().join(today())).unwrap();
    journal.write(&Entry::now(Kind::Health, "rose", "c"));
    journal.close();
    let page = all(state.path());
    assert_eq!(subjects(&page), ["c", "journal"]);
    assert_eq!(page.lines[1]["evidence"]["lines"], 2);
}

#[test]
fn a_generation_is_kept_once_under_its_name() {
    let state = tempfile::tempdir().unwrap();
    let (journal, _) = journal(state.path());
    journal.store("abc.yaml", b"version: 1\n".to_vec());
    journal.store("abc.yaml", b"something else".to_vec());
    journal.close();
    let folder = state.path().join(GENERATIONS);
    assert_eq!(fs::read_to_string(folder.join("abc.yaml")).unwrap(), "version: 1\n");
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "nothing is left behind");
}

#[test]
fn generations_that_are_over_are_forgotten_and_one_in_use_is_not() {
    let state = tempfile::tempdir().unwrap();
    let folder = state.path().join(GENERATIONS);
    fs::create_dir(&folder).unwrap();
    for name in ["old.yaml", "used.yaml"] {
        fs::write(folder.join(name), "x").unwrap();
        let file = File::options().append(true).open(folder.join(name)).unwrap();
        file.set_modified(SystemTime::now() - KEEP * 2).unwrap();
    }
    let (journal, _) = journal(state.path());
    journal.touch("used.yaml");
    journal.store("new.yaml", b"y".to_vec());
    journal.close();
    let is_there = |name: &str| folder.join(name).exists();
    assert!(is_there("new.yaml") && is_there("used.yaml") && !is_there("old.yaml"));
}

#[test]
fn the_latest_entries_are_remembered_over_a_restart() {
    let state = tempfile::tempdir().unwrap();
    let (first, _) = journal(state.path());
    first.write(&Entry::now(Kind::Process, "started", "one"));
    first.close();
    let (second, _) = journal(state.path());
    second.write(&Entry::now(Kind::Process, "started", "two"));
    let told: Vec<Value> =
        second.recent(None).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((told.len(), &told[0]["subject"], &told[1]["subject"]), (2, &"one".into(), &"two".into()));
    assert_eq!(second.recent(Some(SystemTime::now() + KEEP)).len(), 0);
}
